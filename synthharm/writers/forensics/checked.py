"""Samples read back out of larger files, compared with their records before anyone uses them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from synthharm.errors import SynthharmError
from synthharm.files import sha256
from synthharm.writers.forensics.item import InMemory, Item
from synthharm.writers.forensics.record import SplicingRecord

LABELS = ("mask", "alpha", "boundary", "regions")  # of every manipulated sample
SOURCE = "source_"


def roles(record: SplicingRecord) -> list[str]:
    """The roles of a sample's files in the order that formats store them: image, labels, sources by number.

    Raises:
        SynthharmError: a role that no format knows.
    """
    sources: dict[int, str] = {}
    for role in record.files:
        if match := re.fullmatch(rf"{SOURCE}([1-9][0-9]*)", role):
            sources[int(match[1])] = role
        elif role not in ("image", *LABELS):
            accepted = ", ".join(("image", *LABELS, f"{SOURCE}<id>"))
            raise SynthharmError(f"sample {record.sample}: a file with the role {role!r}; accepted are {accepted}")
    if "image" not in record.files:
        raise SynthharmError(f"sample {record.sample}: no file with the role 'image', which every sample has")
    return ["image", *(r for r in LABELS if r in record.files), *(sources[n] for n in sorted(sources))]


def unknown_split(record: SplicingRecord, splits: Sequence[str]) -> str:
    """What to say of a sample whose split the dataset does not have."""
    return f"sample {record.sample}: its split is {record.split!r}; the dataset has {', '.join(splits)}"


def parse_record(line: str | bytes, place: str) -> SplicingRecord:
    """Read a record that stands at `place`.

    Raises:
        SynthharmError: it is none.
    """
    try:
        return SplicingRecord.from_json(line)
    except (ValueError, TypeError) as error:
        raise SynthharmError(f"{place}: holds a record that cannot be read: {error}") from error


def checked_item(record: SplicingRecord, data: Mapping[str, bytes], place: str) -> Item:
    """A sample from its record and the bytes found by role.

    Raises:
        SynthharmError: other roles or other bytes than the record says.
    """
    if set(data) != set(record.files):
        found, wanted = sorted(data), sorted(record.files)
        raise SynthharmError(f"{place}: sample {record.sample} has the files {found}; its record names {wanted}")
    for role, content in data.items():
        if sha256(content) != record.files[role].get("sha256"):
            raise SynthharmError(f"{place}: sample {record.sample}: the {role} is not the one its record names")
    return Item(record, {role: InMemory(data[role]) for role in roles(record)})


def in_order(splits: Iterable[Iterator[Item]], place: str) -> Iterator[Item]:
    """Samples that are stored by split, in the order of the dataset.

    Raises:
        SynthharmError: a sample is there twice, or not where its number belongs.
    """
    last = -1
    for item in heapq.merge(*splits, key=lambda item: item.record.sample):
        if item.record.sample <= last:
            accepted = "each is accepted once, in order"
            raise SynthharmError(f"{place}: sample {item.record.sample} comes after {last}; {accepted}")
        last = item.record.sample
        yield item
