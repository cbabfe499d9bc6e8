"""An image as runs of pixels that a chain works through one after another, in the memory of one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthharm.filters import FilterChain
from synthharm.filters.inversion import split_arguments

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]

MOST_PIXELS = 1 << 25  # in a tile: of more, sums in UNITS would not fit into 64 bits
UNITS = 1 << 30  # sums are counted in units of this part of 1, so that they depend on no order of adding


@dataclass(frozen=True)
class Tiles:
    """A composite and its mask as runs of pixels, in row order.

    Args:
        chain: the filters.
        composite: (H, W, 3), contiguous.
        mask: (H, W), contiguous.
        arguments: one tensor per filter.
        device: where pixels are worked on.
        dtype: and in what type.
        length: pixels of a run.
    """

    chain: FilterChain
    composite: Image
    mask: Mask
    arguments: tuple[Tensor, ...]
    device: torch.device
    dtype: torch.dtype
    length: int

    @classmethod
    def of(
        cls,
        chain: FilterChain,
        composite: Image,
        mask: Mask,
        row: Sequence[float],
        device: torch.device,
        length: int,
    ) -> Tiles:
        dtype = torch.float32 if device.type == "mps" else torch.float64
        arguments = split_arguments(chain.filters, torch.tensor([row], dtype=dtype, device=device))
        images = np.ascontiguousarray(composite), np.ascontiguousarray(mask)
        return cls(chain, *images, arguments, device, dtype, length)

    @torch.no_grad()
    def harmonize(self) -> Image:
        """The composite with its foreground harmonized, rounded."""
        means: dict[int, Tensor] = {}
        for i, filter_ in enumerate(self.chain.filters):
            if filter_.needs_means:
                means[i] = self._means(i, means)
        harmonized = self.composite.copy()
        written = harmonized.reshape(-1, 3)
        for places in self._runs(inside=True):
            images, alphas = self._images(places), self._alphas(places).to(self.dtype) / 255
            made = self._run(images, places, len(self.arguments), means)
            levels = (255 * (made * alphas + images * (1 - alphas)) + 0.5).floor().to(torch.uint8)
            written[places] = levels[0, :, :, 0].T.cpu().numpy()
        return harmonized

    def _means(self, end: int, known: Mapping[int, Tensor]) -> Tensor:
        """The channel means (1, 3) of what the filters before `end` make of the image or the foreground."""
        inside = self.chain.statistics == "foreground"
        sums, total = [0, 0, 0], 0
        for places in self._runs(inside=inside):
            units = (self._run(self._images(places), places, end, known) * UNITS).round().to(torch.int64)
            if inside:
                weights = self._alphas(places).to(torch.int64)
                units, total = units * weights, total + int(weights.sum())
            else:
                total += len(places)
            sums = [a + b for a, b in zip(sums, units.sum(dim=(0, 2, 3)).tolist(), strict=True)]
        return torch.tensor([[s / (total * UNITS) for s in sums]], dtype=self.dtype, device=self.device)

    def _runs(self, *, inside: bool) -> Iterator[NDArray[np.int64]]:
        """The numbers of the pixels of each run, of all or of those inside the mask."""
        marked = self.mask.reshape(-1)
        for start in range(0, marked.size, self.length):
            stop = min(start + self.length, marked.size)
            places = start + np.flatnonzero(marked[start:stop]) if inside else np.arange(start, stop)
            if len(places):
                yield places

    def _images(self, places: NDArray[np.int64]) -> Tensor:
        """The composite there, (1, 3, P, 1) in [0, 1]."""
        levels = torch.from_numpy(self.composite.reshape(-1, 3)[places]).to(self.device)
        return (levels.T.to(self.dtype) / 255)[None, :, :, None]

    def _alphas(self, places: NDArray[np.int64]) -> Tensor:
        """The mask's levels there, (1, 1, P, 1)."""
        return torch.from_numpy(self.mask.reshape(-1)[places]).to(self.device)[None, None, :, None]

    def _run(self, images: Tensor, places: NDArray[np.int64], end: int, means: Mapping[int, Tensor]) -> Tensor:
        """What the filters before `end` make of images (1, 3, P, 1) at these places."""
        positions = self._positions(places) if self.chain.needs_positions else None
        for i, filter_ in enumerate(self.chain.filters[:end]):
            known = means[i] if filter_.needs_means else positions if filter_.needs_positions else None
            images = filter_.apply(images, self.arguments[i], known)
        return images

    def _positions(self, places: NDArray[np.int64]) -> Tensor:
        """Where pixels lie in the whole region, (1, 2, P, 1): see `region_positions`."""
        top, bottom, left, right = self._box
        rows, columns = np.divmod(places, self.mask.shape[1])
        half = max(right - left, bottom - top) / 2
        x, y = (columns - (left + right - 1) / 2) / half, (rows - (top + bottom - 1) / 2) / half
        found = np.where(self.mask.reshape(-1)[places] > 0, np.stack([x, y]), 0.0)
        return torch.from_numpy(found).to(self.dtype).to(self.device)[None, :, :, None]

    @property
    def _box(self) -> tuple[int, int, int, int]:
        """The region's top, bottom, left and right; bottom and right are the first beyond it."""
        import cv2

        left, top, width, height = cv2.boundingRect(self.mask)
        return top, top + height, left, left + width
