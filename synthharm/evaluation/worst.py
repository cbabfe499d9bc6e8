"""The worst cases on a contact sheet: where figures alone would hide what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.evaluation.methods import Method, resize
from synthharm.evaluation.pairs import Pair, Pairs
from synthharm.evaluation.protocols import Protocol, run_method
from synthharm.evaluation.summary import Scored
from synthharm.report import Row, contact_sheet
from synthharm.report.contact_sheet import TILE

COUNT = 6  # of either kind
TITLES = ("composite", "mask", "harmonized", "real")
TEXT = "fMSE {after:.1f}, composite {before:.1f}"
TEXT_UNKNOWN = "colours {after:.3f} from the background's, composite {before:.3f}"


@dataclass(frozen=True)
class Case:
    """A pair that a method did badly on.

    Attributes:
        name: of the pair.
        why: "highest" error, or largest "increase" over the composite's.
        before: the composite's error: fMSE, or without a real image the distance of the mean colours.
        after: the method's.
    """

    name: str
    why: str
    before: float
    after: float


def worst_cases(scored: Sequence[Scored], method: str, count: int = COUNT) -> list[Case]:
    """The cases of highest error and of largest increase over the composite's, one of each in turn.

    Args:
        scored: figures under one protocol at one size; with a real image fMSE is the error, without the distance
            of the mean colours.
        method: whose cases are looked for.
        count: how many of either kind, at most.

    Example:
        >>> rows = [Scored("a", "", "issam", "full", "net", 0.1, 9.0, {"fmse": 8.0})]
        >>> rows += [Scored("b", "", "issam", "full", "net", 0.1, 2.0, {"fmse": 3.0})]
        >>> [(case.name, case.why) for case in worst_cases(rows, "net", 1)]
        [('a', 'highest'), ('b', 'increase')]
    """
    own = [row for row in scored if row.method == method]
    with_real = any(row.measures for row in own)
    found = []
    for row in own:
        if row.measures:
            found.append((row.name, float(row.composite_fmse or 0), row.measures["fmse"]))
        elif row.realism and not with_real:
            found.append((row.name, row.realism["mean_before"], row.realism["mean_after"]))
    highest = sorted(found, key=lambda one: (-one[2], one[0]))[:count]
    increase = sorted(found, key=lambda one: (one[1] - one[2], one[0]))[:count]
    return [
        Case(one[0], why, one[1], one[2])
        for both in zip(highest, increase, strict=True)
        for one, why in zip(both, ("highest", "increase"), strict=True)
    ]


def worst_sheet(pairs: Pairs, cases: Sequence[Case], method: Method, protocol: Protocol) -> NDArray[np.uint8]:
    """The cases beside each other: composite, mask, what the method makes of it, and the real image.

    From four cases on those of highest error are on the left, and those of largest increase on the right.

    Args:
        pairs: that the cases are of.
        cases: one at least.
        method: that made them.
        protocol: under which.

    Returns:
        The sheet, uint8 RGB (H, W, 3).

    Raises:
        ValueError: no case.
    """
    places = {name: place for place, name in enumerate(pairs.names)}
    shown: dict[str, tuple[NDArray[np.uint8], ...]] = {}
    for case in cases:
        if case.name not in shown:  # often one case is of both kinds
            shown[case.name] = _pictures(pairs[places[case.name]], method, protocol)
    rows = []
    for case in cases:
        known = len(shown[case.name]) == len(TITLES)
        text = (TEXT if known else TEXT_UNKNOWN).format(after=case.after, before=case.before)
        # Where nothing got worse, the largest increase is the smallest improvement: the sign says so.
        why = (
            case.why
            if case.why == "highest"
            else "change " + format(case.after - case.before, "+.1f" if known else "+.3f")
        )
        rows.append(Row(shown[case.name], f"{why}: {text}   {case.name}"))
    title = f"{method.name}: highest error, and largest increase over the composite's ({protocol.name})"
    return contact_sheet(rows, title, TITLES[: max(map(len, shown.values()), default=0)])


def _pictures(pair: Pair, method: Method, protocol: Protocol) -> tuple[NDArray[np.uint8], ...]:
    """What a row shows of a pair, no larger than there: of large images a sheet's would fill the memory."""
    output = run_method(protocol, method, pair.composite, pair.mask, pair.arguments).output
    # At the protocol's size it would be out of proportion beside the others.
    harmonized = resize(np.rint(np.clip(output.image, 0, 255)).astype(np.uint8), pair.mask.shape)
    mask = np.repeat(pair.mask[..., None], 3, axis=2)
    pictures = (pair.composite, mask, harmonized) + (() if pair.real is None else (pair.real,))
    return tuple(map(_shrink, pictures))


def _shrink(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = min(TILE[0] / width, TILE[1] / height)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
