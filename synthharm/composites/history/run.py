"""Running a history: the steps that a picture goes through after it was composed, its labels going along.

Labels are uint8 (H, W), and of two kinds. "soft" ones, as alpha, are resampled as a picture is, by area. All
others are "ids": 0 outside, and any other values for what is marked, so that a mask of 0 and 255 is a map of one
region. Resampled, ids stay ids:

- A pixel is marked where at least half of it was, and has the id that covers most of it among those that mark it.
- An id that this would lose keeps one pixel, where it covers most.
- Labels that mark the same pixels before do so after: a mask is 255 exactly where region ids are not 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.history.saving import Pixels, check_pixels, decode, encode
from synthharm.composites.history.steps import Blur, Crop, Filters, Jpeg, Noise, Png, Resize, Step, Webp
from synthharm.imagefile import MAX_PIXELS

Label = NDArray[np.uint8]
Coverage = NDArray[np.float32]
Size = tuple[int, int]
LabelKind = Literal["ids", "soft"]

KINDS: Mapping[str, LabelKind] = MappingProxyType({"alpha": "soft"})
SHORTEST = 8  # pixels: a block of JPEG
HALF = 0.5 - 1e-4  # single precision may put an exact half a hair below it
NOISE_ROWS = 64  # at once: noise is drawn in doubles, which would be large for a whole photo
CURVES = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}


@dataclass(frozen=True)
class Saved:
    """What a history ends in.

    Attributes:
        data: the file.
        image: RGB (H, W, 3) uint8, what the file decodes to.
        labels: by name, (H, W) uint8, of the same size.
    """

    data: bytes
    image: Pixels
    labels: dict[str, Label]


def run_history(
    image: Pixels, labels: Mapping[str, Label], steps: Sequence[Step], kinds: Mapping[str, LabelKind] = KINDS
) -> Saved:
    """Run steps in order; the last one is the save that the file comes from.

    Saves in between are decoded again. Where a picture is resized without "area", it is done as many tools do it,
    with a kernel of the enlarging kind: fine structure then aliases. "area" enlarges linearly.

    Args:
        image: RGB (H, W, 3) uint8.
        labels: by name, (H, W) uint8 each. A region that a crop leaves outside is gone from them.
        steps: at least one.
        kinds: of the labels by name, "soft" or "ids"; those not named are "ids".

    Raises:
        ValueError: a step that cannot be run or other arrays than accepted.

    Example:
        >>> image, mask = np.full((16, 16, 3), 90, np.uint8), np.zeros((16, 16), np.uint8)
        >>> mask[4:12, 4:12] = 255
        >>> saved = run_history(image, {"mask": mask}, [Crop(4, 0, 8, 8), Jpeg(quality=90)])
        >>> saved.image.shape, int((saved.labels["mask"] == 255).sum())
        ((8, 8, 3), 32)
    """
    check_pixels(image)
    _check_labels(labels, image.shape[:2], kinds)
    if not steps or not isinstance(steps[-1], Jpeg | Png | Webp):
        last = repr(steps[-1]) if steps else "missing"
        raise ValueError(f"the last step is {last}; a save is accepted: Jpeg, Png or Webp")
    kept = dict(labels)
    for step in steps[:-1]:
        match step:
            case Resize():
                image, kept = _resize(image, step), _resize_labels(kept, kinds, _size_of(step))
            case Crop():
                image = _crop(image, step)
                kept = {name: _crop(label, step) for name, label in kept.items()}
            case _:
                image = _change(image, step)
    data = encode(image, steps[-1])
    return Saved(data, decode(data), kept)


def _change(image: Pixels, step: Step) -> Pixels:
    """A step that leaves the size as it is."""
    match step:
        case Jpeg() | Png() | Webp():
            return decode(encode(image, step))
        case Noise():
            return _add_noise(image, step)
        case Blur():
            return _blur(image, step)
        case Filters():
            return _filter(image, step)
    raise ValueError(f"{step!r} is no step of a history")


def _size_of(step: Resize) -> Size:
    if min(step.width, step.height) < SHORTEST or step.width * step.height > MAX_PIXELS:
        accepted = f"sides of {SHORTEST} pixels and more, and up to {MAX_PIXELS} pixels in all, are accepted"
        raise ValueError(f"a resize to {step.width} x {step.height} pixels; {accepted}")
    return step.height, step.width


def _resize(image: Pixels, step: Resize) -> Pixels:
    size = _size_of(step)
    if size == image.shape[:2]:
        return image
    if step.interpolation == "area":
        return _rounded(_by_area(image, size))
    if step.interpolation not in CURVES:
        raise ValueError(f"the interpolation is {step.interpolation!r}; accepted are area, {', '.join(CURVES)}")
    return np.asarray(cv2.resize(image, size[::-1], interpolation=CURVES[step.interpolation]), np.uint8)


def _by_area(values: NDArray[np.generic], size: Size) -> Coverage:
    """The means over the areas that become one pixel where a side shrinks, linear where it grows; not rounded."""
    given = values.shape[:2]
    smaller = min(given[0], size[0]), min(given[1], size[1])
    resized: Coverage = values.astype(np.float32)
    if smaller != given:
        resized = np.asarray(cv2.resize(resized, smaller[::-1], interpolation=cv2.INTER_AREA), np.float32)
    if smaller != size:
        resized = np.asarray(cv2.resize(resized, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
    return resized


def _rounded(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _crop(values: NDArray[np.uint8], step: Crop) -> NDArray[np.uint8]:
    height, width = values.shape[:2]
    if min(step.width, step.height) < SHORTEST:
        raise ValueError(
            f"a crop of {step.width} x {step.height} pixels; sides of {SHORTEST} pixels and more are accepted"
        )
    right, bottom = step.left + step.width, step.top + step.height
    if step.left < 0 or step.top < 0 or right > width or bottom > height:
        raise ValueError(
            f"a crop of columns {step.left} to {right} and rows {step.top} to {bottom}; "
            f"accepted are columns within 0 to {width} and rows within 0 to {height}"
        )
    return np.ascontiguousarray(values[step.top : bottom, step.left : right])


def _add_noise(image: Pixels, step: Noise) -> Pixels:
    if not (math.isfinite(step.sigma) and step.sigma >= 0):
        raise ValueError(f"the noise's sigma is {step.sigma}; a finite number of levels from 0 on is accepted")
    if step.seed < 0:
        raise ValueError(f"the noise's seed is {step.seed}; a whole number from 0 on is accepted")
    generator, noisy = np.random.Generator(np.random.Philox(step.seed)), np.empty_like(image)
    for row in range(0, len(image), NOISE_ROWS):
        rows = image[row : row + NOISE_ROWS]
        noisy[row : row + NOISE_ROWS] = _rounded(rows + step.sigma * generator.standard_normal(rows.shape))
    return noisy


def _blur(image: Pixels, step: Blur) -> Pixels:
    if not (math.isfinite(step.sigma) and step.sigma > 0):
        raise ValueError(f"the blur's sigma is {step.sigma}; a finite number of pixels above 0 is accepted")
    return np.asarray(cv2.GaussianBlur(image, (0, 0), step.sigma, borderType=cv2.BORDER_REFLECT), np.uint8)


def _filter(image: Pixels, step: Filters) -> Pixels:
    from synthharm.filters.chain import FilterChain
    from synthharm.filters.fused.plan import apply_image
    from synthharm.filters.fused.scene import Scene

    chain = FilterChain(list(step.filters))
    if set(step.arguments) != set(chain.columns):
        raise ValueError(
            f"arguments for {', '.join(sorted(step.arguments)) or 'nothing'}; "
            f"accepted are exactly {', '.join(chain.columns)}"
        )
    everything = np.full(image.shape[:2], 255, np.uint8)
    values = [step.arguments[column] for column in chain.columns]
    return np.asarray(apply_image(chain, Scene(image, everything), values), np.uint8)


def _check_labels(labels: Mapping[str, Label], size: Sequence[int], kinds: Mapping[str, LabelKind]) -> None:
    for name, label in labels.items():
        if label.shape != tuple(size) or label.dtype != np.uint8:
            raise ValueError(
                f"the label {name!r} is {label.dtype} {label.shape}; uint8 {tuple(size)} as the image is accepted"
            )
    for name, kind in kinds.items():
        if kind not in ("ids", "soft"):
            raise ValueError(f"the label {name!r} is of kind {kind!r}; 'ids' and 'soft' are accepted")


def _resize_labels(labels: dict[str, Label], kinds: Mapping[str, LabelKind], size: Size) -> dict[str, Label]:
    if all(label.shape == size for label in labels.values()):
        return labels
    resized: dict[str, Label] = {}
    alike: dict[bytes, list[str]] = {}  # names of the labels that mark the same pixels
    for name, label in labels.items():
        if kinds.get(name, "ids") == "soft":
            resized[name] = _rounded(_by_area(label, size))
        else:
            alike.setdefault(np.packbits(label > 0).tobytes(), []).append(name)
    for names in alike.values():
        resized |= dict(zip(names, _resize_ids([labels[name] for name in names], size), strict=True))
    return {name: resized[name] for name in labels}


def _resize_ids(maps: Sequence[Label], size: Size) -> list[Label]:
    """Resample maps of ids that mark the same pixels, so that they still do."""
    inside = _by_area(maps[0] > 0, size) >= HALF
    nearest = [_covering_most(ids, size) for ids in maps]
    resized = [np.where(inside, most, np.uint8(0)) for most in nearest]
    for before, after in zip(maps, resized, strict=True):
        _keep_every_id(before, after)
    marked = np.logical_or.reduce([after > 0 for after in resized])
    return [np.where(marked & (after == 0), most, after) for after, most in zip(resized, nearest, strict=True)]


def _covering_most(ids: Label, size: Size) -> Label:
    """The id that covers most of each pixel, the smaller one of two alike; never 0 where there are ids."""
    present = np.unique(ids[ids > 0])
    most = np.full(size, present[0] if len(present) else 0, np.uint8)
    if len(present) > 1:
        largest = np.zeros(size, np.float32)
        for number in present:
            coverage = _by_area(ids == number, size)
            most[coverage > largest] = number
            np.maximum(largest, coverage, out=largest)
    return most


def _keep_every_id(before: Label, after: Label) -> None:
    """Give each id that was lost a pixel of its own, in place, taking none from an id that has no other."""
    for number in np.setdiff1d(before, after):
        counts = np.bincount(after.ravel(), minlength=256)
        free = (after == 0) | (counts[after] > 1)
        after[_best_place(_by_area(before == number, after.shape[:2]), free, int(number))] = number


def _best_place(coverage: Coverage, free: NDArray[np.bool_], number: int) -> tuple[int, int]:
    """Where coverage is largest among free pixels; if there is none at them, the one nearest to where it is."""
    if not free.any():
        raise ValueError(f"no pixel is left for region {number} in {free.shape[1]} x {free.shape[0]} pixels")
    if coverage[free].max() > 0:
        row, column = divmod(int(np.argmax(np.where(free, coverage, 0))), free.shape[1])
        return row, column
    row, column = divmod(int(np.argmax(coverage)), free.shape[1])
    rows, columns = np.nonzero(free)
    nearest = int(np.argmin((rows - row) ** 2 + (columns - column) ** 2))
    return int(rows[nearest]), int(columns[nearest])
