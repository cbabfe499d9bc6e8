"""Saving a picture as a file and reading it back, as a history does it again and again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthharm.composites.encoding import encode_png
from synthharm.composites.history.steps import Jpeg, Png, Save, Subsampling, Webp

Pixels = NDArray[np.uint8]

SUBSAMPLINGS: tuple[Subsampling, ...] = get_args(Subsampling)
FORMATS = ("JPEG", "PNG", "WEBP")
LONGEST = {Jpeg: 65535, Webp: 16383}  # pixels on a side: what the formats can say
WEBP_METHOD = 4  # how long WebP searches: 0 to 6, and what most tools leave it at


def encode(image: Pixels, step: Save) -> bytes:
    """Save an RGB image (H, W, 3) uint8 as a step says: the same pixels and step give the same bytes.

    JPEG is baseline with the standard's Huffman tables, and has no metadata but JFIF's.

    Raises:
        ValueError: another array, or a step whose settings its format does not take.

    Example:
        >>> image = np.full((8, 8, 3), 90, np.uint8)
        >>> bool((decode(encode(image, Png())) == image).all())
        True
        >>> encode(image, Jpeg())
        Traceback (most recent call last):
        ValueError: a JPEG is saved by quality or by tables; exactly one of them is accepted, and neither is given
    """
    check_pixels(image)
    _check_sides(image, step)
    match step:
        case Png():
            _check_range("compression of PNG", step.compression, 0, 9)
            return encode_png(image, step.compression)
        case Webp():
            _check_range("quality of WebP", step.quality, 0, 100)
            return _by_pillow(image, format="WEBP", quality=step.quality, method=WEBP_METHOD)
        case Jpeg():
            return _by_pillow(image, format="JPEG", **_jpeg_settings(step))
    raise ValueError(f"{step!r} is no save; Jpeg, Png and Webp are accepted")


def decode(data: bytes) -> Pixels:
    """Read a file back as RGB (H, W, 3) uint8: JPEG by libjpeg-turbo, its colour interpolated as most viewers do.

    Raises:
        ValueError: no JPEG, PNG or WebP, one that breaks off, or one that is neither grey nor RGB in 8 bits.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as file:
            mode, pixels = file.mode, np.array(file.convert("RGB"))
    except Exception as error:  # a decoder that is fed damaged data fails in as many ways as it has lines
        raise ValueError(f"{len(data)} bytes starting with {data[:8]!r} cannot be decoded: {error}") from error
    if mode not in ("L", "RGB"):
        raise ValueError(f"the file's pixels are {mode}; grey or RGB in 8 bits is accepted")
    return pixels


def check_pixels(image: Pixels) -> None:
    """Raise ValueError for what is no image (H, W, 3) uint8 of at least one pixel."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"the image is {image.dtype} {image.shape}; uint8 (H, W, 3) is accepted")


def check_tables(tables: Sequence[Sequence[int]]) -> None:
    """Raise ValueError for what are no two tables of 64 numbers from 1 to 255.

    Example:
        >>> check_tables([[1] * 64, [1] * 63])
        Traceback (most recent call last):
        ValueError: the chrominance table has 63 numbers; 64 are accepted
    """
    if len(tables) != 2:
        raise ValueError(f"{len(tables)} tables; two are accepted: luminance and chrominance")
    for name, table in zip(("luminance", "chrominance"), tables, strict=True):
        if len(table) != 64:
            raise ValueError(f"the {name} table has {len(table)} numbers; 64 are accepted")
        for place, number in enumerate(table):
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= 255:
                raise ValueError(
                    f"number {place} of the {name} table is {number!r}; a whole number from 1 to 255 is accepted"
                )


def check_subsampling(subsampling: str) -> None:
    """Raise ValueError for another one than those of `Jpeg`."""
    if subsampling not in SUBSAMPLINGS:
        raise ValueError(f"the subsampling is {subsampling!r}; accepted are {', '.join(SUBSAMPLINGS)}")


def check_jpeg(step: Jpeg) -> None:
    """Raise ValueError for a step that says too little or too much, or is out of range."""
    if (step.quality is None) == (step.tables is None):
        given = "neither is" if step.quality is None else "both are"
        raise ValueError(
            f"a JPEG is saved by quality or by tables; exactly one of them is accepted, and {given} given"
        )
    check_subsampling(step.subsampling)
    if step.quality is not None:
        _check_range("quality of JPEG", step.quality, 1, 100)
    if step.tables is not None:
        check_tables(step.tables)


def _jpeg_settings(step: Jpeg) -> dict[str, Any]:
    """As Pillow takes them. It takes tables in rows of the block, and writes them in zigzag."""
    check_jpeg(step)
    how: dict[str, Any] = {"subsampling": step.subsampling, "optimize": False, "progressive": False}
    if step.tables is None:
        return how | {"quality": step.quality}
    return how | {"qtables": [list(table) for table in step.tables]}


def _by_pillow(image: Pixels, **settings: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, **settings)
    return file.getvalue()


def _check_sides(image: Pixels, step: Save) -> None:
    longest, side = LONGEST.get(type(step)), max(image.shape)
    if longest is not None and side > longest:
        raise ValueError(f"a side of {side} pixels in a {type(step).__name__}; up to {longest} are accepted")


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"the {name} is {value!r}; a whole number from {low} to {high} is accepted")
