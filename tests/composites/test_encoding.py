"""What is encoded is decoded again: without loss where the format has none, else with the given settings."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from synthharm.composites import Encoder, decode_image
from synthharm.composites.encoding import encode_png

SUBSAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}  # as Pillow counts them

sizes = array_shapes(min_dims=2, max_dims=2, max_side=20)
photos = sizes.flatmap(lambda size: arrays(np.uint8, (*size, 3)))
deep_photos = sizes.flatmap(lambda size: arrays(np.uint16, (*size, 3)))
masks = sizes.flatmap(lambda size: arrays(np.uint8, size))


def scene(seed: int = 0) -> np.ndarray:
    """A photo with smooth parts, edges and noise."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(20, 200, 64)[None, :, None] * np.ones((48, 1, 3)) * [1, 0.7, 0.5]
    ramp[10:30, 20:40] = (30, 200, 60)
    return (ramp + rng.normal(0, 4, ramp.shape)).clip(0, 255).astype(np.uint8)


def as_jpeg(data: bytes) -> JpegImageFile:
    image = Image.open(io.BytesIO(data))
    assert isinstance(image, JpegImageFile)
    return image


def png_chunks(data: bytes) -> list[bytes]:
    names, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        names.append(data[at + 4 : at + 8])
        at += length + 12
    return names


@settings(deadline=None)
@given(photos | masks, st.integers(0, 9))
def test_png_loses_nothing(image: np.ndarray, compression: int) -> None:
    data = Encoder("png", compression=compression).encode(image)
    found = decode_image(data)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, image)
    np.testing.assert_array_equal(np.array(Image.open(io.BytesIO(data))), image)  # another library's reading


@settings(deadline=None)
@given(deep_photos, st.integers(0, 9))
def test_png16_loses_nothing(image: np.ndarray, compression: int) -> None:
    data = Encoder("png16", compression=compression).encode(image)
    found = decode_image(data)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, image)
    assert data[24] == 16  # the bit depth of the header


@settings(deadline=None)
@given(photos | masks)
def test_an_8_bit_image_stays_so_in_png16(image: np.ndarray) -> None:
    encoder = Encoder("png16")
    data = encoder.encode(image)
    assert data[24] == 8
    np.testing.assert_array_equal(decode_image(data), image)


@settings(deadline=None)
@given(photos, st.sampled_from(["png", "png16", "jpeg"]))
def test_the_same_pixels_give_the_same_bytes(image: np.ndarray, format_: str) -> None:
    encoder = Encoder(format_)  # type: ignore[arg-type]
    before = image.copy()
    assert encoder.encode(image) == encoder.encode(image.copy(order="F"))
    np.testing.assert_array_equal(image, before)


def test_png_holds_pixels_and_nothing_else() -> None:
    assert set(png_chunks(encode_png(scene()))) == {b"IHDR", b"IDAT", b"IEND"}


def test_more_compression_is_smaller() -> None:
    sizes_ = [len(Encoder("png", compression=level).encode(scene())) for level in (0, 1, 3, 9)]
    assert sizes_[0] > scene().nbytes
    assert sizes_[0] > sizes_[1]
    assert sizes_[2] > sizes_[3]
    assert len(encode_png(scene())) == len(Encoder("png").encode(scene()))  # one default


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_jpeg_has_the_subsampling_asked_for(subsampling: str) -> None:
    image = as_jpeg(Encoder("jpeg", subsampling=subsampling).encode(scene()))  # type: ignore[arg-type]
    assert get_sampling(image) == SUBSAMPLINGS[subsampling]
    assert (image.mode, image.size) == ("RGB", (64, 48))


def test_jpeg_has_the_quality_asked_for() -> None:
    previous = None
    for quality in (1, 30, 50, 75, 90, 95, 100):
        tables = as_jpeg(Encoder("jpeg", quality=quality).encode(scene())).quantization
        reference = io.BytesIO()
        Image.new("RGB", (8, 8)).save(reference, "JPEG", quality=quality)
        assert tables == as_jpeg(reference.getvalue()).quantization
        if previous is not None:
            assert sum(tables[0]) < sum(previous[0])
        previous = tables


def test_jpeg_comes_back_nearly() -> None:
    photo = scene()
    errors = [
        np.abs(decode_image(Encoder("jpeg", quality=q).encode(photo)).astype(int) - photo).mean()
        for q in (30, 75, 95)
    ]
    assert errors[0] > errors[1] > errors[2] > 0
    assert errors[2] < 4  # red and blue in each other's place would be far more


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [80, 94, 95, 100])
def test_a_photo_of_noise_can_be_a_jpeg(quality: int, subsampling: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), np.uint8)
    encoder = Encoder("jpeg", quality, subsampling)  # type: ignore[arg-type]
    assert decode_image(encoder.encode(noise)).shape == noise.shape


def test_a_mask_can_be_a_jpeg() -> None:
    mask = np.zeros((16, 24), np.uint8)
    mask[:, 8:] = 255
    np.testing.assert_array_equal(decode_image(Encoder("jpeg", quality=100).encode(mask)), mask)


@pytest.mark.parametrize("format_", ["png", "jpeg"])
def test_16_bits_do_not_fit_8(format_: str) -> None:
    with pytest.raises(ValueError, match=f"cannot be written as {format_}; png16 is accepted"):
        Encoder(format_).encode(np.zeros((4, 4, 3), np.uint16))  # type: ignore[arg-type]


def test_the_suffix_levels_and_settings_are_the_formats() -> None:
    png, deep, jpeg = Encoder("png", compression=7), Encoder("png16"), Encoder("jpeg", 80, "4:2:0")
    assert [e.suffix for e in (png, deep, jpeg)] == [".png", ".png", ".jpg"]
    assert [e.levels for e in (png, deep, jpeg)] == [255, 65535, 255]
    assert png.settings() == {"format": "png", "compression": 7}
    assert deep.settings() == {"format": "png16", "compression": 1}
    assert jpeg.settings() == {"format": "jpeg", "quality": 80, "subsampling": "4:2:0"}


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=f"{len(data)} bytes"):
        decode_image(data)


@pytest.mark.parametrize("format_", ["png", "jpeg"])
def test_a_file_that_breaks_off_is_an_image_or_refused(format_: str) -> None:
    data = Encoder(format_).encode(scene())  # type: ignore[arg-type]
    for end in range(0, len(data), 97):
        try:
            assert decode_image(data[:end]).shape == (48, 64, 3)
        except ValueError as error:
            assert f"{end} bytes" in str(error)  # noqa: PT017


def test_a_header_that_claims_the_world_is_refused() -> None:
    data = bytearray(encode_png(scene()))
    data[16:24] = (2**31 - 1).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(ValueError, match="no image"):
        decode_image(bytes(data))
