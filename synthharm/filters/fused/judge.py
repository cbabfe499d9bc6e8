"""Judging arguments on a sample of one scene's pixels, compiled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthharm.filters.chain import FilterChain
from synthharm.filters.drawing import Judgement, Limits
from synthharm.filters.fused.lowering import Row, Steps, lower
from synthharm.filters.fused.means import (
    Means,
    Population,
    needing,
    read_means,
    solve_means,
    split_row,
    undo_steps,
)
from synthharm.filters.fused.plan import check_compiled, pixelwise
from synthharm.filters.fused.scene import NOTHING, Entries, Floats, Scene, evenly
from synthharm.filters.fused.stages import TOLERANCE
from synthharm.filters.fused.steps import run_steps


@dataclass(frozen=True)
class SampleJudge:
    """Judges arguments on a sample of a region's pixels, with the background by its histograms if it may be.

    Args:
        chain: the filters.
        real: (3, S), the sample's values, float64.
        positions: (2, S), where they lie in the region.
        weight: how many pixels each stands for.
        rest: the background.
        limits: of which the levels are what composites are rounded to.
    """

    chain: FilterChain
    real: Floats
    positions: Floats
    weight: float
    rest: Entries
    limits: Limits

    @classmethod
    def of(cls, chain: FilterChain, scene: Scene, limits: Limits, size: int) -> SampleJudge:
        """Take a sample of a scene, evenly spread over region and background.

        Raises:
            NotCompiled: a filter has no compiled form.
        """
        check_compiled(chain)
        picks = evenly(scene.inside, size)
        rest = NOTHING
        if chain.statistics == "image" and needing(chain):
            mixed = pixelwise(chain)[1]
            rest = scene.background_sample(size) if mixed else scene.background(pixelwise=False)
        return cls(
            chain,
            np.ascontiguousarray(scene.pixels[:, picks] / scene.levels),
            np.ascontiguousarray(scene.positions_of(scene.places[:, picks])),
            scene.inside / len(picks),
            rest,
            limits,
        )

    def __call__(self, rows: Tensor, values: Tensor) -> Judgement:
        """See `Judge`; all rows are for the one scene."""
        found = [self._judge(split_row(self.chain, row)) for row in values.tolist()]
        lost, error, difference, means, deviations = (np.array(column) for column in zip(*found, strict=True))
        return Judgement(*(torch.from_numpy(a) for a in (lost, error, difference, means, deviations)))

    def _judge(self, rows: list[Row]) -> tuple[float, float, float, Floats, Floats]:
        composite, recoverable = self._undo(rows)
        levels = self.limits.levels
        rounded = np.rint(composite * levels) / levels
        harmonized = self._harmonize(rows, rounded)
        error = ((harmonized - self.real) ** 2)[:, recoverable]
        return (
            float(1 - recoverable.mean()),
            float(error.mean()) if error.size else 0.0,
            float((((rounded - self.real) * 255) ** 2).mean()),
            rounded.mean(axis=1),
            rounded.std(axis=1),
        )

    def _undo(self, rows: list[Row]) -> tuple[Floats, NDArray[np.bool_]]:
        filters = self.chain.filters
        split = (needing(self.chain) or [-1])[-1] + 1
        unknown: Means = (None,) * len(filters)
        values, excess = self.real.copy(), np.zeros(self.real.shape)
        self._run(undo_steps(self.chain, rows, unknown, split, len(filters)), values, excess)
        if split:
            population = self._population(values)
            means = solve_means(self.chain, rows, population, split, values.mean(axis=1))
            if means is None:
                return values, np.zeros(values.shape[1], dtype=bool)
            self._run(undo_steps(self.chain, rows, means, 0, split), values, excess)
        return values, excess.max(axis=0) <= TOLERANCE

    def _harmonize(self, rows: list[Row], composite: Floats) -> Floats:
        means = read_means(self.chain, rows, self._population(composite))
        values, excess = composite.copy(), np.zeros(composite.shape)
        forward = [step for i, f in enumerate(self.chain.filters) for step in lower(f, rows[i], means[i])]
        self._run(forward, values, excess)
        return values

    def _population(self, values: Floats) -> Population:
        return Population(Entries(values, weight=self.weight, positions=self.positions), self.rest)

    def _run(self, steps: list[tuple[int, Row, Row, Row]], values: Floats, excess: Floats) -> None:
        made = Steps.of(steps)
        run_steps(made.kinds, made.numbers, values, self.positions, excess, values.shape[1])
