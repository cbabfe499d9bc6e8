"""What edits come to: nothing outside the mask, labels that belong to each other, the same whenever it is run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import draw_mask, draw_photo

from synthharm.composites.manipulation.composing import Composed, Layered, compose, compose_one, paste
from synthharm.composites.manipulation.edits import Colour, Cut, Edit, Paste, Placement, Region, Removal, Retouch
from synthharm.masks import feather

SIZE, DONOR = (60, 72), (48, 56)
BRIGHTNESS = Colour("chain", ("brightness",), "image", {"brightness": 0.3})

colours = st.sampled_from([Colour(), Colour("reinhard"), BRIGHTNESS])


@st.composite
def pastes(draw: st.DrawFn) -> Paste:
    photo = draw(st.sampled_from([0, 1]))
    return Paste(
        Region(photo, "7", "mask", "cup"),
        Cut(draw(st.sampled_from(["mask", "matte"])), draw(st.floats(0, 1)), draw(st.floats(0, 3))),
        Placement(
            draw(st.floats(15, 55)),
            draw(st.floats(15, 45)),
            draw(st.floats(0.7, 1.3)),
            draw(st.floats(-30, 30)),
            draw(st.booleans()),
        ),
        draw(st.sampled_from(["alpha", "poisson", "mixed", "multiband"])),
        draw(colours),
    )


edits = st.one_of(
    pastes(),
    st.builds(Retouch, st.just(Region(0, "3", "mask")), st.just(BRIGHTNESS), st.sampled_from([0.0, 2.0])),
    st.builds(
        Removal,
        st.just(Region(0, "3", "mask")),
        st.integers(0, 3),
        st.sampled_from(["telea", "navier_stokes"]),
        st.integers(1, 4),
    ),
)


def ellipse(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    down, across = (rows - size[0] / 2 + seed) / 14, (columns - size[1] / 2 - seed) / 12
    return np.where(down**2 + across**2 < 1, np.uint8(255), np.uint8(0))


PHOTOS = (draw_photo(1, SIZE), draw_photo(2, DONOR))
MASKS = (ellipse(SIZE, 3), ellipse(DONOR))


def masks_of(done: list[Edit]) -> list[np.ndarray]:
    return [MASKS[edit.region.photo] for edit in done]


@settings(max_examples=40)
@given(st.lists(edits, min_size=1, max_size=3))
def test_nothing_changes_outside_the_mask(drawn: list[Edit]) -> None:
    before = [photo.copy() for photo in PHOTOS]
    done = compose(PHOTOS, masks_of(drawn), drawn)
    assert done.image.shape == PHOTOS[0].shape
    assert done.image.dtype == np.uint8
    assert (done.image == PHOTOS[0])[done.regions == 0].all()
    assert np.array_equal(done.regions > 0, done.alpha > 0)
    assert np.array_equal(done.mask, np.where(done.regions > 0, 255, 0))
    assert set(np.unique(done.regions).tolist()) <= set(range(len(drawn) + 1))
    assert len(drawn) in done.regions
    assert done.sources.keys() == {n for n, edit in enumerate(drawn, 1) if isinstance(edit, Paste)}
    assert all((photo == kept).all() for photo, kept in zip(PHOTOS, before, strict=True)), "an input was changed"


@settings(max_examples=15)
@given(st.lists(edits, min_size=1, max_size=3))
def test_edits_run_one_by_one_as_in_one_go(drawn: list[Edit]) -> None:
    whole = compose(PHOTOS, masks_of(drawn), drawn)
    done = Composed.untouched(PHOTOS[0])
    for number, edit in enumerate(drawn, 1):
        before = done
        done = compose_one(done, number, PHOTOS[edit.region.photo], MASKS[edit.region.photo], edit)
        changed = done.regions == number
        assert (done.image == before.image)[~changed].all()
        assert (done.regions == before.regions)[~changed].all()
        assert (done.alpha >= before.alpha).all()
    for name in ("image", "alpha", "regions"):
        assert np.array_equal(getattr(done, name), getattr(whole, name))
    assert done.sources.keys() == whole.sources.keys()


@settings(max_examples=20)
@given(pastes(), colours)
def test_a_pasted_layer_in_other_colours_is_the_edit_with_them(edit: Paste, colour: Colour) -> None:
    """What drawing relies on: geometry and colour are apart."""
    photo, mask = PHOTOS[edit.region.photo], MASKS[edit.region.photo]
    layer = paste(PHOTOS[0], photo, mask, edit)
    recoloured = Composed.untouched(PHOTOS[0]).with_layer(1, layer.recoloured(colour))
    changed = Paste(edit.region, edit.cut, edit.placement, edit.blending, colour)
    done = compose([PHOTOS[0], PHOTOS[1]], [mask], [changed])
    for name in ("image", "alpha", "regions"):
        assert np.array_equal(getattr(done, name), getattr(recoloured, name))
    assert np.array_equal(done.sources[1], recoloured.sources[1])


def test_a_copy_that_is_not_resampled_has_the_pixels_of_its_source() -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[10:20, 12:30] = 255
    edit = Paste(Region(0, "1", "m"), Cut("mask"), Placement(x=41, y=45))
    done = compose([PHOTOS[0]], [mask], [edit])
    assert np.array_equal(done.sources[1], mask)
    rows, columns = np.nonzero(done.regions)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 49, 32, 49)
    assert np.array_equal(done.image[40:50, 32:50], PHOTOS[0][10:20, 12:30])
    assert (done.alpha[done.regions > 0] == 255).all()
    assert (done.image == PHOTOS[0])[done.regions == 0].all()


def test_the_source_of_a_region_is_where_it_was_cut_out_of_its_own_photo() -> None:
    edit = Paste(Region(1, "1", "m"), Cut("mask", erosion=2.0), Placement(30, 30, 0.8, 20, True))
    done = compose(PHOTOS, [MASKS[1]], [edit])
    source = done.sources[1]
    assert source.shape == DONOR
    assert set(np.unique(source)) == {0, 255}
    assert not (source[MASKS[1] == 0]).any()
    assert 0 < np.count_nonzero(source) < np.count_nonzero(MASKS[1])  # the rim went inwards


def test_a_later_region_takes_what_it_covers() -> None:
    first = Removal(Region(0, "1", "m"), dilation=0)
    second = Retouch(Region(0, "2", "m"), BRIGHTNESS)
    low, high = (np.zeros(SIZE, np.uint8) for _ in range(2))
    low[10:30, 10:30], high[20:40, 20:40] = 255, 255
    done = compose([PHOTOS[0]], [low, high], [first, second])
    assert (done.regions[high > 0] == 2).all()
    assert (done.regions[(low > 0) & (high == 0)] == 1).all()
    assert np.count_nonzero(done.mask) == 400 + 400 - 100
    assert done.sources == {}


@pytest.mark.parametrize("radius", [0.0, 2.5])
def test_a_retouch_changes_its_feathered_region(radius: float) -> None:
    mask = draw_mask(4, SIZE)
    done = compose([PHOTOS[0]], [mask], [Retouch(Region(0, "1", "m"), BRIGHTNESS, radius)])
    assert np.array_equal(done.alpha, feather(mask, radius) if radius else mask)
    assert (done.image != PHOTOS[0])[mask == 255].any()


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (Paste(Region(0, "1", "m"), Cut("mask"), Placement(x=-500, y=20)), "nothing lies in the target"),
        (Paste(Region(0, "1", "m"), Cut("mask", erosion=40.0), Placement(30, 30)), "nothing is left of a region"),
        (Paste(Region(0, "1", "m"), Cut("mask"), Placement(30, 30, scale=0)), "scale is 0"),
        (Removal(Region(0, "1", "m"), dilation=-1), "dilation is -1"),
        (Removal(Region(0, "1", "m"), radius=0), "radius is 0"),
        (Removal(Region(0, "1", "m"), dilation=60), "covers the whole image"),
        (Retouch(Region(0, "1", "m"), Colour("chain", ("brightness",), "image", {"hue": 1.0})), "arguments are"),
        (Retouch(Region(0, "1", "m"), BRIGHTNESS, feather=-1.0), "radius is -1"),
    ],
)
def test_what_cannot_be_run_is_refused(edit: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        compose([PHOTOS[0]], [MASKS[0]], [edit])


@pytest.mark.parametrize("edit", [Removal(Region(0, "1", "m")), Retouch(Region(0, "1", "m"), BRIGHTNESS)])
def test_an_empty_region_is_refused(edit: Edit) -> None:
    with pytest.raises(ValueError, match=r"empty|0 everywhere|nothing"):
        compose([PHOTOS[0]], [np.zeros(SIZE, np.uint8)], [edit])


def test_as_many_masks_as_edits_are_accepted() -> None:
    with pytest.raises(ValueError, match="zip"):
        compose([PHOTOS[0]], [], [Removal(Region(0, "1", "m"))])


def test_a_layer_knows_no_source_where_nothing_was_cut_out() -> None:
    layer = Layered(PHOTOS[0], MASKS[0])
    assert Composed.untouched(PHOTOS[0]).with_layer(1, layer).sources == {}
