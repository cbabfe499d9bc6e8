"""What is removed is filled as if the whole picture had been looked at, and nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import draw_photo

from synthharm.composites.manipulation.edits import Inpainting
from synthharm.composites.manipulation.removing import METHODS, remove

SIZE = (70, 80)
methods = pytest.mark.parametrize("method", ["telea", "navier_stokes"])


def draw_region(seed: int) -> np.ndarray:
    """An ellipse or two, anywhere, also across the border; uint8 (H, W), soft for odd seeds."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(SIZE, np.uint8)
    for _ in range(int(rng.integers(1, 3))):
        centre = int(rng.integers(0, SIZE[1])), int(rng.integers(0, SIZE[0]))
        axes = int(rng.integers(1, 10)), int(rng.integers(1, 10))
        cv2.ellipse(mask, centre, axes, float(rng.integers(0, 180)), 0, 360, 255, -1)
    return cv2.GaussianBlur(mask, (3, 3), 1) if seed % 2 else mask


@methods
@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), dilation=st.integers(0, 5), radius=st.integers(1, 7))
def test_it_is_as_if_done_on_the_whole(method: Inpainting, seed: int, dilation: int, radius: int) -> None:
    noise = np.random.default_rng(seed).integers(-20, 20, (*SIZE, 3))
    image = (draw_photo(seed, SIZE) + noise).clip(0, 255).astype(np.uint8)
    mask, before = draw_region(seed), image.copy()
    found, changed = remove(image, mask, dilation, method, radius)
    expected = cv2.inpaint(image, changed, radius, METHODS[method])
    np.testing.assert_array_equal(found, np.where(changed[..., None] > 0, expected, image))
    np.testing.assert_array_equal(found[changed == 0], before[changed == 0])
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(np.unique(changed), [0, 255])


@given(st.integers(0, 10**6), st.integers(0, 6))
def test_the_mask_grows_by_the_dilation(seed: int, dilation: int) -> None:
    mask = draw_region(seed)
    _, changed = remove(draw_photo(seed, SIZE), mask, dilation, "telea", 1)
    away = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert changed[mask > 0].min() == 255
    assert (changed[away > dilation + 1] == 0).all()
    assert (changed[away <= max(0, dilation - 1)] == 255).all()
    for axis in (0, 1):
        length = mask.shape[axis]
        grown = np.take(changed, np.arange(dilation, length), axis=axis)
        assert grown[np.take(mask, np.arange(length - dilation), axis=axis) > 0].min(initial=255) == 255
    if dilation == 0:
        np.testing.assert_array_equal(changed > 0, mask > 0)


@methods
def test_an_object_on_a_plain_ground_is_gone(method: Inpainting) -> None:
    ramp = np.linspace(80, 160, SIZE[1])[None, :, None] * np.ones((SIZE[0], 1, 3))
    image, mask = ramp.astype(np.uint8), np.zeros(SIZE, np.uint8)
    mask[30:42, 30:45] = 255
    image[mask > 0] = (255, 0, 0)
    found, _ = remove(image, mask, 2, method, 5)
    assert np.abs(found - ramp).max() < 12


@pytest.mark.parametrize(
    ("mask", "dilation", "method", "radius", "said"),
    [
        (np.zeros(SIZE, np.uint8), 1, "telea", 3, "the mask is empty"),
        (np.zeros((70, 79), np.uint8), 1, "telea", 3, r"the mask is \(70, 79\); accepted is its image's size"),
        (draw_region(2), 90, "telea", 3, "the mask dilated by 90 pixels covers the whole image"),
        (draw_region(2), -1, "telea", 3, "dilation is -1"),
        (draw_region(2), 1, "telea", 0, "radius is 0"),
        (draw_region(2), 1, "lama", 3, "method is 'lama'; accepted are telea, navier_stokes"),
    ],
)
def test_what_cannot_be_removed_is_refused(
    mask: np.ndarray, dilation: int, method: Inpainting, radius: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        remove(draw_photo(1, SIZE), mask, dilation, method, radius)
