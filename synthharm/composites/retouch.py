"""Retouch: one region of a photo, disharmonized where it stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.composites.foreground import Foreground, Image
from synthharm.filters import Arguments, FilterChain, Limits
from synthharm.metrics import mse

MOST_SPREAD = 1.0  # levels between the channels of a grey pixel after JPEG, on average


@dataclass(frozen=True)
class Composite:
    """A composite whose true answer is known.

    Args:
        image: RGB (H, W, 3), uint8 or uint16 as its limits' levels say.
        mask: (H, W) uint8: 255 where the region is, between at soft edges.
        real: RGB (H, W, 3) uint8: what harmonizing with the arguments brings back.
        arguments: one row, of the chain.
        recoverable: (H, W) bool: the foreground's pixels that come back.
        foreground_mse: mean squared error to the real on 0..255 over the foreground: how difficult it is.
    """

    image: Image
    mask: NDArray[np.uint8]
    real: NDArray[np.uint8]
    arguments: Arguments
    recoverable: NDArray[np.bool_]
    foreground_mse: float

    @property
    def recoverable_share(self) -> float:
        """The share of the foreground's pixels that come back, 0 to 1."""
        return float(self.recoverable.sum() / (self.mask > 0).sum())


def retouch(
    real: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    chain: FilterChain,
    generator: torch.Generator,
    limits: Limits | None = None,
) -> Composite:
    """Draw arguments and undo them on a region of a photo. A photo without colour stays without.

    Args:
        real: RGB (H, W, 3) uint8.
        mask: (H, W) uint8 of the same size, 255 inside, not empty.
        chain: the filters that will harmonize the composite.
        generator: of the draw.
        limits: what the draw may cost, and the composite's levels.

    Raises:
        ValueError: another shape or type, or an empty mask.

    Example:
        >>> photo = np.random.default_rng(0).integers(60, 190, (32, 32, 3), np.uint8)
        >>> mask = np.zeros((32, 32), np.uint8)
        >>> mask[8:24, 8:24] = 255
        >>> composite = retouch(photo, mask, FilterChain.paper(), torch.Generator().manual_seed(2))
        >>> bool((composite.image == photo)[mask == 0].all()), composite.recoverable_share > 0.99
        (True, True)
    """
    limits = limits or Limits()
    if real.ndim != 3 or real.shape[2] != 3 or real.dtype != np.uint8:
        raise ValueError(f"the photo is {real.dtype} {real.shape}; uint8 (H, W, 3) is accepted")
    if mask.shape != real.shape[:2] or mask.dtype != np.uint8:
        raise ValueError(f"the mask is {mask.dtype} {mask.shape}; uint8 {real.shape[:2]} is accepted")
    if not mask.any():
        raise ValueError("the mask is empty; a region of at least one pixel is accepted")
    if limits.levels not in (255, 65535):
        raise ValueError(f"levels is {limits.levels}; 255 or 65535 is accepted")
    foreground = Foreground.of(real, mask, chain)
    drawn_from = chain.keeping_grey() if is_grey(real) else chain
    arguments, inverse = drawn_from.disharmonize(
        foreground.images,
        foreground.masks,
        generator=generator,
        limits=limits,
        counts=foreground.counts,
        positions=foreground.positions,
    )
    inside = foreground.inside
    image = real.copy() if limits.levels == 255 else real.astype(np.uint16) * 257
    image[inside] = np.rint(foreground.pixels(inverse.composites) * limits.levels).astype(image.dtype)
    recoverable = np.zeros(mask.shape, dtype=bool)
    recoverable[inside] = inverse.recoverable[0, 0, : int(inside.sum()), 0].numpy()
    difference = mse(image[inside].astype(np.float64) * (255 / limits.levels), real[inside].astype(np.float64))
    return Composite(image, mask, real, arguments, recoverable, difference)


def is_grey(photo: NDArray[np.uint8]) -> bool:
    """Whether a photo (H, W, 3) has no colour but what JPEG may have left of it.

    Example:
        >>> is_grey(np.full((4, 4, 3), 90, np.uint8)), is_grey(np.full((4, 4, 3), (90, 80, 70), np.uint8))
        (True, False)
    """
    spread = photo.max(axis=2) - photo.min(axis=2)
    return bool(spread.mean() <= MOST_SPREAD and np.percentile(spread, 99.9) <= 8 * MOST_SPREAD)
