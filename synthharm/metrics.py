"""The field's measures of how far two images are apart."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MOST_PSNR = 150.0  # dB; beyond it there is nothing but the noise of the arithmetic


def mse(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Mean squared error over all entries of two arrays of one shape; 0 where they are empty.

    Over foreground pixels only, (n, 3), on 0..255, this is the field's fMSE.

    Example:
        >>> mse(np.array([[10.0, 0.0]]), np.array([[12.0, 0.0]]))
        2.0
    """
    if first.shape != second.shape:
        raise ValueError(f"shapes {first.shape} and {second.shape} differ; equal ones are accepted")
    return float(np.mean(np.square(first - second))) if first.size else 0.0


def psnr(error: float, peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error, at most 150.

    Example:
        >>> round(psnr(1.0), 2), psnr(0.0)
        (48.13, 150.0)
    """
    if error < 0 or math.isnan(error):
        raise ValueError(f"a mean squared error is {error}; 0 or more is accepted")
    return min(MOST_PSNR, 10 * math.log10(peak**2 / error)) if error > 0 else MOST_PSNR
