"""Pixels as lists: what each counts in the means, where it lies, and samples that stand for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Statistics = Literal["image", "foreground"]


def flatten(images: Tensor) -> Tensor:
    """Lay images (N, C, H, W) out as columns of pixels (N, C, H * W, 1)."""
    return images.reshape(images.shape[0], images.shape[1], -1, 1)


def mean_weights(statistics: Statistics, masks: Tensor, counts: Tensor | None) -> Tensor:
    """How much each pixel counts in the means: its count, or 1, times the mask for "foreground"."""
    each = torch.ones_like(masks) if counts is None else counts
    return each if statistics == "image" else each * masks


def weighted_means(images: Tensor, weights: Tensor) -> Tensor:
    """The weighted channel means (N, 3) of images (N, 3, H, W), summed in float64; 0 where nothing counts."""
    total = weights.sum(dim=(2, 3), dtype=torch.float64)
    sums = (images * weights).sum(dim=(2, 3), dtype=torch.float64)
    return (sums / total.clamp(min=1e-30)).to(images.dtype)


@dataclass(frozen=True)
class Pixels:
    """Images as columns of pixels.

    Args:
        images: (N, 3, P, 1) in [0, 1].
        masks: (N, 1, P, 1) in [0, 1].
        counts: (N, 1 or 3, P, 1), how many pixels each entry stands for.
        positions: (N, 2, P, 1), where each lies in the region; None if no filter asks for it.
    """

    images: Tensor
    masks: Tensor
    counts: Tensor
    positions: Tensor | None

    @classmethod
    def of(cls, images: Tensor, masks: Tensor, counts: Tensor | None, positions: Tensor | None) -> Pixels:
        """Lay images (N, 3, H, W) and what belongs to them out as columns."""
        return cls(
            flatten(images),
            flatten(masks),
            torch.ones_like(flatten(masks)) if counts is None else flatten(counts),
            None if positions is None else flatten(positions),
        )

    def __len__(self) -> int:
        return len(self.images)

    def only(self, rows: Tensor) -> Pixels:
        """The images of these numbers (R,), which may repeat."""
        positions = None if self.positions is None else self.positions[rows]
        return Pixels(self.images[rows], self.masks[rows], self.counts[rows], positions)

    def repeat(self, times: int) -> Pixels:
        """Each image `times` times in a row."""
        return self.only(torch.arange(len(self), device=self.images.device).repeat_interleave(times))

    def double(self) -> Pixels:
        """The same in float64."""
        positions = None if self.positions is None else self.positions.double()
        return Pixels(self.images.double(), self.masks.double(), self.counts.double(), positions)

    def sample(self, size: int) -> Pixels:
        """At most `size` pixels of the foreground and `size` of the background, evenly spread over each.

        The counts are scaled up so that their sums over either stay what they were.

        Example:
            >>> images, masks = torch.rand(1, 3, 10, 10), torch.zeros(1, 1, 10, 10)
            >>> masks[:, :, :3] = 1
            >>> sampled = Pixels.of(images, masks, None, None).sample(10)
            >>> sampled.images.shape, float((sampled.counts * sampled.masks).sum())
            (torch.Size([1, 3, 20, 1]), 30.0)
        """
        picks, weights = [], []
        for members in (self.masks[:, 0, :, 0] > 0, self.masks[:, 0, :, 0] <= 0):
            ranks = members.cumsum(dim=1)
            total = ranks[:, -1:]
            taken = total.clamp(max=size)  # by each image for itself; others in the batch may have more to give
            number = torch.arange(int(taken.max()), device=ranks.device)
            wanted = ((number + 0.5) * total / taken.clamp(min=1)).long() + 1
            picks.append(torch.searchsorted(ranks, wanted).clamp(max=ranks.shape[1] - 1))
            weights.append(torch.where(number < taken, total / taken.clamp(min=1), 0))
        pick = torch.cat(picks, dim=1)[:, None, :, None]
        weight = torch.cat(weights, dim=1)[:, None, :, None]

        def take(values: Tensor) -> Tensor:
            return values.gather(2, pick.expand(-1, values.shape[1], -1, -1))

        counts = take(self.counts) * weight.to(torch.promote_types(self.counts.dtype, torch.float32))
        positions = None if self.positions is None else take(self.positions)
        return Pixels(take(self.images), take(self.masks), counts, positions)
