"""A mask is 0 outside and 255 inside however it was stored; its edge is feathered and marked by distance."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from synthharm.errors import Unusable
from synthharm.masks import binarize, boundary_band, check_mask, decode_mask, feather, surroundings

RNG = np.random.default_rng(11)
INSIDE = RNG.random((7, 10)) > 0.5
SOFT = RNG.integers(0, 256, (7, 10), dtype=np.uint8)
MASKS = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.sampled_from([0, 255]))


def encode(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def grey(samples: np.ndarray) -> Image.Image:
    return Image.fromarray(samples)


def palette(index: np.ndarray, colours: list[int]) -> Image.Image:
    image = Image.fromarray(index)
    image.putpalette(colours)
    return image


def fully(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, 255, 0)


DAVIS = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
INDEX = np.where(INSIDE, RNG.integers(1, 4, INSIDE.shape), 0).astype(np.uint8)
STORED = {
    "1 bit": (encode(grey(INSIDE)), fully(INSIDE)),
    "1 bit tiff": (encode(grey(INSIDE), "TIFF"), fully(INSIDE)),
    "0 and 1": (encode(grey(INSIDE.astype(np.uint8))), fully(INSIDE)),
    "0 and 255": (encode(grey(fully(INSIDE).astype(np.uint8))), fully(INSIDE)),
    "soft": (encode(grey(SOFT)), SOFT),
    "soft bmp": (encode(grey(SOFT), "BMP"), SOFT),
    "16 bits": (encode(grey(SOFT.astype(np.uint16) * 257 + 100)), SOFT),
    "16 bits of 0 and 1": (encode(grey(INSIDE.astype(np.uint16))), fully(INSIDE)),
    "palette": (encode(palette(INDEX, DAVIS)), fully(INSIDE)),
    "palette gif": (encode(palette(INDEX, DAVIS), "GIF"), fully(INSIDE)),
    "colour": (encode(grey(SOFT).convert("RGB")), SOFT),
    "colour of 0 and 1": (encode(grey(INSIDE.astype(np.uint8)).convert("RGB")), fully(INSIDE)),
    "opaque colour": (encode(grey(SOFT).convert("RGBA")), SOFT),
    "opaque grey": (encode(grey(SOFT).convert("LA")), SOFT),
    "white with alpha": (encode(Image.merge("LA", [Image.new("L", (10, 7), 255), grey(SOFT)])), SOFT),
}


@pytest.mark.parametrize("kind", STORED)
def test_decode(kind: str) -> None:
    data, expected = STORED[kind]
    mask = decode_mask(data, "a.png")
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, expected)


def test_decode_turns_upright() -> None:
    tags = Image.Exif()
    tags[0x0112] = 6
    mask = decode_mask(encode(grey(SOFT), exif=tags), "a.png")
    np.testing.assert_array_equal(mask, np.rot90(SOFT, -1))


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (encode(Image.fromarray(np.dstack([SOFT, SOFT, SOFT ^ 1]))), "bad mask", "coloured"),
        (encode(Image.new("CMYK", (4, 4)), "JPEG"), "bad mask", "CMYK"),
        (encode(palette(INDEX, [255, 255, 255, 0, 0, 0, 9, 9, 9, 8, 8, 8])), "bad mask", "index 0"),
        (encode(grey(SOFT.astype(np.uint16))), "bad mask", "16 bits whose largest value"),
        (encode(grey(SOFT))[:60], "bad mask", "truncated"),
        (encode(grey(SOFT.astype(np.float32)), "TIFF"), "bad mask", "float"),
        (b"text", "bad mask", "not an image"),
        (encode(Image.new("1", (101, 100))), "too large", "101 x 100"),
    ],
    ids=["coloured", "cmyk", "inverted palette", "shallow 16 bits", "truncated", "float", "text", "large"],
)
def test_refused(data: bytes, reason: str, words: str) -> None:
    with pytest.raises(Unusable, match=words) as caught:
        decode_mask(data, "a.png", max_pixels=10_000)
    assert (caught.value.name, caught.value.reason) == ("a.png", reason)


@given(MASKS, st.integers(1, 255))
def test_binarize_is_idempotent(mask: np.ndarray, threshold: int) -> None:
    once = binarize(mask, threshold)
    np.testing.assert_array_equal(once, mask)
    np.testing.assert_array_equal(binarize(SOFT, threshold), fully(threshold <= SOFT))


@pytest.mark.parametrize("threshold", [0, 256])
def test_binarize_refuses(threshold: int) -> None:
    with pytest.raises(ValueError, match=str(threshold)):
        binarize(SOFT, threshold)


@settings(deadline=None)
@given(MASKS, st.floats(0, 8))
def test_feather_keeps_what_is_far_from_an_edge(mask: np.ndarray, radius: float) -> None:
    soft = feather(mask, radius)
    assert soft.dtype == np.uint8
    assert soft.shape == mask.shape
    reach = int(np.ceil(radius))
    near = np.lib.stride_tricks.sliding_window_view(np.pad(mask, reach, "edge"), (2 * reach + 1,) * 2)
    uniform = near.min((-1, -2)) == near.max((-1, -2))
    np.testing.assert_array_equal(soft[uniform], mask[uniform])
    # and a feather is even-handed: that of the complement is its complement
    assert np.abs(feather(255 - mask, radius).astype(int) - (255 - soft)).max() <= 1


def test_feather_is_soft_monotone_and_centred() -> None:
    step = np.repeat(np.uint8([[0] * 20 + [255] * 20]), 9, axis=0)
    row = feather(step, 6)[4].astype(int)
    assert (np.diff(row) >= 0).all()
    assert len(set(row)) > 8
    assert abs(row[19] + row[20] - 255) <= 1
    assert feather(step, 0).tobytes() == step.tobytes()


@pytest.mark.parametrize("radius", [-1, float("nan"), float("inf")])
def test_feather_refuses(radius: float) -> None:
    with pytest.raises(ValueError, match="radius"):
        feather(SOFT, radius)


@settings(deadline=None)
@given(MASKS, st.sampled_from([0, 1, 1.5, 2, 3, 5, 7.3]))
def test_boundary_band_is_what_lies_within_a_distance_of_the_other_side(mask: np.ndarray, width: float) -> None:
    inside = mask >= 128
    rows, columns = np.indices(mask.shape)
    points = np.stack([rows.ravel(), columns.ravel()], 1)
    squared = ((points[:, None] - points[None]) ** 2).sum(-1)
    other = inside.ravel()[:, None] != inside.ravel()[None]
    expected = (other & (squared <= width**2)).any(1).reshape(mask.shape)
    np.testing.assert_array_equal(boundary_band(mask, width), expected)
    np.testing.assert_array_equal(boundary_band(255 - mask, width), expected)


def test_boundary_band_refuses() -> None:
    with pytest.raises(ValueError, match="-1"):
        boundary_band(SOFT, -1)


@st.composite
def rectangles(draw: st.DrawFn) -> np.ndarray:
    """A picture of 26 x 26 pixels with one rectangle inside."""
    mask = np.zeros((26, 26), np.uint8)
    (top, bottom), (left, right) = (sorted(draw(st.tuples(*[st.integers(0, 26)] * 2))) for _ in range(2))
    mask[top:bottom, left:right] = 255
    return mask


@settings(deadline=None, max_examples=200)
@given(rectangles() | MASKS, st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_surroundings_are_the_background_near_a_region(mask: np.ndarray, share: float) -> None:
    inside = mask > 0
    foreground, everywhere = np.argwhere(inside), np.argwhere(mask >= 0)
    squared = ((everywhere[:, None] - foreground[None]) ** 2).sum(-1).min(axis=1, initial=10**6)
    near = (squared <= max(1.0, share**2 * inside.sum())).reshape(mask.shape)
    np.testing.assert_array_equal(surroundings(mask, share), near & ~inside)
    assert surroundings(mask).any() == (0 < inside.sum() < inside.size)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_surroundings_include_what_lies_just_as_far_as_they_reach(share: float) -> None:
    rows, columns = np.indices((60, 60))
    for height, width in np.ndindex(20, 20):
        mask = np.zeros((60, 60), np.uint8)
        mask[20 : 21 + height, 20 : 21 + width] = 255
        down = np.maximum(np.maximum(20 - rows, rows - 20 - height), 0)
        right = np.maximum(np.maximum(20 - columns, columns - 20 - width), 0)
        near = down**2 + right**2 <= max(1, share**2 * (mask > 0).sum())
        np.testing.assert_array_equal(surroundings(mask, share), near & (mask == 0))


def test_surroundings_begin_where_a_soft_region_ends() -> None:
    soft = np.uint8([[0, 0, 0, 1, 128, 255, 0, 0, 0]])
    np.testing.assert_array_equal(surroundings(soft)[0], [0, 0, 1, 0, 0, 0, 1, 0, 0])
    assert surroundings(soft).dtype == np.bool_
    assert surroundings(soft, 2.0)[0].sum() == 6


def test_check_mask() -> None:
    full = np.full((3, 4), 128, np.uint8)
    check_mask(full, (3, 4), "a")
    with pytest.raises(Unusable, match="mask size: 4 x 3 pixels; its photo has 3 x 4"):
        check_mask(full, (4, 3), "a")
    with pytest.raises(Unusable, match=r"empty mask: .* largest is 127"):
        check_mask(full - 1, (3, 4), "a")


@pytest.mark.parametrize("number", [1, 85, 86, 171, 255])
def test_the_colours_of_all_of_a_palette_are_looked_at(number: int) -> None:
    """Three times an index is beyond what a byte holds from 86 on."""
    colours = [9, 9, 9] * 256
    mask = encode(palette(np.where(INSIDE, number, 0).astype(np.uint8), colours))
    assert np.array_equal(decode_mask(mask, "a.png"), fully(INSIDE))
    colours[3 * number : 3 * number + 3] = [0, 0, 0]
    with pytest.raises(Unusable, match="while another index is black"):
        decode_mask(encode(palette(np.where(INSIDE, number, 0).astype(np.uint8), colours)), "a.png")
