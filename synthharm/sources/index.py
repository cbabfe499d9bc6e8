"""A source's listing on disk: written once, then looked up by number, without loading it, by any worker."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError
from synthharm.sources.entries import PhotoEntry, RegionEntry, Reject, Source

_PHOTOS, _REGIONS = "photos.arrow", "regions.arrow"
_PHOTO_STAMPS, _MASK_STAMPS = "photo_stamps.arrow", "mask_stamps.arrow"
_TABLES = (_PHOTOS, _REGIONS, _PHOTO_STAMPS, _MASK_STAMPS)
_REJECTS, _SUMMARY = "rejects.jsonl", "index.json"
_FILES = (*_TABLES, _REJECTS, _SUMMARY)
_BATCH = 4096
_LONGEST_SIDE = 2**31 - 1


@dataclass(frozen=True)
class Select:
    """Which regions of a source are used; every limit is included.

    Args:
        categories: names of the categories, exactly as the source has them; None for all.
        area_share: the smallest and largest share of its photo's area that a region may cover, in 0..1.
        side: pixels; no side of the photo may be shorter than the first or longer than the second.

    Raises:
        SynthharmError: limits out of range or in the wrong order, or an empty list of categories.

    Example:
        >>> Select(area_share=(0.01, 0.5)).needs_measure, Select(categories=("dog",)).needs_measure
        (True, False)
    """

    categories: tuple[str, ...] | None = None
    area_share: tuple[float, float] = (0.0, 1.0)
    side: tuple[int, int] = (1, _LONGEST_SIDE)

    def __post_init__(self) -> None:
        if self.categories is not None and not self.categories:
            raise SynthharmError("select: categories is an empty list; accepted are names, or none for all")
        if not 0 <= self.area_share[0] <= self.area_share[1] <= 1:
            raise SynthharmError(
                f"select: area_share is {self.area_share}; accepted is lowest <= highest within 0..1"
            )
        if not 1 <= self.side[0] <= self.side[1] <= _LONGEST_SIDE:
            raise SynthharmError(f"select: side is {self.side}; accepted is lowest <= highest, from 1 pixel on")

    @property
    def needs_measure(self) -> bool:
        """Whether sizes and shares must be known to tell what is used."""
        return self.area_share != (0, 1) or self.side != (1, _LONGEST_SIDE)

    def excludes(self, photo: PhotoEntry, region: RegionEntry) -> str | None:
        """What leaves a region out, "category", "side" or "area share", or None where it is used.

        Raises:
            ValueError: a limit is set for what the entries do not tell.
        """
        if self.categories is not None and region.category not in self.categories:
            return "category"
        if self.side != (1, _LONGEST_SIDE):
            if photo.width is None or photo.height is None:
                raise ValueError(f"{photo.key}: side cannot be checked, for its size was not measured")
            if min(photo.width, photo.height) < self.side[0] or max(photo.width, photo.height) > self.side[1]:
                return "side"
        if self.area_share != (0, 1):
            if region.share is None:
                raise ValueError(
                    f"{photo.key}: region {region.id}: area_share cannot be checked, being unmeasured"
                )
            if not self.area_share[0] <= region.share <= self.area_share[1]:
                return "area share"
        return None


@dataclass(frozen=True)
class Index:
    """A listing on disk: the regions that a selection keeps, and the photos that have one, numbered from 0.

    Made by `build_index` or `Index.open`. A copy in another process opens the same files again.

    Attributes:
        path: its folder.
        photos: how many photos it has.
        regions: how many regions.
        excluded: how many regions the selection left out, by what it was ("category", "area share", "side").
        digest: sha256 in hex over all kept entries: the same wherever and whenever the same listing is made.
            Stamps are no part of it.
        stamps: sha256 in hex over the stamps of all kept photos and masks: another one where a file has changed.
    """

    path: Path
    photos: int
    regions: int
    excluded: dict[str, int]
    digest: str
    stamps: str
    _photos: Any = field(repr=False, compare=False)
    _regions: Any = field(repr=False, compare=False)
    _photo_stamps: Any = field(repr=False, compare=False)
    _mask_stamps: Any = field(repr=False, compare=False)

    @classmethod
    def open(cls, path: Path) -> Index:
        """Map an index into memory. Raises SynthharmError where none is, or only the beginning of one."""
        import pyarrow as pa

        path = Path(path)
        try:
            summary = msgspec.json.decode((path / _SUMMARY).read_bytes(), type=_Summary)
            tables = [pa.ipc.open_file(pa.memory_map(str(path / name))) for name in _TABLES]
        except (OSError, ValueError) as error:
            raise SynthharmError(f"index: {path} holds no finished index: {error}") from error
        return cls(path, *msgspec.structs.astuple(summary), *tables)

    def __reduce__(self) -> tuple[Any, ...]:
        return Index.open, (self.path,)

    def photo(self, number: int) -> PhotoEntry:
        """Photo `number`. Raises IndexError."""
        return PhotoEntry(**_row(self._photos, number, self.photos, "photo"))

    def region(self, number: int) -> RegionEntry:
        """Region `number`, whose `photo` is a number of this index. Raises IndexError."""
        return RegionEntry(**_row(self._regions, number, self.regions, "region"))

    def keys(self) -> Iterator[str]:
        """The keys of all photos, by number."""
        for number in range(self._photos.num_record_batches):
            yield from self._photos.get_batch(number).column("key").to_pylist()

    def photo_stamp(self, number: int) -> str:
        """What told photo `number`'s file when it was listed; empty where it was not there or nothing tells it."""
        return str(_row(self._photo_stamps, number, self.photos, "photo")["stamp"])

    def mask_stamp(self, number: int) -> str:
        """What told the mask file of region `number`, as `photo_stamp` does; empty where masks are no files."""
        return str(_row(self._mask_stamps, number, self.regions, "region")["stamp"])

    def regions_of(self, category: str | None) -> NDArray[np.int64]:
        """The numbers of all regions of a category, or of those that have none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        found, start = [np.empty(0, np.int64)], 0
        for number in range(self._regions.num_record_batches):
            column = self._regions.get_batch(number).column("category")
            match = pc.is_null(column) if category is None else pc.equal(column, pa.scalar(category, column.type))
            found.append(np.flatnonzero(pc.fill_null(match, False).to_numpy(zero_copy_only=False)) + start)
            start += len(column)
        return np.concatenate(found)

    def owners(self) -> NDArray[np.int64]:
        """(regions,) the number of the photo that each region is in, ascending."""
        columns = [
            self._regions.get_batch(number).column("photo").to_numpy(zero_copy_only=False)
            for number in range(self._regions.num_record_batches)
        ]
        return np.concatenate([np.empty(0, np.int64), *columns])

    def categories(self) -> list[str]:
        """The names of the categories that regions are of, sorted; "" where some are of none."""
        import pyarrow.compute as pc

        found: set[str] = set()
        for number in range(self._regions.num_record_batches):
            found.update(
                name or "" for name in pc.unique(self._regions.get_batch(number).column("category")).to_pylist()
            )
        return sorted(found)

    def category_places(self) -> NDArray[np.int32]:
        """(regions,) the place of each region's category in `categories()`."""
        names = self.categories()
        places = {name: place for place, name in enumerate(names)}
        found = [np.empty(0, np.int32)]
        for number in range(self._regions.num_record_batches):
            column = self._regions.get_batch(number).column("category").fill_null("").dictionary_encode()
            listed = np.array([places[name] for name in column.dictionary.to_pylist()], np.int32)
            found.append(listed[column.indices.to_numpy(zero_copy_only=False)])
        return np.concatenate(found)

    @property
    def rejects(self) -> list[Reject]:
        """What the source could not use."""
        with (self.path / _REJECTS).open("rb") as file:
            return [msgspec.json.decode(line, type=Reject) for line in file]


class _Summary(msgspec.Struct):
    photos: int
    regions: int
    excluded: dict[str, int]
    digest: str
    stamps: str


@dataclass(frozen=True)
class _Stamp:
    stamp: str


def build_index(source: Source, path: Path, *, select: Select, measure: bool = False) -> Index:
    """List a source and write down what the selection keeps, in the folder `path`.

    Photos of which no region is kept are left out and the rest numbered anew. The listing passes through in
    batches and is never whole in memory.

    Args:
        source: what is listed.
        path: the folder.
        select: which regions are kept.
        measure: whether every mask and the head of every photo is opened even if the selection does not need it,
            so that whatever cannot be read is rejected now.

    Raises:
        SynthharmError: a category that no region of the source has, or what the source raises.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> class OnePhoto:
        ...     def entries(self, measure):
        ...         yield PhotoEntry("a.jpg")
        ...         yield RegionEntry(0, "1", "a.png", "dog")
        ...
        ...     def stamps(self):
        ...         return None
        >>> with TemporaryDirectory() as folder:
        ...     index = build_index(OnePhoto(), Path(folder), select=Select())
        ...     index.photos, index.regions, index.region(0).category
        (1, 1, 'dog')
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    (path / _SUMMARY).unlink(missing_ok=True)  # from here until it is written again, no finished index is here
    # Written beside and moved into place: an older index that is still mapped somewhere stays whole.
    parts = {name: path / f"{name}.{os.getpid()}.part" for name in _FILES}
    try:
        summary = _write(source, select, measure or select.needs_measure, parts)
        parts[_SUMMARY].write_bytes(msgspec.json.encode(summary))
        for name, part in parts.items():
            part.replace(path / name)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return Index.open(path)


def _write(source: Source, select: Select, measure: bool, parts: dict[str, Path]) -> _Summary:
    digest, stamps = hashlib.sha256(), hashlib.sha256()
    # Before anything is looked at: what changes while it is listed is then found changed.
    known = source.stamps() or {}
    excluded: Counter[str] = Counter()
    categories: set[str] = set()
    current: PhotoEntry | None = None
    listed, current_is_kept = -1, False
    with (
        _Table(parts[_PHOTOS], PhotoEntry) as photos,
        _Table(parts[_REGIONS], RegionEntry) as regions,
        _Table(parts[_PHOTO_STAMPS], _Stamp) as photo_stamps,
        _Table(parts[_MASK_STAMPS], _Stamp) as mask_stamps,
        parts[_REJECTS].open("wb") as rejects,
    ):
        for entry in source.entries(measure):
            if isinstance(entry, Reject):
                rejects.write(msgspec.json.encode(entry) + b"\n")
            elif isinstance(entry, PhotoEntry):
                current, current_is_kept = entry, False
                listed += 1
            else:
                if current is None or entry.photo != listed:
                    raise ValueError(f"region {entry.id} is of photo {entry.photo}, listed after photo {listed}")
                if entry.category is not None:
                    categories.add(entry.category)
                if reason := select.excludes(current, entry):
                    excluded[reason] += 1
                    continue
                if not current_is_kept:
                    digest.update(photos.add(current))
                    stamps.update(photo_stamps.add(_Stamp(known.get(current.key, ""))))
                    current_is_kept = True
                number = photos.rows - 1
                digest.update(regions.add(entry if entry.photo == number else replace(entry, photo=number)))
                stamps.update(mask_stamps.add(_Stamp(known.get(entry.mask, ""))))
    _check_categories(select, categories)
    left_out = dict(sorted(excluded.items()))
    return _Summary(photos.rows, regions.rows, left_out, digest.hexdigest(), stamps.hexdigest())


def _check_categories(select: Select, known: set[str]) -> None:
    for name in select.categories or ():
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.4) or sorted(known)[:10]
            found = f"nearest are {near}" if known else "the source names no categories"
            raise SynthharmError(f"select: no region is of category {name!r}; {found}")


class _Table:
    """An Arrow file that is written row by row, a batch at a time."""

    def __init__(self, path: Path, kind: type[PhotoEntry] | type[RegionEntry] | type[_Stamp]) -> None:
        import pyarrow as pa

        text, number = pa.string(), pa.int64()
        types = {"width": number, "height": number, "photo": number, "share": pa.float64()}
        self._schema = pa.schema([(name, types.get(name, text)) for name in kind.__dataclass_fields__])
        self._writer = pa.ipc.new_file(str(path), self._schema)
        self._pending: list[dict[str, Any]] = []
        self.rows = 0

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._flush()
        finally:
            self._writer.close()

    def add(self, entry: PhotoEntry | RegionEntry | _Stamp) -> bytes:
        """Append a row, and return what the digest takes of it."""
        self._pending.append(dict(vars(entry)))
        self.rows += 1
        if len(self._pending) == _BATCH:
            self._flush()
        return msgspec.json.encode(entry) + b"\n"

    def _flush(self) -> None:
        import pyarrow as pa

        if self._pending:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._pending, self._schema))
            self._pending.clear()


def _row(table: Any, number: int, rows: int, kind: str) -> dict[str, Any]:
    if not 0 <= number < rows:
        raise IndexError(f"{kind} {number}; this index has {rows}")
    batch, place = divmod(number, _BATCH)
    row: dict[str, Any] = table.get_batch(batch).slice(place, 1).to_pylist()[0]
    return row
