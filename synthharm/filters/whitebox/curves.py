"""Curves: a tone curve for each channel by itself, as colour grading uses them."""

from torch import Tensor

from synthharm.filters.curve import bend_tones, straighten_tones
from synthharm.filters.filter import Filter, Parameter


def curves(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Bend the red, green and blue tones, each by a curve of its own.

    Formula: that of `tone_curve`, channel by channel.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N, 9): darks, midtones and lights of red, then of green, then of blue, each -0.12 to 0.12, above
            0 brighter, 0 neutral, span 0.05.
        known: not used.

    Loses: nothing as real numbers; where a curve is flat, levels of an 8-bit input share one.

    Source: Gregory and Delbourgo, "Piecewise rational quadratic interpolation to monotonic data", IMA Journal of
    Numerical Analysis 2, 1982.

    Example:
        >>> import torch
        >>> argument = torch.tensor([[0.0, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, -0.05, 0.0]])
        >>> curves(torch.full((1, 3, 1, 1), 0.5), argument)[0, :, 0, 0]
        tensor([0.5500, 0.5000, 0.4500])
    """
    return bend_tones(images, argument.reshape(-1, 3, 3)).clamp(0, 1)


def curves_inverse(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
    """Undo `curves`, in closed form (see `straighten_tones`). Shapes and ranges as for `curves`.

    Example:
        >>> import torch
        >>> argument = torch.tensor([[0.0, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, -0.05, 0.0]])
        >>> image = torch.tensor([0.55, 0.5, 0.45]).reshape(1, 3, 1, 1)
        >>> curves_inverse(image, argument)[0, :, 0, 0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    return straighten_tones(images, argument.reshape(-1, 3, 3))


FILTER = Filter(
    name="curves",
    apply=curves,
    invert=curves_inverse,
    parameters=tuple(
        Parameter(f"{channel}_{tone}", span=0.05, low=-0.12, high=0.12)
        for channel in ("red", "green", "blue")
        for tone in ("darks", "midtones", "lights")
    ),
    keeps_grey=False,
)
