"""Shadow: a power of the distance from black, which moves the dark tones most."""

import torch
from torch import Tensor

from synthharm.filters.filter import EPSILON, TINY, Filter, Parameter, per_image


def shadow(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Make the darks brighter (argument above 0) or darker (below 0).

    Formula: out = clip((I + 1e-9)^(1 - x)).

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), -1 to 1, 0 neutral, span 0.4.
        means: not used.

    Loses: nothing as real numbers inside the span, but above 0 its slope is steep at black, so that one level of
    an 8-bit input spans many of the output; everything at 1.

    Source: Ke et al., "Harmonizer", ECCV 2022 (arXiv 2207.01322).

    Example:
        >>> shadow(torch.full((1, 3, 1, 1), 0.25), torch.tensor([0.5]))[0, :, 0, 0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    return ((images + TINY) ** (1 - per_image(argument))).clamp(0, 1)


def shadow_inverse(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Undo `shadow`: I = out^(1 / (1 - x)) - 1e-9. Shapes and ranges as for `shadow`.

    Values below the darkest that `shadow` can give, 1e-9^(1 - x), are taken for it.

    Example:
        >>> shadow_inverse(torch.full((1, 3, 1, 1), 0.5), torch.tensor([0.5]))[0, :, 0, 0]
        tensor([0.2500, 0.2500, 0.2500])
    """
    exponent = per_image((1 - argument).clamp(min=EPSILON))
    return torch.maximum(images, TINY**exponent) ** (1 / exponent) - TINY


FILTER = Filter(
    name="shadow",
    apply=shadow,
    invert=shadow_inverse,
    parameters=(Parameter("shadow", span=0.4),),
)
