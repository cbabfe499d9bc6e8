"""Blending a layer into its target. Pixels where the layer's alpha is 0 keep their bytes, whatever the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation.cutting import extend
from synthharm.composites.manipulation.edits import Blending
from synthharm.composites.manipulation.placing import Layer

COARSEST = 400  # unknowns that are solved for directly
PRECISION = 1e-2  # what the equations may be off by, in levels
STEPS = 200
DAMPING = 2 / 3  # of Jacobi's method, for neighbours in a plane
WIDEST_BAND = 4  # the coarsest details go over within 2**4 pixels: thin parts of a large object keep their colour

Floats = NDArray[np.float64]


def blend(target: NDArray[np.uint8], layer: Layer, how: Blending) -> NDArray[np.uint8]:
    """Blend a layer into a target.

    - "alpha": mixed by alpha, in 8-bit sRGB values.
    - "poisson": the layer's gradients, fitted to the target's colours around it (Pérez et al., Poisson Image
      Editing, 2003), then mixed by alpha. Along the border of the target nothing is fitted. A layer that
      covers the whole target is mixed by alpha alone, there being nothing to fit it to.
    - "mixed": the same with, between any two neighbours, the steeper of the layer's and the target's gradient.
    - "multiband": details of each size go over into the target's within their own size from the rim inwards (Burt
      and Adelson, A Multiresolution Spline, 1983, with bands that are not subsampled), then mixed by alpha.

    Args:
        target: uint8 RGB (H, W, 3).
        layer: what lies on it.
        how: one of those four.

    Returns:
        uint8 (H, W, 3), rounded once to nearest; the target's bytes where the layer's alpha is 0.

    Raises:
        ValueError: another way, or a layer that is not within the target.

    Example:
        >>> layer = Layer(np.full((2, 2, 3), 201, np.uint8), np.full((2, 2), 128, np.uint8), 1, 0)
        >>> blend(np.full((2, 4, 3), 100, np.uint8), layer, "alpha")[0, :, 0]
        array([100, 151, 151, 100], dtype=uint8)
    """
    blended = _WAYS.get(how)
    if blended is None:
        raise ValueError(f"blending is {how!r}; accepted are {', '.join(_WAYS)}")
    height, width = layer.alpha.shape
    inside = layer.left >= 0 and layer.top >= 0
    if not inside or layer.top + height > target.shape[0] or layer.left + width > target.shape[1]:
        raise ValueError(
            f"a layer of {layer.alpha.shape} at row {layer.top}, column {layer.left} is not within its target of "
            f"{target.shape[:2]}"
        )
    result = target.copy()
    beneath = target[layer.window]
    difference = blended(beneath.astype(np.float64), layer, target.shape[:2])
    mixed = beneath + layer.alpha[..., None] / 255 * difference
    result[layer.window] = np.where(layer.alpha[..., None] > 0, np.rint(np.clip(mixed, 0, 255)), beneath)
    return result


def _as_it_is(beneath: Floats, layer: Layer, size: tuple[int, ...]) -> Floats:
    return layer.colours - beneath


def _poisson(beneath: Floats, layer: Layer, size: tuple[int, ...]) -> Floats:
    return _fit(beneath, layer, size, steeper=False)


def _mixed(beneath: Floats, layer: Layer, size: tuple[int, ...]) -> Floats:
    return _fit(beneath, layer, size, steeper=True)


def _fit(beneath: Floats, layer: Layer, size: tuple[int, ...], *, steeper: bool) -> Floats:
    """What to add to the target so that it has the layer's gradients (h, w, 3).

    They reach one pixel beyond the layer's rim, to what surrounded it in its photo: the target lies there now, and
    the object stands out from it as it did. Solved for is the correction of the layer's own colours: for
    gradients that are the layer's it is a membrane over the differences around it, zero if there are none.
    """
    # Where a layer has nothing around it, what is next to its rim is taken to be as the rim, in both.
    around = _beyond(layer, size)
    support = np.pad(layer.alpha > 0, around)
    under, own = (np.pad(a.astype(np.float64), (*around, (0, 0)), mode="edge") for a in (beneath, layer.colours))
    if support.all():
        return own - under
    correction = np.where(support[..., None], 0.0, under - own)
    added = _steeper_gradients(under, own, support) if steeper else np.zeros_like(own)
    correction[support] = _solve(support, correction, added[support])
    (top, bottom), (left, right) = around
    difference: Floats = own + correction - under
    return difference[top : difference.shape[0] - bottom, left : difference.shape[1] - right]


def _beyond(layer: Layer, size: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    """1 where the target goes on above and below, left and right of the layer; where it ends there is no rim."""
    height, width = layer.alpha.shape
    rows = int(layer.top > 0), int(layer.top + height < size[0])
    return rows, (int(layer.left > 0), int(layer.left + width < size[1]))


def _steeper_gradients(beneath: Floats, colours: Floats, support: NDArray[np.bool_]) -> Floats:
    """The divergence (h, w, 3) of what is added to the layer's gradients where the target's are steeper.

    The channels go together, by the squares of their differences: taken one by one, they would give false colours.
    """
    divergence = np.zeros_like(colours)
    for axis in (0, 1):
        first, last = _neighbours(axis)
        own, under = colours[last] - colours[first], beneath[last] - beneath[first]
        chosen = (support[first] | support[last]) & ((under**2).sum(axis=2) > (own**2).sum(axis=2))
        added = np.where(chosen[..., None], under - own, 0.0)
        divergence[first] += added
        divergence[last] -= added
    return divergence


def _neighbours(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    keep = slice(None)
    if axis == 0:
        return (slice(None, -1), keep), (slice(1, None), keep)
    return (keep, slice(None, -1)), (keep, slice(1, None))


def _solve(free: NDArray[np.bool_], known: Floats, divergence: Floats) -> Floats:
    """The correction (n, 3) of the free pixels by the discrete Poisson equation, given that of all the others.

    Conjugate gradients over smoothed aggregates of 3 by 3 pixels (Vaněk et al., Algebraic Multigrid by Smoothed
    Aggregation, 1996): some ten steps for a region of any size.
    """
    from scipy.sparse import csr_matrix

    count = int(free.sum())
    numbers = np.full(free.shape, -1)
    numbers[free] = np.arange(count)
    right, degrees, pairs = -divergence, np.zeros(count), []
    for axis in (0, 1):
        for here, there in (_neighbours(axis), _neighbours(axis)[::-1]):
            mine, other = numbers[here][free[here]], numbers[there][free[here]]
            degrees[mine] += 1
            right[mine[other < 0]] += known[there][free[here]][other < 0]
            pairs.append(np.stack([mine, other])[:, other >= 0])
    rows, columns = np.concatenate([*pairs, np.stack([np.arange(count)] * 2)], axis=1)
    values = np.concatenate([np.full(len(rows) - count, -1.0), degrees])
    matrix = csr_matrix((values, (rows, columns)), (count, count))
    return _conjugate_gradients(matrix, right, _Multigrid(matrix, *np.nonzero(free)))


class _Multigrid:
    """An approximate inverse of a matrix over pixels, by ever coarser ones."""

    def __init__(self, matrix: Any, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        from scipy.sparse import csr_matrix

        self._levels: list[tuple[Any, Any, Any, Floats]] = []
        while matrix.shape[0] > COARSEST:
            count = matrix.shape[0]
            across = int(columns.max()) // 3 + 1
            blocks, block = np.unique(rows // 3 * across + columns // 3, return_inverse=True)
            coarse = csr_matrix((np.ones(count), block.ravel(), np.arange(count + 1)), (count, len(blocks)))
            inverse = DAMPING / matrix.diagonal()[:, None]
            smooth = (coarse - (matrix @ coarse).multiply(inverse)).tocsr()
            gather = smooth.T.tocsr()
            self._levels.append((matrix, smooth, gather, inverse))
            matrix = (gather @ matrix @ smooth).tocsr()
            rows, columns = np.divmod(blocks, across)
        self._inverse = np.linalg.inv(matrix.toarray())

    def __call__(self, right: Floats, level: int = 0) -> Floats:
        if level == len(self._levels):
            found: Floats = self._inverse @ right
            return found
        matrix, smooth, gather, inverse = self._levels[level]
        solution = inverse * right
        solution += smooth @ self(gather @ (right - matrix @ solution), level + 1)
        solution += inverse * (right - matrix @ solution)
        return solution


def _conjugate_gradients(matrix: Any, right: Floats, inverse: Callable[[Floats], Floats]) -> Floats:
    """Solve for the channels side by side; a right side of zeros gives zeros."""
    solution, residual = np.zeros_like(right), right.copy()
    direction = inverse(residual)
    product = (residual * direction).sum(axis=0)
    for _ in range(STEPS):
        if np.abs(residual).max(initial=0) < PRECISION:
            break
        image = matrix @ direction
        along = (direction * image).sum(axis=0)
        step = np.divide(product, along, out=np.zeros(3), where=along > 0)
        solution += step * direction
        residual -= step * image
        better = inverse(residual)
        latest = (residual * better).sum(axis=0)
        direction = better + np.divide(latest, product, out=np.zeros(3), where=product > 0) * direction
        product = latest
    return solution


def _multiband(beneath: Floats, layer: Layer, size: tuple[int, ...]) -> Floats:
    """What to add to the target, band by band (h, w, 3)."""
    support = layer.alpha > 0
    depth = _depth(support, layer, size)
    difference: Any = extend(layer.colours - beneath, support.astype(np.float32))
    # The coarsest has gone over a quarter of the way to the middle: else nothing of it would be the layer's.
    bands = min(WIDEST_BAND, max(0, math.floor(math.log2(max(float(depth.max()) / 4, 1)))))
    total = np.zeros_like(difference)
    for band in range(bands + 1):
        if band < bands:
            coarser = cv2.GaussianBlur(difference, (0, 0), 2.0**band, borderType=cv2.BORDER_REFLECT_101)
        else:
            coarser = np.zeros_like(difference)
        rise = np.clip(depth / 2.0**band, 0, 1)  # the finest goes over within the outermost pixel
        total += (rise * rise * (3 - 2 * rise))[..., None] * (difference - coarser)
        difference = coarser
    return np.asarray(total, dtype=np.float64)


def _depth(support: NDArray[np.bool_], layer: Layer, size: tuple[int, ...]) -> NDArray[np.float32]:
    """How far each pixel is from what is not the layer's, (h, w); the border of the target is no end of it."""
    around = _beyond(layer, size)
    padded = np.pad(support.astype(np.uint8), around)
    if padded.all():
        return np.full(support.shape, math.hypot(*support.shape), np.float32)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    (top, bottom), (left, right) = around
    return np.asarray(depth[top : depth.shape[0] - bottom, left : depth.shape[1] - right], dtype=np.float32)


_WAYS: dict[str, Callable[[Floats, Layer, tuple[int, ...]], Floats]] = {
    "alpha": _as_it_is,
    "poisson": _poisson,
    "mixed": _mixed,
    "multiband": _multiband,
}
