"""Killed at any moment and begun again, a run comes to the same bytes."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from dask_cluster import dask_cluster
from held_runs import PATIENCE, HeldRuns, Run, wait_until
from small_datasets import tree, write_photos, write_recipe

from synthharm.generate import generate
from synthharm.generate.dataset import Dataset
from synthharm.generate.running.watch import FINISHING, MAKING

KILLS = 50
SHARDS = 45
LONGEST = 0.3  # seconds between a stage of a run and a kill


@dataclass(frozen=True)
class Way:
    """A way to kill.

    Args:
        of_worker: whether it ends a worker, and not the run.
        kill: does it, and says whether it has.
    """

    of_worker: bool
    kill: Callable[[Run], bool]


def kill_coordinator(run: Run) -> bool:
    """Its workers may live on for a while."""
    run.process.kill()
    return run.process.wait(PATIENCE) == -signal.SIGKILL


def kill_all(run: Run) -> bool:
    with suppress(ProcessLookupError):
        run.interrupt(signal.SIGKILL)
    return run.process.wait(PATIENCE) == -signal.SIGKILL


def worker_killer(chance: random.Random, find: Callable[[Run], list[psutil.Process]]) -> Callable[[Run], bool]:
    def kill(run: Run) -> bool:
        with suppress(psutil.NoSuchProcess):
            if workers := find(run):
                chance.choice(workers).kill()
                return True
        return False

    return kill


def own_workers(run: Run) -> list[psutil.Process]:
    """The worker processes that a local run has started so far."""
    below = psutil.Process(run.process.pid).children(recursive=True)
    return [one for one in below if "LokyProcess" in " ".join(one.cmdline())]


def phase(run: Run, dataset: Dataset) -> str | None:
    """What a run says that it is at, once it says so."""
    with suppress(FileNotFoundError):
        state = json.loads(dataset.status_file("run").read_bytes())
        return str(state["phase"]) if state["process"] == run.process.pid else None
    return None


def wait_for_a_moment(run: Run, dataset: Dataset, chance: random.Random) -> None:
    """Wait until a run is in a stage drawn at random, and a little longer; or until it has ended by itself."""
    shards = chance.choice([*range(len(dataset.done_shards()) + 1, SHARDS + 1), SHARDS])
    reached: Callable[[], bool] = chance.choice(
        [
            lambda: True,
            lambda: phase(run, dataset) is not None,
            lambda: phase(run, dataset) in (MAKING, FINISHING),
            lambda: len(dataset.done_shards()) >= shards,
            lambda: len(dataset.done_shards()) >= shards,
        ]
    )
    wait_until(lambda: reached() or run.ended, "a stage of the run", lambda: run.text)
    time.sleep(chance.uniform(0, LONGEST))


def check_kills(
    held: HeldRuns, folder: Path, ways: list[Way], options: Callable[[Way], list[str]], chance: random.Random
) -> None:
    """Go on with a run after each kill until it ends by itself, and begin another until all kills are done."""
    recipe = write_recipe(folder / "recipe.yaml", write_photos(folder / "photos"), samples=2 * SHARDS, shard=2)
    generate(recipe, folder / "whole")
    expected = tree(folder / "whole")
    kills: list[tuple[bool, bool]] = []  # whether it was of a worker, and whether a part of the shards was done
    for number in itertools.count():
        dataset, status = Dataset(folder / f"killed{number}"), -1
        while status:
            way = chance.choice(ways)
            run = held.synthharm("generate", recipe, "--output", dataset.folder, *options(way))
            while len(kills) < KILLS and not run.ended:
                wait_for_a_moment(run, dataset, chance)
                midway = 0 < len(dataset.done_shards()) < SHARDS
                if not run.ended and way.kill(run):
                    kills.append((way.of_worker, midway))
                    way = chance.choice(ways)
            status = run.ends()
            assert status in (0, -signal.SIGKILL) or "processes were ended" in run.text, run.text
        assert tree(dataset.folder) == expected, f"{len(kills)} kills"
        held.clear()  # workers live on for a while without those who started them
        if len(kills) == KILLS:
            break
    assert {of_worker for of_worker, _ in kills} == {False, True}, Counter(kills)
    assert any(midway for _, midway in kills), Counter(kills)


@pytest.mark.slow
def test_killed_at_random_moments_the_bytes_stay_the_same(held: HeldRuns, tmp_path: Path) -> None:
    chance = random.Random(4)
    ways = [Way(False, kill_coordinator), Way(False, kill_all), Way(True, worker_killer(chance, own_workers))]

    def options(way: Way) -> list[str]:
        return ["--jobs", "2" if way.of_worker else chance.choice("12")]

    check_kills(held, tmp_path, ways, options, chance)


@pytest.mark.slow
def test_killed_at_random_moments_on_a_cluster_the_bytes_stay_the_same(held: HeldRuns, tmp_path: Path) -> None:
    chance = random.Random(5)
    with dask_cluster(workers=2) as cluster:
        ways = [Way(False, kill_coordinator), Way(True, worker_killer(chance, lambda _: cluster.workers()))]
        check_kills(held, tmp_path, ways, lambda _: ["--engine", "dask", "--address", cluster.address], chance)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(held: HeldRuns, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", write_photos(tmp_path / "photos"), samples=60, shard=1)
    held.hold(20)
    run = held.synthharm("generate", recipe, "--output", tmp_path / "killed", "--jobs", 2)
    worker = held.reached(20, run)
    assert worker in [one.pid for one in own_workers(run)]
    held.release()
    os.kill(worker, signal.SIGKILL)
    assert run.ends() == 0, run.text
    generate(recipe, tmp_path / "whole")
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
