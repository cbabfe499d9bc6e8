"""COCO segmentations: polygons and run-length encodings, checked before anything is allocated or handed to C code.

Run lengths alternate between background and foreground, begin with background, and go down the columns. The
compressed text holds each as a number of 5-bit digits, as many as it takes: from the fourth on the difference from
the one two places before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from synthharm.errors import Unusable

_FIRST_DIGIT, _DIGIT_BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10
_MOST_DIGITS = 8  # 40 bits: far more than any picture has pixels


class RunLengths(msgspec.Struct, frozen=True):
    """A mask of `size` (H, W) as run lengths, plain or compressed."""

    size: tuple[int, int]
    counts: str | list[Annotated[int, msgspec.Meta(ge=0, le=2**40)]]


Polygons = list[list[float]]


def rasterize(segmentation: str | bytes, size: tuple[int, int], name: str) -> NDArray[np.uint8]:
    """Draw a segmentation, as the JSON text of a COCO annotation has it, as a mask uint8 (H, W) of 0 and 255.

    Args:
        segmentation: a list of polygons [[x, y, x, y, …], …] in pixels, whose union is meant; or an object with
            size [H, W] and counts, a list of run lengths or their compressed text.
        size: (H, W) of the photo.
        name: what errors call it.

    Raises:
        Unusable: "mask size" for run lengths of another size; "bad mask" for anything that is not a mask of the
            photo: run lengths that do not fill it, polygons of less than three points, far outside, or absurdly
            long.

    Example:
        >>> rasterize('{"size": [2, 3], "counts": [2, 3, 1]}', (2, 3), "region 1")
        array([[  0, 255, 255],
               [  0, 255,   0]], dtype=uint8)
        >>> rasterize("[[0, 0, 2, 0, 2, 1, 0, 1]]", (2, 3), "region 2")
        array([[255, 255,   0],
               [  0,   0,   0]], dtype=uint8)
    """
    shape = parse(segmentation, size, name)
    if not isinstance(shape, list):
        return _fill_runs(shape, size)
    from pycocotools import mask as coco

    runs = coco.merge(coco.frPyObjects(shape, *size))
    return _fill_runs(_decompress(runs["counts"].decode("ascii"), name), size)


def area(segmentation: str | bytes, size: tuple[int, int], name: str) -> float:
    """The area in pixels: exact of run lengths, of polygons by the shoelace formula, overlaps counted twice.

    Takes and refuses what `rasterize` does. A polygon that lies outside the photo counts nothing; of one that
    reaches out of it, all counts.

    Example:
        >>> area("[[0, 0, 2, 0, 2, 1, 0, 1]]", (2, 3), "region 2")
        2.0
    """
    shape = parse(segmentation, size, name)
    if not isinstance(shape, list):
        return float(shape[1::2].sum())
    total = 0.0
    for polygon in shape:
        across, down = polygon[0::2], polygon[1::2]
        if max(across) <= 0 or max(down) <= 0 or min(across) >= size[1] or min(down) >= size[0]:
            continue
        x, y = np.array(across), np.array(down)
        total += abs(float(x @ _next(y) - y @ _next(x))) / 2
    return total


def _next(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each point's next along a closed line; `np.roll` takes ten times as long for so few."""
    return np.concatenate((values[1:], values[:1]))


def parse(segmentation: str | bytes, size: tuple[int, int], name: str) -> Polygons | NDArray[np.int64]:
    """Read and check a segmentation's JSON text: polygons, or run lengths that fill `size`. Raises Unusable."""
    try:
        shape = msgspec.json.decode(segmentation, type=Polygons | RunLengths)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unusable(name, "bad mask", f"neither polygons nor run lengths: {error}") from error
    if not isinstance(shape, RunLengths):
        _check_polygons(shape, size, name)
        return shape
    if shape.size != size:
        detail = f"run lengths for {shape.size[1]} x {shape.size[0]} pixels; its photo has {size[1]} x {size[0]}"
        raise Unusable(name, "mask size", detail)
    if isinstance(shape.counts, str):
        counts = _decompress(shape.counts, name)
    else:
        counts = np.array(shape.counts, dtype=np.int64)
    pixels = size[0] * size[1]
    # The limits of each come first: sums of huge ones would wrap around to any number.
    lowest, highest = int(counts.min(initial=0)), int(counts.max(initial=0))
    if lowest < 0 or highest > pixels or int(counts.sum()) != pixels or not pixels:
        detail = f"{len(counts)} run lengths of {lowest} to {highest} and {counts.sum()} in all"
        raise Unusable(name, "bad mask", f"{detail}; {size[1]} x {size[0]} pixels are needed")
    return counts


def _decompress(text: str, name: str) -> NDArray[np.int64]:
    digits = np.array([ord(character) for character in text], dtype=np.int64) - _FIRST_DIGIT
    if ((digits < 0) | (digits >= 2 * _MORE)).any():
        raise Unusable(name, "bad mask", "compressed run lengths with a character outside of '0' to 'o'")
    if not len(digits):
        return digits
    last = (digits & _MORE) == 0
    ends = np.flatnonzero(last)
    if not last[-1]:
        raise Unusable(name, "bad mask", "compressed run lengths that break off within a number")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _MOST_DIGITS:
        raise Unusable(name, "bad mask", f"compressed run lengths with a number of {lengths.max()} digits")
    place = np.arange(len(digits)) - np.repeat(starts, lengths)
    values = np.add.reduceat((digits & (_MORE - 1)) << (_DIGIT_BITS * place), starts)
    values -= np.where(digits[ends] & _SIGN, np.int64(1) << (_DIGIT_BITS * lengths), 0)
    # From the fourth on, a number is the difference from the one two places before it.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


def _fill_runs(counts: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint8]:
    values = np.zeros(len(counts), dtype=np.uint8)
    values[1::2] = 255
    return np.ascontiguousarray(np.repeat(values, counts).reshape(size[::-1]).T)


def _check_polygons(polygons: Sequence[Sequence[float]], size: tuple[int, int], name: str) -> None:
    # The rasterizer lists the points of every edge: its memory grows with their total length.
    reach = max(size)
    longest = 4 * size[0] * size[1] + 1000 * sum(size)
    if not polygons:
        raise Unusable(name, "bad mask", "no polygon in its segmentation")
    most = 0.0
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            detail = f"a polygon of {len(polygon)} numbers; accepted are x, y pairs of at least three points"
            raise Unusable(name, "bad mask", detail)
        lowest, highest = min(polygon), max(polygon)
        if not (math.isfinite(lowest + highest) and -reach <= lowest and highest <= 2 * reach):
            detail = f"a polygon from {lowest} to {highest}; accepted is {-reach} to {2 * reach} for its photo"
            raise Unusable(name, "bad mask", detail)
        most += len(polygon) / 2 * (highest - lowest)
    # Hardly any comes near it, and few are so long that their edges must be added up.
    if most > longest and (length := sum(map(_length, polygons))) > longest:
        raise Unusable(name, "bad mask", f"polygons {length:.0f} pixels long; at most {longest} for its photo")


def _length(polygon: Sequence[float]) -> float:
    points = np.array(polygon).reshape(-1, 2)
    return float(np.abs(np.roll(points, -1, axis=0) - points).max(axis=1).sum())
