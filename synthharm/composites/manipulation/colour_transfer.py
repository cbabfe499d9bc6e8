"""Reinhard's colour transfer: a region takes on the means and deviations of the colours around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATIOS = (0.5, 1.5)
DARK = 1 / 255  # added before the logarithm, which black has not

# From RGB to cone responses, and from their logarithms to lightness, yellow-blue and red-green.
CONES = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
OPPONENTS = np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]]) / np.sqrt([[3.0], [6.0], [2.0]])


def to_lab(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Colours, uint8 RGB (..., 3), in l-alpha-beta, float64 (..., 3), taken as they are stored."""
    cones: NDArray[np.float64] = np.log10(colours / 255 @ CONES.T + DARK) @ OPPONENTS.T
    return cones


def from_lab(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """The RGB values on 0..255, float64 (..., 3), not clipped, of colours in l-alpha-beta.

    Example:
        >>> np.rint(from_lab(to_lab(np.array([[0, 0, 0], [250, 3, 90]], np.uint8))))
        array([[  0.,   0.,   0.], [250.,   3.,  90.]])
    """
    cones = 10 ** (colours @ np.linalg.inv(OPPONENTS).T) - DARK
    values: NDArray[np.float64] = cones @ np.linalg.inv(CONES).T * 255
    return values


def reinhard(image: NDArray[np.uint8], alpha: NDArray[np.uint8], around: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Give a region the mean and deviation of the pixels around it, in each channel of l-alpha-beta.

    The region's are weighted by alpha. A deviation changes by a factor within 0.5..1.5, so that neither do flat
    surroundings flatten the region nor busy ones make its noise stand out. The result is mixed in by alpha: where
    that is 0 nothing changes.

    Args:
        image: uint8 RGB (H, W, 3).
        alpha: the region, uint8 (H, W), 0..255.
        around: bool (H, W).

    Returns:
        uint8 (H, W, 3), clipped and rounded to nearest.

    Raises:
        ValueError: sizes that differ, an alpha of 0 everywhere, or nothing around.

    Source:
        Reinhard et al., Color Transfer between Images, 2001.

    Example:
        >>> image = np.array([[[40, 40, 40], [60, 60, 60], [90, 120, 90], [90, 120, 90]]], np.uint8)
        >>> reinhard(image, np.array([[255, 255, 0, 0]], np.uint8), np.array([[False, False, True, True]]))
        array([[[ 81, 109,  81],
                [100, 133, 100],
                [ 90, 120,  90],
                [ 90, 120,  90]]], dtype=uint8)
    """
    if not image.shape[:2] == alpha.shape == around.shape:
        found = f"{alpha.shape} and {around.shape}"
        raise ValueError(f"alpha and around are {found}; accepted is the image's size, {image.shape[:2]}")
    inside = alpha > 0
    if not inside.any():
        raise ValueError("alpha is 0 everywhere: there is no region")
    if not around.any():
        raise ValueError("around is False everywhere: there are no colours to take on")
    own = to_lab(image[inside])
    weights = alpha[inside][:, None] / 255
    mean, deviation = mean_and_deviation(own, weights)
    everywhere = np.ones((int(around.sum()), 1))
    wanted_mean, wanted_deviation = mean_and_deviation(to_lab(image[around]), everywhere)
    ratio = np.divide(wanted_deviation, deviation, out=np.ones(3), where=deviation > 0)
    moved = from_lab((own - mean) * np.clip(ratio, *RATIOS) + wanted_mean)
    result = image.copy()
    mixed = image[inside] + weights * (np.clip(moved, 0, 255) - image[inside])
    result[inside] = np.rint(mixed).astype(np.uint8)
    return result


def mean_and_deviation(
    colours: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The weighted mean and deviation of each channel, float64 (C,) both; the deviation is a population's.

    Args:
        colours: float64 (N, C), at least one.
        weights: float64 (N, 1), 0 or more, not all 0.

    Example:
        >>> mean_and_deviation(np.array([[1.0], [5.0], [9.0]]), np.array([[1.0], [1.0], [0.0]]))
        (array([3.]), array([2.]))
    """
    total = weights.sum()
    mean = (colours * weights).sum(axis=0) / total
    return mean, np.sqrt(((colours - mean) ** 2 * weights).sum(axis=0) / total)
