"""Temperature: the white balance, from cooler to warmer, as a gain per channel."""

import torch
from torch import Tensor

from synthharm.filters.filter import EPSILON, Filter, Parameter, channel_means


def temperature_gains(argument: Tensor, means: Tensor) -> Tensor:
    """The gain of each channel, (N, 3), given the input's channel means (N, 3).

    The argument shifts the means of the *other* side of the spectrum (a warmer image is one whose blue ought
    to be brighter than it is), and a grey-world balance to the shifted means gives the gains. They are 1 at
    argument 0. A channel far darker than the others can get a gain below 0, which clips it to black.
    """
    half = argument.abs() / 2
    shift = torch.stack([(-argument).clamp(min=0), half, argument.clamp(min=0)], dim=1)
    shifted = means + shift
    grey = means.mean(dim=1, keepdim=True)
    return 1 + (shifted.mean(dim=1, keepdim=True) / (shifted + EPSILON) - grey / (means + EPSILON))


def temperature(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Make images warmer (argument above 0) or cooler (below 0).

    Formula: out = clip(I * gain), gain = mean(m') / (m' + e) + 1 - mean(m) / (m + e), with m the channel means
    and m' = m + d, where d = |x| * (1, 1/2, 0) for x < 0 and |x| * (0, 1/2, 1) for x > 0, and e = 1e-6.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), -1 to 1, 0 neutral, span 0.3.
        means: (N, 3) channel means of `images`; taken from them by default.

    Loses: whatever a gain lifts over 1, and all of a channel whose gain is not positive.

    Source: Ke et al., "Harmonizer", ECCV 2022 (arXiv 2207.01322).

    Example:
        >>> grey = torch.full((1, 3, 2, 2), 0.5)
        >>> temperature(grey, torch.tensor([0.2]))[0, :, 0, 0]
        tensor([0.6000, 0.5000, 0.4286])
    """
    means = channel_means(images) if means is None else means
    return (images * temperature_gains(argument, means)[:, :, None, None]).clamp(0, 1)


def temperature_inverse(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Undo `temperature`: I = out / gain, with `means` those of the input I that is sought.

    Shapes and ranges as for `temperature`. Without `means`, those of `images` are taken, which inverts
    exactly only at the neutral argument: a chain solves for the true ones.

    Example:
        >>> image = torch.rand(1, 3, 4, 4) / 2
        >>> warm = temperature(image, torch.tensor([0.2]))
        >>> torch.allclose(temperature_inverse(warm, torch.tensor([0.2]), image.mean((2, 3))), image)
        True
    """
    means = channel_means(images) if means is None else means
    return images / temperature_gains(argument, means).clamp(min=EPSILON)[:, :, None, None]


FILTER = Filter(
    name="temperature",
    apply=temperature,
    invert=temperature_inverse,
    parameters=(Parameter("temperature", span=0.3),),
    needs_means=True,
    keeps_grey=False,
)
