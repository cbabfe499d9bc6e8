"""Checking one sample: its files against its record, and its labels against each other and against its edits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from synthharm.composites import decode_image
from synthharm.composites.history import Save, disagreements
from synthharm.composites.manipulation import Edit, Paste, Region, Removal
from synthharm.files import sha256
from synthharm.generate.splicing.sample import describe_region
from synthharm.masks import boundary_band
from synthharm.writers.forensics import SplicingRecord

Label = NDArray[np.uint8]
LABELS = {"mask", "alpha", "boundary", "regions"}  # of every manipulated sample


def wrong_sample(folder: Path, record: SplicingRecord) -> Iterator[str]:
    """What is wrong with a sample, a line each.

    Args:
        folder: the dataset's.
        record: of the sample.

    Raises:
        LookupError, TypeError, ValueError: the record does not hold what a record holds.
    """
    labels: dict[str, Label] = {}
    for role, file in record.files.items():
        try:
            data = (folder / file["path"]).read_bytes()
            decoded = decode_image(data)
        except (OSError, ValueError) as error:
            yield f"{file['path']}: {error}"
            return
        if (len(data), sha256(data)) != (file["bytes"], file["sha256"]):
            yield f"{file['path']}: is not the file that the record describes"
        if role == "image":
            save = msgspec.convert(record.history[-1], Save)
            yield from (f"{file['path']}: {line}" for line in disagreements(data, save, _size(record)))
        elif decoded.ndim != 2 or decoded.dtype != np.uint8:
            yield f"{file['path']}: is not an 8-bit grey label"
            return
        else:
            labels[role] = decoded
    edits = [msgspec.convert(edit, Edit) for edit in record.edits]
    yield from _wrong_edits(record, edits)
    found = {role for role in labels if not role.startswith("source_")}
    if found != (LABELS if record.manipulated else set()):
        yield f"has the labels {sorted(found)}; {sorted(LABELS) if record.manipulated else 'none'} are expected"
    elif record.manipulated:
        yield from _wrong_labels(record, labels)
    yield from _wrong_sources(record, edits, {role: label for role, label in labels.items() if role not in LABELS})


def _wrong_edits(record: SplicingRecord, edits: list[Edit]) -> Iterator[str]:
    """Whether what was done is what the kind is called after."""
    kinds = {_kind_of(edit) for edit in edits}
    wanted = {"authentic": set[str](), "harmonized_splice": {"splice"}}.get(record.kind, {record.kind})
    if kinds != wanted:
        yield f"is called {record.kind}, and its edits are {sorted(kinds) or 'none'}"
    if [region["id"] for region in record.regions] != list(range(1, len(edits) + 1)):
        yield f"has {len(edits)} edits and the regions {[region['id'] for region in record.regions]}"


def _kind_of(edit: Edit) -> str:
    if isinstance(edit, Paste):
        return "splice" if edit.region.photo else "copy_move"
    return "removal" if isinstance(edit, Removal) else "retouch"


def _wrong_labels(record: SplicingRecord, labels: dict[str, Label]) -> Iterator[str]:
    size = _size(record)
    if wrong := [role for role in sorted(LABELS) if labels[role].shape != size]:
        yield f"{wrong[0]}: is {labels[wrong[0]].shape}; {size} (height, width) is the image's"
        return
    mask, ids, alpha = labels["mask"], labels["regions"], labels["alpha"]
    if not np.isin(mask, (0, 255)).all():
        yield "mask: has values other than 0 and 255"
    if ((mask > 0) != (ids > 0)).any():
        yield "mask: is not where the regions are"
    resized = any(step["step"] == "resize" for step in record.history)
    if (alpha[mask > 0] == 0).any() or (not resized and (alpha[mask == 0] > 0).any()):
        yield "alpha: is not where the mask is"
    area = int(np.count_nonzero(mask))
    if (area, area / mask.size) != (record.image["area"], record.image["share"]):
        yield f"mask: covers {area} pixels; {record.image['area']}, {record.image['share']} of all, recorded"
    band = np.where(boundary_band(mask, record.image["boundary"]), np.uint8(255), np.uint8(0))
    if not np.array_equal(band, labels["boundary"]):
        yield "boundary: is not the band around the mask's edge"
    if {int(number) for number in np.unique(ids)} - {0} != {region["id"] for region in record.regions}:
        yield f"regions: are {sorted(set(np.unique(ids).tolist()) - {0})} in the map, and others in the record"
        return
    for region, edit in zip(record.regions, record.edits, strict=True):
        expected = describe_region(region["id"], msgspec.convert(edit["region"], Region), ids)
        if region != expected:
            keys = ", ".join(sorted(key for key in expected if region.get(key) != expected[key])) or "keys"
            yield f"region {region['id']}: its {keys} are not those of the map and the edit"
    if record.measured["outside"]:
        yield f"was composed with changes of {record.measured['outside']} levels outside the mask"


def _wrong_sources(record: SplicingRecord, edits: list[Edit], labels: dict[str, Label]) -> Iterator[str]:
    pasted = {f"source_{number}": edit for number, edit in enumerate(edits, 1) if isinstance(edit, Paste)}
    if labels.keys() != pasted.keys():
        yield f"has the sources {sorted(labels)}; its edits have {sorted(pasted)}"
        return
    for role, edit in pasted.items():
        photo, source = record.photos[edit.region.photo], labels[role]
        inside = edit.region.photo == 0
        size = _size(record) if inside else (photo["height"], photo["width"])
        if source.shape != size:
            yield f"{role}: is {source.shape}; {size} (height, width) is that of what it was cut out of"
        elif not np.isin(source, (0, 255)).all():
            yield f"{role}: has values other than 0 and 255"
        elif not inside and not source.any():  # that of a copy may have been cropped away
            yield f"{role}: is empty"


def _size(record: SplicingRecord) -> tuple[int, int]:
    return int(record.image["height"]), int(record.image["width"])
