"""The paper's six filters and their inverse in plain NumPy, as one would write them down without this library.

All in float64 on images (H, W, 3) in [0, 1] and masks (H, W) of bool; the arguments are those of
`FilterChain.paper()`, in its order. Masks are hard, and the means are those of the whole image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EPSILON = 1e-6
TINY = 1e-9
TOLERANCE = 5e-4  # how far outside [0, 1] a value may be that still counts as recoverable
STEPS = 200


def harmonize(composite: Floats, mask: NDArray[np.bool_], arguments: Sequence[float]) -> Floats:
    """Run the six filters over a composite, and take the foreground from what comes out."""
    temperature, brightness, contrast, saturation, highlight, shadow = arguments
    image = np.clip(composite * temperature_gains(temperature, composite.mean(axis=(0, 1))), 0, 1)
    image = np.clip(image * brightness_factor(brightness), 0, 1)
    tone, factor = image.mean(), contrast_factor(contrast)
    image = np.clip(image + (image - tone) * (factor - 1), 0, 1)
    image = np.clip(saturate(image, saturation), 0, 1)
    image = np.clip(1 - (1 - image + TINY) ** (1 + highlight), 0, 1)
    image = np.clip((image + TINY) ** (1 - shadow), 0, 1)
    return np.where(mask[:, :, None], image, composite)


def undo(real: Floats, mask: NDArray[np.bool_], arguments: Sequence[float]) -> tuple[Floats, NDArray[np.bool_]]:
    """Find the composite that `harmonize` takes to a real image, and which of its foreground comes back (H, W)."""
    temperature, brightness, contrast, saturation, highlight, shadow = arguments
    inside = np.ones(int(mask.sum()), dtype=bool)

    def clip(pixels: Floats) -> Floats:
        clipped = np.clip(pixels, 0, 1)
        np.logical_and(inside, np.abs(clipped - pixels).max(axis=1) <= TOLERANCE, out=inside)
        return clipped

    pixels = clip(real[mask] ** (1 / (1 - shadow)) - TINY)
    pixels = clip(1 + TINY - (1 - pixels) ** (1 / (1 + highlight)))
    pixels = clip(desaturate(pixels, saturation))
    light, factor = brightness_factor(brightness), contrast_factor(contrast)
    means, tone = solve(pixels.mean(axis=0), len(pixels), real[~mask], (temperature, light, factor))
    pixels = clip((pixels + tone * (factor - 1)) / factor)
    pixels = clip(pixels / light)
    pixels = clip(pixels / temperature_gains(temperature, means))
    composite = real.copy()
    composite[mask] = pixels
    recoverable = np.zeros(mask.shape, dtype=bool)
    recoverable[mask] = inside
    return composite, recoverable


def solve(
    after: Floats, count: int, background: Floats, settings: tuple[float, float, float]
) -> tuple[Floats, float]:
    """The composite's channel means (3,) and its mean tone before contrast, by iterating the means.

    Args:
        after: the foreground's channel means after contrast.
        count: its pixels.
        background: (B, 3), the others.
        settings: temperature's argument, and the factors of brightness and contrast.
    """
    temperature, light, factor = settings
    total = count + len(background)
    rest = background.sum(axis=0)
    means = (count * after + rest) / total
    for _ in range(STEPS):
        gains = temperature_gains(temperature, means)
        lit = np.clip(np.clip(background * gains, 0, 1) * light, 0, 1).sum() / 3
        tone = (count * after.mean() / factor + lit) / (total - count * (factor - 1) / factor)
        before = (after + tone * (factor - 1)) / factor / (light * gains)
        following = (count * before + rest) / total
        if np.abs(following - means).max() < TINY:
            return following, tone
        means = following
    raise ArithmeticError(f"the means did not settle in {STEPS} steps")


def temperature_gains(argument: float, means: Floats) -> Floats:
    """The factor on each channel (3,)."""
    shift = abs(argument) * np.array([argument < 0, 0.5, argument > 0])
    shifted = means + shift
    return np.asarray(1 + shifted.mean() / (shifted + EPSILON) - means.mean() / (means + EPSILON))


def brightness_factor(argument: float) -> float:
    """The factor on all channels."""
    return 1 / (1 - argument + EPSILON) if argument >= 0 else 1 + argument


def contrast_factor(argument: float) -> float:
    """The factor on the distance from the mean tone."""
    return 255 / (256 - float(np.floor(255 * argument))) if argument > 0 else 1 + argument


def saturate(image: Floats, argument: float) -> Floats:
    """Saturation, of images or pixels (..., 3), not clipped."""
    highest, lowest = image.max(axis=-1, keepdims=True), image.min(axis=-1, keepdims=True)
    centre, spread = (highest + lowest) / 2, highest - lowest
    if argument < 0:
        return np.asarray(centre + (image - centre) * (1 + argument))
    room = np.where(centre < 0.5, 2 * centre, 2 - 2 * centre)
    hsl = spread / (room + EPSILON)
    gain = np.where(argument + hsl > 1, 1 / (hsl + EPSILON), 1 / (1 - argument + EPSILON))
    return np.asarray(centre + (image - centre) * gain)


def desaturate(image: Floats, argument: float) -> Floats:
    """Undo `saturate`."""
    centre = (image.max(axis=-1, keepdims=True) + image.min(axis=-1, keepdims=True)) / 2
    factor = 1 - argument + EPSILON if argument >= 0 else 1 / (1 + argument)
    return np.asarray(centre + (image - centre) * factor)
