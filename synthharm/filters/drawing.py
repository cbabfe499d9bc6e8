"""Drawing arguments that lose nothing: uniform in their spans, redrawn or shrunk until all is recoverable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from synthharm.filters.arguments import Arguments
from synthharm.filters.checks import check_images
from synthharm.filters.pixels import flatten, sample_pixels

if TYPE_CHECKING:
    from synthharm.filters.chain import FilterChain, Inverse

SAMPLE = 1024  # pixels of each kind on which draws are judged before all pixels are
ATTEMPTS = 64  # draws before the last one is shrunk instead; four are usual, clipped whites and blacks take more
SHRINK = 0.8
LEAST = 0.01  # what would be shrunk further is given up for neutral arguments

Generators = torch.Generator | Sequence[torch.Generator]


@dataclass(frozen=True)
class Limits:
    """What drawn arguments may cost.

    Args:
        unrecoverable: the largest share of the foreground's pixels, 0 to 1, that need not come back.
        recovery: the least PSNR in dB, peak 1, between the real image and what harmonizing the *rounded* composite
            gives, over the recoverable foreground.
        levels: what the composite is rounded to: 255 for 8 bits, 65535 for 16.
    """

    unrecoverable: float = 0.005
    recovery: float = 35.0
    levels: int = 255

    def __post_init__(self) -> None:
        if not 0 <= self.unrecoverable <= 1:
            raise ValueError(f"unrecoverable is {self.unrecoverable}; a share from 0 to 1 is accepted")
        if not self.recovery >= 0:
            raise ValueError(f"recovery is {self.recovery}; a PSNR of 0 dB or more is accepted")
        if self.levels < 1:
            raise ValueError(f"levels is {self.levels}; 1 or more is accepted (255 for 8 bits)")


@dataclass(frozen=True)
class _Region:
    """The images that arguments are drawn for, as `FilterChain.invert` takes them."""

    images: Tensor
    masks: Tensor
    counts: Tensor

    def only(self, rows: Tensor) -> _Region:
        return _Region(self.images[rows], self.masks[rows], self.counts[rows])

    def sample(self) -> _Region:
        flat = (flatten(self.images), flatten(self.masks), flatten(self.counts))
        return _Region(*sample_pixels(*flat, SAMPLE))


def draw_arguments(
    chain: FilterChain,
    real: Tensor,
    masks: Tensor,
    generators: Generators,
    limits: Limits,
    counts: Tensor | None = None,
) -> tuple[Arguments, Inverse]:
    """Draw arguments for each image and invert with them. See `FilterChain.draw`."""
    check_images(real, masks, counts)
    if not isinstance(generators, torch.Generator) and len(generators) != len(real):
        raise ValueError(
            f"{len(generators)} generators for {len(real)} images; one, or one per image, is accepted"
        )
    region = _Region(real, masks, torch.ones_like(masks) if counts is None else counts)
    neutral = torch.tensor([p.neutral for p in chain.parameters], dtype=real.dtype, device=real.device)
    with torch.no_grad():
        offsets, attempts, passed = _draw_on_sample(chain, region.sample(), generators, limits, neutral)
        kept = torch.ones(len(real), dtype=real.dtype, device=real.device)
        kept = _shrink(chain, region.sample(), neutral, offsets, kept, passed, limits)
        inverse, passed = _judge(chain, region, neutral + kept[:, None] * offsets, limits)
        kept = _shrink(chain, region, neutral, offsets, kept, passed, limits)
        values = neutral + kept[:, None] * offsets
        if not bool(passed.all()):
            inverse = chain.invert(real, masks, values, counts)
    return Arguments(chain.columns, values, kept, attempts), inverse


def _draw_on_sample(
    chain: FilterChain, region: _Region, generators: Generators, limits: Limits, neutral: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw up to ATTEMPTS times: offsets from neutral (N, K), attempts (N,), whether the last one passed (N,)."""
    images = len(region.images)
    spans = [chain.spans.get(c, p.span) for c, p in zip(chain.columns, chain.parameters, strict=True)]
    offsets = torch.zeros(images, len(spans), dtype=neutral.dtype, device=neutral.device)
    attempts = torch.zeros(images, dtype=torch.int64, device=neutral.device)
    passed = torch.zeros(images, dtype=torch.bool, device=neutral.device)
    for _ in range(ATTEMPTS):
        rows = torch.nonzero(~passed)[:, 0]
        if not len(rows):
            break
        offsets[rows] = _uniform(generators, rows, len(spans)).to(offsets) * offsets.new_tensor(spans)
        attempts[rows] += 1
        passed[rows] = _judge(chain, region.only(rows), neutral + offsets[rows], limits)[1]
    return offsets, attempts, passed


def _uniform(generators: Generators, rows: Tensor, size: int) -> Tensor:
    """Numbers in [-1, 1), (R, size), each row from its image's generator where each has one."""
    if isinstance(generators, torch.Generator):
        numbers = torch.rand(len(rows), size, generator=generators, dtype=torch.float64, device=generators.device)
    else:
        own = [generators[int(row)] for row in rows]
        numbers = torch.cat([torch.rand(1, size, generator=g, dtype=torch.float64, device=g.device) for g in own])
    return 2 * numbers - 1


def _shrink(
    chain: FilterChain,
    region: _Region,
    neutral: Tensor,
    offsets: Tensor,
    kept: Tensor,
    passed: Tensor,
    limits: Limits,
) -> Tensor:
    """Shrink towards neutral what did not pass, until it does; 0 where nothing passes."""
    kept = kept.clone()
    rows = torch.nonzero(~passed)[:, 0]
    while len(rows):
        smaller = SHRINK * kept[rows]
        kept[rows] = torch.where(smaller < LEAST, 0, smaller)
        rows = rows[kept[rows] > 0]
        values = neutral + kept[rows, None] * offsets[rows]
        if len(rows):
            rows = rows[~_judge(chain, region.only(rows), values, limits)[1]]
    return kept


def _judge(chain: FilterChain, region: _Region, values: Tensor, limits: Limits) -> tuple[Inverse, Tensor]:
    """Invert with these arguments, and say for each image (N,) whether that stays within the limits."""
    inverse = chain.invert(region.images, region.masks, values, region.counts)
    each = region.counts.mean(dim=1, keepdim=True, dtype=torch.float64)
    foreground = (each * (region.masks > 0)).sum(dim=(1, 2, 3))
    recoverable = each * inverse.recoverable
    lost = foreground - recoverable.sum(dim=(1, 2, 3))
    rounded = torch.round(inverse.composites * limits.levels) / limits.levels
    error = chain.apply(rounded, region.masks, values, region.counts) - region.images
    total = (recoverable * error.double() ** 2).sum(dim=(1, 2, 3))
    allowed = 10 ** (-limits.recovery / 10) * 3 * recoverable.sum(dim=(1, 2, 3))
    return inverse, (lost <= limits.unrecoverable * foreground) & (total <= allowed)
