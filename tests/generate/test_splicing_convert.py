"""From the dataset as it was generated to any format, and from that to any other: the same images and records."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from small_datasets import tree, write_photos, write_recipe
from splicing_datasets import Made, plain_recipe_of, samples_of

from synthharm.errors import SynthharmError
from synthharm.files import sha256
from synthharm.generate import generate
from synthharm.generate.splicing.converting import convert_dataset
from synthharm.writers.forensics.export import detect_format
from synthharm.writers.forensics.formats import FORMATS, find_format

NAMES = [name for name in FORMATS if name != "records"]  # which holds no pixels


@pytest.fixture(scope="session")
def original(splicing: Made) -> Path:
    """Three samples of an image, a splice and a copy."""
    changes = {"samples": 3, "kinds": {"authentic": 0.34, "splice": 0.33, "copy_move": 0.33}}
    return splicing.made("three", plain_recipe_of(splicing.source, **changes))


def check_same(folder: Path, original: Path) -> None:
    """Every record as it was, and all bytes of images and labels."""
    found = list(find_format(detect_format(folder), folder).read(folder))
    assert [item.record for item in found] == samples_of(original)
    for item in found:
        assert item.files.keys() == item.record.files.keys()
        for role, file in item.record.files.items():
            assert sha256(item.files[role].read()) == file["sha256"], role


@pytest.mark.parametrize("place", range(len(NAMES)))
def test_images_and_labels_go_through_two_formats(original: Path, tmp_path: Path, place: int) -> None:
    one, other = NAMES[place], NAMES[(place + 3) % len(NAMES)]
    before = tree(original)
    assert convert_dataset(original, one, tmp_path / "one") == 3
    check_same(tmp_path / "one", original)
    assert convert_dataset(tmp_path / "one", other, tmp_path / "other") == 3
    check_same(tmp_path / "other", original)
    assert tree(original) == before


@pytest.mark.parametrize("name", ["coco", "huggingface"])
def test_a_format_beside_the_dataset_is_what_converting_gives(splicing: Made, tmp_path: Path, name: str) -> None:
    convert_dataset(splicing.full(), name, tmp_path / name)
    assert tree(tmp_path / name) == tree(splicing.full() / "formats" / name)


def test_what_cannot_be_converted_is_refused(original: Path, tmp_path: Path) -> None:
    generate(write_recipe(tmp_path / "a.yaml", write_photos(tmp_path / "photos"), samples=1), tmp_path / "other")
    with pytest.raises(SynthharmError, match="is a harmonization dataset; splicing datasets can be converted"):
        convert_dataset(tmp_path / "other", "coco", tmp_path / "new")
    copy = shutil.copytree(original, tmp_path / "copy")
    with pytest.raises(SynthharmError, match=f"format is 'voc'; accepted are {', '.join(FORMATS)}"):
        convert_dataset(copy, "voc", tmp_path / "new")
    with pytest.raises(SynthharmError, match="is not empty"):
        convert_dataset(copy, "coco", tmp_path / "photos")
    with pytest.raises(SynthharmError, match=r"format\.json: is not there"):
        convert_dataset(tmp_path / "photos", "coco", tmp_path / "new")
    for content in (b"", b"[]", b"{}", b'{"samples": "many"}', b'{"samples": null}'):
        (copy / "dataset.json").write_bytes(content)
        with pytest.raises(SynthharmError, match=r"dataset\.json: cannot be read"):
            convert_dataset(copy, "coco", tmp_path / "new")
    (copy / "SHA256SUMS").unlink()
    with pytest.raises(SynthharmError, match="is not finished: SHA256SUMS is missing"):
        convert_dataset(copy, "coco", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("role", ["image", "mask"])
def test_a_damaged_dataset_is_not_converted(original: Path, tmp_path: Path, role: str) -> None:
    copy = shutil.copytree(original, tmp_path / "copy")
    path = copy / samples_of(copy)[-1].files["image"]["path"]
    if role == "mask":
        path = next(copy / one.files["mask"]["path"] for one in samples_of(copy) if one.manipulated)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(SynthharmError, match=path.name):
        convert_dataset(copy, "huggingface", tmp_path / "new")
    path.unlink()
    with pytest.raises(SynthharmError, match=path.name):
        convert_dataset(copy, "folder", tmp_path / "new")
    assert not (tmp_path / "new").exists()
