"""Retouch: one region of a photo, disharmonized where it stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.composites.foreground import Foreground, Image
from synthharm.composites.harmonizing import Recovery
from synthharm.filters import Arguments, FilterChain, Limits, Span
from synthharm.filters.drawing import Judgement, ReferenceJudge, Strategy, draw_arguments
from synthharm.filters.fused import NotCompiled, Scene, disharmonize, undo_region
from synthharm.filters.pixels import Pixels

MOST_SPREAD = 1  # levels between the channels of a grey pixel after JPEG, on average


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
        recovery: what harmonizing this image brings back.
        computed: "compiled", or "reference" and why.
    """

    image: Image
    mask: NDArray[np.uint8]
    real: NDArray[np.uint8]
    arguments: Arguments
    recoverable: NDArray[np.bool_]
    foreground_mse: float
    recovery: Recovery
    computed: str

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
    strategy: Strategy | None = None,
) -> Composite:
    """Draw arguments and undo them on a region of a photo. A photo without colour stays without.

    Args:
        real: RGB (H, W, 3) uint8.
        mask: (H, W) uint8 of the same size, 255 inside, not empty.
        chain: the filters that will harmonize the composite.
        generator: of the draw.
        limits: what the draw may cost, and the composite's levels.
        strategy: how arguments are drawn: `Span()` by default; see `synthharm.filters.drawing`.

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
    drawn_from = chain.keeping_grey() if is_grey(real) else chain
    before, scene = generator.get_state(), Scene(real, mask)
    try:
        found = _compiled(scene, drawn_from, generator, limits, strategy or Span())
    except NotCompiled as reason:
        generator.set_state(before)
        found = _by_reference(real, mask, drawn_from, generator, limits, strategy or Span(), str(reason))
    recoverable = np.zeros(mask.shape, dtype=bool)
    recoverable[mask > 0] = found.recoverable
    return Composite(
        image=scene.image_with(found.pixels),
        mask=mask,
        real=real,
        arguments=found.arguments,
        recoverable=recoverable,
        foreground_mse=float(found.judgement.difference[0]),
        recovery=Recovery.of(float(found.judgement.error[0]) * 255**2 if recoverable.any() else math.nan),
        computed=found.computed,
    )


def undo(
    real: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    chain: FilterChain,
    values: Sequence[float],
    levels: int = 255,
) -> Image:
    """The composite that known arguments harmonize to a photo: the one that `retouch` made with them.

    Args:
        real: RGB (H, W, 3) uint8.
        mask: (H, W) uint8 of the same size, not empty.
        chain: the filters.
        values: (K,), their arguments.
        levels: 255 or 65535, the largest value of a channel of the composite.

    Returns:
        (H, W, 3), uint8 or uint16 as levels say.

    Raises:
        ValueError: another number of arguments, or values that the filters do not accept.

    Example:
        >>> photo, mask = np.full((8, 8, 3), 60, np.uint8), np.full((8, 8), 255, np.uint8)
        >>> undo(photo, mask, FilterChain(["brightness"]), [-0.5])[0, 0]
        array([120, 120, 120], dtype=uint8)
    """
    scene = Scene(real, mask)
    try:
        return scene.image_with(scene.round(undo_region(chain, scene, values, levels).values, levels))
    except NotCompiled:
        foreground = Foreground.of(real, mask, chain)
        pixels = Pixels(foreground.images, foreground.masks, foreground.counts, foreground.positions)
        row = torch.tensor([list(values)], dtype=torch.float64)
        return scene.image_with(_reference_levels(chain, foreground, pixels, row, levels)[0])


def _reference_levels(
    chain: FilterChain, foreground: Foreground, pixels: Pixels, values: torch.Tensor, levels: int
) -> tuple[Image, NDArray[np.bool_], Judgement]:
    """The region's levels (3, P) by the reference, what of it is recoverable, and the judgement."""
    judgement, inverse = ReferenceJudge(chain, pixels, Limits(levels=levels)).judge(pixels, values)
    found = foreground.pixels(inverse.composites).T
    rounded = np.rint(found * levels)
    whole: Image = rounded.astype(np.uint8) if levels == 255 else rounded.astype(np.uint16)
    return whole, inverse.recoverable[0, 0, : found.shape[1], 0].numpy(), judgement


@dataclass(frozen=True)
class _Found:
    """A region's composite: arguments, levels (3, P), recoverable (P,), what they came to, and how."""

    arguments: Arguments
    pixels: Image
    recoverable: NDArray[np.bool_]
    judgement: Judgement
    computed: str


def _compiled(
    scene: Scene, chain: FilterChain, generator: torch.Generator, limits: Limits, strategy: Strategy
) -> _Found:
    made = disharmonize(chain, scene, generator, limits, strategy)
    return _Found(made.arguments, made.pixels, made.recoverable, made.judgement, "compiled")


def _by_reference(
    real: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    chain: FilterChain,
    generator: torch.Generator,
    limits: Limits,
    strategy: Strategy,
    reason: str,
) -> _Found:
    foreground = Foreground.of(real, mask, chain)
    pixels = Pixels(foreground.images, foreground.masks, foreground.counts, foreground.positions)
    arguments, _ = draw_arguments(chain, pixels, generator, limits, strategy)
    levels, recoverable, judgement = _reference_levels(chain, foreground, pixels, arguments.values, limits.levels)
    return _Found(arguments, levels, recoverable, judgement, f"reference: {reason}")


def is_grey(photo: NDArray[np.uint8]) -> bool:
    """Whether a photo (H, W, 3) has no colour but what JPEG may have left of it.

    Example:
        >>> is_grey(np.full((4, 4, 3), 90, np.uint8)), is_grey(np.full((4, 4, 3), (90, 80, 70), np.uint8))
        (True, False)
    """
    red, green, blue = cv2.split(photo)
    highest, lowest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    spread = cv2.subtract(highest, lowest)
    coloured = int(cv2.countNonZero(cv2.inRange(spread, 8 * MOST_SPREAD + 1, 255)))
    return bool(cv2.mean(spread)[0] <= MOST_SPREAD and coloured <= 0.001 * spread.size)
