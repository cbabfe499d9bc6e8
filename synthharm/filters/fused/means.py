"""The means that enter the filters: read off a composite, or solved for together with one that is sought."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthharm.filters.chain import FilterChain
from synthharm.filters.fused import passes
from synthharm.filters.fused.lowering import Row, Step, Steps, lower
from synthharm.filters.fused.scene import Entries, Floats

TOLERANCE = 1e-9  # of the solved means, on [0, 1]
STEPS = 60  # of the solve; eight to twelve are usual

Means = tuple[Row | None, ...]  # for each filter, the channel means at its input where it needs them


def needing(chain: FilterChain) -> list[int]:
    """The positions of the filters that need means."""
    return [i for i, f in enumerate(chain.filters) if f.needs_means]


def split_row(chain: FilterChain, values: Sequence[float]) -> list[Row]:
    """One row of arguments (K,), by filter."""
    rows, place = list[Row](), 0
    for filter_ in chain.filters:
        rows.append(tuple(float(v) for v in values[place : place + len(filter_.parameters)]))
        place += len(filter_.parameters)
    return rows


def undo_steps(chain: FilterChain, rows: Sequence[Row], means: Means, first: int, end: int) -> list[Step]:
    """The steps that undo the filters from `first` to before `end`, the last of them first."""
    made = list[Step]()
    for i in reversed(range(first, end)):
        made += lower(chain.filters[i], rows[i], means[i], inverse=True)
    return made


@dataclass(frozen=True)
class Population:
    """Everything that counts in the means.

    Args:
        foreground: the region.
        background: the rest; empty where the statistics are the foreground's.
    """

    foreground: Sequence[Entries]
    background: Sequence[Entries]

    @property
    def weight(self) -> Floats:
        """How much all counts, by channel (3,); above 0."""
        total = np.zeros(3)
        for e in (*self.foreground, *self.background):
            total += e.weights.sum(axis=1)
        return np.maximum(total, 1e-30)

    def sums(self, undo: Sequence[Step], forward: Sequence[Step], cuts: Sequence[int]) -> Floats:
        """The sums (D, 3) after so many forward steps, with the region undone first."""
        total = np.zeros((len(cuts), 3))
        for part, before in ((self.foreground, undo), (self.background, ())):
            steps = Steps.of([*before, *forward])
            ends = np.array(cuts, dtype=np.int64) + len(before)
            for e in part:
                total += passes.sums_at(e.values.copy(), e.weights, e.positions, steps.kinds, steps.numbers, ends)
        return total


def read_means(chain: FilterChain, rows: Sequence[Row], population: Population) -> Means:
    """The means at the input of each filter that needs them, as a composite runs through the chain."""
    found: list[Row | None] = [None] * len(chain.filters)
    weight, forward, last = population.weight, list[Step](), (needing(chain) or [-1])[-1]
    for i in range(last + 1):
        if chain.filters[i].needs_means:
            found[i] = tuple((population.sums((), forward, [len(forward)])[0] / weight).tolist())
        forward += lower(chain.filters[i], rows[i], found[i])
    return tuple(found)


def solve_means(
    chain: FilterChain, rows: Sequence[Row], population: Population, undone_from: int, start: Floats
) -> Means | None:
    """The means at which the composite that follows from them has just these.

    Args:
        chain: the filters.
        rows: their arguments.
        population: the real region as it is with the filters from `undone_from` on undone, and the background.
        undone_from: the first filter that is undone already.
        start: (3,), about the means.

    Returns:
        The means, or None if none were found.
    """
    places = needing(chain)
    if not places:
        return (None,) * len(chain.filters)
    weight = population.weight

    def name(unknowns: Floats) -> Means:
        found: list[Row | None] = [None] * len(chain.filters)
        for d, i in enumerate(places):
            found[i] = tuple(unknowns[3 * d : 3 * d + 3].tolist())
        return tuple(found)

    def residual(unknowns: Floats) -> Floats:
        means = name(unknowns)
        undo = undo_steps(chain, rows, means, 0, undone_from)
        forward, cuts = list[Step](), list[int]()
        for i in range(places[-1] + 1):
            if i in places:
                cuts.append(len(forward))
            if i < places[-1]:
                forward += lower(chain.filters[i], rows[i], means[i])
        return np.asarray((population.sums(undo, forward, cuts) / weight).ravel() - unknowns)

    solution = _broyden(residual, np.tile(start, len(places)))
    return None if solution is None else name(solution)


def _broyden(residual: Callable[[Floats], Floats], start: Floats) -> Floats | None:
    """Solve residual(x) = 0 in [0, 1] (Broyden, 1965), from the step of a fixed-point iteration on."""
    unknowns, value = start, residual(start)
    inverse: NDArray[np.float64] = -np.eye(len(start))
    for _ in range(STEPS):
        if np.abs(value).max() <= TOLERANCE:
            return unknowns
        following = np.clip(unknowns - inverse @ value, 0, 1)
        step, before = following - unknowns, value
        unknowns, value = following, residual(following)
        seen = inverse @ (value - before)
        scale = float(step @ seen)
        if abs(scale) > 1e-30:
            inverse = inverse + np.outer(step - seen, step @ inverse) / scale
    return None
