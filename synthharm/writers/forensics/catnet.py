"""The format `catnet`: text lists as CAT-Net and TruFor read them.

A line is `image,mask,image as JPEG`, paths from the dataset's folder; the mask of an authentic image is `None`.
Masks are read as grey, and everything above 0 is manipulated. The third column is read where only JPEG will do: it
is the image itself, since another save would not have the history that the record says.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from synthharm.files import atomic_file
from synthharm.writers.forensics.folder import canonical_path
from synthharm.writers.forensics.item import About, Item, Items
from synthharm.writers.forensics.listed import check_splits, extra, read_items, suffix, write_items
from synthharm.writers.forensics.record import SplicingRecord


@dataclass(frozen=True)
class CatNetFormat:
    """Images in images/, masks in masks/, and two lists for each split."""

    name: str = "catnet"

    def write(self, items: Items, folder: Path, about: About) -> None:
        """See `Format`."""
        check_splits(about.splits)
        with ExitStack() as stack:
            names = [name for split in about.splits for name in _lists(split)]
            lists = {name: stack.enter_context(atomic_file(folder / name)) for name in names}

            def note(item: Item) -> None:
                record = item.record
                image = _place(record, "image")
                mask = _place(record, "mask") if record.manipulated else "None"
                tampered, authentic = _lists(record.split)
                lists[tampered if record.manipulated else authentic].write(f"{image},{mask},{image}\n".encode())

            write_items(items, folder, about.splits, _place, note)

    def read(self, folder: Path) -> Iterator[Item]:
        """See `Format`."""
        return read_items(folder, self.name, _place, _lists)


def _lists(split: str) -> tuple[str, str]:
    return f"{split}_tampered_list.txt", f"{split}_authentic_list.txt"


def _place(record: SplicingRecord, role: str) -> str:
    if role in ("image", "mask"):
        return canonical_path(record.name, role, suffix(record, role))
    return extra(record, role)
