"""Claims: who may write into a folder, so that no two runs do at once.

On a local disk a claim is a lock on a file, which the system frees when its process ends, however it ends. Behind
an address it is an object that only one process can create, and that expires when its holder no longer renews it;
ages are told by the service's clock alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from synthharm.errors import SynthharmError
from synthharm.files import file_names
from synthharm.storage import filesystem, is_remote

RENEWED, EXPIRED = 15.0, 60.0  # seconds: how often a remote claim is renewed, and when it is nobody's any more
_PATIENCE = 1.0  # seconds that a claim is tried for: looking whether one is held holds it for a moment
_POLL = 0.05
_TURNS = 5  # to create a lease that others release or let expire meanwhile
_ATTEMPTS = 100  # to open the file of a claim in a folder that others remove
_SETTLED = 2.0  # seconds after which who took an expired lease over, of several at once, is decided
_REFUSING = set[Any]()  # file systems that were seen to refuse to create what is there


class Taken(Exception):
    """A claim is somebody else's. The message says whose."""


class Claims(Protocol):
    """The claims on one folder, by name."""

    def hold(self, name: str, *, against: Callable[[str], bool], wait: bool = False) -> Any:
        """Hold a claim while a block runs: a context manager.

        Args:
            name: of the claim.
            against: which other claims, by name, rule it out.
            wait: until nobody else has it, instead of giving up.

        Raises:
            Taken: it is held, or one that rules it out is.
            SynthharmError: nothing can be held there.
        """
        ...

    def held(self, among: Callable[[str], bool] = ...) -> list[str]:
        """The names of the claims that are held now, of all or of those that `among` is true of."""
        ...


def claims(folder: Path) -> Claims:
    """The claims whose files are in a folder, which is made when the first is held."""
    return _Leases(folder) if is_remote(folder) else _Locks(folder)


def nothing(name: str) -> bool:
    """Rules out no other claim."""
    return False


def _any(name: str) -> bool:
    return True


@dataclass(frozen=True)
class _Locks:
    """Claims on a local disk, or on one that several machines share."""

    folder: Path

    @contextmanager
    def hold(self, name: str, *, against: Callable[[str], bool], wait: bool = False) -> Iterator[None]:
        with self._locked(name, wait) as file:
            with contextlib.suppress(OSError):  # whose it is only helps who reads it
                file.truncate(0)
                file.write(_holder())
                file.flush()
            for other in self.held(lambda other: other != name and against(other)):
                raise Taken(f"{other}, by {self._whose(other)}")
            yield

    def held(self, among: Callable[[str], bool] = _any) -> list[str]:
        return [name for name in sorted(file_names(self.folder)) if among(name) and self._is_held(name)]

    def _locked(self, name: str, wait: bool) -> IO[str]:
        """The claim's file, open and locked."""
        attempts = 0
        while True:
            attempts += 1
            with contextlib.ExitStack() as stack:
                try:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    file = stack.enter_context((self.folder / name).open("a+"))
                except (FileNotFoundError, FileExistsError):  # the folder was removed meanwhile
                    if attempts == _ATTEMPTS:
                        raise
                    continue
                self._lock(file, name, wait)
                with contextlib.suppress(FileNotFoundError):
                    # Another, or none, where the folder was removed meanwhile: then the lock is worth nothing.
                    if os.path.samestat(os.fstat(file.fileno()), (self.folder / name).stat()):
                        stack.pop_all()
                        return file

    def _lock(self, file: IO[str], name: str, wait: bool) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB):
            if time.monotonic() > end:
                raise Taken(f"{name}, by {self._whose(name)}")
            time.sleep(_POLL)

    def _is_held(self, name: str) -> bool:
        with contextlib.suppress(FileNotFoundError), (self.folder / name).open("r") as file:
            return not self._flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False

    def _flock(self, file: IO[str], operation: int) -> bool:
        """Whether a lock was got; no is another's."""
        try:
            fcntl.flock(file, operation)
        except BlockingIOError:
            return False
        except OSError as error:
            raise SynthharmError(
                f"{self.folder}: files cannot be locked on this disk: {error.strerror}; accepted are a disk with "
                "locks, or an address such as s3://bucket/folder"
            ) from error
        return True

    def _whose(self, name: str) -> str:
        with contextlib.suppress(OSError):
            return (self.folder / name).read_text() or "another process"
        return "another process"


@dataclass(frozen=True)
class _Leases:
    """Claims behind an address."""

    folder: Path

    @contextmanager
    def hold(self, name: str, *, against: Callable[[str], bool], wait: bool = False) -> Iterator[None]:
        self._require_refusals()
        mine = json.dumps({"holder": _holder(), "token": secrets.token_hex(8)}).encode()
        while not self._create(name, mine):
            if not wait:
                raise self._taken(name)
            time.sleep(RENEWED / 5)
        ended = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(name, mine, ended), daemon=True)
        try:
            for other in self.held(lambda other: other != name and against(other)):
                raise self._taken(other)
            renewing.start()
            yield
        finally:
            ended.set()
            if renewing.ident is not None:  # it was started
                renewing.join(2 * RENEWED)
            # A renewal on its way would bring the lease back: where one does not end, it is left to expire.
            with contextlib.suppress(FileNotFoundError):
                if not renewing.is_alive() and self._is(name, mine):
                    (self.folder / name).unlink()

    def held(self, among: Callable[[str], bool] = _any) -> list[str]:
        names = [name for name in sorted(file_names(self.folder)) if "." not in name and among(name)]
        now = self._now() if names else 0.0
        return [name for name in names if (age := self._age(name, now)) is not None and age < EXPIRED]

    def _require_refusals(self) -> None:
        """Try whether the service refuses to create what is there, once for each file system."""
        system, _ = filesystem(self.folder)
        if system in _REFUSING:
            return
        # Two attempts, for the folder may be removed during one: by a rank that has finished the dataset.
        if not any(_refuses(self.folder / f"try.{secrets.token_hex(8)}") for _ in range(2)):
            raise SynthharmError(
                f"{self.folder}: this service overwrites an object where it is told to create a new one, so two "
                "runs could write into one folder; accepted are services that refuse to, or a path of this machine"
            )
        _REFUSING.add(system)

    def _create(self, name: str, mine: bytes) -> bool:
        system, place = filesystem(self.folder / name)
        takes_over = False
        for _ in range(_TURNS):
            try:
                system.pipe_file(place, mine, mode="create")
                if takes_over:  # so may another, which found the same lease expired and removes this one
                    time.sleep(_SETTLED)
                return not takes_over or self._is(name, mine)
            except FileExistsError:
                age = self._age(name, self._now())
                if age is None:  # it was released meanwhile, and what is there next may be held
                    continue
                if age < EXPIRED:
                    return False
                with contextlib.suppress(FileNotFoundError):
                    (self.folder / name).unlink()
                takes_over = True
        return False

    def _renew(self, name: str, mine: bytes, ended: threading.Event) -> None:
        while not ended.wait(RENEWED):
            with contextlib.suppress(Exception):  # a service that is away for a moment; the next turn tries again
                if self._read(name) != mine:
                    return  # it had expired and is another's: what both write is the same
                if not ended.is_set():
                    (self.folder / name).write_bytes(mine)

    def _read(self, name: str) -> bytes:
        system, place = filesystem(self.folder / name)
        return bytes(system.cat_file(place))  # in one request: a file that is opened may change before it is read

    def _is(self, name: str, mine: bytes) -> bool:
        try:
            return self._read(name) == mine
        except FileNotFoundError:
            return False

    def _taken(self, name: str) -> Taken:
        ends = f"where that was killed, the claim ends by itself within {EXPIRED:.0f} seconds"
        return Taken(f"{name}, by {self._whose(name)}; {ends}")

    def _whose(self, name: str) -> str:
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            return str(json.loads(self._read(name))["holder"])
        return "another process"

    def _age(self, name: str, now: float) -> float | None:
        """Seconds since a lease was last renewed; None where there is none."""
        try:
            return now - (self.folder / name).stat().st_mtime
        except FileNotFoundError:
            return None

    def _now(self) -> float:
        """The time by the service's clock: that of an object written now."""
        probe = self.folder / f"now.{secrets.token_hex(8)}"
        probe.write_bytes(b"")
        try:
            return float(probe.stat().st_mtime)
        finally:
            probe.unlink()


def _holder() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _refuses(path: Path) -> bool:
    """Whether a file that is created behind an address cannot be created again."""
    system, place = filesystem(path)
    try:
        for _ in range(2):
            system.pipe_file(place, b"", mode="create")
    except FileExistsError:
        return True
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    return False
