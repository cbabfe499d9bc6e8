"""The format `folder`: one folder for each kind of file, with one row a sample in metadata.parquet.

It is what the generator itself writes, so the paths in the records are those of this format. The table's columns
`file_name` and `mask_file_name` are those that the Hugging Face loader reads:
`load_dataset("imagefolder", data_files="<folder>/metadata.parquet")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.files import atomic_file
from synthharm.writers.forensics.item import About, Item, Items
from synthharm.writers.forensics.listed import Place, check_splits, read_items, suffix, write_items
from synthharm.writers.forensics.record import SplicingRecord

TABLE = "metadata.parquet"
ROWS = 8192  # per row group; of each, some 15 KB about its columns are held until all are written
FOLDERS = {
    "image": "images",
    "mask": "masks",
    "alpha": "alphas",
    "boundary": "boundaries",
    "regions": "regions",
}


def canonical_path(name: str, role: str, suffix: str) -> str:
    """Where a sample's file lies in a dataset as it is generated, from the dataset's folder.

    Args:
        name: the record's.
        role: as in the record's `files`.
        suffix: of the file, with its dot.

    Raises:
        ValueError: no such role.

    Example:
        >>> canonical_path("000007", "image", ".jpg"), canonical_path("000007", "source_2", ".png")
        ('images/000007.jpg', 'sources/000007_2.png')
    """
    if role.startswith("source_"):
        return f"sources/{name}_{role.removeprefix('source_')}{suffix}"
    if role not in FOLDERS:
        raise ValueError(f"role is {role!r}; accepted are {', '.join(FOLDERS)} and source_<id>")
    return f"{FOLDERS[role]}/{name}{suffix}"


@dataclass(frozen=True)
class FolderFormat:
    """Images, masks, alphas, boundaries, regions and sources in a folder each."""

    name: str = "folder"

    def write(self, items: Items, folder: Path, about: About) -> None:
        """See `Format`."""
        check_splits(about.splits)
        with metadata_table(folder / TABLE, folder_place) as add_row:

            def note(item: Item) -> None:
                add_row(item.record)

            write_items(items, folder, about.splits, folder_place, note)

    def read(self, folder: Path) -> Iterator[Item]:
        """See `Format`."""
        return read_items(folder, self.name, folder_place, lambda split: [TABLE])


@contextmanager
def metadata_table(path: Path, place: Place) -> Iterator[Callable[[SplicingRecord], None]]:
    """Write a table of samples, one call a row, a row group at a time.

    Args:
        path: the table's.
        place: where image and mask are, from the table's folder.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, rows = _schema(), []
    with atomic_file(path) as file, pq.ParquetWriter(file, schema) as table:

        def add(record: SplicingRecord) -> None:
            rows.append(_row(record, place))
            if len(rows) == ROWS:
                flush()

        def flush() -> None:
            table.write_table(pa.Table.from_pylist(rows, schema))
            rows.clear()

        yield add
        if rows:
            flush()


def wrong_table(folder: Path, records: Callable[[], Iterator[SplicingRecord]]) -> Iterator[str]:
    """Compare each row of a dataset's table with its record: a line for what is not as it says."""
    import pyarrow.parquet as pq

    try:
        with (folder / TABLE).open("rb") as file, pq.ParquetFile(file) as table:
            rows = (row for batch in table.iter_batches(ROWS) for row in batch.to_pylist())
            for record, row in zip_longest(records(), rows):
                if record is None or row is None:
                    yield f"{TABLE}: {table.metadata.num_rows} rows, which is not one per record"
                    return
                if row != _row(record, folder_place):
                    yield f"{TABLE}: the row of sample {record.sample} is not what its record says"
    except SynthharmError:
        raise
    except Exception as error:  # a damaged table can make its reader stumble in any way
        yield f"{TABLE}: cannot be read: {error!r}"


def folder_place(record: SplicingRecord, role: str) -> str:
    """Where a sample's file lies, from the dataset's folder."""
    return canonical_path(record.name, role, suffix(record, role))


def _row(record: SplicingRecord, place: Place) -> dict[str, Any]:
    target, *donors = record.photos
    save = record.history[-1] if record.history else {}
    return {
        "file_name": place(record, "image"),
        "mask_file_name": place(record, "mask") if "mask" in record.files else None,
        "sample": record.sample,
        "kind": record.kind,
        "label": "manipulated" if record.manipulated else "authentic",
        "split": record.split,
        "target": target["photo"],
        "target_sha256": target["sha256"],
        "donors": [donor["photo"] for donor in donors],
        "categories": [region["category"] for region in record.regions],
        "mask_share": record.image["share"],
        "width": record.image["width"],
        "height": record.image["height"],
        "format": save.get("step"),
        "quality": save.get("quality"),
        "subsampling": save.get("subsampling"),
        "licence": record.licence["name"],
    }


def _schema() -> Any:
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    other = {
        "sample": number,
        "donors": pa.list_(text),
        "categories": pa.list_(text),
        "mask_share": pa.float64(),
        "width": number,
        "height": number,
        "quality": number,
    }
    names = ["file_name", "mask_file_name", "sample", "kind", "label", "split", "target", "target_sha256"]
    names += [
        "donors",
        "categories",
        "mask_share",
        "width",
        "height",
        "format",
        "quality",
        "subsampling",
        "licence",
    ]
    return pa.schema([(name, other.get(name, text)) for name in names])
