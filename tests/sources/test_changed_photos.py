"""A run reads what was listed: a photo or mask stops it that has changed since, that is gone, or that is new."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_remote_sources import KINDS, coco, folder, iharmony4

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import Index, Select, Source, build_index, file_stamps, load_region, read_listed


def listed(kind: Any, root: Path, measure: bool = False) -> tuple[Source, Index]:
    source = kind(root / "data")
    return source, build_index(source, root / "index", select=Select(), measure=measure)


@pytest.mark.parametrize("kind", KINDS)
def test_every_photo_that_is_there_has_its_stamp(kind: Any, tmp_path: Path) -> None:
    source, index = listed(kind, tmp_path)
    stamps = source.stamps()
    assert stamps is not None
    for number in range(index.photos):
        photo = index.photo(number)
        there = (tmp_path / "data" / photo.key).is_file()
        assert bool(index.photo_stamp(number)) == there
        assert stamps.get(photo.key, "") == index.photo_stamp(number) == (source.stamp(photo.key) or "")
    for number in range(index.regions):
        mask = index.region(number).mask
        there = source.mask_files and (tmp_path / "data" / mask).is_file()
        assert bool(index.mask_stamp(number)) == there
        assert index.mask_stamp(number) == (stamps.get(mask, "") if source.mask_files else "")


@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_stamps_are_no_part_of_the_digest(kind: Any, measure: bool, tmp_path: Path) -> None:
    source, index = listed(kind, tmp_path, measure)
    os.utime(tmp_path / "data" / index.photo(0).key, ns=(0, 7))
    again = build_index(source, tmp_path / "again", select=Select(), measure=measure)
    assert again.digest == index.digest
    assert again.photo_stamp(0) != index.photo_stamp(0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_photo_is_refused(kind: Any, tmp_path: Path) -> None:
    source, index = listed(kind, tmp_path)
    path = tmp_path / "data" / index.photo(0).key
    status, content = path.stat(), path.read_bytes()
    path.write_bytes(content + b"\0")
    said = (
        rf"source: {index.photo(0).key} has changed .*\(was {len(content)} bytes, .*, is {len(content) + 1} bytes"
    )
    with pytest.raises(SynthharmError, match=said):
        read_listed(source, index, 0)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(SynthharmError, match="has changed"):
        read_listed(source, index, 0)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read_listed(source, index, 0).key == index.photo(0).key


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_that_is_gone_stops_and_one_that_never_was_is_rejected(kind: Any, tmp_path: Path) -> None:
    source, index = listed(kind, tmp_path)
    key = index.photo(0).key
    (tmp_path / "data" / key).unlink()
    with pytest.raises(SynthharmError, match=f"{key} was there when it was listed and is missing now"):
        read_listed(source, index, 0)
    if kind is folder:  # which lists what is there
        return
    index = build_index(source, tmp_path / "without", select=Select())
    gone = [number for number in range(index.photos) if not index.photo_stamp(number)]
    assert gone
    for number in gone:
        with pytest.raises(Unusable, match="missing"):
            read_listed(source, index, number)
    there = next(number for number in range(index.photos) if number not in gone)
    shutil.copy(tmp_path / "data" / index.photo(there).key, tmp_path / "data" / index.photo(gone[0]).key)
    with pytest.raises(SynthharmError, match="was missing when it was listed and is there now"):
        read_listed(source, index, gone[0])


@pytest.mark.parametrize("kind", [folder, iharmony4])
def test_a_changed_mask_is_refused(kind: Any, tmp_path: Path) -> None:
    source, index = listed(kind, tmp_path)
    path = tmp_path / "data" / index.region(0).mask
    status, content = path.stat(), path.read_bytes()
    load_region(source, index, 0, soft=False)
    path.write_bytes(content + b"\0")
    with pytest.raises(SynthharmError, match=f"source: {index.region(0).mask} has changed since it was listed"):
        load_region(source, index, 0, soft=False)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    load_region(source, index, 0, soft=False)


def test_a_mask_that_was_listed_and_is_gone_stops(tmp_path: Path) -> None:
    source, index = listed(folder, tmp_path)
    (tmp_path / "data" / index.region(0).mask).unlink()
    with pytest.raises(SynthharmError, match=f"{index.region(0).mask} was there when it was listed"):
        load_region(source, index, 0, soft=False)


def test_a_mask_that_may_never_have_been_there_is_rejected(tmp_path: Path) -> None:
    source, index = listed(iharmony4, tmp_path)
    gone = [n for n in range(index.regions) if index.region(n).id == "2"]
    assert gone
    for number in gone:
        with pytest.raises(Unusable, match="missing"):
            load_region(source, index, number, soft=False)
    mask = index.region(gone[0]).mask
    shutil.copy(tmp_path / "data" / index.region(0).mask, tmp_path / "data" / mask)
    with pytest.raises(SynthharmError, match=f"{mask} was missing when it was listed and is there now"):
        load_region(source, index, gone[0], soft=False)
    data = tmp_path / "other"
    other = folder(data)
    (data / "masks" / "a.png").unlink()
    (data / "masks" / "a.png").symlink_to(data / "masks" / "nothing.png")
    index = build_index(other, tmp_path / "links", select=Select())
    assert index.region(0).mask == "masks/a.png"
    with pytest.raises(Unusable, match="missing"):
        load_region(other, index, 0, soft=False)


def touched(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def test_a_signature_is_of_all_that_a_listing_depends_on(tmp_path: Path) -> None:
    root = tmp_path / "data"
    source = coco(root)
    first = source.signature(False)
    assert coco(tmp_path / "elsewhere" / "data").signature(False) != first  # other times of change
    touched(root / "instances.json")  # whose content counts
    assert source.signature(False) == first == replace(source).signature(False)
    others = [replace(source, crowds=True).signature(False), source.signature(True)]
    touched(root / "images" / "0.png")
    others.append(source.signature(False))
    text = (root / "instances.json").read_text()
    (root / "instances.json").write_text(text.replace("dog", "cat"))
    others.append(source.signature(False))
    assert len({first, *others}) == 5


def test_a_signature_looks_at_masks_that_are_files(tmp_path: Path) -> None:
    found = []
    for kind, mask in ((folder, "masks/a.png"), (iharmony4, "HOne/masks/a0_1.png")):
        source = kind(tmp_path / kind.__name__)
        before = source.signature(True)
        touched(tmp_path / kind.__name__ / mask)
        found.append(before != source.signature(True))
    assert found == [True, True]


def test_a_signature_looks_at_lists(tmp_path: Path) -> None:
    source = iharmony4(tmp_path)
    before = source.signature(False)
    with (tmp_path / "HOne" / "HOne_train.txt").open("a") as file:
        file.write("\na1_3_1.jpg")
    assert source.signature(False) != before


def test_links_are_followed_by_stamps_and_rings_are_left(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"12")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "below").symlink_to(tmp_path / "real")
    (tmp_path / "images" / "again").symlink_to(tmp_path / "real")
    (tmp_path / "images" / "ring").symlink_to(tmp_path / "images")
    (tmp_path / "images" / "lost.png").symlink_to(tmp_path / "nothing")
    found = file_stamps(tmp_path, "images")
    assert sorted(found) == ["images/again/a.png", "images/below/a.png"]
    assert sorted(file_stamps(tmp_path, ".")) == ["images/again/a.png", "images/below/a.png", "real/a.png"]
    assert file_stamps(tmp_path, "nowhere") == {}
