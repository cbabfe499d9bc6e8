"""Scene cuts: where one shot ends and another begins from one frame to the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")

SIDE = 64  # pixels a side to which frames are reduced
HUES, LEVELS = 12, 8  # bins of the histogram; one more hue stands for grey
REACH = 3  # frames before and after that have a say
LEAST_CHANGE = 10.0  # levels of 255, mean absolute difference
LEAST_DISTANCE = 0.2  # of histograms, 0..1
PEAK = 2.5  # how often the change at a cut is that of the frames around it


@dataclass(frozen=True)
class Look:
    """What a frame looks like, reduced to what cuts are told by.

    Args:
        pixels: (64, 64, 3) float32, the reduced frame on 0..255.
        histogram: (13, 8), shares that sum to 1: by hue, grey last, and by level (the V of HSV).
    """

    pixels: NDArray[np.float32]
    histogram: NDArray[np.float64]

    @classmethod
    def of(cls, image: NDArray[np.uint8]) -> Look:
        """From a frame, RGB (H, W, 3) uint8."""
        reduced = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        return cls(np.asarray(reduced, np.float32), _histogram(np.asarray(reduced, np.uint8)))


def change(one: Look, other: Look) -> float:
    """The mean absolute difference of two frames, in levels of 255."""
    return float(np.abs(one.pixels - other.pixels).mean())


def distance(one: Look, other: Look) -> float:
    """How far the histograms of two frames are from each other: 0 (the same) to 1 (no colour in common)."""
    return float(np.abs(one.histogram - other.histogram).sum()) / 2


def mark_cuts(items: Iterable[Item], image_of: Callable[[Item], NDArray[np.uint8]]) -> Iterator[tuple[Item, bool]]:
    """Say of each frame whether a new shot begins with it. The first frame is no cut.

    A cut is where all of these hold:

    - the frame differs from the one before by at least 10 levels on average, and their histograms by at least 0.2:
      a camera that moves keeps its colours, and what moves before it keeps most pixels;
    - the change is at least 2.5 times the median of the changes around it, 3 before and 3 after: fades,
      dissolves and fast pans change about as much from each frame to the next. They need to last 4 frames;
    - none of the 3 frames before looks like any of the 3 frames from there on: flashes of up to 2 frames end where
      they began.

    What this costs: a shot of 1 or 2 frames between two that look alike is taken for a flash, and a cut between
    shots of the same colours is not seen. Frames are held back until the 3 after them have come.

    Args:
        items: frames in the order of time, all of one size.
        image_of: gives the RGB (H, W, 3) uint8 of an item.

    Example:
        >>> shots = [np.full((8, 8, 3), level, np.uint8) for level in (20, 20, 20, 200, 200)]
        >>> [cut for _, cut in mark_cuts(shots, lambda shot: shot)]
        [False, False, False, True, False]
    """
    waiting: deque[Item] = deque()
    looks: dict[int, Look] = {}
    changes: dict[int, float] = {}
    count = 0
    for item in items:
        waiting.append(item)
        looks[count] = Look.of(image_of(item))
        if count:
            changes[count] = change(looks[count - 1], looks[count])
        count += 1
        if count > REACH:
            yield waiting.popleft(), _is_cut(count - 1 - REACH, looks, changes)
            looks.pop(count - 1 - 2 * REACH, None)
            changes.pop(count - 1 - 2 * REACH, None)
    for number in range(count - len(waiting), count):
        yield waiting.popleft(), _is_cut(number, looks, changes)


def _is_cut(number: int, looks: dict[int, Look], changes: dict[int, float]) -> bool:
    if number == 0 or not _differ(looks[number - 1], looks[number]):
        return False
    around = [changes[k] for k in range(number - REACH, number + REACH + 1) if k in changes and k != number]
    if around and changes[number] < PEAK * float(np.median(around)):
        return False
    before = [looks[k] for k in range(number - REACH, number) if k in looks]
    after = [looks[k] for k in range(number, number + REACH) if k in looks]
    return all(_differ(one, other) for one in before for other in after)


def _differ(one: Look, other: Look) -> bool:
    return change(one, other) >= LEAST_CHANGE and distance(one, other) >= LEAST_DISTANCE


def _histogram(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Shares by hue and level.

    A pixel counts for its hue by its saturation, and for grey by the rest: the hue of what has next to no colour
    is chance. Hues and levels are shared out between the two nearest bins, for a frame that grows brighter little
    by little must not change all at once.
    """
    hue, saturation, level = np.moveaxis(cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL).astype(np.float64), 2, 0)
    colour = saturation / 255
    turned, lifted = hue / 256 * HUES, level / 255 * (LEVELS - 1)
    found = np.zeros((HUES + 1) * LEVELS)
    for up in (0, 1):
        row = np.minimum(np.floor(lifted) + up, LEVELS - 1)
        share = 1 - np.abs(lifted - np.floor(lifted) - up)
        for right in (0, 1):
            column = (np.floor(turned) + right) % HUES
            part = share * colour * (1 - np.abs(turned - np.floor(turned) - right))
            found += _counted(column, row, part)
        found += _counted(np.full_like(row, HUES), row, share * (1 - colour))
    return np.asarray((found / found.sum()).reshape(HUES + 1, LEVELS), np.float64)


def _counted(
    column: NDArray[np.float64], row: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    places = (column * LEVELS + row).astype(np.intp).ravel()
    return np.asarray(np.bincount(places, share.ravel(), (HUES + 1) * LEVELS), np.float64)
