"""The format `mmsegmentation`: images and maps of class numbers, as the datasets of MMSegmentation read them.

A map has 0 where the image is authentic and 1 where it is manipulated; every image has one, an authentic image a
map of zeros. The maps are made from the masks, which are kept beside them unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.files import sync_folders, write_synced
from synthharm.masks import THRESHOLD
from synthharm.writers.forensics.item import About, Item, Items
from synthharm.writers.forensics.listed import check_splits, decode_label, extra, read_items, suffix, write_items
from synthharm.writers.forensics.record import SplicingRecord

IGNORED = 255  # what losses and measures leave out


@dataclass(frozen=True)
class MMSegmentationFormat:
    """Images in img_dir/<split>/, maps of class numbers in ann_dir/<split>/.

    Args:
        ignore_boundary: whether the boundary band gets 255, which is left out of losses and measures, instead of
            its class.
    """

    ignore_boundary: bool = False
    name: str = "mmsegmentation"

    def write(self, items: Items, folder: Path, about: About) -> None:
        """See `Format`."""
        check_splits(about.splits)
        maps = [folder / "ann_dir" / split for split in about.splits]
        for below in maps:
            below.mkdir(parents=True)

        def note(item: Item) -> None:
            done, data = cv2.imencode(".png", self.classes(item))
            assert done
            write_synced(folder / _map(item.record), data.tobytes())

        write_items(items, folder, about.splits, _place, note)
        sync_folders(maps)

    def classes(self, item: Item) -> NDArray[np.uint8]:
        """The map of a sample: (H, W) of 0, 1 and, where asked for, 255."""
        record = item.record
        if not record.manipulated:
            return np.zeros((record.image["height"], record.image["width"]), np.uint8)
        found = (decode_label(item, "mask") >= THRESHOLD).astype(np.uint8)
        if self.ignore_boundary:
            found[decode_label(item, "boundary") >= THRESHOLD] = IGNORED
        return found

    def read(self, folder: Path) -> Iterator[Item]:
        """See `Format`."""
        return read_items(folder, self.name, _place)


def _map(record: SplicingRecord) -> str:
    return f"ann_dir/{record.split}/{record.name}.png"


def _place(record: SplicingRecord, role: str) -> str:
    if role == "image":
        return f"img_dir/{record.split}/{record.name}{suffix(record, role)}"
    return extra(record, role)
