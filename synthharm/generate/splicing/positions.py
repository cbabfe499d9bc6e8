"""Drawing where a region goes, and how large it is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation import Placement
from synthharm.recipe import manipulation

SMALLEST = 16  # pixels: no side of a placed region's box is shorter
SLACK = 1.3  # how far a region's size may be from its support's
FITTING = 0.98  # of the room, for what would be too large


class NoFit(Exception):
    """A draw that leads nowhere: another is tried."""


@dataclass(frozen=True)
class Extent:
    """A region as large as it is in its photo: its box's width and height and its area in pixels."""

    width: int
    height: int
    area: int

    @classmethod
    def of(cls, mask: NDArray[np.uint8]) -> Extent:
        """Of a mask (H, W) that is not empty."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        width, height = int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)
        return cls(width, height, int(np.count_nonzero(mask)))


@dataclass(frozen=True)
class Room:
    """What a region is placed in.

    Args:
        size: (H, W) of the target.
        here: boxes of objects of the category in the target, rows (centre x, bottom y, width, height) in shares
            of the picture.
        elsewhere: the same in other photos of the source.
        ratio: how many pixels the target has for one of the donor, along a side.
    """

    size: tuple[int, int]
    here: NDArray[np.float64]
    elsewhere: NDArray[np.float64]
    ratio: float


def draw_placement(
    section: manipulation.Placement,
    random: np.random.Generator,
    extent: Extent,
    room: Room,
    area: tuple[float, float] = (0.0, 1.0),
) -> Placement:
    """Draw a placement.

    Args:
        section: the recipe's.
        random: what is drawn from.
        extent: of the region.
        room: what it is placed in.
        area: the smallest and largest share of the target that it may cover.

    Raises:
        NoFit: the region would become too small, too large or had to be enlarged too much.
    """
    height, width = room.size
    jitter = float(np.exp(random.uniform(*np.log(section.scale))))
    rotation = float(random.uniform(-section.rotation, section.rotation))
    flip = bool(random.random() < section.flip)
    pixels = [share * height * width / extent.area for share in area]
    least, most = float(np.sqrt(pixels[0])), min(float(np.sqrt(pixels[1])), section.enlarge)
    if most * min(extent.width, extent.height) < SMALLEST or least > most:
        raise NoFit(f"may be {least:.2f} to {most:.2f} of its size; {SMALLEST} pixels and more are accepted")
    box = _choose_box(section, random, extent, room, (least, most))
    scale = room.ratio if box is None else _scale_to(box, extent, room)
    scale = min(max(scale * jitter, least), most)
    scale = _fitting(scale, least, extent, rotation, room)
    across, down = _turned(extent, scale, rotation)
    free = 1 - float(np.sqrt(1 - section.outside))  # so much to one side and above together is the share
    if box is None:
        x = _inside(random.uniform(0, width), across, width, free)
        y = _inside(random.uniform(0, height), down, height, free)
    else:
        # Beside the target's own objects the ground is the same at any x; elsewhere objects' x tells more.
        centre = random.uniform(0, 1) if len(room.here) else box[0] + random.normal(0, 0.1)
        bottom = (box[1] + random.normal(0, 0.015)) * height
        x, y = _inside(centre * width, across, width, free), _inside(bottom - down / 2, down, height, free)
    return Placement(round(x, 3), round(y, 3), round(scale, 5), round(rotation, 3), flip)


def _choose_box(
    section: manipulation.Placement,
    random: np.random.Generator,
    extent: Extent,
    room: Room,
    scales: tuple[float, float],
) -> NDArray[np.float64] | None:
    """A box that the region takes the place of, of a size that it may have; None where none is known of."""
    if section.support == "anywhere" or not len(room.here) + len(room.elsewhere):
        return None
    for boxes in (room.here, room.elsewhere):
        found = np.array([_scale_to(box, extent, room) for box in boxes])
        fitting = np.flatnonzero((found >= scales[0] / SLACK) & (found <= scales[1] * SLACK))
        if len(fitting):
            chosen: NDArray[np.float64] = boxes[fitting[random.integers(len(fitting))]]
            return chosen
    raise NoFit(f"no object of the category is as large as at {scales[0]:.2f} to {scales[1]:.2f} of its pixels")


def _scale_to(box: NDArray[np.float64], extent: Extent, room: Room) -> float:
    """What makes a region as large as a box."""
    height, width = room.size
    return float(np.sqrt(box[2] * width * box[3] * height / (extent.width * extent.height)))


def _fitting(scale: float, least: float, extent: Extent, rotation: float, room: Room) -> float:
    """The scale, smaller where the picture leaves no choice."""
    across, down = _turned(extent, scale, rotation)
    height, width = room.size
    scale *= min(1.0, FITTING * width / across, FITTING * height / down)
    if scale < least or scale * min(extent.width, extent.height) < SMALLEST:
        raise NoFit(f"would be {scale:.2f} of its size; at least {least:.2f} and {SMALLEST} pixels are accepted")
    return scale


def _turned(extent: Extent, scale: float, rotation: float) -> tuple[float, float]:
    """Width and height of the box of a turned region, at most."""
    cosine, sine = abs(np.cos(np.radians(rotation))), abs(np.sin(np.radians(rotation)))
    across = scale * (extent.width * cosine + extent.height * sine)
    down = scale * (extent.width * sine + extent.height * cosine)
    return float(across), float(down)


def _inside(centre: float, side: float, room: int, outside: float) -> float:
    """A centre with no more than a share of the side outside the room."""
    margin = side * (0.5 - outside)
    return float(min(max(centre, margin), room - margin)) if 2 * margin <= room else room / 2
