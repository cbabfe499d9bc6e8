"""Finishing: what describes the dataset as a whole, and its checksums last."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from fnmatch import fnmatch
from pathlib import PurePosixPath
from statistics import median
from typing import Any

import msgspec

from synthharm.files import ASIDE, all_files, atomic_file, sha256_file, write_atomically
from synthharm.generate.dataset import REJECTS, SUMMARY, SUMS, WORK, Dataset
from synthharm.generate.plan import Plan
from synthharm.generate.sections import writer
from synthharm.sources import Reject


def finish(dataset: Dataset, plan: Plan, shards: int) -> None:
    """Write the listing files of the layout, rejects, summary and checksums of a dataset whose shards are done."""
    rejects = plan.index.rejects
    for shard in range(shards):
        with dataset.rejects_file(shard).open("rb") as file:
            rejects += [msgspec.json.decode(line, type=Reject) for line in file]
    dataset.write_recipe(plan.recipe)
    dataset.write_rejects(rejects)
    writer(plan.recipe).finish(dataset.folder, dataset.records)
    summary = summarize(dataset, plan)
    write_atomically(dataset.folder / SUMMARY, (json.dumps(summary, indent=1, ensure_ascii=False) + "\n").encode())
    write_checksums(dataset)


def summarize(dataset: Dataset, plan: Plan) -> dict[str, Any]:
    """The dataset in numbers."""
    splits: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    photos: set[str] = set()
    measures: dict[str, array[float]] = {}
    for record in dataset.records():
        splits[record.split] += 1
        categories[record.region["category"] or ""] += 1
        photos.add(record.source["photo"])
        for name, value in record.measured.items():
            measures.setdefault(name, array("d")).append(value)
    with (dataset.folder / REJECTS).open("rb") as file:
        reasons = Counter(json.loads(line)["reason"] for line in file)
    return {
        "samples": sum(splits.values()),
        "wanted": plan.recipe.samples,
        "photos": len(photos),
        "listed": {"photos": plan.index.photos, "regions": plan.index.regions, "digest": plan.index.digest},
        "left_out": plan.index.excluded,
        "splits": dict(sorted(splits.items())),
        "categories": dict(sorted(categories.items())),
        "rejects": dict(sorted(reasons.items())),
        "measured": {
            name: {"lowest": min(values), "median": median(values), "highest": max(values)}
            for name, values in measures.items()
        },
    }


def write_checksums(dataset: Dataset) -> None:
    """Write SHA256SUMS, as `sha256sum -c` reads it: the samples' files in order, then all others but itself."""
    shared: set[str] = set()  # the names of files that several samples have
    folders: set[str] = set()
    with atomic_file(dataset.folder / SUMS) as sums:
        for record in dataset.records():
            for role, file in record.files.items():
                path = file["path"]
                folders.add(str(PurePosixPath(path).parent))
                if role == "image" or path not in shared:
                    sums.write(f"{file['sha256']}  {path}\n".encode())
                if role != "image":
                    shared.add(path)
        for path in all_files(dataset.folder, without={WORK, *folders}):
            if path != SUMS and not fnmatch(PurePosixPath(path).name, ASIDE):
                sums.write(f"{sha256_file(dataset.folder / path)}  {path}\n".encode())
