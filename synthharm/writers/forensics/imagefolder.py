"""The format `imagefolder`: what the Hugging Face loader of that name reads, with the dataset's splits.

Its samples are the rows of a table in each split's folder. The table is Parquet, which has types of its own: from
JSON lines the loader would take a split without a single mask to have another schema than the rest, and refuse it.
Splits of other names than the loader knows (train, validation, test) are given to it as `data_files`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from synthharm.writers.forensics.folder import TABLE, metadata_table
from synthharm.writers.forensics.item import About, Item, Items
from synthharm.writers.forensics.listed import check_splits, extra, read_items, suffix, write_items
from synthharm.writers.forensics.record import SplicingRecord


@dataclass(frozen=True)
class ImageFolderFormat:
    """Images in <split>/, masks in <split>/masks/, and a table <split>/metadata.parquet."""

    name: str = "imagefolder"

    def write(self, items: Items, folder: Path, about: About) -> None:
        """See `Format`."""
        check_splits(about.splits)
        with ExitStack() as stack:
            tables = {
                split: stack.enter_context(metadata_table(folder / split / TABLE, _from_table))
                for split in about.splits
            }

            def note(item: Item) -> None:
                tables[item.record.split](item.record)

            write_items(items, folder, about.splits, _place, note)

    def read(self, folder: Path) -> Iterator[Item]:
        """See `Format`."""
        return read_items(folder, self.name, _place, lambda split: [f"{split}/{TABLE}"])


def _from_table(record: SplicingRecord, role: str) -> str:
    return f"{'masks/' if role == 'mask' else ''}{record.name}{suffix(record, role)}"


def _place(record: SplicingRecord, role: str) -> str:
    return f"{record.split}/{_from_table(record, role)}" if role in ("image", "mask") else extra(record, role)
