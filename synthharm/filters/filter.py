"""What a filter is: a forward function, its right inverse, and the numbers that steer them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-6  # keeps the published formulas' divisions finite
TINY = 1e-9  # keeps the published powers' gradients finite

FilterFunction = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Parameter:
    """One number that steers a filter.

    Args:
        name: unique in its filter.
        span: arguments are drawn from neutral - span to neutral + span; by difficulty up to twice as far.
        neutral: the value at which the filter changes nothing.
        low: the lowest value the filter accepts.
        high: the highest value the filter accepts.
    """

    name: str
    span: float
    neutral: float = 0.0
    low: float = -1.0
    high: float = 1.0


@dataclass(frozen=True)
class Filter:
    """A white-box filter and its right inverse, both pure functions of tensors.

    `apply(images, argument, known)` maps images (N, 3, H, W) in [0, 1] to the same shape, clipped to [0, 1].
    `invert(images, argument, known)` finds what `apply` maps to `images`; it does not clip, and values outside
    [0, 1] say that `apply` reaches no such pixel. `argument` is (N,) for one parameter and (N, P) for P.

    `known` is what a filter needs beside its pixels, in both directions, and None for most:
    the channel means (N, 3) of the filter's *input* where it `needs_means`, or where each pixel lies in the region
    (N, 2, H, W) where it `needs_positions`. A function that gets None takes them from its own images.

    Args:
        name: as recipes and records call it.
        apply: the forward function.
        invert: its right inverse; None for a filter that has none, and can only be applied.
        parameters: the numbers in `argument`, in order.
        needs_means: whether the channel means enter the formula.
        needs_positions: whether the place of a pixel in the region enters the formula.
        mixes_channels: whether a channel's output depends on the other channels of the same pixel.
        keeps_grey: whether grey pixels (R = G = B) stay grey.
    """

    name: str
    apply: FilterFunction
    invert: FilterFunction | None
    parameters: tuple[Parameter, ...]
    needs_means: bool = False
    needs_positions: bool = False
    mixes_channels: bool = False
    keeps_grey: bool = True

    @property
    def inverse(self) -> FilterFunction:
        """The right inverse.

        Raises:
            ValueError: the filter has none.
        """
        if self.invert is None:
            raise ValueError(f"the filter {self.name!r} has no inverse: it can be applied, and not undone")
        return self.invert


def per_image(values: Tensor) -> Tensor:
    """Shape one number per image, (N,), so that it meets images (N, 3, H, W).

    Example:
        >>> import torch
        >>> per_image(torch.zeros(2)).shape
        torch.Size([2, 1, 1, 1])
    """
    return values.reshape(-1, 1, 1, 1)


def channel_means(images: Tensor) -> Tensor:
    """The mean of each channel of each image: (N, 3, H, W) to (N, 3)."""
    return images.mean(dim=(2, 3))


def region_positions(masks: Tensor) -> Tensor:
    """Where each pixel lies in the region that its mask marks.

    The middle of the region's bounding box is (0, 0), and half its longer side is 1: x to the right, y down.
    Outside the region all is (0, 0), where a filter that goes by positions changes nothing.

    Args:
        masks: (N, 1, H, W) in [0, 1].

    Returns:
        Positions (N, 2, H, W), x and y, in [-1, 1].

    Example:
        >>> import torch
        >>> region_positions(torch.tensor([0.0, 1.0, 1.0, 1.0]).reshape(1, 1, 1, 4))[0, 0, 0]
        tensor([ 0.0000, -0.6667,  0.0000,  0.6667])
    """
    inside = masks[:, 0] > 0
    axes = []
    for along, across in ((2, 1), (1, 2)):
        covered = inside.any(dim=across)
        places = torch.arange(masks.shape[along + 1], dtype=masks.dtype, device=masks.device)
        first = torch.where(covered, places, torch.inf).amin(dim=1, keepdim=True)
        last = torch.where(covered, places, -torch.inf).amax(dim=1, keepdim=True)
        axes.append((places - (first + last) / 2, (last - first + 1) / 2))
    half = torch.maximum(axes[0][1], axes[1][1])
    x, y = (axes[0][0] / half)[:, None], (axes[1][0] / half)[:, None]
    shape = (masks.shape[0], 1, *masks.shape[2:])  # len() would fix the number when traced
    both = torch.cat([x[:, :, None].expand(shape), y[:, :, :, None].expand(shape)], dim=1)
    return torch.where(inside[:, None], both, 0)
