"""Harmonizing with known arguments, and what that brings back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.composites.foreground import Foreground, Image
from synthharm.filters import FilterChain
from synthharm.filters.fused import Scene, apply_region, passes, why_not_compiled
from synthharm.metrics import mse, psnr


@dataclass(frozen=True)
class Recovery:
    """How much of the real image harmonizing a composite brings back.

    Args:
        mse: mean squared error on 0..255 over the recoverable foreground, before any rounding of the result.
        psnr: the same in dB, peak 255, at most 150.
    """

    mse: float
    psnr: float

    @classmethod
    def of(cls, error: float) -> Recovery:
        """From the mean squared error on 0..255; both are NaN where it is, for nothing is recoverable."""
        return cls(error, math.nan if math.isnan(error) else psnr(error))


def harmonize(
    image: Image, mask: NDArray[np.uint8], chain: FilterChain, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Harmonize a composite with known arguments.

    Args:
        image: RGB (H, W, 3), uint8 or uint16.
        mask: (H, W) uint8, 255 inside.
        chain: the filters.
        values: (K,), the arguments in the chain's order.

    Returns:
        The foreground's pixels, (P, 3) in [0, 1], in row order of `mask > 0`; the rest of the image stays.

    Example:
        >>> image, mask = np.full((4, 4, 3), 100, np.uint8), np.full((4, 4), 255, np.uint8)
        >>> chain = FilterChain(["brightness"])
        >>> harmonize(image, mask, chain, np.array([-0.5]))[0] * 255
        array([50., 50., 50.])
    """
    row = np.asarray(values, dtype=np.float64)
    if why_not_compiled(chain) is None:
        return apply_region(chain, Scene(image, mask), row.tolist()).T.astype(np.float64)
    foreground = Foreground.of(image, mask, chain)
    arguments = torch.from_numpy(row)[None]
    with torch.no_grad():
        harmonized = chain.apply(
            foreground.images, foreground.masks, arguments, foreground.counts, foreground.positions
        )
    return foreground.pixels(harmonized)


def measure_recovery(
    image: Image,
    mask: NDArray[np.uint8],
    real: NDArray[np.uint8],
    recoverable: NDArray[np.bool_],
    chain: FilterChain,
    values: NDArray[np.float64],
) -> Recovery:
    """Harmonize a composite, and compare its recoverable foreground (H, W) with the real image (H, W, 3)."""
    if not recoverable.any():
        return Recovery.of(math.nan)
    if why_not_compiled(chain) is None:
        scene, wanted = Scene(image, mask), Scene(real, mask)
        harmonized = apply_region(chain, scene, np.asarray(values, dtype=np.float64).tolist())
        kept = recoverable[mask > 0]
        measured = passes.measure(wanted.pixels, scene.pixels, harmonized, kept, wanted.levels, scene.levels)
        return Recovery.of(float(measured[1]) * 255**2)
    pixels = harmonize(image, mask, chain, values) * 255
    inside = mask > 0
    judged = recoverable[inside]
    return Recovery.of(mse(pixels[judged], real[inside][judged].astype(np.float64)))
