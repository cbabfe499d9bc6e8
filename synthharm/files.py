"""Files that are there whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from synthharm.storage import filesystem, is_remote, remote_entries, uploaded

if TYPE_CHECKING:
    from collections.abc import Iterator


ASIDE = ".*.part"  # what files that are not whole yet are called


def parse_json(text: str | bytes) -> Any:
    """What JSON says.

    Raises:
        ValueError: it is none, or is nested deeper than it can be read.

    Example:
        >>> parse_json("[" * 100_000)
        Traceback (most recent call last):
        ValueError: nested too deeply to be read
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply to be read") from error


def json_text(value: object) -> bytes:
    """A value as JSON that a person can read, ending with a line's end."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def sha256(data: bytes) -> str:
    """The sha256 of bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """The sha256 of a file, in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file aside; when the block ends well it is flushed to the disk and takes the name `path`.

    Behind an address it is sent in one piece at the end.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with atomic_file(Path(folder, "a.txt")) as file:
        ...         _ = file.write(b"whole")
        ...     Path(folder, "a.txt").read_bytes()
        b'whole'
    """
    if is_remote(path):
        with uploaded(path) as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folders([path.parent])


def write_atomically(path: Path, data: bytes) -> None:
    """Write a small file as `atomic_file` does."""
    with atomic_file(path) as file:
        file.write(data)


def write_synced(path: Path, data: bytes) -> None:
    """Write a file in a place where nobody looks yet, and flush it to the disk."""
    if is_remote(path):
        path.write_bytes(data)
        return
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folders(folders: Iterable[Path]) -> None:
    """Flush the names in folders to the disk."""
    for folder in folders:
        if is_remote(folder):
            continue
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush every file and every name below a local folder to the disk."""
    folders = {folder}
    for path in all_files(folder):
        descriptor = os.open(folder / path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        folders.update(parent for parent in (folder / path).parents if parent.is_relative_to(folder))
    sync_folders(sorted(folders))


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there."""
    if is_remote(folder):
        system, name = filesystem(folder)
        if system.exists(name):
            system.rm(name, recursive=True)
        return
    shutil.rmtree(folder, ignore_errors=True)


def file_names(folder: Path) -> list[str]:
    """The names of the files directly in a folder, in no order; none where there is no folder."""
    if is_remote(folder):
        return [name for name, is_folder, _ in remote_entries(folder) if not is_folder]
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if not entry.is_dir()]
    except FileNotFoundError:
        return []


def all_files(folder: Path, without: Collection[str] = ()) -> list[str]:
    """Every file below a folder, as posix paths from it, sorted; the folders in `without` are not entered."""
    if is_remote(folder):
        return sorted(_remote_files(folder, "", without))
    found: list[str] = []
    for parent, below, names in os.walk(folder):
        place = Path(parent).relative_to(folder)
        below[:] = [name for name in below if (place / name).as_posix() not in without]
        found += [(place / name).as_posix() for name in names]
    return sorted(found)


def _remote_files(folder: Path, prefix: str, without: Collection[str]) -> Iterator[str]:
    for name, is_folder, _ in remote_entries(folder):
        if not is_folder:
            yield prefix + name
        elif prefix + name not in without:
            yield from _remote_files(folder / name, f"{prefix}{name}/", without)
