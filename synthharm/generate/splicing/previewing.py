"""Samples of a splicing dataset for a person to look at: target, mask, composite, and the edit from near."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation import Paste, Removal
from synthharm.generate.splicing.making import SplicingMaker
from synthharm.generate.splicing.sample import SplicingSample
from synthharm.report import Row
from synthharm.sources import Reject

TITLES = ("target", "mask", "composite, as saved", "the edit from near")
MARK = np.array([230, 159, 0], np.float64)  # a region's colour over the grey picture
STRENGTH = 0.55
MARGIN = 0.25  # of the box's longer side, around an edit from near


def preview_rows(maker: SplicingMaker, count: int) -> tuple[list[Row], list[Reject]]:
    """The first `count` samples that something was done to, a row each, and what was rejected on the way."""
    rows, rejects = list[Row](), list[Reject]()
    for unit in range(len(maker.plan.layout.codes)):
        if not maker.plan.layout.kind(unit).manipulated:
            continue
        samples, rejected = maker.make(unit)
        rejects += rejected
        rows += [_row(sample) for sample in samples if sample.record.manipulated]
        if len(rows) >= count:
            break
    return rows[:count], rejects


def _row(sample: SplicingSample) -> Row:
    record, draft = sample.record, sample.draft
    image, mask = draft.done.image, draft.done.regions
    pictures = (draft.photos[0].pixels, _marked(image, mask), _saved(sample), _near(image, mask))
    return Row(pictures, _caption(sample, record.kind))


def _saved(sample: SplicingSample) -> NDArray[np.uint8]:
    from synthharm.composites.history import decode

    return decode(sample.files[sample.record.files["image"]["path"]])


def _marked(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2).astype(np.float64)
    grey[mask > 0] = grey[mask > 0] * (1 - STRENGTH) + MARK * STRENGTH
    return np.rint(grey).astype(np.uint8)


def _near(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    rows, columns = np.flatnonzero((mask > 0).any(axis=1)), np.flatnonzero((mask > 0).any(axis=0))
    margin = int(MARGIN * max(rows[-1] - rows[0], columns[-1] - columns[0])) + 8
    top, left = max(int(rows[0]) - margin, 0), max(int(columns[0]) - margin, 0)
    return image[top : int(rows[-1]) + margin, left : int(columns[-1]) + margin]


def _caption(sample: SplicingSample, kind: str) -> str:
    parts = [f"{sample.record.sample}  {kind}, {sample.record.split}"]
    parts += [_describe(edit) for edit in sample.draft.edits]
    parts.append(" > ".join(str(step["step"]) for step in sample.record.history))
    return "   ".join(parts)


def _describe(edit: object) -> str:
    if isinstance(edit, Paste):
        return f"{edit.region.category}: {edit.blending}, {edit.colour.mode}, x{edit.placement.scale:.2f}"
    if isinstance(edit, Removal):
        return f"{edit.region.category}: {edit.method}"
    return str(getattr(getattr(edit, "region", None), "category", ""))
