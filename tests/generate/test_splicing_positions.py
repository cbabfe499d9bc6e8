"""Regions lie in the picture, are as large as asked for, and are given up where they cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthharm.composites.manipulation.cutting import Cutout
from synthharm.composites.manipulation.edits import Placement
from synthharm.composites.manipulation.placing import full_alpha, outside_share, place
from synthharm.generate.splicing.positions import SLACK, SMALLEST, Extent, NoFit, Room, _inside, draw_placement
from synthharm.recipe import manipulation

ROUNDED = (
    2e-3  # pixels that a box may lie outside, and shares that its area may differ by, for its rounded numbers
)
NONE = np.empty((0, 4))
BOX = np.array([[0.5, 0.8, 0.4, 0.3]])

sides = st.integers(8, 300)
rooms = st.tuples(st.integers(64, 400), st.integers(64, 400))
seeds = st.integers(0, 2**32)
ratios = st.floats(0.2, 5)
boxes = st.lists(
    st.tuples(*(st.floats(0, 1) for _ in range(2)), *(st.floats(0.02, 1) for _ in range(2))), max_size=4
).map(lambda rows: np.array(rows).reshape(-1, 4))


@st.composite
def extents(draw: st.DrawFn) -> Extent:
    width, height = draw(sides), draw(sides)
    return Extent(width, height, max(1, int(width * height * draw(st.floats(0.2, 1)))))


@st.composite
def ranges(draw: st.DrawFn, low: float, high: float) -> tuple[float, float]:
    one, other = sorted(draw(st.tuples(st.floats(low, high), st.floats(low, high))))
    return one, other


@st.composite
def sections(draw: st.DrawFn, **fixed: Any) -> manipulation.Placement:
    drawn = {
        "support": draw(st.sampled_from(["category", "anywhere"])),
        "scale": draw(ranges(0.3, 2.5)),
        "enlarge": draw(st.floats(0.3, 3)),
        "rotation": draw(st.floats(0, 180)),
        "flip": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "outside": draw(st.floats(0, 1)),
    }
    return manipulation.Placement(**(drawn | fixed))


def drawn_or_none(
    section: manipulation.Placement,
    seed: int,
    extent: Extent,
    room: Room,
    area: tuple[float, float] = (0.0, 1.0),
) -> Placement | None:
    try:
        return draw_placement(section, np.random.default_rng(seed), extent, room, area)
    except NoFit:
        return None


def turned_box(extent: Extent, placed: Placement) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a whole rectangle, turned, by its corners."""
    angle = np.radians(placed.rotation)
    corners = np.array([[x, y] for x in (-0.5, 0.5) for y in (-0.5, 0.5)]) * [extent.width, extent.height]
    corners = placed.scale * corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return left + placed.x, top + placed.y, right + placed.x, bottom + placed.y


def inside_of(box: tuple[float, float, float, float], size: tuple[int, int]) -> bool:
    left, top, right, bottom = box
    return min(left, top) >= -ROUNDED and right <= size[1] * (1 + 1e-4) and bottom <= size[0] * (1 + 1e-4)


@given(sections(outside=0.0), seeds, extents(), rooms, boxes, boxes, ratios)
def test_nothing_leaves_the_picture(
    section: manipulation.Placement,
    seed: int,
    extent: Extent,
    size: tuple[int, int],
    here: np.ndarray,
    elsewhere: np.ndarray,
    ratio: float,
) -> None:
    placed = drawn_or_none(section, seed, extent, Room(size, here, elsewhere, ratio))
    if placed is not None:
        assert inside_of(turned_box(extent, placed), size)


@given(seeds, st.floats(0, 1), st.tuples(st.integers(20, 60), st.integers(20, 60)))
def test_no_more_than_the_share_leaves_the_picture(seed: int, outside: float, sides: tuple[int, int]) -> None:
    """For a rectangle in both directions together: the share is of the region, not of its width or height."""
    section = manipulation.Placement(support="anywhere", rotation=0, outside=outside)
    cutout = Cutout(np.zeros((*sides, 3), np.uint8), np.full(sides, 255, np.uint8), 0, 0)
    room = Room((70, 80), NONE, NONE, 1.0)
    placed = drawn_or_none(section, seed, Extent.of(cutout.alpha), room)
    if placed is not None:
        pixel = 1 / sides[0] + 1 / sides[1]  # whole pixels are counted, a row and a column too many at most
        assert outside_share(cutout, placed, room.size) <= outside + pixel


@given(sections(), seeds, extents(), rooms, boxes, boxes, ratios, ranges(0, 0.8))
def test_sizes_are_within_all_bounds(
    section: manipulation.Placement,
    seed: int,
    extent: Extent,
    size: tuple[int, int],
    here: np.ndarray,
    elsewhere: np.ndarray,
    ratio: float,
    area: tuple[float, float],
) -> None:
    placed = drawn_or_none(section, seed, extent, Room(size, here, elsewhere, ratio), area)
    if placed is None:
        return
    share = placed.scale**2 * extent.area / (size[0] * size[1])
    assert area[0] * (1 - ROUNDED) <= share <= area[1] * (1 + ROUNDED)
    assert placed.scale <= section.enlarge * (1 + 1e-4)
    assert placed.scale * min(extent.width, extent.height) >= SMALLEST * (1 - ROUNDED)
    assert abs(placed.rotation) <= section.rotation + 1e-3


@given(seeds, extents(), rooms, ratios, ranges(0.5, 2))
def test_anywhere_keeps_the_photos_scale(
    seed: int, extent: Extent, size: tuple[int, int], ratio: float, scale: tuple[float, float]
) -> None:
    """Where the picture leaves the choice: pixels of the donor count as those of the target, jittered."""
    section = manipulation.Placement(support="anywhere", scale=scale, enlarge=10)
    placed = drawn_or_none(section, seed, extent, Room(size, BOX, BOX, ratio))
    if placed is not None:
        assert placed.scale <= ratio * scale[1] * (1 + 1e-4) + 1e-5
        across, down = np.diff(np.array(turned_box(extent, placed)).reshape(2, 2), axis=0)[0]
        if across < 0.97 * size[1] and down < 0.97 * size[0]:
            assert placed.scale >= ratio * scale[0] * (1 - 1e-4) - 1e-5


@given(seeds, st.sampled_from(["here", "elsewhere"]), st.floats(0.3, 0.7), st.floats(0.6, 0.9))
def test_supports_say_how_large_and_how_low(seed: int, where: str, x: float, bottom: float) -> None:
    section, extent, size = manipulation.Placement(scale=(1, 1), rotation=0), Extent(40, 60, 1900), (200, 300)
    box = np.array([[x, bottom, 40 / 300, 60 / 200]])  # as large as the region
    room = Room(size, box if where == "here" else NONE, box if where == "elsewhere" else NONE, 3.0)
    placed = draw_placement(section, np.random.default_rng(seed), extent, room)
    assert placed.scale == pytest.approx(1, abs=1e-4)
    assert placed.y + 30 == pytest.approx(min(bottom * 200, 200), abs=6 * 0.015 * 200)
    if where == "elsewhere":
        assert placed.x == pytest.approx(x * 300, abs=6 * 0.1 * 300)


def test_beside_its_like_a_region_stands_at_any_x_and_elsewhere_about_the_supports() -> None:
    section, extent = manipulation.Placement(scale=(1, 1), rotation=0), Extent(20, 20, 400)
    box = np.array([[0.2, 0.5, 0.1, 0.1]])
    spreads = []
    for here, elsewhere in ((box, NONE), (NONE, box)):
        random = np.random.default_rng(0)
        room = Room((200, 200), here, elsewhere, 1.0)
        spreads.append(np.std([draw_placement(section, random, extent, room).x for _ in range(300)]))
    assert spreads[0] > 45
    assert spreads[1] < 25


def test_supports_count_however_many_there_are_elsewhere() -> None:
    section, extent = manipulation.Placement(scale=(1, 1)), Extent(30, 30, 800)
    elsewhere = np.array([[0.5, 0.9, 0.3, 0.3]])
    placed = draw_placement(section, np.random.default_rng(0), extent, Room((100, 100), BOX, elsewhere, 1.0))
    assert placed.scale == pytest.approx(np.sqrt(40 * 30 / 30**2), abs=1e-4)


def test_no_support_of_the_size_is_no_fit() -> None:
    section, extent = manipulation.Placement(enlarge=1.5), Extent(30, 30, 800)
    large = np.array([[0.5, 0.9, 0.9, 0.9]])  # more than SLACK times what the region may be enlarged to
    assert 1.5 * SLACK < 0.9 * 300 / 30
    with pytest.raises(NoFit, match="no object of the category is as large as at"):
        draw_placement(section, np.random.default_rng(0), extent, Room((300, 300), large, NONE, 1.0))


@pytest.mark.parametrize(
    ("extent", "size", "area", "why"),
    [
        (Extent(200, 200, 30000), (100, 100), (0.9, 1.0), "at least"),
        (Extent(100, 5, 500), (300, 300), (0.0, 1.0), "16 pixels"),
        (Extent(20, 20, 400), (400, 400), (0.5, 0.6), "may be 14"),
        (Extent(40, 40, 1600), (200, 200), (0.0, 1e-4), "16 pixels"),
        (Extent(40, 40, 1600), (200, 200), (0.0, 0.0), "16 pixels"),  # the regions before cover all that they may
    ],
)
@pytest.mark.parametrize("support", ["anywhere", "category"])
def test_what_cannot_be_as_asked_for_is_no_fit(
    extent: Extent, size: tuple[int, int], area: tuple[float, float], why: str, support: Any
) -> None:
    section = manipulation.Placement(support=support)
    with pytest.raises(NoFit, match=why):
        draw_placement(section, np.random.default_rng(0), extent, Room(size, NONE, NONE, 1.0), area)


@given(sections(), seeds, extents(), rooms, boxes, boxes, ratios, ranges(0, 1))
def test_a_draw_is_a_placement_or_no_fit_and_follows_from_its_stream(
    section: manipulation.Placement,
    seed: int,
    extent: Extent,
    size: tuple[int, int],
    here: np.ndarray,
    elsewhere: np.ndarray,
    ratio: float,
    area: tuple[float, float],
) -> None:
    room = Room(size, here, elsewhere, ratio)
    one, again = (drawn_or_none(section, seed, extent, room, area) for _ in range(2))
    assert one == again
    if one is not None:
        assert one.flip in {0.0: (False,), 1.0: (True,)}.get(section.flip, (False, True))


def test_placed_pixels_are_where_their_placement_says() -> None:
    """The box that is kept inside is that of the pixels: a region that fits is not cut by the picture's border."""
    random, mask = np.random.default_rng(4), np.zeros((60, 50), np.uint8)
    mask[10:55, 8:44] = 255
    extent = Extent.of(mask)
    assert extent == Extent(36, 45, 36 * 45)
    cutout = Cutout(np.zeros((*mask.shape, 3), np.uint8), mask, 0, 0)
    section = manipulation.Placement(support="anywhere", rotation=40, scale=(0.9, 1.3))
    for _ in range(30):
        placed = draw_placement(section, random, extent, Room((90, 100), NONE, NONE, 1.0))
        alpha = full_alpha(place(cutout, placed, (90, 100)), (90, 100)).astype(float) / 255
        assert alpha.sum() == pytest.approx(placed.scale**2 * extent.area, rel=0.03)


@pytest.mark.parametrize(
    ("centre", "outside", "expected"),
    [(3, 0, 10), (38, 0, 30), (15, 0, 15), (3, 0.25, 5), (-9, 0.5, 0), (99, 0.5, 40)],
)
def test_a_region_is_moved_inside_no_farther_than_it_must(centre: float, outside: float, expected: float) -> None:
    assert _inside(centre, 20, 40, outside) == expected


@pytest.mark.parametrize(("side", "expected"), [(30, 15), (38, 19), (40, 20), (42, 20)])
def test_what_barely_has_room_is_moved_no_farther_either(side: float, expected: float) -> None:
    assert _inside(3, side, 40, 0) == expected


def test_what_is_longer_than_the_picture_is_in_its_middle() -> None:
    assert _inside(3, 50, 40, 0) == 20
