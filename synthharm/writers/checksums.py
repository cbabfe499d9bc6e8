"""The checksums of a folder's files: of many millions, without holding them.

Behind an address, what is in one folder is held while it is gone through.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from synthharm.files import sha256_file
from synthharm.storage import is_remote, remote_entries
from synthharm.writers.sorting import Sorter

PICTURES = (".jpg", ".png", ".webp")


def of_sample(path: str) -> bool:
    """Whether a file is a sample's, by its name: these begin with the sample's number.

    Example:
        >>> of_sample("masks/000007.png"), of_sample("card/samples.png")
        (True, False)
    """
    name = path.rpartition("/")[2]
    return name[:1].isdigit() and os.path.splitext(name)[1] in PICTURES


def walk(folder: Path, without: Collection[str] = ()) -> Iterator[str]:
    """Every file below a folder, as posix paths from it, in no order; of a folder on this machine none is held.

    Args:
        folder: where to look; nothing is given where it is not there.
        without: folders that are not entered.
    """
    pending = [""]
    while pending:
        prefix = pending.pop()
        for name, is_folder in _entries(folder / prefix if prefix else folder):
            path = f"{prefix}/{name}" if prefix else name
            if not is_folder:
                yield path
            elif path not in without:
                pending.append(path)


def _entries(folder: Path) -> Iterator[tuple[str, bool]]:
    if is_remote(folder):
        yield from ((name, is_folder) for name, is_folder, _ in remote_entries(folder))
        return
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not (entry.is_symlink() and entry.is_dir()):  # what is behind such a link is another's
                    yield entry.name, entry.is_dir()
    except FileNotFoundError:
        return


@dataclass
class Checksums:
    """The checksums of a folder, gathered while its files are written.

    Those of samples' files are known from the records, and are not read again.

    Args:
        rows: path and sha256 of each file.
        pictures: folders and endings of samples' files.
        others: the sha256 of all other files, by path.
        noted: how many files of samples each folder has.
    """

    rows: Sorter
    pictures: set[tuple[str, str]] = field(default_factory=set)
    others: dict[str, str] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)

    def note(self, path: str, sha256: str) -> None:
        """Take a sample's file."""
        self.rows.add((path, sha256))
        parent, _, name = path.rpartition("/")
        self.noted[parent] = self.noted.get(parent, 0) + 1
        if of_sample(path):
            self.pictures.add((parent or ".", os.path.splitext(name)[1]))

    def read_others(self, folder: Path, without: Collection[str] = (), but: Collection[str] = ()) -> None:
        """Read all files that no sample was said to have.

        Args:
            folder: where to look.
            without: folders that are not entered.
            but: files that are left out.
        """
        for path in walk(folder, without):
            known = path.rpartition("/")[0] in self.noted and of_sample(path)
            if not known and path not in but:
                self.read(folder, path)

    def read(self, folder: Path, path: str) -> None:
        """Read a file."""
        checksum = sha256_file(folder / path)
        self.rows.add((path, checksum))
        if of_sample(path):
            self.pictures.add((str(PurePosixPath(path).parent), PurePosixPath(path).suffix))
        else:
            self.others[path] = checksum

    def write(self, file: IO[bytes]) -> None:
        """Write all by path, as `sha256sum -c` reads them, each file once."""
        last = None
        for path, checksum in self.rows:
            if path != last:
                file.write(f"{checksum}  {path}\n".encode())
            last = path
