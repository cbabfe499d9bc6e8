"""Engines: what works shards off. All are told shards by number, one after the other, as workers are free."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.generate.running.stopping import uninterrupted_children
from synthharm.generate.shard import Job, ShardDone, make_shard

ENGINES = ("local", "dask")
_WAIT = 30.0  # seconds for a cluster, and for its first worker
_LOOK, _POLL = 2.0, 0.02  # seconds between looks at a cluster's workers, and at their shards


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


def run_jobs(
    jobs: Iterable[Job], engine: Engine, workers: Callable[[int], None] = lambda count: None
) -> Iterator[ShardDone]:
    """Make shards, and say of each what it came to as it is done, in any order.

    A job is taken from `jobs` only when a worker is free for it.

    Args:
        jobs: what is to be made.
        engine: who makes it.
        workers: told how many processes do, and again where it changes; none where a cluster's workers are gone
            or paused.

    Raises:
        WorkersLost: worker processes were killed from outside.
        SynthharmError: no cluster is there, or what making a shard raises.
    """
    if engine.name == "dask":
        with _cluster(engine) as client:
            yield from _on_cluster(jobs, client, workers)
        return
    workers(engine.jobs)
    if engine.jobs == 1:
        yield from map(make_shard, jobs)
    else:
        yield from _in_processes(jobs, engine.jobs)


def _in_processes(jobs: Iterable[Job], workers: int) -> Iterator[ShardDone]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    parallel = Parallel(
        n_jobs=workers, backend="loky", return_as="generator_unordered", batch_size=1, pre_dispatch=workers
    )
    try:
        with warnings.catch_warnings():
            # joblib replaces a worker that has grown, and says so; as an error that would end its thread.
            warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
            with uninterrupted_children():
                made = parallel(delayed(make_shard)(job) for job in jobs)  # which starts the processes
            yield from made
    except BrokenProcessPool as error:
        raise WorkersLost(str(error).partition("\n")[0]) from error


def _on_cluster(jobs: Iterable[Job], client: Any, workers: Callable[[int], None]) -> Iterator[ShardDone]:
    """Keep every worker of a cluster at a shard, those too that come while it works."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker, as_completed

    remaining, in_hand, known, due = iter(jobs), as_completed(loop=client.loop), -1, 0.0
    try:
        while True:
            if (now := time.monotonic()) >= due:
                due = now + _LOOK
                if (found := _at_work(client)) != known:
                    known = found
                    workers(known)
            free = max(known, 1) - in_hand.count()
            for job in islice(remaining, max(free, 0)):
                in_hand.add(client.submit(make_shard, job, pure=False))
            if in_hand.is_empty():
                return
            if in_hand.has_ready():
                yield next(in_hand).result()
            else:
                time.sleep(_POLL)
    except KilledWorker as error:
        raise WorkersLost(str(error)) from error
    except (CancelledError, OSError) as error:
        if client.status == "running":
            raise  # it is a worker's
        raise _lost(client) from error


def _at_work(client: Any) -> int:
    """How many workers take shards: neither those that are paused, nor those that are on their way out."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return sum(worker["status"] == "running" for worker in workers)


def _lost(client: Any) -> SynthharmError:
    address = client.scheduler.address if client.scheduler else "its address"
    return SynthharmError(
        f"engine dask: the scheduler at {address} was lost; once it is there again, the same command goes on"
    )


@contextmanager
def _cluster(engine: Engine) -> Iterator[Any]:
    """The client of a Dask cluster for the block."""
    try:
        from distributed import Client
    except ImportError as error:
        raise SynthharmError(
            "engine dask: needs the package distributed: pip install 'synthharm[dask]'"
        ) from error
    with _workers(engine) as address, _quiet("distributed.client"):
        try:
            client = Client(address, timeout=_WAIT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise SynthharmError(f"engine dask: no scheduler answers at {engine.address}: {error}") from error
        with client:
            try:
                client.wait_for_workers(1, timeout=_WAIT)
            except TimeoutError as error:
                raise SynthharmError(f"engine dask: {engine.address} has no workers") from error
            yield client


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """A library's logger says nothing of errors in the block, which are said otherwise."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _workers(engine: Engine) -> AbstractContextManager[Any]:
    if engine.address is not None:
        return nullcontext(engine.address)
    from distributed import LocalCluster

    with uninterrupted_children():
        cluster: AbstractContextManager[Any] = LocalCluster(
            n_workers=engine.jobs,
            threads_per_worker=1,
            processes=True,
            memory_limit=None,  # a process that has grown rarely shrinks, so one that is paused would stay so
            dashboard_address=":0",
            silence_logs=logging.ERROR,
        )
    return cluster
