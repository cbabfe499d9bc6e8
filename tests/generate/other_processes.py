"""Processes beside a test's own that call a function of its helpers, and that do not outlive the test.

They are forked from a process without threads that has imported what they need, so they begin at once.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from held_runs import PATIENCE, wait_until

from synthharm.generate.cache import keep_index
from synthharm.generate.running import claims as module
from synthharm.generate.running.claims import Taken, claims, nothing

KEY = "ab12"
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["synthharm.generate.cache", "synthharm.generate.running.claims"])


@contextmanager
def processes(target: Callable[..., None], calls: Sequence[tuple[Any, ...]]) -> Iterator[list[BaseProcess]]:
    """Run a function of this file in a process for each of some calls; what is left at the end is killed."""
    children: list[BaseProcess] = [_FORKS.Process(target=target, args=call, daemon=True) for call in calls]
    for child in children:
        child.start()
    try:
        yield children
    finally:
        for child in children:
            child.kill()
            child.join(PATIENCE)


def statuses(children: Sequence[BaseProcess]) -> list[int | None]:
    """Wait for the end of processes; gives how they ended."""
    for child in children:
        child.join(PATIENCE)
        assert not child.is_alive(), f"waited {PATIENCE:.0f} s in vain for process {child.pid} to end"
    return [child.exitcode for child in children]


def contend(folder: Path, number: int, wait: bool, removing: bool) -> None:
    """Hold a claim many times, and mark what it guards while it is held."""
    module._PATIENCE, module._POLL = 0.05, 0.001
    chance, mark = random.Random(number), folder / "mark"
    for _ in range(40):
        with contextlib.suppress(Taken), claims(folder / "locks").hold("run", against=nothing, wait=wait):
            try:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                (folder / "held by two").touch()
                return
            time.sleep(chance.uniform(0, 0.002))
            mark.unlink()
            if removing and chance.random() < 0.5:
                shutil.rmtree(folder / "locks", ignore_errors=True)


def hold_for_ever(folder: Path, name: str) -> None:
    with claims(folder).hold(name, against=nothing):
        (folder / "holding.now").touch()
        signal.pause()


def write_index(folder: Path) -> str:
    (folder / "below").mkdir()
    (folder / "below" / "a.bin").write_bytes(b"a")
    (folder / "b.bin").write_bytes(b"b")
    return "digest"


def keep_slowly(cache: Path, told: Path) -> None:
    """Keep an index in a cache, where it is made once a file `go` lies beside `told`."""

    def make(folder: Path) -> str:
        with told.open("a") as file:
            file.write("made\n")
        wait_until((told.parent / "go").exists, "the test to let it go on")
        return write_index(folder)

    keep_index(cache, KEY, make)
