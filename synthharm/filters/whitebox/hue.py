"""Hue: each colour turned round the circle of hues, keeping its value and saturation."""

import torch
from torch import Tensor

from synthharm.filters.filter import TINY, Filter, Parameter, per_image


def turn_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Rotate the hue of HSV by `turns` (N,). The largest and the smallest channel of each pixel keep their values.

    Hue is never needed as an angle: in sixths of a turn it is a ratio of differences, and each channel falls from
    the largest value to the smallest as its distance from the hue grows from one sixth to two.
    """
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    highest, lowest = images.amax(dim=1, keepdim=True), images.amin(dim=1, keepdim=True)
    chroma = highest - lowest
    divisor = chroma.clamp(min=TINY)  # grey has no hue, and any will do
    from_green = torch.where(green == highest, 2 + (blue - red) / divisor, 4 + (red - green) / divisor)
    sixths = torch.where(red == highest, (green - blue) / divisor, from_green) + 6 * per_image(turns)
    # From each channel's own place, where it falls from 0 to 1 and rises from 3 to 4.
    places = torch.remainder(torch.cat([sixths + 5, sixths + 3, sixths + 1], dim=1), 6)
    return highest - chroma * torch.minimum(places, 4 - places).clamp(0, 1)


def hue(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Turn the hues: from red towards yellow and green (argument above 0) or towards magenta and blue (below 0).

    Formula: (h, s, v) of HSV to (h + x, s, v), with h in turns. In RGB, with C = max - min of the pixel and
    k = (n + 6(h + x)) mod 6: out = clip(max - C clip(min(k, 4 - k))), n = 5, 3, 1 for red, green, blue.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), in turns, -0.5 to 0.5, 0 neutral, span 0.06.
        known: not used.

    Loses: nothing.

    Source: Smith, "Color gamut transform pairs", SIGGRAPH 1978 (HSV).

    Example:
        >>> image = torch.tensor([0.6, 0.4, 0.4]).reshape(1, 3, 1, 1)
        >>> hue(image, torch.tensor([1 / 12]))[0, :, 0, 0]
        tensor([0.6000, 0.5000, 0.4000])
    """
    return turn_hue(images, argument).clamp(0, 1)


def hue_inverse(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Undo `hue`: the rotation by -x. Shapes and ranges as for `hue`.

    Example:
        >>> image = torch.tensor([0.6, 0.5, 0.4]).reshape(1, 3, 1, 1)
        >>> hue_inverse(image, torch.tensor([1 / 12]))[0, :, 0, 0]
        tensor([0.6000, 0.4000, 0.4000])
    """
    return turn_hue(images, -argument)


FILTER = Filter(
    name="hue",
    apply=hue,
    invert=hue_inverse,
    parameters=(Parameter("hue", span=0.06, low=-0.5, high=0.5),),
    mixes_channels=True,
)
