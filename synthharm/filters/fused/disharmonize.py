"""Composites of 8-bit photos: drawing arguments and undoing them, compiled wherever there is a compiled form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.filters.arguments import Arguments
from synthharm.filters.chain import FilterChain
from synthharm.filters.drawing import Drawn, Judgement, Limits, Strategy
from synthharm.filters.drawing.draw import SAMPLE, make_task
from synthharm.filters.drawing.task import shrink
from synthharm.filters.fused import passes
from synthharm.filters.fused.judge import SampleJudge
from synthharm.filters.fused.plan import apply_region, undo_region
from synthharm.filters.fused.scene import Image, Scene


@dataclass(frozen=True)
class Disharmonized:
    """A region with arguments undone on it.

    Args:
        arguments: one row.
        pixels: (3, P), the composite's levels in the region, in row order.
        recoverable: (P,) bool.
        judgement: what the arguments came to on all pixels, one row.
    """

    arguments: Arguments
    pixels: Image
    recoverable: NDArray[np.bool_]
    judgement: Judgement


@dataclass(frozen=True)
class RegionJudge:
    """Judges arguments on all of a scene's region, and keeps what it found last."""

    chain: FilterChain
    scene: Scene
    limits: Limits
    found: dict[tuple[float, ...], tuple[Image, NDArray[np.bool_], Judgement]]

    def __call__(self, rows: torch.Tensor, values: torch.Tensor) -> Judgement:
        """See `Judge`; one row."""
        (row,) = values.tolist()
        return self.judge(row)[2]

    def judge(self, row: list[float]) -> tuple[Image, NDArray[np.bool_], Judgement]:
        """The composite's levels in the region, what of it is recoverable, and the judgement."""
        key = tuple(row)
        if key not in self.found:
            self.found.clear()
            self.found[key] = self._judge(row)
        return self.found[key]

    def _judge(self, row: list[float]) -> tuple[Image, NDArray[np.bool_], Judgement]:
        scene, levels = self.scene, self.limits.levels
        undone = undo_region(self.chain, scene, row, levels)
        pixels = scene.round(undone.values, levels)
        same = levels == scene.levels
        composite = scene.with_pixels(pixels) if same else Scene(scene.image_with(pixels), scene.mask)
        harmonized = apply_region(self.chain, composite, row)
        measured = passes.measure(scene.pixels, pixels, harmonized, undone.recoverable, scene.levels, levels)
        lost, error, difference = (torch.tensor([number], dtype=torch.float64) for number in measured[:3])
        statistics = torch.from_numpy(measured[3:].reshape(2, 1, 3))
        return pixels, undone.recoverable, Judgement(lost, error, difference, statistics[0], statistics[1])


def disharmonize(
    chain: FilterChain, scene: Scene, generator: torch.Generator, limits: Limits, strategy: Strategy
) -> Disharmonized:
    """Draw arguments and undo them on a scene's region.

    Raises:
        NotCompiled: the chain has no compiled form, or the means could not be solved for.
        ValueError: levels that no image has, or fewer than the scene's image has.
    """
    if limits.levels not in (255, 65535) or limits.levels < scene.levels:
        raise ValueError(f"levels is {limits.levels}; 255 or 65535, and not below the image's, is accepted")
    sample = SampleJudge.of(chain, scene, limits, SAMPLE)
    task = make_task(chain, sample, 1, [generator], limits, torch.device("cpu"))
    drawn = strategy.draw(task)
    judge = RegionJudge(chain, scene, limits, {})

    def row(drawn: Drawn) -> list[float]:
        values: list[float] = drawn.values(task.neutral)[0].tolist()
        return values

    passed = judge.judge(row(drawn))[2].within(limits) | (drawn.kept == 0)
    drawn = shrink(judge, task.neutral, drawn, passed, limits)
    pixels, recoverable, judgement = judge.judge(row(drawn))
    arguments = Arguments(chain.columns, drawn.values(task.neutral), drawn.kept, drawn.attempts, drawn.wanted)
    return Disharmonized(arguments, pixels, recoverable, judgement)
