"""The field's measures of how far two images are apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_PSNR = 150.0  # dB; beyond it there is nothing but the noise of the arithmetic

RADIUS = 5  # pixels: the window of SSIM is 11 x 11
SIGMA = 1.5
RANGE = 255.0  # of the values that SSIM is taken of
BAND = 2**19  # pixels that are worked on at a time, so that a large image needs little memory

Perceptual = Callable[[NDArray[Any], NDArray[Any]], float | None]  # None for images it cannot be taken of


def mse(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Mean squared error over all entries of two arrays of one shape; 0 where they are empty.

    Over foreground pixels only, (n, 3), on 0..255, this is the field's fMSE.

    Example:
        >>> mse(np.array([[10.0, 0.0]]), np.array([[12.0, 0.0]]))
        2.0
    """
    if first.shape != second.shape:
        raise ValueError(f"shapes {first.shape} and {second.shape} differ; equal ones are accepted")
    return float(np.mean(np.square(first - second))) if first.size else 0.0


def psnr(error: float, peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error, at most 150.

    Example:
        >>> round(psnr(1.0), 2), psnr(0.0)
        (48.13, 150.0)
    """
    if error < 0 or math.isnan(error):
        raise ValueError(f"a mean squared error is {error}; 0 or more is accepted")
    return min(MOST_PSNR, 10 * math.log10(peak**2 / error)) if error > 0 else MOST_PSNR


@dataclass(frozen=True)
class Measures:
    """How far a harmonized image is from the real one; an f stands for the foreground.

    Args:
        mse: mean squared error on 0..255 over all pixels and channels.
        fmse: the same over the foreground.
        psnr: of mse, in dB, at most 150.
        fpsnr: of fmse.
        ssim: structural similarity, 1 for equal images: the mean of its map, of which the 5 pixels along each
            border are left out, for the window reaches beyond the image there.
        fssim: the mean of the whole map over the foreground.
        lpips: perceptual distance, 0 for equal images; None where it was not measured.
    """

    mse: float
    fmse: float
    psnr: float
    fpsnr: float
    ssim: float
    fssim: float
    lpips: float | None = None


def measure(
    prediction: NDArray[Any],
    real: NDArray[Any],
    mask: NDArray[np.bool_],
    *,
    peak: float = 255.0,
    perceptual: Perceptual | None = None,
) -> Measures:
    """Measure a harmonized image against the real one.

    All is computed in float64; a prediction in floats is not rounded.

    Args:
        prediction: (H, W, 3) on 0..255, uint8 or floats, 11 pixels a side or more.
        real: of the same shape, on 0..255.
        mask: bool (H, W), True in the foreground, which has one pixel at least.
        peak: the range that PSNR relates errors to, above 0.
        perceptual: distance of a prediction and a real image, for `lpips`; None where it has none of these.

    Raises:
        ValueError: other shapes, sizes or types, an empty mask, or a peak of 0 or less.

    Example:
        >>> real = np.full((16, 16, 3), 100, np.uint8)
        >>> prediction, mask = real.astype(np.float32), np.zeros((16, 16), np.bool_)
        >>> mask[4:12, 4:12] = True
        >>> prediction[mask] += 2
        >>> found = measure(prediction, real, mask)
        >>> found.mse, found.fmse, round(found.psnr, 2), round(found.fpsnr, 2)
        (1.0, 4.0, 48.13, 42.11)
    """
    _check_pair(prediction, real)
    _check_foreground(mask, real, peak)
    sums = np.array([_band_sums(band, mask) for band in _bands(prediction, real)])
    whole, foreground, similar, similar_foreground = (math.fsum(column) for column in sums.T)
    height, width = mask.shape
    inside = 3 * int(mask.sum())
    error, foreground_error = whole / (3 * height * width), foreground / inside
    distance = None if perceptual is None else perceptual(prediction, real)
    return Measures(
        mse=error,
        fmse=foreground_error,
        psnr=psnr(error, peak),
        fpsnr=psnr(foreground_error, peak),
        ssim=similar / (3 * (height - 2 * RADIUS) * (width - 2 * RADIUS)),
        fssim=similar_foreground / inside,
        lpips=None if distance is None else float(distance),
    )


def ssim_map(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """Structural similarity of two images around each pixel, channel by channel.

    Means, variances and the covariance are weighted by a Gaussian of sigma 1.5 in a window of 11 x 11, which is
    mirrored at the borders (the pixel at the border twice); the variances are those of a population, and the
    range is 255.

    Args:
        first: (H, W, 3) on 0..255, uint8 or floats, 11 pixels a side or more.
        second: of the same shape.

    Returns:
        float64 (H, W, 3), at most 1.

    Raises:
        ValueError: other shapes, sizes or types.

    Source:
        Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, 2004.

    Example:
        >>> image = np.random.default_rng(0).uniform(0, 255, (16, 16, 3))
        >>> bool(np.allclose(ssim_map(image, image), 1)), bool(ssim_map(image, 255 - image).mean() < 0)
        (True, True)
    """
    _check_pair(first, second)
    found = np.empty(first.shape)
    for band in _bands(first, second):
        found[band.rows] = band.similarity
    return found


@dataclass(frozen=True)
class _Band:
    """Rows of two images: which they are, their squared differences and their similarity (h, W, 3)."""

    rows: slice
    squares: NDArray[np.float64]
    similarity: NDArray[np.float64]


def _bands(first: NDArray[Any], second: NDArray[Any]) -> Iterator[_Band]:
    height, width = first.shape[:2]
    step = max(4 * RADIUS, BAND // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        # The window of a band's outermost rows reaches into the next band; at the image's end it is mirrored.
        reach = slice(max(0, top - RADIUS), min(height, bottom + RADIUS))
        one, other = (np.asarray(image[reach], dtype=np.float64) for image in (first, second))
        own = slice(top - reach.start, bottom - reach.start)
        yield _Band(slice(top, bottom), np.square(one[own] - other[own]), _similarity(one, other)[own])


def _band_sums(band: _Band, mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Sums of squares and of similarity, each over what the measures are the mean of: all and foreground."""
    inside, height = mask[band.rows], len(mask)
    # Similarity over the whole image leaves out what lies within 5 pixels of the border.
    first, last = max(band.rows.start, RADIUS), min(band.rows.stop, height - RADIUS)
    inner = band.similarity[first - band.rows.start : max(last - band.rows.start, 0), RADIUS:-RADIUS]
    return (
        float(band.squares.sum()),
        float(band.squares[inside].sum()),
        float(inner.sum()),
        float(band.similarity[inside].sum()),
    )


def _similarity(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map of `ssim_map` of images that are worked on in one piece."""
    small, smaller = (0.01 * RANGE) ** 2, (0.03 * RANGE) ** 2
    mean, other = _blur(first), _blur(second)
    squares = mean**2 + other**2
    product = mean * other
    spread = _blur(first**2 + second**2) - squares  # the sum of both variances
    shared = _blur(first * second) - product
    found: NDArray[np.float64] = (2 * product + small) * (2 * shared + smaller)
    found /= (squares + small) * (spread + smaller)
    return found


def _blur(values: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    weights /= weights.sum()
    return np.asarray(cv2.sepFilter2D(values, cv2.CV_64F, weights, weights, borderType=cv2.BORDER_REFLECT))


def _check_pair(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.ndim != 3 or first.shape[2] != 3 or first.shape != second.shape:
        raise ValueError(f"images have shapes {first.shape} and {second.shape}; equal ones (H, W, 3) are accepted")
    for image in (first, second):
        if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
            raise ValueError(f"an image is {image.dtype}; uint8 and floats on 0..255 are accepted")
    if min(first.shape[:2]) < 2 * RADIUS + 1:
        raise ValueError(
            f"an image is {first.shape[1]} x {first.shape[0]} pixels; {2 * RADIUS + 1} a side or more is accepted"
        )


def _check_foreground(mask: NDArray[Any], real: NDArray[Any], peak: float) -> None:
    if mask.shape != real.shape[:2] or mask.dtype != np.bool_:
        raise ValueError(f"the mask is {mask.dtype} {mask.shape}; bool {real.shape[:2]} is accepted")
    if not mask.any():
        raise ValueError("the mask is False everywhere; a foreground of at least one pixel is accepted")
    if not peak > 0:
        raise ValueError(f"peak is {peak}; above 0 is accepted")
