"""The means that enter the filters: read off a composite, or solved for together with one that is sought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthharm.filters.chain import FilterChain
from synthharm.filters.fused import solver
from synthharm.filters.fused.lowering import MEANS_KINDS, Row, Step, Steps, lower
from synthharm.filters.fused.scene import Entries, Floats

Means = tuple[Row | None, ...]  # for each filter, the channel means at its input where it needs them

ANY_MEANS = (0.5, 0.5, 0.5)


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
        region: the foreground.
        rest: the background; no entries where the statistics are the foreground's.
    """

    region: Entries
    rest: Entries

    @property
    def weight(self) -> Floats:
        """How much all counts, by channel (3,); above 0."""
        return np.maximum(self.region.total + self.rest.total, 1e-30)


def read_means(chain: FilterChain, rows: Sequence[Row], population: Population) -> Means:
    """The means at the input of each filter that needs them, as a composite runs through the chain."""
    found: list[Row | None] = [None] * len(chain.filters)
    places = needing(chain)
    if not places:
        return tuple(found)
    total, forward = population.weight, list[Step]()
    for i in range(places[-1] + 1):
        if i in places:
            steps, sums = Steps.of(forward), np.zeros((1, 3))
            for part in (population.region, population.rest):
                solver.add_up(*part.given, steps.kinds, steps.numbers, np.array([len(forward)]), sums)
            found[i] = tuple((sums[0] / total).tolist())
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
    found: list[Row | None] = [None] * len(chain.filters)
    if not places:
        return tuple(found)
    undo, forward = list[Step](), list[Step]()
    lines, arguments, cuts = list[tuple[int, ...]](), list[float](), list[int]()

    def add(made: list[Step], i: int, *, inverse: bool) -> None:
        filter_ = chain.filters[i]
        steps = lower(filter_, rows[i], ANY_MEANS if filter_.needs_means else None, inverse=inverse)
        if steps and filter_.needs_means:
            kind = MEANS_KINDS[filter_.name]
            lines.append((int(not inverse), len(made), kind, places.index(i), int(inverse)))
            arguments.append(rows[i][0])
        made += steps

    for i in reversed(range(undone_from)):
        add(undo, i, inverse=True)
    for i in range(places[-1] + 1):
        if i in places:
            cuts.append(len(forward))
        if i < places[-1]:
            add(forward, i, inverse=False)
    solution, solved = solver.solve(
        np.tile(start, len(places)),
        population.region.given,
        population.rest.given,
        Steps.of(undo).pair,
        Steps.of(forward).pair,
        np.array(lines, dtype=np.int64).reshape(-1, 5),
        np.array(arguments, dtype=np.float64),
        np.array(cuts, dtype=np.int64),
        population.weight,
    )
    for d, i in enumerate(places):
        found[i] = tuple(solution[3 * d : 3 * d + 3].tolist())
    return tuple(found) if solved else None
