"""The published formulas once more, pixel by pixel in plain Python, to hold the filters against.

Hue, saturation and value come from the standard library's `colorsys`, where the filters work on RGB.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Sequence

Colour = tuple[float, float, float]
PixelFormula = Callable[[Colour, float, Colour], Colour]

E = 1e-6


def clip(colour: Sequence[float]) -> Colour:
    """Each channel to the nearest value in [0, 1]."""
    red, green, blue = (min(max(value, 0.0), 1.0) for value in colour)
    return red, green, blue


def channelwise(function: Callable[[float], float], colour: Colour) -> Colour:
    """The same function on each channel."""
    red, green, blue = (function(value) for value in colour)
    return red, green, blue


def gains(x: float, means: Colour) -> Colour:
    """Temperature's gains."""
    shift = (abs(x) if x < 0 else 0.0, abs(x) / 2, abs(x) if x > 0 else 0.0)
    shifted = [m + d for m, d in zip(means, shift, strict=True)]
    grey, new_grey = sum(means) / 3, sum(shifted) / 3
    red, green, blue = (new_grey / (new + E) + (1 - grey / (m + E)) for new, m in zip(shifted, means, strict=True))
    return red, green, blue


def temperature(colour: Colour, x: float, means: Colour) -> Colour:
    """A gain per channel."""
    return clip([value * gain for value, gain in zip(colour, gains(x, means), strict=True)])


def undo_temperature(colour: Colour, x: float, means: Colour) -> Colour:
    """Out over gain."""
    red, green, blue = (
        value / gain if gain > E else math.nan for value, gain in zip(colour, gains(x, means), strict=True)
    )
    return red, green, blue


def brightness(colour: Colour, x: float, means: Colour) -> Colour:
    """V of HSV times a factor."""
    hue, saturation_, value = colorsys.rgb_to_hsv(*colour)
    return clip(colorsys.hsv_to_rgb(hue, saturation_, value * (1 / ((1 - x) + E) if x >= 0 else 1 + x)))


def undo_brightness(colour: Colour, x: float, means: Colour) -> Colour:
    """V of HSV over the factor."""
    return channelwise(lambda value: value * (1 - x + E) if x >= 0 else value / (1 + x), colour)


def slope(x: float) -> float:
    """Contrast's factor."""
    return 255 / (256 - math.floor(255 * x)) if x > 0 else 1 + x


def contrast(colour: Colour, x: float, means: Colour) -> Colour:
    """Away from the mean tone."""
    tone = sum(means) / 3
    return clip(channelwise(lambda value: value + (value - tone) * (slope(x) - 1), colour))


def undo_contrast(colour: Colour, x: float, means: Colour) -> Colour:
    """Back to the mean tone."""
    tone = sum(means) / 3
    return channelwise(lambda value: (value + tone * (slope(x) - 1)) / slope(x), colour)


def saturation(colour: Colour, x: float, means: Colour) -> Colour:
    """Away from the pixel's own grey, to the edge of the gamut at most."""
    _, centre, saturation_ = colorsys.rgb_to_hls(*colour)
    more = 1 / (saturation_ + E) if x + saturation_ > 1 else 1 / (1 - x + E)
    gain = more if x >= 0 else 1 + x
    return clip(channelwise(lambda value: centre + (value - centre) * gain, colour))


def undo_saturation(colour: Colour, x: float, means: Colour) -> Colour:
    """Towards the pixel's own grey."""
    centre = (max(colour) + min(colour)) / 2
    factor = 1 / (1 + x) if x < 0 else 1 - x
    return channelwise(lambda value: centre + (value - centre) * factor, colour)


def highlight(colour: Colour, x: float, means: Colour) -> Colour:
    """A power of the distance from white."""
    return clip(channelwise(lambda value: 1 - (1 - value + 1e-9) ** (1 + x), colour))


def undo_highlight(colour: Colour, x: float, means: Colour) -> Colour:
    """The root of the distance from white."""
    return channelwise(lambda value: 1 - (1 - value) ** (1 / (1 + x)) if value <= 1 else math.nan, colour)


def shadow(colour: Colour, x: float, means: Colour) -> Colour:
    """A power of the distance from black."""
    return clip(channelwise(lambda value: (value + 1e-9) ** (1 - x), colour))


def undo_shadow(colour: Colour, x: float, means: Colour) -> Colour:
    """The root of the distance from black."""
    return channelwise(lambda value: value ** (1 / (1 - x)) if value >= 0 else math.nan, colour)


FORWARD: dict[str, PixelFormula] = {
    "temperature": temperature,
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "highlight": highlight,
    "shadow": shadow,
}
UNDO: dict[str, PixelFormula] = {
    "temperature": undo_temperature,
    "brightness": undo_brightness,
    "contrast": undo_contrast,
    "saturation": undo_saturation,
    "highlight": undo_highlight,
    "shadow": undo_shadow,
}


def means_of(colours: Sequence[Colour], weights: Sequence[float]) -> Colour:
    """The weighted channel means; 0 where nothing counts."""
    total = max(sum(weights), 1e-30)
    red, green, blue = (
        sum(w * colour[k] for colour, w in zip(colours, weights, strict=True)) / total for k in range(3)
    )
    return red, green, blue


def harmonize(
    names: Sequence[str], colours: Sequence[Colour], arguments: Sequence[float], weights: Sequence[float]
) -> tuple[list[Colour], list[Colour]]:
    """Run filters over whole images: the last colours, and the means at the input of each filter."""
    current, found = list(colours), []
    for name, x in zip(names, arguments, strict=True):
        found.append(means_of(current, weights))
        current = [FORWARD[name](colour, x, found[-1]) for colour in current]
    return current, found


def worst_excursion(
    names: Sequence[str], colour: Colour, arguments: Sequence[float], means: Sequence[Colour]
) -> float:
    """How far out of [0, 1] undoing leads at worst; below 0, how far inside all stays. NaN: out for good."""
    worst, current = -0.5, colour
    for name, x, mean in reversed(list(zip(names, arguments, means, strict=True))):
        worst = max(worst, *(abs(value - 0.5) - 0.5 for value in current))
        current = UNDO[name](current, x, mean)
        if any(math.isnan(value) for value in current):
            return math.nan
    return max(worst, *(abs(value - 0.5) - 0.5 for value in current))
