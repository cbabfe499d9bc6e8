"""A photo as few pixels: those of its foreground, and a histogram of the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthharm.filters import FilterChain
from synthharm.filters.filter import region_positions

Image = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Foreground:
    """An image as a chain of filters takes it, with as few pixels as give the same result.

    The foreground's P pixels come first. The background enters a chain through its means alone, so its three
    histograms stand for it, unless a filter mixes channels before the last means are taken.

    Args:
        images: (1, 3, P + B, 1) in [0, 1], float64.
        masks: (1, 1, P + B, 1) in [0, 1].
        counts: (1, 3, P + B, 1): how many pixels each entry stands for.
        positions: (1, 2, P + B, 1): where each lies in the region; None if no filter asks for it.
        inside: (H, W) bool: where the P pixels are, in row order.
        levels: 255 for uint8, 65535 for uint16.
    """

    images: Tensor
    masks: Tensor
    counts: Tensor
    positions: Tensor | None
    inside: NDArray[np.bool_]
    levels: int

    @classmethod
    def of(cls, image: Image, mask: NDArray[np.uint8], chain: FilterChain) -> Foreground:
        """Take apart an RGB image (H, W, 3), uint8 or uint16, with its mask uint8 (H, W)."""
        levels = int(np.iinfo(image.dtype).max)
        inside = mask > 0
        foreground = image[inside].T / levels
        alphas = mask[inside] / 255
        if _histograms_suffice(chain):
            background = np.broadcast_to(np.arange(levels + 1) / levels, (3, levels + 1))
            outside = image[~inside]
            counts = np.stack([np.bincount(outside[:, c], minlength=levels + 1) for c in range(3)])
        else:
            background = image[~inside].T / levels
            counts = np.ones(background.shape, dtype=np.int64)
        return cls(
            images=_column(np.concatenate([foreground, background], axis=1)),
            masks=_column(np.concatenate([alphas, np.zeros(background.shape[1])])[None]),
            counts=_column(np.concatenate([np.ones(foreground.shape), counts], axis=1)),
            positions=_positions(mask, background.shape[1]) if chain.needs_positions else None,
            inside=inside,
            levels=levels,
        )

    def pixels(self, images: Tensor) -> NDArray[np.float64]:
        """The foreground's pixels (P, 3) of what a chain made of `images`."""
        found: NDArray[np.float64] = images[0, :, : int(self.inside.sum()), 0].T.numpy()
        return found


def _positions(mask: NDArray[np.uint8], background: int) -> Tensor:
    """Where the pixels inside a mask lie in the region, with zeros for so many entries of background."""
    places = region_positions(torch.from_numpy(mask / 255)[None, None])[0].numpy()[:, mask > 0]
    return _column(np.concatenate([places, np.zeros((2, background))], axis=1))


def _column(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))[None, :, :, None]


def _histograms_suffice(chain: FilterChain) -> bool:
    needing = [i for i, f in enumerate(chain.filters) if f.needs_means]
    return not any(f.mixes_channels for f in chain.filters[: needing[-1] if needing else 0])
