"""A sample with its files, wherever they are: what every format writes and reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from synthharm.files import write_synced
from synthharm.storage import is_remote
from synthharm.writers.forensics.record import SplicingRecord


class Stored(Protocol):
    """A file's bytes, wherever they are."""

    def read(self) -> bytes:
        """All of them."""
        ...

    def place(self, path: Path) -> None:
        """Put them into a new file, whose folder is there."""
        ...


@dataclass(frozen=True)
class OnDisk:
    """A file of its own. In another place on the same disk it is the same file under a second name."""

    path: Path

    def read(self) -> bytes:
        """See `Stored`."""
        return self.path.read_bytes()

    def place(self, path: Path) -> None:
        """See `Stored`."""
        if is_remote(self.path):
            write_synced(path, self.path.read_bytes())
            return
        try:
            os.link(self.path, path)
        except OSError:  # another disk, or one without links
            with self.path.open("rb") as source, path.open("xb") as target:
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())


@dataclass(frozen=True)
class InMemory:
    """Bytes that were read out of something larger, such as a tar file."""

    data: bytes

    def read(self) -> bytes:
        """See `Stored`."""
        return self.data

    def place(self, path: Path) -> None:
        """See `Stored`."""
        write_synced(path, self.data)


@dataclass(frozen=True)
class Item:
    """A sample: its record, and its files by role."""

    record: SplicingRecord
    files: Mapping[str, Stored]


Items = Callable[[], Iterator[Item]]  # gives them in the order of the samples


@dataclass(frozen=True)
class About:
    """What a format is told of the whole dataset.

    Args:
        name: what it is called.
        splits: the names of its splits, in the recipe's order.
        recipe: the resolved recipe as plain JSON, without the data root.
        summary: the dataset in numbers, as in dataset.json.
        beside: files that the recipe names, by name.
    """

    name: str
    splits: tuple[str, ...]
    recipe: dict[str, Any]
    summary: dict[str, Any]
    beside: Mapping[str, bytes] = field(default_factory=dict)


class Format(Protocol):
    """A format on disk. Formats hold no state; image and label bytes go through them unchanged."""

    @property
    def name(self) -> str:
        """As recipes and `synthharm convert --to` have it."""
        ...

    def write(self, items: Items, folder: Path, about: About) -> None:
        """Write all samples into an empty folder, in one pass over them, without holding them in memory."""
        ...

    def read(self, folder: Path) -> Iterator[Item]:
        """Read back what `write` wrote: the same records and the same bytes, in the order of the samples.

        Raises:
            SynthharmError: the folder does not hold this format, or is damaged.
        """
        ...
