"""What a run would make is told before, and nothing is written for it but the index of the sources."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from command_endings import ended
from small_datasets import SIDE, tree, write_photos, write_recipe
from splicing_datasets import Made, plain_recipe_of, samples_of
from typer.testing import CliRunner

from synthharm.cli import app
from synthharm.errors import SynthharmError
from synthharm.generate import generate
from synthharm.generate.dataset import Dataset
from synthharm.generate.estimate import Estimate, estimate


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("photos"))


def _files_of_samples(folder: Path) -> dict[str, int]:
    return {one["path"]: one["bytes"] for record in Dataset(folder).records() for one in record.files.values()}


LAYOUTS: dict[str, dict[str, Any]] = {
    "folder": {},
    "iharmony4": {
        "writer": {"format": "iharmony4"},
        "encoding": {"format": "jpeg"},
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_numbers_are_those_of_a_run(photos: Path, tmp_path: Path, layout: str) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", photos, samples=20, shard=6, **LAYOUTS[layout])
    start = time.perf_counter()
    found = estimate(recipe, tmp_path / "dataset")
    passed = time.perf_counter() - start
    generate(recipe, tmp_path / "dataset")
    files = _files_of_samples(tmp_path / "dataset")
    assert found.files == len(files)
    assert found.bytes == pytest.approx(sum(files.values()), rel=0.2)
    assert (found.samples, found.shards) == (20, 4)
    assert 0 < found.measured <= 20
    assert 0 < found.seconds * found.measured < passed
    assert found.rejects == {}
    assert found.free is not None


def test_where_samples_use_some_regions_alone_the_files_are_about_right(photos: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", photos, samples=3)
    found = estimate(recipe, tmp_path / "dataset")
    generate(recipe, tmp_path / "dataset")
    assert found.files == len(_files_of_samples(tmp_path / "dataset")) == 9


@pytest.mark.slow
def test_the_numbers_of_a_splicing_recipe_are_those_of_a_run(splicing: Made, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    document = plain_recipe_of(splicing.source)
    recipe.write_text(yaml.safe_dump(document | {"writers": [{"format": "coco"}]}))
    assert estimate(recipe, tmp_path / "dataset").formats == ("coco",)
    recipe.write_text(yaml.safe_dump(document))
    found = estimate(recipe, tmp_path / "dataset")
    assert found.formats == ()
    generate(recipe, tmp_path / "dataset")
    files = [one for record in samples_of(tmp_path / "dataset") for one in record.files.values()]
    assert found.files == pytest.approx(len(files), rel=0.2)
    assert found.bytes == pytest.approx(sum(one["bytes"] for one in files), rel=0.2)


def test_only_the_index_is_written(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    recipe = write_recipe(tmp_path / "recipe.yaml", photos)
    sources = tree(photos)
    estimate(recipe, tmp_path / "below" / "dataset")
    names = {path.partition("/.synthharm/")[0] for path in tree(tmp_path)}
    assert names == {"thesis.tex", "recipe.yaml", "below"}
    assert not (tmp_path / "below" / "dataset").exists()
    assert tree(photos) == sources


def test_a_dataset_begun_is_left_as_it_is(photos: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", photos)
    generate(recipe, tmp_path / "dataset", rank=0, world_size=2)
    before = tree(tmp_path)
    whole, rest = estimate(recipe, tmp_path / "new"), estimate(recipe, tmp_path / "dataset")
    assert tree(tmp_path) == before
    assert (whole.left, rest.left) == (12, 6)
    assert rest.bytes == pytest.approx(whole.bytes / 2, abs=1)
    assert rest.files == pytest.approx(whole.files / 2, abs=1)
    assert rest.lines(1)[0] == f"12 samples in 4 shards, of which 6 are left to be made, about {rest.files} files"


def test_of_what_is_made_nothing_is_left(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", photos)
    generate(recipe, tmp_path / "dataset")
    monkeypatch.setattr("synthharm.generate.estimate.open_maker", lambda *_: pytest.fail("nothing is to be made"))
    found = estimate(recipe, tmp_path / "dataset")
    assert (found.left, found.bytes, found.files, found.measured) == (0, 0, 0, 0)
    assert found.lines(1) == ["12 samples in 4 shards: all are made"]


def test_no_sample_that_could_be_made_is_an_error(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", count=2)
    for path in (photos / "masks").iterdir():
        cv2.imwrite(str(path), np.zeros((SIDE, SIDE), np.uint8))
    recipe = write_recipe(tmp_path / "recipe.yaml", photos, samples=2)
    with pytest.raises(SynthharmError, match=r"no sample could be made to measure by; rejected: \d+ "):
        estimate(recipe, tmp_path / "dataset")


def _example(**changes: Any) -> Estimate:
    known = {
        "samples": 1000,
        "shards": 4,
        "left": 1000,
        "planning": 0.2,
        "measured": 64,
        "seconds": 0.05,
        "bytes": 3_000_000_000,
    }
    more = {"files": 2100, "formats": (), "rejects": {}, "free": 5_000_000_000}
    return Estimate(**{**known, **more, **changes})


def test_what_is_said_of_it() -> None:
    assert _example().lines(2) == [
        "1000 samples in 4 shards, about 2100 files",
        "about 3.0 GB; 5.0 GB are free there",
        "about 25 s with 2 jobs, before the finishing; listing the sources took 0 s",
        "measured on 64 samples: 50 ms each",
    ]
    lines = _example(free=2_900_000_000, rejects={"truncated": 3}).lines(1)
    assert lines[2].startswith("about 50 s with 1 job, ")
    assert lines[4:] == ["warning: that is more than is free there", "rejected while measuring: 3 truncated"]
    assert _example(free=None).lines(1)[1] == "about 3.0 GB"
    rest = _example(left=250).lines(2)
    assert rest[0] == "1000 samples in 4 shards, of which 250 are left to be made, about 2100 files"
    assert rest[2].startswith("about 6 s with 2 jobs, ")
    assert _example().lines(2, 5)[2].startswith("about 5 s with 2 jobs in each of 5 ranks, before the finishing; ")


@pytest.mark.parametrize(
    ("formats", "free", "said"),
    [
        (("coco", "catnet"), 5, "coco, catnet; files are links where the disk has them"),
        (
            ("coco", "webdataset"),
            5,
            "coco, webdataset; files are links where the disk has them, but webdataset hold copies",
        ),
        (
            ("coco",),
            None,
            "coco; each is a copy, written whole into the temporary folder of the machine that finishes, "
            "then sent",
        ),
    ],
)
def test_formats_are_named_as_not_counted(formats: tuple[str, ...], free: int | None, said: str) -> None:
    assert _example(formats=formats, free=free).lines(1)[4] == f"not counted: the formats {said}"


@pytest.mark.parametrize("number", [0, -2])
def test_fewer_than_one_who_works_is_refused(photos: Path, tmp_path: Path, number: int) -> None:
    with pytest.raises(SynthharmError, match=f"^jobs is {number}; 1 or more is accepted"):
        _example().lines(number)
    with pytest.raises(SynthharmError, match=f"^world_size is {number}; 1 or more is accepted"):
        _example().lines(1, number)
    recipe = write_recipe(tmp_path / "recipe.yaml", photos)
    with pytest.raises(SynthharmError, match=f"^jobs is {number}; 1 or more is accepted"):
        estimate(recipe, tmp_path / "dataset", jobs=number)


def test_where_no_dataset_can_be_made_nothing_is_measured(photos: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", photos)
    with pytest.raises(SynthharmError, match=r"^http://127.0.0.1:9/dataset: nothing can be made behind http://"):
        estimate(recipe, "http://127.0.0.1:9/dataset")


def test_the_command_says_it_and_warns(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", photos)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 1))  # type: ignore[attr-defined]
    arguments = ["generate", str(recipe), "--output", str(tmp_path / "dataset"), "--dry-run"]
    result = CliRunner().invoke(app, [*arguments, "--jobs", "3"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "12 samples in 4 shards, about 29 files"
    assert lines[1].endswith("; 1 B are free there")
    assert "with 3 jobs" in lines[2]
    assert lines[4] == "warning: that is more than is free there"
    assert len(lines) == 5
    assert not (tmp_path / "dataset").exists()
    assert "data" in ended(CliRunner().invoke(app, [*arguments, "--set", "data=nowhere"]))
