"""The files below a source's folder: their names, and what tells cheaply whether one is still the one it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any

from synthharm.files import sha256_file
from synthharm.storage import as_path, filesystem, is_remote, storage_errors

# What services say of an object that changes with its content, the surest first.
_MARKS = ("ETag", "md5Hash", "crc32c", "etag", "content_md5", "mtime", "LastModified", "last_modified", "created")


def file_stamps(root: Path, folder: str) -> dict[str, str]:
    """The stamp of every file below a folder, by its path from the root; none where there is no such folder.

    It is one walk, and no file is opened. On this machine a stamp says size and time of change, of what a link
    leads to; behind an address, the size and what the service gives as the mark of a content.

    Args:
        root: the data folder.
        folder: within it.
    """
    if is_remote(root):
        return {key: _remote_stamp(about) for key, about in remote_files(root, folder)}
    return dict(_local_stamps(root, PurePosixPath(folder), ()))


def file_stamp(root: Path, key: str) -> str | None:
    """The stamp of one file, None where it is not there or cannot be looked at."""
    try:
        if is_remote(root):
            system, name = filesystem(root)
            with storage_errors():
                return _remote_stamp(system.info(f"{name}/{key}"))
        return _stamp(os.stat(root / key))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        if is_remote(root):
            raise  # the service may answer again: the file is not taken for lost
        return None


def remote_files(root: Path, folder: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every object below a folder of a remote root: its path from the root, and what the service says of it."""
    system, name = filesystem(root)
    above = name if folder == "." else f"{name}/{PurePosixPath(folder).as_posix()}"
    with storage_errors():
        try:
            found: Mapping[str, Mapping[str, Any]] = system.find(above, detail=True)
        except FileNotFoundError:
            return
    for path in sorted(found):
        if path.startswith(f"{above}/") and not path.endswith("/") and found[path]["type"] != "directory":
            yield path[len(name) + 1 :], found[path]


def signature_of(source: Any, files: Iterable[Path], stamps: Iterable[Mapping[str, str]], more: Any = None) -> str:
    """sha256 in hex over what a listing depends on.

    Args:
        source: whose settings count, but for its data root.
        files: whose content counts; a missing one counts as missing, and of a remote one its stamp counts.
        stamps: of the files whose names and states count.
        more: whatever else does, as JSON can say it.
    """
    settings = {one.name: getattr(source, one.name) for one in fields(source) if one.name != "data"}
    digest = hashlib.sha256(json.dumps([type(source).__name__, settings, more], sort_keys=True).encode())
    for file in files:
        digest.update(f"\0{_content(file)}".encode())
    for listed in stamps:
        for key in sorted(listed):
            digest.update(f"\0{key}\0{listed[key]}".encode("utf-8", "surrogateescape"))
        digest.update(b"\0\0")
    return digest.hexdigest()


def _content(file: Path) -> str | None:
    if is_remote(file):
        # What the service says of its content does: large files are not fetched for it.
        return file_stamp(as_path(file.parent), file.name)
    try:
        return sha256_file(file)
    except OSError as error:
        return str(error.errno)  # which the listing will name


def _local_stamps(root: Path, place: PurePosixPath, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    real = os.path.realpath(root / place)
    if real in above:
        return  # a link to a folder that it is in
    try:
        with os.scandir(root / place) as found:
            entries = list(found)
    except OSError:
        return  # which reading the files, or listing them, will name
    prefix = "" if place == PurePosixPath() else f"{place.as_posix()}/"
    for entry in entries:
        try:
            if entry.is_dir():
                yield from _local_stamps(root, place / entry.name, (*above, real))
            else:
                yield prefix + entry.name, _stamp(entry.stat())
        except OSError:
            continue  # a link to nothing


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} bytes, of {status.st_mtime_ns}"


def _remote_stamp(about: Mapping[str, Any]) -> str:
    marks = (str(about[name]).strip('"') for name in _MARKS if about.get(name))
    return f"{about.get('size')} bytes, marked {next(marks, '')}"
