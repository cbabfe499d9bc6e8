"""The layout `folder`: images/, masks/ and reals/, with one row each in metadata.parquet.

The table's columns `file_name`, `mask_file_name` and `real_file_name` are those that the Hugging Face loader
`imagefolder` reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any

from synthharm.files import atomic_file
from synthharm.writers.record import Record
from synthharm.writers.writer import Names, Records

TABLE = "metadata.parquet"
ROWS = 8192  # per row group; of each, some 15 KB about its columns are held until all are written


@dataclass(frozen=True)
class FolderWriter:
    """Images, masks and reals in a folder each.

    Example:
        >>> FolderWriter().place(Names(7, "000000000072", "591"), ".png")["real"]
        'reals/000000000072.png'
    """

    def place(self, names: Names, suffix: str) -> dict[str, str]:
        """See `Writer`."""
        return {
            "image": f"images/{names.sample:06d}{suffix}",
            "mask": f"masks/{names.sample:06d}.png",
            "real": f"reals/{names.photo}{suffix}",
        }

    def finish(self, folder: Path, records: Records) -> None:
        """Write metadata.parquet, a row group at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        remaining = records()
        first = next(remaining, None)
        schema, remaining = _schema(first), chain([] if first is None else [first], remaining)
        with atomic_file(folder / TABLE) as file, pq.ParquetWriter(file, schema) as table:
            while group := list(islice(remaining, ROWS)):
                table.write_table(pa.Table.from_pylist([_row(record) for record in group], schema))

    def check(self, folder: Path, records: Records) -> Iterator[str]:
        """Compare each row of the table with its record."""
        try:
            yield from _compare(folder / TABLE, records)
        except Exception as error:  # a damaged table can make its reader stumble in any way
            yield f"{TABLE}: cannot be read: {error!r}"


def _compare(path: Path, records: Records) -> Iterator[str]:
    import pyarrow.parquet as pq

    with path.open("rb") as file, pq.ParquetFile(file) as table:
        rows = (row for batch in table.iter_batches(ROWS) for row in batch.to_pylist())
        for record, row in zip_longest(records(), rows):
            if record is None or row is None:
                yield f"{TABLE}: {table.metadata.num_rows} rows, which is not one per record"
                return
            if row != _row(record):
                yield f"{TABLE}: the row of sample {record.sample} is not what its record says"


def _row(record: Record) -> dict[str, Any]:
    return {
        "file_name": record.files["image"]["path"],
        "mask_file_name": record.files["mask"]["path"],
        "real_file_name": record.files["real"]["path"],
        "sample": record.sample,
        "kind": record.kind,
        "split": record.split,
        "photo": record.source["photo"],
        "photo_sha256": record.source["sha256"],
        "licence": record.source["licence"],
        "attribution": record.source["attribution"],
        "region": record.region["id"],
        "category": record.region["category"],
        "area_share": record.region["share"],
        "filters": record.chain["filters"],
        "statistics": record.chain["statistics"],
        **{f"argument_{name.replace('.', '_')}": value for name, value in record.arguments.items()},
        "kept": record.draw["kept"],
        **record.measured,
        "seed": record.seed,
    }


def _schema(record: Record | None) -> Any:
    import pyarrow as pa

    text, number, real = pa.string(), pa.int64(), pa.float64()
    kinds: dict[str, Any] = {"sample": number, "seed": number, "area_share": real, "kept": real}
    kinds["filters"] = pa.list_(text)
    if record is None:
        return pa.schema([("file_name", text), ("mask_file_name", text), ("real_file_name", text)])
    kinds |= dict.fromkeys(record.measured, real)
    names = list(_row(record))
    return pa.schema([(n, real if n.startswith("argument_") else kinds.get(n, text)) for n in names])
