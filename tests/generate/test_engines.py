"""Engines: whatever works the shards off, and whatever becomes of it, the bytes are the same."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dask_cluster import dask_cluster
from held_runs import HeldRuns, wait_until
from small_datasets import tree, write_photos, write_recipe

from synthharm.errors import SynthharmError
from synthharm.generate import generate
from synthharm.generate.cache import cache_beside
from synthharm.generate.dataset import Dataset
from synthharm.generate.running import engine as module
from synthharm.generate.running.engine import Engine, WorkersLost
from synthharm.generate.sample import library_versions
from synthharm.generate.shard import Job, ShardDone, make_shard
from synthharm.generate.workshop import open_plan
from synthharm.recipe import load_recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = write_photos(tmp_path_factory.mktemp("photos"))
    return write_recipe(photos / "recipe.yaml", photos)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "spark"}, "engine is 'spark'; accepted are local, dask"),
        ({"jobs": 0}, "jobs is 0; 1 or more is accepted"),
        ({"address": "tcp://host:1"}, "address is 'tcp://host:1'; only the engine dask has one"),
    ],
)
def test_an_engine_that_is_none_is_refused(
    recipe: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(SynthharmError, match=message):
        generate(recipe, tmp_path / "dataset", **options)  # type: ignore[arg-type]
    assert tree(tmp_path) == {}


def test_where_nothing_is_said_one_process_of_this_machine_works() -> None:
    assert Engine() == Engine("local", 1, None)


def test_no_scheduler_at_the_address(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and it does not listen
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SynthharmError, match=f"engine dask: no scheduler answers at {address}: "):
            generate(recipe, tmp_path / "dataset", engine="dask", address=address)
    with pytest.raises(SynthharmError, match="engine dask: no scheduler answers at nonsense://host: "):
        generate(recipe, tmp_path / "dataset", engine="dask", address="nonsense://host")


def test_a_scheduler_without_workers(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(module, "_WAIT", 0.5)
    with distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address=None, protocol="tcp", host="127.0.0.1"
    ) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(SynthharmError, match=f"engine dask: {address} has no workers"):
            generate(recipe, tmp_path / "dataset", engine="dask", address=address)


def test_without_the_package_it_is_named(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SynthharmError, match=r"engine dask: needs the package distributed: pip install"):
        generate(recipe, tmp_path / "dataset", engine="dask")


def _job(recipe: Path, folder: Path) -> Job:
    checked = load_recipe(recipe)
    (index,) = (path for path in cache_beside(folder).iterdir() if (path / "index.json").exists())
    return Job(
        folder=str(folder),
        plan=Dataset(folder).plan_sha256(),
        recipe=checked.model_dump_json(),
        cache=str(cache_beside(folder)),
        key=index.name,
        digest=open_plan(checked, index).digest,
        shard=3,
        versions=library_versions(),
    )


def test_a_worker_that_is_not_like_the_others_says_so(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    generate(recipe, folder, rank=0, world_size=2)
    job = _job(recipe, folder)
    here, host = library_versions()["numpy"], socket.gethostname()
    with pytest.raises(
        SynthharmError,
        match=f"^worker on {host}: has other libraries than the run: numpy: {here} here, 0.1 there$",
    ):
        make_shard(replace(job, versions={**job.versions, "numpy": "0.1"}))
    with pytest.raises(SynthharmError, match=f"^output: {tmp_path}/mine is not there for the worker on {host}; "):
        make_shard(replace(job, folder=str(tmp_path / "mine")))
    with pytest.raises(
        SynthharmError, match=f"^output: {folder} holds another dataset for the worker on {host}; "
    ):
        make_shard(replace(job, plan="0" * 64))
    assert Dataset(folder).done_shards() == {0, 2}
    done = make_shard(job)
    assert (done.shard, done.samples) == (3, 3)
    assert make_shard(job) == done
    assert Dataset(folder).done_shards() == {0, 2, 3}


def test_workers_lost_now_and_then_end_no_run(
    recipe: Path, expected: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthharm.generate.run.run_jobs", _losing([0, 0, 2, 0, 0, 2]))
    generate(recipe, tmp_path / "dataset")
    assert tree(tmp_path / "dataset") == expected


def test_workers_lost_again_and_again_do(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthharm.generate.run.run_jobs", _losing([1, 0, 0, 0]))
    with pytest.raises(SynthharmError, match=r"workers: processes were ended 3 times without a shard being made"):
        generate(recipe, tmp_path / "dataset")
    assert Dataset(tmp_path / "dataset").done_shards() == {0}


def _losing(made: list[int]):  # type: ignore[no-untyped-def]
    """Makes so many shards, and then loses its workers, each time it is called."""
    turns = iter(made)

    def run_jobs(jobs: Iterator[Job], engine: Engine, workers: Callable[[int], None]) -> Iterator[ShardDone]:
        for _ in range(next(turns)):
            yield make_shard(next(jobs))
        if next(jobs, None) is not None:
            raise WorkersLost("a worker was killed")

    return run_jobs


@pytest.mark.slow
def test_a_cluster_makes_the_same_bytes_though_a_worker_is_killed(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    held.hold(4)
    with dask_cluster(2, held.environment) as cluster:
        options = ["--engine", "dask", "--address", cluster.address]
        run = held.synthharm("generate", recipe, "--output", folder, *options)
        worker = held.reached(4, run)
        held.release()
        os.kill(worker, signal.SIGKILL)
        assert run.ends() == 0, run.text
    assert tree(folder) == expected


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "dask"])
def test_workers_of_this_machine_make_the_same_bytes_though_one_is_killed(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path, engine: str
) -> None:
    folder = tmp_path / "dataset"
    held.hold(4)
    run = held.synthharm("generate", recipe, "--output", folder, "--engine", engine, "--jobs", 2)
    worker = held.reached(4, run)
    assert worker != run.process.pid
    held.release()
    os.kill(worker, signal.SIGKILL)
    assert run.ends() == 0, run.text
    assert tree(folder) == expected


@pytest.mark.slow
def test_workers_that_are_always_killed_end_the_run(recipe: Path, held: HeldRuns, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    held.kill_at(0, 4, 7, 10)
    run = held.synthharm("generate", recipe, "--output", folder, "--jobs", 2)
    assert run.ends() == 1
    assert "workers: processes were ended 3 times without a shard being made" in run.text
    assert "fewer jobs need less" in run.text
    assert "Traceback" not in run.text


@pytest.mark.slow
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_the_way_processes_are_started_is_no_matter(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path, method: str
) -> None:
    script, folder = tmp_path / "script.py", tmp_path / "dataset"
    script.write_text(
        "import multiprocessing\n"
        "from synthharm.generate import generate\n"
        "if __name__ == '__main__':\n"
        f"    multiprocessing.set_start_method({method!r})\n"
        f"    generate({str(recipe)!r}, {str(folder)!r}, jobs=2)\n"
    )
    run = held.start([sys.executable, str(script)])
    assert run.ends() == 0, run.text
    assert run.text == ""
    assert tree(folder) == expected


@pytest.mark.slow
def test_a_script_without_a_guard_works(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path
) -> None:
    script, folder = tmp_path / "script.py", tmp_path / "dataset"
    script.write_text(
        f"from synthharm.generate import generate\ngenerate({str(recipe)!r}, {str(folder)!r}, jobs=2)\n"
    )
    run = held.start([sys.executable, str(script)])
    assert run.ends() == 0, run.text
    assert tree(folder) == expected


@pytest.mark.slow
def test_the_folder_is_free_as_soon_as_its_run_is_killed(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path
) -> None:
    """Its workers may live on for a while; they hold nothing."""
    folder = tmp_path / "dataset"
    held.hold(4)
    run = held.synthharm("generate", recipe, "--output", folder, "--jobs", 2)
    held.reached(4, run)
    wait_until(lambda: 0 in Dataset(folder).done_shards(), "the first shard")
    os.kill(run.process.pid, signal.SIGKILL)
    run.ends()
    assert Dataset(folder).claims.held() == []
    generate(recipe, folder)
    assert tree(folder) == expected
