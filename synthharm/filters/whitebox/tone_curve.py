"""Tone curve: one smooth curve for all channels, moved by its dark, middle and light tones."""

from torch import Tensor

from synthharm.filters.curve import bend_tones, straighten_tones
from synthharm.filters.filter import Filter, Parameter


def tone_curve(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Make the darks, midtones and lights brighter (arguments above 0) or darker (below 0).

    Formula: out = clip(f(I)), with f the monotone rational-quadratic spline (see `bend_tones`) through (0, 0),
    (1/4, 1/4 + darks), (1/2, 1/2 + midtones), (3/4, 3/4 + lights) and (1, 1).

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N, 3): darks, midtones, lights, each -0.12 to 0.12, 0 neutral, span 0.08.
        known: not used.

    Loses: nothing as real numbers; where the curve is flat, levels of an 8-bit input share one.

    Source: Gregory and Delbourgo, "Piecewise rational quadratic interpolation to monotonic data", IMA Journal of
    Numerical Analysis 2, 1982.

    Example:
        >>> import torch
        >>> image = torch.tensor([0.0, 0.25, 0.5, 0.75]).expand(1, 3, 1, 4)
        >>> tone_curve(image, torch.tensor([[-0.05, 0.0, 0.05]]))[0, 0, 0]
        tensor([0.0000, 0.2000, 0.5000, 0.8000])
    """
    return bend_tones(images, argument[:, None]).clamp(0, 1)


def tone_curve_inverse(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Undo `tone_curve`, in closed form (see `straighten_tones`). Shapes and ranges as for `tone_curve`.

    Example:
        >>> import torch
        >>> image = torch.tensor([0.0, 0.2, 0.5, 0.8]).expand(1, 3, 1, 4)
        >>> tone_curve_inverse(image, torch.tensor([[-0.05, 0.0, 0.05]]))[0, 0, 0]
        tensor([0.0000, 0.2500, 0.5000, 0.7500])
    """
    return straighten_tones(images, argument[:, None])


FILTER = Filter(
    name="tone_curve",
    apply=tone_curve,
    invert=tone_curve_inverse,
    parameters=tuple(Parameter(tone, span=0.08, low=-0.12, high=0.12) for tone in ("darks", "midtones", "lights")),
)
