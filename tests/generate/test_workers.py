"""Workers that come, grow, or lose their scheduler: the shards are made, or the run says what is wrong."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from dask_cluster import dask_cluster
from held_runs import PATIENCE, HeldRuns, wait_until
from small_datasets import tree, write_photos, write_recipe

from synthharm.errors import SynthharmError
from synthharm.generate import generate
from synthharm.generate.dataset import Dataset
from synthharm.generate.running import engine as module
from synthharm.generate.running.watch import State, Watch

# In every process: a worker that has made two shards has grown too large, and is replaced.
_GROWN = """
from joblib.externals.loky import process_executor
process_executor._MAX_MEMORY_LEAK_SIZE = -(1 << 60)
process_executor._MEMORY_LEAK_CHECK_DELAY = 0
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = write_photos(tmp_path_factory.mktemp("photos"))
    return write_recipe(photos / "recipe.yaml", photos)


@contextmanager
def cluster_of_one() -> Iterator[tuple[Any, Any]]:
    """A Dask cluster within this process, with one worker, and a client of it."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield cluster, client


def itself(job: int) -> int:
    return job


def test_workers_that_come_later_join_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_shard", itself)
    monkeypatch.setattr(module, "_LOOK", 0.0)
    counts = list[int]()
    with cluster_of_one() as (cluster, client):

        def jobs() -> Iterator[int]:
            for number in range(6):
                if number == 3:
                    cluster.scale(2)
                    client.wait_for_workers(2, timeout=PATIENCE)
                yield number

        made = list(module._on_cluster(jobs(), client, counts.append))  # type: ignore[arg-type]
    assert sorted(made) == list(range(6))  # type: ignore[type-var]
    assert counts == [1, 2]


def test_a_cluster_without_workers_says_so_and_goes_on_when_they_are_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_shard", itself)
    monkeypatch.setattr(module, "_LOOK", 0.0)
    counts = list[int]()
    with cluster_of_one() as (cluster, client):

        def note(count: int) -> None:
            counts.append(count)
            if count == 0:
                cluster.scale(1)

        def jobs() -> Iterator[int]:
            for number in range(4):
                if number == 2:
                    cluster.scale(0)
                    wait_until(lambda: not client.nthreads(), "the worker to be gone")
                yield number

        made = list(module._on_cluster(jobs(), client, note))  # type: ignore[arg-type]
    assert sorted(made) == list(range(4))  # type: ignore[type-var]
    assert counts[:2] == [1, 0]
    assert counts[-1] == 1


def failing(job: object) -> object:
    raise job  # type: ignore[misc]


def test_what_goes_wrong_on_a_cluster_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was killed, a disk that is full, and a mistake of a recipe."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(module, "make_shard", failing)
    full = OSError(errno.ENOSPC, "No space left on device", "images")
    with cluster_of_one() as (_, client):
        for raised, expected in (
            (distributed.KilledWorker("shard", SimpleNamespace(address="tcp://gone:1"), 3), module.WorkersLost),
            (full, OSError),
            (SynthharmError("no such thing"), SynthharmError),
        ):
            with pytest.raises(expected) as caught:
                list(module._on_cluster([raised], client, lambda _: None))  # type: ignore[list-item]
            assert (caught.value.args == raised.args) == (expected is not module.WorkersLost)


def test_workers_that_are_paused_are_not_counted() -> None:
    states = {"a": "running", "b": "paused", "c": "closing_gracefully", "d": "running"}
    info = {"workers": {name: {"status": status} for name, status in states.items()}}
    assert module._at_work(SimpleNamespace(scheduler_info=lambda n_workers: info)) == 2


def test_a_rate_is_taken_over_as_many_workers_as_there_are() -> None:
    watch = Watch(State(part="run", wanted=10, shards=10, engine="dask", workers=1))
    watch.begun(0, 2)
    assert (watch.state.workers, watch.first) == (1, 3)
    watch.workers(4)
    assert (watch.state.workers, watch.first) == (4, 6)


@pytest.mark.slow
def test_a_cluster_of_one_worker_makes_the_shards_itself(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    held.hold(4)
    with dask_cluster(1, held.environment) as cluster:
        options = ["--engine", "dask", "--address", cluster.address]
        run = held.synthharm("generate", recipe, "--output", folder, *options)
        assert held.reached(4, run) in {worker.pid for worker in cluster.workers()}
        held.release()
        assert run.ends() == 0, run.text
    assert tree(folder) == expected


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_named_and_the_run_goes_on_without_it(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    held.hold(4)
    with dask_cluster(1, held.environment) as cluster:
        options = ["--engine", "dask", "--address", cluster.address]
        run = held.synthharm("generate", recipe, "--output", folder, *options)
        held.reached(4, run)
        (scheduler,) = (
            one for one in psutil.process_iter() if _listens(one, int(cluster.address.rpartition(":")[2]))
        )
        os.kill(scheduler.pid, signal.SIGKILL)
        assert run.ends() == 1, run.text
        held.release()
    said = " ".join(run.text.split())
    assert f"engine dask: the scheduler at {cluster.address} was lost; once it is there again" in said
    assert "Traceback" not in said
    assert Dataset(folder).done_shards() >= {0}
    generate(recipe, folder)
    assert tree(folder) == expected


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        return any(one.laddr and one.laddr.port == port for one in process.net_connections() if not one.raddr)
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return False


@pytest.mark.slow
def test_a_worker_that_has_grown_is_replaced_without_a_word(
    recipe: Path, held: HeldRuns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (held.folder / "sitecustomize.py").open("a") as file:
        file.write(_GROWN)
    monkeypatch.setenv("PYTHONWARNINGS", "error:A worker stopped")
    run = held.synthharm("generate", recipe, "--output", tmp_path / "two", "--jobs", 2, "--set", "samples=36")
    assert run.ends() == 0, run.text
    assert "A worker stopped" not in run.text
    generate(recipe, tmp_path / "one", overrides=["samples=36"])
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
