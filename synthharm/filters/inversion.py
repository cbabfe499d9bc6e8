"""The equations of one inversion: which composite, with which means, is harmonized to this image?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from synthharm.filters import solve
from synthharm.filters.filter import Filter
from synthharm.filters.pixels import Pixels, Statistics, mean_weights, weighted_means

MEANS_TOLERANCE = {torch.float32: 2e-7, torch.float64: 1e-12}
ROUGH_TOLERANCE = 1e-6
SAMPLE = 256  # pixels of each kind on which the joint solve finds its start


def split_arguments(filters: Sequence[Filter], values: Tensor) -> tuple[Tensor, ...]:
    """Arguments (N, K) by filter: (N,) for one with one parameter, (N, P) for one with P."""
    pieces = torch.split(values, [len(f.parameters) for f in filters], dim=1)
    return tuple(piece[:, 0] if piece.shape[1] == 1 else piece for piece in pieces)


@dataclass(frozen=True)
class Equations:
    """Pixels to reach, whose unknowns are the means that enter the filters.

    The unknowns, float64 (N, D), are the channel means at the input of each filter that needs them, D = 3 per
    such filter. Knowing them makes every filter a function of single pixels, and each pixel is undone by itself.

    Args:
        filters: the chain's.
        statistics: what its means are taken over.
        pixels: the real images and their masks.
        arguments: one tensor per filter.
    """

    filters: tuple[Filter, ...]
    statistics: Statistics
    pixels: Pixels
    arguments: tuple[Tensor, ...]

    @property
    def weights(self) -> Tensor:
        """How much each pixel counts in the means, (N, 1 or 3, P, 1)."""
        return mean_weights(self.statistics, self.pixels.masks, self.pixels.counts)

    @property
    def needing(self) -> list[int]:
        """The positions of the filters that need means."""
        return [i for i, f in enumerate(self.filters) if f.needs_means]

    def solve_means(self) -> Tensor:
        """The means (N, D) at which the composites that follow from them have just these means.

        A sample of the pixels, as an image of its own, gives a start and the Jacobian; a few passes over all
        pixels do the rest.
        """
        with torch.no_grad():
            start = weighted_means(self.pixels.images.double(), self.weights).repeat(1, len(self.needing))
            if not self.needing:
                return start
            rough = self.sample().residual
            inverse = torch.linalg.pinv(solve.jacobian(rough, start))
            means, inverse = solve.broyden(rough, start, inverse, ROUGH_TOLERANCE)
            means, _ = solve.broyden(self.residual, means, inverse, MEANS_TOLERANCE[self.dtype])
        if torch.is_grad_enabled() and any(t.requires_grad for t in (self.pixels.images, *self.arguments)):
            with torch.no_grad():
                inverse = torch.linalg.pinv(solve.jacobian(self.residual, means))
            means = means - (inverse @ self.residual(means)[..., None])[..., 0]
        return means

    def residual(self, means: Tensor) -> Tensor:
        """How far the composites that follow from `means` miss having them: (N, D), or R * N rows, R per image."""
        equations = self.repeat(len(means) // len(self.pixels))
        current, weights = equations.composites(means), equations.weights
        reached = []
        for i in range(self.needing[-1] + 1):
            if self.filters[i].needs_means:
                reached.append(weighted_means(current, weights).double())
            if i < self.needing[-1]:
                known = equations.known(i, means)
                current = self.filters[i].apply(current, equations.arguments[i], known)
        return torch.cat(reached, dim=1) - means

    def composites(self, means: Tensor) -> Tensor:
        """The composites (N, 3, P, 1) that follow from the means (N, D)."""
        undone, masks = self.pixels.images, self.pixels.masks
        for i in reversed(range(len(self.filters))):
            undone = self.filters[i].inverse(undone, self.arguments[i], self.known(i, means)).clamp(0, 1)
        composites = torch.where(masks > 0, undone, self.pixels.images)
        soft = torch.nonzero((masks > 0) & (masks < 1))
        if len(soft):
            image, position = soft[:, 0], soft[:, 2]
            spread = composites.permute(0, 2, 1, 3)[..., 0]
            solved = self.soft_pixels(image, position, undone, means)
            composites = spread.index_put((image, position), solved).permute(0, 2, 1)[..., None]
        return composites

    def soft_pixels(self, image: Tensor, position: Tensor, undone: Tensor, means: Tensor) -> Tensor:
        """The composites' pixels (M, 3) where masks are soft. To the filters each is an image of one pixel."""
        targets = self.pixels.images[image, :, position, 0]
        alphas = self.pixels.masks[image, :, position, 0]
        known = [self.known_at(i, means, image, position) for i in range(len(self.filters))]
        arguments = [argument[image] for argument in self.arguments]

        def harmonize(pixels: Tensor, rows: Tensor) -> Tensor:
            current = pixels[:, :, None, None]
            for filter_, argument, each in zip(self.filters, arguments, known, strict=True):
                current = filter_.apply(current, argument[rows], None if each is None else each[rows])
            return current[:, :, 0, 0]

        with torch.no_grad():
            start = undone[image, :, position, 0] * alphas + targets * (1 - alphas)
        return solve.solve_pixels(harmonize, targets, alphas, start)

    def known(self, position: int, means: Tensor) -> Tensor | None:
        """What the filter at that position needs beside its pixels: means (N, 3), positions, or nothing."""
        if self.filters[position].needs_means:
            place = 3 * self.needing.index(position)
            return means[:, place : place + 3].clamp(min=0).to(self.dtype)
        return self.pixels.positions if self.filters[position].needs_positions else None

    def known_at(self, position: int, means: Tensor, image: Tensor, pixel: Tensor) -> Tensor | None:
        """The same for single pixels, by image (M,) and place in it (M,)."""
        known = self.known(position, means)
        if known is None or self.filters[position].needs_means:
            return None if known is None else known[image]
        return known[image, :, pixel][..., None]

    @property
    def dtype(self) -> torch.dtype:
        """The images' type."""
        return self.pixels.images.dtype

    def repeat(self, times: int) -> Equations:
        """The same equations, each image `times` times in a row."""
        if times == 1:
            return self
        arguments = tuple(a.repeat_interleave(times, dim=0) for a in self.arguments)
        return Equations(self.filters, self.statistics, self.pixels.repeat(times), arguments)

    def sample(self) -> Equations:
        """The same equations over a sample of the pixels, in float64."""
        arguments = tuple(a.double() for a in self.arguments)
        return Equations(self.filters, self.statistics, self.pixels.sample(SAMPLE).double(), arguments)
