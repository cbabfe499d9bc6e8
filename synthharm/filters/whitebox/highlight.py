"""Highlight: a power of the distance from white, which moves the bright tones most."""

import torch
from torch import Tensor

from synthharm.filters.filter import EPSILON, TINY, Filter, Parameter, per_image


def highlight(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Make the lights brighter (argument above 0) or darker (below 0).

    Formula: out = clip(1 - (1 - I + 1e-9)^(1 + x)).

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), -1 to 1, 0 neutral, span 0.4.
        means: not used.

    Loses: nothing inside the span; everything at -1.

    Source: Ke et al., "Harmonizer", ECCV 2022 (arXiv 2207.01322).

    Example:
        >>> highlight(torch.full((1, 3, 1, 1), 0.5), torch.tensor([1.0]))[0, :, 0, 0]
        tensor([0.7500, 0.7500, 0.7500])
    """
    return (1 - (1 - images + TINY) ** (1 + per_image(argument))).clamp(0, 1)


def highlight_inverse(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Undo `highlight`: I = 1 + 1e-9 - (1 - out)^(1 / (1 + x)). Shapes and ranges as for `highlight`.

    Values above the brightest that `highlight` can give, 1 - 1e-9^(1 + x), are taken for it.

    Example:
        >>> highlight_inverse(torch.full((1, 3, 1, 1), 0.75), torch.tensor([1.0]))[0, :, 0, 0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    exponent = per_image((1 + argument).clamp(min=EPSILON))
    distance = torch.maximum(1 - images, TINY**exponent)
    return 1 + TINY - distance ** (1 / exponent)


FILTER = Filter(
    name="highlight",
    apply=highlight,
    invert=highlight_inverse,
    parameters=(Parameter("highlight", span=0.4),),
)
