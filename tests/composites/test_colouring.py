"""Colours change where their region is, as their arguments say, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import draw_mask, draw_photo, harmonize_whole

from synthharm.composites.manipulation.colour_transfer import reinhard
from synthharm.composites.manipulation.colouring import chain_of, recolour
from synthharm.composites.manipulation.edits import Colour
from synthharm.filters import FilterChain
from synthharm.filters.fused import Scene, undo_region
from synthharm.masks import surroundings

FILTERS = ("brightness", "contrast", "saturation")
modes = st.sampled_from(["chain", "reference", "harmonizer"])
statistics = st.sampled_from(["image", "foreground"])
arguments = st.fixed_dictionaries({name: st.floats(-0.3, 0.3) for name in FILTERS})
scenes = st.tuples(st.integers(0, 50), st.booleans())


def scene_of(scene: tuple[int, bool]) -> tuple[np.ndarray, np.ndarray]:
    return draw_photo(scene[0]), draw_mask(scene[0], soft=scene[1])


@given(modes, statistics, arguments, scenes)
def test_nothing_changes_without_alpha(
    mode: str, means: str, values: dict[str, float], scene: tuple[int, bool]
) -> None:
    image, alpha = scene_of(scene)
    before = image.copy()
    changed = recolour(image, alpha, Colour(mode, FILTERS, means, values))
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert (changed == image)[alpha == 0].all()
    assert np.array_equal(image, before)


@given(modes, statistics, scenes)
def test_neutral_arguments_change_nothing(mode: str, means: str, scene: tuple[int, bool]) -> None:
    image, alpha = scene_of(scene)
    neutral = dict.fromkeys(FILTERS, 0.0)
    assert np.array_equal(recolour(image, alpha, Colour(mode, FILTERS, means, neutral)), image)


@given(scenes)
def test_as_is_is_as_it_is(scene: tuple[int, bool]) -> None:
    image, alpha = scene_of(scene)
    assert np.array_equal(recolour(image, alpha, Colour()), image)


@given(scenes)
def test_reinhard_goes_by_the_surroundings(scene: tuple[int, bool]) -> None:
    image, alpha = scene_of(scene)
    expected = reinhard(image, alpha, surroundings(alpha))
    assert np.array_equal(recolour(image, alpha, Colour("reinhard")), expected)


@settings(max_examples=30)
@given(statistics, arguments, scenes)
def test_a_harmonizers_arguments_are_applied(
    means: str, values: dict[str, float], scene: tuple[int, bool]
) -> None:
    """As the chain does it on tensors, rounded to a level."""
    image, alpha = scene_of(scene)
    chain = FilterChain(list(FILTERS), means)
    changed = recolour(image, alpha, Colour("harmonizer", FILTERS, means, values))
    expected = harmonize_whole(image, alpha, chain, np.array([values[column] for column in chain.columns]))
    assert np.abs(changed - 255 * expected).max() <= 0.5 + 1e-3


@settings(max_examples=30)
@given(st.sampled_from(["chain", "reference"]), statistics, arguments, scenes)
def test_drawn_arguments_are_undone(
    mode: str, means: str, values: dict[str, float], scene: tuple[int, bool]
) -> None:
    """Applying them to what came out gives the picture again where it is recoverable."""
    image, alpha = scene_of(scene)
    colour = Colour(mode, FILTERS, means, values)
    try:
        changed = recolour(image, alpha, colour)
    except ValueError:
        return  # means that no picture has
    chain = FilterChain(list(FILTERS), means)
    again = harmonize_whole(changed, alpha, chain, np.array([values[column] for column in chain.columns]))
    row = [values[column] for column in chain.columns]
    recoverable = undo_region(chain, Scene(image, alpha), row).recoverable
    error = np.abs(255 * again - image)[alpha > 0][recoverable]
    assert error.max(initial=0) <= 6  # a level of what came out, stretched


def test_undoing_and_applying_are_not_the_same() -> None:
    image, alpha = draw_photo(3), draw_mask(3)
    values = {"brightness": 0.3, "contrast": 0.2, "saturation": 0.1}
    undone, applied = (
        recolour(image, alpha, Colour(mode, FILTERS, "image", values)) for mode in ("chain", "harmonizer")
    )
    inside = alpha > 0
    assert undone[inside].mean() < image[inside].mean() < applied[inside].mean()


def test_both_statistics_are_used() -> None:
    image, alpha = draw_photo(3), draw_mask(3)
    values = {"brightness": 0.0, "contrast": 0.3, "saturation": 0.0}
    both = [recolour(image, alpha, Colour("chain", FILTERS, means, values)) for means in ("image", "foreground")]
    assert not np.array_equal(*both)


@pytest.mark.parametrize("names", [(), ("brightness",), (*FILTERS, "hue")])
@pytest.mark.parametrize("mode", ["chain", "harmonizer"])
def test_arguments_that_filters_do_not_have_are_refused(names: tuple[str, ...], mode: str) -> None:
    colour = Colour(mode, FILTERS, "image", dict.fromkeys(names, 0.1))
    with pytest.raises(ValueError, match=r"arguments are .*; \['brightness', 'contrast', 's.*'\] are accepted"):
        recolour(draw_photo(0), draw_mask(0), colour)


@pytest.mark.parametrize(
    ("colour", "why"),
    [
        (Colour("chain", ("sharpness",), "image", {"sharpness": 0.1}), "sharpness"),
        (Colour("chain", (), "image", {}), "filter"),
        (Colour("chain", ("brightness",), "image", {"brightness": float("nan")}), "brightness"),
        (Colour("harmonizer", ("brightness",), "image", {"brightness": 7.0}), "brightness"),
    ],
)
def test_what_cannot_be_run_is_refused(colour: Colour, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        recolour(draw_photo(0), draw_mask(0), colour)


def test_a_region_without_surroundings_cannot_take_on_their_colours() -> None:
    image = draw_photo(0)
    with pytest.raises(ValueError, match="around is False everywhere"):
        recolour(image, np.full(image.shape[:2], 255, np.uint8), Colour("reinhard"))


def test_a_chain_has_its_colours_filters_and_statistics() -> None:
    chain = chain_of(Colour("chain", FILTERS, "foreground", dict.fromkeys(FILTERS, 0.0)))
    assert tuple(one.name for one in chain.filters) == FILTERS
    assert chain.statistics == "foreground"
