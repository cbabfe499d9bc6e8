"""Composites as difficult as wanted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from synthharm.filters.drawing.task import Drawn, Task

# Foreground MSE of iHarmony4's 7,404 test composites, by probability.
IHARMONY4 = ((0.05, 187.0), (0.25, 455.0), (0.5, 905.0), (0.75, 1843.0), (0.95, 4578.0))

ATTEMPTS = 64  # directions before the closest is taken; five are usual
WITHIN_SPANS = 16  # of them end at the spans, the rest REACH times as far
REACH = 2.0
SHORT = 0.95  # of the way to the end of what a filter accepts: at the end itself many lose everything
TOLERANCE = math.log(1.02)
STEPS = 12  # along one direction; three are usual
SLOPE = 2.0  # a squared difference grows with the square of small arguments
MOST = 255.0**2
LEAST = 1e-6  # a difference of nothing, where its logarithm is taken

Quantiles = Mapping[float, float] | Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Difficulty:
    """Draw arguments whose composites' foreground MSE follows a wanted distribution.

    Each image draws the foreground MSE it wants, recorded in `Arguments.wanted`, and then directions, uniform in
    the spans and stretched to their ends, until on one of them a point within the limits has that MSE, to 2 %.
    The point is searched on the line from neutral, on logarithms, where the MSE is nearly straight. The first 16
    directions end at the spans. The others reach twice as far, within what the filters accept: on photos with
    clipped whites and blacks, whose recoverable directions are few, large differences need it. After 64 the point
    within the limits that came closest is taken; `kept` is 0, and the arguments are neutral, where none was. About
    20 rows are judged for an image and the six filters of the paper, and on photos some 5 % miss what they want by
    more than a tenth. The MSE is that of a sample of the region's pixels; over all of them it is 1 % off.

    Between quantiles the logarithm of the MSE is linear in the probability's normal quantile, and beyond them it
    goes on with the slope of the last two: both tails are those of a log-normal distribution, which is what such
    differences nearly follow, and need no ends that the quantiles do not name.

    Args:
        quantiles: pairs of a probability, between 0 and 1, and the foreground MSE on 0..255 that this share of
            composites is not to exceed; two or more, both increasing. Those of iHarmony4's test set by default.

    Raises:
        ValueError: fewer than two quantiles, numbers out of range, or not increasing.

    Example:
        >>> from synthharm.filters import FilterChain
        >>> chain, mask = FilterChain.paper(), torch.ones(1, 1, 8, 8)
        >>> real = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)) / 2 + 0.2
        >>> easy = Difficulty([(0.1, 90), (0.9, 110)])
        >>> generator = torch.Generator().manual_seed(2)
        >>> arguments, inverse = chain.disharmonize(real, mask, generator=generator, strategy=easy)
        >>> reached = ((inverse.composites - real) * 255).square().mean()
        >>> bool((reached / arguments.wanted - 1).abs() < 0.03), round(float(easy.cdf(110)), 6)
        (True, 0.9)
    """

    quantiles: tuple[tuple[float, float], ...]

    def __init__(self, quantiles: Quantiles = IHARMONY4) -> None:
        pairs = quantiles.items() if isinstance(quantiles, Mapping) else quantiles
        object.__setattr__(self, "quantiles", tuple(_pair(pair) for pair in pairs))
        if len(self.quantiles) < 2:
            raise ValueError(f"quantiles has {len(self.quantiles)} pairs; two or more are accepted")
        for first, second in zip(self.quantiles, self.quantiles[1:], strict=False):
            if not (first[0] < second[0] and first[1] < second[1]):
                raise ValueError(
                    f"quantiles has {second} after {first}; pairs that increase in both numbers are accepted"
                )

    def ppf(self, probabilities: Tensor | float) -> Tensor:
        """The foreground MSE that is not exceeded with these probabilities, float64 of their shape.

        Example:
            >>> Difficulty().ppf(0.5)
            tensor(905.0000, dtype=torch.float64)
        """
        given = torch.as_tensor(probabilities, dtype=torch.float64)
        return _through(torch.special.ndtri(given), *self._knots(given.device)).exp()

    def cdf(self, values: Tensor | float) -> Tensor:
        """The probabilities with which these foreground MSEs are not exceeded: the inverse of `ppf`.

        Example:
            >>> Difficulty().cdf(905)
            tensor(0.5000, dtype=torch.float64)
        """
        given = torch.as_tensor(values, dtype=torch.float64)
        normal, logs = self._knots(given.device)
        probabilities: Tensor = torch.special.ndtr(_through(given.log(), logs, normal))
        return probabilities

    def draw(self, task: Task) -> Drawn:
        """See `Strategy`."""
        everything = task.everything()
        wanted = self.ppf(task.uniform(everything, 1)[:, 0]).clamp(LEAST, MOST)
        offsets = torch.zeros(task.images, len(task.columns)).to(task.neutral)
        misses = torch.full_like(wanted, torch.inf)
        attempts = torch.zeros_like(everything)
        for attempt in range(ATTEMPTS):
            rows = torch.nonzero(misses > TOLERANCE)[:, 0]
            if not len(rows):
                break
            attempts[rows] += 1
            directions = _directions(task, rows, 1.0 if attempt < WITHIN_SPANS else REACH)
            found, miss = _Line(task, rows, directions, wanted[rows].log()).search()
            closer = miss < misses[rows]
            offsets[rows[closer]], misses[rows[closer]] = found[closer], miss[closer]
        kept = torch.isfinite(misses).to(offsets)
        return Drawn(offsets, kept, attempts, wanted)

    def _knots(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The quantiles' normal quantiles and logarithms."""
        pairs = torch.tensor(self.quantiles, dtype=torch.float64, device=device)
        return torch.special.ndtri(pairs[:, 0].contiguous()), pairs[:, 1].log()


def _pair(pair: object) -> tuple[float, float]:
    """A checked pair of a probability and a foreground MSE."""
    accepted = f"(probability between 0 and 1, foreground MSE above 0 and up to {MOST:.0f}) is accepted"
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise ValueError(f"quantiles has {pair!r}; {accepted}")
    if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in pair):
        raise ValueError(f"quantiles has {pair!r}; {accepted}")
    probability, value = float(pair[0]), float(pair[1])
    if not (0 < probability < 1 and 0 < value <= MOST):
        raise ValueError(f"quantiles has {pair!r}; {accepted}")
    return probability, value


def _through(values: Tensor, knots: Tensor, onto: Tensor) -> Tensor:
    """Map values by the lines between knots, both increasing, and by the first and last of them beyond."""
    line = torch.searchsorted(knots, values.contiguous()).clamp(1, len(knots) - 1)
    slope = (onto[line] - onto[line - 1]) / (knots[line] - knots[line - 1])
    return onto[line - 1] + (values - knots[line - 1]) * slope


def _directions(task: Task, rows: Tensor, reach: float) -> Tensor:
    """Offsets (R, K) uniform in the spans, stretched until one of them is `reach` spans or as far as it may be."""
    uniform = 2 * task.uniform(rows, len(task.columns)) - 1
    below = torch.minimum(reach * task.spans, (SHORT * (task.neutral - task.lows)).maximum(task.spans))
    above = torch.minimum(reach * task.spans, (SHORT * (task.highs - task.neutral)).maximum(task.spans))
    moving = uniform * (task.spans > 0)
    longest = moving.abs().amax(dim=1, keepdim=True).clamp(min=LEAST)
    return moving / longest * torch.where(uniform < 0, below, above)


@dataclass(frozen=True)
class _Line:
    """A search from neutral along one direction for each of R images.

    Args:
        task: of the images.
        rows: (R,), their numbers.
        directions: (R, K), the offsets at which the lines end.
        wanted: (R,), the logarithm of the foreground MSE that is wanted.
    """

    task: Task
    rows: Tensor
    directions: Tensor
    wanted: Tensor

    def search(self) -> tuple[Tensor, Tensor]:
        """The offsets (R, K) within the limits that came closest, and by how much (R,) they miss; inf for none.

        A line is given up where its end is too little different, or where the limits do not allow even less than
        is wanted. Lines are bracketed between two points: their logarithms are joined by a straight line, or by a
        slope of 2 while nothing too small is known, and halved in the end.
        """
        best, misses = torch.zeros_like(self.wanted), torch.full_like(self.wanted, torch.inf)
        places = torch.arange(len(self.rows), device=self.rows.device)
        above = torch.zeros_like(self.wanted)  # logarithms of the share of the way, and the MSE there
        below = torch.full_like(above, -torch.inf)
        more, less = torch.zeros_like(above), torch.zeros_like(above)
        at = above.clone()
        for step in range(STEPS):
            reached, within = self._judge(places, at)
            miss = (reached - self.wanted[places]).abs()
            better = within & (miss < misses[places])
            best[places[better]], misses[places[better]] = at[better].exp(), miss[better]
            large = reached > self.wanted[places]
            above[places[large]], more[places[large]] = at[large], reached[large]
            below[places[~large]], less[places[~large]] = at[~large], reached[~large]
            going = large | within if step else large  # an end that is too little different ends the search
            places = places[going & (miss > TOLERANCE)]
            if not len(places):
                break
            bracketed = torch.isfinite(below[places])
            rise = (more - less)[places] / (above - below)[places].clamp(min=LEAST)
            at = above[places] - (more - self.wanted)[places] / torch.where(bracketed, rise, SLOPE)
            if step > STEPS // 2:
                at = torch.where(bracketed, (above + below)[places] / 2, at)
        return self.directions * best[:, None], misses

    def _judge(self, places: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """The logarithms of the foreground MSE at these shares of the way, and which are within the limits."""
        values = self.task.neutral + self.directions[places] * at.exp()[:, None]
        judgement = self.task.judge(self.rows[places], values)
        reached = judgement.difference.nan_to_num(nan=MOST, posinf=MOST).clamp(min=LEAST).log()
        return reached, judgement.within(self.task.limits)
