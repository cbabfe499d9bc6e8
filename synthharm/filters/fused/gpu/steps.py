"""The steps of compiled chains as Triton computes them: on blocks of pixels, in float32.

They are those of `steps`, and a few kinds that only batches know (see `lowering`).

Importing this takes Triton.
"""

import triton
import triton.language as tl

from synthharm.filters.filter import EPSILON, TINY
from synthharm.filters.fused import steps
from synthharm.filters.fused.gpu import lowering
from synthharm.filters.linear_light import EXPONENT, KNEE, OFFSET, SLOPE

AFFINE, POWER, POWER_INVERSE = (
    tl.constexpr(steps.AFFINE),
    tl.constexpr(steps.POWER),
    tl.constexpr(steps.POWER_INVERSE),
)
HIGHLIGHT, HIGHLIGHT_INVERSE = tl.constexpr(steps.HIGHLIGHT), tl.constexpr(steps.HIGHLIGHT_INVERSE)
LINEARIZE, ENCODE = tl.constexpr(steps.LINEARIZE), tl.constexpr(steps.ENCODE)
SPLINE, SPLINE_INVERSE = tl.constexpr(steps.SPLINE), tl.constexpr(steps.SPLINE_INVERSE)
SPREAD, SATURATE, VIBRANCE = tl.constexpr(steps.SPREAD), tl.constexpr(steps.SATURATE), tl.constexpr(steps.VIBRANCE)
HUE, MATRIX, POSITION_GAIN = tl.constexpr(steps.HUE), tl.constexpr(steps.MATRIX), tl.constexpr(steps.POSITION_GAIN)
KEEP_BACKGROUND = tl.constexpr(lowering.KEEP_BACKGROUND)
NUMBERS = tl.constexpr(steps.NUMBERS)

_EPSILON, _TINY = tl.constexpr(EPSILON), tl.constexpr(TINY)
_KNEE, _SLOPE = tl.constexpr(KNEE), tl.constexpr(SLOPE)
_OFFSET, _GAIN = tl.constexpr(OFFSET), tl.constexpr(1 + OFFSET)
_LIGHT_KNEE, _EXPONENT, _ROOT = tl.constexpr(KNEE / SLOPE), tl.constexpr(EXPONENT), tl.constexpr(1 / EXPONENT)


@triton.jit
def power(v, exponent):
    """A power of what is above 0."""
    return tl.exp2(tl.log2(v) * exponent)


@triton.jit
def affine(v, n):
    return tl.load(n) * v + tl.load(n + 1)


@triton.jit
def power_step(v, n):
    return power(v + _TINY, tl.load(n))


@triton.jit
def power_inverse(v, n):
    return power(tl.maximum(v, tl.load(n + 1)), tl.load(n)) - _TINY


@triton.jit
def highlight(v, n):
    return 1.0 - power((1.0 - v) + _TINY, tl.load(n))


@triton.jit
def highlight_inverse(v, n):
    return (1.0 - power(tl.maximum(1.0 - v, tl.load(n + 1)), tl.load(n))) + _TINY


@triton.jit
def linearize(v):
    return tl.where(v <= _KNEE, v / _SLOPE, power((v + _OFFSET) / _GAIN, _EXPONENT))


@triton.jit
def encode(v):
    light = power(tl.maximum(v, _LIGHT_KNEE), _ROOT) * _GAIN - _OFFSET
    return tl.where(v <= _LIGHT_KNEE, v * _SLOPE, light)


@triton.jit
def choose(below_first, below_second, below_third, a, b, c, d):
    """One of four numbers, by the interval that a value lies in."""
    return tl.where(below_first, a, tl.where(below_second, b, tl.where(below_third, c, d)))


@triton.jit
def spline(v, n):
    """The curve at v: its knots are n[0:3] between 0 and 1, its slopes n[3:8]."""
    p, q, r = tl.load(n), tl.load(n + 1), tl.load(n + 2)
    s0, s1, s2, s3, s4 = tl.load(n + 3), tl.load(n + 4), tl.load(n + 5), tl.load(n + 6), tl.load(n + 7)
    first, second, third = v < 0.25, v < 0.5, v < 0.75
    low = choose(first, second, third, 0.0, p, q, r)
    high = choose(first, second, third, p, q, r, 1.0)
    left = choose(first, second, third, s0, s1, s2, s3)
    right = choose(first, second, third, s1, s2, s3, s4)
    t = v * 4.0 - choose(first, second, third, 0.0, 1.0, 2.0, 3.0)
    mean = (high - low) * 4.0
    bend = left + right - 2.0 * mean
    rest = t * (1.0 - t)
    return low + (high - low) * (mean * t * t + left * rest) / (mean + bend * rest)


@triton.jit
def spline_inverse(v, n):
    """Where the curve is v: the root of a quadratic in the form that loses no digits."""
    p, q, r = tl.load(n), tl.load(n + 1), tl.load(n + 2)
    s0, s1, s2, s3, s4 = tl.load(n + 3), tl.load(n + 4), tl.load(n + 5), tl.load(n + 6), tl.load(n + 7)
    first, second, third = v < p, v < q, v < r
    low = choose(first, second, third, 0.0, p, q, r)
    high = choose(first, second, third, p, q, r, 1.0)
    left = choose(first, second, third, s0, s1, s2, s3)
    right = choose(first, second, third, s1, s2, s3, s4)
    interval = choose(first, second, third, 0.0, 1.0, 2.0, 3.0)
    mean = (high - low) * 4.0
    above = v - low
    bend = left + right - 2.0 * mean
    a = (high - low) * (mean - left) + above * bend
    b = (high - low) * left - above * bend
    c = -mean * above
    return (interval + 2.0 * c / (-b - tl.sqrt(tl.maximum(b * b - 4.0 * a * c, 0.0)))) / 4.0


@triton.jit
def from_centre(r, g, b, centre, factor):
    return centre + (r - centre) * factor, centre + (g - centre) * factor, centre + (b - centre) * factor


@triton.jit
def spread(r, g, b, k):
    total = tl.maximum(r, tl.maximum(g, b)) + tl.minimum(r, tl.minimum(g, b))
    return from_centre(r, g, b, total * 0.5, k)


@triton.jit
def saturate(r, g, b, k):
    """Where k + saturation > 1 the colour lands on the gamut's edge."""
    highest, lowest = tl.maximum(r, tl.maximum(g, b)), tl.minimum(r, tl.minimum(g, b))
    total = highest + lowest
    room = tl.minimum(total, 2.0 - total)
    factor = 1.0 / (tl.maximum((highest - lowest) / (room + _EPSILON), 1.0 - k) + _EPSILON)
    return from_centre(r, g, b, total * 0.5, factor)


@triton.jit
def vibrance(r, g, b, k):
    highest, lowest = tl.maximum(r, tl.maximum(g, b)), tl.minimum(r, tl.minimum(g, b))
    total = highest + lowest
    room = tl.minimum(total, 2.0 - total)
    factor = k / (1.0 + (highest - lowest) / tl.maximum(room, _TINY) * (k - 1.0))
    return from_centre(r, g, b, total * 0.5, factor)


@triton.jit
def fall_from(highest, chroma, place):
    """A channel falls from the largest value to the smallest with its distance from the hue."""
    k = place - 6.0 * tl.floor(place / 6.0)
    return highest - chroma * tl.minimum(tl.maximum(tl.minimum(k, 4.0 - k), 0.0), 1.0)


@triton.jit
def turn_hue(r, g, b, sixths):
    highest = tl.maximum(r, tl.maximum(g, b))
    chroma = highest - tl.minimum(r, tl.minimum(g, b))
    divisor = tl.maximum(chroma, _TINY)
    from_green = tl.where(g == highest, (b - r) / divisor + 2.0, (r - g) / divisor + 4.0)
    hue = tl.where(r == highest, (g - b) / divisor, from_green) + sixths
    red, green = fall_from(highest, chroma, hue + 5.0), fall_from(highest, chroma, hue + 3.0)
    return red, green, fall_from(highest, chroma, hue + 1.0)


@triton.jit
def product(r, g, b, n):
    return tl.load(n) * r + tl.load(n + 1) * g + tl.load(n + 2) * b


@triton.jit
def place_gain(x, y, n):
    return tl.exp2(tl.load(n) * x + tl.load(n + 1) * y + tl.load(n + 2) * (x * x + y * y))


@triton.jit
def run_step(kind, n, r, g, b, r0, g0, b0, inside, x, y):
    """The channels after a step of that kind, not clamped; n points at its numbers, channel by channel."""
    if kind == AFFINE:
        r, g, b = affine(r, n), affine(g, n + NUMBERS), affine(b, n + 2 * NUMBERS)
    elif kind == POWER:
        r, g, b = power_step(r, n), power_step(g, n + NUMBERS), power_step(b, n + 2 * NUMBERS)
    elif kind == POWER_INVERSE:
        r, g, b = power_inverse(r, n), power_inverse(g, n + NUMBERS), power_inverse(b, n + 2 * NUMBERS)
    elif kind == HIGHLIGHT:
        r, g, b = highlight(r, n), highlight(g, n + NUMBERS), highlight(b, n + 2 * NUMBERS)
    elif kind == HIGHLIGHT_INVERSE:
        r, g, b = highlight_inverse(r, n), highlight_inverse(g, n + NUMBERS), highlight_inverse(b, n + 2 * NUMBERS)
    elif kind == LINEARIZE:
        r, g, b = linearize(r), linearize(g), linearize(b)
    elif kind == ENCODE:
        r, g, b = encode(r), encode(g), encode(b)
    elif kind == SPLINE:
        r, g, b = spline(r, n), spline(g, n + NUMBERS), spline(b, n + 2 * NUMBERS)
    elif kind == SPLINE_INVERSE:
        r, g, b = spline_inverse(r, n), spline_inverse(g, n + NUMBERS), spline_inverse(b, n + 2 * NUMBERS)
    elif kind == SPREAD:
        r, g, b = spread(r, g, b, tl.load(n))
    elif kind == SATURATE:
        r, g, b = saturate(r, g, b, tl.load(n))
    elif kind == VIBRANCE:
        r, g, b = vibrance(r, g, b, tl.load(n))
    elif kind == HUE:
        r, g, b = turn_hue(r, g, b, tl.load(n))
    elif kind == MATRIX:
        r, g, b = product(r, g, b, n), product(r, g, b, n + NUMBERS), product(r, g, b, n + 2 * NUMBERS)
    elif kind == POSITION_GAIN:
        r, g, b = from_centre(r, g, b, 0.0, place_gain(x, y, n))
    elif kind == KEEP_BACKGROUND:
        r, g, b = tl.where(inside, r, r0), tl.where(inside, g, g0), tl.where(inside, b, b0)
    return r, g, b
