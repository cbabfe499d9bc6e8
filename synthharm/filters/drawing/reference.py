"""Arguments that give a region the colours of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from synthharm.filters.drawing.colour_statistics import ColourStatistics
from synthharm.filters.drawing.task import Drawn, Task, shrink

STARTS = 3  # neutral, and random ones where that falls short
ROUNDS = 2  # from each start, each with fresh differences
TRIALS = 4  # in each round
NEAR = 0.002  # half a level of 255: statistics within it are reached
PULL = 0.004  # what a span away from neutral weighs, beside the statistics' [0, 1]
NUDGE = 0.05  # of the span, for differences: the composite is rounded, and less would be lost in that
RETREATS = 3  # halvings of a random start that costs too much
DAMPING, RELAX, TIGHTEN = 1e-3, 0.2, 10.0  # of the steps: at first, after one that helped, after one that did not


@dataclass(frozen=True)
class Reference:
    """Fit arguments with which the region of the composite has the colour statistics of another region.

    The channel means and standard deviations of the composite are brought as near to the reference's as the spans
    and the limits allow, by damped Gauss-Newton steps from neutral, and from random starts where that falls short
    by more than half a level of 255. A weak pull to neutral decides between arguments that fit alike. No step is
    taken that costs more than the limits allow. `attempts` is the number of starts. Only random starts depend on
    the generator. About 20 rows are judged for an image and the six filters of the paper where the reference is
    reached from neutral, and 45 where it is out of reach.

    Args:
        means: the reference's channel means in [0, 1], (3,) for all images or (N, 3).
        deviations: its standard deviations in [0, 1], of the same shape.

    Raises:
        ValueError: another shape, a number out of range, or not as many rows as images.

    Example:
        >>> from synthharm.filters import FilterChain
        >>> chain, mask = FilterChain.paper(), torch.ones(1, 1, 16, 16)
        >>> real = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) / 2 + 0.2
        >>> darker = 0.7 * real
        >>> reference = Reference(darker.mean(dim=(2, 3)), darker.std(dim=(2, 3)))
        >>> generator = torch.Generator().manual_seed(2)
        >>> _, inverse = chain.disharmonize(real, mask, generator=generator, strategy=reference)
        >>> bool((inverse.composites.mean(dim=(2, 3)) - reference.means).abs().max() < 0.004)
        True
    """

    means: Tensor
    deviations: Tensor

    def __post_init__(self) -> None:
        for name, numbers in (("means", self.means), ("deviations", self.deviations)):
            if numbers.ndim not in (1, 2) or numbers.shape[-1] != 3 or not numbers.is_floating_point():
                found = f"{numbers.dtype} {tuple(numbers.shape)}"
                raise ValueError(f"the reference's {name} are {found}; floats (3,) or (N, 3) are accepted")
            outside = numbers[~((numbers >= 0) & (numbers <= 1))]
            if len(outside):
                raise ValueError(f"the reference's {name} have {float(outside[0])}; 0 to 1 is accepted")
        if self.means.shape != self.deviations.shape:
            raise ValueError(
                f"the reference has means {tuple(self.means.shape)} and deviations "
                f"{tuple(self.deviations.shape)}; two of one shape are accepted"
            )

    @classmethod
    def of(cls, statistics: ColourStatistics | Sequence[ColourStatistics]) -> Reference:
        """A reference for all images, or one for each."""
        several = not isinstance(statistics, ColourStatistics)
        each = list(statistics) if not isinstance(statistics, ColourStatistics) else [statistics]
        means = torch.tensor([one.means for one in each], dtype=torch.float64).reshape(-1, 3)
        deviations = torch.tensor([one.deviations for one in each], dtype=torch.float64).reshape(-1, 3)
        return cls(means, deviations) if several else cls(means[0], deviations[0])

    def draw(self, task: Task) -> Drawn:
        """See `Strategy`."""
        if self.means.ndim == 2 and len(self.means) != task.images:
            raise ValueError(
                f"the reference has {len(self.means)} rows for {task.images} images; (3,) or one each is accepted"
            )
        wanted = torch.cat([self.means, self.deviations], dim=-1).to(task.neutral).expand(task.images, 6)
        problem = _Problem(task, wanted)
        rows = task.everything()
        attempts = torch.ones_like(rows)
        point = problem.fit(rows, torch.zeros(task.images, len(task.columns)).to(wanted))
        for _ in range(STARTS - 1):
            rows = torch.nonzero(~problem.reached(task.everything(), point))[:, 0]
            if not len(rows):
                break
            attempts[rows] += 1
            point = point.improved(rows, problem.fit(rows, task.uniform(rows, len(task.columns)) - 0.5))
        drawn = Drawn(point.shares * task.spans, torch.ones_like(point.costs), attempts)
        return shrink(task.judge, task.neutral, drawn, torch.isfinite(point.costs), task.limits)


@dataclass(frozen=True)
class _Point:
    """Where the fits of R images stand.

    Args:
        shares: (R, K), the arguments' offsets as shares of their spans, -1 to 1.
        found: (R, 6), the statistics of the composite there.
        costs: (R,), what is minimized; inf where the limits are not kept.
    """

    shares: Tensor
    found: Tensor
    costs: Tensor

    def only(self, places: Tensor) -> _Point:
        """Some of them."""
        return _Point(self.shares[places], self.found[places], self.costs[places])

    def improved(self, places: Tensor, other: _Point) -> _Point:
        """All of them, moved to another one's of those `places` where that costs less."""
        better = other.costs < self.costs[places]
        moved = (places[better],)
        return _Point(
            self.shares.index_put(moved, other.shares[better]),
            self.found.index_put(moved, other.found[better]),
            self.costs.index_put(moved, other.costs[better]),
        )


@dataclass(frozen=True)
class _Problem:
    """Statistics to reach.

    Args:
        task: of the images.
        wanted: (N, 6), their means, then deviations.
    """

    task: Task
    wanted: Tensor

    def reached(self, rows: Tensor, point: _Point) -> Tensor:
        """Which of R images have the statistics wanted, within the limits."""
        near = (point.found - self.wanted[rows]).abs().amax(dim=1) <= NEAR
        return near & torch.isfinite(point.costs)

    def fit(self, rows: Tensor, shares: Tensor) -> _Point:
        """The best point found for each of R images from these shares (R, K)."""
        point = self.judge(rows, shares)
        for _ in range(RETREATS):
            places = torch.nonzero(torch.isinf(point.costs))[:, 0]
            if not len(places):
                break
            shares = shares / 2
            point = point.improved(places, self.judge(rows[places], shares[places]))
        for _ in range(ROUNDS):
            places = torch.nonzero(torch.isfinite(point.costs) & ~self.reached(rows, point))[:, 0]
            if not len(places):
                break
            point = self.descend(rows, point, places)
        return point

    def descend(self, rows: Tensor, point: _Point, places: Tensor) -> _Point:
        """A round of steps for some of R images, with slopes that are corrected by what each step finds."""
        slopes = self.slopes(rows[places], point.only(places))
        damping = torch.full_like(point.costs[places], DAMPING)
        for _ in range(TRIALS):
            here = point.only(places)
            there = self.judge(rows[places], self.step(rows[places], here, slopes, damping))
            moved = (there.shares - here.shares)[:, :, None]
            missed = (there.found - here.found)[:, :, None] - slopes @ moved
            slopes = slopes + missed @ moved.mT / (moved**2).sum(dim=1, keepdim=True).clamp(min=1e-12)
            damping = damping * torch.where(there.costs < here.costs, RELAX, TIGHTEN)
            point = point.improved(places, there)
            left = ~self.reached(rows[places], point.only(places))
            places, slopes, damping = places[left], slopes[left], damping[left]
            if not len(places):
                break
        return point

    def judge(self, rows: Tensor, shares: Tensor) -> _Point:
        """What these shares (R, K) come to."""
        task = self.task
        judgement = task.judge(rows, task.neutral + shares * task.spans)
        found = torch.cat([judgement.means, judgement.deviations], dim=1).nan_to_num(nan=0)
        costs = ((found - self.wanted[rows]) ** 2).sum(dim=1) + PULL**2 * (shares**2).sum(dim=1)
        return _Point(shares, found, torch.where(judgement.within(task.limits), costs, torch.inf))

    def slopes(self, rows: Tensor, point: _Point) -> Tensor:
        """The derivatives (R, 6, K) of the statistics by the shares, from differences towards neutral."""
        columns = point.shares.shape[1]
        nudges = torch.where(point.shares > 0, -NUDGE, NUDGE)
        nudged = point.shares[:, None] + torch.diag_embed(nudges)
        found = self.judge(rows.repeat_interleave(columns), nudged.flatten(0, 1)).found
        changes = found.reshape(len(rows), columns, -1) - point.found[:, None]
        return (changes / nudges[:, :, None]).mT

    def step(self, rows: Tensor, point: _Point, slopes: Tensor, damping: Tensor) -> Tensor:
        """The shares (R, K) that a damped Gauss-Newton step within the spans leads to."""
        missed = (point.found - self.wanted[rows])[:, :, None]
        gradient = (slopes.mT @ missed)[:, :, 0] + PULL**2 * point.shares
        held = (point.shares * gradient.sign() <= -1) | (self.task.spans == 0)
        free = slopes * ~held[:, None]
        weights = (damping + PULL**2)[:, None].expand_as(gradient)
        normal = free.mT @ free + torch.diag_embed(weights)
        change: Tensor = torch.linalg.solve(normal, -(gradient * ~held)[:, :, None])[:, :, 0]
        return (point.shares + change).clamp(-1, 1)
