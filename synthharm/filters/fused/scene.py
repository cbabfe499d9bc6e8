"""An image and a mask, taken apart for a compiled chain: the region's pixels, and histograms of the rest."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthharm.filters.fused import passes

Image = NDArray[np.uint8] | NDArray[np.uint16]
Floats = NDArray[np.float64]

NOWHERE = np.zeros((2, 0))
ALIKE = np.zeros((3, 0))


@dataclass(frozen=True)
class Entries:
    """Values that enter the means: pixels, or the levels of a histogram.

    Args:
        values: (3, E) in [0, 1].
        weights: (3, E), how much each counts, or (3, 0) where all count `weight`.
        weight: see there.
        positions: (2, E), or (2, 0) where all are (0, 0).
    """

    values: Floats
    weights: Floats = field(default_factory=lambda: ALIKE)
    weight: float = 1.0
    positions: Floats = field(default_factory=lambda: NOWHERE)

    @property
    def given(self) -> tuple[Floats, Floats, float, Floats]:
        """All of it, as compiled functions take it."""
        return self.values, self.weights, self.weight, self.positions

    @property
    def total(self) -> Floats:
        """How much all count, by channel (3,)."""
        if self.weights.shape[1]:
            return np.asarray(self.weights.sum(axis=1))
        return np.full(3, self.weight * self.values.shape[1])


NOTHING = Entries(np.zeros((3, 0)))


@dataclass(frozen=True)
class Scene:
    """An image with the region that its mask marks.

    Args:
        image: RGB (H, W, 3), uint8 or uint16.
        mask: (H, W) uint8, 255 inside, between at soft edges.

    Raises:
        ValueError: other shapes or types, or an empty mask.
    """

    image: Image
    mask: NDArray[np.uint8]

    def __post_init__(self) -> None:
        image, mask = self.image, self.mask
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"the image is {image.dtype} {image.shape}; uint8 or uint16 (H, W, 3) is accepted")
        if mask.shape != image.shape[:2] or mask.dtype != np.uint8:
            raise ValueError(f"the mask is {mask.dtype} {mask.shape}; uint8 {image.shape[:2]} is accepted")
        if not self.inside:
            raise ValueError("the mask is empty; a region of at least one pixel is accepted")

    @property
    def levels(self) -> int:
        """The largest value of a channel."""
        return 255 if self.image.dtype == np.uint8 else 65535

    @cached_property
    def _measured(self) -> tuple[int, ...]:
        import cv2

        left, top, width, height = cv2.boundingRect(self.mask)
        inside = cv2.countNonZero(self.mask)
        soft = inside - int(cv2.countNonZero(cv2.inRange(self.mask, 255, 255)))
        return top, top + height, left, left + width, inside, soft

    @property
    def box(self) -> tuple[int, ...]:
        """The region's top, bottom, left and right; bottom and right are the first beyond it."""
        return self._measured[:4]

    @property
    def inside(self) -> int:
        """The region's pixels."""
        return self._measured[4]

    @property
    def soft(self) -> bool:
        """Whether any of them lies at a soft edge."""
        return self._measured[5] > 0

    @cached_property
    def pixels(self) -> Image:
        """The region's levels (3, P), in row order."""
        found: Image = passes.gather(self.image, self.mask, self.box, self.inside, False)
        return found

    @cached_property
    def places(self) -> NDArray[np.int32]:
        """The column and row (2, P) of each pixel of the region."""
        found: NDArray[np.int32] = passes.places_inside(self.mask, self.box, self.inside)
        return found

    @cached_property
    def alphas(self) -> Floats:
        """The mask (P,) in [0, 1] at each pixel of the region."""
        if not self.soft:
            return np.ones(self.inside)
        found: Floats = self.mask[self.places[1], self.places[0]] / 255
        return found

    @cached_property
    def solid(self) -> NDArray[np.bool_]:
        """Which of the region's pixels (P,) do not lie at a soft edge."""
        return np.asarray(self.alphas == 1)

    def solid_pixels(self, *, positions: bool) -> Entries:
        """The region but for its soft edges, pixel by pixel."""
        if not self.soft:
            return self.foreground(pixelwise=True, weighted=False, positions=positions)
        places = np.ascontiguousarray(self.positions[:, self.solid]) if positions else NOWHERE
        return Entries(np.ascontiguousarray(self.pixels[:, self.solid] / self.levels), positions=places)

    @cached_property
    def positions(self) -> Floats:
        """Where each pixel lies in the region (2, P): see `region_positions`."""
        return self.positions_of(self.places)

    def positions_of(self, places: NDArray[np.int32]) -> Floats:
        """Where pixels of the region at these columns and rows (2, P) lie in it."""
        top, bottom, left, right = self.box
        middle = np.array([[(left + right - 1) / 2], [(top + bottom - 1) / 2]])
        found: Floats = (places - middle) / (max(right - left, bottom - top) / 2)
        return found

    @cached_property
    def histogram(self) -> Floats:
        """The histograms (3, levels + 1) of the whole image."""
        return np.asarray(passes.image_histogram(self.image, self.levels + 1), dtype=np.float64)

    @cached_property
    def background_histogram(self) -> Floats:
        """The histograms (3, levels + 1) of the background."""
        return np.asarray(self.histogram - passes.pixel_histogram(self.pixels, self.levels + 1))

    def everything(self) -> Entries:
        """The whole image by its histograms."""
        return Entries(self._scale(), weights=self.histogram)

    def background(self, *, pixelwise: bool) -> Entries:
        """The background: by its histograms, or pixel by pixel."""
        if not pixelwise:
            return Entries(self._scale(), weights=self.background_histogram)
        height, width = self.mask.shape
        outside = self.mask.size - self.inside
        levels = passes.gather(self.image, self.mask, (0, height, 0, width), outside, True)
        return Entries(levels / self.levels)

    def background_sample(self, size: int) -> Entries:
        """At most `size` pixels of the background, evenly spread over it."""
        outside = np.flatnonzero(self.mask == 0)
        picks = outside[evenly(len(outside), size)]
        values = np.ascontiguousarray(self.image.reshape(-1, 3)[picks].T / self.levels)
        return Entries(values, weight=len(outside) / max(len(picks), 1))

    def foreground(self, *, pixelwise: bool, weighted: bool, positions: bool) -> Entries:
        """The region: by its histograms, or pixel by pixel; each counts as much as the mask says, or 1."""
        weighted = weighted and self.soft
        if not pixelwise:
            given = (self.pixels, self.levels + 1)
            counts = passes.weighted_histogram(*given, self.alphas) if weighted else passes.pixel_histogram(*given)
            return Entries(self._scale(), weights=counts.astype(np.float64))
        weights = np.ascontiguousarray(np.broadcast_to(self.alphas, self.pixels.shape)) if weighted else ALIKE
        places = self.positions if positions else NOWHERE
        return Entries(self.pixels / self.levels, weights, 1.0, places)

    def with_pixels(self, pixels: Image) -> Scene:
        """The same scene with other levels (3, P) in the region; `image` stays what it was."""
        other = copy(self)
        inside = passes.pixel_histogram(pixels, self.levels + 1)
        other.__dict__["background_histogram"] = self.background_histogram  # which does not change
        other.__dict__["histogram"] = self.background_histogram + inside
        other.__dict__["pixels"] = pixels
        return other

    def image_with(self, values: NDArray[Any]) -> Image:
        """A copy of the image with other values in the region.

        Args:
            values: (3, P) in row order: levels, uint8 or uint16, or floats in [0, 1], which are rounded to the
                image's own levels.

        Returns:
            (H, W, 3), uint16 where the levels are; an 8-bit image is then widened to it.
        """
        if values.dtype.kind == "f":
            values = self.round(values, self.levels)
        image = self.image.copy()
        if values.dtype == np.uint8 and image.dtype == np.uint16:
            raise ValueError("8-bit levels do not fit into a 16-bit image; uint16 or floats are accepted")
        if values.dtype == np.uint16 and image.dtype == np.uint8:
            image = self.image.astype(np.uint16) * 257
        passes.scatter(image, self.mask, self.box, values)
        return image

    @staticmethod
    def round(values: NDArray[Any], levels: int) -> Image:
        """Values (3, P) in [0, 1] as the nearest of 255 or 65535 levels."""
        kind = np.uint8 if levels == 255 else np.uint16
        found: Image = passes.round_levels(values, np.empty(values.shape, kind), levels)
        return found

    def _scale(self) -> Floats:
        return np.tile(np.arange(self.levels + 1) / self.levels, (3, 1))


def evenly(total: int, size: int) -> NDArray[np.int64]:
    """The numbers of at most `size` things of `total`, evenly spread.

    Example:
        >>> evenly(10, 5)
        array([1, 3, 5, 7, 9])
    """
    taken = min(total, size)
    return ((np.arange(taken) + 0.5) * total / max(taken, 1)).astype(np.int64)
