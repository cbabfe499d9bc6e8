"""Photos that cannot be used: damaged, too large, no photos at all, or out of bounds."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from raw_images import COLOURS, DEEP, RNG, SMOOTH, chunk, encode, exif, profile, tiff

from synthharm.errors import Unusable
from synthharm.imagefile import FORMATS, decode, image_size
from synthharm.sources import decode_photo, read_file


def refused(data: bytes, **options: int) -> str:
    """The reason for which a file is refused."""
    with pytest.raises(Unusable) as caught:
        decode_photo(data, "a.jpg", **options)
    assert caught.value.name == "a.jpg"
    return caught.value.reason


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated(form: str, share: float) -> None:
    noise = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = encode(noise, form)
    assert refused(data[: int(share * len(data))]) == "truncated"


def test_truncated_in_the_header() -> None:
    for form in ("JPEG", "PNG", "TIFF"):
        assert refused(encode(Image.fromarray(COLOURS), form)[:20]) == "truncated"


@pytest.mark.parametrize(
    "options", [{}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 3}, {"subsampling": 0}], ids=str
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_whose_picture_breaks_off_before_its_end_mark(mode: str, options: dict[str, int]) -> None:
    channels = len(mode) if mode != "L" else 1
    noise = RNG.integers(0, 255, (64, 80, channels), dtype=np.uint8)
    data = encode(Image.frombytes(mode, (80, 64), noise.tobytes()), "JPEG", **options)
    assert refused(data[: len(data) * 3 // 4] + data[-2:]) == "truncated"
    noise[-24:] = 127 if mode == "CMYK" else 128  # the grey that missing data would leave
    decode(encode(Image.frombytes(mode, (80, 64), noise.tobytes()), "JPEG", **options), "whole")


@pytest.mark.parametrize("data", [b"", b"a text file\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 100], ids=repr)
def test_not_an_image(data: bytes) -> None:
    assert refused(data) == "not an image"


@pytest.mark.parametrize(
    "data",
    [
        tiff(DEEP[..., 0].astype(np.float32), 1, kind=3),
        tiff(DEEP[..., :3].astype(np.float32), 2, kind=3),
        tiff(DEEP[..., 0].astype(np.uint32), 1),
        tiff(DEEP[..., 0].astype(np.int16), 1, kind=2),
        tiff(DEEP, 5),
        tiff(DEEP, 2, alpha=1),
        tiff(COLOURS, 8),
    ],
    ids=["float grey", "float colour", "32 bits", "signed", "CMYK 16", "premultiplied 16", "Lab"],
)
def test_numbers_that_are_no_photo(data: bytes) -> None:
    assert refused(data) == "pixel type"


@pytest.mark.parametrize("side", [300, 9600, 60_000, 2**31 - 1])
def test_an_image_bomb_is_refused_by_its_header(side: int) -> None:
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"not even data")
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refused(data, max_pixels=299 * 300) == "too large"
        with pytest.raises(Unusable, match="too large"):
            image_size(io.BytesIO(data), "a", max_pixels=299 * 300)
    assert limit == Image.MAX_IMAGE_PIXELS


def test_max_pixels_is_the_most_that_is_accepted() -> None:
    data = encode(Image.fromarray(COLOURS), "PNG")
    decode_photo(data, "a", max_pixels=54)
    assert refused(data, max_pixels=53) == "too large"


@pytest.mark.parametrize(
    "bad",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x03\x01\x12\0\x05\0\0",
    ],
    ids=["garbage", "offset", "empty", "short"],
)
def test_corrupt_exif_is_not_the_pictures_fault(bad: bytes) -> None:
    plain, _ = decode_photo(encode(Image.fromarray(SMOOTH), "JPEG"), "a")
    pixels, encoding = decode_photo(encode(Image.fromarray(SMOOTH), "JPEG", exif=bad), "a")
    np.testing.assert_array_equal(pixels, plain)
    assert encoding.get("exif", "unreadable, ignored") == "unreadable, ignored"


@settings(deadline=None, max_examples=300)
@given(
    form=st.sampled_from([form for form in FORMATS if form != "AVIF"]),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_anywhere_is_refused_or_decoded_never_worse(form: str, edits: list[tuple[int, int]]) -> None:
    options = {"exif": exif(6), "icc_profile": profile("swapped")} if form in ("JPEG", "PNG", "WEBP") else {}
    data = bytearray(encode(Image.fromarray(SMOOTH), form, **options))
    for place, value in edits:
        data[place % len(data)] = value
    try:
        pixels, encoding = decode_photo(bytes(data), "a", max_pixels=10**6)
    except Unusable as error:
        reason = error.reason
    else:
        reason = "fine"
        assert pixels.shape == (encoding["height"], encoding["width"], 3)
    assert reason in ("fine", "not an image", "truncated", "too large", "pixel type")


@pytest.mark.parametrize("key", ["../a.jpg", "b/../../a.jpg", "/etc/hostname", "b/..", "a\0b"])
def test_keys_that_lead_outside(tmp_path: Path, key: str) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(Unusable) as caught:
        read_file(tmp_path / "b", key)
    assert caught.value.reason == "outside"


def test_links_may_lead_inside_only(tmp_path: Path) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    for folder in (root, other):
        folder.mkdir()
        (folder / "a.jpg").write_bytes(folder.name.encode())
    (root / "in.jpg").symlink_to(root / "a.jpg")
    (root / "out.jpg").symlink_to(other / "a.jpg")
    (root / "folder").symlink_to(other)
    (root / "ring").symlink_to(root / "ring")
    (tmp_path / "rootlink").symlink_to(root)
    assert read_file(root, "in.jpg") == b"root" == read_file(tmp_path / "rootlink", "in.jpg")
    for key, reason in (
        ("out.jpg", "outside"),
        ("folder/a.jpg", "outside"),
        ("ring", "missing"),
        ("none.jpg", "missing"),
        ("a.jpg/b", "missing"),
        (".", "missing"),
        ("x" * 5000, "missing"),
    ):
        with pytest.raises(Unusable) as caught:
            read_file(root, key)
        assert caught.value.reason == reason, key
