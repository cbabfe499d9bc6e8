"""Masks: reading them from the many ways they are stored, checking, feathering, and the band along their edge.

A mask is uint8 (H, W), 0 outside and 255 inside; values between mix foreground and background. From 128 on a
pixel counts as foreground.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthharm.errors import Unusable
from synthharm.imagefile import MAX_PIXELS, DecodedFile, decode, reduce_depth

THRESHOLD = 128
SINGLE = 1e-3  # pixels: the single precision of distances may put one of 5 a hair above it
Depth = TypeVar("Depth", np.uint8, np.uint16)


def decode_mask(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode a mask's file to uint8 (H, W), upright.

    Grey files (1, 8 or 16 bits) are taken as they are, and scaled to 0 and 255 if their largest value is 1. Of
    palette files index 0 is background and every other index foreground. Colour files must be grey in every
    pixel, and where they have alpha, what is transparent is background.

    Args:
        data: the file's bytes.
        name: what errors call it.
        max_pixels: the most pixels that are decoded; a header that claims more is refused before that.

    Raises:
        Unusable: "too large", or "bad mask" for what cannot be decoded or read in one way only: colours, a palette
            with black in another place than index 0, 16 bits of which only a few are used.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> Image.fromarray(np.array([[0, 1]], np.uint8)).save(file, "PNG")
        >>> decode_mask(file.getvalue(), "a.png")
        array([[  0, 255]], dtype=uint8)
    """
    try:
        file = decode(data, name, max_pixels=max_pixels)
    except Unusable as error:
        if error.reason == "too large":
            raise
        raise Unusable(name, "bad mask", f"{error.reason}: {error.detail}") from error
    if file.deep is not None:
        return _from_deep(file, name)
    if file.image.mode in ("P", "PA"):
        return _from_palette(file.image, name)
    if file.image.mode in ("1", "L") and "transparency" not in file.image.info:
        mask = np.array(file.image.convert("L"))
    elif file.image.mode == "CMYK":
        raise Unusable(name, "bad mask", "is in CMYK; accepted are grey and palette files")
    else:
        rgba = np.array(file.image.convert("RGBA"))
        mask = _grey(rgba, name)
    return _scale_labels(mask)


def binarize(mask: NDArray[np.uint8], threshold: int = THRESHOLD) -> NDArray[np.uint8]:
    """255 where the mask is at least `threshold` (1..255), else 0; same shape.

    Example:
        >>> binarize(np.array([[0, 127, 128, 255]], np.uint8))
        array([[  0,   0, 255, 255]], dtype=uint8)
    """
    if not 1 <= threshold <= 255:
        raise ValueError(f"threshold is {threshold}; accepted is 1..255")
    return np.where(mask >= threshold, np.uint8(255), np.uint8(0))


def feather(mask: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Blur a mask's edge with a Gaussian that ends `radius` pixels away from it (its sigma is half of that).

    Whatever is farther than `radius` from every edge, along rows and columns, keeps its value. An object that
    leaves the picture does not fade where it does. Radius 0 gives the same bytes.

    Args:
        mask: uint8 (H, W), 0..255.
        radius: pixels, at least 0.

    Returns:
        uint8 (H, W), 0..255.

    Example:
        >>> feather(np.array([[0, 0, 0, 0, 255, 255, 255, 255]], np.uint8), 2)
        array([[  0,   0,  14,  76, 179, 241, 255, 255]], dtype=uint8)
    """
    if not (math.isfinite(radius) and radius >= 0):
        raise ValueError(f"radius is {radius}; accepted is a finite number of pixels from 0 on")
    if radius == 0:
        return mask.copy()
    import cv2

    side = 2 * math.ceil(radius) + 1
    soft = cv2.GaussianBlur(mask, (side, side), radius / 2, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(soft, dtype=np.uint8)


def boundary_band(mask: NDArray[np.uint8], width: float) -> NDArray[np.bool_]:
    """The pixels within `width` of the other side: foreground near background and background near foreground.

    Distance is Euclidean between pixel centres, so a width of 1 marks the pixels that touch across the edge. The
    edge of the picture is no edge of the mask.

    Args:
        mask: uint8 (H, W), 0..255; foreground from 128 on.
        width: pixels, at least 0.

    Returns:
        bool (H, W).

    Example:
        >>> boundary_band(np.array([[0, 0, 0, 255, 255, 255]], np.uint8), 1)
        array([[False, False,  True,  True, False, False]])
    """
    if not width >= 0:
        raise ValueError(f"width is {width}; accepted is a number of pixels from 0 on")
    inside = mask >= THRESHOLD
    if inside.all() or not inside.any():
        return np.zeros(mask.shape, dtype=np.bool_)
    import cv2

    # Within one side the distance to the other is positive, and 0 is never reached: width 0 marks nothing.
    depth = [
        cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for side in (inside, ~inside)
    ]
    return np.asarray(np.maximum(*depth) <= width + SINGLE) if width > 0 else np.zeros(mask.shape, dtype=np.bool_)


def surroundings(mask: NDArray[np.uint8], share: float = 0.5) -> NDArray[np.bool_]:
    """What lies around a region: the background within `share` of the square root of its area.

    Args:
        mask: uint8 (H, W), 0..255; foreground where it is not 0.
        share: of the side of a square as large as the region.

    Returns:
        bool (H, W), all False where a region fills its picture.

    Example:
        >>> surroundings(np.array([[0, 0, 0, 0, 255, 255, 255, 255, 0]], np.uint8))[0].astype(int)
        array([0, 0, 0, 1, 0, 0, 0, 0, 1])
    """
    import cv2

    inside = mask > 0
    if inside.all() or not inside.any():
        return np.zeros(mask.shape, dtype=np.bool_)
    distance = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    reach = max(1.0, share * float(inside.sum()) ** 0.5)
    return np.asarray(~inside & (distance <= reach + SINGLE))


def check_mask(mask: NDArray[np.uint8], size: tuple[int, int], name: str) -> None:
    """Check that a mask has its photo's `size` = (H, W) and some foreground.

    Raises:
        Unusable: "mask size" or "empty mask" (no value reaches 128).

    Example:
        >>> check_mask(np.zeros((3, 4), np.uint8), (3, 4), "a.png")
        Traceback (most recent call last):
        synthharm.errors.Unusable: a.png: empty mask: no value reaches 128; the largest is 0
    """
    if mask.shape != size:
        found = " x ".join(map(str, mask.shape[::-1]))
        raise Unusable(name, "mask size", f"{found} pixels; its photo has {size[1]} x {size[0]}")
    largest = int(mask.max(initial=0))
    if largest < THRESHOLD:
        raise Unusable(name, "empty mask", f"no value reaches {THRESHOLD}; the largest is {largest}")


def _from_palette(image: Image.Image, name: str) -> NDArray[np.uint8]:
    index = np.array(image.getchannel(0))
    palette = image.getpalette("RGB") or []
    colours = [tuple(palette[3 * i : 3 * i + 3]) for i in np.unique(index).tolist()]
    if tuple(palette[:3]) != (0, 0, 0) and (0, 0, 0) in colours:
        detail = f"a palette whose index 0, the background, is {tuple(palette[:3])} while another index is black"
        raise Unusable(name, "bad mask", detail)
    return np.where(index > 0, np.uint8(255), np.uint8(0))


def _from_deep(file: DecodedFile, name: str) -> NDArray[np.uint8]:
    assert file.deep is not None
    samples = file.deep if file.deep.ndim == 2 else _grey(file.deep, name)
    largest = int(samples.max(initial=0))
    if 1 < largest < 256:
        detail = f"16 bits whose largest value is {largest}; accepted are values up to 65535, or 0 and 1"
        raise Unusable(name, "bad mask", detail)
    return _scale_labels(samples.astype(np.uint8)) if largest <= 1 else reduce_depth(samples)


def _grey(samples: NDArray[Depth], name: str) -> NDArray[Depth]:
    """One channel (H, W) of RGB(A) samples, over black."""
    red = samples[..., 0]
    for channel in (samples[..., 1], samples[..., 2]):
        if not np.array_equal(red, channel):
            row, column = np.argwhere(red != channel)[0]
            found = tuple(int(v) for v in samples[row, column, :3])
            detail = f"is coloured: RGB {found} at row {row}, column {column}; accepted are grey and palette files"
            raise Unusable(name, "bad mask", detail)
    if samples.shape[2] == 3:
        return red
    top = np.iinfo(samples.dtype).max
    return np.rint(red.astype(np.float64) * samples[..., 3] / top).astype(samples.dtype)


def _scale_labels(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return mask * np.uint8(255) if mask.max(initial=0) == 1 else mask
