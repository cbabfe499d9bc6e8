"""Small photos and masks, and a chain run on whole images: what the compact way must agree with."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from synthharm.filters import FilterChain


def draw_photo(seed: int, size: tuple[int, int] = (30, 38), low: int = 40, high: int = 215) -> np.ndarray:
    """A smooth coloured photo with noise, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(low, high, (4, 5, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return (smooth + rng.normal(0, 3, smooth.shape)).clip(0, 255).round().astype(np.uint8)


def draw_mask(seed: int, size: tuple[int, int] = (30, 38), soft: bool = False) -> np.ndarray:
    """An ellipse somewhere, uint8 (H, W): 0 and 255, with grey levels at its edge where it is soft."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    centre = (int(rng.integers(5, size[1] - 5)), int(rng.integers(5, size[0] - 5)))
    cv2.ellipse(mask, centre, (int(rng.integers(3, 12)), int(rng.integers(3, 12))), 30, 0, 360, 255, -1)
    return cv2.GaussianBlur(mask, (5, 5), 1.2) if soft else mask


def as_tensors(image: np.ndarray, mask: np.ndarray) -> tuple[Tensor, Tensor]:
    """A whole image (1, 3, H, W) and mask (1, 1, H, W) in [0, 1], float64."""
    pixels = torch.from_numpy(image.astype(np.float64) / np.iinfo(image.dtype).max)
    return pixels.permute(2, 0, 1)[None], torch.from_numpy(mask / 255)[None, None]


def harmonize_whole(image: np.ndarray, mask: np.ndarray, chain: FilterChain, values: np.ndarray) -> np.ndarray:
    """The harmonized image (H, W, 3) in [0, 1]."""
    images, masks = as_tensors(image, mask)
    return chain.apply(images, masks, torch.from_numpy(values)[None])[0].permute(1, 2, 0).numpy()


def psnr_of(first: np.ndarray, second: np.ndarray) -> float:
    """In dB, of arrays on 0..255, by the textbook."""
    return float(20 * np.log10(255) - 10 * np.log10(np.mean((first.astype(float) - second) ** 2)))
