"""Finishing a sample: its edits checked, its history run, its files made, and the record of it all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.encoding import encode_png
from synthharm.composites.history import Jpeg, Save, Saved, Step, disagreements, run_history
from synthharm.composites.manipulation import Paste, Region
from synthharm.errors import Unusable
from synthharm.files import sha256
from synthharm.generate.sample import describe_source, library_versions
from synthharm.generate.splicing.draft import Draft
from synthharm.generate.splicing.layout import Member, UnitKind
from synthharm.masks import boundary_band
from synthharm.sources import Licence, combination, parse_licence
from synthharm.writers.forensics import SplicingRecord, canonical_path

LEAST_CHANGE = 1.0  # mean squared error on 0..255 within the mask: less is no manipulation
LEAST_AREA = 16  # pixels of each region in the final image


@dataclass(frozen=True)
class SplicingSample:
    """A finished sample: its record, its files' bytes by path, and what it was made from."""

    record: SplicingRecord
    files: dict[str, bytes]
    draft: Draft


@dataclass(frozen=True)
class Origin:
    """Where a sample stands in its dataset.

    Args:
        sample: its number.
        unit: the number of its unit.
        attempt: at which of its attempts the unit was made.
        kind: what the unit is made of.
        member: which of its samples this is.
        split: its photos'.
        seed: the dataset's.
        history: the name of its history.
    """

    sample: int
    unit: int
    attempt: int
    kind: UnitKind
    member: Member
    split: str
    seed: int
    history: str

    def described(self) -> dict[str, Any]:
        """For the record."""
        return {
            "number": self.unit,
            "attempt": self.attempt,
            "type": self.kind.type,
            "role": self.member.role,
            "factor": self.kind.factor,
            "value": self.member.value,
            "history": self.history,
        }


def finish_sample(
    origin: Origin, draft: Draft, steps: Sequence[Step], save: Save, boundary: float
) -> SplicingSample:
    """Check a draft, run its history, and make its files and its record.

    Raises:
        Unusable: something changed outside the mask or nothing inside, nothing of the region is left after its
            history, or the file is not what its history says.
    """
    name = draft.photos[0].key
    measured = _measure(draft, name)
    labels = {"alpha": draft.done.alpha, "regions": draft.done.regions} if draft.edits else {}
    for number, edit in enumerate(draft.edits, 1):
        if isinstance(edit, Paste) and edit.region.photo == 0:
            # What a copy lies on is no more what it is a copy of.
            source = draft.done.sources[number]
            labels[f"source_{number}"] = np.where(draft.done.regions > 0, np.uint8(0), source)
    try:
        saved = run_history(draft.done.image, labels, [*steps, save])
    except ValueError as error:
        raise Unusable(name, "not composed", f"its history: {error}") from error
    size = (saved.image.shape[0], saved.image.shape[1])
    if wrong := disagreements(saved.data, save, size):
        raise Unusable(name, "not composed", f"its file: {'; '.join(wrong)}")
    files, regions = {"image": saved.data}, list[dict[str, Any]]()
    if draft.edits:
        regions = _describe_regions(draft, saved.labels["regions"], name)
        files |= _label_files(draft, saved, boundary)
    record = SplicingRecord(
        sample=origin.sample,
        kind=origin.member.kind,
        split=origin.split,
        seed=origin.seed,
        unit=origin.described(),
        photos=[describe_source(photo) for photo in draft.photos],
        edits=[msgspec.to_builtins(edit) for edit in draft.edits],
        history=[msgspec.to_builtins(step) for step in [*steps, save]],
        regions=regions,
        image=_describe_image(saved, draft, boundary),
        measured=measured,
        licence=_describe_licence(draft),
        files={},
        versions=library_versions(),
    )
    suffix = ".jpg" if isinstance(save, Jpeg) else ".png"
    paths = {role: canonical_path(record.name, role, suffix if role == "image" else ".png") for role in files}
    described = {
        role: {"path": paths[role], "sha256": sha256(data), "bytes": len(data)} for role, data in files.items()
    }
    record = replace(record, files=described)
    return SplicingSample(record, {paths[role]: data for role, data in files.items()}, draft)


def _measure(draft: Draft, name: str) -> dict[str, float]:
    """What the edits changed, which is refused where it is anything outside the mask, or nothing inside."""
    if not draft.edits:
        return {}
    image, target = draft.done.image.astype(np.int16), draft.photos[0].pixels.astype(np.int16)
    inside = draft.done.regions > 0
    if not inside.any():
        raise Unusable(name, "empty mask", "no pixel is in any region")
    difference = image - target
    outside = int(np.abs(difference[~inside]).max(initial=0))
    if outside:
        raise Unusable(name, "not composed", f"pixels outside the mask changed by up to {outside} levels")
    for number, edit in enumerate(draft.edits, 1):
        changed_by = _error(difference[draft.done.regions == number])
        if changed_by < LEAST_CHANGE:
            detail = f"region {edit.region.id} differs by an MSE of {changed_by:.3f}; {LEAST_CHANGE} is accepted"
            raise Unusable(name, "unchanged", detail)
    within = difference[inside]
    error = _error(within)
    changed = float((within != 0).any(axis=1).mean())
    return {"foreground_mse": error, "changed": changed, "outside": float(outside), "share": draft.share}


def _error(difference: NDArray[np.int16]) -> float:
    """The mean squared error of differences (P, 3) in levels; 0 of none."""
    return float(np.mean(difference.astype(np.float64) ** 2)) if len(difference) else 0.0


def _describe_regions(draft: Draft, ids: NDArray[np.uint8], name: str) -> list[dict[str, Any]]:
    found = []
    for number, edit in enumerate(draft.edits, 1):
        area = int(np.count_nonzero(ids == number))
        if area < LEAST_AREA:
            detail = f"region {edit.region.id} has {area} pixels in the end; {LEAST_AREA} and more are accepted"
            raise Unusable(name, "empty mask", detail)
        found.append(describe_region(number, edit.region, ids))
    return found


def describe_region(number: int, region: Region, ids: NDArray[np.uint8]) -> dict[str, Any]:
    """A region of the final image, for the record.

    Args:
        number: its id in the map.
        region: what it was, or what was pasted.
        ids: the map (H, W), in which it has a pixel at least.
    """
    inside = ids == number
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    left, top, area = int(columns[0]), int(rows[0]), int(np.count_nonzero(inside))
    return {
        "id": number,
        "category": region.category,
        "photo": region.photo,
        "region": region.id,
        "area": area,
        "share": area / ids.size,
        "box": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
    }


def _label_files(draft: Draft, saved: Saved, boundary: float) -> dict[str, bytes]:
    regions = saved.labels["regions"]
    mask = np.where(regions > 0, np.uint8(255), np.uint8(0))
    band = np.where(boundary_band(mask, boundary), np.uint8(255), np.uint8(0))
    # Shrinking may round the faintest alpha to 0 where the mask still is.
    alpha = np.where(regions > 0, np.maximum(saved.labels["alpha"], 1), saved.labels["alpha"]).astype(np.uint8)
    labels = {"mask": mask, "alpha": alpha, "boundary": band, "regions": regions}
    for number, source in draft.done.sources.items():
        labels[f"source_{number}"] = saved.labels.get(f"source_{number}", source)
    return {role: encode_png(label) for role, label in labels.items()}


def _describe_image(saved: Saved, draft: Draft, boundary: float) -> dict[str, Any]:
    height, width = saved.image.shape[:2]
    area = int(np.count_nonzero(saved.labels["regions"])) if draft.edits else 0
    return {
        "width": width,
        "height": height,
        "area": area,
        "share": area / (width * height),
        "boundary": boundary,
    }


def _describe_licence(draft: Draft) -> dict[str, Any]:
    found = combination([parse_licence(photo.licence) for photo in draft.photos], edited=bool(draft.edits))
    name = found.name if isinstance(found, Licence) else None
    return {"name": name, "attribution": [f"{p.key}: {p.attribution or 'not named'}" for p in draft.photos]}
