"""Small networks, photos and regions for the tests of harmonizing at full size."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from synthharm.harmonizer import Harmonizer, HarmonizerConfig

Image = NDArray[np.uint8]


def make_harmonizer(
    *, cascade: bool = True, filters: tuple[str, ...] = ("brightness", "contrast", "shadow")
) -> Harmonizer:
    """A network with random weights that tells images apart, in evaluation mode."""
    torch.manual_seed(1)
    harmonizer = Harmonizer(HarmonizerConfig("test_efficientnet", filters, size=64, cascade=cascade)).train()
    for module in harmonizer.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    generator = torch.Generator().manual_seed(2)
    masks = torch.zeros(8, 1, 40, 56)
    masks[..., 8:30, 10:40] = 1
    colours = torch.rand(8, 3, 1, 1, generator=generator)
    with torch.no_grad():
        harmonizer((torch.rand(8, 3, 40, 56, generator=generator) + colours) / 2, masks)
    return harmonizer.eval()


def make_photo(kind: str, size: tuple[int, int], seed: int) -> Image:
    """A photo of some kind, RGB (H, W, 3)."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    light = np.linspace(0, 255, size[1])[None, :, None] * rng.uniform(0.3, 1, 3)
    ramps = light + rng.integers(-20, 20, (*size, 3))
    made = {
        "noise": noise,
        "ramps": ramps.clip(0, 255).astype(np.uint8),
        "dark": noise // 8,
        "light": 255 - noise // 8,
        "grey": np.repeat(noise[:, :, :1], 3, axis=2),
        "black and white": (noise // 128) * np.uint8(255),
        "constant": np.broadcast_to(noise[:1, :1], noise.shape).copy(),
    }
    return made[kind]


def make_region(kind: str, size: tuple[int, int], seed: int) -> Image:
    """A mask of some kind, (H, W), that marks at least one pixel."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    if kind == "all":
        mask[:] = 255
    elif kind == "pixel":
        mask[seed % size[0], seed % size[1]] = 255
    elif kind in ("corner", "feathered"):
        mask[: (size[0] + 1) // 2, size[1] // 3 :] = 255
    else:
        mask[rng.random(size) < 0.4] = 255
        mask[0, 0] = 255
    if kind == "feathered":
        mask = np.maximum(cv2.GaussianBlur(mask, (9, 9), 3), mask // 255)
    if kind == "soft":
        mask[mask > 0] = rng.integers(1, 256, int((mask > 0).sum()))
    return mask
