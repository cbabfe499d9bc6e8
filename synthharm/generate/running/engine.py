"""Engines: what works shards off. All are told shards by number, one after the other, as workers are free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from logging import ERROR
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.generate.running.stopping import uninterrupted_children
from synthharm.generate.shard import Job, ShardDone, make_shard

ENGINES = ("local", "dask")
_WAIT = 30.0  # seconds for a cluster, and for its first worker


class WorkersLost(Exception):
    """Worker processes ended, and the shards they had in hand are not made."""


@dataclass(frozen=True)
class Engine:
    """Who makes the shards.

    Args:
        name: "local", processes of this machine (joblib's loky), or "dask", the workers of a cluster.
        jobs: how many processes, where they are started here.
        address: of a Dask scheduler that runs already, such as "tcp://host:8786"; None to start workers here.

    Raises:
        SynthharmError: no such engine, fewer than one job, or an address where none is used.
    """

    name: str = "local"
    jobs: int = 1
    address: str | None = None

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise SynthharmError(f"engine is {self.name!r}; accepted are {', '.join(ENGINES)}")
        if self.jobs < 1:
            raise SynthharmError(f"jobs is {self.jobs}; 1 or more is accepted")
        if self.address is not None and self.name != "dask":
            raise SynthharmError(f"address is {self.address!r}; only the engine dask has one")


def run_jobs(jobs: Iterable[Job], engine: Engine) -> Iterator[ShardDone]:
    """Make shards, and say of each what it came to as it is done, in any order.

    A job is taken from `jobs` only when a worker is free for it.

    Raises:
        WorkersLost: worker processes were killed from outside.
        SynthharmError: no cluster is there, or what making a shard raises.
    """
    if engine.name == "dask":
        with _cluster(engine) as workers:
            yield from _parallel(jobs, "dask", workers)
    elif engine.jobs == 1:
        yield from map(make_shard, jobs)
    else:
        yield from _parallel(jobs, "loky", engine.jobs)


def _parallel(jobs: Iterable[Job], backend: str, workers: int) -> Iterator[ShardDone]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import BrokenProcessPool

    with parallel_config(backend=backend, n_jobs=workers):
        parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=workers)
    try:
        with uninterrupted_children():
            made = parallel(delayed(make_shard)(job) for job in jobs)  # which starts the processes
        yield from made
    except BrokenProcessPool as error:
        raise WorkersLost(str(error).partition("\n")[0]) from error
    except Exception as error:
        if type(error).__name__ == "KilledWorker":
            raise WorkersLost(str(error)) from error
        raise


@contextmanager
def _cluster(engine: Engine) -> Iterator[int]:
    """A Dask cluster for the block, and how many shards it works on at a time."""
    try:
        from distributed import Client
    except ImportError as error:
        raise SynthharmError(
            "engine dask: needs the package distributed: pip install 'synthharm[dask]'"
        ) from error
    with _workers(engine) as address:
        try:
            client = Client(address, timeout=_WAIT, set_as_default=True)
        except (OSError, ValueError) as error:
            raise SynthharmError(f"engine dask: no scheduler answers at {engine.address}: {error}") from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_WAIT)
            except TimeoutError as error:
                raise SynthharmError(f"engine dask: {engine.address} has no workers") from error
            yield sum(client.nthreads().values())


def _workers(engine: Engine) -> AbstractContextManager[Any]:
    if engine.address is not None:
        return nullcontext(engine.address)
    from distributed import LocalCluster

    with uninterrupted_children():
        cluster: AbstractContextManager[Any] = LocalCluster(
            n_workers=engine.jobs, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=ERROR
        )
    return cluster
