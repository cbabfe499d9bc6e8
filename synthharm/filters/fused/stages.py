"""Stages: the steps of a chain arranged for one pass, with tables for whatever maps single channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthharm.filters.fused import passes, steps
from synthharm.filters.fused.lowering import Steps
from synthharm.filters.fused.scene import Floats, Image, Scene

FEWEST_FOR_TABLES = 8192  # pixels; below it, filling a table costs more than it saves
EDGE_TOLERANCE = 1e-5  # how near harmonizing must bring a pixel at a soft edge
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
        tables: (R, INTERVALS + 2), their rows.
        rows: (tables,), how many rows each has: 1 if all channels are alike, or 3.
        bounds: (tables, 3, 2): outside them a value is clamped on the way through the table.
        described: one line a stage.
        exact: whether values are float64 and there are no tables between levels.
    """

    first: NDArray[np.floating]
    first_excess: NDArray[np.floating]
    steps: Steps
    ends: NDArray[np.int64]
    tables: NDArray[np.floating]
    rows: NDArray[np.int64]
    bounds: Floats
    described: tuple[str, ...]
    exact: bool

    @classmethod
    def of(cls, made: Steps, levels: int, *, exact: bool, begin: bool) -> Stages:
        """Arrange steps.

        Args:
            made: the steps in order.
            levels: the largest value of a channel.
            exact: see above.
            begin: whether the pass begins with levels.
        """
        runs = _runs(made)
        described, direct = list[str](), np.zeros(len(made), dtype=bool)
        first, first_excess = np.zeros((3, 0)), np.zeros((3, 0))
        if begin:
            opening = runs.pop(0)[1] if runs and runs[0][0] else made.part(0, 0)
            first = np.tile(np.arange(levels + 1) / levels, (3, 1))
            first_excess = _run(opening, first)
            described.append(f"table of {levels + 1} levels: {opening.names or 'as they are'}")
        ends, tables, bounds, done = list[int](), list[Floats](), list[Floats](), len(made) - _length(runs)
        for of_values, run in runs:
            if of_values and not exact and (run.kinds != steps.AFFINE).any():
                table, bound = _interpolated(run)
                tables.append(table)
                bounds.append(bound)
                described.append(f"table of {passes.INTERVALS} intervals: {run.names}")
            else:
                direct[done : done + len(run)] = True
                described.append(f"{'channel by channel' if of_values else 'pixel by pixel'}: {run.names}")
            done += len(run)
            ends.append(int(direct.sum()))
        real = np.float64 if exact else np.float32
        return cls(
            first.astype(real),
            first_excess.astype(real),
            made.only(direct),
            np.array(ends, dtype=np.int64),
            np.concatenate([*tables, np.zeros((0, passes.INTERVALS + 2))]).astype(real),
            np.array([len(table) for table in tables], dtype=np.int64),
            np.array(bounds, dtype=np.float64).reshape(-1, 3, 2),
            tuple(described),
            exact,
        )

    def run(
        self, levels: NDArray[np.unsignedinteger], positions: Floats, bad: NDArray[np.bool_]
    ) -> NDArray[np.floating]:
        """Take the levels (3, P) of pixels through all stages; `bad` (P,) is set where they leave [0, 1]."""
        values = np.empty(levels.shape, np.float64 if self.exact else np.float32)
        self._render(levels, values, positions, bad)
        return values

    def go_on(self, values: NDArray[np.floating], positions: Floats, bad: NDArray[np.bool_]) -> None:
        """The same for values (3, P), in place."""
        self._render(NOTHING, values, positions, bad)

    def _render(
        self,
        levels: NDArray[np.unsignedinteger],
        values: NDArray[np.floating],
        positions: Floats,
        bad: NDArray[np.bool_],
    ) -> None:
        passes.render(levels, self.first, self.first_excess, values, bad, positions, self.given, TOLERANCE)

    def run_image(self, scene: Scene) -> Image:
        """Take a scene's region through all stages; the image (H, W, 3) with what comes out, rounded."""
        top, bottom, left, right = scene.box
        middle = np.array([(left + right - 1) / 2, (top + bottom - 1) / 2])
        half = max(right - left, bottom - top) / 2 if (self.steps.kinds == steps.POSITION_GAIN).any() else 0.0
        written = scene.image.copy()
        passes.render_image(
            scene.image,
            scene.mask,
            scene.box,
            scene.soft,
            written,
            self.first,
            scene.levels,
            middle,
            half,
            self.given,
        )
        return written

    @property
    def given(self) -> tuple[Any, ...]:
        """What runs, as compiled functions take it."""
        return self.steps.kinds, self.steps.numbers, self.ends, self.tables, self.rows, self.bounds


def _runs(made: Steps) -> list[tuple[bool, Steps]]:
    """The steps in runs of those that map every channel by itself, and of those that do not."""
    runs, start = list[tuple[bool, Steps]](), 0
    of_values = made.kinds < steps.FIRST_OF_PIXELS
    for end in range(1, len(made) + 1):
        if end == len(made) or of_values[end] != of_values[start]:
            runs.append((bool(of_values[start]), made.part(start, end)))
            start = end
    return runs


def _length(runs: Sequence[tuple[bool, Steps]]) -> int:
    return sum(len(run) for _, run in runs)


def _run(made: Steps, values: Floats) -> Floats:
    """Run steps over values (3, P) in place; how far outside [0, 1] each was (3, P)."""
    excess = np.zeros(values.shape)
    steps.run_steps(made.kinds, made.numbers, values, np.zeros((2, 0)), excess, values.shape[1])
    return excess


def _interpolated(made: Steps) -> tuple[Floats, Floats]:
    """A table (1 or 3, INTERVALS + 2) of steps, and the bounds (3, 2) between which nothing is clamped."""
    grid = np.arange(passes.INTERVALS + 2) / passes.INTERVALS
    grid[-1] = 1  # read only at 1 itself, and there with weight 0; its 4098 places make three rows of as many
    values = grid.reshape(3, -1).copy() if made.alike else np.tile(grid, (3, 1))
    clamped = (_run(made, values) > TOLERANCE).reshape(-1, len(grid))
    values = values.reshape(-1, len(grid))
    bounds = np.array([_bounds(made, c, grid, row) for c, row in enumerate(clamped)])
    return values, np.broadcast_to(bounds, (3, 2))


def _bounds(made: Steps, channel: int, grid: Floats, clamped: NDArray[np.bool_]) -> tuple[float, float]:
    """Between which values (lowest, highest) a channel is not clamped."""
    free = np.flatnonzero(~clamped)
    if not len(free):
        return 2.0, -1.0
    lowest, highest = -1.0, 2.0
    if free[0] > 0:
        lowest = _edge(made, channel, grid[free[0] - 1], grid[free[0]])
    if free[-1] < len(grid) - 2:
        highest = _edge(made, channel, grid[free[-1] + 1], grid[free[-1]])
    return lowest, highest


def _edge(made: Steps, channel: int, outside: float, inside: float) -> float:
    """Where between two values a channel begins to be clamped, by bisection."""
    for _ in range(24):
        middle = (outside + inside) / 2
        excess = _run(made, np.full((3, 1), middle))[channel, 0]
        outside, inside = (middle, inside) if excess > TOLERANCE else (outside, middle)
    return inside
