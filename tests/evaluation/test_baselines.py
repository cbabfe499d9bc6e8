"""Histograms become those of the background, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scenes import draw_mask, draw_photo

from synthharm.evaluation.baselines import match_histograms

seeds = st.integers(0, 10**6)


def halves(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An image of a region's pixels (P, 3) and a background's (Q, 3), in one row, and its alpha."""
    alpha = np.repeat(np.array([255, 0], np.uint8), [len(first), len(second)])[None]
    return np.concatenate([first, second])[None], alpha


@pytest.mark.parametrize("name", ["000000000030.jpg", "000000000127.jpg"])
def test_matched_as_scikit_image_does(bundled: Path, name: str) -> None:
    from skimage.exposure import match_histograms as reference

    image = np.asarray(Image.open(bundled / "images" / name))
    alpha = np.zeros(image.shape[:2], np.uint8)
    alpha[50:200, 80:300] = 255
    inside = alpha > 0
    found = match_histograms(image, alpha)
    expected = reference(image[inside].astype(np.float64), image[~inside].astype(np.float64), channel_axis=-1)
    np.testing.assert_allclose(found[inside], expected, atol=1e-9)
    np.testing.assert_array_equal(found[~inside], image[~inside])


@settings(max_examples=40)
@given(seeds, st.integers(1, 60), st.integers(1, 5))
def test_the_same_shares_become_the_same_levels(seed: int, count: int, times: int) -> None:
    """A background in which every pixel stands `times` as often gives each of a region's its rank's colour."""
    rng = np.random.default_rng(seed)
    own, around = (
        np.stack([rng.permutation(256)[:count] for _ in range(3)], axis=1).astype(np.uint8) for _ in range(2)
    )
    image, alpha = halves(own, np.repeat(around, times, axis=0))
    found = match_histograms(image, alpha)[0, :count]
    for channel in range(3):
        order = np.argsort(own[:, channel])
        np.testing.assert_array_equal(found[order, channel], np.sort(around[:, channel]))


@settings(max_examples=40)
@given(seeds)
def test_levels_keep_their_order_and_the_backgrounds_range(seed: int) -> None:
    image, alpha = draw_photo(seed), draw_mask(seed)
    found = match_histograms(image, alpha)
    inside = alpha > 0
    for channel in range(3):
        order = np.argsort(image[inside][:, channel], kind="stable")
        assert (np.diff(found[inside][order, channel]) >= 0).all()
        around = image[~inside][:, channel]
        assert around.min() <= found[inside][:, channel].min()
        assert found[inside][:, channel].max() == around.max()


@settings(max_examples=40)
@given(seeds)
def test_what_fits_already_stays(seed: int) -> None:
    own = np.random.default_rng(seed).integers(0, 256, (40, 3), np.uint8)
    image, alpha = halves(own, np.concatenate([own, own]))
    np.testing.assert_array_equal(match_histograms(image, alpha), image)


@settings(max_examples=40)
@given(seeds)
def test_soft_pixels_count_and_move_by_their_alpha(seed: int) -> None:
    """A pixel of alpha k counts as k pixels of alpha 255 would, of which the rest are left out."""
    rng = np.random.default_rng(seed)
    own, around = rng.integers(0, 256, (30, 3), np.uint8), rng.integers(0, 256, (50, 3), np.uint8)
    alphas = rng.integers(1, 256, 30).astype(np.uint8)
    image, alpha = halves(own, around)
    alpha[0, :30] = alphas
    found = match_histograms(image, alpha)[0, :30]
    repeated, hard = halves(np.repeat(own, alphas, axis=0), around)
    first = np.cumsum(alphas.astype(int)) - alphas
    matched = match_histograms(repeated, hard)[0, first]
    np.testing.assert_allclose(found, own + alphas[:, None] / 255 * (matched - own), atol=1e-9)


@pytest.mark.parametrize(
    ("alpha", "said"),
    [
        (np.zeros((30, 38), np.uint8), "alpha is 0 everywhere"),
        (np.ones((30, 38), np.uint8), "alpha is 0 nowhere"),
        (draw_mask(1)[1:], r"alpha is \(29, 38\); accepted is the image's size, \(30, 38\)"),
    ],
)
def test_what_has_no_histograms_is_refused(alpha: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        match_histograms(draw_photo(1), alpha)
