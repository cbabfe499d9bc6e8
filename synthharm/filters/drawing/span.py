"""Uniform in the spans."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from synthharm.filters.drawing.task import Drawn, Task, shrink

ATTEMPTS = 64  # draws before the last one is shrunk instead; four are usual, clipped whites and blacks take more


@dataclass(frozen=True)
class Span:
    """Draw each argument uniformly in its span; draw again what costs too much, and shrink it in the end."""

    def draw(self, task: Task) -> Drawn:
        """See `Strategy`."""
        offsets = torch.zeros(task.images, len(task.columns)).to(task.neutral)
        attempts = torch.zeros(task.images, dtype=torch.int64, device=offsets.device)
        passed = torch.zeros(task.images, dtype=torch.bool, device=offsets.device)
        for _ in range(ATTEMPTS):
            rows = torch.nonzero(~passed)[:, 0]
            if not len(rows):
                break
            offsets[rows] = task.offsets(rows)
            attempts[rows] += 1
            passed[rows] = task.judge(rows, task.neutral + offsets[rows]).within(task.limits)
        drawn = Drawn(offsets, torch.ones_like(offsets[:, 0]), attempts)
        return shrink(task.judge, task.neutral, drawn, passed, task.limits)
