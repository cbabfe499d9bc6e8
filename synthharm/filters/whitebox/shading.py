"""Shading: light that is not the same all over the region: from one side, from above, or falling off outwards."""

import torch
from torch import Tensor

from synthharm.filters.filter import Filter, Parameter, region_positions
from synthharm.filters.linear_light import to_linear, to_srgb


def shading_gain(images: Tensor, argument: Tensor, positions: Tensor | None) -> Tensor:
    """The factor on the light of each pixel, (N, 1, H, W): 1 at position (0, 0)."""
    positions = region_positions(torch.ones_like(images[:, :1])) if positions is None else positions
    horizontal, vertical, falloff = argument[..., None, None].unbind(dim=1)
    x, y = positions.unbind(dim=1)
    return torch.exp2(horizontal * x - vertical * y - falloff * (x**2 + y**2))[:, None]


def shading(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Light the region from the right and from above (arguments above 0), or from the left and below (below 0).

    Formula: out = clip(srgb(2^(horizontal x - vertical y - falloff (x^2 + y^2)) linear(I))), with (x, y) the
    pixel's place in the region, x to the right and y down, 1 at half the region's longer side from its middle, and
    linear the light that an sRGB value stands for.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N, 3), in stops, each -2 to 2, 0 neutral: horizontal, above 0 brighter to the right, span 0.6;
            vertical, above 0 brighter towards the top, span 0.6; falloff, above 0 darker away from the middle,
            span 0.4.
        known: the positions (N, 2, H, W); by default the region is the whole image.

    Loses: what more light lifts over 1.

    Source: IEC 61966-2-1 (sRGB) for the curve; the light is the simplest that varies, a quadratic in stops.

    Example:
        >>> image = torch.full((1, 3, 1, 3), 0.5)
        >>> shading(image, torch.tensor([[0.6, 0.0, 0.0]]))[0, 0, 0]
        tensor([0.4394, 0.5000, 0.5680])
    """
    return to_srgb(to_linear(images) * shading_gain(images, argument, known)).clamp(0, 1)


def shading_inverse(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Undo `shading`: the light over its factor. Shapes and ranges as for `shading`.

    Example:
        >>> image, argument = torch.full((1, 3, 1, 3), 0.5), torch.tensor([[0.6, 0.0, 0.0]])
        >>> shading_inverse(shading(image, argument), argument)[0, 0, 0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    return to_srgb(to_linear(images) / shading_gain(images, argument, known))


FILTER = Filter(
    name="shading",
    apply=shading,
    invert=shading_inverse,
    parameters=(
        Parameter("horizontal", span=0.6, low=-2.0, high=2.0),
        Parameter("vertical", span=0.6, low=-2.0, high=2.0),
        Parameter("falloff", span=0.4, low=-2.0, high=2.0),
    ),
    needs_positions=True,
)
