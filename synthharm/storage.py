"""Files behind addresses such as s3://bucket/folder, used as paths are: fsspec does the work.

`as_path` turns what a person wrote into a path. What it gives for an address is universal_pathlib's, which reads
and writes as `pathlib.Path` does. An object appears there whole or not at all, so nothing is written aside first.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from synthharm.errors import SynthharmError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOCAL = ("file", "local")  # addresses of this machine's own files
_AZURE = ("az", "abfs", "abfss", "adl")
_EXTRAS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"} | dict.fromkeys(_AZURE, "adlfs")
_OBJECT_STORES = (*_EXTRAS, "memory")
# What the libraries behind fsspec raise where a service cannot be reached or refuses; all else are OSErrors.
_LIBRARIES = ("botocore", "aiobotocore", "aiohttp", "gcsfs", "google", "azure")


def is_address(where: str | Path) -> bool:
    """Whether something a person wrote is an address, and not the path of a file on this machine.

    Example:
        >>> is_address("s3://bucket/photos"), is_address("photos/s3")
        (True, False)
    """
    return isinstance(where, str) and _ADDRESS.match(where) is not None


def as_path(where: str | Path) -> Path:
    """The path of a local file or folder, or of one behind an address; file:// and local:// are local ones.

    Raises:
        SynthharmError: no library is known or installed for such an address, or one of this machine is not whole.

    Example:
        >>> as_path("photos/cat.jpg").name, as_path("memory://photos/cat.jpg").name
        ('cat.jpg', 'cat.jpg')
    """
    protocol, separator, rest = str(where).partition("://")
    if separator and protocol in _LOCAL:
        if not rest.startswith("/"):
            raise SynthharmError(f"{where}: is no whole path; one such as {protocol}:///folder/file is accepted")
        return Path(rest)
    if not is_address(where):
        return cast("Path", where) if is_remote(where) else Path(where)
    from upath import UPath

    try:
        # A listing that is kept would hide what other processes write.
        path = UPath(where, use_listings_cache=False)
        _ = path.fs
    except (ImportError, ValueError) as error:
        package = _EXTRAS.get(protocol)
        detail = f"it needs the package {package}, which is not installed" if package else str(error)
        raise SynthharmError(f"{where}: cannot be opened: {detail}") from error
    return cast("Path", path.absolute())


def is_remote(path: str | Path) -> bool:
    """Whether a path is one behind an address."""
    return not isinstance(path, (str, Path))


def require_object_store(path: Path) -> None:
    """Refuse a place where what is written could be seen half, or two processes create the same file.

    Raises:
        SynthharmError: the path is behind an address that is not an object store's.

    Example:
        >>> require_object_store(Path("dataset"))
        >>> require_object_store(as_path("memory://dataset"))
    """
    if is_remote(path) and (protocol := str(path).partition("://")[0]) not in _OBJECT_STORES:
        accepted = ", ".join(f"{one}://" for one in _OBJECT_STORES)
        raise SynthharmError(
            f"{path}: nothing can be made behind {protocol}://; accepted are paths of this machine, {accepted}"
        )


def filesystem(path: Path) -> tuple[Any, str]:
    """The fsspec file system of a remote path, and the path as that system has it."""
    remote = cast("Any", path)
    return remote.fs, str(remote.path).rstrip("/")


@contextmanager
def uploaded(path: Path) -> Iterator[IO[bytes]]:
    """A file on this machine to write into, which becomes the remote `path` when the block ends well."""
    system, name = filesystem(path)
    with tempfile.NamedTemporaryFile() as file:
        yield cast("IO[bytes]", file)
        file.flush()
        system.put_file(file.name, name)


def upload(files: Mapping[str, bytes], folder: Path) -> None:
    """Write several files into a remote folder at once, by their paths from it."""
    system, name = filesystem(folder)
    system.pipe({f"{name}/{key}": data for key, data in files.items()})


def is_there(path: Path) -> bool:
    """Whether a file is there. Behind an address, a service that does not answer is an error and not a no.

    Raises:
        SynthharmError: the service cannot be reached, or refuses.
        OSError: as for any file.
    """
    if not is_remote(path):
        return path.is_file()
    system, name = filesystem(path)
    try:
        with storage_errors():
            return bool(system.info(name)["type"] == "file")
    except FileNotFoundError:
        return False


def remote_entries(folder: Path) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """What is directly in a remote folder: name, whether it is a folder, and what the system says of it."""
    system, name = filesystem(folder)
    try:
        listed = system.ls(name, detail=True)
    except FileNotFoundError:
        return
    for entry in listed:
        below = str(entry["name"]).rstrip("/").rpartition("/")[2]
        if str(entry["name"]).rstrip("/") != name:
            yield below, entry["type"] == "directory", entry


@contextmanager
def storage_errors() -> Iterator[None]:
    """Say what a storage service answered, in the house's way.

    Raises:
        SynthharmError: instead of what the service's library raised.
    """
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] in _LIBRARIES:
            raise SynthharmError(f"storage: {error}") from error
        raise
