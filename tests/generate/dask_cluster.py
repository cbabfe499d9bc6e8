"""A Dask cluster of real processes, a scheduler and workers, for as long as a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from held_runs import PATIENCE, wait_until


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
def dask_cluster(workers: int, environment: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Run `dask scheduler` and `dask worker` on this machine, each worker with a thread and a nanny.

    Args:
        workers: how many.
        environment: of the processes; None for this one's.
    """
    pytest.importorskip("distributed")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        found = folder / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(found)]
        stack.enter_context(_running(folder, environment, "scheduler", *options))
        wait_until(lambda: _read(found).endswith("}"), "the scheduler", lambda: _read(folder / "scheduler.log"))
        address = str(json.loads(_read(found))["address"])
        options = [address, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
        nannies = [stack.enter_context(_running(folder, environment, "worker", *options)) for _ in range(workers)]
        cluster = Cluster(address, tuple(nannies))
        wait_until(lambda: len(cluster.workers()) >= workers, "the workers", lambda: _read(folder / "worker.log"))
        yield cluster


@contextmanager
def _running(folder: Path, environment: Mapping[str, str] | None, role: str, *options: str) -> Iterator[int]:
    command = [sys.executable, "-m", "dask", role, *options]
    with (folder / f"{role}.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process.pid
    finally:
        with suppress(ProcessLookupError):  # workers too: they are of its group
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").rstrip() if path.is_file() else ""
