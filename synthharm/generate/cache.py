"""The index of a recipe's sources, kept beside the datasets made of it and found by what it was made from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from synthharm.errors import SynthharmError
from synthharm.files import all_files, remove_folder, sync_tree
from synthharm.generate.running.claims import claims, nothing
from synthharm.storage import filesystem, is_remote, is_there

FOLDER = ".synthharm"
_WHOLE = "whole"  # the object that a remote index has last
_LOCKS = "locks"


def absolute(path: Path) -> Path:
    """A path that leads to the same place from any working folder; of an address, itself."""
    return path if is_remote(path) else path.absolute()


def cache_beside(output: Path) -> Path:
    """Where the indexes of datasets are that lie where this one lies."""
    whole = absolute(output)
    return (whole if whole.parent == whole else whole.parent) / FOLDER


def keep_index(cache: Path, key: str | None, make: Callable[[Path], str]) -> Path:
    """An index from the cache, or made and put there.

    Several processes may ask for the same one: one of them makes it, and the others wait.

    Args:
        cache: the folder of all indexes.
        key: what the index depends on, as hex; None where that is not known, so that it is always made.
        make: writes the index into an empty local folder, and gives the name for one that has no key.

    Returns:
        The index's folder on this machine. Its name is the key, or what `make` gives where there is none.
    """
    if key is not None and _is_whole(cache, key):
        return fetch_index(cache, key)
    if key is None:
        return _made(cache, None, make)
    with claims(cache / _LOCKS).hold(key, against=nothing, wait=True):
        if _is_whole(cache, key):
            return fetch_index(cache, key)
        for left_behind in _own(cache).glob(f"new.{key}.*"):
            remove_folder(left_behind)
        return _made(cache, key, make)


def _made(cache: Path, key: str | None, make: Callable[[Path], str]) -> Path:
    with tempfile.TemporaryDirectory(dir=_own(cache), prefix=f"new.{key}.") as folder:
        aside = Path(folder) / "index"
        aside.mkdir()
        name = make(aside)
        place = _own(cache) / (key or name)
        sync_tree(aside)
        _settle(aside, place)
    if is_remote(cache):
        _upload(place, cache / place.name)
    return place


def fetch_index(cache: Path, key: str) -> Path:
    """The folder on this machine of an index that is in the cache.

    Raises:
        SynthharmError: it is not, or this machine does not see the cache.
    """
    place = _own(cache) / key
    if place.is_dir():
        return place
    if not _is_whole(cache, key):
        raise SynthharmError(
            f"index: {cache / key} is not there; a run needs the index of its sources until it ends"
        )
    with tempfile.TemporaryDirectory(dir=_own(cache), prefix=f"{key}.") as folder:
        aside = Path(folder) / key
        system, name = filesystem(cache / key)
        for path in all_files(cache / key):
            (aside / path).parent.mkdir(parents=True, exist_ok=True)
            system.get_file(f"{name}/{path}", str(aside / path))
        _settle(aside, place)
    return place


def _settle(aside: Path, place: Path) -> None:
    """Give an index its place, unless another process was faster: what it made is the same."""
    try:
        aside.rename(place)
    except OSError:
        if not place.is_dir():
            raise


def _is_whole(cache: Path, key: str) -> bool:
    return is_there(cache / key / _WHOLE) if is_remote(cache) else (cache / key).is_dir()


def _own(cache: Path) -> Path:
    """Where this machine has a cache's indexes: the cache itself, or for a remote one a folder of the user's."""
    if not is_remote(cache):
        cache.mkdir(parents=True, exist_ok=True)
        return cache
    own = Path(tempfile.gettempdir()) / f"synthharm-{os.getuid()}"
    own.mkdir(mode=0o700, exist_ok=True)
    if own.lstat().st_uid != os.getuid():
        raise SynthharmError(f"index: {own} is another user's; set TMPDIR to a folder of yours")
    return own


def _upload(folder: Path, target: Path) -> None:
    system, name = filesystem(target)
    for path in all_files(folder):
        system.put_file(str(folder / path), f"{name}/{path}")
    (target / _WHOLE).write_bytes(b"")
