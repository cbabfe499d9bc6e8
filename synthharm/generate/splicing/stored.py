"""A splicing dataset's samples as they lie in its folder."""

from __future__ import annotations

from collections.abc import Iterator

from synthharm.generate.dataset import Dataset
from synthharm.writers.forensics.item import About, Item, Items, OnDisk
from synthharm.writers.forensics.record import SplicingRecord


def records(dataset: Dataset) -> Iterator[SplicingRecord]:
    """All records, in the order of the samples. Raises SynthharmError where a line is none."""
    return dataset.read_records(SplicingRecord.from_json)


def items(dataset: Dataset) -> Items:
    """All samples with their files."""

    def read() -> Iterator[Item]:
        for record in records(dataset):
            files = {role: OnDisk(dataset.folder / file["path"]) for role, file in record.files.items()}
            yield Item(record, files)

    return read


def about(dataset: Dataset, summary: dict[str, object]) -> About:
    """What formats are told of a dataset."""
    recipe = dataset.recipe
    return About(recipe["name"], tuple(recipe["split"]), recipe, summary)
