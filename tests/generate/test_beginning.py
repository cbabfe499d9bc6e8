"""A run that ends before it has begun leaves the folder free, and one that goes on does so with the same files."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import cv2
import pytest
from small_datasets import tree, write_photos, write_recipe

from synthharm.errors import SynthharmError
from synthharm.generate import Dataset, generate
from synthharm.generate import dataset as module


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")


@pytest.fixture
def recipe(photos: Path, tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "recipe.yaml", photos)


@pytest.mark.parametrize("name", ["sources.json", "plan.json"])
@pytest.mark.parametrize(
    "end", [OSError(errno.ENOSPC, "No space left on device"), SystemExit()], ids=["full", "end"]
)
def test_a_run_that_ends_before_its_plan_is_written_leaves_the_folder_free(
    name: str, end: BaseException, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module.write_atomically

    def fail(path: Path, data: bytes) -> None:
        if path.name == name:
            raise end
        write(path, data)

    monkeypatch.setattr(module, "write_atomically", fail)
    with pytest.raises((SynthharmError, SystemExit)):
        generate(recipe, tmp_path / "dataset")
    monkeypatch.undo()
    (tmp_path / "photos" / "images" / "photo4.png").unlink()  # no sample was made, so any sources will do
    (tmp_path / "photos" / "masks" / "photo4.png").unlink()
    generate(recipe, tmp_path / "dataset")
    generate(recipe, tmp_path / "whole")
    assert tree(tmp_path / "dataset") == tree(tmp_path / "whole")


def test_what_a_stopped_run_left_half_written_is_swept(recipe: Path, tmp_path: Path) -> None:
    """Wherever it lies; what has another name is nobody's to remove."""
    generate(recipe, tmp_path / "whole")
    folder = tmp_path / "dataset"
    generate(recipe, folder, rank=0, world_size=2)
    left = [folder / ".plan.json.7-ab.part", folder / "records" / ".00001.jsonl.7-ab.part"]
    left.append(folder / ".partial" / "staging" / "00001-ab" / "0")
    left[-1].parent.mkdir()
    mine = [folder / "records" / "notes.part", folder / "records" / ".notes"]
    for path in [*left, *mine]:
        path.write_bytes(b"half")
    Dataset(folder).sweep()
    assert [path.exists() for path in [*left, *mine]] == [False, False, False, True, True]
    for path in mine:
        path.unlink()
    for path in left[:2]:
        path.write_bytes(b"half")
    generate(recipe, folder)
    assert tree(folder) == tree(tmp_path / "whole")


def _darken(path: Path) -> None:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    cv2.imwrite(str(path), image // 2)


def _touch(path: Path) -> None:
    os.utime(path, ns=(0, 7))


@pytest.mark.parametrize("change", [_darken, _touch])
@pytest.mark.parametrize("what", ["images/photo1.png", "masks/photo1.png"])
def test_files_that_change_between_two_runs_end_the_second(
    what: str, change: Any, photos: Path, recipe: Path, tmp_path: Path
) -> None:
    generate(recipe, tmp_path / "whole")
    generate(recipe, tmp_path / "dataset", rank=0, world_size=2)
    path = photos / what
    content, status, before = path.read_bytes(), path.stat(), tree(tmp_path / "dataset" / "images")
    change(path)
    for part in ({}, {"rank": 1, "world_size": 2}):
        with pytest.raises(
            SynthharmError, match="photos or masks have other sizes or times of change since; put them"
        ):
            generate(recipe, tmp_path / "dataset", **part)
    assert tree(tmp_path / "dataset" / "images") == before
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    generate(recipe, tmp_path / "dataset")
    assert tree(tmp_path / "dataset") == tree(tmp_path / "whole")


def test_files_that_no_sample_is_made_of_may_come(photos: Path, recipe: Path, tmp_path: Path) -> None:
    generate(recipe, tmp_path / "whole")
    generate(recipe, tmp_path / "dataset", rank=0, world_size=2)
    (photos / "README").write_text("who took these")
    generate(recipe, tmp_path / "dataset")
    assert tree(tmp_path / "dataset") == tree(tmp_path / "whole")
