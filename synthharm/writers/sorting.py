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
RUNS = 200  # files that are open at once
_CHUNK = 256  # rows that are read at once

Row = tuple[Any, ...]


class Sorter:
    """Rows, added in any order, that are gone through in theirs, as often as wanted.

    Rows are tuples of text, bytes and numbers, which sort as tuples do. A hundred thousand are in memory at most.

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
        self._runs: list[IO[bytes]] = []

    def add(self, row: Row) -> None:
        """Take a row."""
        self._held.append(row)
        if len(self._held) >= self._most:
            self._held.sort()
            self._write(iter(self._held))
            self._held = []
            if len(self._runs) >= RUNS:
                merged = self._runs
                self._runs = []
                self._write(heapq.merge(*map(_read, merged)))
                for run in merged:
                    run.close()

    def __iter__(self) -> Iterator[Row]:
        """The rows in order. Not two at a time: they share their files."""
        self._held.sort()
        return heapq.merge(*map(_read, self._runs), iter(self._held)) if self._runs else iter(self._held)

    def __enter__(self) -> Sorter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in self._runs:
            run.close()
        self._runs, self._held = [], []

    def _write(self, rows: Iterator[Row]) -> None:
        file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115
        self._runs.append(file)
        chunk: list[Row] = []
        for row in rows:
            chunk.append(row)
            if len(chunk) == _CHUNK:
                marshal.dump(chunk, file)
                chunk.clear()
        marshal.dump(chunk, file)


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
