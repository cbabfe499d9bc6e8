"""What a filter is: a forward function, its right inverse, and the numbers that steer them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

EPSILON = 1e-6  # keeps the published formulas' divisions finite
TINY = 1e-9  # keeps the published powers' gradients finite

FilterFunction = Callable[[Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Parameter:
    """One number that steers a filter.

    Args:
        name: unique in its filter.
        span: arguments are drawn from neutral - span to neutral + span.
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

    `apply(images, argument, means)` maps images (N, 3, H, W) in [0, 1] to the same shape, clipped to [0, 1].
    `invert(images, argument, means)` finds what `apply` maps to `images`; it does not clip, and values outside
    [0, 1] say that `apply` reaches no such pixel. `argument` is (N,) for one parameter and (N, P) for P.
    `means` (N, 3) are the channel means of the filter's *input*, in both directions; `apply` takes them from
    its own images where they are None.

    Args:
        name: as recipes and records call it.
        apply: the forward function.
        invert: its right inverse.
        parameters: the numbers in `argument`, in order.
        needs_means: whether the channel means enter the formula.
        mixes_channels: whether a channel's output depends on the other channels of the same pixel.
        keeps_grey: whether grey pixels (R = G = B) stay grey.
    """

    name: str
    apply: FilterFunction
    invert: FilterFunction
    parameters: tuple[Parameter, ...]
    needs_means: bool = False
    mixes_channels: bool = False
    keeps_grey: bool = True


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
