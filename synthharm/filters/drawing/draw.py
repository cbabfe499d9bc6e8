"""From a strategy to arguments that keep the limits on all pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from synthharm.filters.arguments import Arguments
from synthharm.filters.checks import check_generators
from synthharm.filters.drawing.judge import Judge, Limits, ReferenceJudge
from synthharm.filters.drawing.task import Drawn, Generators, Strategy, Task, shrink
from synthharm.filters.pixels import Pixels

if TYPE_CHECKING:
    from synthharm.filters.chain import FilterChain, Inverse

SAMPLE = 1024  # pixels of each kind on which draws are judged before all pixels are


def draw_arguments(
    chain: FilterChain, pixels: Pixels, generators: Generators, limits: Limits, strategy: Strategy
) -> tuple[Arguments, Inverse]:
    """Draw arguments for each image and invert with them. See `FilterChain.draw`."""
    for filter_ in chain.filters:
        _ = filter_.inverse  # one without is refused by its name before anything is drawn
    check_generators(generators, len(pixels))
    with torch.no_grad():
        sample = ReferenceJudge(chain, pixels.sample(SAMPLE), limits)
        task = make_task(chain, sample, len(pixels), generators, limits, pixels.images.device)
        drawn = strategy.draw(task)
        judge = ReferenceJudge(chain, pixels, limits)

        def rounded(drawn: Drawn) -> Tensor:
            return drawn.values(task.neutral).to(pixels.images)  # judged as they will be used

        judgement, inverse = judge.judge(pixels, rounded(drawn))
        passed = judgement.within(limits) | (drawn.kept == 0)
        drawn = shrink(judge, task.neutral, drawn, passed, limits)
        if not bool(passed.all()):
            inverse = chain.invert(pixels.images, pixels.masks, rounded(drawn), pixels.counts, pixels.positions)
    return Arguments(chain.columns, rounded(drawn), drawn.kept, drawn.attempts, drawn.wanted), inverse


def make_task(
    chain: FilterChain,
    judge: Judge,
    images: int,
    generators: Generators,
    limits: Limits,
    device: torch.device,
) -> Task:
    """The task of drawing a chain's arguments."""
    parameters = chain.parameters
    spans = [chain.spans.get(c, p.span) for c, p in zip(chain.columns, parameters, strict=True)]

    def numbers(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=device)

    return Task(
        judge=judge,
        images=images,
        columns=chain.columns,
        neutral=numbers([p.neutral for p in parameters]),
        spans=numbers(spans),
        lows=numbers([p.low for p in parameters]),
        highs=numbers([p.high for p in parameters]),
        generators=generators,
        limits=limits,
    )
