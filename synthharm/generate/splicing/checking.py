"""Checking a splicing dataset: every file against its record, every label against the others, and the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from synthharm.errors import SynthharmError
from synthharm.files import parse_json, sha256
from synthharm.generate.audit import Audit, audit
from synthharm.generate.certificate import verify_certificate
from synthharm.generate.check import wrong_count
from synthharm.generate.dataset import Dataset
from synthharm.generate.judged import Choice, Judged
from synthharm.generate.photos import PhotoFiles
from synthharm.generate.splicing.finishing import CERTIFICATE, FORMATS
from synthharm.generate.splicing.sample_check import wrong_sample
from synthharm.generate.splicing.stored import records
from synthharm.generate.splicing.unit_check import wrong_units
from synthharm.generate.sums_check import wrong_sums
from synthharm.recipe import SplicingRecipe
from synthharm.writers.forensics import SUMS, detect_format, find_format, wrong_lists, wrong_table


def splicing_problems(dataset: Dataset, recipe: SplicingRecipe) -> Iterator[str]:
    """What is wrong with a finished dataset's records, labels, splits and formats: a line each."""
    try:
        yield from _wrong_records(dataset)
        yield from verify_certificate(dataset.folder / CERTIFICATE, lambda: records(dataset))
        yield from _wrong_distance(dataset, recipe)
        yield from wrong_units(lambda: records(dataset))
        yield from _wrong_whole(dataset)
    except SynthharmError as error:
        yield str(error)  # a line that is no record: what depends on all of them cannot be told
    yield from _wrong_formats(dataset, recipe)


def _wrong_distance(dataset: Dataset, recipe: SplicingRecipe) -> Iterator[str]:
    """Whether the certificate calls photos alike that the recipe does: what it calls so, it holds itself."""
    try:
        distance = parse_json((dataset.folder / CERTIFICATE).read_bytes())["distance"]
    except (OSError, ValueError, LookupError, TypeError):
        return  # which was said already
    if distance != recipe.near_duplicates:
        yield f"{CERTIFICATE}: distance is {distance}; the recipe's near_duplicates is {recipe.near_duplicates}"


def shortcuts(dataset: Dataset) -> Audit:
    """How well samples can be told apart by what their pictures do not show. Raises SynthharmError."""
    choice = Choice()
    for record in records(dataset):
        choice.add(Judged.of(record))
    return audit(choice.read(dataset.folder), choice.total)


def _wrong_records(dataset: Dataset) -> Iterator[str]:
    last, photos = -1, PhotoFiles()
    for record in records(dataset):
        if record.sample <= last:
            yield f"sample {record.sample}: comes after sample {last}"
        last = record.sample
        for photo in record.photos:
            if changed := photos.changed(last, str(photo["photo"]), str(photo.get("sha256"))):
                yield changed
        try:
            yield from (f"sample {record.sample}: {line}" for line in wrong_sample(dataset.folder, record))
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            yield f"sample {record.sample}: its record is not as a record is: {error!r}"


def _wrong_formats(dataset: Dataset, recipe: SplicingRecipe) -> Iterator[str]:
    """Whether the formats that the recipe names are there, and no others, each with the dataset's samples."""
    folder = dataset.folder / FORMATS
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    wanted = {str(section.format) for section in recipe.writers}
    yield from (f"{FORMATS}/{name}: is missing" for name in sorted(wanted - present))
    yield from (f"{FORMATS}/{name}: is no format that the recipe names" for name in sorted(present - wanted))
    for name in sorted(present & wanted):
        if not (folder / name / SUMS).is_file():
            yield f"{FORMATS}/{name}/{SUMS}: is missing"
        else:
            yield from _wrong_format(folder / name, dataset)


def _wrong_whole(dataset: Dataset) -> Iterator[str]:
    """Whether the dataset's numbers and its table are of its records."""
    yield from wrong_count(dataset, sum(1 for _ in records(dataset)))
    yield from wrong_table(dataset.folder, lambda: records(dataset))


def _wrong_format(folder: Path, dataset: Dataset) -> Iterator[str]:
    """Whether a format has the same samples with the same bytes, and its own checksums hold."""
    place = f"{FORMATS}/{folder.name}"
    yield from (f"{place}/{line}" for line in wrong_sums(folder, SUMS, ()))
    if folder.name == "imdlbenco":
        yield from (f"{place}/{line}" for line in wrong_lists(folder))
    try:
        theirs = find_format(detect_format(folder), folder).read(folder)
        for record in records(dataset):
            item = next(theirs, None)
            if item is None or item.record != record:
                yield f"{place}: sample {record.sample} is missing, or has another record"
                return
            for role, file in record.files.items():
                if sha256(item.files[role].read()) != file["sha256"]:
                    yield f"{place}: sample {record.sample}: {role} is not the dataset's"
        if next(theirs, None) is not None:
            yield f"{place}: has more samples than the dataset"
    except SynthharmError as error:
        yield f"{place}: {error}"
