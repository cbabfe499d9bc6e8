"""Flicker: what jumps, and what does not."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthharm.filters import FilterChain
from synthharm.harmonizer.video.flicker import Flicker, finite

MASK = np.zeros((16, 32), np.uint8)
MASK[4:12, 6:18] = 255


def near(expected: object) -> object:
    """To what filters keep away from the ends of their arguments: a millionth of the colours."""
    return pytest.approx(expected, abs=1e-3)


def measured(
    levels: Sequence[int], predicted: Sequence[float], used: Sequence[float], starts: Sequence[int] = ()
) -> Flicker:
    """Of flat frames; brightness b takes levels to (1 + b) times as much, for b below 0."""
    flicker = Flicker(FilterChain(["brightness"]))
    for number, (level, p, u) in enumerate(zip(levels, predicted, used, strict=True)):
        image = np.full((16, 32, 3), level, np.uint8)
        flicker.add(image, MASK, np.array([p]), np.array([u]), start=number in starts)
    return flicker


def test_it_is_the_second_difference_of_what_harmonizing_adds() -> None:
    figures = measured([100] * 5, [0, -0.1, 0, -0.1, 0], [0, -0.1, -0.2, -0.3, -0.4]).figures()
    assert figures["unsmoothed"] == near(20)  # 2 * 10 levels, up and down
    assert figures["smoothed"] == near(0)  # a steady drift does not jump
    assert figures["composite"] == 0


def test_what_jumps_in_the_composite_counts_as_its_own() -> None:
    figures = measured([100, 110, 100, 110], [0] * 4, [0] * 4).figures()
    assert figures == near({"unsmoothed": 0, "smoothed": 0, "composite": 20})


@given(st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=8))
def test_the_same_arguments_flicker_the_same(arguments: list[float]) -> None:
    figures = measured([100] * len(arguments), arguments, arguments).figures()
    assert figures["unsmoothed"] == figures["smoothed"]


def test_cuts_and_gaps_do_not_count() -> None:
    apart = measured([100] * 6, [0, 0, 0, -0.5, -0.5, -0.5], [0] * 6, starts=[3])
    assert apart.figures()["unsmoothed"] == 0
    assert apart.argument_changes()["predicted"]["brightness"] == 0
    together = measured([100] * 6, [0, 0, 0, -0.5, -0.5, -0.5], [0] * 6)
    assert together.figures()["unsmoothed"] == near(math.sqrt((50**2 + 50**2) / 4))
    assert together.argument_changes() == {
        "predicted": {"brightness": pytest.approx(math.sqrt(0.5**2 / 5))},
        "used": {"brightness": 0},
    }
    gap = Flicker(FilterChain(["brightness"]))
    for value in (0.0, -0.5, 0.0):
        gap.add(np.full((16, 32, 3), 100, np.uint8), MASK, np.array([value]), np.zeros(1), start=False)
        gap.skip()
    assert all(math.isnan(figure) for figure in gap.figures().values())
    assert finite(gap.figures()) == {"unsmoothed": None, "smoothed": None, "composite": None}


def test_large_frames_give_the_figures_of_small_ones() -> None:
    for size in ((16, 32), (320, 640)):
        flicker = Flicker(FilterChain.paper())
        mask = np.kron(MASK, np.ones((size[0] // 16, size[1] // 32), np.uint8))
        for level, brightness in ((90, 0.1), (100, -0.1), (100, 0.2)):
            arguments = np.array([0.1, brightness, 0.1, 0.1, 0.1, 0.1])
            flicker.add(np.full((*size, 3), level, np.uint8), mask, arguments, arguments / 2, start=False)
        figures = flicker.figures()
        if size == (16, 32):
            expected = figures
    assert figures == pytest.approx(expected, rel=1e-6)
    assert figures["unsmoothed"] > figures["smoothed"] > 1


def test_no_frame_is_held_as_floats() -> None:
    """What it takes beside the frame stays below the bytes of the frame, which as floats would be four times."""
    image, mask = np.zeros((3000, 4000, 3), np.uint8), np.full((3000, 4000), 255, np.uint8)
    flicker = Flicker(FilterChain(["brightness"]))
    tracemalloc.start()
    flicker.add(image, mask, np.zeros(1), np.zeros(1), start=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < image.nbytes


def test_shrinking_frames_as_bytes_costs_next_to_nothing() -> None:
    """Of frames whose bytes are rounded on the way, against the means of the whole frames."""
    noise, chain = np.random.default_rng(0), FilterChain(["brightness"])
    frames = [noise.integers(0, 256, (1500, 2000, 3), np.uint8) for _ in range(3)]
    mask = np.zeros((1500, 2000), np.uint8)
    mask[400:800, 500:900] = 255
    flicker = Flicker(chain)
    for frame in frames:
        flicker.add(frame, mask, np.zeros(1), np.zeros(1), start=False)
    means = [frame[mask > 0].mean(axis=0) for frame in frames]
    expected = math.sqrt(np.square(means[2] - 2 * means[1] + means[0]).mean())
    assert flicker.figures()["composite"] == pytest.approx(expected, abs=0.05)
