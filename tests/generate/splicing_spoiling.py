"""Splicing datasets to spoil, so that only what is in the files can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from splicing_datasets import read_label, samples_of
from spoiling import put_sums

from synthharm.composites.encoding import encode_png
from synthharm.files import sha256
from synthharm.writers.forensics.record import SplicingRecord

Change = Callable[[dict[str, Any]], None]


def own(found: list[str]) -> list[str]:
    """The problems of the dataset itself: its formats, which hold the records too, tell on every change."""
    return [line for line in found if not line.startswith("formats/")]


def pasted(folder: Path) -> SplicingRecord:
    """The first splice whose labels were not resized."""
    return next(
        one
        for one in samples_of(folder)
        if one.kind == "splice" and not any(step["step"] == "resize" for step in one.history)
    )


def put_record(folder: Path, sample: int, change: Change) -> None:
    """Change a sample's record, and the checksums with it."""
    for path in sorted((folder / "records").iterdir()):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for record in lines:
            if record["sample"] == sample:
                change(record)
        path.write_text("".join(f"{json.dumps(record)}\n" for record in lines))
    put_sums(folder)


def put_file(folder: Path, record: SplicingRecord, role: str, data: bytes) -> None:
    """Change a file, and with it its record and the checksums: only what is in it can tell."""
    (folder / record.files[role]["path"]).write_bytes(data)

    def describe(one: dict[str, Any]) -> None:
        one["files"][role] |= {"sha256": sha256(data), "bytes": len(data)}

    put_record(folder, record.sample, describe)


def put_label(folder: Path, role: str, change: Callable[[np.ndarray], Any]) -> None:
    record = pasted(folder)
    label = read_label(folder, record, role).copy()
    change(label)
    put_file(folder, record, role, encode_png(label))
