"""Sources behind an address list, sign and read what they do of a folder on this machine."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from s3_server import upload_folder

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import (
    CocoSource,
    FolderSource,
    IHarmony4Source,
    Index,
    PhotoEntry,
    Select,
    Source,
    build_index,
    load_region,
    read_file,
)
from synthharm.storage import as_path, filesystem

SIZE = (24, 18)  # width and height
SQUARE = [[3, 3, 15, 3, 15, 12, 3, 12]]


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    Image.fromarray(pixels).save(path)


def write_mask(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[3:12, 3:15] = 255
    Image.fromarray(mask).save(path)


def coco(root: Path) -> Any:
    """Three images with sizes, one without, one by its address in a folder, one that is missing."""
    for number in range(4):
        write_image(root / "images" / f"{number}.png", number)
    write_image(root / "images" / "train2017" / "7.png", 7)
    sizes = {"width": SIZE[0], "height": SIZE[1]}
    images: list[dict[str, Any]] = [{"id": n, "file_name": f"{n}.png", **sizes} for n in range(3)]
    images += [{"id": 3, "file_name": "3.png"}, {"id": 7, "coco_url": "http://x.org/a/train2017/7.png", **sizes}]
    images += [{"id": 8, "file_name": "gone.png", **sizes}, {"id": 9, "file_name": "unmeasured.png"}]
    annotations = [
        {"id": 10 + one["id"], "image_id": one["id"], "category_id": 1, "segmentation": SQUARE} for one in images
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "dog"}]}
    (root / "instances.json").write_text(json.dumps(content))
    return CocoSource(root)


def folder(root: Path) -> Any:
    """Photos in subfolders, one without a mask, one hidden, and what is no image."""
    for number, place in enumerate(["a.png", "below/b.png", "below/ü c.png", ".hidden.png", "alone.png"]):
        write_image(root / "images" / place, number)
        if place != "alone.png":
            write_mask(root / "masks" / place)
    (root / "images" / "notes.txt").write_text("no image")
    return FolderSource(root, licence="CC0")


def iharmony4(root: Path) -> Any:
    """Two subsets, one of whose masks is missing, and a photo with another ending."""
    for subset, ending in (("HOne", "jpg"), ("HTwo", "png")):
        for number in range(2):
            write_image(root / subset / "real_images" / f"a{number}.{ending}", number)
            write_mask(root / subset / "masks" / f"a{number}_1.png")
        lines = ["a0_1_1.jpg", "a0_1_2.jpg", "a1_1_1.jpg", "a1_2_1.jpg", "nonsense"]
        (root / subset / f"{subset}_train.txt").write_text("\n".join(lines))
    return IHarmony4Source(root)


KINDS: list[Callable[[Path], Any]] = [coco, folder, iharmony4]


def listed(index: Index) -> tuple[list[Any], list[Any], list[Any]]:
    photos = [index.photo(number) for number in range(index.photos)]
    return photos, [index.region(number) for number in range(index.regions)], index.rejects


def read(source: Source, index: Index, number: int) -> Any:
    try:
        photo, mask = load_region(source, index, number, soft=False)
    except Unusable as error:
        return str(error)
    return photo.key, photo.sha256, photo.pixels.tobytes(), mask.tobytes()


@pytest.mark.parametrize("measure", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_remote_listing_is_the_local_one(kind: Any, measure: bool, tmp_path: Path, s3: str) -> None:
    local = kind(tmp_path / "data")
    upload_folder(tmp_path / "data", f"{s3}/some/data")
    here = build_index(local, tmp_path / "here", select=Select(), measure=measure)
    assert here.regions >= 3
    for data in (f"{s3}/some/data", as_path(f"{s3}/some/data")):
        remote = pickle.loads(pickle.dumps(replace(local, data=data)))
        there = build_index(remote, tmp_path / "there", select=Select(), measure=measure)
        assert listed(there) == listed(here)
        assert there.digest == here.digest
    assert [read(remote, there, n) for n in range(there.regions)] == [
        read(local, here, n) for n in range(here.regions)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stamp_is_that_of_the_listing_until_the_file_changes(kind: Any, tmp_path: Path, s3: str) -> None:
    local = kind(tmp_path / "data")
    source = replace(local, data=upload_folder(tmp_path / "data", f"{s3}/data"))
    index = build_index(source, tmp_path / "index", select=Select())
    signature = source.signature(False)
    assert signature == source.signature(False) != source.signature(True)
    there = [n for n in range(index.photos) if index.photo_stamp(n)]
    assert there
    assert all(index.photo_stamp(n) == source.stamp(index.photo(n).key) for n in there)
    region = next(n for n in range(index.regions) if index.region(n).photo == there[0])
    path = source.data / index.photo(there[0]).key
    before = path.read_bytes()
    path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(SynthharmError, match=r"has changed since it was listed \(was \d+ bytes, marked \w+, is"):
        load_region(source, index, region, soft=False)
    assert source.signature(False) != signature
    path.unlink()
    with pytest.raises(SynthharmError, match="was there when it was listed and is missing now"):
        load_region(source, index, region, soft=False)
    path.write_bytes(before)
    assert load_region(source, index, region, soft=False)
    assert source.signature(False) == signature


def test_keys_are_checked_as_those_of_files(tmp_path: Path, s3: str) -> None:
    root = as_path(f"{s3}/data")
    (root / "a.txt").write_bytes(b"a")
    assert read_file(root, "a.txt") == b"a"
    for key, reason in (
        ("../data/a.txt", "outside"),
        ("/a.txt", "outside"),
        ("b.txt", "missing"),
        ("", "missing"),
    ):
        with pytest.raises(Unusable) as caught:
            read_file(root, key)
        assert (caught.value.name, caught.value.reason) == (key, reason)


def test_names_that_are_no_paths_are_rejected(tmp_path: Path, s3: str) -> None:
    source = folder(tmp_path / "data")
    remote = replace(source, data=upload_folder(tmp_path / "data", f"{s3}/data"))
    system, name = filesystem(remote.data)
    system.call_s3("put_object", Bucket=name.partition("/")[0], Key="data/images/x//y.png", Body=b"")
    index = build_index(remote, tmp_path / "index", select=Select())
    assert ("images/x//y.png", "bad entry") in {(one.name, one.reason) for one in index.rejects}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_said(kind: Any, tmp_path: Path, s3: str) -> None:
    source = replace(kind(tmp_path / "data"), data=f"{s3}/nowhere")
    with pytest.raises(SynthharmError, match=r"synthharm-test/nowhere"):
        build_index(source, tmp_path / "index", select=Select())


def test_a_service_that_fails_is_no_fault_of_a_photo(
    tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path / "data")
    remote = replace(source, data=upload_folder(tmp_path / "data", f"{s3}/data"))
    system, _ = filesystem(remote.data)

    def fail(*_: Any, **__: Any) -> Any:
        raise TimeoutError("no answer")

    monkeypatch.setattr(system, "cat_file", fail)
    with pytest.raises(SynthharmError, match="no answer"):
        remote.read_photo(PhotoEntry("images/a.png"))

    class Broken(io.BytesIO):
        read = fail

    monkeypatch.setattr(system, "open", lambda *_, **__: Broken())
    with pytest.raises(SynthharmError, match="no answer"):
        list(remote.entries(measure=True))
