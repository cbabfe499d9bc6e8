"""What was rejected: gathered from all shards, by name, each thing once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import msgspec

from synthharm.files import atomic_file
from synthharm.generate.dataset import REJECTS, Dataset
from synthharm.sources import Reject
from synthharm.storage import is_remote
from synthharm.writers.sorting import Sorter


def write_rejects(dataset: Dataset, known: Iterable[Reject], shards: int) -> Counter[str]:
    """Write rejects.jsonl; gives how many things were rejected for each reason.

    Args:
        dataset: its shards are done.
        known: what was rejected before they were made.
        shards: how many there are.
    """
    reasons: Counter[str] = Counter()
    decoder = msgspec.json.Decoder(Reject)
    with Sorter(waiting(dataset)) as rows:
        for reject in known:
            rows.add((reject.name, reject.reason, reject.detail))
        for shard in range(shards):
            with dataset.rejects_file(shard).open("rb") as file:
                for reject in map(decoder.decode, file):
                    rows.add((reject.name, reject.reason, reject.detail))
        with atomic_file(dataset.folder / REJECTS) as file:
            for row, _ in groupby(rows):
                reasons[row[1]] += 1
                described = dict(zip(("name", "reason", "detail"), row, strict=True))
                file.write(f"{json.dumps(described, ensure_ascii=False)}\n".encode())
    return reasons


def waiting(dataset: Dataset) -> Path | None:
    """Where files without a name are that rows wait in: on the dataset's disk while it is made, if it has one."""
    return dataset.work if not is_remote(dataset.folder) and dataset.work.is_dir() else None
