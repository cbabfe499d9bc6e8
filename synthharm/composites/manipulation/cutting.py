"""Cutting a region out of its photo: how much of each pixel is its own, and what colour that part has."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation.edits import Cut
from synthharm.masks import SINGLE, THRESHOLD

NEAR_BORDER = 2
FAINTEST, FULLEST = 4, 251  # what is beyond counts as nothing and as everything: noise of the matting
MATTE_PIXELS = 2**19  # matting takes some 400 bytes for each pixel of a crop

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Cutout:
    """A region cut out of its photo, with some margin.

    Args:
        colours: uint8 (h, w, 3): the region's own where alpha is above 0, elsewhere those of what surrounds it.
        alpha: uint8 (h, w), 0..255, before feathering.
        left: where the crop's first column lies in the photo.
        top: where its first row does.
    """

    colours: NDArray[np.uint8]
    alpha: NDArray[np.uint8]
    left: int
    top: int


def touches_border(mask: NDArray[np.uint8]) -> bool:
    """Whether a region, uint8 (H, W), from 128 on, comes within 2 pixels of its photo's border: is it cut off?

    Example:
        >>> mask = np.zeros((9, 9), np.uint8)
        >>> mask[2:7, 2:7] = 255
        >>> touches_border(mask), touches_border(mask[1:])
        (False, True)
    """
    inside = mask >= THRESHOLD
    n = NEAR_BORDER
    return bool(inside[:n].any() or inside[-n:].any() or inside[:, :n].any() or inside[:, -n:].any())


def cut_out(photo: NDArray[np.uint8], mask: NDArray[np.uint8], cut: Cut) -> Cutout:
    """Cut a region out of its photo.

    With "mask", alpha is the mask and the colours are the photo's. With "matte", the mask (from 128 on) is certain
    but for a band along its edge, of 2 to 24 pixels to either side by the region's size and never so wide that a
    part of the region has no certain pixel left. In the band alpha is estimated by closed-form matting (Levin et
    al., A Closed-Form Solution to Natural Image Matting, 2008), and colours where alpha is below 255 by
    multi-level foreground estimation (Germer et al., Fast Multi-Level Foreground Estimation, 2020). Crops of
    more than half a megapixel are matted at a reduced size. What the matting finds apart from the region goes.

    Args:
        photo: uint8 RGB (H, W, 3).
        mask: uint8 (H, W), 0..255.
        cut: how; its feather is for placing and not used here.

    Raises:
        ValueError: sizes that differ, a mask that nowhere reaches 128 or of which nothing that does is left, an
            erosion below 0, or a matting without result.

    Example:
        >>> photo, mask = np.full((40, 50, 3), 90, np.uint8), np.zeros((40, 50), np.uint8)
        >>> mask[10:30, 20:40] = 255
        >>> cutout = cut_out(photo, mask, Cut(alpha="mask", erosion=1))
        >>> int((cutout.alpha == 255).sum()), mask[cutout.top, cutout.left]
        (324, np.uint8(0))
    """
    if photo.shape[:2] != mask.shape:
        raise ValueError(f"the mask is {mask.shape}; accepted is its photo's size, {photo.shape[:2]}")
    if not (math.isfinite(cut.erosion) and cut.erosion >= 0):
        raise ValueError(f"erosion is {cut.erosion}; accepted is a finite number of pixels from 0 on")
    inside = mask >= THRESHOLD
    if not inside.any():
        raise ValueError(f"the mask is empty: no value reaches {THRESHOLD}")
    width = _band_width(int(inside.sum()))
    rows, columns = _window(mask, 3 * math.ceil(width) + 2)
    colours, alpha = photo[rows, columns].copy(), mask[rows, columns].copy()
    if cut.alpha == "matte":
        alpha = _matte(colours, inside[rows, columns], width)
        colours = _own_colours(colours, alpha)
    outside = alpha == 0
    alpha = erode(alpha, cut.erosion)
    lost = (alpha == 0) & ~outside
    if lost.any():
        colours[lost] = np.rint(extend(colours, outside.astype(np.float32))[lost]).astype(np.uint8)
    if int(alpha.max()) < THRESHOLD:
        left = int(alpha.max())
        raise ValueError(f"nothing is left of a region of {int(inside.sum())} pixels: alpha reaches {left} of 255")
    return Cutout(colours, alpha, columns.start, rows.start)


def erode(alpha: NDArray[np.uint8], distance: float) -> NDArray[np.uint8]:
    """Move an alpha's rim inwards, keeping its profile: the lowest value within `distance`, uint8 (H, W).

    Between whole pixels the two results mix in proportion. The border of the picture is no rim.

    Example:
        >>> erode(np.array([[0, 255, 255, 255, 0]] * 3, np.uint8), 0.5)[1]
        array([  0, 128, 255, 128,   0], dtype=uint8)
    """
    whole = math.floor(distance)
    near = _lowest_within(alpha, whole)
    if distance == whole:
        return near
    mixed = near + (distance - whole) * (_lowest_within(alpha, whole + 1).astype(np.float64) - near)
    return np.asarray(np.rint(mixed), dtype=np.uint8)


def extend(colours: NDArray[Any], weights: Floats) -> Floats:
    """Colours for where there are none: those of the nearest that have weight, blending into each other.

    Args:
        colours: (H, W, 3), of any type.
        weights: float32 (H, W), 0..1: how much each is to be trusted.

    Returns:
        float32 (H, W, 3): as they are where the weight is 1, without any part in it where it is 0.

    Source:
        Pull-push: Gortler et al., The Lumigraph, 1996.
    """
    return _pull_push(colours.astype(np.float32) * weights[..., None], weights)


def _lowest_within(alpha: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    if radius == 0:
        return alpha.copy()
    reach = np.arange(-radius, radius + 1)
    disc = (reach[:, None] ** 2 + reach**2 <= radius**2).astype(np.uint8)
    return np.asarray(cv2.erode(alpha, disc), dtype=np.uint8)


def _band_width(area: int) -> float:
    """How far off the mask's edge may be: outlines are drawn by hand, and more coarsely for large objects."""
    return min(max(1 + 0.02 * math.sqrt(area), 2.0), 24.0)


def _window(mask: NDArray[np.uint8], margin: int) -> tuple[slice, slice]:
    spans = []
    for size, found in zip(mask.shape, ((mask > 0).any(axis=1), (mask > 0).any(axis=0)), strict=True):
        places = np.flatnonzero(found)
        spans.append(slice(max(0, int(places[0]) - margin), min(size, int(places[-1]) + 1 + margin)))
    return spans[0], spans[1]


def _matte(image: NDArray[np.uint8], inside: NDArray[np.bool_], width: float) -> NDArray[np.uint8]:
    """Alpha by closed-form matting, uint8 (h, w), of a crop whose region is bool (h, w)."""
    trimap = np.full(inside.shape, 0.5)
    trimap[_certain(inside, width)] = 1
    trimap[_certain(~inside, width)] = 0
    if not (trimap == 0.5).any():
        return np.where(inside, np.uint8(255), np.uint8(0))
    if min(inside.shape) < 3:
        raise ValueError(f"a crop of {inside.shape} is too small for a matte; accepted are 3 pixels each way")
    ratio = math.sqrt(MATTE_PIXELS / inside.size)
    if ratio < 1:
        size = tuple(max(3, round(side * ratio)) for side in inside.shape[::-1])
        small = np.asarray(cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST), np.float64)
        reduced = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        found = np.asarray(cv2.resize(_solve_matte(reduced, small), inside.shape[::-1]), np.float64)
    else:
        found = _solve_matte(image, trimap)
    alpha = np.where(trimap == 0.5, np.rint(found * 255), trimap * 255).astype(np.uint8)
    alpha[alpha < FAINTEST] = 0
    alpha[alpha > FULLEST] = 255
    _, parts = cv2.connectedComponents((alpha > 0).astype(np.uint8), connectivity=8)
    kept = np.zeros(int(parts.max()) + 1, np.bool_)
    kept[parts[inside & (alpha >= THRESHOLD)]] = True
    alpha[~kept[parts]] = 0
    return alpha


def _certain(side: NDArray[np.bool_], width: float) -> NDArray[np.bool_]:
    """The pixels farther than `width` from the other side; of a small part at least its middle."""
    if side.all():
        return side
    depth: Any = cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    parts: Any
    count, parts = cv2.connectedComponents(side.astype(np.uint8), connectivity=8)
    deepest: Any = np.zeros(count, np.float32)
    np.maximum.at(deepest, parts.ravel(), depth.ravel())
    return np.asarray(side & (depth > np.minimum(width + SINGLE, deepest[parts] / 2)))


def _solve_matte(image: NDArray[np.uint8], trimap: NDArray[np.float64]) -> NDArray[np.float64]:
    """Alpha in 0..1, float64 (h, w), from a trimap of 0, 0.5 and 1."""
    from pymatting import estimate_alpha_cf

    try:
        with np.errstate(all="ignore"):
            alpha = estimate_alpha_cf(image / 255, trimap, preconditioner=_factorize)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"no matte could be found for a crop of {trimap.shape}: {error}") from error
    if not np.isfinite(alpha).all():
        raise ValueError(f"no matte could be found for a crop of {trimap.shape}: its equations have no solution")
    return np.asarray(alpha, dtype=np.float64)


def _factorize(matrix: Any) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Solve exactly but for a trace of the diagonal: of a band along an edge, the factors stay small.

    The iteration that it serves then ends after a step or two, on any photo.
    """
    from scipy.sparse import identity
    from scipy.sparse.linalg import splu

    shifted = (matrix + 1e-9 * identity(matrix.shape[0])).tocsc()
    factors = splu(shifted, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    solve: Callable[[NDArray[np.float64]], NDArray[np.float64]] = factors.solve
    return solve


def _own_colours(image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The foreground's colours, uint8 (h, w, 3), where alpha is above 0, estimated where a pixel is mixed."""
    shares = alpha.astype(np.float32) / 255
    found = _estimate_foreground(image.astype(np.float32) / 255, shares)
    mixed = (alpha > 0) & (alpha < 255)
    return np.where(mixed[..., None], np.rint(found * 255).astype(np.uint8), image)


def _estimate_foreground(image: Floats, alpha: Floats) -> Floats:
    """Foreground colours in 0..1 that, over some background, give the image, and are smooth where alpha is not.

    The two are found together, first for few pixels, then for more and more (Germer et al. 2020), here by Jacobi
    steps, which need no order.
    """
    height, width = alpha.shape
    foreground, background = (
        (image * share[..., None]).sum(axis=(0, 1), keepdims=True) / max(float(share.sum()), 1e-5)
        for share in (alpha, 1 - alpha)
    )
    levels = max(1, math.ceil(math.log2(max(height, width))))
    for level in range(levels + 1):
        size = round(width ** (level / levels)), round(height ** (level / levels))
        small, share = (
            np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_NEAREST), np.float32) for a in (image, alpha)
        )
        foreground, background = (
            np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_NEAREST), np.float32).reshape(small.shape)
            for a in (foreground, background)
        )
        for _ in range(10 if max(size) <= 32 else 3):
            foreground, background = _refine(small, share, foreground, background)
    return np.asarray(foreground, dtype=np.float32)


def _refine(
    image: Floats,
    alpha: Floats,
    foreground: Floats,
    background: Floats,
) -> tuple[Floats, Floats]:
    """One step: at each pixel the two colours that fit it and its neighbours' colours best."""
    rest = 1 - alpha
    ties = np.zeros_like(alpha)
    ahead, behind = alpha[..., None] * image, rest[..., None] * image
    padded = [cv2.copyMakeBorder(a, 1, 1, 1, 1, cv2.BORDER_REPLICATE) for a in (alpha, foreground, background)]
    height, width = alpha.shape
    for top, left in ((0, 1), (2, 1), (1, 0), (1, 2)):
        share, front, back = (a[top : top + height, left : left + width] for a in padded)
        tie = np.float32(1e-5) + np.abs(alpha - share)  # the published smoothness, and its weight of alpha's slope
        ties += tie
        ahead += tie[..., None] * front
        behind += tie[..., None] * back
    first, mixed, last = (a[..., None] for a in (alpha * alpha + ties, alpha * rest, rest * rest + ties))
    scale = 1 / (first * last - mixed * mixed)
    return (
        np.clip((last * ahead - mixed * behind) * scale, 0, 1),
        np.clip((first * behind - mixed * ahead) * scale, 0, 1),
    )


def _pull_push(weighted: Floats, weights: Floats) -> Floats:
    height, width = weights.shape
    if height == width == 1:
        return weighted / max(float(weights[0, 0]), 1e-6)
    even = ((0, height % 2), (0, width % 2))
    coarse, total = np.pad(weighted, (*even, (0, 0))), np.pad(weights, even)
    coarse = coarse[::2, ::2] + coarse[1::2, ::2] + coarse[::2, 1::2] + coarse[1::2, 1::2]
    total = total[::2, ::2] + total[1::2, ::2] + total[::2, 1::2] + total[1::2, 1::2]
    scale = 1 / np.maximum(total, 1)
    below = _pull_push(coarse * scale[..., None], total * scale)
    up = cv2.resize(below, (2 * total.shape[1], 2 * total.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(weighted + (1 - weights)[..., None] * up[:height, :width], dtype=np.float32)
