"""What each kind of recipe is made with: its plan, its maker of samples, and what finishes the dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from synthharm.generate.cache import keep_index
from synthharm.generate.dataset import Dataset
from synthharm.generate.running.stopping import start_workers
from synthharm.generate.source_key import keyless_name, source_key
from synthharm.recipe import AnyRecipe, Recipe
from synthharm.sources import Index, Reject


class Written(Protocol):
    """What is kept of a sample as one line."""

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """What is said of its files, by role: path, sha256 and bytes."""
        ...

    def to_json(self) -> str:
        """The line."""
        ...


class Made(Protocol):
    """A finished sample."""

    @property
    def record(self) -> Written:
        """Everything that was done."""
        ...

    @property
    def files(self) -> Mapping[str, bytes]:
        """The bytes of its files by path."""
        ...


class Maker(Protocol):
    """Makes the samples of a plan. Every worker has its own."""

    def between(self, first: int, end: int) -> Iterator[tuple[Sequence[Made], list[Reject]]]:
        """Make a shard: the samples from `first` up to `end`, with what was rejected on the way.

        Samples that are made together, as those of a family, come with the first of them.
        """
        ...


class AnyPlan(Protocol):
    """What each sample of a dataset is made of."""

    @property
    def digest(self) -> str:
        """Of the sources."""
        ...

    @property
    def index(self) -> Index:
        """The regions that the recipe selects."""
        ...


def make_plan(recipe: AnyRecipe, folder: Path, jobs: int) -> AnyPlan:
    """List a recipe's sources, write what is found into a folder, and open the plan on it."""
    if isinstance(recipe, Recipe):
        from synthharm.generate.plan import Plan

        return Plan.make(recipe, folder)
    from synthharm.generate.splicing.plan import SplicingPlan

    if jobs > 1:
        start_workers(jobs)
    return SplicingPlan.make(recipe, folder, jobs)


def keep_index_of(recipe: AnyRecipe, cache: Path, jobs: int) -> Path:
    """The folder of the index of a recipe's sources: from the cache, or made and put there."""
    return keep_index(
        cache, source_key(recipe), lambda place: keyless_name(recipe, make_plan(recipe, place, jobs).digest)
    )


def open_plan(recipe: AnyRecipe, folder: Path) -> AnyPlan:
    """Open a plan that was written into a folder before."""
    if isinstance(recipe, Recipe):
        from synthharm.generate.plan import Plan

        return Plan.open(recipe, folder)
    from synthharm.generate.splicing.plan import SplicingPlan

    return SplicingPlan.open(recipe, folder)


def open_maker(recipe: AnyRecipe, folder: Path) -> Maker:
    """The maker of a plan that was written into a folder before."""
    if isinstance(recipe, Recipe):
        from synthharm.generate.plan import Plan
        from synthharm.generate.sample import Maker as RetouchMaker

        return RetouchMaker.of(Plan.open(recipe, folder))
    from synthharm.generate.splicing.making import SplicingMaker
    from synthharm.generate.splicing.plan import SplicingPlan

    return SplicingMaker.of(SplicingPlan.open(recipe, folder))


def finish_dataset(dataset: Dataset, plan: AnyPlan, shards: int) -> None:
    """Write what describes a dataset whose shards are all done, its checksums last."""
    from synthharm.generate.plan import Plan

    if isinstance(plan, Plan):
        from synthharm.generate.finish import finish

        finish(dataset, plan, shards)
        return
    from synthharm.generate.splicing.finishing import finish_splicing
    from synthharm.generate.splicing.plan import SplicingPlan

    assert isinstance(plan, SplicingPlan)
    finish_splicing(dataset, plan, shards)
