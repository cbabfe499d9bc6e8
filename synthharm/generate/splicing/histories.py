"""Drawing what happens to a picture after it was composed, from what a recipe says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from synthharm.composites.history import (
    Blur,
    CameraTables,
    Crop,
    Filters,
    Jpeg,
    Noise,
    Png,
    Resize,
    Save,
    Step,
    Webp,
    preset_steps,
)
from synthharm.filters import FilterChain
from synthharm.recipe import SplicingRecipe, histories

SMALLEST = 64  # pixels: no side becomes shorter
GRID = 8  # pixels: JPEG's blocks

Size = tuple[int, int]


def draw_history(
    recipe: SplicingRecipe, cameras: Sequence[CameraTables], random: np.random.Generator, size: Size
) -> tuple[str, list[Step], Save]:
    """Draw one of a recipe's histories, and what its steps are for a picture of `size` = (H, W).

    How many numbers are drawn, and what for, does not depend on the size: two pictures that are drawn for from
    the same state go through the same history, each in its own size.

    Returns:
        The history's name, its steps, and the save that the file comes from.
    """
    shares = [history.share for history in recipe.history]
    history = recipe.history[choose(random, shares)]
    steps: list[Step] = []
    for section in history.steps:
        drawn = _draw_step(section, cameras, random, size)
        steps += drawn
        size = _size_after(drawn, size)
    if isinstance(recipe.encoding, histories.PngEncoding):
        return history.name, steps, Png(recipe.encoding.compression)
    return history.name, steps, draw_jpeg(recipe.encoding, cameras, random)


def draw_jpeg(section: histories.JpegSave, cameras: Sequence[CameraTables], random: np.random.Generator) -> Jpeg:
    """Draw a save: by quality, or by a camera's tables."""
    by_camera, quality, sampling, camera = random.random(4)
    if by_camera < section.cameras:
        chosen = cameras[int(camera * len(cameras))]
        return Jpeg(None, chosen.tables, chosen.subsampling, chosen.name)
    subsampling = section.subsampling[int(sampling * len(section.subsampling))]
    return Jpeg(_whole_between(section.quality, quality), None, subsampling)


def choose(random: np.random.Generator, shares: Sequence[float]) -> int:
    """One of several, by their shares."""
    ends = np.cumsum(shares)
    return int(min(np.searchsorted(ends, random.random() * ends[-1], side="right"), len(shares) - 1))


def _draw_step(
    section: Any, cameras: Sequence[CameraTables], random: np.random.Generator, size: Size
) -> list[Step]:
    if isinstance(section, histories.ResizeStep):
        factor, which = _between(section.factor, random.random()), random.random()
        height, width = (max(round(side * factor), min(side, SMALLEST)) for side in size)
        return [Resize(width, height, section.interpolation[int(which * len(section.interpolation))])]
    if isinstance(section, histories.CropStep):
        return [_crop(section, random.random(5), size)]
    if isinstance(section, histories.JpegStep):
        return [draw_jpeg(section, cameras, random)]
    if isinstance(section, histories.WebpStep):
        return [Webp(_whole_between(section.quality, random.random()))]
    if isinstance(section, histories.NoiseStep):
        return [Noise(_between(section.sigma, random.random()), int(random.integers(2**63)))]
    if isinstance(section, histories.BlurStep):
        return [Blur(_between(section.sigma, random.random()))]
    if isinstance(section, histories.PresetStep):
        which, quality = random.random(2)
        return preset_steps(section.networks[int(which * len(section.networks))], size, float(quality))
    chain = FilterChain(section.filters)
    offsets = (2 * random.random(len(chain.columns)) - 1) * section.strength
    arguments = {
        column: parameter.neutral + float(offset) * chain.spans.get(column, parameter.span)
        for column, parameter, offset in zip(chain.columns, chain.parameters, offsets, strict=True)
    }
    return [Filters(tuple(section.filters), arguments)]


def _crop(section: histories.CropStep, numbers: Any, size: Size) -> Crop:
    """A part whose corner is not on the grid of blocks, where the picture is large enough for one."""
    parts = []
    for side, keep, place in zip(size, numbers[:2], numbers[2:4], strict=True):
        room = side - max(min(round(side * _between(section.keep, keep)), side - GRID), min(side, SMALLEST))
        parts.append((int(place * (room + 1)), side - room, room))
    (top, height, down), (left, width, right) = parts
    if top % GRID == 0 and left % GRID == 0:
        shift = 1 + int(numbers[4] * min(GRID - 1, max(right, down)))
        if right >= down:
            left = left + shift if left + shift <= right else left - (GRID - shift)
        else:
            top = top + shift if top + shift <= down else top - (GRID - shift)
    return Crop(max(left, 0), max(top, 0), width, height)


def _size_after(steps: Sequence[Step], size: Size) -> Size:
    for step in steps:
        if isinstance(step, (Resize, Crop)):
            size = (step.height, step.width)
    return size


def _between(ends: tuple[float, float], share: float) -> float:
    return float(ends[0] + (ends[1] - ends[0]) * share)


def _whole_between(ends: tuple[int, int], share: float) -> int:
    return int(ends[0] + share * (ends[1] - ends[0] + 1))
