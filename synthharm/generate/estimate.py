"""What a run would make, how large and how long, from a few samples that are made and thrown away."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from pathlib import Path

from synthharm.errors import SynthharmError
from synthharm.generate.cache import cache_beside
from synthharm.generate.dataset import Dataset
from synthharm.generate.running.engine import Engine
from synthharm.generate.running.part import Part
from synthharm.generate.running.views import duration, size
from synthharm.generate.shard import samples_of
from synthharm.generate.threads import one_thread
from synthharm.generate.workshop import AnyPlan, Maker, keep_index_of, open_maker, open_plan
from synthharm.recipe import AnyRecipe, IHarmony4Layout, Recipe, as_recipe
from synthharm.storage import as_path, is_remote, require_object_store, storage_errors
from synthharm.writers.forensics import PACKED

SECONDS, MOST = 20.0, 64  # of measuring, and samples of it, at most
PIECES = 16  # that the measured samples come in, from all over the dataset


@dataclass(frozen=True)
class Estimate:
    """What a run would make, or what is left of one.

    Args:
        samples: how many samples the recipe asks for.
        shards: in how many units of work.
        left: how many samples are of shards that are not made yet.
        planning: seconds that listing the sources took; next to none where their index was there.
        measured: how many samples were made to measure the rest.
        seconds: what one of them took on one processor.
        bytes: what all files of the samples that are left would have.
        files: how many there would be.
        formats: what is written beside the dataset, whose files are not counted.
        rejects: how often something was rejected while they were made, by reason.
        free: bytes that are free where the dataset would go; None behind an address.
    """

    samples: int
    shards: int
    left: int
    planning: float
    measured: int
    seconds: float
    bytes: int
    files: int
    formats: tuple[str, ...]
    rejects: dict[str, int]
    free: int | None

    def lines(self, jobs: int, world_size: int = 1) -> list[str]:
        """What a person wants to know, a line each.

        Args:
            jobs: processes that would work, each on a processor of its own.
            world_size: how many times as many, where so many ranks share the dataset.

        Raises:
            SynthharmError: fewer than one of them.
        """
        workers = Engine(jobs=jobs).jobs * Part(world_size=world_size).world_size
        making = duration(self.seconds * self.left / workers)
        by = f"{jobs} job{'s' * (jobs > 1)}" + (f" in each of {world_size} ranks" if world_size > 1 else "")
        whole = f"{self.samples} samples in {self.shards} shards"
        if not self.left:
            return [f"{whole}: all are made"]
        rest = "" if self.left == self.samples else f", of which {self.left} are left to be made"
        lines = [
            f"{whole}{rest}, about {self.files} files",
            f"about {size(self.bytes)}" + ("" if self.free is None else f"; {size(self.free)} are free there"),
            f"about {making} with {by}, before the finishing; listing the sources took {duration(self.planning)}",
            f"measured on {self.measured} samples: {self.seconds * 1000:.0f} ms each",
        ]
        if self.formats:
            lines.append(f"not counted: the formats {', '.join(self.formats)}; {self._of_formats()}")
        if self.free is not None and self.bytes > self.free:
            lines.append("warning: that is more than is free there")
        if self.rejects:
            listed = ", ".join(f"{count} {reason}" for reason, count in self.rejects.items())
            lines.append(f"rejected while measuring: {listed}")
        return lines

    def _of_formats(self) -> str:
        """What the formats take besides."""
        if self.free is None:
            return (
                "each is a copy, written whole into the temporary folder of the machine that finishes, then sent"
            )
        copies = [name for name in self.formats if name in PACKED]
        links = "files are links where the disk has them"
        return links if not copies else f"{links}, but {', '.join(copies)} hold copies"


def estimate(
    recipe: AnyRecipe | str | Path, output: str | Path, *, jobs: int = 1, overrides: Sequence[str] = ()
) -> Estimate:
    """Find out what a run would make. Nothing is written but the index of the sources, which the run will use.

    Args:
        recipe: a recipe, or the path of its YAML file.
        output: where the dataset would go.
        jobs: processes to list the sources in.
        overrides: `key=value` on top of a recipe's file.

    Raises:
        SynthharmError: jobs are fewer than one, the recipe is wrong, the data is not there, the folder is
            another's, or no sample can be made.
    """
    jobs = Engine(jobs=jobs).jobs
    checked = as_recipe(recipe, overrides)
    with storage_errors():
        folder, start = as_path(output), time.perf_counter()
        require_object_store(folder)
        dataset = Dataset(folder)
        dataset.refuse(checked)
        shards = range(ceil(checked.samples / checked.shard))
        left = sum(samples_of(checked, shard) for shard in set(shards) - dataset.done_shards())
        index = keep_index_of(checked, cache_beside(folder), jobs)
        planning = time.perf_counter() - start
        plan = open_plan(checked, index)
        with one_thread():
            found = _measure(open_maker(checked, index), checked) if left else _Found(samples=1)
    counts, share = _file_counts(checked, plan), left / checked.samples
    return Estimate(
        samples=checked.samples,
        shards=len(shards),
        left=left,
        planning=planning,
        measured=found.samples if left else 0,
        seconds=found.seconds / found.samples,
        bytes=round(share * sum(counts.get(role, checked.samples) * found.mean(role) for role in found.bytes)),
        files=round(share * sum(counts.get(role, checked.samples) * found.share(role) for role in found.bytes)),
        formats=() if isinstance(checked, Recipe) else tuple(section.format for section in checked.writers),
        rejects=dict(sorted(found.rejects.items())),
        free=None if is_remote(folder) else shutil.disk_usage(_existing(folder.absolute())).free,
    )


@dataclass
class _Found:
    """What making some samples came to; files by role."""

    samples: int = 0
    seconds: float = 0.0
    files: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)

    def mean(self, role: str) -> float:
        """Bytes of a role's files by sample."""
        return self.bytes[role] / self.samples

    def share(self, role: str) -> float:
        """Files of a role by sample."""
        return self.files[role] / self.samples


def _measure(maker: Maker, recipe: AnyRecipe) -> _Found:
    found, end = _Found(), inf
    for number, (first, last) in enumerate(_pieces(recipe.samples)):
        start = time.perf_counter()
        if number == 1:
            end = start + SECONDS
        for made, rejected in maker.between(first, last):
            found.rejects.update(reject.reason for reject in rejected)
            if number:  # the first piece also compiles kernels and opens files
                found.seconds += time.perf_counter() - start
                found.samples += len(made)
                for sample in made:
                    found.files.update(sample.record.files.keys())
                    found.bytes.update({role: file["bytes"] for role, file in sample.record.files.items()})
            start = time.perf_counter()
        if found.samples and time.perf_counter() > end:
            break
    if not found.samples:
        listed = ", ".join(f"{number} {reason}" for reason, number in found.rejects.items())
        raise SynthharmError(f"no sample could be made to measure by; rejected: {listed or 'nothing'}")
    return found


def _file_counts(recipe: AnyRecipe, plan: AnyPlan) -> dict[str, float]:
    """How many files there would be of roles whose files samples share."""
    if not isinstance(recipe, Recipe):
        return {}
    samples, photos, regions = recipe.samples, plan.index.photos, plan.index.regions
    used = min(samples / regions, 1.0)  # the share of the regions that samples are of
    counts = {"real": photos * (1 - (1 - used) ** (regions / photos))}
    if isinstance(recipe.writer, IHarmony4Layout):
        counts["mask"] = used * regions
    return counts


def _pieces(samples: int) -> Iterator[tuple[int, int]]:
    """Ranges of samples from all over the dataset; the first one comes twice, for it is not measured."""
    length = max(min(MOST, samples) // PIECES, 1)
    starts = sorted({samples * piece // PIECES for piece in range(PIECES)})
    for start in [starts[0], *starts]:
        yield start, min(start + length, samples)


def _existing(path: Path) -> Path:
    """The nearest folder that is there."""
    return path if path.exists() else _existing(path.parent)
