"""Which samples of a dataset the audit judges: all, or of very many a part that is drawn by unit."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from synthharm.files import sha256
from synthharm.writers.forensics import SplicingRecord

MOST = 30_000  # samples that are judged; of as many an area's standard error is below .004


@dataclass(frozen=True)
class Judged:
    """What the audit needs to know of a sample beside its file.

    Args:
        sample: its number.
        kind: its kind.
        unit: the number of the unit that it was made with.
        target: the sha256 of its target photo.
        path: of its image, from the dataset's folder.
    """

    sample: int
    kind: str
    unit: int
    target: str
    path: str = ""

    @classmethod
    def of(cls, record: SplicingRecord) -> Judged:
        """What a record says. Raises LookupError or TypeError where it is not as a record is."""
        image = record.files["image"]["path"]
        return cls(record.sample, record.kind, record.unit["number"], record.photos[0]["sha256"], image)

    @property
    def manipulated(self) -> bool:
        """Whether something was done to it."""
        return self.kind != "authentic"


@dataclass
class Choice:
    """The samples that are judged, chosen while all go by: whole units, those with the smallest digests.

    So the choice depends on the units' numbers alone. Memory grows up to `most` samples and no further.

    Args:
        most: samples that are judged.

    Example:
        >>> choice = Choice(most=2)
        >>> for number in range(9):
        ...     choice.add(Judged(number, "splice", number, "photo"))
        >>> choice.total, [one.sample for one in choice.chosen()]
        (9, [4, 7])
    """

    most: int = MOST
    total: int = 0
    _units: dict[int, list[Judged]] = field(default_factory=dict)
    _ranks: list[tuple[int, int]] = field(default_factory=list)  # of those units, the largest digest first
    _held: int = 0
    _limit: int = 1 << 256  # digests from here on are left out

    def add(self, sample: Judged) -> None:
        """Take the next sample."""
        self.total += 1
        if sample.unit not in self._units:
            rank = int(sha256(f"unit {sample.unit}".encode()), 16)
            if rank >= self._limit:
                return
            heapq.heappush(self._ranks, (-rank, sample.unit))
            self._units[sample.unit] = []
        self._units[sample.unit].append(sample)
        self._held += 1
        while self._held > self.most:
            rank, unit = heapq.heappop(self._ranks)
            self._limit = -rank
            self._held -= len(self._units.pop(unit))

    def chosen(self) -> list[Judged]:
        """Those that are judged, in the order of their numbers."""
        return sorted((one for unit in self._units.values() for one in unit), key=lambda one: one.sample)

    def read(self, folder: Path) -> Iterator[tuple[Judged, bytes]]:
        """Those that are judged, each with the bytes of its image."""
        for one in self.chosen():
            yield one, (folder / one.path).read_bytes()
