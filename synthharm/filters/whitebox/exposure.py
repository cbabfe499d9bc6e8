"""Exposure: more or less light, in stops, as if the photo had been taken with another shutter time."""

import torch
from torch import Tensor

from synthharm.filters.filter import Filter, Parameter, per_image
from synthharm.filters.linear_light import to_linear, to_srgb


def exposure(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Give images more light (argument above 0) or less (below 0).

    Formula: out = clip(srgb(2^x * linear(I))), with linear the light that an sRGB value stands for and srgb its
    inverse.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), in stops, -4 to 4, 0 neutral, span 1.
        known: not used.

    Loses: whatever more light lifts over 1.

    Source: IEC 61966-2-1 (sRGB) for the curve; a stop is a factor of two.

    Example:
        >>> exposure(torch.full((1, 3, 1, 1), 0.5), torch.tensor([1.0]))[0, :, 0, 0]
        tensor([0.6858, 0.6858, 0.6858])
    """
    return to_srgb(to_linear(images) * torch.exp2(per_image(argument))).clamp(0, 1)


def exposure_inverse(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Undo `exposure`: I = srgb(2^-x * linear(out)). Shapes and ranges as for `exposure`.

    Example:
        >>> exposure_inverse(torch.full((1, 3, 1, 1), 0.6858), torch.tensor([1.0]))[0, :, 0, 0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    return to_srgb(to_linear(images) * torch.exp2(-per_image(argument)))


FILTER = Filter(
    name="exposure",
    apply=exposure,
    invert=exposure_inverse,
    parameters=(Parameter("exposure", span=1.0, low=-4.0, high=4.0),),
)
