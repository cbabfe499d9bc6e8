"""Sorting more than fits into memory: sorted runs in files without a name, merged as they are read."""

from __future__ import annotations

import heapq
import marshal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

MOST = 100_000  # rows that are held
RUNS = 64  # files of a tier, which become one of the next
_CHUNK = 256  # rows that are read at once

Row = tuple[Any, ...]


class Sorter:
    """Rows, added in any order, that are gone through in theirs, as often as wanted.

    Rows are tuples of text, bytes and numbers, which sort as tuples do. A hundred thousand are in memory at most.
    The others are in files, each of which is merged with others of its size: n rows are written log n times.

    Args:
        folder: where the files are that the others wait in, or None for the machine's temporary folder.
        most: rows that are held in memory.

    Example:
        >>> with Sorter(most=2) as rows:
        ...     for name in ("c", "a", "d", "b"):
        ...         rows.add((name,))
        ...     [name for (name,) in rows]
        ['a', 'b', 'c', 'd']
    """

    def __init__(self, folder: Path | None = None, most: int = MOST) -> None:
        self._folder, self._most = folder, most
        self._held: list[Row] = []
        self._tiers: list[list[IO[bytes]]] = []

    def add(self, row: Row) -> None:
        """Take a row."""
        self._held.append(row)
        if len(self._held) >= self._most:
            self._held.sort()
            self._keep(iter(self._held), 0)
            self._held = []

    def __iter__(self) -> Iterator[Row]:
        """The rows in order. Not two at a time: they share their files."""
        self._held.sort()
        runs = [run for tier in self._tiers for run in tier]
        return heapq.merge(*map(_read, runs), iter(self._held)) if runs else iter(self._held)

    def __enter__(self) -> Sorter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for tier in self._tiers:
            _close(tier)
        self._tiers, self._held = [], []

    def _keep(self, rows: Iterator[Row], tier: int) -> None:
        """Write sorted rows down as a run of a tier; a full tier becomes one run of the next."""
        if tier == len(self._tiers):
            self._tiers.append([])
        runs = self._tiers[tier]
        self._write(rows, runs)
        if len(runs) >= RUNS:
            self._keep(heapq.merge(*map(_read, runs)), tier + 1)
            _close(runs)

    def _write(self, rows: Iterator[Row], runs: list[IO[bytes]]) -> None:
        file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        runs.append(file)
        chunk: list[Row] = []
        for row in rows:
            chunk.append(row)
            if len(chunk) == _CHUNK:
                marshal.dump(chunk, file)
                chunk.clear()
        marshal.dump(chunk, file)


def _close(runs: list[IO[bytes]]) -> None:
    for run in runs:
        run.close()
    runs.clear()


def _read(file: IO[bytes]) -> Iterator[Row]:
    file.seek(0)
    while chunk := _chunk(file):
        yield from chunk


def _chunk(file: IO[bytes]) -> list[Row]:
    try:
        chunk: list[Row] = marshal.load(file)
    except EOFError:
        return []
    return chunk
