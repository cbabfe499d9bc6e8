"""Replay of harmonization datasets: every sample comes back from its record and the photos, to the byte."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest
from small_datasets import write_photos, write_recipe

from synthharm.errors import SynthharmError
from synthharm.filters.fused import NotCompiled
from synthharm.generate import Dataset, generate
from synthharm.generate.replaying import Replayed, _within, _write, read_records, replay, replay_all
from synthharm.recipe import load_recipe
from synthharm.writers import Record


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("replay"))


@pytest.mark.parametrize("name", ["png", "png16", "jpeg", "soft", "iharmony4"])
def test_every_sample_comes_back(
    dataset_in: Callable[[str], Path], name: str, photos: Path, tmp_path: Path
) -> None:
    dataset = dataset_in(name)
    replayed = list(replay_all(dataset, str(photos), output=tmp_path))
    assert len(replayed) == len(list(Dataset(dataset).records())) > 0
    assert [one.differences for one in replayed] == [()] * len(replayed)
    for one in replayed:
        assert len(one.files) == 3
        for path in one.files:
            assert (tmp_path / path).read_bytes() == (dataset / path).read_bytes()


def test_a_chain_by_foreground_statistics_comes_back(photos: Path, tmp_path: Path) -> None:
    chain = {"filters": ["contrast", "saturation", "temperature"], "statistics": "foreground"}
    generate(write_recipe(tmp_path / "recipe.yaml", photos, samples=4, chain=chain), tmp_path / "dataset")
    assert [one.differences for one in replay_all(tmp_path / "dataset", str(photos))] == [()] * 4


def test_what_was_made_by_the_reference_comes_back(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the compiled chain gives up, the same samples are made and replayed by the reference."""

    def give_up(*_: object, **__: object) -> None:
        raise NotCompiled("the means could not be solved for")

    for name in ("disharmonize", "undo_region"):
        monkeypatch.setattr(import_module("synthharm.composites.retouch"), name, give_up)
    generate(write_recipe(tmp_path / "recipe.yaml", photos, samples=3), tmp_path / "dataset")
    records = list(Dataset(tmp_path / "dataset").records())
    assert all(record.draw["computed"].startswith("reference") for record in records)
    assert [one.differences for one in replay_all(tmp_path / "dataset", str(photos))] == [()] * 3


def test_one_sample_from_one_record(dataset_in: Callable[[str], Path], photos: Path, tmp_path: Path) -> None:
    dataset = dataset_in("png")
    record = list(Dataset(dataset).records())[3]
    (tmp_path / "one.json").write_text(record.to_json())
    (only,) = replay_all(tmp_path / "one.json", str(photos), recipe=dataset / "recipe.yaml")
    (same,) = replay_all(dataset, str(photos), sample=record.sample)
    assert only == same
    assert only.record == record


def test_other_arguments_make_other_bytes(dataset_in: Callable[[str], Path], photos: Path) -> None:
    dataset = dataset_in("png")
    record = next(Dataset(dataset).records())
    changed = {**record.arguments, "brightness": record.arguments["brightness"] + 0.05}
    replayed = replay(replace(record, arguments=changed), load_recipe(dataset / "recipe.yaml", [f"data={photos}"]))
    assert [line.split(":")[1].strip() for line in replayed.differences] == ["image"]


def test_other_versions_are_said(dataset_in: Callable[[str], Path], photos: Path) -> None:
    dataset = dataset_in("png")
    record = next(Dataset(dataset).records())
    older = replace(record, versions={**record.versions, "numpy": "0.1"})
    replayed = replay(older, load_recipe(dataset / "recipe.yaml", [f"data={photos}"]))
    assert len(replayed.versions) == 1
    assert "made with numpy 0.1" in replayed.versions[0]
    assert not replayed.differences


def test_a_changed_photo_is_refused(dataset_in: Callable[[str], Path], photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    changed = tmp_path / "photos" / "images" / "photo1.png"
    picture = cv2.imread(str(changed))
    picture[0, 0] ^= 1
    cv2.imwrite(str(changed), picture)
    with pytest.raises(SynthharmError, match=r"images/photo1\.png: has changed: sha256 is"):
        list(replay_all(dataset_in("png"), str(tmp_path / "photos")))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda record: record.pop("region"), "line 1: a record has the fields"),
        (lambda record: record["region"].pop("mask"), "its record cannot be run: KeyError('mask')"),
        (lambda record: record["chain"].update(filters=["none"]), "its record cannot be run"),
        (lambda record: record["arguments"].clear(), "its record cannot be run: KeyError"),
        (
            lambda record: record["files"]["image"].update(path="../image.png"),
            "is not within the dataset's folder",
        ),
    ],
    ids=["a field less", "no mask", "an unknown filter", "no arguments", "a path that leads out"],
)
def test_a_record_that_cannot_be_run(
    dataset_in: Callable[[str], Path],
    photos: Path,
    tmp_path: Path,
    spoil: Callable[[dict[str, object]], object],
    said: str,
) -> None:
    dataset = dataset_in("png")
    record = json.loads(next(Dataset(dataset).records()).to_json())
    spoil(record)
    (tmp_path / "one.json").write_text(json.dumps(record))
    with pytest.raises(SynthharmError) as caught:
        list(
            replay_all(tmp_path / "one.json", str(photos), output=tmp_path / "out", recipe=dataset / "recipe.yaml")
        )
    assert said in str(caught.value)
    assert not (tmp_path / "image.png").exists()


@pytest.mark.parametrize("place", ["", ".", "..", "/etc/passwd", "../image.png", "images/../../image.png", "a/.."])
def test_no_file_is_put_outside_the_folder(place: str, tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match=f"^record: the path {re.escape(repr(place))} is not within"):
        _within(tmp_path, place)
    assert _within(tmp_path, "images/a.png") == tmp_path / "images" / "a.png"


@pytest.mark.parametrize("place", ["images/a\0.png", "images", "a" * 300])
def test_a_file_that_no_disk_can_have_is_named(place: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    record: Any = SimpleNamespace(sample=7)
    with pytest.raises(SynthharmError, match=f"^sample 7: {re.escape(repr(place))} cannot be written: "):
        _write(Replayed(record, {place: b"data"}, (), ()), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_what_is_no_record_is_named(tmp_path: Path) -> None:
    for name, text, said in (
        ("a.json", "[]", "line 1: a record has the fields"),
        ("b.jsonl", "{", "line 1:"),
        ("c.jsonl", "", "there is no record"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(SynthharmError, match=said):
            list(read_records(tmp_path / name, None))
    with pytest.raises(SynthharmError, match="cannot be read"):
        list(read_records(tmp_path / "missing.json", None))


def test_the_sample_must_be_there(dataset_in: Callable[[str], Path]) -> None:
    with pytest.raises(SynthharmError, match="there is no record of sample 999"):
        list(read_records(dataset_in("png"), 999))
    found = list(read_records(dataset_in("png"), 2))
    assert [record.sample for record in found] == [2]
    assert isinstance(found[0], Record)
