"""The format `coco`: instances as pycocotools reads them, one annotation for each manipulated region.

An image's id is its sample's number. Categories are the kinds of manipulation; what the region shows is the
annotation's `object`. Segmentations are compressed run lengths of the region's pixels in the region map.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from synthharm.errors import SynthharmError
from synthharm.files import atomic_file
from synthharm.writers.forensics.folder import canonical_path
from synthharm.writers.forensics.item import About, Item, Items
from synthharm.writers.forensics.listed import (
    check_splits,
    decode_label,
    extra,
    json_array,
    read_items,
    suffix,
    write_items,
)
from synthharm.writers.forensics.record import KINDS, SplicingRecord

CATEGORIES = {kind: number for number, kind in enumerate(KINDS) if kind != "authentic"}  # "retouch" is 1


@dataclass(frozen=True)
class CocoFormat:
    """Images in images/, masks in masks/, and annotations/instances_<split>.json."""

    name: str = "coco"

    def write(self, items: Items, folder: Path, about: About) -> None:
        """See `Format`."""
        check_splits(about.splits)
        numbers = count(1)  # pycocotools' scores take an annotation's number 0 for none
        with ExitStack() as stack:
            notes = {
                split: stack.enter_context(_instances(folder / _list(split), about.name, numbers))
                for split in about.splits
            }
            write_items(items, folder, about.splits, _place, lambda item: notes[item.record.split](item))

    def read(self, folder: Path) -> Iterator[Item]:
        """See `Format`."""
        return read_items(folder, self.name, _place, lambda split: [_list(split)])


def _list(split: str) -> str:
    return f"annotations/instances_{split}.json"


def _place(record: SplicingRecord, role: str) -> str:
    if role in ("image", "mask"):
        return canonical_path(record.name, role, suffix(record, role))
    return extra(record, role)


@contextmanager
def _instances(path: Path, name: str, numbers: Iterator[int]) -> Iterator[Callable[[Item], None]]:
    """Write a split's file, one call a sample. Annotations wait in a file of their own until all images are in."""
    licences: dict[str, int] = {}
    with atomic_file(path) as file, TemporaryFile(dir=path.parent) as waiting:
        categories = [{"id": number, "name": kind} for kind, number in CATEGORIES.items()]
        file.write(f'{{"info": {_json({"description": name})},\n"categories": {_json(categories)},\n'.encode())
        file.write(b'"images": ')
        with json_array(file) as add_image, json_array(waiting) as add_annotation:

            def note(item: Item) -> None:
                add_image(_image(item.record, licences))
                for annotation in _annotations(item, numbers):
                    add_annotation(annotation)

            yield note
        file.write(b',\n"annotations": ')
        waiting.seek(0)
        shutil.copyfileobj(waiting, file)
        table = [{"id": number, "name": licence} for licence, number in licences.items()]
        file.write(f',\n"licenses": {_json(table)}}}\n'.encode())


def _image(record: SplicingRecord, licences: dict[str, int]) -> dict[str, Any]:
    size = {"width": record.image["width"], "height": record.image["height"]}
    image = {"id": record.sample, "file_name": PurePosixPath(_place(record, "image")).name} | size
    licence = record.licence["name"]
    if licence is not None:
        image["license"] = licences.setdefault(licence, len(licences) + 1)
    return image


def _annotations(item: Item, numbers: Iterator[int]) -> Iterator[dict[str, Any]]:
    from pycocotools import mask as coco

    record = item.record
    if not record.manipulated:
        return
    regions, categories = decode_label(item, "regions"), {r["id"]: r["category"] for r in record.regions}
    for region in map(int, np.unique(regions[regions > 0])):
        if region not in categories:
            found = f"its region map has {region}, its record the regions {sorted(categories)}"
            raise SynthharmError(f"sample {record.name}: {found}")
        runs = coco.encode(np.asfortranarray(regions == region, dtype=np.uint8))
        yield {
            "id": next(numbers),
            "image_id": record.sample,
            "category_id": CATEGORIES[record.kind],
            "segmentation": {"size": [int(side) for side in runs["size"]], "counts": runs["counts"].decode()},
            "area": int(coco.area(runs)),
            "bbox": [float(value) for value in coco.toBbox(runs)],
            "iscrowd": 0,
            "region": region,
            "object": categories[region],
        }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
