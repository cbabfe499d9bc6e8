"""As much of the spans as stays recoverable."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synthharm.filters.drawing.judge import Judgement
from synthharm.filters.drawing.task import Drawn, Task, shrink

SWEEPS = 2
HALVINGS = 4  # of an interval whose end costs too much: it is found to a sixteenth of the span
RETREATS = 3  # halvings of a step that costs too much although both ends of its interval do not


@dataclass(frozen=True)
class Gamut:
    """Draw each argument uniformly in the part of its span in which the region stays within the limits.

    The arguments come one after the other, in an order drawn for each image, and each is drawn in the interval
    that the others as they stand leave to it: the ends of the span are tried first, and by halving where they cost
    too much. That is gone through twice (Gibbs sampling from neutral), for what comes first finds the others
    neutral, and none of them yet makes room for it. No draw is thrown away, and `Arguments.attempts` is 1.

    What `Span` draws is uniform among all that the region can take, as long as one of its draws is taken. Where
    next to none is, since clipped whites allow an argument hardly any change, or since a chain is long, `Span`
    shrinks all arguments together to almost nothing, and these still reach as far as each of them can. About 70
    rows are judged for an image and the paper's six filters.

    Example:
        >>> from synthharm.filters import FilterChain
        >>> chain, mask = FilterChain.paper(), torch.ones(1, 1, 8, 8)
        >>> real = torch.linspace(0, 1, 192).reshape(1, 3, 8, 8)  # from black to white
        >>> arguments = chain.draw(real, mask, generator=torch.Generator().manual_seed(1), strategy=Gamut())
        >>> arguments.attempts.tolist(), float(arguments.kept), bool((arguments.values != 0).any())
        ([1], 1.0, True)
    """

    def draw(self, task: Task) -> Drawn:
        """See `Strategy`."""
        everything, columns = task.everything(), len(task.columns)
        offsets = torch.zeros(task.images, columns).to(task.neutral)
        for _ in range(SWEEPS):
            numbers = task.uniform(everything, 2 * columns)
            orders, places = numbers[:, :columns].argsort(dim=1), numbers[:, columns:]
            for column, place in zip(orders.T, places.T, strict=True):
                lowest, highest = _interval(task, offsets, column)
                moved = offsets.clone()
                moved[everything, column] = lowest + place * (highest - lowest)
                offsets = _retreat(task, offsets, moved, column)
        passed = _judge(task, everything, offsets).within(task.limits)
        drawn = Drawn(offsets, torch.ones_like(offsets[:, 0]), attempts=torch.ones_like(everything))
        return shrink(task.judge, task.neutral, drawn, passed, task.limits)


def _interval(task: Task, offsets: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and highest offset (N,) of each image's argument `column` (N,), the others as they are."""
    images, start = task.everything().repeat(2), offsets[task.everything(), column].repeat(2)
    ways = torch.cat([-task.spans[column], task.spans[column]]) - start  # to the ends of the span
    column = column.repeat(2)
    inside, outside = torch.zeros_like(ways), torch.ones_like(ways)  # shares of the way
    rows = torch.nonzero(ways)[:, 0]
    for step in range(HALVINGS + 1):
        if not len(rows):
            break
        tried = outside[rows] if step == 0 else (inside[rows] + outside[rows]) / 2
        moved = offsets[images[rows]]
        moved[torch.arange(len(rows), device=rows.device), column[rows]] = start[rows] + tried * ways[rows]
        passed = _judge(task, images[rows], moved).within(task.limits)
        inside[rows[passed]] = tried[passed]
        outside[rows[~passed]] = tried[~passed]
        rows = rows[~passed] if step == 0 else rows
    lowest, highest = (start + inside * ways).reshape(2, -1)
    return lowest, highest


def _retreat(task: Task, before: Tensor, offsets: Tensor, column: Tensor) -> Tensor:
    """Halve the step of argument `column` (N,) where it costs too much, and take it back in the end."""
    offsets, everything = offsets.clone(), task.everything()
    start = before[everything, column]
    rows = torch.nonzero(offsets[everything, column] != start)[:, 0]
    for left in reversed(range(RETREATS + 1)):
        if len(rows):
            rows = rows[~_judge(task, rows, offsets[rows]).within(task.limits)]
            there = offsets[rows, column[rows]]
            offsets[rows, column[rows]] = (there + start[rows]) / 2 if left else start[rows]
    return offsets


def _judge(task: Task, rows: Tensor, offsets: Tensor) -> Judgement:
    return task.judge(rows, task.neutral + offsets)
