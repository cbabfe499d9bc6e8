"""A monotone curve from [0, 1] onto itself through three movable knots, and its inverse in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

INTERVALS = 4


@dataclass(frozen=True)
class Intervals:
    """The pieces of the curves that pixels lie in, each tensor (N, 3, H, W).

    Args:
        index: which of the four intervals.
        start: the curve's height at the interval's left end.
        slope: the mean slope over the interval.
        slope_left: the curve's slope at the left end.
        slope_right: the curve's slope at the right end.
    """

    index: Tensor
    start: Tensor
    slope: Tensor
    slope_left: Tensor
    slope_right: Tensor

    @property
    def bend(self) -> Tensor:
        """What makes the piece a rational function: 0 where it is a parabola or a line."""
        return self.slope_left + self.slope_right - 2 * self.slope


def knot_heights(displacements: Tensor) -> Tensor:
    """The curves' heights at 0, 1/4, 1/2, 3/4 and 1: (N, C, 3) displacements to (N, C, 5)."""
    fixed = torch.zeros_like(displacements[..., :1])
    line = torch.linspace(0, 1, INTERVALS + 1, dtype=displacements.dtype, device=displacements.device)
    return line + torch.cat([fixed, displacements, fixed], dim=-1)


def knot_slopes(means: Tensor) -> Tensor:
    """The curves' slopes at the five knots, given the mean slopes (N, C, 4) over the intervals between them.

    Inside, the harmonic mean of the neighbours; at the ends, where the slopes go on as they did: m^2 over the mean
    of m and its neighbour. All lie above 0 and below twice the mean slope beside them, which keeps the curve
    monotone and its inverse free of cancellation.
    """
    left, right = means[..., :-1], means[..., 1:]
    inner = 2 * left * right / (left + right)
    first = 2 * means[..., :1] ** 2 / (left[..., :1] + right[..., :1])
    last = 2 * means[..., -1:] ** 2 / (left[..., -1:] + right[..., -1:])
    return torch.cat([first, inner, last], dim=-1)


def choose_intervals(index: Tensor, heights: Tensor) -> Intervals:
    """The pieces numbered `index` (N, 3, H, W) of curves with these knot heights (N, 1 or 3, 5)."""
    means = heights.diff(dim=-1) * INTERVALS
    slopes = knot_slopes(means)
    flat = index.flatten(2)

    def choose(values: Tensor) -> Tensor:
        return values.expand(-1, index.shape[1], -1).gather(2, flat).reshape(index.shape)

    return Intervals(
        index, choose(heights[..., :-1]), choose(means), choose(slopes[..., :-1]), choose(slopes[..., 1:])
    )


def bend_tones(images: Tensor, displacements: Tensor) -> Tensor:
    """Map tones through a monotone rational-quadratic spline.

    Formula: with t the place in the interval (0 to 1), m its mean slope, d and d' the slopes at its ends and
    u = t(1 - t): y + m(m t^2 + d u) / 4(m + (d + d' - 2m) u), y the height at its left end.

    Args:
        images: (N, 3, H, W) in [0, 1].
        displacements: (N, 1 or 3, 3): how far the curve's knots at 1/4, 1/2 and 3/4 are moved up, for all channels
            or each. The knots must stay in order: each less than 1/4 apart from its neighbours' displacements.

    Source: Gregory and Delbourgo, "Piecewise rational quadratic interpolation to monotonic data", IMA Journal of
    Numerical Analysis 2, 1982.

    Example:
        >>> image = torch.tensor([0.0, 0.25, 0.5, 1.0]).expand(1, 3, 1, 4)
        >>> bend_tones(image, torch.tensor([0.1, 0.0, 0.0]).reshape(1, 1, 3))[0, 0, 0]
        tensor([0.0000, 0.3500, 0.5000, 1.0000])
    """
    index = (images.detach() * INTERVALS).floor().long().clamp(0, INTERVALS - 1)
    piece = choose_intervals(index, knot_heights(displacements))
    place = images * INTERVALS - index
    both = place * (1 - place)
    rise = piece.slope * (piece.slope * place**2 + piece.slope_left * both) / (piece.slope + piece.bend * both)
    return piece.start + rise / INTERVALS


def straighten_tones(images: Tensor, displacements: Tensor) -> Tensor:
    """Undo `bend_tones`: the root of a quadratic in t, in the form that loses no digits. Shapes as for it.

    Example:
        >>> image = torch.tensor([0.0, 0.35, 0.5, 1.0]).expand(1, 3, 1, 4)
        >>> straighten_tones(image, torch.tensor([0.1, 0.0, 0.0]).reshape(1, 1, 3))[0, 0, 0]
        tensor([0.0000, 0.2500, 0.5000, 1.0000])
    """
    heights = knot_heights(displacements)
    passed = images.detach()[:, :, None] >= heights[:, :, 1:INTERVALS, None, None]
    piece = choose_intervals(passed.sum(dim=2), heights)
    rise = (images - piece.start) * INTERVALS
    square = piece.slope * (piece.slope - piece.slope_left) + rise * piece.bend
    linear = piece.slope * piece.slope_left - rise * piece.bend  # above 0: slopes are below twice the mean's
    constant = rise * piece.slope
    place = 2 * constant / (linear + (linear**2 + 4 * square * constant).sqrt())
    return (piece.index + place) / INTERVALS
