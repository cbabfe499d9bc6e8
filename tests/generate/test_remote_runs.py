"""A dataset that is made behind an address has the bytes of one on this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml
from joblib.externals.loky import get_reusable_executor
from s3_server import upload_folder
from small_datasets import tree, write_photos, write_recipe
from splicing_datasets import Made, recipe_of

from synthharm.errors import SynthharmError
from synthharm.files import all_files, remove_folder
from synthharm.generate import generate
from synthharm.generate.dataset import Dataset
from synthharm.generate.estimate import estimate
from synthharm.generate.run import Stopped
from synthharm.generate.running.part import Part
from synthharm.generate.running.status import read_status
from synthharm.generate.running.stopping import Stop
from synthharm.generate.running.watch import MAKING, State
from synthharm.generate.shard import _Outbox
from synthharm.recipe import load_recipe
from synthharm.storage import as_path


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = write_photos(tmp_path_factory.mktemp("photos"))
    return write_recipe(photos / "recipe.yaml", photos)


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes that are fetched go below it."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)


def _tree(address: str) -> dict[str, str]:
    folder = as_path(address)
    return {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in all_files(folder)}


def test_it_has_the_same_bytes(s3: str, recipe: Path, expected: dict[str, str]) -> None:
    summary = generate(recipe, f"{s3}/made/dataset")
    assert (summary.missing, summary.continued) == (0, 0)
    assert _tree(f"{s3}/made/dataset") == expected
    assert read_status(f"{s3}/made/dataset").as_json()["numbers"]["samples"] == 12
    assert generate(recipe, f"{s3}/made/dataset").continued == 4


def test_stopped_it_goes_on(s3: str, recipe: Path, expected: dict[str, str]) -> None:
    stop, where = Stop(), f"{s3}/made/dataset"
    seen: list[Any] = []

    class Asking:
        def show(self, state: State) -> None:
            if state.phase == MAKING and state.shards_done == 2:
                stop.requested = True
                seen.append(read_status(where))

        def close(self) -> None:
            pass

    with pytest.raises(Stopped, match="stopped: 6 of 12 samples are in s3://"):
        generate(recipe, where, stop=stop, views=[Asking()])
    assert (seen[0].working, seen[0].shards) == (("run",), 2)
    found = read_status(where)
    assert (found.working, found.shards, found.runs[0].phase) == ((), 2, "stopped")
    with (
        Dataset(as_path(where)).claimed(load_recipe(recipe), Part(0, 2)),
        pytest.raises(SynthharmError, match=r"another run is writing into s3://.*: rank-00000, by process"),
    ):
        generate(recipe, where)
    assert generate(recipe, where).continued == 2
    assert _tree(where) == expected


def test_the_last_rank_finishes_it(s3: str, recipe: Path, expected: dict[str, str]) -> None:
    where = f"{s3}/made/dataset"
    assert generate(recipe, where, rank=1, world_size=2).left == 2
    assert generate(recipe, where, rank=0, world_size=2).missing == 0
    assert _tree(where) == expected


def test_files_are_sent_before_too_many_wait() -> None:
    dataset = Dataset(as_path(f"memory://outbox/{token_hex(8)}"))
    outbox, sent = _Outbox(dataset, 0), list[int]()
    for number, size in enumerate((12 << 20, 12 << 20, 12 << 20, 1)):
        outbox.add(f"images/{number}.png", bytes(size))
        outbox.add(f"images/{number}.png", b"the same")
        sent.append(len(all_files(dataset.folder)))
    assert sent == [0, 0, 3, 3]
    outbox.send()
    assert all_files(dataset.folder) == [f"images/{number}.png" for number in range(4)]
    assert (dataset.folder / "images" / "3.png").read_bytes() == bytes(1)


def test_a_shard_that_fails_says_why_though_its_folder_is_gone(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path)
    (dataset.work / "staging").mkdir(parents=True)
    outbox = _Outbox(dataset, 0)
    outbox.add("images/0.png", b"data")
    remove_folder(dataset.work)
    outbox.close()
    assert all_files(tmp_path) == []


def test_other_files_are_not_mixed_with(s3: str, recipe: Path) -> None:
    (as_path(s3) / "thesis" / "thesis.tex").write_bytes(b"precious")
    with pytest.raises(SynthharmError, match="not a dataset"):
        generate(recipe, f"{s3}/thesis")
    assert all_files(as_path(s3)) == ["thesis/thesis.tex"]


def test_an_estimate_writes_the_index_alone(s3: str, recipe: Path) -> None:
    found = estimate(recipe, f"{s3}/made/dataset")
    assert (found.free, found.files) == (None, 29)
    assert {path.split("/")[1] for path in all_files(as_path(s3))} == {".synthharm"}


@pytest.mark.slow
def test_two_jobs_read_from_an_address_and_write_to_one(
    s3: str, recipe: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    upload_folder(recipe.parent, f"{s3}/photos")
    get_reusable_executor().shutdown()  # workers that another test left have its environment
    generate(recipe, f"{s3}/made/dataset", jobs=2, overrides=[f"data={s3}/photos"])
    assert _tree(f"{s3}/made/dataset") == expected


@pytest.mark.slow
def test_a_splicing_dataset_has_the_same_bytes(s3: str, splicing: Made, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    changes = {"samples": 6, "shard": 4, "families": 0.0, "grids": None, "writers": [{"format": "imagefolder"}]}
    path.write_text(yaml.safe_dump(recipe_of(splicing.source, **changes)))
    generate(path, tmp_path / "here")
    generate(path, f"{s3}/made/there")
    assert _tree(f"{s3}/made/there") == tree(tmp_path / "here")
