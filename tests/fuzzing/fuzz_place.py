"""Where cases are run, and a guard that sees what is opened, written and started meanwhile."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

SECRET = "secret"  # what files outside of the data are called
CANARY = "CANARY"  # what is made where something of an input is executed
STARTS = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn", "subprocess.Popen",
    "socket.connect", "socket.getaddrinfo", "socket.bind", "webbrowser.open",
)  # fmt: skip
CHANGES = (
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod",
    "os.chown", "os.utime", "os.setxattr", "os.mkfifo",
)  # fmt: skip
TWO = ("os.rename", "os.link")  # of two paths, each with the number of a folder
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Escaped(Exception):
    """A case did what no input may lead to."""


@dataclass(frozen=True)
class Place:
    """A folder that stands for a machine.

    Below `root`, `data` is what a source reads, `output` what a run may write, `temp` for temporary files, and
    `outside` holds files that no data leads to. `work` is the working directory and stays empty.
    """

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def temp(self) -> Path:
        return self.root / "temp"

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def outside(self) -> Path:
        return self.root / "outside"

    def make(self, secrets: dict[str, bytes]) -> None:
        """Make the folders, and the files outside; the process works in `work` from now on."""
        for folder in (self.data, self.output, self.temp, self.work, self.outside):
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in secrets.items():
            (self.outside / f"{SECRET}{name}").write_bytes(content)
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.temp)
        os.chdir(self.work)

    def clear(self) -> None:
        """Empty what cases write."""
        for folder in (self.data, self.output, self.temp):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()

    def tree(self) -> dict[str, tuple[int, ...]]:
        """Every file and folder but those that a run may write, each with its kind, size, time and number."""
        found = {}
        for parent, folders, names in os.walk(self.root):
            if parent == str(self.root):
                folders[:] = [name for name in folders if name not in ("output", "temp")]
            for name in (*folders, *names):
                path = os.path.join(parent, name)
                told = os.lstat(path)
                found[path] = (told.st_mode, told.st_size, told.st_mtime_ns, told.st_ino)
        return found


class Guard:
    """Sees, while it is up, what this process opens, changes and starts. Once made it stays until that ends.

    Args:
        place: its `output` and `temp` may be written, and its `outside` not be read.

    Attributes:
        awake: false at first: libraries that are loaded look around, and what is compiled is kept.
    """

    def __init__(self, place: Place) -> None:
        self.place, self.awake, self._up, self._seen = place, False, False, list[str]()
        sys.addaudithook(self._see)

    @contextmanager
    def up(self) -> Iterator[None]:
        """Watch over a block, if awake.

        Raises:
            Escaped: it read a file outside, or tried to write beside the output or to start something; all of
                it is listed.
        """
        if not self.awake:
            yield
            return
        before, self._seen, self._up = self.place.tree(), [], True
        try:
            yield
        finally:
            self._up = False
            after = self.place.tree()
            changed = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
            seen = [*self._seen, *(f"changed {path}" for path in changed)]
            if seen:
                raise Escaped("; ".join(seen))

    def _see(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._up:
            return
        if event in STARTS:
            self._refuse(f"{event} {args!r}")
        elif event == "open" or event in CHANGES:
            self._up = False  # what is asked of the disk here is no case's doing
            try:
                self._see_file(event, args)
            finally:
                self._up = True

    def _see_file(self, event: str, args: tuple[Any, ...]) -> None:
        writing = event != "open" or bool(args[2] & WRITING)
        named = [(args[0], None if event == "os.truncate" else args[-1])]
        if event in TWO:
            named = list(zip(args[:2], args[2:], strict=False))
        elif event == "os.symlink":
            named = [args[1:]]
        for path, folder in named:
            if not isinstance(path, (str, bytes, os.PathLike)) or "\0" in os.fsdecode(path):
                continue
            real = os.path.realpath(os.path.join(_folder(event, folder), os.fsdecode(path)))
            if not writing and _is_below(real, self.place.outside):
                self._seen.append(f"read {real}")
            allowed = any(_is_below(real, folder) for folder in (self.place.output, self.place.temp))
            kept = "/__pycache__" in real and not _is_below(real, self.place.root)  # compiled functions
            if writing and not allowed and not kept and real != os.devnull:
                self._refuse(f"{event} {real}")

    def _refuse(self, what: str) -> NoReturn:
        """Keep it from happening: this is not another machine, and a test that fails must do no harm."""
        self._seen.append(what)
        raise Escaped(what)


def _is_below(path: str, folder: Path) -> bool:
    return path == str(folder) or path.startswith(f"{folder}/")


def _folder(event: str, number: Any) -> str:
    """What a path is taken from: a folder that is open under a number, where one is given."""
    if not event.startswith("os.") or not isinstance(number, int) or number < 0:
        return ""
    return os.readlink(f"/proc/self/fd/{number}") if os.path.exists("/proc/self/fd") else ""
