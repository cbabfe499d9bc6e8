"""The format `webdataset`: tar files that the webdataset library reads one after another.

The files of a sample share a key, the name up to the first dot, and stand together, always in the same order. Tar
headers hold nothing but name and size, so that the same samples make the same bytes.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.files import parse_json
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
from synthharm.writers.forensics.record import SplicingRecord

SHARD = re.compile(r"(?P<split>\w+)-(?P<number>\d{6,})\.tar")
IMAGES = (".jpg", ".png", ".webp")  # what an image may be
LARGEST = 1 << 30  # bytes of a sample that are read
LABEL = "label"  # stands in the JSON beside the record's fields: 0 authentic, 1 manipulated


@dataclass(frozen=True)
class WebDatasetFormat:
    """Tar files <split>-000000.tar.

    Args:
        rows: samples in a shard at most.

    Example:
        >>> WebDatasetFormat().name
        'webdataset'
    """

    rows: int = 500

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ValueError(f"rows is {self.rows}; accepted is a number of samples from 1 on")

    @property
    def name(self) -> str:
        """See `Format`."""
        return "webdataset"

    def write(self, items: Items, folder: Path, about: About) -> None:
        """See `Format`. A split without samples has no shard."""
        counts = dict.fromkeys(about.splits, 0)
        tars: dict[str, tarfile.TarFile] = {}
        try:
            for item in items():
                split = item.record.split
                if split not in counts:
                    raise SynthharmError(unknown_split(item.record, about.splits))
                number, row = divmod(counts[split], self.rows)
                if row == 0:
                    if number:
                        tars.pop(split).close()
                    path = folder / f"{split}-{number:06d}.tar"
                    tars[split] = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
                _add_sample(tars[split], item)
                counts[split] += 1
        finally:
            for tar in tars.values():
                tar.close()

    def read(self, folder: Path) -> Iterator[Item]:
        """See `Format`. Nothing is extracted to the disk."""
        shards = _shards(folder)
        yield from in_order((_read_split(split, paths) for split, paths in shards.items()), str(folder))


def _add_sample(tar: tarfile.TarFile, item: Item) -> None:
    record = item.record
    for role in roles(record):
        _add(tar, f"{record.name}{_extension(record, role)}", item.files[role].read())
    content = json.loads(record.to_json()) | {LABEL: int(record.manipulated)}
    _add(tar, f"{record.name}.json", json.dumps(content, ensure_ascii=False, allow_nan=False).encode())


def _extension(record: SplicingRecord, role: str) -> str:
    suffix = PurePosixPath(record.files[role]["path"]).suffix
    if role != "image":
        return f".{role}.png"
    if suffix not in IMAGES:
        accepted = ", ".join(IMAGES)
        raise SynthharmError(f"sample {record.sample}: its image is a {suffix!r} file; accepted are {accepted}")
    return suffix


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # time 0, no owner, whatever the machine
    member.size, member.mode = len(data), 0o644
    tar.addfile(member, io.BytesIO(data))


def _shards(folder: Path) -> dict[str, list[Path]]:
    """The shards of each split, in order and without a gap."""
    splits: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.glob("*.tar")):
        if not (match := SHARD.fullmatch(path.name)):
            raise SynthharmError(f"{path}: is not called <split>-000000.tar")
        splits.setdefault(match["split"], {})[int(match["number"])] = path
    if not splits:
        raise SynthharmError(f"{folder}: holds no <split>-000000.tar, as a dataset in the format webdataset does")
    for split, paths in splits.items():
        if missing := sorted(set(range(max(paths))) - set(paths)):
            raise SynthharmError(f"{folder}: of the split {split} shard {missing[0]} is missing")
    return {split: [paths[number] for number in sorted(paths)] for split, paths in splits.items()}


@dataclass
class _Sample:
    """The members of one key, while they come."""

    key: str
    data: dict[str, bytes] = field(default_factory=dict)
    content: bytes | None = None

    def item(self, split: str, place: str) -> Item:
        if self.content is None:
            raise SynthharmError(f"{place}: {self.key}.json is missing")
        record = _record(self.content, f"{place}: {self.key}.json")
        if record.name != self.key or record.split != split:
            raise SynthharmError(f"{place}: {self.key} holds sample {record.sample} of the split {record.split!r}")
        return checked_item(record, self.data, place)


def _read_split(split: str, paths: list[Path]) -> Iterator[Item]:
    for path in paths:
        sample: _Sample | None = None
        size = 0
        for name, data in _members(path):
            key, _, extension = name.partition(".")
            if sample is None or sample.key != key:
                if sample is not None:
                    yield sample.item(split, str(path))
                sample, size = _Sample(key), 0
            size += len(data)
            if size > LARGEST:
                raise SynthharmError(f"{path}: {key} has more than {LARGEST} bytes, the most that are read")
            _take(sample, extension, data, path)
        if sample is not None:
            yield sample.item(split, str(path))


def _take(sample: _Sample, extension: str, data: bytes, path: Path) -> None:
    role = "image" if f".{extension}" in IMAGES else extension.removesuffix(".png")
    twice = role in sample.data or (extension == "json" and sample.content is not None)
    known = role in ("image", *LABELS) or role.startswith(SOURCE) or extension == "json"
    if twice or not known:
        problem = "there twice" if twice else "no file of the format"
        raise SynthharmError(f"{path}: {sample.key}.{extension} is {problem}")
    if extension == "json":
        sample.content = data
    else:
        sample.data[role] = data


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of a tar's files, in order."""
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # or it would keep every header it has seen
                if not member.isreg() or member.size > LARGEST:
                    found = f"{member.size} bytes" if member.isreg() else "no regular file"
                    accepted = f"accepted are files of up to {LARGEST} bytes"
                    raise SynthharmError(f"{path}: {member.name}: {found}; {accepted}")
                stored = tar.extractfile(member)
                assert stored is not None
                data = stored.read()
                if len(data) != member.size:
                    raise SynthharmError(f"{path}: ends within {member.name}")
                yield member.name, data
    except (tarfile.TarError, OSError) as error:
        raise SynthharmError(f"{path}: cannot be read as a tar file: {error}") from error


def _record(content: bytes, place: str) -> SplicingRecord:
    try:
        fields: Any = parse_json(content)
    except ValueError as error:
        raise SynthharmError(f"{place}: is not JSON: {error}") from error
    if not isinstance(fields, dict) or LABEL not in fields:
        raise SynthharmError(f"{place}: is not a record with its {LABEL}")
    label = fields.pop(LABEL)
    record = parse_record(json.dumps(fields), place)
    if label != int(record.manipulated):
        raise SynthharmError(f"{place}: its {LABEL} is {label!r}, which is not that of the kind {record.kind}")
    return record
