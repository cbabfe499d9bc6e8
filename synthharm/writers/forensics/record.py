"""The record of a sample of a splicing dataset: everything that was done, as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import msgspec

from synthharm.writers.record import is_within, read_fields

NEEDED = {  # what a record's parts say, each entry of those that are lists
    "unit": {"number", "type", "role", "factor", "value", "history"},
    "image": {"width", "height", "area", "share", "boundary"},
    "licence": {"name", "attribution"},
    "photos": {"photo", "sha256", "width", "height", "licence", "attribution"},
    "edits": {"edit", "region"},
    "history": {"step"},
    "regions": {"id", "category", "photo", "region", "area", "share", "box"},
}
FILE = {"path": str, "sha256": str, "bytes": int}
KINDS = ("authentic", "retouch", "splice", "harmonized_splice", "copy_move", "removal")


@dataclass(frozen=True)
class SplicingRecord:
    """What a sample was made from and how, enough to make the same bytes again from the sources.

    Args:
        sample: its number in the dataset.
        kind: one of KINDS.
        split: the split that all its photos are in.
        seed: of the streams that its edits and history were drawn from.
        unit: number, attempt and type ("single", "family" or "grid") of what it was made with; role in a family
            ("target", "donor", "splice", "harmonized_splice") or null; factor and value in a grid, or null.
        photos: the target first, then donors: photo (key), sha256, width, height, licence, attribution, encoding
            as the file was found.
        edits: what was done to the target, in order, as `synthharm.composites.manipulation` runs it.
        history: what was done to the result, in order, as `synthharm.composites.history` runs it; the last step
            is the save that the image file comes from.
        regions: one for each id in the region map, from 1: id, category, photo (its number in `photos`), region
            (its id in the source), and of the final image: area in pixels, share, box [x, y, width, height].
        image: of the final image: width, height, mask area in pixels and share of the image, boundary (the width
            of the band in pixels).
        measured: before history: foreground_mse (to the target, on 0..255, over the mask), changed (share of the
            mask's pixels that differ), outside (largest difference outside the mask, 0), share (of the picture
            that the mask covers).
        licence: of the result: name, and attribution (a list of "photo: who").
        files: by role: path from the dataset's folder, sha256, bytes. Every sample has "image"; a manipulated one
            has "mask" (0 or 255), "alpha" (0..255), "boundary" (255 within the band), "regions" (ids), and for
            each region cut from a photo "source_<id>" (0 or 255; in the donor's photo, or for copy_move in the
            final image).
        versions: of the libraries that made it.
    """

    sample: int
    kind: str
    split: str
    seed: int
    unit: dict[str, Any]
    photos: list[dict[str, Any]]
    edits: list[dict[str, Any]]
    history: list[dict[str, Any]]
    regions: list[dict[str, Any]]
    image: dict[str, Any]
    measured: dict[str, float]
    licence: dict[str, Any]
    files: dict[str, dict[str, Any]]
    versions: dict[str, str]

    @property
    def manipulated(self) -> bool:
        """Whether a localizer should find something in it."""
        return self.kind != "authentic"

    @property
    def name(self) -> str:
        """What its files are called, unique in the dataset: "000007"."""
        return f"{self.sample:06d}"

    def to_json(self) -> str:
        """One line of JSON; floats are written so that they read back to the bit."""
        return json.dumps({name: getattr(self, name) for name in _NAMES}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> SplicingRecord:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not JSON, other fields than a record's, or values of other types.
        """
        try:
            record = cls(*msgspec.structs.astuple(_DECODER.decode(line)))
        except (ValueError, RecursionError):
            record = _read(line)  # which says why, or reads what only Python does
        for problem in _problems(record):
            raise ValueError(f"sample {record.sample}: {problem}")
        try:
            msgspec.convert(record, _Parts, from_attributes=True)
        except msgspec.ValidationError as error:
            raise ValueError(f"sample {record.sample}: {error}") from error
        return record


_NAMES = tuple(field.name for field in fields(SplicingRecord))
_HINTS = get_type_hints(SplicingRecord)
_DECODER = msgspec.json.Decoder(
    msgspec.defstruct("_Line", [(name, _HINTS[name]) for name in _NAMES], forbid_unknown_fields=True)
)


def _read(line: str | bytes) -> SplicingRecord:
    data = read_fields(line, _NAMES)
    try:
        return msgspec.convert(data, SplicingRecord)
    except msgspec.ValidationError as error:
        raise ValueError(f"sample {data['sample']!r}: {error}") from error


def _problems(record: SplicingRecord) -> Iterator[str]:
    """What a record of the right types lacks to be one."""
    if record.sample < 0:
        yield "its number is negative"
    if record.kind not in KINDS:
        yield f"kind is {record.kind!r}; accepted are {', '.join(KINDS)}"
    if not record.photos or not all(isinstance(photo.get("photo"), str) for photo in record.photos):
        yield "photos are not one or more, each with its key"
    for name, keys in NEEDED.items():
        value = getattr(record, name)
        for entry in value if isinstance(value, list) else [value]:
            if not entry.keys() >= keys:
                yield f"{name} without {', '.join(sorted(keys - entry.keys()))}"
    if "image" not in record.files:
        yield f"files are {sorted(record.files)}; an image is needed"
    for role, file in record.files.items():
        if not isinstance(file, dict) or {key: type(value) for key, value in file.items()} != FILE:
            yield f"files: {role} is {file!r}; path, sha256 and bytes are needed"
        elif not is_within(file["path"]):
            yield f"files: {role}: the path {file['path']!r} is not within the dataset's folder"


class _Unit(msgspec.Struct):
    number: int
    type: str
    role: str | None
    factor: str | None
    history: str


class _Image(msgspec.Struct):
    width: int
    height: int
    area: int
    share: float
    boundary: float


class _Licence(msgspec.Struct):
    name: str | None
    attribution: list[str]


class _Photo(msgspec.Struct):
    photo: str
    sha256: str
    width: int
    height: int
    licence: str | None
    attribution: str | None


class _Edit(msgspec.Struct):
    edit: str
    region: dict[str, Any]


class _Step(msgspec.Struct):
    step: str
    quality: int | None = None


class _Region(msgspec.Struct):
    id: int
    category: str | None
    photo: int
    region: str
    area: int
    share: float
    box: tuple[int, int, int, int]


class _Parts(msgspec.Struct):
    """The types of what datasets' formats take from a record's parts."""

    unit: _Unit
    image: _Image
    licence: _Licence
    photos: list[_Photo]
    edits: list[_Edit]
    history: list[_Step]
    regions: list[_Region]
