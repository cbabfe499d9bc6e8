"""The learning rate of a step."""

from __future__ import annotations

import math

from synthharm.recipe.training import CosineSchedule, Optimizer, StepSchedule


def rate_at(step: int, steps: int, steps_per_epoch: int, section: Optimizer) -> float:
    """The learning rate of a step, 0 and on, of `steps`.

    Example:
        >>> section = Optimizer(rate=1.0, schedule=CosineSchedule(mode="cosine", warmup=0.1))
        >>> [round(rate_at(step, 100, 10, section), 2) for step in (0, 9, 10, 55, 99)]
        [0.1, 1.0, 1.0, 0.5, 0.0]
        >>> section = Optimizer(rate=1.0, schedule=StepSchedule(mode="step", epochs=[2, 4]))
        >>> [round(rate_at(step, 60, 10, section), 4) for step in (0, 19, 20, 40)]
        [1.0, 1.0, 0.1, 0.01]
    """
    schedule = section.schedule
    if isinstance(schedule, StepSchedule):
        epoch = step // steps_per_epoch
        return section.rate * schedule.factor ** sum(epoch >= end for end in schedule.epochs)
    if isinstance(schedule, CosineSchedule):
        rising = math.ceil(schedule.warmup * steps)
        if step < rising:
            return section.rate * (step + 1) / rising
        way = (step - rising) / max(1, steps - rising)
        return section.rate * (schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * way)) / 2)
    return section.rate
