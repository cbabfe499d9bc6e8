"""Stages: the steps of a chain arranged for one pass, with tables for whatever maps single channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from synthharm.filters.fused import passes, steps
from synthharm.filters.fused.lowering import Step, Steps
from synthharm.filters.fused.scene import Floats

FEWEST_FOR_TABLES = 8192  # pixels; below it, filling a table costs more than it saves
TOLERANCE = 2e-6  # how far outside [0, 1] a value may be and count as inside: formulas round by less

NOTHING = np.zeros((3, 0), np.uint8)


@dataclass(frozen=True)
class Stages:
    """What one pass over pixels runs.

    Args:
        first: (3, L + 1), what each level becomes; (3, 0) if the pass begins with values.
        first_excess: (3, L + 1), how far outside [0, 1] that was on the way.
        steps: of all stages.
        ends: (T,), where the steps of each stage end; a stage without steps is a table.
        tables: (tables, 3, INTERVALS + 1, 2): each entry, and how far it is to the next.
        bounds: (tables, 3, 2): outside them a value is clamped on the way through the table.
        described: one line a stage.
        exact: whether values are float64 and there are no tables between levels.
    """

    first: NDArray[np.floating]
    first_excess: NDArray[np.floating]
    steps: Steps
    ends: NDArray[np.int64]
    tables: NDArray[np.floating]
    bounds: Floats
    described: tuple[str, ...]
    exact: bool

    @classmethod
    def of(cls, named: Sequence[tuple[str, Sequence[Step]]], levels: int, *, exact: bool, begin: bool) -> Stages:
        """Arrange steps.

        Args:
            named: the steps in order, each with the name of the filter that they are of.
            levels: the largest value of a channel.
            exact: see above.
            begin: whether the pass begins with levels.
        """
        flat = [(name, step) for name, made in named for step in made]
        runs = [(of_values, list(run)) for of_values, run in groupby(flat, lambda s: _of_value(s[1]))]
        described = list[str]()
        first, first_excess = np.zeros((3, 0)), np.zeros((3, 0))
        if begin:
            opening = runs.pop(0)[1] if runs and runs[0][0] else []
            first, first_excess = _tabulate(opening, levels)
            described.append(f"table of {levels + 1} levels: {_names(opening) or 'as they are'}")
        kept, ends, tables, bounds = list[Step](), list[int](), list[Floats](), list[Floats]()
        for of_values, run in runs:
            if of_values and not exact and any(step[0] != steps.AFFINE for _, step in run):
                table, bound = _interpolated(run)
                tables.append(table)
                bounds.append(bound)
                described.append(f"table of {passes.INTERVALS} intervals: {_names(run)}")
            else:
                kept += [step for _, step in run]
                described.append(f"{'channel by channel' if of_values else 'pixel by pixel'}: {_names(run)}")
            ends.append(len(kept))
        real = np.float64 if exact else np.float32
        return cls(
            first.astype(real),
            first_excess.astype(real),
            Steps.of(kept),
            np.array(ends, dtype=np.int64),
            np.array(tables, dtype=np.float64).reshape(-1, 3, passes.INTERVALS + 1, 2).astype(real),
            np.array(bounds, dtype=np.float64).reshape(-1, 3, 2),
            tuple(described),
            exact,
        )

    def run(
        self, levels: NDArray[np.unsignedinteger], positions: Floats, bad: NDArray[np.uint8]
    ) -> NDArray[np.floating]:
        """Take the levels (3, P) of pixels through all stages, and set `bad` (P,) where they leave [0, 1]."""
        values = np.empty(levels.shape, np.float64 if self.exact else np.float32)
        self._render(levels, values, positions, bad)
        return values

    def go_on(self, values: NDArray[np.floating], positions: Floats, bad: NDArray[np.uint8]) -> None:
        """The same for values (3, P), in place."""
        self._render(NOTHING, values, positions, bad)

    def _render(
        self,
        levels: NDArray[np.unsignedinteger],
        values: NDArray[np.floating],
        positions: Floats,
        bad: NDArray[np.uint8],
    ) -> None:
        passes.render(
            levels,
            self.first,
            self.first_excess,
            values,
            bad,
            positions,
            self.steps.kinds,
            self.steps.numbers,
            self.ends,
            self.tables,
            self.bounds,
            TOLERANCE,
        )


def _of_value(step: Step) -> bool:
    return step[0] < steps.FIRST_OF_PIXELS


def _names(run: Sequence[tuple[str, Step]]) -> str:
    return ", ".join(dict.fromkeys(name for name, _ in run))


def _run(made: Steps, values: Floats) -> Floats:
    """Run steps over values (3, P) in place; how far outside [0, 1] each was (3, P)."""
    excess = np.zeros(values.shape)
    steps.run_steps(made.kinds, made.numbers, values, np.zeros((2, 0)), excess, values.shape[1])
    return excess


def _tabulate(run: Sequence[tuple[str, Step]], levels: int) -> tuple[Floats, Floats]:
    values = np.tile(np.arange(levels + 1) / levels, (3, 1))
    excess = _run(Steps.of([step for _, step in run]), values)
    return values, excess


def _interpolated(run: Sequence[tuple[str, Step]]) -> tuple[Floats, Floats]:
    """A table (3, INTERVALS + 1, 2) of steps, and the bounds (3, 2) between which nothing is clamped."""
    grid = np.arange(passes.INTERVALS + 2) / passes.INTERVALS
    grid[-1] = 1  # read only at 1 itself, and there with weight 0
    made = Steps.of([step for _, step in run])
    values = grid.reshape(3, -1).copy() if made.alike else np.tile(grid, (3, 1))
    clamped = (_run(made, values) > TOLERANCE).reshape(-1, len(grid))
    values = values.reshape(-1, len(grid))
    if made.alike:
        values, clamped = np.tile(values, (3, 1)), np.tile(clamped, (3, 1))
    bounds = np.zeros((3, 2))
    for c in range(3):
        free = np.flatnonzero(~clamped[c])
        if not len(free):
            bounds[c] = 2, -1
            continue
        edges = (free[0] - 1, free[0]), (min(free[-1] + 1, passes.INTERVALS), free[-1])
        for side, (outside, inside) in enumerate(edges):
            nowhere = (-1.0, 2.0)[side]
            at_end = outside < 0 or outside == inside or inside >= passes.INTERVALS
            bounds[c, side] = nowhere if at_end else _edge(made, c, grid[outside], grid[inside])
    return np.stack([values[:, :-1], np.diff(values, axis=1)], axis=2), bounds


def _edge(made: Steps, channel: int, outside: float, inside: float) -> float:
    """Where between two values a channel begins to be clamped, by bisection."""
    for _ in range(24):
        middle = (outside + inside) / 2
        excess = _run(made, np.full((3, 1), middle))[channel, 0]
        outside, inside = (middle, inside) if excess > TOLERANCE else (outside, middle)
    return inside
