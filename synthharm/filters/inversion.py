"""The equations of one inversion: which composite, with which means, is harmonized to this image?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from synthharm.filters import solve
from synthharm.filters.filter import Filter
from synthharm.filters.pixels import sample_pixels, weighted_means

MEANS_TOLERANCE = {torch.float32: 2e-7, torch.float64: 1e-12}
ROUGH_TOLERANCE = 1e-6
SAMPLE = 256  # pixels of each kind on which the joint solve finds its start


def split_arguments(filters: Sequence[Filter], values: Tensor) -> tuple[Tensor, ...]:
    """Arguments (N, K) by filter: (N,) for one with one parameter, (N, P) for one with P."""
    pieces = torch.split(values, [len(f.parameters) for f in filters], dim=1)
    return tuple(piece[:, 0] if piece.shape[1] == 1 else piece for piece in pieces)


@dataclass(frozen=True)
class Equations:
    """Pixels (N, 3, P, 1) to reach, whose unknowns are the means that enter the filters.

    The unknowns, float64 (N, D), are the channel means at the input of each filter that needs them, D = 3 per
    such filter. Knowing them makes every filter a function of single pixels, and each pixel is undone by itself.

    Args:
        filters: the chain's.
        pixels: (N, 3, P, 1), the real images.
        alphas: (N, 1, P, 1), their masks.
        arguments: one tensor per filter.
        weights: (N, 1 or 3, P, 1), how much each pixel counts in the means.
    """

    filters: tuple[Filter, ...]
    pixels: Tensor
    alphas: Tensor
    arguments: tuple[Tensor, ...]
    weights: Tensor

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
            start = weighted_means(self.pixels.double(), self.weights).repeat(1, len(self.needing))
            if not self.needing:
                return start
            rough = self.sample().residual
            inverse = torch.linalg.pinv(solve.jacobian(rough, start))
            means, inverse = solve.broyden(rough, start, inverse, ROUGH_TOLERANCE)
            means, _ = solve.broyden(self.residual, means, inverse, MEANS_TOLERANCE[self.pixels.dtype])
        if torch.is_grad_enabled() and any(t.requires_grad for t in (self.pixels, *self.arguments)):
            with torch.no_grad():
                inverse = torch.linalg.pinv(solve.jacobian(self.residual, means))
            means = means - (inverse @ self.residual(means)[..., None])[..., 0]
        return means

    def residual(self, means: Tensor) -> Tensor:
        """How far the composites that follow from `means` miss having them: (N, D), or R * N rows, R per image."""
        equations = self.repeat(len(means) // len(self.pixels))
        current = equations.composites(means)
        reached = []
        for i in range(self.needing[-1] + 1):
            if self.filters[i].needs_means:
                reached.append(weighted_means(current, equations.weights).double())
            if i < self.needing[-1]:
                current = self.filters[i].apply(current, equations.arguments[i], self.means_of(i, means))
        return torch.cat(reached, dim=1) - means

    def composites(self, means: Tensor) -> Tensor:
        """The composites (N, 3, P, 1) that follow from the means (N, D)."""
        undone = self.pixels
        for i in reversed(range(len(self.filters))):
            undone = self.filters[i].invert(undone, self.arguments[i], self.means_of(i, means)).clamp(0, 1)
        composites = torch.where(self.alphas > 0, undone, self.pixels)
        soft = torch.nonzero((self.alphas > 0) & (self.alphas < 1))
        if len(soft):
            image, position = soft[:, 0], soft[:, 2]
            spread = composites.permute(0, 2, 1, 3)[..., 0]
            solved = self.soft_pixels(image, position, undone, means)
            composites = spread.index_put((image, position), solved).permute(0, 2, 1)[..., None]
        return composites

    def soft_pixels(self, image: Tensor, position: Tensor, undone: Tensor, means: Tensor) -> Tensor:
        """The composites' pixels (M, 3) where masks are soft. To the filters each is an image of one pixel."""
        targets = self.pixels[image, :, position, 0]
        alphas = self.alphas[image, :, position, 0]
        known = [self.means_of(i, means) for i in range(len(self.filters))]

        def harmonize(pixels: Tensor, rows: Tensor) -> Tensor:
            current, owner = pixels[:, :, None, None], image[rows]
            for filter_, argument, mean in zip(self.filters, self.arguments, known, strict=True):
                current = filter_.apply(current, argument[owner], None if mean is None else mean[owner])
            return current[:, :, 0, 0]

        with torch.no_grad():
            start = undone[image, :, position, 0] * alphas + targets * (1 - alphas)
        return solve.solve_pixels(harmonize, targets, alphas, start)

    def means_of(self, position: int, means: Tensor) -> Tensor | None:
        """The means (N, 3) of the filter at that position, or None if it needs none."""
        if not self.filters[position].needs_means:
            return None
        place = 3 * self.needing.index(position)
        return means[:, place : place + 3].clamp(min=0).to(self.pixels.dtype)

    def repeat(self, times: int) -> Equations:
        """The same equations, each image `times` times in a row."""
        if times == 1:
            return self
        pixels, alphas, weights = (
            t.repeat_interleave(times, dim=0) for t in (self.pixels, self.alphas, self.weights)
        )
        arguments = tuple(a.repeat_interleave(times, dim=0) for a in self.arguments)
        return Equations(self.filters, pixels, alphas, arguments, weights)

    def sample(self) -> Equations:
        """The same equations over a sample of the pixels, in float64."""
        pixels, alphas, weights = sample_pixels(self.pixels, self.alphas, self.weights, SAMPLE)
        arguments = tuple(a.double() for a in self.arguments)
        return Equations(self.filters, pixels.double(), alphas.double(), arguments, weights.double())
