"""A sample of a splicing dataset, made again from its record."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from synthharm.composites.history import Save, Step
from synthharm.composites.manipulation import Edit
from synthharm.generate.replaying import read_photo
from synthharm.generate.splicing.draft import Draft
from synthharm.generate.splicing.layout import Member, UnitKind
from synthharm.generate.splicing.sample import Origin, finish_sample
from synthharm.masks import binarize
from synthharm.sources import Photo, PhotoEntry, RegionEntry, Source
from synthharm.writers.forensics import SplicingRecord

WIDEST = 50  # pixels: the boundary that a recipe may ask for at most


def spliced(record: SplicingRecord, source: Source) -> dict[str, bytes]:
    """The files of a sample, by role.

    Raises:
        SynthharmError: a photo has changed since.
        Unusable: a photo or mask cannot be read, or an edit cannot be done.
        ValueError, LookupError, TypeError: the record does not say what can be run.
    """
    photos = [read_photo(source, described) for described in record.photos]
    edits = [msgspec.convert(edit, Edit) for edit in record.edits]
    steps = [msgspec.convert(step, Step) for step in record.history[:-1]]
    save: Save = msgspec.convert(record.history[-1], Save)
    boundary = float(record.image["boundary"])
    if not 0 <= boundary <= WIDEST:
        raise ValueError(f"boundary is {boundary}; 0 to {WIDEST} pixels are accepted")
    draft = _draft(source, photos, edits)
    made = finish_sample(_origin(record), draft, steps, save, boundary)
    return {role: made.files[file["path"]] for role, file in made.record.files.items()}


def _draft(source: Source, photos: Sequence[Photo], edits: Sequence[Edit]) -> Draft:
    draft = Draft(tuple(photos), tuple(range(len(photos))), (), (), Draft.of(photos[0], 0).done)
    for edit in edits:
        region = edit.region
        photo = photos[region.photo]
        size = (photo.pixels.shape[0], photo.pixels.shape[1])
        entry = RegionEntry(region.photo, region.id, region.mask, region.category)
        mask = source.read_mask(PhotoEntry(photo.key), entry, size)
        draft = draft.with_edit(edit, binarize(mask))
    return draft


def _origin(record: SplicingRecord) -> Origin:
    unit = record.unit
    member = Member(record.kind, unit["role"], unit["value"])
    kind = UnitKind(unit["type"], (member,), unit["factor"])
    return Origin(
        record.sample, unit["number"], unit["attempt"], kind, member, record.split, record.seed, unit["history"]
    )
