"""Judging arguments on a sample of one scene's pixels, compiled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthharm.filters.chain import FilterChain
from synthharm.filters.drawing import Judgement, Limits
from synthharm.filters.fused import solver, steps
from synthharm.filters.fused.lowering import Steps
from synthharm.filters.fused.plan import check_compiled, pixelwise
from synthharm.filters.fused.program import Edges, Population, Program, needing, read_means, solve_means
from synthharm.filters.fused.scene import NOTHING, Entries, Floats, Scene, evenly
from synthharm.filters.fused.stages import EDGE_TOLERANCE, TOLERANCE


@dataclass(frozen=True)
class SampleJudge:
    """Judges arguments on a sample of a region's pixels, with the background by its histograms if it may be.

    Args:
        chain: the filters.
        real: (3, S), the sample's values, float64.
        alphas: (S,), the mask; those at soft edges come last.
        positions: (2, S), where they lie in the region.
        weights: (3, S), how much each counts in the means.
        rest: the background.
        limits: of which the levels are what composites are rounded to.
    """

    chain: FilterChain
    real: Floats
    alphas: Floats
    positions: Floats
    weights: Floats
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
        alphas = scene.alphas[picks]
        order = np.argsort(alphas < 1, kind="stable")
        picks, alphas = picks[order], alphas[order]
        rest, by_mask = NOTHING, chain.statistics == "foreground"
        if not by_mask and needing(chain):
            mixed = pixelwise(chain)[1]
            rest = scene.background_sample(size) if mixed else scene.background(pixelwise=False)
        weights = scene.inside / len(picks) * (alphas if by_mask else np.ones(len(alphas)))
        return cls(
            chain,
            np.ascontiguousarray(scene.pixels[:, picks] / scene.levels),
            alphas,
            _places(chain, scene, picks),
            np.tile(weights, (3, 1)),
            rest,
            limits,
        )

    def __call__(self, rows: Tensor, values: Tensor) -> Judgement:
        """See `Judge`; all rows are for the one scene."""
        found = torch.from_numpy(np.stack([self._judge(row) for row in values.tolist()]))
        lost, error, difference = found[:, :3].unbind(dim=1)
        return Judgement(lost, error, difference, found[:, 3:6], found[:, 6:])

    def _judge(self, row: list[float]) -> Floats:
        program, solid, levels = Program.of(self.chain, row), int((self.alphas == 1).sum()), self.limits.levels
        edges = self._edges(solid)
        values, places = self.real[:, :solid].copy(), self.positions[:, :solid].copy()
        off = np.zeros(self.real.shape)
        excess = off[:, :solid].copy()
        _run(program.undoing(program.split, len(self.chain.filters)), values, places, excess)
        if program.split:
            region = Entries(values, self.weights[:, :solid].copy(), 0.0, places)
            start = self.real.mean(axis=1)
            if not solve_means(program, Population(region, self.rest, edges), program.split, start):
                off[:] = 1
        _run(program.undoing(0, program.split), values, places, excess)
        off[:, :solid] = np.maximum(off[:, :solid], excess)
        if solid < len(self.alphas):
            missed = edges.solve(program)
            off[:, solid:] = np.maximum(off[:, solid:], np.where(missed > EDGE_TOLERANCE, 1.0, 0.0))
        composite = np.floor(np.concatenate([values, edges.composite], axis=1) * levels + 0.5) / levels
        read_means(program, Population(Entries(composite, self.weights, 0.0, self.positions), self.rest))
        forward = program.forward
        found: Floats = solver.judge(
            self.real, self.alphas, composite, off, self.positions, forward.kinds, forward.numbers, TOLERANCE
        )
        return found

    def _edges(self, solid: int) -> Edges:
        if solid == len(self.alphas):
            return Edges()
        targets = self.real[:, solid:].copy()
        places, weights = self.positions[:, solid:].copy(), self.weights[:, solid:].copy()
        return Edges(targets.copy(), targets, self.alphas[solid:].copy(), places, weights)


def _places(chain: FilterChain, scene: Scene, picks: NDArray[np.int64]) -> Floats:
    """Where some of the region's pixels lie in it; all at (0, 0) if no filter asks."""
    if not chain.needs_positions:
        return np.zeros((2, len(picks)))
    return np.ascontiguousarray(scene.positions_of(scene.places[:, picks]))


def _run(made: Steps, values: Floats, positions: Floats, excess: Floats) -> None:
    steps.run_steps(made.kinds, made.numbers, values, positions, excess, values.shape[1])
