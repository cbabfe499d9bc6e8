"""The formulas of the filters beyond the published six, pixel by pixel in plain Python.

Hue, saturation and value come from the standard library's `colorsys`. A position is the pixel's x and y in the
region.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence

from plain_filters import Colour, channelwise, clip

Position = tuple[float, float]
PixelFormula = Callable[[Colour, Sequence[float], Position], Colour]
Matrix = Sequence[Sequence[float]]

D65 = (0.3127, 0.3290)
BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
# As IEC 61966-2-1 prints it, to four places.
XYZ_FROM_RGB = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))


def linear(value: float) -> float:
    """The light that an sRGB value stands for."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def srgb(light: float) -> float:
    """The sRGB value that stands for an amount of light."""
    return 12.92 * light if light <= 0.04045 / 12.92 else 1.055 * light ** (1 / 2.4) - 0.055


def exposure(colour: Colour, x: Sequence[float], position: Position) -> Colour:
    """Twice the light for each stop."""
    return clip(channelwise(lambda value: srgb(linear(value) * 2 ** x[0]), colour))


def gamma(colour: Colour, x: Sequence[float], position: Position) -> Colour:
    """A power."""
    return clip(channelwise(lambda value: (value + 1e-9) ** (1 / 2 ** x[0]), colour))


def hue(colour: Colour, x: Sequence[float], position: Position) -> Colour:
    """The hue of HSV plus x."""
    turn, saturation, value = colorsys.rgb_to_hsv(*colour)
    return colorsys.hsv_to_rgb((turn + x[0]) % 1.0, saturation, value)


def vibrance(colour: Colour, x: Sequence[float], position: Position) -> Colour:
    """The saturation of HSL, its odds times 2^x."""
    turn, centre, saturation = colorsys.rgb_to_hls(*colour)
    factor = 2 ** x[0]
    return clip(colorsys.hls_to_rgb(turn, centre, factor * saturation / (1 + saturation * (factor - 1))))


def shading(colour: Colour, x: Sequence[float], position: Position) -> Colour:
    """Light by place."""
    across, down = position
    stops = x[0] * across - x[1] * down - x[2] * (across * across + down * down)
    return clip(channelwise(lambda value: srgb(linear(value) * 2**stops), colour))


def spline(tone: float, moved: Sequence[float]) -> float:
    """The monotone rational-quadratic spline through the moved knots, as published: with theta and differences."""
    knots = [0.0, 0.25, 0.5, 0.75, 1.0]
    heights = [0.0, 0.25 + moved[0], 0.5 + moved[1], 0.75 + moved[2], 1.0]
    deltas = [(heights[i + 1] - heights[i]) / 0.25 for i in range(4)]
    inner = [2 / (1 / deltas[i] + 1 / deltas[i + 1]) for i in range(3)]
    ends = [deltas[a] * deltas[a] / ((deltas[a] + deltas[b]) / 2) for a, b in ((0, 1), (3, 2))]
    slopes = [ends[0], *inner, ends[1]]
    i = min(int(tone / 0.25), 3)
    theta, delta = (tone - knots[i]) / 0.25, deltas[i]
    rest = 1 - theta
    above = delta * heights[i + 1] * theta**2 + delta * heights[i] * rest**2
    above += (heights[i] * slopes[i + 1] + heights[i + 1] * slopes[i]) * theta * rest
    return above / (delta + (slopes[i] + slopes[i + 1] - 2 * delta) * theta * rest)


def tone_curve(colour: Colour, x: Sequence[float], position: Position) -> Colour:
    """One spline."""
    return clip(channelwise(lambda value: spline(value, x), colour))


def curves(colour: Colour, x: Sequence[float], position: Position) -> Colour:
    """Three splines."""
    return clip([spline(value, x[3 * k : 3 * k + 3]) for k, value in enumerate(colour)])


def lift_gamma_gain(colour: Colour, x: Sequence[float], position: Position) -> Colour:
    """Black up, white up, a power."""
    out = []
    for value, lift, power, gain in zip(colour, x[:3], x[3:6], x[6:], strict=True):
        out.append((max(gain * (value + lift * (1 - value)), 0) + 1e-9) ** (1 / power))
    return clip(out)


def times(matrix: Matrix, vector: Sequence[float]) -> list[float]:
    """A matrix by a vector."""
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def solve(matrix: Matrix, vector: Sequence[float]) -> list[float]:
    """Cramer's rule, for three unknowns."""

    def determinant(m: Matrix) -> float:
        (a, b, c), (d, e, f), (g, h, i) = m
        return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)

    def replaced(column: int) -> list[list[float]]:
        return [
            [v if k == column else a for k, a in enumerate(row)] for row, v in zip(matrix, vector, strict=True)
        ]

    return [determinant(replaced(k)) / determinant(matrix) for k in range(3)]


def krystek(kelvin: float) -> tuple[float, float]:
    """The Planckian locus in CIE 1960 (u, v)."""
    u = (0.860117757 + 1.54118254e-4 * kelvin + 1.28641212e-7 * kelvin**2) / (
        1 + 8.42420235e-4 * kelvin + 7.08145163e-7 * kelvin**2
    )
    v = (0.317398726 + 4.22806245e-5 * kelvin + 4.20481691e-8 * kelvin**2) / (
        1 - 2.89741816e-5 * kelvin + 1.61456053e-7 * kelvin**2
    )
    return u, v


def white(temperature: float, tint: float) -> Position:
    """The white's xy. The direction of the locus comes from two points on it close by."""
    mired = 1e6 / 6504 + 100 * temperature
    x, y = D65
    divisor = -2 * x + 12 * y + 3
    (u, v), (u0, v0) = krystek(1e6 / mired), krystek(6504)
    (u1, v1), (u2, v2) = krystek(1e6 / (mired - 0.01)), krystek(1e6 / (mired + 0.01))
    length = ((u2 - u1) ** 2 + (v2 - v1) ** 2) ** 0.5
    u += 4 * x / divisor - u0 + 0.05 * tint * (v2 - v1) / length
    v += 6 * y / divisor - v0 - 0.05 * tint * (u2 - u1) / length
    return 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)


def white_balance(colour: Colour, x: Sequence[float], position: Position) -> Colour:
    """Adaptation after Bradford: to XYZ, to cones, the cones' ratios, and back."""
    whites = [(a / b, 1.0, (1 - a - b) / b) for a, b in (D65, white(x[0], x[1]))]
    before, after = (times(BRADFORD, w) for w in whites)
    cones = times(BRADFORD, times(XYZ_FROM_RGB, [linear(value) for value in colour]))
    adapted = [cone * new / old for cone, new, old in zip(cones, after, before, strict=True)]
    return clip([srgb(light) for light in solve(XYZ_FROM_RGB, solve(BRADFORD, adapted))])


FORWARD: dict[str, PixelFormula] = {
    "exposure": exposure,
    "white_balance": white_balance,
    "gamma": gamma,
    "hue": hue,
    "vibrance": vibrance,
    "tone_curve": tone_curve,
    "curves": curves,
    "lift_gamma_gain": lift_gamma_gain,
    "shading": shading,
}
