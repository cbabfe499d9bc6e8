"""A Dask cluster of real processes, a scheduler and workers, for as long as a test."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

_PATIENCE = 120.0  # seconds for a process to be there


@dataclass(frozen=True)
class Cluster:
    """A running cluster: the scheduler's address, and the processes that started the workers."""

    address: str
    nannies: tuple[int, ...]

    def workers(self) -> list[psutil.Process]:
        """The processes that do the work now: others follow those that end."""
        below = [child for nanny in self.nannies for child in psutil.Process(nanny).children(recursive=True)]
        return [one for one in below if "spawn_main" in " ".join(one.cmdline())]


@contextmanager
def dask_cluster(workers: int) -> Iterator[Cluster]:
    """Run `dask scheduler` and `dask worker` on this machine, each worker with a thread and a nanny."""
    pytest.importorskip("distributed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        found = folder / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(found)]
        stack.enter_context(_running(folder, "scheduler", *options))
        address = str(json.loads(_await(found))["address"])
        options = [address, "--nthreads", "1", "--no-dashboard", "--death-timeout", "60"]
        nannies = [stack.enter_context(_running(folder, "worker", *options)) for _ in range(workers)]
        cluster = Cluster(address, tuple(nannies))
        end = time.monotonic() + _PATIENCE
        while len(cluster.workers()) < workers:
            assert time.monotonic() < end, "the workers did not start"
            time.sleep(0.1)
        yield cluster


@contextmanager
def _running(folder: Path, role: str, *options: str) -> Iterator[int]:
    command = [sys.executable, "-m", "dask", role, *options]
    with (folder / f"{role}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process.pid
    finally:
        below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for one in [*below, process]:
            if one.is_running() if isinstance(one, psutil.Process) else one.poll() is None:
                one.kill()
        process.wait()


def _await(path: Path) -> str:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if path.is_file() and (text := path.read_text()).rstrip().endswith("}"):
            return text
        time.sleep(0.1)
    raise AssertionError(f"{path.name} did not appear")
