"""A small splicing dataset for the tests of its formats: all kinds, three splits, two regions in some."""

from __future__ import annotations

from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites import decode_image
from synthharm.composites.encoding import encode_png
from synthharm.files import sha256
from synthharm.writers.forensics.item import About, InMemory, Item, OnDisk, Stored
from synthharm.writers.forensics.record import KINDS, SplicingRecord

SPLITS = ("train", "validation", "test")
SUFFIXES = {4: ".png", 9: ".webp"}  # of these samples' images; all others are JPEG
PASTED = ("splice", "harmonized_splice", "copy_move")
BAND = 3  # pixels on each side of a mask's rim
FOLDERS = {"image": "images", "mask": "masks", "alpha": "alphas", "boundary": "boundaries", "regions": "regions"}

Pixels = NDArray[Any]


def about() -> About:
    """What a format is told of the dataset that `items` makes."""
    recipe = {"name": "small", "samples": 12, "select": {"side": [1, 640]}, "encoding": {"format": "jpeg"}}
    summary = {"samples": 12, "kinds": dict.fromkeys(KINDS, 2), "splits": dict.fromkeys(SPLITS, 4)}
    return About("small", SPLITS, recipe, summary)


def items(count: int = 12, folder: Path | None = None) -> list[Item]:
    """Samples 0 to count - 1; their kinds go round KINDS, so 12 samples have each twice.

    The files are in memory, or in `folder` where the records say that they are.
    """
    return [_item(sample, folder) for sample in range(count)]


def read_all(item: Item) -> dict[str, bytes]:
    """A sample's bytes by role."""
    return {role: stored.read() for role, stored in item.files.items()}


def pixels(item: Item, role: str) -> Pixels:
    """A sample's image or label, decoded."""
    return decode_image(item.files[role].read())


def _item(sample: int, folder: Path | None) -> Item:
    record, data = _made(sample)
    return Item(record, {role: _store(data[role], file["path"], folder) for role, file in record.files.items()})


@cache
def _made(sample: int) -> tuple[SplicingRecord, dict[str, bytes]]:
    kind = KINDS[sample % len(KINDS)]
    height, width = 48 + 7 * (sample % 5), 64 + 5 * (sample % 4)
    regions = _regions(kind, height, width, two=sample >= len(KINDS))
    data = {"image": _image(sample, height, width)}
    if kind != "authentic":
        data |= _labels(kind, regions)
    paths = {role: _path(f"{sample:06d}", role, SUFFIXES.get(sample, ".jpg")) for role in data}
    files = {r: {"path": paths[r], "sha256": sha256(data[r]), "bytes": len(data[r])} for r in data}
    return _record(sample, kind, regions, files), data


def _store(data: bytes, path: str, folder: Path | None) -> Stored:
    if folder is None:
        return InMemory(data)
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return OnDisk(place)


def _path(name: str, role: str, suffix: str) -> str:
    if role.startswith("source_"):
        return f"sources/{name}_{role.removeprefix('source_')}.png"
    return f"{FOLDERS[role]}/{name}{suffix if role == 'image' else '.png'}"


def _image(sample: int, height: int, width: int) -> bytes:
    noise = np.random.default_rng(sample).integers(0, 256, (height, width, 3), np.uint8)
    suffix = SUFFIXES.get(sample, ".jpg")
    settings = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 70 + sample], ".webp": [cv2.IMWRITE_WEBP_QUALITY, 80]}
    done, data = cv2.imencode(suffix, cv2.GaussianBlur(noise, (0, 0), 3), settings.get(suffix, []))
    assert done
    return data.tobytes()


def _regions(kind: str, height: int, width: int, two: bool) -> Pixels:
    """The region map: a ring around a hole, and where there are two, a box at the edge of the image."""
    regions = np.zeros((height, width), np.uint8)
    if kind == "authentic":
        return regions
    cv2.ellipse(regions, (width // 3, height // 2), (13 + KINDS.index(kind), 11), 20, 0, 360, 1, -1)
    cv2.circle(regions, (width // 3, height // 2), 3, 0, -1)
    if two and kind in PASTED:
        regions[height - 9 :, width - 17 :] = 2
    return regions


def _labels(kind: str, regions: Pixels) -> dict[str, bytes]:
    mask = (regions > 0).astype(np.uint8) * 255
    kernel = np.ones((2 * BAND + 1, 2 * BAND + 1), np.uint8)
    band = cv2.dilate(mask, kernel) - cv2.erode(mask, kernel)
    labels = {"mask": mask, "alpha": cv2.GaussianBlur(mask, (5, 5), 0), "boundary": band, "regions": regions}
    if kind in PASTED:
        labels |= {f"source_{i}": _source(kind, regions, i) for i in range(1, int(regions.max()) + 1)}
    return {role: encode_png(label) for role, label in labels.items()}


def _source(kind: str, regions: Pixels, number: int) -> Pixels:
    mask = (regions == number).astype(np.uint8) * 255
    if kind == "copy_move":
        return np.roll(mask, -5, axis=1)
    return np.pad(mask, ((4, 3), (2, 9)))  # the donor's photo has a size of its own


def _record(sample: int, kind: str, regions: Pixels, files: dict[str, Any]) -> SplicingRecord:
    height, width = regions.shape
    area, count = int((regions > 0).sum()), int(regions.max())
    foreign = kind in ("splice", "harmonized_splice")
    photos = [_photo(f"photos/{sample}.jpg", height, width)]
    photos += [_photo(f"photos/donor {sample}_{i} ä.jpg", height + 7, width + 11) for i in range(count) if foreign]
    suffix = PurePosixPath(files["image"]["path"]).suffix
    return SplicingRecord(
        sample=sample,
        kind=kind,
        split=SPLITS[(sample + sample // len(KINDS)) % len(SPLITS)],
        seed=2**63 - 1 - sample * 7919,
        unit={
            "number": sample,
            "attempt": 0,
            "type": "single",
            "role": None,
            "factor": None,
            "value": None,
            "history": "none",
        },
        photos=photos,
        edits=[_edit(kind, i + 1) for i in range(count)],
        history=[{"step": "blur", "sigma": 1 / 3}, _save(suffix, sample)],
        regions=[_region(regions, i, i if foreign else 0) for i in range(1, count + 1)],
        image={"width": width, "height": height, "area": area, "share": area / regions.size, "boundary": BAND},
        measured={"foreground_mse": 100 / (sample + 3), "changed": 0.875, "outside": 0.0},
        licence={"name": "CC-BY-4.0" if sample % 2 else "CC0-1.0", "attribution": [f"{photos[0]['photo']}: Zoë"]},
        files=files,
        versions={"numpy": "2.0.0", "opencv": "5.0.0"},
    )


def _photo(key: str, height: int, width: int) -> dict[str, Any]:
    size = {"width": width, "height": height}
    owner = {"licence": "CC0-1.0", "attribution": "Zoë"}
    return (
        {"photo": key, "sha256": sha256(key.encode())}
        | size
        | owner
        | {"encoding": {"format": "jpeg", "quality": 92}}
    )


def _edit(kind: str, number: int) -> dict[str, Any]:
    region = {
        "photo": number if "splice" in kind else 0,
        "id": f"r{number}",
        "mask": f"#{number}",
        "category": "dog",
    }
    edit = {"retouch": "retouch", "removal": "removal"}.get(kind, "paste")
    return {"edit": edit, "region": region}


def _save(suffix: str, sample: int) -> dict[str, Any]:
    if suffix == ".png":
        return {"step": "png", "compression": 1}
    if suffix == ".webp":
        return {"step": "webp", "quality": 80}
    return {"step": "jpeg", "quality": 70 + sample, "tables": None, "subsampling": "4:2:0", "name": None}


def _region(regions: Pixels, number: int, photo: int) -> dict[str, Any]:
    inside = regions == number
    (left, right), (top, bottom) = (_extent(inside.any(axis)) for axis in (0, 1))
    return {
        "id": number,
        "category": ("dog", None)[number - 1],
        "photo": photo,
        "region": f"r{number}",
        "area": int(inside.sum()),
        "share": float(inside.mean()),
        "box": [left, top, right - left, bottom - top],
    }


def _extent(occupied: Pixels) -> tuple[int, int]:
    (where,) = np.nonzero(occupied)
    return int(where[0]), int(where[-1]) + 1
