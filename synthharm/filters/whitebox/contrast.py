"""Contrast: the distance from the image's mean tone times a factor."""

import torch
from torch import Tensor

from synthharm.filters.filter import EPSILON, Filter, Parameter, channel_means, per_image


def contrast_factor(argument: Tensor) -> Tensor:
    """The factor k on the distance from the mean tone, (N,).

    The published factor for more contrast goes by whole steps of 1/255, which has no gradient. The value is
    kept and the gradient passes as if the argument had not been rounded.
    """
    scaled = 255 * argument
    steps = scaled + (torch.floor(scaled) - scaled).detach()
    return torch.where(argument > 0, 255 / (256 - steps), 1 + argument)


def contrast(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Give images more contrast (argument above 0) or less (below 0).

    Formula: out = clip(I + (I - t)(k - 1)), t = the mean over all pixels and channels, k = 1 + x for x <= 0 and
    k = 255 / (256 - floor(255 x)) for x > 0. As published, an argument between 0 and 1/255 lessens contrast.

    Args:
        images: (N, 3, H, W), RGB in [0, 1].
        argument: (N,), -1 to 1, 0 neutral, span 0.5.
        means: (N, 3) channel means of `images`; taken from them by default.

    Loses: what leaves [0, 1] at both ends; everything at -1.

    Source: Ke et al., "Harmonizer", ECCV 2022 (arXiv 2207.01322).

    Example:
        >>> image = torch.tensor([0.4, 0.6]).expand(1, 3, 1, 2)
        >>> contrast(image, torch.tensor([-0.5]))[0, 0, 0]
        tensor([0.4500, 0.5500])
    """
    means = channel_means(images) if means is None else means
    tone = per_image(means.mean(dim=1))
    return (images + (images - tone) * (per_image(contrast_factor(argument)) - 1)).clamp(0, 1)


def contrast_inverse(images: Tensor, argument: Tensor, means: Tensor | None = None) -> Tensor:
    """Undo `contrast`: I = (out + t(k - 1)) / k, with `means` those of the input I that is sought.

    Shapes and ranges as for `contrast`. Without `means`, those of `images` are taken: contrast leaves the mean
    tone where it was as long as nothing clips.

    Example:
        >>> image = torch.tensor([0.45, 0.55]).expand(1, 3, 1, 2)
        >>> contrast_inverse(image, torch.tensor([-0.5]))[0, 0, 0]
        tensor([0.4000, 0.6000])
    """
    means = channel_means(images) if means is None else means
    tone = per_image(means.mean(dim=1))
    factor = per_image(contrast_factor(argument).clamp(min=EPSILON))
    return tone + (images - tone) / factor


FILTER = Filter(
    name="contrast",
    apply=contrast,
    invert=contrast_inverse,
    parameters=(Parameter("contrast", span=0.5),),
    needs_means=True,
)
