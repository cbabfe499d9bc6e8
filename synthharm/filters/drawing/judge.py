"""What arguments cost: how much of the region would be lost, and how different the composite would be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from synthharm.filters.pixels import Pixels

if TYPE_CHECKING:
    from synthharm.filters.chain import FilterChain, Inverse


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
class Judgement:
    """What R rows of arguments come to, float64, over the foreground of the image that each is for.

    Args:
        lost: (R,) the share of pixels that do not come back, 0 to 1; 0 where there is no foreground.
        error: (R,) mean squared error, peak 1, of what harmonizing the rounded composite brings back, over the
            pixels that do.
        difference: (R,) mean squared error on 0..255 between the rounded composite and the real image.
        means: (R, 3) the channel means of the composite.
        deviations: (R, 3) their standard deviations.
    """

    lost: Tensor
    error: Tensor
    difference: Tensor
    means: Tensor
    deviations: Tensor

    def within(self, limits: Limits) -> Tensor:
        """Which rows (R,) cost no more than allowed."""
        return (self.lost <= limits.unrecoverable) & (self.error <= 10 ** (-limits.recovery / 10))


class Judge(Protocol):
    """Says what arguments come to."""

    def __call__(self, rows: Tensor, values: Tensor) -> Judgement:
        """Judge arguments (R, K), each for the image of its number in `rows` (R,), which may repeat."""
        ...


@dataclass(frozen=True)
class ReferenceJudge:
    """Judges by inverting and harmonizing with a chain's own functions.

    Args:
        chain: the filters.
        pixels: the images, or a sample of their pixels.
        limits: of which the levels are what composites are rounded to.
    """

    chain: FilterChain
    pixels: Pixels
    limits: Limits

    def __call__(self, rows: Tensor, values: Tensor) -> Judgement:
        """See `Judge`."""
        return self.judge(self.pixels.only(rows), values)[0]

    def judge(self, pixels: Pixels, values: Tensor) -> tuple[Judgement, Inverse]:
        """Judge arguments (N, K) for N images, and give the composites found on the way."""
        inverse = self.chain.invert(pixels.images, pixels.masks, values, pixels.counts, pixels.positions)
        rounded = torch.round(inverse.composites * self.limits.levels) / self.limits.levels
        back = self.chain.apply(rounded, pixels.masks, values, pixels.counts, pixels.positions)
        foreground = pixels.counts.mean(dim=1, keepdim=True, dtype=torch.float64) * (pixels.masks > 0)
        recoverable = foreground * inverse.recoverable
        total = foreground.sum(dim=(1, 2, 3))
        means = _mean_over(rounded, foreground)
        spread = _mean_over((rounded - means[:, :, None, None]) ** 2, foreground)
        return (
            Judgement(
                lost=(total - recoverable.sum(dim=(1, 2, 3))) / total.clamp(min=1e-30),
                error=_mean_over((back - pixels.images) ** 2, recoverable).mean(dim=1),
                difference=_mean_over(((rounded - pixels.images) * 255) ** 2, foreground).mean(dim=1),
                means=means,
                deviations=spread.sqrt(),
            ),
            inverse,
        )


def _mean_over(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted channel means (N, 3) of values (N, 3, P, 1) in float64; 0 where nothing has weight."""
    total = weights.sum(dim=(2, 3)).clamp(min=1e-30)
    return (values.double() * weights).sum(dim=(2, 3)) / total
