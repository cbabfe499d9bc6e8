"""The steps that compiled chains are made of: a few functions of one channel's value, or of one pixel.

A step is a kind and up to eight numbers for each channel. All steps clamp to [0, 1], and keep the farthest that a
pixel was outside: undoing filters, that says what cannot be recovered.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthharm.filters.filter import EPSILON, TINY
from synthharm.filters.fused.compiling import compiled
from synthharm.filters.linear_light import EXPONENT, KNEE, OFFSET, SLOPE

Floats = NDArray[np.float64]

NUMBERS = 8  # per channel and step

# Of one channel's value v, with the channel's numbers a, b, ...
AFFINE = 0  # a v + b
POWER = 1  # (v + 1e-9)^a
POWER_INVERSE = 2  # max(v, b)^a - 1e-9
HIGHLIGHT = 3  # 1 - (1 - v + 1e-9)^a
HIGHLIGHT_INVERSE = 4  # 1 + 1e-9 - max(1 - v, b)^a
LINEARIZE = 5  # from sRGB to linear light
ENCODE = 6  # from linear light to sRGB
SPLINE = 7  # a rational-quadratic curve: its knots at 1/4, 1/2, 3/4, and its slopes at all five
SPLINE_INVERSE = 8
# Of a pixel
SPREAD = 9  # the distance from the pixel's own grey, (max + min) / 2, times a
SATURATE = 10  # the same by saturation's factor for the argument a > 0
VIBRANCE = 11  # the same by vibrance's factor for k = a
HUE = 12  # hue turned by a sixths of a turn
MATRIX = 13  # a row of three numbers for each channel
POSITION_GAIN = 14  # times 2^(a x + b y + c (x² + y²)) at the place (x, y)

FIRST_OF_PIXELS = SPREAD


@compiled
def spline(v, n):
    """The curve at v: its knots are n[0:3] between 0 and 1, its slopes n[3:8]."""
    k = min(int(v * 4), 3)
    low = n[k - 1] if k > 0 else 0.0
    high = n[k] if k < 3 else 1.0
    t = v * 4 - k
    mean = (high - low) * 4
    bend = n[3 + k] + n[4 + k] - 2 * mean
    return low + (high - low) * (mean * t * t + n[3 + k] * t * (1 - t)) / (mean + bend * t * (1 - t))


@compiled
def spline_inverse(v, n):
    """Where the curve is v: the root of a quadratic in the form that loses no digits."""
    k = 0
    while k < 3 and v >= n[k]:
        k += 1
    low = n[k - 1] if k > 0 else 0.0
    high = n[k] if k < 3 else 1.0
    mean = (high - low) * 4
    above = v - low
    bend = n[3 + k] + n[4 + k] - 2 * mean
    a = (high - low) * (mean - n[3 + k]) + above * bend
    b = (high - low) * n[3 + k] - above * bend
    c = -mean * above
    return (k + 2 * c / (-b - np.sqrt(max(b * b - 4 * a * c, 0.0)))) / 4


@compiled
def of_value(kind, v, n):
    """One channel's value after a step, not clamped."""
    if kind == POWER:
        return (v + TINY) ** n[0]
    if kind == POWER_INVERSE:
        return max(v, n[1]) ** n[0] - TINY
    if kind == HIGHLIGHT:
        return 1 - (1 - v + TINY) ** n[0]
    if kind == HIGHLIGHT_INVERSE:
        return 1 + TINY - max(1 - v, n[1]) ** n[0]
    if kind == LINEARIZE:
        return v / SLOPE if v <= KNEE else ((v + OFFSET) / (1 + OFFSET)) ** EXPONENT
    if kind == ENCODE:
        return v * SLOPE if v <= KNEE / SLOPE else (1 + OFFSET) * v ** (1 / EXPONENT) - OFFSET
    if kind == SPLINE:
        return spline(v, n)
    return spline_inverse(v, n)


@compiled
def run_affine(numbers, values, excess, count):
    """A line for each channel."""
    real = values.dtype.type
    for c in range(3):
        a, b = real(numbers[c, 0]), real(numbers[c, 1])
        row, outside = values[c], excess[c]
        for i in range(count):
            v = a * row[i] + b
            row[i] = min(max(v, real(0)), real(1))
            outside[i] = max(outside[i], abs(v - row[i]))


@compiled
def run_factors(factors, centres, values, excess, count):
    """The distance of each pixel from its centre, times its factor."""
    real = values.dtype.type
    for c in range(3):
        row, outside = values[c], excess[c]
        for i in range(count):
            v = centres[i] + (row[i] - centres[i]) * factors[i]
            row[i] = min(max(v, real(0)), real(1))
            outside[i] = max(outside[i], abs(v - row[i]))


@compiled
def run_saturation(kind, number, values, excess, count):
    """The steps that change a pixel's distance from its own grey."""
    real = values.dtype.type
    one, half, k = real(1), real(0.5), real(number)
    factors, centres = np.empty(count, values.dtype), np.empty(count, values.dtype)
    red, green, blue = values[0], values[1], values[2]
    for i in range(count):
        highest = max(red[i], max(green[i], blue[i]))
        lowest = min(red[i], min(green[i], blue[i]))
        total, spread = highest + lowest, highest - lowest
        room = min(total, real(2) - total)
        centres[i] = total * half
        if kind == SATURATE:  # where k + saturation > 1 the colour lands on the gamut's edge
            factors[i] = one / (max(spread / (room + real(EPSILON)), one - k) + real(EPSILON))
        elif kind == VIBRANCE:
            factors[i] = k / (one + spread / max(room, real(TINY)) * (k - one))
        else:
            factors[i] = k
    run_factors(factors, centres, values, excess, count)


@compiled
def run_hue(sixths, values, count):
    """Turn each pixel's hue in HSV by so many sixths of a turn; its maximum and minimum stay as they are."""
    real = values.dtype.type
    for i in range(count):
        red, green, blue = values[0, i], values[1, i], values[2, i]
        highest = max(red, max(green, blue))
        chroma = highest - min(red, min(green, blue))
        divisor = max(chroma, real(TINY))
        from_green = (blue - red) / divisor + real(2) if green == highest else (red - green) / divisor + real(4)
        hue = ((green - blue) / divisor if red == highest else from_green) + real(sixths)
        for c in range(
            3
        ):  # each channel falls from the largest value to the smallest with its distance from the hue
            k = hue + real(5 - 2 * c)
            k = k - real(6) * np.floor(k / real(6))
            values[c, i] = highest - chroma * min(max(min(k, real(4) - k), real(0)), real(1))


@compiled
def run_matrix(numbers, values, excess, count):
    """A matrix for each pixel."""
    real = values.dtype.type
    m, before = numbers.astype(values.dtype), values[:, :count].copy()
    for c in range(3):
        row, outside = values[c], excess[c]
        for i in range(count):
            v = m[c, 0] * before[0, i] + m[c, 1] * before[1, i] + m[c, 2] * before[2, i]
            row[i] = min(max(v, real(0)), real(1))
            outside[i] = max(outside[i], abs(v - row[i]))


@compiled
def run_position_gain(numbers, values, positions, excess, count):
    """A gain by the place of each pixel."""
    a, b, c = numbers[0, 0], numbers[0, 1], numbers[0, 2]
    factors, centres = np.empty(count, values.dtype), np.zeros(count, values.dtype)
    for i in range(count):
        x, y = positions[0, i], positions[1, i]
        factors[i] = 2 ** (a * x + b * y + c * (x * x + y * y))
    run_factors(factors, centres, values, excess, count)


@compiled
def run_values(kind, numbers, values, excess, count):
    """A function of each channel's value."""
    real = values.dtype.type
    for c in range(3):
        row, outside, n = values[c], excess[c], numbers[c]
        for i in range(count):
            v = real(of_value(kind, row[i], n))
            row[i] = min(max(v, real(0)), real(1))
            outside[i] = max(outside[i], abs(v - row[i]))


@compiled
def run_steps(kinds, numbers, values, positions, excess, count):
    """Run steps over `count` pixels.

    Args:
        kinds: (S,) of the steps.
        numbers: (S, 3, NUMBERS).
        values: (3, P) in [0, 1], changed in place.
        positions: (2, P), read where a step goes by them.
        excess: (3, P), raised to how far outside [0, 1] a value was before it was clamped.
        count: how many of the P are meant.
    """
    for s in range(len(kinds)):
        kind, n = kinds[s], numbers[s]
        if kind == AFFINE:
            run_affine(n, values, excess, count)
        elif kind in (SPREAD, SATURATE, VIBRANCE):
            run_saturation(kind, n[0, 0], values, excess, count)
        elif kind == HUE:
            run_hue(n[0, 0], values, count)
        elif kind == MATRIX:
            run_matrix(n, values, excess, count)
        elif kind == POSITION_GAIN:
            run_position_gain(n, values, positions, excess, count)
        else:
            run_values(kind, n, values, excess, count)
