"""Placing a cutout in a target: mirrored, scaled, turned and moved, with one resampling at most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation.cutting import FAINTEST, Cutout, Floats, extend
from synthharm.composites.manipulation.edits import Placement

WHOLE = 1e-6  # pixels: a shift this near to a whole number is one


@dataclass(frozen=True)
class Layer:
    """What lies on a target, clipped to its size.

    Args:
        colours: uint8 (h, w, 3): the region's own where alpha is above 0, elsewhere those of what surrounded it
            in its photo, which gradients along the rim are taken against.
        alpha: uint8 (h, w), 0..255, somewhere above 0.
        left: where its first column lies in the target.
        top: where its first row does.
    """

    colours: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    left: int
    top: int

    @property
    def window(self) -> tuple[slice, slice]:
        """The rows and columns of the target that it covers."""
        height, width = self.alpha.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def place(cutout: Cutout, placement: Placement, size: tuple[int, int], feather: float = 0.0) -> Layer:
    """Place a cutout: mirror it, scale and turn it about the middle of its region's box, and move that to (x, y).

    Colour and alpha are resampled apart, and pixels without alpha have no part in the colours. Each pixel of the
    target is the mean over its own square, sampled finely enough for the scale: shrinking does not alias. Where
    nothing is scaled or turned and the shift is whole, all pixels stay as they are. Feathering takes away along
    the rim alone, from all of it at the rim to nothing `feather` pixels inwards; where the object leaves the
    target is no rim.

    Args:
        cutout: the region.
        placement: where it goes, and how.
        size: (H, W) of the target.
        feather: pixels of the target, at least 0.

    Returns:
        The part of it that lies in the target, cropped to where alpha is above 0 and the pixels next to that.

    Raises:
        ValueError: nothing of it lies in the target, a scale that is not above 0, or a feather below 0.

    Example:
        >>> cutout = Cutout(np.full((4, 6, 3), 9, np.uint8), np.full((4, 6), 255, np.uint8), 30, 40)
        >>> layer = place(cutout, Placement(x=5, y=8), (12, 10))
        >>> layer.left, layer.top, layer.alpha.shape
        (1, 5, (6, 8))
    """
    _check(placement, feather)
    region = _mirrored(cutout) if placement.flip else cutout
    matrix = _matrix(region, placement)
    margin = math.ceil(feather) + 2
    left, top, right, bottom = _reach(region, matrix, size, margin)
    if right <= left or bottom <= top:
        raise _nothing(placement, size)
    shift = _whole_shift(matrix)
    if shift is None:
        own, around, alpha = _resample(region, matrix, (left, top, right, bottom), placement.scale)
        alpha = soften(alpha, feather)
        colours = np.where(alpha[..., None] > 0, own, around)
    else:
        colours, alpha = _shifted(region, (shift[0] - left, shift[1] - top), (bottom - top, right - left))
        alpha = soften(alpha, feather)
    # The margin beyond the target was there for the rim alone.
    rows, columns = (slice(max(0, -a), n - a) for a, n in zip((top, left), size, strict=True))
    colours, alpha = colours[rows, columns], alpha[rows, columns]
    box = _box(alpha)
    if box is None:
        raise _nothing(placement, size)
    rows, columns = (slice(max(0, span.start - 1), span.stop + 1) for span in box)
    return Layer(
        np.ascontiguousarray(colours[rows, columns]),
        np.ascontiguousarray(alpha[rows, columns]),
        max(0, left) + columns.start,
        max(0, top) + rows.start,
    )


def outside_share(cutout: Cutout, placement: Placement, size: tuple[int, int]) -> float:
    """The share of a region's area, weighted by alpha, that would fall off a target of `size` = (H, W), 0..1.

    Example:
        >>> cutout = Cutout(np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 255, np.uint8), 0, 0)
        >>> outside_share(cutout, Placement(x=0, y=5), (10, 10))
        0.5
    """
    _check(placement, 0)
    region = _mirrored(cutout) if placement.flip else cutout
    rows, columns = np.nonzero(region.alpha)
    if not len(rows):
        raise ValueError("the cutout's alpha is 0 everywhere")
    x, y = _matrix(region, placement) @ np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))])
    weights = region.alpha[rows, columns].astype(np.int64)
    outside = (x < 0) | (x >= size[1]) | (y < 0) | (y >= size[0])
    return float(weights[outside].sum() / weights.sum())


def full_alpha(layer: Layer, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A layer's alpha in a target of `size` = (H, W): uint8 (H, W), 0 where the layer is not."""
    alpha = np.zeros(size, np.uint8)
    alpha[layer.window] = layer.alpha
    return alpha


def soften(alpha: NDArray[np.uint8], width: float) -> NDArray[np.uint8]:
    """Take from an alpha, uint8 (H, W), along its rim: it rises smoothly over `width` pixels, and nowhere grows.

    Example:
        >>> soften(np.array([[0, 255, 255, 255, 255, 255, 255, 255]], np.uint8), 3)
        array([[  0,  19, 128, 236, 255, 255, 255, 255]], dtype=uint8)
    """
    present = alpha > 0
    if width == 0 or present.all():
        return alpha.copy()
    depth = cv2.distanceTransform(present.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    rise = np.clip(depth.astype(np.float64) - 0.5, 0, width) / width
    return np.asarray(np.rint(alpha * (rise * rise * (3 - 2 * rise))), dtype=np.uint8)


def _check(placement: Placement, feather: float) -> None:
    if not (math.isfinite(placement.scale) and placement.scale > 0):
        raise ValueError(f"scale is {placement.scale}; accepted is a finite number above 0")
    if not all(map(math.isfinite, (placement.x, placement.y, placement.rotation))):
        found = (placement.x, placement.y, placement.rotation)
        raise ValueError(f"x, y, rotation are {found}; accepted are finite numbers")
    if not (math.isfinite(feather) and feather >= 0):
        raise ValueError(f"feather is {feather}; accepted is a finite number of pixels from 0 on")


def _nothing(placement: Placement, size: tuple[int, int]) -> ValueError:
    return ValueError(f"nothing lies in the target of {size} (height, width) at {placement}")


def _mirrored(cutout: Cutout) -> Cutout:
    colours, alpha = (np.ascontiguousarray(a[:, ::-1]) for a in (cutout.colours, cutout.alpha))
    return Cutout(colours, alpha, cutout.left, cutout.top)


def _box(alpha: NDArray[np.uint8]) -> tuple[slice, slice] | None:
    rows, columns = (np.flatnonzero((alpha > 0).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _matrix(region: Cutout, placement: Placement) -> NDArray[np.float64]:
    """(2, 3): from a place in the crop to the place in the target, both with 0.5 in the first pixel's middle."""
    box = _box(region.alpha)
    if box is None:
        raise ValueError("the cutout's alpha is 0 everywhere")
    centre = np.array([(box[1].start + box[1].stop) / 2, (box[0].start + box[0].stop) / 2])
    angle = math.radians(placement.rotation)
    # Rows count downwards: what is anticlockwise as seen is clockwise in (x, y).
    turn = placement.scale * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return np.column_stack([turn, np.array([placement.x, placement.y]) - turn @ centre])


def _whole_shift(matrix: NDArray[np.float64]) -> tuple[int, int] | None:
    if not np.array_equal(matrix[:, :2], np.eye(2)):
        return None
    x, y = round(float(matrix[0, 2])), round(float(matrix[1, 2]))
    return (x, y) if abs(matrix[0, 2] - x) < WHOLE and abs(matrix[1, 2] - y) < WHOLE else None


def _reach(
    region: Cutout, matrix: NDArray[np.float64], size: tuple[int, int], margin: int
) -> tuple[int, int, int, int]:
    """The columns and rows of the target, with a margin beyond it, where the region may lie."""
    box = _box(region.alpha)
    assert box is not None
    corners = np.array([[x, y, 1] for y in (box[0].start, box[0].stop) for x in (box[1].start, box[1].stop)])
    x, y = matrix @ corners.T
    left, top = max(math.floor(x.min()) - 2, -margin), max(math.floor(y.min()) - 2, -margin)
    right = min(math.ceil(x.max()) + 2, size[1] + margin)
    return left, top, right, min(math.ceil(y.max()) + 2, size[0] + margin)


def _shifted(
    region: Cutout, start: tuple[int, int], size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The same pixels from column and row `start` on, in a window of `size`; beyond them the outermost colours."""
    shape = region.alpha.shape
    places = [np.arange(n) - at for n, at in zip(size, start[::-1], strict=True)]
    nearest = np.ix_(*(np.clip(place, 0, n - 1) for place, n in zip(places, shape, strict=True)))
    rows, columns = ((place >= 0) & (place < n) for place, n in zip(places, shape, strict=True))
    return region.colours[nearest], np.where(rows[:, None] & columns, region.alpha[nearest], np.uint8(0))


def _resample(
    region: Cutout, matrix: NDArray[np.float64], window: tuple[int, int, int, int], scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """The region's colours, those of what surrounded it, and alpha, in a window (left, top, right, bottom).

    A scale below 1 is sampled on a grid so many times finer that nothing of the photo is skipped, and averaged.
    """
    left, top, right, bottom = window
    finer = max(1, math.ceil(1 / scale - WHOLE))
    # From the middles of the crop's pixels to those of the finer grid, as OpenCV counts them: from 0.
    step = finer * matrix
    offset = step[:, :2] @ np.full(2, 0.5) + step[:, 2] - finer * np.array([left, top]) - 0.5
    to = np.column_stack([step[:, :2], offset])
    fine, shape = ((right - left) * finer, (bottom - top) * finer), (right - left, bottom - top)

    def warp(array: Floats, border: int) -> Floats:
        return np.asarray(cv2.warpAffine(array, to, fine, flags=cv2.INTER_CUBIC, borderMode=border))

    def reduce(array: Floats) -> Floats:
        return np.asarray(cv2.resize(array, shape, interpolation=cv2.INTER_AREA)) if finer > 1 else array

    present = region.alpha.astype(np.float32) / 255
    absent = (region.alpha == 0).astype(np.float32)
    share = np.clip(warp(present, cv2.BORDER_CONSTANT), 0, 1)
    alpha = reduce(share)
    own = warp(extend(region.colours, present), cv2.BORDER_REPLICATE)
    if finer > 1:
        own = reduce(own * share[..., None]) / np.maximum(alpha, 1e-4)[..., None]
    around = own
    if absent.any():
        around = reduce(warp(extend(region.colours, absent), cv2.BORDER_REPLICATE))
    levels = np.rint(alpha * 255).astype(np.uint8)
    levels[levels < FAINTEST] = 0
    found, behind = (np.rint(np.clip(colours, 0, 255)).astype(np.uint8) for colours in (own, around))
    return found, behind, levels
