"""The joint solve: equations whose unknowns are few (means, or one pixel) and whose functions are whole images.

Both solvers end in one Newton step taken with gradients on. At the solution that step changes nothing, and its
derivative is the one that the implicit function theorem gives, so what comes out is differentiable.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Residual = Callable[[Tensor], Tensor]
PixelFunction = Callable[[Tensor, Tensor], Tensor]

STEPS = 30  # steps over all pixels; five to eight are usual
PIXEL_STEPS = 40
PIXEL_TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-13}
LEAST_DAMPING = 1e-3  # a pixel whose steps must be shorter than this has no root in [0, 1]
STEP_SIZE = 1e-6  # of the finite differences, in float64


def jacobian(residual: Residual, unknowns: Tensor) -> Tensor:
    """The Jacobian (N, D, D) of a residual (M, D) -> (M, D) whose rows are images, by central differences.

    The residual is called once, with all 2 D shifted copies of the unknowns as a batch of N * 2 D rows, row
    `n * 2 D + j` belonging to image n.
    """
    images, size = unknowns.shape
    shifts = STEP_SIZE * torch.eye(size, dtype=unknowns.dtype, device=unknowns.device)
    shifted = unknowns[:, None, :] + torch.cat([shifts, -shifts])
    values = residual(shifted.reshape(-1, size)).reshape(images, 2, size, size)
    return ((values[:, 0] - values[:, 1]) / (2 * STEP_SIZE)).transpose(1, 2)


def broyden(residual: Residual, start: Tensor, inverse: Tensor, tolerance: float) -> tuple[Tensor, Tensor]:
    """Solve residual(x) = 0 from a good start (N, D) with a good inverse Jacobian (N, D, D) (Broyden, 1965).

    Rows converge or not each by itself. Returned are the best point of each, in [0, 1], and the inverse Jacobian
    learned on the way.
    """
    unknowns, value = start, residual(start)
    best, least = unknowns, value.abs().amax(dim=1)
    for _ in range(STEPS):
        if float(least.max()) <= tolerance:
            break
        step = -(inverse @ value[..., None])
        following = (unknowns + step[..., 0]).clamp(0, 1)
        step = (following - unknowns)[..., None]
        unknowns, before = following, value
        value = residual(unknowns)
        seen = inverse @ (value - before)[..., None]
        scale = step.transpose(1, 2) @ seen
        correction = (step - seen) @ (step.transpose(1, 2) @ inverse) / scale
        inverse = torch.where(scale.abs() > 1e-30, inverse + correction, inverse)
        error = value.abs().amax(dim=1)
        best = torch.where((error < least)[:, None], unknowns, best)
        least = torch.minimum(error, least)
    return best, inverse


def solve_pixels(function: PixelFunction, targets: Tensor, alphas: Tensor, start: Tensor) -> Tensor:
    """Find pixels J (M, 3) whose blend with what `function` makes of them is known.

    Solves function(J) * alpha + J * (1 - alpha) = target by damped Newton steps, each pixel for itself. `function`
    takes pixels (R, 3) and which of the M rows they are (R,), and maps each by itself; alphas (M, 1) lie strictly
    between 0 and 1. Where the root lies outside [0, 1] the nearest point found is returned.
    """

    def residual(pixels: Tensor, rows: Tensor) -> Tensor:
        return function(pixels, rows) * alphas[rows] + pixels * (1 - alphas[rows]) - targets[rows]

    def newton_change(pixels: Tensor, rows: Tensor, value: Tensor) -> Tensor:
        with torch.enable_grad():
            tracked = pixels.detach().requires_grad_()
            outputs = residual(tracked, rows).sum(dim=0)  # each pixel is in one term: its gradient is its own
            slopes = [torch.autograd.grad(o, tracked, retain_graph=True)[0] for o in outputs]
        change: Tensor = torch.linalg.solve_ex(torch.stack(slopes, dim=1), value[..., None])[0][..., 0]
        return change.nan_to_num(0, 0, 0)

    everything = torch.arange(len(start), device=start.device)
    with torch.no_grad():
        pixels = start.clamp(0, 1)
        value = residual(pixels, everything)
        damping = torch.ones_like(value[:, 0])
        for _ in range(PIXEL_STEPS):
            error = value.abs().amax(dim=1)
            rows = torch.nonzero((error > PIXEL_TOLERANCE[start.dtype]) & (damping > LEAST_DAMPING))[:, 0]
            if not len(rows):
                break
            change = newton_change(pixels[rows], rows, value[rows])
            trial = (pixels[rows] - damping[rows, None] * change).clamp(0, 1)
            trial_value = residual(trial, rows)
            better = trial_value.abs().amax(dim=1) < error[rows]
            pixels[rows[better]], value[rows[better]] = trial[better], trial_value[better]
            damping[rows] = torch.where(better, (damping[rows] * 2).clamp(max=1), damping[rows] / 4)
        solved = value.abs().amax(dim=1, keepdim=True) <= 10 * PIXEL_TOLERANCE[start.dtype]
    value = residual(pixels, everything)
    if not value.requires_grad:
        return pixels
    return torch.where(solved, pixels - newton_change(pixels, everything, value), pixels)
