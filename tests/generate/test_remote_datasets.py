"""A dataset behind an address is checked, replayed and converted as one on this machine is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from s3_server import upload_folder
from small_datasets import tree
from splicing_datasets import Made, recipe_of, samples_of

from synthharm.errors import SynthharmError
from synthharm.files import all_files
from synthharm.generate import check_dataset
from synthharm.generate.replaying import replay_all
from synthharm.generate.splicing.converting import convert_dataset
from synthharm.storage import as_path


@pytest.fixture
def small(splicing: Made) -> Path:
    changes = {"samples": 6, "shard": 4, "families": 0.0, "grids": None, "writers": [{"format": "webdataset"}]}
    return splicing.made("small_remote", recipe_of(splicing.source, **changes))


def test_a_harmonization_dataset_is_checked_and_replayed(
    s3: str, dataset_in: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = dataset_in("png")
    remote = upload_folder(folder, f"{s3}/small")
    assert list(check_dataset(f"{s3}/small")) == []
    made = list(replay_all(f"{s3}/small", str(folder.parent / "photos"), sample=3, output=tmp_path))
    assert [one.differences for one in made] == [()]
    assert all((tmp_path / path).read_bytes() == data for path, data in made[0].files.items())
    path = made[0].record.files["mask"]["path"]
    (remote / path).write_bytes(b"other")
    (remote / "more.txt").write_bytes(b"more")
    assert set(check_dataset(f"{s3}/small")) >= {
        f"{path}: its sha256 is not the one in SHA256SUMS",
        "more.txt: is not listed in SHA256SUMS",
    }


def test_a_splicing_dataset_is_checked_and_replayed(s3: str, small: Path, splicing: Made) -> None:
    upload_folder(small, f"{s3}/spliced")
    assert list(check_dataset(f"{s3}/spliced")) == []
    (one,) = replay_all(f"{s3}/spliced", str(splicing.source), sample=samples_of(small)[2].sample)
    assert one.differences == ()


@pytest.mark.parametrize("name", ["huggingface", "coco"])
def test_converting_gives_the_same_bytes_wherever_they_lie(
    s3: str, small: Path, tmp_path: Path, name: str
) -> None:
    upload_folder(small, f"{s3}/spliced")
    assert convert_dataset(small, name, tmp_path / "here") == 6
    expected = tree(tmp_path / "here")
    assert convert_dataset(f"{s3}/spliced", name, tmp_path / "there") == 6
    assert tree(tmp_path / "there") == expected
    assert convert_dataset(f"{s3}/spliced", name, f"{s3}/converted") == 6
    assert all_files(as_path(f"{s3}/converted")) == sorted(expected)
    assert convert_dataset(f"{s3}/converted", "folder", tmp_path / "back") == 6
    assert convert_dataset(small, "folder", tmp_path / "expected") == 6
    assert tree(tmp_path / "back") == tree(tmp_path / "expected")
    with pytest.raises(SynthharmError, match="is not empty"):
        convert_dataset(small, name, f"{s3}/converted")


def test_a_damaged_file_is_not_converted_and_nothing_is_left(s3: str, small: Path, tmp_path: Path) -> None:
    remote = upload_folder(small, f"{s3}/spliced")
    (remote / samples_of(small)[0].files["image"]["path"]).write_bytes(b"other")
    with pytest.raises(SynthharmError, match="is not the image that the record of sample"):
        convert_dataset(f"{s3}/spliced", "catnet", f"{s3}/converted")
    assert all_files(as_path(f"{s3}/converted")) == []
