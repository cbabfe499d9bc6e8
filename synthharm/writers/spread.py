"""The lowest, the median and the highest of more numbers than fit into memory, exactly."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

HELD = 1 << 16  # numbers that are in memory
_STEP = 16  # bits of a number that are settled in one pass over all


class Spread:
    """Numbers of which the lowest, the median and the highest are wanted.

    Some ten thousand are in memory; all beyond wait in a file without a name, which goes with this object.

    Args:
        folder: where that file is, or None for the machine's temporary folder.
        held: numbers that are in memory.

    Example:
        >>> values = Spread(held=2)
        >>> for value in (4, 1, 3, 2):
        ...     values.add(value)
        >>> len(values), values.lowest, values.median, values.highest
        (4, 1.0, 2.5, 4.0)
    """

    def __init__(self, folder: Path | None = None, held: int = HELD) -> None:
        self._folder, self._most = folder, held
        self._held = array("d")
        self._file: IO[bytes] | None = None
        self._count = 0
        self.lowest, self.highest = float("inf"), float("-inf")

    def __len__(self) -> int:
        return self._count

    def add(self, value: float) -> None:
        """Take a number."""
        value = float(value)
        self._held.append(value)
        self._count += 1
        if value < self.lowest:
            self.lowest = value
        if value > self.highest:
            self.highest = value
        if len(self._held) >= self._most:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
                weakref.finalize(self, self._file.close)
            self._file.seek(0, 2)
            self._held.tofile(self._file)
            self._held = array("d")

    @property
    def median(self) -> float:
        """The middle one, or the mean of the two in the middle. Raises ValueError where there are none."""
        if not self._count:
            raise ValueError("the median of no numbers")
        if self._file is None:
            return float(median(self._held))
        middle = self._count // 2
        upper = self._ranked(middle)
        return upper if self._count % 2 else (self._ranked(middle - 1) + upper) / 2

    def chunks(self) -> Iterator[NDArray[np.float64]]:
        """All numbers in the order they came, some ten thousand at a time."""
        if self._file is not None:
            self._file.seek(0)
            while data := self._file.read(8 * HELD):
                yield np.frombuffer(data, np.float64)
        yield np.array(self._held, np.float64)

    def as_json(self) -> dict[str, float]:
        """As datasets' summaries have it; empty where there are no numbers."""
        return {"lowest": self.lowest, "median": self.median, "highest": self.highest} if self._count else {}

    def _ranked(self, rank: int) -> float:
        """The number with so many below it: its bits are found from the highest on, a pass for each few."""
        known, settled = 0, 0
        while settled < 64:
            settled += _STEP
            counts = np.zeros(1 << _STEP, np.int64)
            for chunk in self.chunks():
                keys = _keys(chunk)
                if settled > _STEP:
                    keys = keys[keys >> np.uint64(64 - settled + _STEP) == np.uint64(known)]
                digits = (keys >> np.uint64(64 - settled)) & np.uint64((1 << _STEP) - 1)
                counts += np.bincount(digits.astype(np.int64), minlength=1 << _STEP)
            below = np.cumsum(counts)
            digit = int(np.searchsorted(below, rank, side="right"))
            rank -= int(below[digit] - counts[digit])
            known = known << _STEP | digit
        return _value(known)


def _keys(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Whole numbers in the same order: of a negative one all bits are turned, of others the sign's."""
    bits = values.view(np.uint64)
    top = np.uint64(1 << 63)
    turned: NDArray[np.uint64] = np.where(bits & top, ~bits, bits | top)
    return turned


def _value(key: int) -> float:
    top = 1 << 63
    bits = np.array([key ^ top if key & top else key ^ (2**64 - 1)], np.uint64)
    return float(bits.view(np.float64)[0])


def middle_of(counts: Any) -> float:
    """The median of whole numbers of which it is counted how often each comes.

    Example:
        >>> middle_of({70: 2, 80: 1, 90: 1})
        75.0
    """
    total = sum(counts.values())
    ends: list[int] = []
    for rank in ((total - 1) // 2, total // 2):
        below = 0
        for value in sorted(counts):
            below += counts[value]
            if below > rank:
                ends.append(value)
                break
    return (ends[0] + ends[1]) / 2
