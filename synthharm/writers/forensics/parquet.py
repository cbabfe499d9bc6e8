"""The format `huggingface`: Parquet files that Hugging Face's datasets library loads as they are.

Image and label files are columns of bytes: what was written is what comes out, to the byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.writers.forensics.checked import (
    LABELS,
    SOURCE,
    checked_item,
    in_order,
    parse_record,
    roles,
    unknown_split,
)
from synthharm.writers.forensics.item import About, Item, Items
from synthharm.writers.forensics.record import KINDS

DATA = "data"
FILE = re.compile(r"(?P<split>\w+)-(?P<number>\d{5,})-of-(?P<count>\d{5,})\.parquet")
AUTHENTICITY = ("authentic", "manipulated")  # the names of the label's values 0 and 1
GROUP_ROWS = 100  # per row group at most, so that readers hold little at a time
GROUP_BYTES = 1 << 26  # of a row group's images and labels: the one that goes beyond ends it
BATCH = 16  # rows that are read at once


@dataclass(frozen=True)
class HuggingFaceFormat:
    """Parquet files data/<split>-00000-of-0000N.parquet.

    Args:
        rows: samples in a file at most.

    Example:
        >>> HuggingFaceFormat().name
        'huggingface'
    """

    rows: int = 500

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ValueError(f"rows is {self.rows}; accepted is a number of samples from 1 on")

    @property
    def name(self) -> str:
        """See `Format`."""
        return "huggingface"

    def write(self, items: Items, folder: Path, about: About) -> None:
        """See `Format`. A split without samples has no file."""
        data = folder / DATA
        data.mkdir()
        splits = {split: _SplitFiles(data, split, self.rows) for split in about.splits}
        try:
            for item in items():
                if item.record.split not in splits:
                    raise SynthharmError(unknown_split(item.record, about.splits))
                splits[item.record.split].add(item)
            for split in splits.values():
                split.finish()
        finally:
            for split in splits.values():
                split.close()

    def read(self, folder: Path) -> Iterator[Item]:
        """See `Format`."""
        files = _files(folder / DATA)
        yield from in_order((_read_split(split, paths) for split, paths in files.items()), str(folder))


def features() -> Any:
    """The columns, as `datasets.Features`: images that decode to pictures, labels with their names."""
    from datasets import ClassLabel, Features, Image, List, Value

    label = Image(mode="L")
    return Features(
        {
            "image": Image(),
            **{role: label for role in LABELS if role != "regions"},
            "regions": Image(),  # ids, in as many bits as there are
            "sources": List({"id": Value("int64"), "image": label}),
            "label": ClassLabel(names=list(AUTHENTICITY)),
            "kind": ClassLabel(names=list(KINDS)),
            "sample": Value("int64"),
            "licence": Value("string"),
            "record": Value("string"),
        }
    )


class _SplitFiles:
    """The files of one split while they are written: names say how many there are, and come at the end."""

    def __init__(self, folder: Path, split: str, rows: int) -> None:
        self.folder, self.split, self.rows = folder, split, rows
        self.schema = features().arrow_schema
        self.group: list[Item] = []
        self.group_bytes = 0
        self.written = 0
        self.paths: list[Path] = []
        self.table: Any = None

    def add(self, item: Item) -> None:
        """Take the next sample; its bytes are read when its row group is full."""
        self.group.append(item)
        self.group_bytes += sum(file["bytes"] for file in item.record.files.values())
        full = self.written + len(self.group) == self.rows
        if full or len(self.group) == GROUP_ROWS or self.group_bytes >= GROUP_BYTES:
            self.write_group()
        if full:
            self.close()

    def finish(self) -> None:
        """Write what remains, and give the files their names."""
        if self.group:
            self.write_group()
        self.close()
        for number, path in enumerate(self.paths):
            path.rename(self.folder / f"{self.split}-{number:05d}-of-{len(self.paths):05d}.parquet")

    def write_group(self) -> None:
        import pyarrow as pa

        if self.table is None:
            self.table = _open_table(self.next_path(), self.schema)
        self.table.write_table(pa.Table.from_pylist([_row(item) for item in self.group], self.schema))
        self.written += len(self.group)
        self.group, self.group_bytes = [], 0

    def next_path(self) -> Path:
        self.paths.append(self.folder / f"{self.split}-{len(self.paths):05d}.part")
        return self.paths[-1]

    def close(self) -> None:
        if self.table is not None:
            self.table.close()
        self.table, self.written = None, 0


def _open_table(path: Path, schema: Any) -> Any:
    import pyarrow.parquet as pq

    # A dictionary or the lowest and highest value of images would only repeat them.
    plain = ["sample", "label", "kind"]
    return pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=plain, write_statistics=plain)


def _row(item: Item) -> dict[str, Any]:
    record = item.record
    stored = {role: _image(item, role) for role in roles(record)}
    return {
        "image": stored["image"],
        **{role: stored.get(role) for role in LABELS},
        "sources": [
            {"id": int(role.removeprefix(SOURCE)), "image": image}
            for role, image in stored.items()
            if role.startswith(SOURCE)
        ],
        "label": int(record.manipulated),
        "kind": KINDS.index(record.kind),
        "sample": record.sample,
        "licence": record.licence["name"],
        "record": record.to_json(),
    }


def _image(item: Item, role: str) -> dict[str, Any]:
    suffix = PurePosixPath(item.record.files[role]["path"]).suffix
    name = item.record.name if role == "image" else f"{item.record.name}.{role}"
    return {"bytes": item.files[role].read(), "path": f"{name}{suffix}"}


def _files(data: Path) -> dict[str, list[Path]]:
    """The files of each split, in order and none missing."""
    if not data.is_dir():
        raise SynthharmError(f"{data}: is not there; a dataset in the format huggingface has its files in it")
    splits: dict[str, dict[int, Path]] = {}
    counts: dict[str, set[int]] = {}
    for path in sorted(data.glob("*.parquet")):
        if not (match := FILE.fullmatch(path.name)):
            raise SynthharmError(f"{path}: is not called <split>-00000-of-0000N.parquet")
        splits.setdefault(match["split"], {})[int(match["number"])] = path
        counts.setdefault(match["split"], set()).add(int(match["count"]))
    for split, paths in splits.items():
        if counts[split] != {len(paths)} or sorted(paths) != list(range(len(paths))):
            raise SynthharmError(
                f"{data}: of the split {split} not all files are there, or too many: {_names(paths)}"
            )
    return {split: [paths[number] for number in sorted(paths)] for split, paths in splits.items()}


def _names(paths: dict[int, Path]) -> str:
    return ", ".join(path.name for path in paths.values())


def _read_split(split: str, paths: list[Path]) -> Iterator[Item]:
    for path in paths:
        for row in _rows(path):
            record = parse_record(row["record"] or "", str(path))
            if record.split != split:
                raise SynthharmError(f"{path}: sample {record.sample} is of the split {record.split!r}")
            yield checked_item(record, _stored(row), str(path))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file, pq.ParquetFile(file) as table:
            wanted = features().arrow_schema
            if not table.schema_arrow.equals(wanted):
                found = f"{', '.join(table.schema_arrow.names)}; accepted are {', '.join(wanted.names)}"
                raise SynthharmError(f"{path}: has other columns, or of other types, than the format: {found}")
            for batch in table.iter_batches(BATCH):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise SynthharmError(f"{path}: cannot be read as Parquet: {error}") from error


def _stored(row: dict[str, Any]) -> dict[str, bytes]:
    """The bytes by role in a row."""
    cells = {role: row[role] for role in ("image", *LABELS)}
    cells |= {f"{SOURCE}{source['id']}": source["image"] for source in row["sources"] or []}
    return {role: cell["bytes"] or b"" for role, cell in cells.items() if cell is not None}
