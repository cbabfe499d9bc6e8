"""Fingerprints say the same whoever takes them, survive what photos go through, and read back as they were."""

from __future__ import annotations

import io
import json
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from synthharm.errors import SynthharmError
from synthharm.sources import CocoSource, Index, Select, build_index
from synthharm.sources.fingerprints import Fingerprints, fingerprint_photos, hash_photo
from synthharm.sources.near_duplicates import DISTANCE, components


def photos_of(folder: Path, photos: dict[str, Image.Image | bytes]) -> tuple[CocoSource, Index]:
    """A source of these photos, each with one region, and its index."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number, (name, photo) in enumerate(photos.items()):
        path = folder / "images" / name
        path.write_bytes(photo) if isinstance(photo, bytes) else photo.save(path, quality=90)
        images.append({"id": number, "file_name": name, "width": 9, "height": 9})
        annotations.append({"id": number, "image_id": number, "segmentation": [[0, 0, 5, 0, 5, 5]], "area": 12})
    (folder / "instances.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    source = CocoSource(folder)
    return source, build_index(source, folder / "index", select=Select())


@pytest.fixture(scope="module")
def shipped(bundled: Path) -> list[Image.Image]:
    paths = sorted(path for path in bundled.rglob("*.jpg") if path.is_file())
    assert len(paths) > 3
    return [ImageOps.exif_transpose(Image.open(path)).convert("RGB") for path in paths]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory, shipped: list[Image.Image]) -> tuple[CocoSource, Index]:
    photos: dict[str, Image.Image | bytes] = {f"{n:03d}.png": shipped[n % 4].resize((40, 30)) for n in range(70)}
    photos |= {"005.png": b"GIF, not", "064.png": b"\x89PNG\r\n\x1a\n"}
    return photos_of(tmp_path_factory.mktemp("photos"), photos)


def same(one: Fingerprints, other: Fingerprints) -> bool:
    names = ("sha256", "phash", "mirrored", "usable", "sizes")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_each_photo_has_its_own_line(taken: tuple[CocoSource, Index]) -> None:
    source, index = taken
    found, rejects = fingerprint_photos(source, index)
    assert [(one.name, one.reason) for one in rejects] == [
        ("images/005.png", "not an image"),
        ("images/064.png", "truncated"),
    ]
    assert np.flatnonzero(~found.usable).tolist() == [5, 64]
    for number in (0, 4, 63, 65, 69):
        photo = source.read_photo(index.photo(number))
        upright = Image.fromarray(photo.pixels)
        assert found.sha256[number].decode() == photo.sha256
        assert tuple(found.sizes[number]) == (30, 40)
        for value, image in ((found.phash, upright), (found.mirrored, ImageOps.mirror(upright))):
            assert f"{value[number]:016x}" == str(imagehash.phash(image))
    assert not found.sizes[5].any()
    assert found.sha256[5] == b""


def test_any_number_of_jobs_finds_the_same(taken: tuple[CocoSource, Index]) -> None:
    one, two = (fingerprint_photos(*taken, jobs=jobs) for jobs in (1, 2))
    assert same(one[0], two[0])
    assert one[1] == two[1]
    assert one[0].digest == two[0].digest


def test_what_is_saved_reads_back_and_is_the_same_file(taken: tuple[CocoSource, Index], tmp_path: Path) -> None:
    found, _ = fingerprint_photos(*taken)
    found.save(tmp_path / "a.npz")
    again = Fingerprints.load(tmp_path / "a.npz")
    assert same(found, again)
    again.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


@pytest.mark.parametrize("name", ["sha256", "phash", "mirrored", "usable", "sizes"])
def test_the_digest_takes_everything_in(name: str) -> None:
    arrays = {
        "sha256": np.array([b"a", b"b"], "S64"),
        "phash": np.array([1, 2], np.uint64),
        "mirrored": np.array([3, 4], np.uint64),
        "usable": np.ones(2, np.bool_),
        "sizes": np.ones((2, 2), np.int32),
    }
    before = Fingerprints(**arrays).digest
    arrays[name] = arrays[name].copy()
    arrays[name][1] = arrays[name][0] if name != "usable" else False
    arrays["sizes"] = arrays["sizes"] * (2 if name == "sizes" else 1)
    assert Fingerprints(**arrays).digest != before


def test_damage_is_found(taken: tuple[CocoSource, Index], tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    fingerprint_photos(*taken)[0].save(path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 397):
        path.write_bytes(whole[:place])
        with pytest.raises(SynthharmError, match=r"a\.npz"):
            Fingerprints.load(path)
    for place in range(200, 4000, 331):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(SynthharmError, match=r"a\.npz"):
            Fingerprints.load(path)


def test_another_digest_is_refused(tmp_path: Path) -> None:
    arrays = {"sha256": np.zeros(1, "S64"), "phash": np.zeros(1, "u8"), "mirrored": np.zeros(1, "u8")}
    arrays |= {"usable": np.zeros(1, "?"), "sizes": np.zeros((1, 2), "i4"), "digest": np.array(b"0" * 64)}
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(SynthharmError, match="says digest 0000"):
        Fingerprints.load(tmp_path / "a.npz")


def test_a_wrong_array_is_refused() -> None:
    with pytest.raises(ValueError, match=r"phash is int64 \(1,\); accepted is <u8 \(1,\)"):
        Fingerprints(np.zeros(1, "S64"), *[np.zeros(1, np.int64)] * 2, np.zeros(1, "?"), np.zeros((1, 2), "i4"))


def test_no_jobs_are_refused(taken: tuple[CocoSource, Index]) -> None:
    with pytest.raises(ValueError, match="jobs is 0"):
        fingerprint_photos(*taken, jobs=0)


def recompressed(photo: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality)
    return Image.open(file)


CHANGES = {
    "recompressed": lambda photo: recompressed(photo, 30),
    "half the size": lambda photo: photo.resize((photo.width // 2, photo.height // 2)),
    "stretched": lambda photo: photo.resize((photo.width, int(photo.height * 1.2))),
    "brighter": lambda photo: ImageEnhance.Brightness(photo).enhance(1.2),
    "darker": lambda photo: ImageEnhance.Brightness(photo).enhance(0.7),
    "grey": lambda photo: photo.convert("L").convert("RGB"),
    "mirrored": ImageOps.mirror,
    "mirrored and recompressed": lambda photo: recompressed(ImageOps.mirror(photo), 30),
    "cropped": lambda photo: photo.crop(
        (photo.width // 100, photo.height // 100, photo.width - photo.width // 100, photo.height)
    ),
}


def joined(pixels: list[np.ndarray]) -> list[int]:
    hashes = np.array([hash_photo(one) for one in pixels], np.uint64)
    files = np.array([f"{number:064x}" for number in range(len(pixels))], "S64")
    sizes = np.ones((len(pixels), 2), np.int32)
    every = np.ones(len(pixels), np.bool_)
    return components(Fingerprints(files, *np.ascontiguousarray(hashes.T), every, sizes)).tolist()


@pytest.mark.parametrize("change", list(CHANGES))
def test_changed_photos_are_joined_with_theirs_and_no_other(shipped: list[Image.Image], change: str) -> None:
    both = [np.array(photo) for photo in shipped] + [np.array(CHANGES[change](photo)) for photo in shipped]
    assert joined(both) == [*range(len(shipped))] * 2


@pytest.mark.slow
def test_real_photos_stay_apart_and_frames_together(shared: Path) -> None:
    photos = sorted((shared / "photos/coco/images").iterdir()) + sorted(
        (shared / "photos/lossless_kodak24_500px").glob("*.png")
    )
    frames = sorted((shared / "photos/video_blackswan/JPEGImages").rglob("*.jpg"))
    pixels = [np.array(Image.open(path).convert("RGB")) for path in photos + frames]
    assert len(frames) > 40
    assert joined(pixels) == [*range(len(photos))] + [len(photos)] * len(frames)
    assert DISTANCE == 8


def test_turned_copies_of_a_folder_are_one_photo(shared: Path, tmp_path: Path) -> None:
    names = [f"orientation__landscape_{number}.jpg" for number in (1, 2)]
    content = {name: (shared / "photos/camera_jpegs" / name).read_bytes() for name in names}
    found, rejects = fingerprint_photos(*photos_of(tmp_path / "turned", content))
    assert not rejects
    assert components(found).tolist() == [0, 0]
    assert found.sha256[0] != found.sha256[1]


def test_a_flat_photo_has_a_hash() -> None:
    assert hash_photo(np.zeros((3, 5, 3), np.uint8)) == (0, 0)
    assert hash_photo(np.full((1, 1, 3), 200, np.uint8)) == (1 << 63, 1 << 63)
