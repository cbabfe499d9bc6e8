"""Gamma: a power of the encoded value, which moves the midtones most."""

import torch
from torch import Tensor

from synthharm.filters.filter import TINY, Filter, Parameter, per_image


def gamma(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Make the midtones brighter (argument above 0) or darker (below 0); black and white stay.

    Formula: out = clip((I + 1e-9)^(2^-x)). Black becomes 1e-9^(2^-x): 1e-6 at the span's end, but 0.006 at x = 2.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), -2 to 2, 0 neutral, span 0.6.
        known: not used.

    Loses: nothing as real numbers inside the span, but where the slope at black is steep (above 0), one level of
    an 8-bit input spans many of the output, and where it is flat (below 0) many share one.

    Source: Poynton, "The rehabilitation of gamma", 1998.

    Example:
        >>> gamma(torch.full((1, 3, 1, 1), 0.25), torch.tensor([1.0]))[0, :, 0, 0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    return ((images + TINY) ** torch.exp2(-per_image(argument))).clamp(0, 1)


def gamma_inverse(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Undo `gamma`: I = out^(2^x) - 1e-9. Shapes and ranges as for `gamma`.

    Values below the darkest that `gamma` can give, 1e-9^(2^-x), are taken for it.

    Example:
        >>> gamma_inverse(torch.full((1, 3, 1, 1), 0.5), torch.tensor([1.0]))[0, :, 0, 0]
        tensor([0.2500, 0.2500, 0.2500])
    """
    darkest = TINY ** torch.exp2(-per_image(argument))
    return torch.maximum(images, darkest) ** torch.exp2(per_image(argument)) - TINY


FILTER = Filter(
    name="gamma",
    apply=gamma,
    invert=gamma_inverse,
    parameters=(Parameter("gamma", span=0.6, low=-2.0, high=2.0),),
)
