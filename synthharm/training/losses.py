"""What training makes small."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synthharm.filters import FilterChain
from synthharm.recipe.training import Loss
from synthharm.training.batches import Batch

EPSILON = 1e-6  # under the root of Charbonnier's loss
LEAST = 1e-9  # added to what losses are divided by


def batch_loss(
    predicted: Tensor, batch: Batch, chain: FilterChain, section: Loss
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of predicted arguments on a batch, and what it is made of.

    Each sample's filters have a loss each, between the image after the filter and the true one, averaged over its
    region (see `region_losses`); they are weighed by `weigh`. Samples whose arguments are not known have the loss
    of the final image, times `stored`.

    Args:
        predicted: (N, K), within what the filters accept.
        batch: of N samples.
        chain: the filters.
        section: the weights.

    Returns:
        The mean over the samples, and detached means: `final`, the last filter's loss; `arguments`, the error of
        the arguments in spans, where they are known.
    """
    images = chain.steps(batch.composites, batch.masks, predicted)
    losses = torch.stack(
        [region_losses(image, batch.targets[:, i], batch.masks, section) for i, image in enumerate(images)], dim=1
    )
    weighed = weigh(losses, section.weighting)
    each = torch.where(batch.known, weighed, section.stored * losses[:, -1])
    error = argument_errors(predicted, batch.arguments, chain)
    parts = {"final": losses[:, -1].detach().mean()}
    if batch.known.any():
        parts["arguments"] = error.detach()[batch.known].mean()
    total = (each + section.arguments * error).mean()
    return total, parts


def region_losses(images: Tensor, targets: Tensor, masks: Tensor, section: Loss) -> Tensor:
    """The loss of each image (N, 3, S, S) over its region: (N,).

    Charbonnier's sqrt(d² + 1e-6) and the square d², of the differences d in [0, 1], weighed and averaged over the
    region's values, of which there are at least 3 · `least_pixels`.

    Source:
        Ke et al., "Harmonizer", ECCV 2022, takes weights of 1 and 10; the least number of pixels is from
        Sofiiuk et al., "Foreground-aware Semantic Representations for Image Harmonization", WACV 2021.

    Example:
        >>> image, mask = torch.zeros(1, 3, 2, 2), torch.ones(1, 1, 2, 2)
        >>> region_losses(image, image + 0.1, mask, Loss()).round(decimals=4)
        tensor([0.2000])
    """
    squares = (images - targets).square()
    each = section.charbonnier * (squares + EPSILON).sqrt() + section.squared * squares
    pixels = masks.sum(dim=(1, 2, 3)).clamp(min=max(1, section.least_pixels))
    return (each * masks).sum(dim=(1, 2, 3)) / (3 * pixels)


def weigh(losses: Tensor, weighting: str | Sequence[float]) -> Tensor:
    """One loss (N,) of those of the filters (N, F).

    "dynamic", as published: with rises r₁ = L₁ and rᵢ = max(Lᵢ - Lᵢ₋₁, 0), by which a filter adds to the loss
    of those before, it is the sum of all rᵢ, divided by its own value. The divisor and the Lᵢ₋₁ in the rises
    are taken as constants. So every sample counts alike, and a filter is not blamed for the ones before.
    "uniform" is the mean, "last" the final image's, and numbers are weights of their own.

    Example:
        >>> weigh(torch.tensor([[0.2, 0.1, 0.3]]), "dynamic"), weigh(torch.tensor([[0.2, 0.1, 0.3]]), [0, 1, 1])
        (tensor([1.]), tensor([0.4000]))
    """
    if weighting == "uniform":
        return losses.mean(dim=1)
    if weighting == "last":
        return losses[:, -1]
    if weighting == "dynamic":
        rises = torch.cat([losses[:, :1], (losses[:, 1:] - losses[:, :-1].detach()).clamp(min=0)], dim=1)
        total = rises.sum(dim=1)
        return total / (total.detach() + LEAST)
    if len(weighting) != losses.shape[1]:
        raise ValueError(f"{len(weighting)} weights for {losses.shape[1]} filters; one for each is accepted")
    return (losses * losses.new_tensor(weighting)).sum(dim=1)


def argument_errors(predicted: Tensor, arguments: Tensor, chain: FilterChain) -> Tensor:
    """Mean absolute error of each row's arguments in spans (N,); 0 where they are not known."""
    spans = predicted.new_tensor(
        [chain.spans.get(c, p.span) for c, p in zip(chain.columns, chain.parameters, strict=True)]
    )
    known = ~arguments.isnan()
    error = (predicted - arguments.nan_to_num()).abs() / spans.clamp(min=1e-6)
    return (error * known).mean(dim=1)
