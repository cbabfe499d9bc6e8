"""Retouching batches of tensors, each image with its own draw, on the device where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synthharm.composites.retouch import MOST_SPREAD, retouch
from synthharm.filters import FilterChain, Limits
from synthharm.filters.checks import check_generators
from synthharm.filters.drawing import Strategy

IMAGES = (torch.uint8, torch.float32, torch.float64)
MASKS = (torch.bool, torch.uint8, torch.float32, torch.float64)


@dataclass(frozen=True)
class Retouched:
    """What became of a batch.

    Args:
        composites: (N, 3, H, W), of the images' type; the images outside the masks.
        arguments: (N, K) float32; neutral where a mask is empty.
        recoverable: (N, H, W) bool: the foreground's pixels that come back.
    """

    composites: Tensor
    arguments: Tensor
    recoverable: Tensor


def read_images(images: Tensor, name: str = "image") -> Tensor:
    """Refuse other images than RGB (N, 3, H, W), uint8 or float in [0, 1]; `name` is what an error calls them."""
    if images.ndim != 4 or images.shape[1] != 3 or not images.numel():
        raise ValueError(
            f"the {name} has shape {tuple(images.shape)}; RGB (N, 3, H, W) is accepted (grey as three channels)"
        )
    if images.dtype not in IMAGES:
        raise ValueError(f"the {name} has dtype {images.dtype}; uint8, float32 or float64 is accepted")
    _check_range(images, name)
    return images


def read_masks(masks: Tensor, images: Tensor, name: str = "mask") -> Tensor:
    """Masks (N, H, W) as alphas: bool becomes uint8 0 and 255, as does a uint8 mask of nothing but 0 and 1.

    Raises:
        ValueError: another shape, type, device or range than the images go with.
    """
    expected = (len(images), *images.shape[2:])
    if tuple(masks.shape) != expected:
        raise ValueError(f"the {name} has shape {tuple(masks.shape)}; {expected} is accepted, as the image has")
    if masks.dtype not in MASKS:
        raise ValueError(f"the {name} has dtype {masks.dtype}; bool, uint8, float32 or float64 is accepted")
    if masks.device != images.device:
        raise ValueError(f"the {name} is on {masks.device}; {images.device} is accepted, where the image is")
    _check_range(masks, name)
    if masks.dtype == torch.bool:
        return masks.to(torch.uint8) * 255
    if masks.dtype == torch.uint8:
        labels = masks.flatten(1).amax(dim=1) <= 1
        if bool(labels.any()):
            return torch.where(labels[:, None, None], masks * 255, masks)
    return masks


def _check_range(values: Tensor, name: str) -> None:
    if values.dtype.is_floating_point:
        low, high = (float(v) for v in values.aminmax())
        if not (low >= 0 and high <= 1):
            found = "holds NaN" if low != low or high != high else f"ranges from {low:g} to {high:g}"
            raise ValueError(f"the {name} {found}; floats from 0 to 1 are accepted")


def retouch_batch(
    images: Tensor,
    masks: Tensor,
    chain: FilterChain,
    generators: Sequence[torch.Generator],
    limits: Limits | None = None,
    strategy: Strategy | None = None,
) -> Retouched:
    """Draw arguments for each image and undo them on its region, as `retouch` does for one photo.

    An image whose mask is empty stays as it is, with neutral arguments. Photos without colour stay without. 8-bit
    images give 8-bit composites, on the CPU those of `retouch`; the composites of float images are not rounded.

    Args:
        images: (N, 3, H, W), uint8, or float32 or float64 in [0, 1].
        masks: (N, H, W), uint8 or float in [0, 1].
        chain: the filters that will harmonize the composites.
        generators: one per image.
        limits: what the draws may cost.
        strategy: how arguments are drawn: `Span()` by default.

    Raises:
        ValueError: limits for other than 8 bits with 8-bit images.

    Example:
        >>> images, masks = torch.rand(2, 3, 16, 16) / 2 + 0.2, torch.zeros(2, 16, 16)
        >>> masks[0, 4:12, 4:12] = 1
        >>> generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
        >>> made = retouch_batch(images, masks, FilterChain.paper(), generators)
        >>> bool((made.composites[0] == images[0]).all()), bool((made.composites[1] == images[1]).all())
        (False, True)
    """
    if images.dtype == torch.uint8 and limits is not None and limits.levels != 255:
        raise ValueError(f"the limits' levels is {limits.levels}; 255 is accepted with uint8 images")
    check_generators(generators, len(images))
    neutral = torch.tensor([p.neutral for p in chain.parameters], device=images.device)
    made = Retouched(
        images.clone(),
        neutral.repeat(len(images), 1),
        torch.zeros(masks.shape, dtype=torch.bool, device=images.device),
    )
    if images.dtype == masks.dtype == torch.uint8 and images.device.type == "cpu":
        _fill_photo_by_photo(made, images, masks, chain, generators, limits, strategy)
    else:
        _fill_together(made, images, masks, chain, generators, limits, strategy)
    return made


def _fill_photo_by_photo(
    made: Retouched,
    images: Tensor,
    masks: Tensor,
    chain: FilterChain,
    generators: Sequence[torch.Generator],
    limits: Limits | None,
    strategy: Strategy | None,
) -> None:
    for row, generator in enumerate(generators):
        photo = np.ascontiguousarray(images[row].permute(1, 2, 0).numpy())
        mask = np.ascontiguousarray(masks[row].numpy())
        if mask.any():
            composite = retouch(photo, mask, chain, generator, limits, strategy=strategy)
            made.composites[row] = torch.from_numpy(composite.image).permute(2, 0, 1)
            made.arguments[row] = composite.arguments.values[0].float()
            made.recoverable[row] = torch.from_numpy(composite.recoverable)


def _fill_together(
    made: Retouched,
    images: Tensor,
    masks: Tensor,
    chain: FilterChain,
    generators: Sequence[torch.Generator],
    limits: Limits | None,
    strategy: Strategy | None,
) -> None:
    eight_bits = images.dtype == torch.uint8
    real = images / 255 if eight_bits else images
    alphas = (masks / 255 if masks.dtype == torch.uint8 else masks).to(real)[:, None]
    for rows, drawn_from in _by_colour(real, alphas, chain):
        arguments, inverse = drawn_from.disharmonize(
            real[rows],
            alphas[rows],
            generator=[generators[row] for row in rows.tolist()],
            limits=limits,
            strategy=strategy,
        )
        found = (inverse.composites * 255).round() if eight_bits else inverse.composites
        made.composites[rows] = torch.where(alphas[rows] > 0, found.to(images.dtype), images[rows])
        made.arguments[rows] = arguments.values.float()
        made.recoverable[rows] = inverse.recoverable[:, 0]


def _by_colour(real: Tensor, alphas: Tensor, chain: FilterChain) -> Iterator[tuple[Tensor, FilterChain]]:
    """The numbers of the images that have a region, with colour and without, each with a chain to draw from."""
    present = alphas.flatten(1).amax(dim=1) > 0
    spread = (real.amax(dim=1) - real.amin(dim=1)).flatten(1) * (255 / MOST_SPREAD)
    # Half a level and a hair allow for what 8-bit levels are not, as floats.
    grey = (spread.mean(dim=1) <= 1 + 1e-4) & ((spread > 8.5).double().mean(dim=1) <= 0.001)
    for members, drawn_from in ((present & ~grey, chain), (present & grey, chain.keeping_grey())):
        rows = members.nonzero()[:, 0]
        if len(rows):
            yield rows, drawn_from
