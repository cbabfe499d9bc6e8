"""The worst cases on a contact sheet: where figures alone would hide what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthharm.evaluation.methods import Method, resize
from synthharm.evaluation.pairs import Pairs
from synthharm.evaluation.protocols import Protocol, score
from synthharm.evaluation.summary import Scored
from synthharm.report import Row, contact_sheet

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
    rows, known = [], False
    for case in cases:
        pair = pairs[places[case.name]]
        real = pair.composite if pair.real is None else pair.real
        _, output = score(protocol, method, pair.composite, pair.mask, real, known=pair.arguments)
        # At the protocol's size it would be out of proportion beside the others.
        harmonized = resize(np.rint(np.clip(output.image, 0, 255)).astype(np.uint8), pair.mask.shape)
        mask = np.repeat(pair.mask[..., None], 3, axis=2)
        shown = (pair.composite, mask, harmonized) + (() if pair.real is None else (pair.real,))
        known = known or pair.real is not None
        text = (TEXT_UNKNOWN if pair.real is None else TEXT).format(after=case.after, before=case.before)
        # Where nothing got worse, the largest increase is the smallest improvement: the sign says so.
        why = case.why if case.why == "highest" else f"change {case.after - case.before:+.3g}"
        rows.append(Row(shown, f"{why}: {text}   {case.name}"))
    title = f"{method.name}: highest error, and largest increase over the composite's ({protocol.name})"
    return contact_sheet(rows, title, TITLES if known else TITLES[:3])
