"""Comparing a folder with its list of checksums: both sorted in files, so that neither is held in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path

from synthharm.files import sha256_file
from synthharm.writers.checksums import walk
from synthharm.writers.sorting import Sorter

_LISTED, _PRESENT = 0, 1


def wrong_sums(folder: Path, sums: str, without: Collection[str]) -> Iterator[str]:
    """Compare a folder with its list of checksums: a line for each file that is not as it says, by name.

    Args:
        folder: the dataset's.
        sums: the name of the list in it.
        without: folders that the list leaves out.
    """
    with Sorter() as rows:
        yield from _read_list(folder / sums, rows)
        for name in walk(folder, without):
            if name != sums:
                rows.add((name, _PRESENT, 0, ""))
        for name, found in groupby(rows, key=lambda row: row[0]):
            uses = list(found)
            listed = [(number, checksum) for _, kind, number, checksum in uses if kind == _LISTED]
            present = len(uses) > len(listed)
            yield from (
                f"{sums}: line {number} is there twice: {checksum}  {name}" for number, checksum in listed[1:]
            )
            if not present:
                yield f"{name}: is listed in {sums} and missing"
            elif not listed:
                yield f"{name}: is not listed in {sums}"
            elif sha256_file(folder / name) != listed[-1][1]:
                yield f"{name}: its sha256 is not the one in {sums}"


def _read_list(path: Path, rows: Sorter) -> Iterator[str]:
    """Take the lines of a list, and tell of those that are none."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line.decode(errors="replace").removesuffix("\n")
            checksum, _, name = text.partition("  ")
            if name:
                rows.add((name, _LISTED, number, checksum))
            else:
                yield f"{path.name}: line {number} is not a checksum and a name: {text}"
