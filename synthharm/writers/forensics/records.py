"""The format `records`: how every sample was made, and the sha256 of its files, without a pixel of them.

Whoever has the photos makes the same files again with `synthharm replay`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthharm.errors import SynthharmError
from synthharm.writers.forensics.item import About, Item, Items
from synthharm.writers.forensics.listed import record_files

RECORDS = "records"


@dataclass(frozen=True)
class RecordsFormat:
    """Records by split in records/, and nothing else."""

    name: str = RECORDS

    def write(self, items: Items, folder: Path, about: About) -> None:
        """See `Format`."""
        with record_files(folder, about.splits) as add:
            for item in items():
                add(item.record)

    def read(self, folder: Path) -> Iterator[Item]:
        """There is nothing to read: raises SynthharmError that says what to do instead."""
        raise SynthharmError(f"{folder}: holds records without pixels; `synthharm replay` makes the samples again")
