"""Killed at any moment and begun again, a run comes to the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from dask_cluster import dask_cluster
from small_datasets import tree, write_photos, write_recipe

from synthharm.generate import generate

KILLS = 50
EARLIEST, LATEST = 0.2, 9.0  # seconds after the start; starting takes about half of that

Kill = Callable[["subprocess.Popen[bytes]"], None]


@dataclass(frozen=True)
class Runs:
    """Runs as processes of their own, each in a group by itself; what they print goes to a file."""

    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, recipe: Path, folder: Path, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "synthharm", "generate", str(recipe), "--output", str(folder), *options]
        with (self.folder / "printed").open("wb") as file:
            run = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        self.started.append(run)
        return run

    def printed(self) -> str:
        """What the last one has printed."""
        return (self.folder / "printed").read_text()


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    made = Runs(tmp_path)
    yield made
    for run in made.started:  # workers may live on without those who started them
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def kill_coordinator(process: subprocess.Popen[bytes]) -> None:
    """Its workers may live on for a while."""
    process.kill()


def kill_all(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)


def worker_killer(chance: random.Random, find: Callable[[subprocess.Popen[bytes]], list[psutil.Process]]) -> Kill:
    def kill(process: subprocess.Popen[bytes]) -> None:
        with suppress(psutil.NoSuchProcess):
            if workers := find(process):
                chance.choice(workers).kill()

    return kill


def own_workers(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The worker processes that a local run has started so far."""
    below = psutil.Process(process.pid).children(recursive=True)
    return [one for one in below if "LokyProcess" in " ".join(one.cmdline())]


def check_kills(runs: Runs, kills: list[Kill], options: Callable[[], list[str]], chance: random.Random) -> None:
    """Go on with a run after each kill until it ends by itself, and begin another until no kill is left."""
    tmp_path = runs.folder
    recipe = write_recipe(tmp_path / "recipe.yaml", write_photos(tmp_path / "photos"), samples=90, shard=2)
    generate(recipe, tmp_path / "whole")
    expected = tree(tmp_path / "whole")
    waiting, folders = list(kills), 0
    while waiting:
        folders += 1
        folder = tmp_path / f"killed{folders}"
        while True:
            process = runs.start(recipe, folder, *options())
            if waiting:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(chance.uniform(EARLIEST, LATEST))
                if process.poll() is None:
                    waiting.pop()(process)
            if process.wait() == 0:
                break
            killed = process.returncode == -signal.SIGKILL or "processes were ended" in runs.printed()
            assert killed, runs.printed()
        assert tree(folder) == expected, f"{len(kills) - len(waiting)} kills"


@pytest.mark.slow
def test_killed_at_random_moments_the_bytes_stay_the_same(runs: Runs) -> None:
    chance = random.Random(4)
    ways = [kill_coordinator, kill_all, worker_killer(chance, own_workers)]
    kills = [chance.choice(ways) for _ in range(KILLS)]
    check_kills(runs, kills, lambda: ["--jobs", str(chance.choice((1, 2)))], chance)


@pytest.mark.slow
def test_killed_at_random_moments_on_a_cluster_the_bytes_stay_the_same(runs: Runs) -> None:
    chance = random.Random(5)
    with dask_cluster(workers=2) as cluster:
        ways = [kill_coordinator, worker_killer(chance, lambda _: cluster.workers())]
        kills = [chance.choice(ways) for _ in range(KILLS)]
        check_kills(runs, kills, lambda: ["--engine", "dask", "--address", cluster.address], chance)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(runs: Runs, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", write_photos(tmp_path / "photos"), samples=60, shard=1)
    process = runs.start(recipe, tmp_path / "killed", "--jobs", "2")
    while not list((tmp_path / "killed" / "records").glob("*")):
        assert process.poll() is None, runs.printed()
        time.sleep(0.02)
    own_workers(process)[0].kill()
    assert process.wait() == 0, runs.printed()
    generate(recipe, tmp_path / "whole")
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
