"""Saturation: the distance of each pixel from its own grey, times a factor."""

import torch
from torch import Tensor

from synthharm.filters.filter import EPSILON, Filter, Parameter, per_image


def saturation(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Give images more saturated colours (argument above 0) or greyer ones (below 0).

    Formula: c = (max + min) / 2 over the pixel's channels; out = clip(c + (I - c) g). For x < 0, g = 1 + x. For
    x >= 0, g = 1 / (1 - x + e), but where that would leave the gamut (x + s > 1, with s the saturation of HSL),
    g = 1 / (s + e), which lands on its edge; e = 1e-6.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), -1 to 1, 0 neutral, span 0.6.
        means: not used.

    Loses: above 0, how far a colour was from the gamut's edge once it has reached it; everything but c at -1.

    Source: Ke et al., "Harmonizer", ECCV 2022 (arXiv 2207.01322).

    Example:
        >>> image = torch.tensor([0.6, 0.5, 0.4]).reshape(1, 3, 1, 1)
        >>> saturation(image, torch.tensor([0.5]))[0, :, 0, 0]
        tensor([0.7000, 0.5000, 0.3000])
    """
    highest, lowest = images.amax(dim=1, keepdim=True), images.amin(dim=1, keepdim=True)
    spread, total = highest - lowest, highest + lowest
    centre = total / 2
    room = torch.where(centre < 0.5, total, 2 - total)
    hsl_saturation = spread / (room + EPSILON)
    more = per_image(argument.clamp(min=0))
    gain = torch.where(more + hsl_saturation > 1, 1 / (hsl_saturation + EPSILON), 1 / (1 - more + EPSILON))
    gain = torch.where(per_image(argument) >= 0, gain, 1 + per_image(argument))
    return (centre + (images - centre) * gain).clamp(0, 1)


def saturation_inverse(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Undo `saturation`: I = c + (out - c) / g, for `saturation` leaves c where it was.

    Above 0 this never leaves [0, 1], and gives one of the colours that `saturation` takes to the gamut's edge
    where `out` lies on it. Shapes and ranges as for `saturation`.

    Example:
        >>> image = torch.tensor([0.7, 0.5, 0.3]).reshape(1, 3, 1, 1)
        >>> saturation_inverse(image, torch.tensor([0.5]))[0, :, 0, 0]
        tensor([0.6000, 0.5000, 0.4000])
    """
    centre = (images.amax(dim=1, keepdim=True) + images.amin(dim=1, keepdim=True)) / 2
    narrower = 1 - argument.clamp(min=0) + EPSILON
    wider = 1 / (1 + argument.clamp(max=0)).clamp(min=EPSILON)
    return centre + (images - centre) * per_image(torch.where(argument >= 0, narrower, wider))


FILTER = Filter(
    name="saturation",
    apply=saturation,
    invert=saturation_inverse,
    parameters=(Parameter("saturation", span=0.6),),
    mixes_channels=True,
)
