"""From filters to the steps that compute them: what each filter is made of, forwards and backwards.

A filter of one's own has no steps, and a chain with it is not compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.filters.chain import FilterChain
from synthharm.filters.filter import EPSILON, TINY, Filter
from synthharm.filters.fused import solver, steps
from synthharm.filters.registry import FILTERS

Row = Sequence[float]  # numbers of a step, for one channel
Step = tuple[int, Row, Row, Row]

PADDING = [[0.0] * (steps.NUMBERS - length) for length in range(steps.NUMBERS + 1)]


@dataclass(frozen=True)
class Steps:
    """Steps in the order in which they run.

    Args:
        kinds: (S,) of `steps`.
        numbers: (S, 3, NUMBERS): what each takes, by channel.
        owners: (S,), the name of the filter that each is of.
    """

    kinds: NDArray[np.int64]
    numbers: NDArray[np.float64]
    owners: tuple[str, ...]

    @property
    def names(self) -> str:
        """The filters that they are of, each once."""
        return ", ".join(dict.fromkeys(self.owners))

    @classmethod
    def of(cls, made: Sequence[Step], owners: Sequence[str] = ()) -> Steps:
        """Lay steps out as arrays; with the names of their filters, if anybody will ask for them."""
        kinds = np.array([step[0] for step in made], dtype=np.int64)
        numbers = list[float]()
        for _, *rows in made:
            for row in rows:
                numbers += row
                numbers += PADDING[len(row)]
        return cls(kinds, np.array(numbers, dtype=np.float64).reshape(-1, 3, steps.NUMBERS), tuple(owners))

    def __len__(self) -> int:
        return len(self.kinds)

    def part(self, first: int, end: int) -> Steps:
        """The steps from `first` to before `end`."""
        return Steps(self.kinds[first:end], self.numbers[first:end], self.owners[first:end])

    def only(self, chosen: NDArray[np.bool_]) -> Steps:
        """The steps that are chosen (S,)."""
        owners = tuple(name for name, kept in zip(self.owners, chosen, strict=True) if kept)
        return Steps(self.kinds[chosen], self.numbers[chosen], owners)

    @property
    def alike(self) -> bool:
        """Whether each does the same to all channels."""
        return bool((self.numbers == self.numbers[:, :1]).all())


def alike(kind: int, *numbers: float) -> Step:
    """A step with the same numbers for all channels."""
    return (kind, numbers, numbers, numbers)


def by_channel(kind: int, numbers: Sequence[Row]) -> Step:
    """A step with numbers for red, green and blue."""
    red, green, blue = numbers
    return (kind, red, green, blue)


LINEARIZE, ENCODE = alike(steps.LINEARIZE), alike(steps.ENCODE)


def _line_of_means(x: Row, inverse: bool) -> list[Step]:
    """A line that stands for a filter until its means are known: `solver.write_lines` writes its numbers."""
    return [alike(steps.AFFINE, 1.0, 0.0)]


def _brightness(x: Row, inverse: bool) -> list[Step]:
    factor = 1 / (1 - x[0] + EPSILON) if x[0] >= 0 else 1 + x[0]
    return [alike(steps.AFFINE, 1 / max(factor, EPSILON) if inverse else factor, 0.0)]


def _saturation(x: Row, inverse: bool) -> list[Step]:
    if x[0] >= 0:
        return [alike(steps.SPREAD, 1 - x[0] + EPSILON) if inverse else alike(steps.SATURATE, x[0])]
    return [alike(steps.SPREAD, 1 / max(1 + x[0], EPSILON) if inverse else 1 + x[0])]


def _highlight(x: Row, inverse: bool) -> list[Step]:
    if not inverse:
        return [alike(steps.HIGHLIGHT, 1 + x[0])]
    exponent = max(1 + x[0], EPSILON)
    return [alike(steps.HIGHLIGHT_INVERSE, 1 / exponent, TINY**exponent)]


def _power(exponent: float, inverse: bool) -> Step:
    if inverse:
        return alike(steps.POWER_INVERSE, 1 / exponent, TINY**exponent)
    return alike(steps.POWER, exponent)


def _shadow(x: Row, inverse: bool) -> list[Step]:
    return [_power(max(1 - x[0], EPSILON if inverse else 0.0), inverse)]


def _exposure(x: Row, inverse: bool) -> list[Step]:
    return [LINEARIZE, alike(steps.AFFINE, 2.0 ** (-x[0] if inverse else x[0]), 0.0), ENCODE]


def _white_balance(x: Row, inverse: bool) -> list[Step]:
    from synthharm.filters.whitebox.white_balance import adaptation

    rows = adaptation(torch.tensor([x], dtype=torch.float64), -1 if inverse else 1)[0].tolist()
    return [LINEARIZE, by_channel(steps.MATRIX, rows), ENCODE]


def _gamma(x: Row, inverse: bool) -> list[Step]:
    return [_power(2.0 ** -x[0], inverse)]


def _hue(x: Row, inverse: bool) -> list[Step]:
    return [alike(steps.HUE, -6 * x[0] if inverse else 6 * x[0])]


def _vibrance(x: Row, inverse: bool) -> list[Step]:
    return [alike(steps.VIBRANCE, 2.0 ** (-x[0] if inverse else x[0]))]


def _curve_numbers(displacements: Row) -> list[float]:
    knots = [0.0, *((i + 1) / 4 + d for i, d in enumerate(displacements)), 1.0]
    means = [4 * (b - a) for a, b in pairwise(knots)]
    inner = [2 * a * b / (a + b) for a, b in pairwise(means)]
    first, last = 2 * means[0] ** 2 / (means[0] + means[1]), 2 * means[3] ** 2 / (means[2] + means[3])
    return [*knots[1:4], first, *inner, last]


def _tone_curve(x: Row, inverse: bool) -> list[Step]:
    return [alike(steps.SPLINE_INVERSE if inverse else steps.SPLINE, *_curve_numbers(x))]


def _curves(x: Row, inverse: bool) -> list[Step]:
    numbers = [_curve_numbers(x[3 * c : 3 * c + 3]) for c in range(3)]
    return [by_channel(steps.SPLINE_INVERSE if inverse else steps.SPLINE, numbers)]


def _lift_gamma_gain(x: Row, inverse: bool) -> list[Step]:
    wheels = [(x[c], x[3 + c], x[6 + c]) for c in range(3)]
    if inverse:
        powers = [(gamma, TINY ** (1 / gamma)) for _, gamma, _ in wheels]
        lines = [(1 / (gain * (1 - lift)), -lift / (1 - lift)) for lift, _, gain in wheels]
        return [by_channel(steps.POWER_INVERSE, powers), by_channel(steps.AFFINE, lines)]
    lines = [(gain * (1 - lift), gain * lift) for lift, _, gain in wheels]
    return [by_channel(steps.AFFINE, lines), by_channel(steps.POWER, [(1 / gamma,) for _, gamma, _ in wheels])]


def _shading(x: Row, inverse: bool) -> list[Step]:
    numbers = (x[0], -x[1], -x[2])
    numbers = (-numbers[0], -numbers[1], -numbers[2]) if inverse else numbers
    return [LINEARIZE, alike(steps.POSITION_GAIN, *numbers), ENCODE]


# The filters whose one step is a line that follows from the means at their input.
MEANS_KINDS = {"temperature": solver.TEMPERATURE, "contrast": solver.CONTRAST}

Lowering = Callable[[Row, bool], list[Step]]

LOWERINGS: dict[str, Lowering] = {
    "temperature": _line_of_means,
    "brightness": _brightness,
    "contrast": _line_of_means,
    "saturation": _saturation,
    "highlight": _highlight,
    "shadow": _shadow,
    "exposure": _exposure,
    "white_balance": _white_balance,
    "gamma": _gamma,
    "hue": _hue,
    "vibrance": _vibrance,
    "tone_curve": _tone_curve,
    "curves": _curves,
    "lift_gamma_gain": _lift_gamma_gain,
    "shading": _shading,
}


def lower(filter_: Filter, values: Row, *, inverse: bool = False) -> list[Step]:
    """The steps of one filter; none at its neutral arguments, which change nothing.

    Args:
        filter_: one that has steps (see `has_steps`).
        values: its arguments.
        inverse: for undoing it.
    """
    if all(value == p.neutral for value, p in zip(values, filter_.parameters, strict=True)):
        return []
    return LOWERINGS[filter_.name](values, inverse)


def split_row(chain: FilterChain, values: Sequence[float]) -> list[Row]:
    """One row of arguments (K,), by filter."""
    rows, place = list[Row](), 0
    for filter_ in chain.filters:
        rows.append(tuple(float(v) for v in values[place : place + len(filter_.parameters)]))
        place += len(filter_.parameters)
    return rows


def has_steps(filter_: Filter) -> bool:
    """Whether a filter can be compiled: one of the project's own."""
    return filter_.name in LOWERINGS and FILTERS.get(filter_.name) is filter_
