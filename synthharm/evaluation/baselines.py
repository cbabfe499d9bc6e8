"""Harmonizing without learning: a region takes on the colours around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVELS = 256


def match_histograms(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give a region the background's histogram, channel by channel.

    A level goes to the one below which the background has as large a share of its pixels, read off between the
    levels that it has. The region's pixels count by their alpha, and the result is mixed in by it.

    Args:
        image: uint8 RGB (H, W, 3).
        alpha: the region, uint8 (H, W), 0..255; background where it is 0.

    Returns:
        float64 (H, W, 3) on 0..255, unrounded; the image where alpha is 0.

    Raises:
        ValueError: sizes that differ, an alpha of 0 everywhere, or of 0 nowhere.

    Source:
        Gonzalez and Woods, Digital Image Processing: histogram specification.

    Example:
        >>> image = np.array([[[10] * 3, [20] * 3, [200] * 3, [100] * 3]], np.uint8)
        >>> match_histograms(image, np.array([[255, 255, 0, 0]], np.uint8))[0, :, 0]
        array([100., 200., 200., 100.])
    """
    if image.shape != (*alpha.shape, 3):
        raise ValueError(f"alpha is {alpha.shape}; accepted is the image's size, {image.shape[:2]}")
    inside = alpha > 0
    if not inside.any():
        raise ValueError("alpha is 0 everywhere: there is no region")
    if inside.all():
        raise ValueError("alpha is 0 nowhere: there is no background")
    weights = alpha[inside].astype(np.float64)
    own, around = image[inside], image[~inside]
    matched = np.empty(own.shape)
    for channel in range(3):
        levels = _matched_levels(own[:, channel], weights, around[:, channel])
        matched[:, channel] = levels[own[:, channel]]
    result = image.astype(np.float64)
    result[inside] += weights[:, None] / 255 * (matched - own)
    return result


def _matched_levels(
    own: NDArray[np.uint8], weights: NDArray[np.float64], around: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """For each of 256 levels what a region's pixel of that level becomes, (256,)."""
    # Weights are whole numbers, whose sums are exact: a share is the same however it was added up.
    mine = np.bincount(own, weights, minlength=LEVELS)
    theirs = np.bincount(around, minlength=LEVELS)
    present = np.flatnonzero(theirs)
    shares = np.cumsum(theirs)[present] / len(around)
    wanted: NDArray[np.float64] = np.interp(np.cumsum(mine) / weights.sum(), shares, present.astype(np.float64))
    return wanted
