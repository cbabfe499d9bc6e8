"""Vibrance: saturation that works on dull colours and leaves vivid ones alone."""

import torch
from torch import Tensor

from synthharm.filters.filter import TINY, Filter, Parameter, per_image


def scale_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Multiply s / (1 - s) by `factor` (N,), s being the saturation of HSL."""
    highest, lowest = images.amax(dim=1, keepdim=True), images.amin(dim=1, keepdim=True)
    centre = (highest + lowest) / 2
    room = 2 * torch.minimum(centre, 1 - centre)
    saturation = (highest - lowest) / room.clamp(min=TINY)
    gain = per_image(factor) / (1 + saturation * (per_image(factor) - 1))
    return centre + (images - centre) * gain


def vibrance(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Give dull colours more saturation (argument above 0) or less (below 0); saturated ones and grey stay.

    Formula: c = (max + min) / 2 over the pixel's channels, s = (max - min) / (2 min(c, 1 - c)) the saturation of
    HSL, k = 2^x; s goes to s' = k s / (1 + s(k - 1)), so that s' / (1 - s') = k s / (1 - s), and
    out = clip(c + (I - c) k / (1 + s(k - 1))).

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), -2 to 2, 0 neutral, span 1.
        known: not used.

    Loses: nothing: no colour leaves the gamut, and none reaches its edge that was not there.

    Source: the name is that of photo editors; the formula, a factor on the odds of s, is this project's.

    Example:
        >>> image = torch.tensor([0.6, 0.5, 0.4]).reshape(1, 3, 1, 1)
        >>> vibrance(image, torch.tensor([1.0]))[0, :, 0, 0]
        tensor([0.6667, 0.5000, 0.3333])
    """
    return scale_saturation(images, torch.exp2(argument)).clamp(0, 1)


def vibrance_inverse(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Undo `vibrance`: the same with 1 / k, for c stays where it was. Shapes and ranges as for `vibrance`.

    Example:
        >>> image = torch.tensor([0.6667, 0.5, 0.3333]).reshape(1, 3, 1, 1)
        >>> vibrance_inverse(image, torch.tensor([1.0]))[0, :, 0, 0]
        tensor([0.6000, 0.5000, 0.4000])
    """
    return scale_saturation(images, torch.exp2(-argument))


FILTER = Filter(
    name="vibrance",
    apply=vibrance,
    invert=vibrance_inverse,
    parameters=(Parameter("vibrance", span=1.0, low=-2.0, high=2.0),),
    mixes_channels=True,
)
