"""Finishing: what describes the dataset as a whole, and its checksums last.

The records are gone through once. What is held meanwhile grows with the photos and the shards; with the samples
it grows by two bytes for each, for what tables in Parquet have at their end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any

from synthharm.errors import SynthharmError
from synthharm.files import ASIDE, all_files, atomic_file, json_text, sha256_file, write_atomically
from synthharm.generate.dataset import SUMMARY, SUMS, WORK, Dataset
from synthharm.generate.photos import PhotoFiles
from synthharm.generate.plan import Plan
from synthharm.generate.rejects import waiting, write_rejects
from synthharm.generate.sample import finishing_versions
from synthharm.generate.sections import writer
from synthharm.writers import Record
from synthharm.writers.sorting import Sorter
from synthharm.writers.spread import Spread


def finish(dataset: Dataset, plan: Plan, shards: int) -> None:
    """Write the listing files of the layout, rejects, summary and checksums of a dataset whose shards are done.

    Raises:
        SynthharmError: a photo changed while samples were made of it.
    """
    with ExitStack() as stack:
        rows, shared = (stack.enter_context(Sorter(waiting(dataset))) for _ in range(2))
        numbers, sums = Numbers(waiting(dataset)), SampleSums(rows, shared)

        def records() -> Iterator[Record]:
            for record in dataset.records():
                numbers.add(record)
                sums.add(record)
                yield record

        writer(plan.recipe).finish(dataset.folder, records)
        dataset.write_recipe(plan.recipe)
        reasons = write_rejects(dataset, plan.index.rejects, shards)
        write_atomically(dataset.folder / SUMMARY, json_text(numbers.as_json(plan, reasons)))
        write_checksums(dataset, sums)


@dataclass
class Numbers:
    """A dataset in numbers, while its records are added one after the other.

    Args:
        folder: where measures wait of which there are too many, or None for the machine's temporary folder.
    """

    folder: Path | None = None
    splits: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    photos: PhotoFiles = field(default_factory=PhotoFiles)
    measures: dict[str, Spread] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Take the next record. Raises SynthharmError where its photo is another file than it was before."""
        source = record.source
        if changed := self.photos.changed(record.sample, source["photo"], source["sha256"]):
            raise SynthharmError(f"sources: {changed}; generate into a new folder")
        self.splits[record.split] += 1
        self.categories[record.region["category"] or ""] += 1
        for name, value in record.measured.items():
            if name not in self.measures:
                self.measures[name] = Spread(self.folder)
            self.measures[name].add(value)

    def as_json(self, plan: Plan, reasons: Counter[str]) -> dict[str, Any]:
        """What dataset.json has."""
        return {
            "samples": self.splits.total(),
            "wanted": plan.recipe.samples,
            "photos": len(self.photos),
            "listed": {"photos": plan.index.photos, "regions": plan.index.regions, "digest": plan.index.digest},
            "left_out": plan.index.excluded,
            "splits": dict(sorted(self.splits.items())),
            "categories": dict(sorted(self.categories.items())),
            "rejects": dict(sorted(reasons.items())),
            "measured": {name: values.as_json() for name, values in self.measures.items()},
            "finished_with": finishing_versions(),
        }


@dataclass
class SampleSums:
    """The checksums of samples' files, which the records know, in the order of the samples; shared files once.

    Args:
        rows: place, path and sha256.
        shared: path, place and sha256 of the files that several samples may have.
    """

    rows: Sorter
    shared: Sorter
    folders: set[str] = field(default_factory=set)
    _place: int = 0

    def add(self, record: Record) -> None:
        """Take the next record."""
        for role, file in record.files.items():
            path = file["path"]
            self._place += 1
            self.folders.add(path.rpartition("/")[0] or ".")
            if role == "image":
                self.rows.add((self._place, path, file["sha256"]))
            else:
                self.shared.add((path, self._place, file["sha256"]))

    def write(self, file: IO[bytes]) -> None:
        """Write them all. Raises SynthharmError where a shared file was not the same for all its samples."""
        first: tuple[str, int, str] | None = None
        for path, place, sha256 in self.shared:
            if first is None or path != first[0]:
                first = path, place, sha256
                self.rows.add((place, path, sha256))
            elif sha256 != first[2]:
                raise SynthharmError(
                    f"sources: {path} is not the same for all its samples, for a file changed meanwhile; "
                    "generate into a new folder"
                )
        for _, path, sha256 in self.rows:
            file.write(f"{sha256}  {path}\n".encode())


def write_checksums(dataset: Dataset, samples: SampleSums) -> None:
    """Write SHA256SUMS, as `sha256sum -c` reads it: the samples' files in order, then all others but itself."""
    with atomic_file(dataset.folder / SUMS) as sums:
        samples.write(sums)
        for path in all_files(dataset.folder, without={WORK, *samples.folders}):
            if path != SUMS and not fnmatch(path.rpartition("/")[2], ASIDE):
                sums.write(f"{sha256_file(dataset.folder / path)}  {path}\n".encode())
