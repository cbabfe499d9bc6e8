"""A region takes on the mean and deviation of what is around it, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scenes import draw_mask, draw_photo

from synthharm.composites.manipulation.colour_transfer import from_lab, reinhard, to_lab

seeds = st.integers(0, 10**6)


@given(arrays(np.uint8, (5, 3)))
def test_every_colour_comes_back(colours: np.ndarray) -> None:
    np.testing.assert_allclose(from_lab(to_lab(colours)), colours, atol=1e-9)


def test_greys_differ_in_lightness_alone() -> None:
    greys = to_lab(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1))
    assert (np.diff(greys[:, 0]) > 0).all()
    # The published matrices' rows sum to nearly one, not quite.
    np.testing.assert_allclose(greys[:, 1:], 0, atol=0.01)


def mild(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo of which nothing is clipped, and a region whose colours are its surroundings' but for a cast."""
    rng = np.random.default_rng(seed)
    photo = np.rint(rng.normal(120, 10, (30, 38, 1)) + rng.normal(0, 3, (30, 38, 3))).astype(np.uint8)
    mask = draw_mask(seed)
    cast = np.rint(photo * rng.uniform(0.8, 1.2, 3)).astype(np.uint8)
    return np.where(mask[..., None] > 0, cast, photo), mask


@settings(max_examples=40)
@given(seeds)
def test_the_region_has_the_statistics_of_what_is_around(seed: int) -> None:
    image, mask = mild(seed)
    around = mask == 0
    if (mask > 0).sum() < 50:
        return
    found = to_lab(reinhard(image, mask, around))
    np.testing.assert_allclose(found[mask > 0].mean(axis=0), found[around].mean(axis=0), atol=2e-3)
    np.testing.assert_allclose(found[mask > 0].std(axis=0), found[around].std(axis=0), rtol=0.1, atol=5e-4)


@settings(max_examples=40)
@given(seeds)
def test_soft_pixels_count_and_move_by_their_alpha(seed: int) -> None:
    image, alpha = draw_photo(seed), draw_mask(seed, soft=True)
    around = alpha == 0
    hard = reinhard(image, np.where(alpha > 0, 255, 0).astype(np.uint8), around)
    found = reinhard(image, alpha, around)
    np.testing.assert_array_equal(found[alpha == 0], image[alpha == 0])
    weights = (alpha[alpha > 0] / 255)[:, None]
    own, wanted = to_lab(image[alpha > 0]), to_lab(image[around])
    mean = (own * weights).sum(axis=0) / weights.sum()
    deviation = np.sqrt(((own - mean) ** 2 * weights).sum(axis=0) / weights.sum())
    moved = from_lab((own - mean) * (wanted.std(axis=0) / deviation).clip(0.5, 1.5) + wanted.mean(axis=0))
    expected = image[alpha > 0] + weights * (moved.clip(0, 255) - image[alpha > 0])
    assert np.abs(found[alpha > 0] - expected).max() <= 0.5 + 1e-6
    assert hard.shape == found.shape


@settings(max_examples=40)
@given(seeds)
def test_what_fits_already_stays(seed: int) -> None:
    image, mask = draw_photo(seed), draw_mask(seed)
    np.testing.assert_array_equal(reinhard(image, mask, mask > 0), image)


def test_flat_surroundings_halve_the_deviation_at_most() -> None:
    image, mask = mild(1)
    image[mask == 0] = 120
    found = to_lab(reinhard(image, mask, mask == 0))[mask > 0]
    np.testing.assert_allclose(found.std(axis=0), to_lab(image)[mask > 0].std(axis=0) / 2, rtol=0.15)
    busy = image.copy()
    busy[mask == 0] = np.random.default_rng(0).integers(20, 235, (int((mask == 0).sum()), 3))
    found = to_lab(reinhard(busy, mask, mask == 0))[mask > 0]
    np.testing.assert_allclose(found.std(axis=0), to_lab(busy)[mask > 0].std(axis=0) * 1.5, rtol=0.15)


def test_one_colour_takes_on_the_mean() -> None:
    image, mask = draw_photo(1), draw_mask(1)
    image[mask > 0] = (10, 200, 40)
    found = reinhard(image, mask, mask == 0)[mask > 0]
    expected = from_lab(to_lab(image[mask == 0]).mean(axis=0))
    assert np.abs(found - expected).max() <= 0.5


@pytest.mark.parametrize(
    ("alpha", "around", "said"),
    [
        (np.zeros((30, 38), np.uint8), np.ones((30, 38), np.bool_), "alpha is 0 everywhere"),
        (draw_mask(1), np.zeros((30, 38), np.bool_), "around is False everywhere"),
        (draw_mask(1), np.ones((30, 37), np.bool_), r"accepted is the image's size, \(30, 38\)"),
    ],
)
def test_what_has_no_statistics_is_refused(alpha: np.ndarray, around: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        reinhard(draw_photo(1), alpha, around)
