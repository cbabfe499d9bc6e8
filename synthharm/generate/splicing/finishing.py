"""Finishing a splicing dataset: what describes it as a whole, its formats, and its checksums last.

The records are gone through once, and once more for each format. What is held meanwhile grows with the photos and
the shards; with the samples it grows by two bytes for each, for what tables in Parquet have at their end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from synthharm.composites.history import write_tables
from synthharm.files import atomic_file, json_text, remove_folder, write_atomically
from synthharm.generate.audit import audit
from synthharm.generate.certificate import Used, write_certificate
from synthharm.generate.dataset import SUMMARY, SUMS, TABLES, WORK, Dataset
from synthharm.generate.judged import Choice, Judged
from synthharm.generate.rejects import waiting, write_rejects
from synthharm.generate.splicing.numbers import Numbers
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.generate.splicing.stored import about, fetched_items, items, records
from synthharm.generate.threads import one_thread
from synthharm.writers.checksums import Checksums
from synthharm.writers.forensics import (
    CROISSANT,
    TABLE,
    Adding,
    Overview,
    export,
    find_format,
    folder_place,
    metadata_table,
    write_card,
    write_croissant,
)
from synthharm.writers.sorting import Sorter

CERTIFICATE, AUDIT, FORMATS, CARD = "certificate.json", "audit.json", "formats", "card"


def finish_splicing(dataset: Dataset, plan: SplicingPlan, shards: int) -> None:
    """Write all that describes a dataset whose shards are done, each of its formats, and its checksums last.

    Raises:
        SynthharmError: a photo changed while samples were made of it, or near-duplicates are in two splits.
    """
    with one_thread(), Sorter(waiting(dataset)) as rows:
        _finish(dataset, plan, shards, Checksums(rows))


@dataclass(frozen=True)
class Read:
    """What one pass over the records of a dataset comes to."""

    numbers: Numbers
    used: Used
    choice: Choice
    overview: Overview


def _finish(dataset: Dataset, plan: SplicingPlan, shards: int, sums: Checksums) -> None:
    folder, recipe = dataset.folder, plan.recipe
    for left_behind in (FORMATS, CARD):  # by a run that was stopped while it finished
        remove_folder(folder / left_behind)
    read = read_all(dataset, Numbers(recipe, waiting(dataset)), sums)
    dataset.write_recipe(recipe)
    reasons = write_rejects(dataset, plan.rejects, shards)
    if recipe.camera_tables is not None:
        write_tables(folder / TABLES, plan.cameras)
    prints = plan.prints
    hashes = {
        sha256.decode(): (int(phash), int(mirrored))
        for sha256, phash, mirrored in zip(prints.sha256, prints.phash, prints.mirrored, strict=True)
    }
    write_certificate(folder / CERTIFICATE, lambda: records(dataset), hashes, recipe.near_duplicates, read.used)
    found = audit(read.choice.read(folder), read.choice.total)
    write_atomically(folder / AUDIT, json_text(found.as_json()))
    summary = read.numbers.as_json(plan, found, reasons)
    write_atomically(folder / SUMMARY, json_text(summary))
    _describe(dataset, read.overview, summary, sums)
    for section in recipe.writers:
        options = section.model_dump(exclude={"format"})
        output = folder / FORMATS / section.format
        whole = about(dataset, summary)
        export(find_format(section.format, output, options), fetched_items(dataset), output, whole)
    with atomic_file(folder / SUMS) as file:
        sums.write(file)


def read_all(dataset: Dataset, numbers: Numbers, sums: Checksums) -> Read:
    """Go through the records once: write the table of all, and gather what everything else is made of."""
    used, choice, adding = Used(), Choice(), Adding()
    with metadata_table(dataset.folder / TABLE, folder_place) as add_row:
        for item in items(dataset)():
            record = item.record
            numbers.add(record)
            add_row(record)
            used.add(record)
            choice.add(Judged.of(record))
            adding.add(item)
            for file in record.files.values():
                sums.note(file["path"], file["sha256"])
    return Read(numbers, used, choice, adding.numbers())


def _describe(dataset: Dataset, numbers: Overview, summary: dict[str, Any], sums: Checksums) -> None:
    folder, whole = dataset.folder, about(dataset, summary)
    write_card(folder, "folder", numbers, whole)
    sums.read_others(folder, {WORK, FORMATS, *sums.noted}, {CROISSANT, SUMS})
    write_croissant(folder, "folder", numbers, whole, sums)
    sums.read(folder, CROISSANT)
