"""Saves say exactly what they do: the tables asked for, nothing besides, and the same bytes every time."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from synthharm.composites.history.saving import decode, encode
from synthharm.composites.history.steps import Jpeg, Png, Webp
from synthharm.composites.history.tables import CameraTables, read_tables
from synthharm.composites.history.verifying import disagreements, quality_tables, saved_as

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
CAMERAS = read_tables(RECIPES / "camera_tables.json")
SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")

images = array_shapes(min_dims=2, max_dims=2, max_side=40).flatmap(lambda size: arrays(np.uint8, (*size, 3)))
tables = st.tuples(*[st.lists(st.integers(1, 255), min_size=64, max_size=64).map(tuple)] * 2)
jpegs = st.one_of(
    st.builds(Jpeg, quality=st.integers(1, 100), subsampling=st.sampled_from(SUBSAMPLINGS)),
    st.builds(Jpeg, tables=tables, subsampling=st.sampled_from(SUBSAMPLINGS)),
)
saves = st.one_of(jpegs, st.builds(Png, st.integers(0, 9)), st.builds(Webp, st.integers(0, 100)))


def photo(height: int = 48, width: int = 64) -> np.ndarray:
    """Smooth, with edges and colour."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([40 + 2 * x, 60 + 3 * y, 200 - 2 * x], axis=2).clip(0, 255).astype(np.uint8)
    image[10:30, 20:40] = (200, 40, 30)
    return image


def markers(data: bytes) -> list[int]:
    """The second bytes of a JPEG's markers up to its pixels."""
    found, place = [], 2
    while data[place + 1] != 0xDA:
        assert data[place] == 0xFF
        found.append(data[place + 1])
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return found


@given(images, saves)
def test_the_same_pixels_and_step_are_the_same_bytes(image: np.ndarray, step: Jpeg | Png | Webp) -> None:
    data = encode(image, step)
    assert data == encode(image.copy(), step)
    assert decode(data).shape == image.shape
    assert disagreements(data, step, image.shape[:2]) == []


@given(tables)
def test_tables_are_read_back_as_they_were_asked_for(asked: tuple[tuple[int, ...], ...]) -> None:
    data = encode(photo(), Jpeg(tables=asked))
    assert saved_as(data)["tables"] == asked
    with Image.open(io.BytesIO(data)) as file:
        read = file.quantization  # type: ignore[attr-defined]
    assert tuple(tuple(read[number]) for number in sorted(read)) in (asked, asked[:1])


def test_the_file_holds_a_table_in_zigzag() -> None:
    data = encode(photo(), Jpeg(tables=(tuple(range(1, 65)), (1,) * 64)))
    start = data.index(b"\xff\xdb") + 5
    assert list(data[start : start + 10]) == [1, 2, 9, 17, 10, 3, 4, 11, 18, 25]


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_every_quality_has_the_tables_of_libjpeg(subsampling: str) -> None:
    for quality in range(1, 101):
        said = saved_as(encode(photo(16, 16), Jpeg(quality=quality, subsampling=subsampling)))  # type: ignore[arg-type]
        assert said["tables"] == quality_tables(quality)
        assert said["subsampling"] == subsampling


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: camera.name)
def test_every_camera_has_its_tables(camera: CameraTables) -> None:
    step = Jpeg(tables=camera.tables, subsampling=camera.subsampling, name=camera.name)
    data = encode(photo(), step)
    said = saved_as(data)
    assert (said["tables"], said["subsampling"]) == (camera.tables, camera.subsampling)
    assert disagreements(data, step, (48, 64)) == []


@given(jpegs)
def test_a_jpeg_is_baseline_and_has_no_metadata_but_jfif(step: Jpeg) -> None:
    found = markers(encode(photo(), step))
    assert found[0] == 0xE0
    assert set(found) == {0xE0, 0xDB, 0xC0, 0xC4}


@given(images, st.integers(0, 9))
def test_png_keeps_every_pixel(image: np.ndarray, compression: int) -> None:
    np.testing.assert_array_equal(decode(encode(image, Png(compression))), image)


def test_finer_tables_lose_less() -> None:
    image = photo()
    losses = [
        np.abs(decode(encode(image, Jpeg(tables=((n,) * 64, (n,) * 64), subsampling="4:4:4"))).astype(int) - image)
        for n in (1, 20, 90)
    ]
    assert all(a.mean() < b.mean() for a, b in pairwise(losses))
    assert losses[0].max() <= 3


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_a_photo_of_noise_can_be_saved_at_any_quality(subsampling: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), np.uint8)
    for step in (
        Jpeg(quality=100, subsampling=subsampling),
        Jpeg(tables=((1,) * 64,) * 2, subsampling=subsampling),
    ):  # type: ignore[arg-type]
        assert decode(encode(noise, step)).shape == noise.shape


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Jpeg(), "exactly one of them is accepted, and neither is given"),
        (Jpeg(quality=80, tables=((1,) * 64,) * 2), "exactly one of them is accepted, and both are given"),
        (Jpeg(quality=0), "quality of JPEG is 0; a whole number from 1 to 100"),
        (Jpeg(quality=101), "quality of JPEG is 101; a whole number from 1 to 100"),
        (Jpeg(quality=80, subsampling="4:1:1"), "subsampling is '4:1:1'; accepted are 4:4:4, 4:2:2, 4:2:0"),  # type: ignore[arg-type]
        (Jpeg(tables=((1,) * 64,)), "1 tables; two are accepted"),
        (Jpeg(tables=((1,) * 64, (1,) * 65)), "the chrominance table has 65 numbers; 64 are accepted"),
        (Jpeg(tables=((*(1,) * 63, 0), (1,) * 64)), "number 63 of the luminance table is 0"),
        (Jpeg(tables=((1,) * 64, (256, *(1,) * 63))), "number 0 of the chrominance table is 256"),
        (Png(10), "compression of PNG is 10; a whole number from 0 to 9"),
        (Webp(101), "quality of WebP is 101; a whole number from 0 to 100"),
    ],
)
def test_what_no_file_can_be_saved_by_is_refused(step: Jpeg | Png | Webp, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encode(photo(), step)


@pytest.mark.parametrize("image", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)])
def test_what_is_no_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="the image is"):
        encode(image, Png())


def test_sides_that_a_format_cannot_say_are_refused() -> None:
    with pytest.raises(ValueError, match="a side of 16384 pixels in a Webp; up to 16383 are accepted"):
        encode(np.zeros((8, 16384, 3), np.uint8), Webp(80))


@given(st.binary(max_size=60), st.sampled_from([Png(), Jpeg(quality=80), Webp(80)]), st.integers(0, 10_000))
def test_what_is_damaged_is_read_or_refused(noise: bytes, step: Jpeg | Png | Webp, end: int) -> None:
    data = encode(photo(), step)
    cut = data[: end % len(data)]
    for broken in (noise, cut, cut + noise):
        for read in (decode, saved_as):
            try:
                read(broken)
            except ValueError as error:
                assert f"{len(broken)} bytes starting with" in str(error)  # noqa: PT017


def test_pixels_of_other_kinds_are_refused() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (8, 8)).save(file, "PNG")
    with pytest.raises(ValueError, match="the file's pixels are RGBA; grey or RGB in 8 bits is accepted"):
        decode(file.getvalue())


@given(jpegs, jpegs)
def test_a_file_disagrees_with_every_other_step(step: Jpeg, other: Jpeg) -> None:
    def meaning(jpeg: Jpeg) -> object:
        return (jpeg.tables or quality_tables(jpeg.quality or 0)), jpeg.subsampling

    data = encode(photo(), step)
    assert (disagreements(data, other, (48, 64)) == []) == (meaning(step) == meaning(other))


def test_disagreements_are_named() -> None:
    data = encode(photo(), Jpeg(quality=90, subsampling="4:2:2"))
    assert disagreements(data, Jpeg(quality=91), (48, 65)) == [
        "the size is 64 x 48; the record says 65 x 48",
        "number 4 of the luminance table is 5; the step's is 4",
        "number 1 of the chrominance table is 4; the step's is 3",
        "the subsampling is 4:2:2; the step says 4:2:0",
    ]
    assert disagreements(data, Png(), (48, 64)) == ["the format is jpeg; the step says png"]
    assert "cannot be read" in disagreements(b"", Png(), (48, 64))[0]


def test_progressive_files_are_told_from_baseline() -> None:
    file = io.BytesIO()
    Image.fromarray(photo()).save(file, "JPEG", quality=90, progressive=True)
    assert saved_as(file.getvalue())["progressive"]
    step = Jpeg(quality=90)
    assert disagreements(file.getvalue(), step, (48, 64)) == ["the file is progressive; the step says baseline"]


def test_a_grey_file_says_so() -> None:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", quality=90)
    said = saved_as(file.getvalue())
    assert (said["tables"], said["subsampling"]) == (quality_tables(90)[:1], None)
