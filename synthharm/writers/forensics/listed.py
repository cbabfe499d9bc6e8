"""What the formats that are folders of files have in common: the records beside them, writing and reading back.

Where a file lies follows from its record and role alone. records/<split>.jsonl has the split's records, one a line
in the order of the samples; records/splits.json has how many each split has, so that a lost line shows.
"""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError
from synthharm.files import atomic_file, parse_json, sync_folders, write_atomically
from synthharm.writers.forensics.item import Item, Items, OnDisk
from synthharm.writers.forensics.record import SplicingRecord

Place = Callable[[SplicingRecord, str], str]  # a record and a role: the file's path from the folder

COUNTS = "records/splits.json"
RESERVED = ("extras", "records")  # folders that no split may be called after
SPLIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
ROLE = re.compile(r"image|mask|alpha|boundary|regions|source_[0-9]+")


def suffix(record: SplicingRecord, role: str) -> str:
    """The ending of a sample's file, as its record has it: ".jpg"."""
    return PurePosixPath(record.files[role]["path"]).suffix


def extra(record: SplicingRecord, role: str) -> str:
    """Where a file goes that a format has no place for."""
    return f"extras/{role}/{record.name}{suffix(record, role)}"


def check_splits(splits: Sequence[str]) -> None:
    """Refuse a split that no folder can be called after, before anything is written.

    Raises:
        SynthharmError: it is named.

    Example:
        >>> check_splits(["train", "../test"])
        Traceback (most recent call last):
        synthharm.errors.SynthharmError: a split is called '../test'; accepted are letters, digits, ...
    """
    for split in splits:
        if split in RESERVED or not SPLIT_NAME.fullmatch(split):
            accepted = f"accepted are letters, digits, '_', '.' and '-', except {', '.join(RESERVED)}"
            raise SynthharmError(f"a split is called {split!r}; {accepted}")


def write_items(
    items: Items, folder: Path, splits: Sequence[str], place: Place, note: Callable[[Item], None]
) -> None:
    """Put every sample's files where `place` says, write the records, and tell `note` of each sample in turn.

    Raises:
        SynthharmError: a sample of no split, out of order, or with other files than its record has.
    """
    made: set[Path] = set()
    with record_files(folder, splits) as add:
        for item in items():
            add(item.record)
            if set(item.files) != set(item.record.files):
                found = f"has the files {sorted(item.files)}; its record has {sorted(item.record.files)}"
                raise SynthharmError(f"sample {item.record.name} {found}")
            for role, stored in item.files.items():
                path = folder / place(item.record, role)
                if path.parent not in made:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    made.add(path.parent)
                stored.place(path)
            note(item)
    sync_folders(sorted(made))


@contextmanager
def record_files(folder: Path, splits: Sequence[str]) -> Iterator[Callable[[SplicingRecord], None]]:
    """Write records, one call for each in the order of the samples; how many there are is written at the end.

    Raises:
        SynthharmError: a split that no folder can be called after; a record of no split or out of order.
    """
    check_splits(splits)
    counts, last = dict.fromkeys(splits, 0), -1
    with ExitStack() as stack:
        files = {split: stack.enter_context(atomic_file(folder / records_path(split))) for split in splits}

        def add(record: SplicingRecord) -> None:
            nonlocal last
            if record.split not in files:
                raise SynthharmError(f"sample {record.name} is of the split {record.split!r}; there are {splits}")
            if record.sample <= last:
                raise SynthharmError(f"sample {record.name} comes after sample {last:06d}; numbers must grow")
            last = record.sample
            counts[record.split] += 1
            files[record.split].write(f"{record.to_json()}\n".encode())

        yield add
    write_atomically(folder / COUNTS, f"{json.dumps(counts)}\n".encode())


def records_path(split: str) -> str:
    """Where a split's records are, from the folder."""
    return f"records/{split}.jsonl"


@contextmanager
def json_array(file: IO[bytes]) -> Iterator[Callable[[Any], None]]:
    r"""Write a JSON array into a file, one entry a line and one call an entry.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> with json_array(file) as add:
        ...     add(["a.jpg", "Negative"])
        >>> file.getvalue()
        b'[\n["a.jpg", "Negative"]\n]'
    """
    before = b"[\n"

    def add(entry: Any) -> None:
        nonlocal before
        file.write(before + json.dumps(entry, ensure_ascii=False, allow_nan=False).encode())
        before = b",\n"

    yield add
    file.write(b"[]" if before == b"[\n" else b"\n]")


def decode_label(item: Item, role: str) -> NDArray[Any]:
    """A label of a sample, decoded: (H, W), of the image's size.

    Raises:
        SynthharmError: it is no such file.
    """
    data, image = item.files[role].read(), item.record.image
    try:
        label = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        label = None
    expected = (image["height"], image["width"])
    if label is None or label.shape != expected:
        found = f"{len(data)} bytes that are no image" if label is None else f"of shape {label.shape}"
        raise SynthharmError(f"sample {item.record.name}: its {role} is {found}; accepted is (H, W) = {expected}")
    return label


def read_items(
    folder: Path, name: str, place: Place, listings: Callable[[str], Sequence[str]] = lambda split: ()
) -> Iterator[Item]:
    """Read back what `write_items` wrote, in the order of the samples.

    Args:
        folder: the dataset's.
        name: of the format, for errors.
        place: as it was written with.
        listings: the paths that the format itself has for a split; all must be there.

    Raises:
        SynthharmError: a file is missing, or is not what the records say; it is named.
    """
    counts = _counts(folder, name)
    for split in counts:
        for path in listings(split):
            if not (folder / path).is_file():
                raise SynthharmError(f"{folder / path} is missing: {folder} is no dataset of the format {name}")
    splits = (_records(folder / records_path(split), split, count) for split, count in counts.items())
    last = -1
    for record in heapq.merge(*splits, key=lambda record: record.sample):
        if record.sample == last:
            raise SynthharmError(f"{folder}: sample {record.name} is in more than one split")
        last = record.sample
        files = {role: _stored(folder / place(record, role), record, role) for role in record.files}
        yield Item(record, files)


def _counts(folder: Path, name: str) -> dict[str, int]:
    try:
        counts = parse_json((folder / COUNTS).read_bytes())
    except FileNotFoundError:
        raise SynthharmError(
            f"{folder / COUNTS} is missing: {folder} is no dataset of the format {name}"
        ) from None
    except (OSError, ValueError) as error:
        raise SynthharmError(f"{folder / COUNTS} cannot be read: {error}") from error
    if not isinstance(counts, dict) or not all(
        SPLIT_NAME.fullmatch(split) and type(count) is int for split, count in counts.items()
    ):
        raise SynthharmError(f"{folder / COUNTS} has {counts!r}; accepted is the number of samples of each split")
    return counts


def _records(path: Path, split: str, count: int) -> Iterator[SplicingRecord]:
    number, last = 0, -1
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    record = SplicingRecord.from_json(line)
                    _check(record, split, last)
                except ValueError as error:
                    raise SynthharmError(f"{path}, line {number}: {error}") from error
                last = record.sample
                yield record
    except OSError as error:
        raise SynthharmError(f"{path} cannot be read: {error.strerror}") from error
    if number != count:
        raise SynthharmError(f"{path} has {number} records; {COUNTS} says {count}")


def _check(record: SplicingRecord, split: str, last: int) -> None:
    if type(record.sample) is not int or record.sample <= last:
        raise ValueError(f"sample is {record.sample!r}; accepted is a number above {last}")
    if record.split != split:
        raise ValueError(f"split is {record.split!r}; accepted is {split!r}")
    files = record.files
    if not isinstance(files, dict) or "image" not in files or not all(map(ROLE.fullmatch, files)):
        raise ValueError(f"files are {files!r}; accepted is one for each role, with an image")
    for role, file in files.items():
        if not (isinstance(file, dict) and isinstance(file.get("path"), str) and type(file.get("bytes")) is int):
            raise ValueError(f"files.{role} is {file!r}; accepted are path, sha256 and bytes")


def _stored(path: Path, record: SplicingRecord, role: str) -> OnDisk:
    expected = record.files[role]["bytes"]
    try:
        size = path.stat().st_size
    except OSError as error:
        raise SynthharmError(f"{path}, the {role} of sample {record.name}: {error.strerror}") from error
    if size != expected or not path.is_file():
        raise SynthharmError(
            f"{path}, the {role} of sample {record.name}, has {size} bytes; accepted is {expected}"
        )
    return OnDisk(path)
