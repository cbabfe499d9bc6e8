"""Varying a sample: quarter turns, mirroring, and jitter of the real image's colours."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.recipe.training import Augmentation


def augment(
    images: tuple[Any, ...], section: Augmentation, random: np.random.Generator
) -> tuple[NDArray[np.uint8], ...]:
    """Vary the images of one sample alike; colours are jittered on the first, which is the real one.

    Args:
        images: uint8 (S, S, 3) or (S, S), of one size.
        section: how much.
        random: the source of all draws.

    Returns:
        New arrays of the same shapes.

    Example:
        >>> photo, mask = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8)
        >>> mask[0, 0] = 255
        >>> turned = augment((photo, mask), Augmentation(), np.random.default_rng(0))[1]
        >>> turned.sum(), bool(turned[[0, 0, -1, -1], [0, -1, 0, -1]].any())
        (np.uint64(255), True)
    """
    turns = int(random.integers(4)) if section.rotate else 0
    mirrored = bool(random.integers(2)) if section.flip else False
    placed = [np.rot90(image, turns) for image in images]
    placed = [image[:, ::-1] if mirrored else image for image in placed]
    first = _jittered(np.ascontiguousarray(placed[0]), section.jitter, random)
    return first, *(np.ascontiguousarray(image) for image in placed[1:])


def _jittered(
    photo: NDArray[np.uint8], jitter: tuple[float, float, float, float], random: np.random.Generator
) -> NDArray[np.uint8]:
    """Brightness, contrast and saturation by factors around 1, a turn of the hue; in any order, rounded once."""
    from torchvision.transforms.v2 import functional

    steps = (
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    )
    drawn = [random.uniform(-amount, amount) for amount in jitter]
    order = random.permutation(4)
    if not any(jitter):
        return photo
    image: Any = torch.from_numpy(photo).permute(2, 0, 1).float() / 255
    for number in order:
        if jitter[number]:
            image = steps[number](image, drawn[number] + (number < 3))
    varied: NDArray[np.uint8] = (image * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return varied
