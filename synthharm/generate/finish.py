"""Finishing: what describes the dataset as a whole, and its checksums last."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from synthharm.files import all_files, sha256_file, write_atomically
from synthharm.generate.dataset import REJECTS, SUMMARY, SUMS, WORK, Dataset
from synthharm.generate.plan import Plan
from synthharm.generate.rooms import writer
from synthharm.sources import Reject


def finish(dataset: Dataset, plan: Plan, shards: int) -> None:
    """Write the listing files of the layout, rejects, summary and checksums of a dataset whose shards are done."""
    rejects = plan.index.rejects
    for shard in range(shards):
        with dataset.rejects_file(shard).open("rb") as file:
            rejects += [msgspec.json.decode(line, type=Reject) for line in file]
    dataset.write_rejects(rejects)
    writer(plan.recipe).finish(dataset.folder, dataset.records)
    summary = summarize(dataset, plan)
    write_atomically(dataset.folder / SUMMARY, (json.dumps(summary, indent=1, ensure_ascii=False) + "\n").encode())
    write_atomically(dataset.folder / SUMS, checksums(dataset).encode())


def summarize(dataset: Dataset, plan: Plan) -> dict[str, Any]:
    """The dataset in numbers."""
    splits: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    photos: set[str] = set()
    measures: dict[str, list[float]] = {}
    for record in dataset.records():
        splits[record.split] += 1
        categories[record.region["category"] or ""] += 1
        photos.add(record.source["photo"])
        for name, value in record.measured.items():
            measures.setdefault(name, []).append(value)
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


def checksums(dataset: Dataset) -> str:
    """The lines of SHA256SUMS: every file but itself, as `sha256sum -c` reads them."""
    known = {f["path"]: f["sha256"] for record in dataset.records() for f in record.files.values()}
    names = (n for n in all_files(dataset.folder) if n != SUMS and Path(n).parts[0] != WORK)
    return "".join(f"{known.get(name) or sha256_file(dataset.folder / name)}  {name}\n" for name in names)
