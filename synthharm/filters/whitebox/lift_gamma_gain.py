"""Lift, gamma, gain: the three wheels of colour grading, for shadows, midtones and highlights of each channel."""

import torch
from torch import Tensor

from synthharm.filters.filter import TINY, Filter, Parameter


def split_wheels(argument: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lift, gamma and gain, each (N, 3, 1, 1), of arguments (N, 9)."""
    lift, gamma, gain = argument.reshape(-1, 3, 3)[..., None, None].unbind(dim=1)
    return lift, gamma, gain


def lift_gamma_gain(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Move black (lift), the midtones (gamma) and white (gain) of each channel; above neutral all are brighter.

    Formula: v = gain (I + lift (1 - I)); out = clip((max(v, 0) + 1e-9)^(1 / gamma)).

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N, 9): lift of red, green and blue, -0.3 to 0.3, 0 neutral, span 0.05; gamma of each, 0.4 to
            2.5, 1 neutral, span 0.2; gain of each, 0.4 to 2.5, 1 neutral, span 0.2.
        known: not used.

    Loses: what a gain lifts over 1, and what a lift below 0 takes below 0.

    Source: the operators of ASC CDL (slope, offset, power) in the form with fixed ends that graders' wheels have:
    lift leaves white where it is, gain leaves black.

    Example:
        >>> warm_lights = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.2, 1.0, 0.8]])
        >>> lift_gamma_gain(torch.full((1, 3, 1, 1), 0.5), warm_lights)[0, :, 0, 0]
        tensor([0.6000, 0.5000, 0.4000])
    """
    lift, gamma, gain = split_wheels(argument)
    light = gain * (images + lift * (1 - images))
    return ((light.clamp(min=0) + TINY) ** (1 / gamma)).clamp(0, 1)


def lift_gamma_gain_inverse(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Undo `lift_gamma_gain`: v = out^gamma - 1e-9, I = (v / gain - lift) / (1 - lift). Shapes as for it.

    Below 0 where `out` is darker than a lifted black, above 1 where it is brighter than a lowered white. Values
    below the darkest that a black v can give, 1e-9^(1 / gamma), are taken for it.

    Example:
        >>> warm_lights = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.2, 1.0, 0.8]])
        >>> image = torch.tensor([0.6, 0.5, 0.4]).reshape(1, 3, 1, 1)
        >>> lift_gamma_gain_inverse(image, warm_lights)[0, :, 0, 0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    lift, gamma, gain = split_wheels(argument)
    light = torch.maximum(images, TINY ** (1 / gamma)) ** gamma - TINY
    return (light / gain - lift) / (1 - lift)


FILTER = Filter(
    name="lift_gamma_gain",
    apply=lift_gamma_gain,
    invert=lift_gamma_gain_inverse,
    parameters=tuple(
        Parameter(f"{wheel}_{channel}", span=span, neutral=neutral, low=low, high=high)
        for wheel, span, neutral, low, high in (
            ("lift", 0.05, 0.0, -0.3, 0.3),
            ("gamma", 0.2, 1.0, 0.4, 2.5),
            ("gain", 0.2, 1.0, 0.4, 2.5),
        )
        for channel in ("red", "green", "blue")
    ),
    keeps_grey=False,
)
