"""A run: from a recipe to a dataset on disk, begun or continued."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.files import remove_folder
from synthharm.generate.cache import absolute, cache_beside
from synthharm.generate.dataset import SUMMARY, Dataset
from synthharm.generate.running.claims import Taken, nothing
from synthharm.generate.running.engine import Engine, WorkersLost, run_jobs
from synthharm.generate.running.part import FINISH, Part
from synthharm.generate.running.stopping import Stop
from synthharm.generate.running.views import StatusFile
from synthharm.generate.running.watch import FAILED, FINISHED, FINISHING, PLANNING, STOPPED, State, View, Watch
from synthharm.generate.sample import library_versions
from synthharm.generate.shard import Job, samples_of
from synthharm.generate.workshop import AnyPlan, finish_dataset, keep_index_of, open_plan
from synthharm.recipe import AnyRecipe, as_recipe
from synthharm.storage import as_path, require_object_store, storage_errors

MOST_LOSSES = 3  # times in a row that workers may be lost without a shard being made


class Stopped(SynthharmError):
    """A run was asked to stop, and has. What is made stays, and the same command goes on with it."""


@dataclass(frozen=True)
class Summary:
    """What a run came to.

    Args:
        folder: the dataset's.
        continued: shards that were already there.
        left: shards of other parts that are still to be made.
        numbers: the dataset in numbers, as in its dataset.json; none while shards are left, or while another part
            finishes it.
    """

    folder: Path
    continued: int
    left: int = 0
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """Samples for which no region could be used."""
        return int(self.numbers["wanted"] - self.numbers["samples"]) if self.numbers else 0


def generate(
    recipe: AnyRecipe | str | Path,
    output: str | Path,
    *,
    jobs: int = 1,
    overrides: Sequence[str] = (),
    engine: str = "local",
    address: str | None = None,
    rank: int = 0,
    world_size: int = 1,
    views: Sequence[View] = (),
    stop: Stop | None = None,
) -> Summary:
    """Make the dataset that a recipe describes, or go on with it where an earlier run left off.

    The bytes that come out depend on the recipe, the sources and the libraries' versions alone: not on the number
    of jobs, engine, interruptions, time or paths, nor, among processors of one kind, on the machine.

    Args:
        recipe: a recipe, or the path of its YAML file.
        output: the dataset's folder, or the address of one such as s3://bucket/folder: new, empty, or of an
            earlier run of the same recipe.
        jobs: processes of this machine to work in; with an address, only those that list the sources.
        overrides: `key=value` on top of a recipe's file.
        engine: "local", or "dask".
        address: of a Dask scheduler that runs already; None to start `jobs` workers here.
        rank: which part of the dataset this process makes, where several share it without knowing each other.
        world_size: how many such processes there are. The last to be done finishes the dataset.
        views: what the run is shown on.
        stop: asks for an early end.

    Raises:
        Stopped: it was asked to stop.
        SynthharmError: the recipe is wrong, the data is not there, the folder is another's or cannot be written.
    """
    workers, part = Engine(engine, jobs, address), Part(rank, world_size)
    checked = as_recipe(recipe, overrides)
    with storage_errors():
        dataset = Dataset(as_path(output))
        require_object_store(dataset.folder)
        run = _Run(dataset, checked, workers, part, stop or Stop())
        with dataset.claimed(checked, part):
            return run.go(views)


@dataclass(frozen=True)
class _Run:
    dataset: Dataset
    recipe: AnyRecipe
    engine: Engine
    part: Part
    stop: Stop

    def go(self, views: Sequence[View]) -> Summary:
        """Do what is left to do."""
        done = self.dataset.done_shards()
        if self.dataset.finished:
            return self._summary(len(done))
        state = State(
            part=self.part.name,
            wanted=sum(map(self._samples, self.part.shards(self._shards))),
            shards=len(self.part.shards(self._shards)),
            engine=self.engine.name,
            workers=self.engine.jobs,
        )
        watch = Watch(state, [StatusFile(self.dataset.status_file(self.part.name)), *views])
        try:
            with self._failures(watch):
                summary = self._make(watch, done)
                watch.phase(FINISHED)
                return summary
        finally:
            watch.close()

    @property
    def _shards(self) -> int:
        return ceil(self.recipe.samples / self.recipe.shard)

    def _samples(self, shard: int) -> int:
        return samples_of(self.recipe, shard)

    def _make(self, watch: Watch, done: set[int]) -> Summary:
        """Plan, make the shards that are left, and finish where none is."""
        dataset = self.dataset
        watch.phase(PLANNING)
        cache = cache_beside(dataset.folder)
        plan = open_plan(self.recipe, keep_index_of(self.recipe, cache, self.engine.jobs))
        dataset.begin(self.recipe, plan.digest, plan.index.stamps)
        mine = self.part.shards(self._shards)
        left = set(mine) - done
        watch.begun(sum(self._samples(s) for s in mine if s not in left), len(mine) - len(left))
        self._make_shards(watch, left, partial(self._jobs, plan, cache))
        if left or self.stop.requested:
            raise Stopped(f"stopped: {self._so_far(watch)}; the same command goes on with it")
        if self.part.whole:
            self._finish(watch, plan)
            return self._summary(len(done))
        others = self._shards - len(dataset.done_shards())
        if others:
            return Summary(dataset.folder, len(done), others)
        try:
            with dataset.claims.hold(FINISH, against=nothing):
                if not dataset.finished:
                    dataset.sweep()
                    self._finish(watch, plan)
        except Taken:
            return Summary(dataset.folder, len(done))  # another part found that none is left, too
        return self._summary(len(done))

    def _make_shards(self, watch: Watch, left: set[int], jobs: Callable[[list[int]], Iterator[Job]]) -> None:
        """Make shards, and take each out of what is left as it is done, until none is or a stop is wanted."""
        losses, self.stop.patient = 0, True
        while left and not self.stop.requested:
            before = len(left)
            try:
                for shard in run_jobs(jobs(sorted(left)), self.engine, watch.workers):
                    left.discard(shard.shard)
                    watch.done(shard, self._samples(shard.shard))
            except WorkersLost as error:
                losses = 0 if len(left) < before else losses + 1
                if losses == MOST_LOSSES:
                    raise SynthharmError(
                        f"workers: processes were ended {losses} times without a shard being made, as the system "
                        f"does where memory runs out: {error}; fewer jobs need less"
                    ) from error
        self.stop.patient = False

    def _jobs(self, plan: AnyPlan, cache: Path, shards: list[int]) -> Iterator[Job]:
        job = Job(
            folder=str(absolute(self.dataset.folder)),
            plan=self.dataset.plan_sha256(),
            recipe=self.recipe.model_dump_json(),
            cache=str(cache),
            key=plan.index.path.name,
            digest=plan.digest,
            shard=0,
            versions=library_versions(),
        )
        for shard in shards:
            if self.stop.requested:
                return
            yield replace(job, shard=shard)

    def _finish(self, watch: Watch, plan: AnyPlan) -> None:
        watch.phase(FINISHING)
        finish_dataset(self.dataset, plan, self._shards)
        watch.leave(StatusFile)
        remove_folder(self.dataset.work)

    def _summary(self, continued: int) -> Summary:
        numbers = json.loads((self.dataset.folder / SUMMARY).read_bytes())
        return Summary(self.dataset.folder, continued, 0, numbers)

    def _so_far(self, watch: Watch) -> str:
        state = watch.state
        return f"{state.samples} of {state.wanted} samples are in {self.dataset.folder}"

    @contextmanager
    def _failures(self, watch: Watch) -> Iterator[None]:
        """Leave word of how a run ended, and say what a person can do about it."""
        try:
            yield
        except (KeyboardInterrupt, Stopped) as error:
            watch.phase(STOPPED, str(error) or "interrupted")
            raise
        except OSError as error:
            where = error.filename2 or error.filename or self.dataset.folder  # where to, if a file was moved
            problem = f"output: {where}: {error.strerror or error}"
            advice = "once that is mended, the same command goes on"
            watch.phase(FAILED, problem)
            raise SynthharmError(f"{problem}; {self._so_far(watch)}; {advice}") from error
        except Exception as error:
            watch.phase(FAILED, str(error))
            raise
