"""A splicing dataset's samples as they lie in its folder."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from synthharm.errors import SynthharmError
from synthharm.files import sha256
from synthharm.generate.dataset import Dataset
from synthharm.storage import filesystem, is_remote
from synthharm.writers.forensics import About, InMemory, Item, Items, OnDisk, SplicingRecord, files_beside

FETCHED = 32  # samples whose files are fetched at a time


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


def fetched_items(dataset: Dataset) -> Items:
    """All samples with their files; those behind an address are fetched, of several samples at once."""
    if not is_remote(dataset.folder):
        return items(dataset)
    system, name = filesystem(dataset.folder)

    def read() -> Iterator[Item]:
        some = items(dataset)()
        while batch := list(islice(some, FETCHED)):
            paths = [f"{name}/{file['path']}" for item in batch for file in item.record.files.values()]
            found = system.cat(paths, on_error="return")
            for item in batch:
                data = {role: found[f"{name}/{file['path']}"] for role, file in item.record.files.items()}
                # What could not be fetched fails where it is read.
                files = {r: InMemory(d) if isinstance(d, bytes) else item.files[r] for r, d in data.items()}
                yield Item(item.record, files)

    return read


def checked_items(dataset: Dataset) -> Items:
    """All samples with their files, each compared with its record.

    Raises:
        SynthharmError: while they are gone through, where a file is missing or is not the one of the record.
    """

    def read() -> Iterator[Item]:
        for item in fetched_items(dataset)():
            for role, file in item.record.files.items():
                path = dataset.folder / file["path"]
                try:
                    found = sha256(item.files[role].read())
                except OSError as error:
                    raise SynthharmError(f"{path}: cannot be read: {error.strerror or error}") from error
                if found != file["sha256"]:
                    raise SynthharmError(
                        f"{path}: is not the {role} that the record of sample {item.record.sample} has"
                    )
            yield item

    return read


def about(dataset: Dataset, summary: dict[str, object]) -> About:
    """What formats are told of a dataset."""
    recipe = dataset.recipe
    try:
        beside = {name: (dataset.folder / name).read_bytes() for name in files_beside(recipe)}
        return About(recipe["name"], tuple(recipe["split"]), recipe, summary, beside)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SynthharmError(f"{dataset.folder}: its recipe cannot be used: {error!r}") from error
