"""What every writer does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from synthharm.writers.record import Record

Records = Callable[[], Iterator[Record]]


@dataclass(frozen=True)
class Names:
    """What a sample may be called after.

    Args:
        sample: its number in the dataset, from 0.
        photo: a name of its photo, unique in the dataset, of letters, digits, dots and hyphens.
        region: a name of its region, unique in its photo, of the same characters.
    """

    sample: int
    photo: str
    region: str


class Writer(Protocol):
    """A format on disk: it says where files go, and writes what lists them. Writers hold no state."""

    def place(self, names: Names, suffix: str) -> dict[str, str]:
        """Where a sample's image, mask and real go: paths from the dataset's folder, by role.

        Real images, and masks where the format has them so, are shared by the samples of one photo or region.
        """
        ...

    def finish(self, folder: Path, records: Records) -> None:
        """Write what describes the whole dataset, from its records in order, which are gone through once."""
        ...

    def check(self, folder: Path, records: Records) -> Iterator[str]:
        """Say what is wrong with what `finish` wrote: one line per problem."""
        ...
