"""Flicker: how much harmonizing makes a foreground jump from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.filters import FilterChain

SIDE = 256  # pixels a side, at most, of the frames that flicker is measured on
KINDS = ("unsmoothed", "smoothed", "composite")


class Flicker:
    """What is known of a video's flicker so far, frame by frame.

    The mean colour of a frame's foreground, weighted by alpha and on 0..255, is a curve in time. Its second
    difference, m[t+1] - 2 m[t] + m[t-1], is what jumps: a steady drift has none. The figures are root mean
    squares of it, over frames and channels:

    - composite: of the composite's own mean colour, the yardstick;
    - unsmoothed: of what harmonizing adds to it (the mean colour after minus before), with predicted arguments;
    - smoothed: the same with the arguments that were used.

    Differences that reach over a cut, or over a frame whose mask is empty, do not count. All three figures are
    measured on frames reduced to at most 256 pixels a side, so they compare. NaN where there are not three frames
    on end.

    Args:
        chain: the filters.

    Example:
        >>> flicker = Flicker(FilterChain(["brightness"]))
        >>> image, mask = np.full((8, 8, 3), 100, np.uint8), np.full((8, 8), 255, np.uint8)
        >>> for value in (0.0, -0.5, 0.0):
        ...     flicker.add(image, mask, np.array([value]), np.array([0.0]), start=False)
        >>> {kind: round(figure, 3) for kind, figure in flicker.figures().items()}
        {'unsmoothed': 100.0, 'smoothed': 0.0, 'composite': 0.0}
    """

    def __init__(self, chain: FilterChain) -> None:
        self._chain = chain
        self._means: list[NDArray[np.float64]] = []  # of the last frames on end: (3 kinds, 3 channels) each
        self._arguments: NDArray[np.float64] | None = None  # (2, K): predicted and used
        self._jumps, self._triples = np.zeros(len(KINDS)), 0
        self._moves, self._pairs = np.zeros((2, len(chain.columns))), 0

    def skip(self) -> None:
        """A frame without foreground: what comes next starts anew."""
        self._means, self._arguments = [], None

    def add(
        self,
        composite: NDArray[np.uint8],
        mask: NDArray[np.uint8],
        predicted: NDArray[np.float64],
        used: NDArray[np.float64],
        *,
        start: bool,
    ) -> None:
        """Take the next frame into account.

        Args:
            composite: (H, W, 3).
            mask: (H, W), not empty.
            predicted: (K,), the arguments that the network gave.
            used: (K,), the arguments that the frame was harmonized with.
            start: whether a new shot begins here.
        """
        if start:
            self.skip()
        means = _means(self._chain, composite, mask, [predicted, used])
        own = means[2]
        self._means = [*self._means[-2:], np.stack([means[0] - own, means[1] - own, own])]
        if len(self._means) == 3:
            before, here, after = self._means
            self._jumps += np.square(after - 2 * here + before).mean(axis=1)
            self._triples += 1
        arguments = np.stack([predicted, used])
        if self._arguments is not None:
            self._moves += np.square(arguments - self._arguments)
            self._pairs += 1
        self._arguments = arguments

    def figures(self) -> dict[str, float]:
        """The three figures, in levels of 255."""
        return {kind: _root(total, self._triples) for kind, total in zip(KINDS, self._jumps, strict=True)}

    def argument_changes(self) -> dict[str, dict[str, float]]:
        """By "predicted" and "used", the root mean square of each argument's change from frame to frame."""
        return {
            kind: {c: _root(total, self._pairs) for c, total in zip(self._chain.columns, row, strict=True)}
            for kind, row in zip(("predicted", "used"), self._moves, strict=True)
        }


def finite(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Figures for JSON, which has no NaN: None stands for it."""
    return {name: None if math.isnan(value) else value for name, value in figures.items()}


def _root(total: float, count: int) -> float:
    return math.sqrt(total / count) if count else math.nan


def _means(
    chain: FilterChain,
    composite: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    arguments: Sequence[NDArray[np.float64]],
) -> NDArray[np.float64]:
    """The foreground's mean colour on 0..255 with each of the arguments and, last, without: (len + 1, 3)."""
    # First as bytes, so that no frame is ever held as floats: what rounding costs, averaging takes away again.
    coarse = np.dstack([_shrink(composite, 4 * SIDE), _shrink(mask, 4 * SIDE)])
    small = _shrink(coarse.astype(np.float32) / 255, SIDE).astype(np.float64)
    reduced = torch.from_numpy(small).permute(2, 0, 1)[None]
    image, alpha = reduced[:, :3].contiguous(), reduced[:, 3:].contiguous()
    count = len(arguments)
    with torch.no_grad():
        rows = torch.from_numpy(np.stack(arguments))
        harmonized = chain.apply(image.expand(count, -1, -1, -1), alpha.expand(count, -1, -1, -1), rows)
        every = torch.cat([harmonized, image])
        means = (every * alpha).sum(dim=(2, 3)) / alpha.sum()
    return (means * 255).numpy()


def _shrink(image: Any, side: int) -> Any:
    """An image whose longer side is at most `side`, each pixel the mean of those it stands for."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
