"""What a chain accepts, said by name where it does not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synthharm.filters.arguments import Arguments
from synthharm.filters.filter import Parameter

FLOATS = (torch.float32, torch.float64)


def check_images(images: Tensor, masks: Tensor, counts: Tensor | None, positions: Tensor | None) -> None:
    """Refuse images, masks, counts or positions of other shapes and types than a chain takes."""
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images have shape {tuple(images.shape)}; (N, 3, H, W) is accepted")
    if images.dtype not in FLOATS:
        raise ValueError(f"images have dtype {images.dtype}; float32 or float64 in [0, 1] is accepted")
    expected = (len(images), 1, *images.shape[2:])
    if tuple(masks.shape) != expected:
        raise ValueError(f"masks have shape {tuple(masks.shape)}; {expected} is accepted, as the images have")
    if masks.dtype != images.dtype:
        raise ValueError(f"masks have dtype {masks.dtype}; {images.dtype} is accepted, as the images have")
    if counts is not None and (counts.ndim != 4 or tuple(counts.shape) not in (expected, tuple(images.shape))):
        raise ValueError(f"counts have shape {tuple(counts.shape)}; {expected} is accepted, with 1 or 3 channels")
    places = (len(images), 2, *images.shape[2:])
    if positions is not None and tuple(positions.shape) != places:
        raise ValueError(f"positions have shape {tuple(positions.shape)}; {places} is accepted: x and y")


def check_generators(generators: torch.Generator | Sequence[torch.Generator], images: int) -> None:
    """Refuse another number of generators than one, or one per image."""
    if not isinstance(generators, torch.Generator) and len(generators) != images:
        raise ValueError(f"{len(generators)} generators for {images} images; one, or one per image, is accepted")


def check_values(values: Tensor, columns: Sequence[str], parameters: Sequence[Parameter]) -> None:
    """Refuse arguments (N, K) that are not numbers or that their filters do not accept."""
    found = values.detach()
    low, high = (found.new_tensor(limits) for limits in zip(*((p.low, p.high) for p in parameters), strict=True))
    inside = (found >= low) & (found <= high)
    if bool(inside.all()):  # asked once: a GPU is waited for
        return
    column, image = (int(place) for place in (~inside).T.nonzero()[0])
    parameter = parameters[column]
    raise ValueError(
        f"{columns[column]} of image {image} is {float(found[image, column])}; "
        f"{parameter.low} to {parameter.high} is accepted"
    )


def check_batch(
    images: Tensor,
    masks: Tensor,
    arguments: Arguments | Tensor,
    columns: tuple[str, ...],
    parameters: Sequence[Parameter],
    counts: Tensor | None,
    positions: Tensor | None,
) -> Tensor:
    """Refuse what a chain does not take; the arguments (N, K) as a tensor of the images' type and device."""
    check_images(images, masks, counts, positions)
    if isinstance(arguments, Arguments):
        if arguments.columns != columns:
            raise ValueError(f"arguments for {', '.join(arguments.columns)}; the chain takes {', '.join(columns)}")
        arguments = arguments.values
    if tuple(arguments.shape) != (len(images), len(columns)):
        raise ValueError(
            f"arguments have shape {tuple(arguments.shape)}; ({len(images)}, {len(columns)}) is accepted: "
            f"one row per image with {', '.join(columns)}"
        )
    check_values(arguments, columns, parameters)
    return arguments.to(images)
