"""Brightness: the value channel of HSV times a factor, which is RGB times that factor."""

import torch
from torch import Tensor

from synthharm.filters.filter import EPSILON, Filter, Parameter, per_image


def brightness_factor(argument: Tensor) -> Tensor:
    """The factor on RGB, (N,): 1 + x below 0, and 1 / (1 - x + e) from 0."""
    brighter = 1 / (1 - argument.clamp(min=0) + EPSILON)
    return torch.where(argument >= 0, brighter, 1 + argument)


def brightness(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Make images brighter (argument above 0) or darker (below 0).

    Formula: out = clip(I * a), a = 1 / (1 - x + e) for x >= 0 and 1 + x for x < 0, with e = 1e-6.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), -1 to 1, 0 neutral, span 0.5.
        means: not used.

    Loses: whatever the factor lifts over 1; everything at -1.

    Source: Ke et al., "Harmonizer", ECCV 2022 (arXiv 2207.01322).

    Example:
        >>> brightness(torch.full((1, 3, 1, 1), 0.4), torch.tensor([-0.5]))[0, :, 0, 0]
        tensor([0.2000, 0.2000, 0.2000])
    """
    return (images * per_image(brightness_factor(argument))).clamp(0, 1)


def brightness_inverse(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Undo `brightness`: I = out / a. Shapes and ranges as for `brightness`.

    Example:
        >>> brightness_inverse(torch.full((1, 3, 1, 1), 0.2), torch.tensor([-0.5]))[0, :, 0, 0]
        tensor([0.4000, 0.4000, 0.4000])
    """
    return images / per_image(brightness_factor(argument).clamp(min=EPSILON))


FILTER = Filter(
    name="brightness",
    apply=brightness,
    invert=brightness_inverse,
    parameters=(Parameter("brightness", span=0.5),),
)
