"""What is cut out is the region: its own pixels, its own colours at the rim, and nothing of what lies apart."""

from __future__ import annotations

import cv2
import numpy as np
import pymatting
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scenes import draw_mask, draw_photo

from synthharm.composites.manipulation import cutting
from synthharm.composites.manipulation.cutting import cut_out, erode, extend, touches_border
from synthharm.composites.manipulation.edits import Cut

RED, BLUE = np.array([200.0, 40, 30]), np.array([20.0, 60, 190])
masks = st.builds(draw_mask, st.integers(0, 10**6), soft=st.booleans())
small_alphas = arrays(np.uint8, (9, 11), elements=st.sampled_from([0, 0, 40, 130, 255, 255]))


def disc(radius: float = 20, size: tuple[int, int] = (60, 70), softness: float = 0.0) -> np.ndarray:
    """The share of each pixel in a disc in the middle, float (H, W)."""
    rows, columns = np.indices(size)
    distance = np.hypot(rows - size[0] / 2 + 0.5, columns - size[1] / 2 + 0.5)
    return np.clip((radius - distance) / max(softness, 1e-9) + 0.5, 0, 1)


def scene(share: np.ndarray) -> np.ndarray:
    """A red texture over a blue one, uint8 (H, W, 3)."""
    rng = np.random.default_rng(0)
    red, blue = (c + rng.normal(0, 2, (*share.shape, 1)) for c in (RED, BLUE))
    return np.rint(share[..., None] * red + (1 - share[..., None]) * blue).astype(np.uint8)


def as_mask(share: np.ndarray) -> np.ndarray:
    return np.where(share >= 0.5, 255, 0).astype(np.uint8)


@settings(max_examples=20)
@given(masks)
def test_a_mask_is_cut_as_it_is(mask: np.ndarray) -> None:
    photo = draw_photo(1)
    cutout = cut_out(photo, mask, Cut(alpha="mask"))
    height, width = cutout.alpha.shape
    window = slice(cutout.top, cutout.top + height), slice(cutout.left, cutout.left + width)
    np.testing.assert_array_equal(cutout.alpha, mask[window])
    np.testing.assert_array_equal(cutout.colours, photo[window])
    assert (cutout.alpha > 0).sum() == (mask > 0).sum()


def test_a_matte_finds_the_soft_rim_and_the_regions_own_colours(capsys: pytest.CaptureFixture[str]) -> None:
    share = disc(softness=4)
    photo = scene(share)
    cutout = cut_out(photo, as_mask(share), Cut())
    height, width = cutout.alpha.shape
    truth = share[cutout.top : cutout.top + height, cutout.left : cutout.left + width]
    mixed = (cutout.alpha > 0) & (cutout.alpha < 255)
    assert mixed.sum() > 150
    assert np.abs(cutout.alpha / 255 - truth).max() < 0.15  # the mask itself is off by 0.5
    assert np.abs(cutout.alpha / 255 - truth)[mixed].mean() < 0.03
    assert np.abs(cutout.colours[mixed] - RED).max() < 25  # blue is 160 away
    crop = photo[cutout.top : cutout.top + height, cutout.left : cutout.left + width]
    np.testing.assert_array_equal(cutout.colours[~mixed], crop[~mixed])
    assert capsys.readouterr() == ("", "")


def test_a_coarse_outline_is_brought_to_the_objects() -> None:
    cutout = cut_out(scene(disc(20)), as_mask(disc(21.5)), Cut())
    truth = as_mask(disc(20))[cutout.top :, cutout.left :][: cutout.alpha.shape[0], : cutout.alpha.shape[1]]
    assert ((cutout.alpha >= 128) != (truth > 0)).sum() <= 4
    assert (as_mask(disc(21.5)) != as_mask(disc(20))).sum() > 150


def test_what_lies_apart_from_the_region_goes() -> None:
    share = disc(20)
    share[8, 34:36] = 1  # red like the region, in the uncertain band beyond it
    cutout = cut_out(scene(share), as_mask(disc(20)), Cut())
    assert cutout.alpha[8 - cutout.top, 34 - cutout.left : 36 - cutout.left].max() == 0


@settings(max_examples=25)
@given(st.integers(0, 10**6), arrays(np.bool_, (12, 14)))
def test_any_region_has_a_matte(seed: int, inside: np.ndarray) -> None:
    photo = np.random.default_rng(seed).integers(0, 256, (12, 14, 3), np.uint8)
    if seed % 4 == 0:
        photo[:] = 77  # no colour to tell anything by
    mask = np.where(inside, np.uint8(255), np.uint8(0))
    if not inside.any():
        return
    first, second = cut_out(photo, mask, Cut()), cut_out(photo.copy(), mask.copy(), Cut())
    np.testing.assert_array_equal(first.alpha, second.alpha)
    np.testing.assert_array_equal(first.colours, second.colours)
    _, parts = cv2.connectedComponents(mask[first.top :, first.left :])
    parts = parts[: first.alpha.shape[0], : first.alpha.shape[1]]
    for part in range(1, parts.max() + 1):
        assert first.alpha[parts == part].max() == 255


@pytest.mark.parametrize("alpha", ["mask", "matte"])
def test_a_region_that_fills_its_photo_is_all_of_it(alpha: str) -> None:
    photo = draw_photo(3)
    cutout = cut_out(photo, np.full(photo.shape[:2], 255, np.uint8), Cut(alpha=alpha, erosion=2))  # type: ignore[arg-type]
    assert cutout.alpha.min() == 255
    np.testing.assert_array_equal(cutout.colours, photo)


def test_large_crops_are_matted_at_a_reduced_size(monkeypatch: pytest.MonkeyPatch) -> None:
    share = disc(60, (160, 160), softness=6)
    photo, mask = scene(share), as_mask(share)
    full = cut_out(photo, mask, Cut())
    sizes: list[tuple[int, ...]] = []
    solve = cutting._solve_matte
    monkeypatch.setattr(cutting, "MATTE_PIXELS", 6000)
    monkeypatch.setattr(
        cutting, "_solve_matte", lambda image, trimap: sizes.append(trimap.shape) or solve(image, trimap)
    )
    reduced = cut_out(photo, mask, Cut())
    assert np.prod(sizes[0]) <= 6100
    assert np.abs(reduced.alpha.astype(int) - full.alpha).mean() < 2
    assert (reduced.alpha != full.alpha).any()


@pytest.mark.parametrize("found", [np.nan, ValueError("did not converge")])
def test_a_matting_without_result_is_refused(found: object, monkeypatch: pytest.MonkeyPatch) -> None:
    def estimate(image: np.ndarray, trimap: np.ndarray, **_: object) -> np.ndarray:
        if isinstance(found, ValueError):
            raise found
        return np.full(trimap.shape, found)

    monkeypatch.setattr(pymatting, "estimate_alpha_cf", estimate)
    with pytest.raises(ValueError, match="no matte could be found for a crop of"):
        cut_out(scene(disc()), as_mask(disc()), Cut())


@given(small_alphas, st.integers(0, 4))
def test_erosion_is_euclidean(alpha: np.ndarray, distance: int) -> None:
    rows, columns = np.indices(alpha.shape)
    expected = np.empty_like(alpha)
    for row, column in np.ndindex(alpha.shape):
        near = (rows - row) ** 2 + (columns - column) ** 2 <= distance**2
        expected[row, column] = alpha[near].min()
    np.testing.assert_array_equal(erode(alpha, distance), expected)


@given(small_alphas, st.floats(0, 3), st.floats(0, 3))
def test_more_erosion_leaves_less(alpha: np.ndarray, first: float, second: float) -> None:
    less, more = (erode(alpha, d) for d in sorted((first, second)))
    assert (more <= less).all()
    assert (less <= alpha).all()


@given(small_alphas, st.integers(0, 2), st.sampled_from([0.25, 0.5, 0.9]))
def test_between_whole_pixels_erosion_mixes(alpha: np.ndarray, whole: int, part: float) -> None:
    expected = (1 - part) * erode(alpha, whole) + part * erode(alpha, whole + 1)
    assert np.abs(erode(alpha, whole + part) - expected).max() <= 0.5 + 1e-9


def test_what_erosion_takes_has_the_surroundings_colours() -> None:
    share = disc(20)
    cutout = cut_out(scene(share), as_mask(share), Cut(alpha="mask", erosion=3))
    lost = (as_mask(share)[cutout.top :, cutout.left :][: cutout.alpha.shape[0], : cutout.alpha.shape[1]] > 0) & (
        cutout.alpha == 0
    )
    assert lost.sum() > 200
    assert np.abs(cutout.colours[lost] - BLUE).max() < 25


@given(arrays(np.uint8, (6, 7, 3)), arrays(np.float32, (6, 7), elements=st.sampled_from([0, 0.25, 1])))
def test_colours_without_weight_have_no_part(colours: np.ndarray, weights: np.ndarray) -> None:
    if not weights.any():
        return
    found = extend(colours, weights)
    np.testing.assert_array_equal(found[weights == 1], colours[weights == 1])
    np.testing.assert_array_equal(found, extend(np.where(weights[..., None] > 0, colours, 255 - colours), weights))
    seen = colours[weights > 0]
    assert (found >= seen.min(axis=0) - 1e-3).all()
    assert (found <= seen.max(axis=0) + 1e-3).all()


@given(arrays(np.uint8, (8, 9), elements=st.sampled_from([0, 0, 0, 127, 128])))
def test_the_border_is_two_pixels_wide(mask: np.ndarray) -> None:
    rows, columns = np.nonzero(mask == 128)
    near = (rows < 2) | (rows >= 6) | (columns < 2) | (columns >= 7)
    assert touches_border(mask) == near.any()


@pytest.mark.parametrize(
    ("mask", "cut", "said"),
    [
        (np.zeros((30, 38), np.uint8), Cut(), "the mask is empty: no value reaches 128"),
        (
            np.full((30, 37), 255, np.uint8),
            Cut(),
            r"the mask is \(30, 37\); accepted is its photo's size, \(30, 38\)",
        ),
        (draw_mask(1), Cut(erosion=-1), "erosion is -1; accepted"),
        (draw_mask(1), Cut(erosion=float("nan")), "erosion is nan; accepted"),
        (draw_mask(1), Cut(alpha="mask", erosion=40), "nothing is left of a region of"),
    ],
)
def test_what_cannot_be_cut_is_refused(mask: np.ndarray, cut: Cut, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        cut_out(draw_photo(1), mask, cut)


def test_a_photo_of_two_rows_has_no_matte() -> None:
    mask = np.array([[0, 0, 255, 255, 255, 0]] * 2, np.uint8)
    with pytest.raises(ValueError, match=r"a crop of \(2, 6\) is too small"):
        cut_out(np.zeros((2, 6, 3), np.uint8), mask, Cut())
