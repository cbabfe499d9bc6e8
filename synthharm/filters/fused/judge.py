"""Judging arguments on a sample of one scene's pixels, compiled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from synthharm.filters.chain import FilterChain
from synthharm.filters.drawing import Judgement, Limits
from synthharm.filters.fused import solver
from synthharm.filters.fused.plan import check_compiled, pixelwise
from synthharm.filters.fused.program import Program, needing
from synthharm.filters.fused.scene import NOTHING, Entries, Floats, Scene, evenly
from synthharm.filters.fused.stages import TOLERANCE


@dataclass(frozen=True)
class SampleJudge:
    """Judges arguments on a sample of a region's pixels, with the background by its histograms if it may be.

    Args:
        chain: the filters.
        real: (3, S), the sample's values, float64.
        positions: (2, S), where they lie in the region.
        weight: how many pixels each stands for.
        rest: the background.
        total: (3,), how much all counts.
        limits: of which the levels are what composites are rounded to.
    """

    chain: FilterChain
    real: Floats
    positions: Floats
    weight: float
    rest: Entries
    total: Floats
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
            np.maximum(float(scene.inside) + rest.total, 1e-30),
            limits,
        )

    def __call__(self, rows: Tensor, values: Tensor) -> Judgement:
        """See `Judge`; all rows are for the one scene."""
        found = torch.from_numpy(np.stack([self._judge(row) for row in values.tolist()]))
        lost, error, difference = found[:, :3].unbind(dim=1)
        return Judgement(lost, error, difference, found[:, 3:6], found[:, 6:])

    def _judge(self, row: list[float]) -> Floats:
        program = Program.of(self.chain, row)
        found: Floats = solver.judge(
            self.real,
            self.positions,
            self.weight,
            self.rest.given,
            program.undo.kinds,
            program.undo.numbers,
            program.undo_starts[program.split],
            program.forward.kinds,
            program.forward.numbers,
            program.lines,
            program.arguments,
            program.cuts,
            self.total,
            float(self.limits.levels),
            TOLERANCE,
        )
        return found
