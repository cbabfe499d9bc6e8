"""Pixels as lists: what each counts in the means, and samples that stand for all."""

from __future__ import annotations

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


def sample_pixels(images: Tensor, masks: Tensor, counts: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Take at most `size` pixels of the foreground and `size` of the background, evenly spread over each.

    Args:
        images: (N, 3, P, 1).
        masks: (N, 1, P, 1) in [0, 1].
        counts: (N, 1 or 3, P, 1), how many pixels each entry stands for.
        size: pixels to take of each kind.

    Returns:
        Images, masks and counts of the sample; the counts are scaled up so that their sums stay what they were.

    Example:
        >>> images, masks = torch.rand(1, 3, 100, 1), torch.zeros(1, 1, 100, 1)
        >>> masks[:, :, :30] = 1
        >>> sampled, foreground, counts = sample_pixels(images, masks, torch.ones_like(masks), 10)
        >>> sampled.shape, float((counts * foreground).sum())
        (torch.Size([1, 3, 20, 1]), 30.0)
    """
    picks, weights = [], []
    for members in (masks[:, 0, :, 0] > 0, masks[:, 0, :, 0] <= 0):
        ranks = members.cumsum(dim=1)
        total = ranks[:, -1:]
        taken = total.clamp(max=size)  # by each image for itself; others in the batch may have more to give
        number = torch.arange(int(taken.max()), device=images.device)
        wanted = ((number + 0.5) * total / taken.clamp(min=1)).long() + 1
        picks.append(torch.searchsorted(ranks, wanted).clamp(max=ranks.shape[1] - 1))
        weights.append(torch.where(number < taken, total / taken.clamp(min=1), 0))
    pick = torch.cat(picks, dim=1)[:, None, :, None]
    weight = torch.cat(weights, dim=1)[:, None, :, None].to(torch.promote_types(counts.dtype, torch.float32))

    def take(values: Tensor) -> Tensor:
        return values.gather(2, pick.expand(-1, values.shape[1], -1, -1))

    return take(images), take(masks), take(counts) * weight
