"""What can be told of a harmonized composite whose real image nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation.colour_transfer import mean_and_deviation, to_lab
from synthharm.filters import FILTERS, Parameter


def colour_distance(image: NDArray[Any], mask: NDArray[np.uint8]) -> tuple[float, float]:
    """How far a region's colours are from those of its background, in l-alpha-beta.

    The distance between the means of the three channels, and that between their deviations. The region's are
    weighted by alpha; the background is where that is 0. Real regions are not at distance 0 either: compare
    before and after over many images.

    Args:
        image: RGB (H, W, 3) on 0..255, uint8 or floats.
        mask: uint8 (H, W), alpha.

    Raises:
        ValueError: there is no region or no background.

    Example:
        >>> image = np.full((2, 4, 3), 90, np.uint8)
        >>> mask = np.repeat(np.array([[0, 255, 255, 0]], np.uint8), 2, axis=0)
        >>> colour_distance(image, mask)
        (0.0, 0.0)
    """
    inside, outside = mask > 0, mask == 0
    if not inside.any() or not outside.any():
        found = "0" if outside.any() else "above 0"
        raise ValueError(f"the mask is {found} everywhere; one with a region and a background is accepted")
    levels = np.rint(np.clip(image, 0, 255)).astype(np.uint8)
    mean, deviation = mean_and_deviation(to_lab(levels[inside]), mask[inside][:, None] / 255)
    around, spread = mean_and_deviation(to_lab(levels[outside]), np.ones((int(outside.sum()), 1)))
    return float(np.linalg.norm(mean - around)), float(np.linalg.norm(deviation - spread))


def from_neutral(arguments: Mapping[str, float]) -> float:
    """How far arguments are from those that change nothing: in spans, the mean over the arguments.

    Raises:
        ValueError: a column that no filter has.

    Example:
        >>> from_neutral({"brightness": FILTERS["brightness"].parameters[0].span, "shadow": 0.0})
        0.5
    """
    shares = [abs(value - parameter(name).neutral) / parameter(name).span for name, value in arguments.items()]
    return float(np.mean(shares))


@cache
def parameter(column: str) -> Parameter:
    """The parameter that a chain's column stands for.

    Raises:
        ValueError: no filter has it.

    Example:
        >>> parameter("white_balance.tint").neutral
        0.0
    """
    name, _, part = column.partition(".")
    for found in FILTERS[name].parameters if name in FILTERS else ():
        if found.name == part or (not part and len(FILTERS[name].parameters) == 1):
            return found
    raise ValueError(f"no filter has an argument {column!r}; the filters are {', '.join(FILTERS)}")
