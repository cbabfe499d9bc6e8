"""A run: from a recipe to a dataset on disk, begun or continued."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.generate.dataset import SUMMARY, Dataset
from synthharm.generate.engine import run_jobs
from synthharm.generate.progress import progress_bar
from synthharm.generate.shard import INDEX, Job
from synthharm.generate.workshop import finish_dataset, make_plan
from synthharm.recipe import AnyRecipe, as_recipe


@dataclass(frozen=True)
class Summary:
    """What a run came to.

    Args:
        folder: the dataset's.
        continued: shards that were already there.
        numbers: the dataset in numbers, as in its dataset.json.
    """

    folder: Path
    continued: int
    numbers: dict[str, Any]

    @property
    def missing(self) -> int:
        """Samples for which no region could be used."""
        return int(self.numbers["wanted"] - self.numbers["samples"])


def generate(
    recipe: AnyRecipe | str | Path, output: str | Path, *, jobs: int = 1, overrides: Sequence[str] = ()
) -> Summary:
    """Make the dataset that a recipe describes, or go on with it where an earlier run left off.

    The bytes that come out depend on the recipe, the sources and the libraries' versions alone: not on the number
    of jobs, interruptions, time, paths or machine.

    Args:
        recipe: a recipe, or the path of its YAML file.
        output: the dataset's folder: new, empty, or of an earlier run of the same recipe.
        jobs: processes to work in.
        overrides: `key=value` on top of a recipe's file.

    Raises:
        SynthharmError: the recipe is wrong, the data is not there, or the folder is another's.
    """
    if jobs < 1:
        raise SynthharmError(f"jobs is {jobs}; 1 or more is accepted")
    checked = as_recipe(recipe, overrides)
    dataset = Dataset(Path(output))
    shards = ceil(checked.samples / checked.shard)
    with dataset.claimed(checked):
        done = [s for s in range(shards) if dataset.records_file(s).is_file()]
        if not dataset.finished:
            _make_all(dataset, checked, sorted(set(range(shards)) - set(done)), jobs, len(done))
            shutil.rmtree(dataset.work, ignore_errors=True)
    return Summary(dataset.folder, len(done), json.loads((dataset.folder / SUMMARY).read_bytes()))


def _make_all(dataset: Dataset, recipe: AnyRecipe, shards: list[int], workers: int, done: int) -> None:
    plan = make_plan(recipe, dataset.work / INDEX, workers)
    shutil.rmtree(dataset.work / "staging", ignore_errors=True)
    dataset.begin(recipe, plan.digest)
    listed = [Job(dataset.folder, recipe.model_dump_json(), plan.digest, shard) for shard in shards]
    with progress_bar(recipe.samples, done * recipe.shard) as advance:
        for shard in run_jobs(listed, workers):
            advance(min(recipe.shard, recipe.samples - shard * recipe.shard))
    finish_dataset(dataset, plan, done + len(shards))
