"""What drawing is given, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from synthharm.filters.drawing.judge import Judge, Limits

SHRINK = 0.8
LEAST = 0.01  # what would be shrunk further is given up for neutral arguments

Generators = torch.Generator | Sequence[torch.Generator]


@dataclass(frozen=True)
class Task:
    """Images for which arguments are to be drawn.

    Args:
        judge: says what arguments come to, on a sample of the pixels.
        images: their number N.
        columns: the names of the K arguments.
        neutral: (K,), the values that change nothing.
        spans: (K,), how far from neutral they are drawn.
        lows: (K,), the lowest values that the filters accept.
        highs: (K,), the highest.
        generators: one for all images, or one per image.
        limits: what the arguments may cost.
    """

    judge: Judge
    images: int
    columns: tuple[str, ...]
    neutral: Tensor
    spans: Tensor
    lows: Tensor
    highs: Tensor
    generators: Generators
    limits: Limits

    def uniform(self, rows: Tensor, size: int) -> Tensor:
        """Numbers in [0, 1), (R, size) float64, each row from its image's generator where each has one."""
        if isinstance(self.generators, torch.Generator):
            source = self.generators
            numbers = torch.rand(len(rows), size, generator=source, dtype=torch.float64, device=source.device)
        else:
            own = [self.generators[row] for row in rows.tolist()]
            numbers = torch.cat(
                [torch.rand(1, size, generator=g, dtype=torch.float64, device=g.device) for g in own]
            )
        return numbers.to(self.neutral.device)

    def offsets(self, rows: Tensor) -> Tensor:
        """Uniform draws in the spans, as offsets from neutral (R, K)."""
        return (2 * self.uniform(rows, len(self.columns)) - 1) * self.spans

    def everything(self) -> Tensor:
        """The numbers of all images, (N,)."""
        return torch.arange(self.images, device=self.neutral.device)


@dataclass(frozen=True)
class Drawn:
    """Arguments as drawn.

    Args:
        offsets: (N, K), from neutral, of the draw.
        kept: (N,), 0 to 1: how much of them is kept; the arguments are neutral + kept * offsets.
        attempts: (N,), how many draws it took.
        wanted: (N,), the foreground MSE that was wanted, or NaN.
    """

    offsets: Tensor
    kept: Tensor
    attempts: Tensor
    wanted: Tensor | None = None

    def values(self, neutral: Tensor) -> Tensor:
        """The arguments (N, K)."""
        return neutral + self.kept[:, None] * self.offsets


class Strategy(Protocol):
    """A way of drawing arguments."""

    def draw(self, task: Task) -> Drawn:
        """Draw arguments for each image of a task, within its limits as far as its judge sees."""
        ...


def shrink(judge: Judge, neutral: Tensor, drawn: Drawn, passed: Tensor, limits: Limits) -> Drawn:
    """Shrink towards neutral what did not pass (N,), until it does; 0 is kept where nothing passes."""
    kept = drawn.kept.clone()
    rows = torch.nonzero(~passed)[:, 0]
    while len(rows):
        smaller = SHRINK * kept[rows]
        kept[rows] = torch.where(smaller < LEAST, 0, smaller)
        rows = rows[kept[rows] > 0]
        if len(rows):
            values = neutral + kept[rows, None] * drawn.offsets[rows]
            rows = rows[~judge(rows, values).within(limits)]
    return Drawn(drawn.offsets, kept, drawn.attempts, drawn.wanted)
