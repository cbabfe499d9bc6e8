"""Running jobs: on this machine, in as many processes as asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from synthharm.generate.shard import Job, make_shard


def run_jobs(jobs: Sequence[Job], workers: int) -> Iterator[int]:
    """Make shards, and give the number of each as it is done, in any order."""
    from joblib import Parallel, delayed

    if workers == 1:
        yield from map(make_shard, jobs)
        return
    parallel = Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered", batch_size=1)
    yield from parallel(delayed(make_shard)(job) for job in jobs)
