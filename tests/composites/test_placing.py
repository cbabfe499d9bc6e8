"""A cutout arrives where it was sent: byte by byte where nothing is resampled, else its shape and colours."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import draw_mask, draw_photo

from synthharm.composites.manipulation.cutting import Cutout
from synthharm.composites.manipulation.edits import Placement
from synthharm.composites.manipulation.placing import full_alpha, outside_share, place, soften

SIZE = (50, 60)
cutouts = st.builds(
    lambda seed, soft: Cutout(draw_photo(seed), draw_mask(seed, soft=soft), 3, 4),
    st.integers(0, 10**6),
    st.booleans(),
)
placements = st.builds(
    Placement,
    x=st.floats(0, SIZE[1]),
    y=st.floats(0, SIZE[0]),
    scale=st.floats(0.3, 2.5),
    rotation=st.floats(-180, 180),
    flip=st.booleans(),
)


def box_of(alpha: np.ndarray) -> tuple[slice, slice]:
    rows, columns = (np.flatnonzero(alpha.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def on_canvas(layer, size: tuple[int, int] = SIZE) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Its colours where its alpha is above 0, else 0; uint8 (H, W, 3)."""
    canvas = np.zeros((*size, 3), np.uint8)
    canvas[layer.window] = layer.colours * (layer.alpha > 0)[..., None]
    return canvas


def ellipse(size: tuple[int, int] = (60, 80), radii: tuple[float, float] = (20, 30)) -> Cutout:
    rows, columns = np.indices(size)
    inside = ((rows - size[0] / 2 + 0.5) / radii[0]) ** 2 + ((columns - size[1] / 2 + 0.5) / radii[1]) ** 2 < 1
    return Cutout(draw_photo(5, size), np.where(inside, np.uint8(255), np.uint8(0)), 0, 0)


@settings(max_examples=40)
@given(cutouts, st.integers(-12, 60), st.integers(-12, 50), st.booleans())
def test_a_whole_shift_keeps_every_byte(cutout: Cutout, left: int, top: int, flip: bool) -> None:
    colours, alpha = ((a[:, ::-1] if flip else a) for a in (cutout.colours, cutout.alpha))
    rows, columns = box_of(alpha)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    expected, expected_alpha = np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8)
    for row in range(max(0, top), min(SIZE[0], top + height)):
        for column in range(max(0, left), min(SIZE[1], left + width)):
            place_ = row - top + rows.start, column - left + columns.start
            expected_alpha[row, column] = alpha[place_]
            expected[row, column] = colours[place_] * (alpha[place_] > 0)
    placement = Placement(x=left + width / 2, y=top + height / 2, flip=flip)
    if not expected_alpha.any():
        with pytest.raises(ValueError, match=r"nothing lies in the target of \(50, 60\)"):
            place(cutout, placement, SIZE)
        return
    layer = place(cutout, placement, SIZE)
    np.testing.assert_array_equal(full_alpha(layer, SIZE), expected_alpha)
    np.testing.assert_array_equal(on_canvas(layer), expected)
    share = 1 - expected_alpha.sum(dtype=int) / alpha.sum(dtype=int)
    assert outside_share(cutout, placement, SIZE) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("rotation", [0, 30, 90, 170, -45])
@pytest.mark.parametrize("scale", [0.3, 0.5, 0.83, 1, 1.7])
def test_the_middle_and_the_area_are_as_asked(scale: float, rotation: float) -> None:
    cutout, size = ellipse(), (200, 220)
    layer = place(cutout, Placement(x=100.3, y=90.8, scale=scale, rotation=rotation), size)
    weights = full_alpha(layer, size) / 255
    rows, columns = np.indices(size) + 0.5
    assert (columns * weights).sum() / weights.sum() == pytest.approx(100.3, abs=0.06)
    assert (rows * weights).sum() / weights.sum() == pytest.approx(90.8, abs=0.06)
    assert weights.sum() == pytest.approx((cutout.alpha > 0).sum() * scale**2, rel=0.02)
    # The longer axis lies along the rotation, anticlockwise as seen.
    x, y = columns - 100.3, rows - 90.8
    angle = 0.5 * math.atan2(-2 * (x * y * weights).sum(), ((x * x - y * y) * weights).sum())
    assert math.sin(angle - math.radians(rotation)) == pytest.approx(0, abs=0.02)


def test_a_quarter_turn_is_anticlockwise_and_exact() -> None:
    cutout = ellipse((30, 40), (9, 14))
    layer = place(cutout, Placement(x=30, y=25, rotation=90), SIZE)
    rows, columns = box_of(cutout.alpha)
    turned = np.rot90(cutout.alpha[rows, columns])
    found = full_alpha(layer, SIZE)
    np.testing.assert_array_equal(found[box_of(found)], turned)
    colours = np.rot90(cutout.colours[rows, columns]) * (turned > 0)[..., None]
    np.testing.assert_array_equal(on_canvas(layer)[box_of(found)], colours)


@settings(max_examples=25)
@given(cutouts, placements)
def test_colours_without_alpha_have_no_part(cutout: Cutout, placement: Placement) -> None:
    hidden = np.where(cutout.alpha[..., None] > 0, cutout.colours, 255 - cutout.colours)
    try:
        layer = place(cutout, placement, SIZE)
    except ValueError:
        return
    np.testing.assert_array_equal(
        on_canvas(layer), on_canvas(place(replace(cutout, colours=hidden), placement, SIZE))
    )


@settings(max_examples=25)
@given(cutouts, placements, st.floats(0, 4))
def test_one_colour_stays_one_colour(cutout: Cutout, placement: Placement, feather: float) -> None:
    inside, outside = (200, 30, 90), (7, 150, 255)
    plain = np.where(cutout.alpha[..., None] > 0, np.uint8(inside), np.uint8(outside))
    try:
        layer = place(replace(cutout, colours=plain), placement, SIZE, feather)
    except ValueError:
        return
    assert (layer.colours[layer.alpha > 0] == inside).all()
    if placement.scale > 1 and (layer.alpha == 0).any():
        assert (layer.colours[layer.alpha == 0] == outside).all()


@settings(max_examples=20)
@given(cutouts, placements, st.floats(0, 4))
def test_a_layer_lies_in_its_target(cutout: Cutout, placement: Placement, feather: float) -> None:
    try:
        layer = place(cutout, placement, SIZE, feather)
    except ValueError:
        return
    height, width = layer.alpha.shape
    assert layer.colours.shape == (height, width, 3)
    assert layer.left >= 0 <= layer.top
    assert layer.left + width <= SIZE[1]
    assert layer.top + height <= SIZE[0]
    assert layer.alpha.any()
    assert full_alpha(layer, SIZE).sum(dtype=int) == layer.alpha.sum(dtype=int)
    again = place(cutout, placement, SIZE, feather)
    np.testing.assert_array_equal(layer.colours, again.colours)
    np.testing.assert_array_equal(layer.alpha, again.alpha)


@pytest.mark.parametrize("scale", [0.5, 0.25, 0.21])
def test_shrinking_does_not_alias(scale: float) -> None:
    stripes = np.zeros((80, 80, 3), np.uint8)
    stripes[:, ::2] = 255
    layer = place(Cutout(stripes, np.full((80, 80), 255, np.uint8), 0, 0), Placement(30, 25, scale), SIZE)
    found = layer.colours[3:-3, 3:-3]
    assert found.min() > 100
    assert found.max() < 155


@given(st.integers(0, 10**6), st.booleans(), st.floats(0, 8))
def test_feathering_takes_away_along_the_rim_alone(seed: int, soft: bool, width: float) -> None:
    alpha = draw_mask(seed, soft=soft)
    found = soften(alpha, width)
    assert (found <= alpha).all()
    rows, columns = np.nonzero(alpha == 0)
    for row, column in np.random.default_rng(seed).integers(0, alpha.shape, (20, 2)):
        if len(rows) and np.hypot(rows - row, columns - column).min() - 0.5 >= width:
            assert found[row, column] == alpha[row, column]


def test_where_an_object_leaves_the_target_it_does_not_fade() -> None:
    cutout = Cutout(np.full((20, 20, 3), 9, np.uint8), np.full((20, 20), 255, np.uint8), 0, 0)
    alpha = full_alpha(place(cutout, Placement(x=0, y=25), SIZE, feather=4), SIZE)
    np.testing.assert_array_equal(alpha[19:31, 0], 255)
    assert alpha[25, 9] < 30
    whole = full_alpha(place(cutout, Placement(x=20, y=25), SIZE, feather=4), SIZE)
    np.testing.assert_array_equal(alpha[:, :10], whole[:, 20:30])
    # A rim that lies beyond the target by less than the feather is felt within.
    barely = full_alpha(place(cutout, Placement(x=8, y=25), SIZE, feather=4), SIZE)
    np.testing.assert_array_equal(barely[:, :18], whole[:, 12:30])
    assert barely[25, 0] < 255


@pytest.mark.parametrize(
    ("placement", "feather", "said"),
    [
        (Placement(1, 1, scale=0), 0, "scale is 0"),
        (Placement(1, 1, scale=math.inf), 0, "scale is inf"),
        (Placement(math.nan, 1), 0, "x, y, rotation are"),
        (Placement(20, 20), -1, "feather is -1"),
        (Placement(-200, 20, rotation=20), 0, "nothing lies in the target"),
    ],
)
def test_what_cannot_be_placed_is_refused(placement: Placement, feather: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        place(ellipse(), placement, SIZE, feather)


def test_a_cutout_of_nothing_is_refused() -> None:
    nothing = Cutout(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), 0, 0)
    with pytest.raises(ValueError, match="alpha is 0 everywhere"):
        place(nothing, Placement(2, 2), SIZE)
    with pytest.raises(ValueError, match="alpha is 0 everywhere"):
        outside_share(nothing, Placement(2, 2), SIZE)
