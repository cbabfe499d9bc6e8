"""Changing a dataset, and making all that describes the change agree with it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from synthharm.composites import decode_image
from synthharm.composites.encoding import encode_png
from synthharm.generate import Dataset, check_dataset
from synthharm.writers import FolderWriter, Record, Writer

SUMS, TABLE = "SHA256SUMS", "metadata.parquet"


def problems(folder: Path) -> list[str]:
    return list(check_dataset(folder))


def records_of(folder: Path) -> list[Record]:
    return list(Dataset(folder).records())


def sums_of(folder: Path) -> dict[str, str]:
    lines = (folder / SUMS).read_text().splitlines()
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}


def put_sums(folder: Path) -> None:
    """Make the checksums anew, as they are."""
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sums_of(folder)}
    (folder / SUMS).write_text("".join(f"{checksum}  {name}\n" for name, checksum in sums.items()))


def put_records(folder: Path, change: Callable[[dict[str, Any]], None], writer: Writer | None = None) -> None:
    """Change every record, and make all that is made of records anew."""
    for path in sorted((folder / "records").iterdir()):
        data = [json.loads(line) for line in path.read_text().splitlines()]
        for record in data:
            change(record)
        path.write_text("".join(f"{json.dumps(record)}\n" for record in data))
    (writer or FolderWriter()).finish(folder, Dataset(folder).records)
    put_sums(folder)


def put_image(folder: Path, path: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Change a file's pixels, and make all records and checksums anew: only the pixels can tell."""
    data = encode_png(change(decode_image((folder / path).read_bytes())))
    (folder / path).write_bytes(data)
    described = {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    def describe(record: dict[str, Any]) -> None:
        for role, file in record["files"].items():
            if file["path"] == path:
                record["files"][role] = described

    put_records(folder, describe)
