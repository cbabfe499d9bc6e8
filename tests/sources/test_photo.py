"""Photos of every kind come out upright, uint8, sRGB; what cannot be used is refused for the right reason."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from raw_images import COLOURS, DEEP, RNG, SMOOTH, chunk, encode, exif, png, profile, tiff

from synthharm.errors import Unusable
from synthharm.imagefile import image_size, reduce_depth
from synthharm.sources import decode_photo

WEIGHTS = np.array([0.3, 0.6, 0.1])


def nearest(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples / 257).astype(np.uint8)


def over_white(colours: np.ndarray, alpha: np.ndarray, top: int) -> np.ndarray:
    opacity = alpha[..., None] / top
    return np.rint(colours * opacity + 255 * (1 - opacity))


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """How a camera that was held so stores an upright picture: the definition of the EXIF tag, inverted."""
    rows = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }
    return np.ascontiguousarray(rows[orientation])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "png16", "tiff", "tiff16", "webp", "jpeg"])
def test_every_orientation_comes_out_upright(orientation: int, kind: str) -> None:
    tag = exif(orientation)
    raw = stored(COLOURS, orientation)
    deep = stored(DEEP[..., :3], orientation)
    data = {
        "png": lambda: encode(Image.fromarray(raw), "PNG", exif=tag),
        "png16": lambda: png(deep, 2, chunk(b"eXIf", tag.removeprefix(b"Exif\0\0"))),
        "tiff": lambda: tiff(raw, 2, orientation=orientation),
        "tiff16": lambda: tiff(deep, 2, orientation=orientation),
        "webp": lambda: encode(Image.fromarray(raw), "WEBP", exif=tag, lossless=True),
        "jpeg": lambda: encode(Image.fromarray(stored(SMOOTH, orientation)), "JPEG", exif=tag, quality=98),
    }[kind]()
    pixels, encoding = decode_photo(data, kind)
    expected = {"png16": nearest(DEEP[..., :3]), "tiff16": nearest(DEEP[..., :3]), "jpeg": SMOOTH}.get(
        kind, COLOURS
    )
    if kind == "jpeg":
        assert np.abs(pixels[:, :-1].astype(int) - expected[:, :-1]).mean() < 12
    else:
        np.testing.assert_array_equal(pixels, expected)
    assert encoding.get("orientation", 1) == orientation
    assert (encoding["height"], encoding["width"]) == expected.shape[:2] == image_size(io.BytesIO(data), kind)


def test_rounding_of_sixteen_bits_is_to_the_nearest_level() -> None:
    every = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(reduce_depth(every), nearest(every))


KINDS = {
    "grey": (encode(Image.fromarray(COLOURS[..., 0]), "PNG"), np.repeat(COLOURS[..., :1], 3, -1)),
    "one bit": (
        encode(Image.fromarray(COLOURS[..., 0] > 99), "PNG"),
        np.repeat((COLOURS[..., :1] > 99) * 255, 3, -1),
    ),
    "grey 16": (png(DEEP[..., 0], 0), np.repeat(nearest(DEEP[..., :1]), 3, -1)),
    "grey 16 tiff": (tiff(DEEP[..., 0], 1), np.repeat(nearest(DEEP[..., :1]), 3, -1)),
    "white is zero": (tiff(COLOURS[..., 0], 0), 255 - np.repeat(COLOURS[..., :1], 3, -1)),
    "white is zero 16": (tiff(DEEP[..., 0], 0), nearest(65535 - np.repeat(DEEP[..., :1], 3, -1))),
    "grey 16 pgm": (
        b"P5 9 6 65535\n" + DEEP[..., 0].astype(">u2").tobytes(),
        np.repeat(nearest(DEEP[..., :1]), 3, -1),
    ),
    "colour 16": (png(DEEP[..., :3], 2), nearest(DEEP[..., :3])),
    "colour 16 tiff": (tiff(DEEP[..., :3], 2), nearest(DEEP[..., :3])),
    "colour 16 unused": (tiff(DEEP, 2, alpha=0), nearest(DEEP[..., :3])),
    "bmp": (encode(Image.fromarray(COLOURS), "BMP"), COLOURS),
    "ppm": (encode(Image.fromarray(COLOURS), "PPM"), COLOURS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_opaque_kinds_keep_their_values(kind: str) -> None:
    data, expected = KINDS[kind]
    pixels, encoding = decode_photo(data, kind)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)
    assert "alpha" not in encoding
    assert json.loads(json.dumps(encoding)) == encoding


ALPHA = {
    "rgba": (png(DEEP.astype(np.uint8), 6), DEEP.astype(np.uint8)[..., :3], DEEP.astype(np.uint8)[..., 3], 255),
    "grey": (
        png(DEEP[..., :2].astype(np.uint8), 4),
        np.repeat(DEEP[..., :1].astype(np.uint8), 3, -1),
        DEEP[..., 1].astype(np.uint8),
        255,
    ),
    "rgba 16": (png(DEEP, 6), nearest(DEEP[..., :3]), DEEP[..., 3], 65535),
    "rgba 16 tiff": (tiff(DEEP, 2, alpha=2), nearest(DEEP[..., :3]), DEEP[..., 3], 65535),
    "grey 16": (png(DEEP[..., :2], 4), np.repeat(nearest(DEEP[..., :1]), 3, -1), DEEP[..., 1], 65535),
    "key 16": (
        png(DEEP[..., :3], 2, chunk(b"tRNS", DEEP[2, 3, :3].astype(">u2").tobytes())),
        nearest(DEEP[..., :3]),
        np.where((DEEP[..., :3] == DEEP[2, 3, :3]).all(-1), 0, 255),
        255,
    ),
    "grey key 16": (
        png(DEEP[..., 0], 0, chunk(b"tRNS", DEEP[2, 3, :1].astype(">u2").tobytes())),
        np.repeat(nearest(DEEP[..., :1]), 3, -1),
        np.where(DEEP[..., 0] == DEEP[2, 3, 0], 0, 255),
        255,
    ),
}


@pytest.mark.parametrize("kind", ALPHA)
def test_alpha_is_flattened_on_white_and_told(kind: str) -> None:
    data, colours, alpha, top = ALPHA[kind]
    pixels, encoding = decode_photo(data, kind)
    assert np.abs(pixels - over_white(colours, alpha, top)).max() <= 0.5001  # one rounding of the result
    assert encoding["alpha"] == "flattened on white"


def test_opaque_alpha_is_dropped() -> None:
    rgba = np.dstack([COLOURS, np.full(COLOURS.shape[:2], 255, np.uint8)])
    pixels, encoding = decode_photo(encode(Image.fromarray(rgba), "PNG"), "a")
    np.testing.assert_array_equal(pixels, COLOURS)
    assert "alpha" not in encoding


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_palette_with_transparency(form: str) -> None:
    index = RNG.integers(0, 4, (6, 9), dtype=np.uint8)
    palette = [(10, 20, 30), (200, 0, 0), (0, 200, 0), (7, 7, 200)]
    image = Image.fromarray(index)
    image.putpalette([value for colour in palette for value in colour])
    pixels, encoding = decode_photo(encode(image, form, transparency=2), "a")
    expected = np.array(palette, np.uint8)[index]
    expected[index == 2] = 255
    np.testing.assert_array_equal(pixels, expected)
    assert encoding["mode"] == "P"
    assert encoding["alpha"] == "flattened on white"


def test_cmyk_of_adobe_is_the_colour_that_was_meant() -> None:
    flat = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    for form in ("JPEG", "TIFF"):
        data = encode(flat, form)
        assert form == "TIFF" or b"Adobe" in data[:64]
        pixels, encoding = decode_photo(data, form)
        assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 2
        assert encoding["mode"] == "CMYK"


def cmyk_profile() -> bytes:
    """A minimal CMYK profile: a table from 2^4 inks to Lab, in which only black darkens and none has a hue."""
    grid = []
    for inks in np.ndindex(2, 2, 2, 2):
        lightness = 0 if inks[3] else 65280
        grid += [lightness, 32768, 32768]
    linear = struct.pack(">2H", 0, 65535)
    table = b"mft2" + bytes(4) + bytes([4, 3, 2, 0])
    table += struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536) + struct.pack(">2H", 2, 2)
    table += linear * 4 + struct.pack(f">{len(grid)}H", *grid) + linear * 3
    text = b"only black"
    description = b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(4 + 4 + 2 + 1 + 67)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"desc": description, b"wtpt": white, b"A2B0": table}
    offset, entries, body = 132 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        entries += struct.pack(">4sII", name, offset + len(body), len(value))
        body += value
    header = bytearray(128)
    struct.pack_into(">I", header, 0, offset + len(body))
    header[8:12] = b"\x02\x40\x00\x00"
    header[12:24] = b"prtrCMYKLab "
    header[36:40] = b"acsp"
    struct.pack_into(">3i", header, 68, 63190, 65536, 54061)
    return bytes(header) + struct.pack(">I", len(tags)) + entries + body


def test_cmyk_goes_through_its_profile() -> None:
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # red by default, but paper white by this profile
    pixels, encoding = decode_photo(encode(image, "JPEG", icc_profile=cmyk_profile()), "a")
    assert encoding["icc"] == "only black"
    assert pixels.min() >= 250


def test_a_profile_is_converted_and_srgb_left_alone() -> None:
    image = Image.fromarray(COLOURS)
    for name in ("sRGB", "near"):
        same, encoding = decode_photo(encode(image, "PNG", icc_profile=profile(name)), "a")
        np.testing.assert_array_equal(same, COLOURS)
        assert "sRGB" in encoding["icc"]
    red = Image.new("RGB", (4, 4), (250, 0, 0))
    swapped, encoding = decode_photo(encode(red, "PNG", icc_profile=profile("swapped")), "a")
    assert np.abs(swapped.astype(int) - (0, 0, 250)).max() <= 3
    assert "icc" in encoding


def test_a_profile_keeps_alpha_apart() -> None:
    half = Image.new("RGBA", (4, 4), (250, 0, 0, 128))
    pixels, _ = decode_photo(encode(half, "PNG", icc_profile=profile("swapped")), "a")
    assert np.abs(pixels.astype(int) - (127, 127, 252)).max() <= 3


@pytest.mark.parametrize(
    ("mode", "data", "said"),
    [
        ("RGB", b"no profile at all", "unreadable, ignored"),
        ("RGB", profile("sRGB")[:200], "unreadable, ignored"),
        ("L", profile("sRGB"), "for RGB and not for GRAY pixels, ignored"),
        ("RGB", cmyk_profile(), "for CMYK and not for RGB pixels, ignored"),
    ],
)
def test_a_useless_profile_is_ignored_and_told(mode: str, data: bytes, said: str) -> None:
    image = Image.fromarray(COLOURS).convert(mode)
    pixels, encoding = decode_photo(encode(image, "PNG", icc_profile=data), "a")
    np.testing.assert_array_equal(pixels, np.array(image.convert("RGB")))
    assert encoding["icc"].endswith(said)


def test_encoding_tells_progressive() -> None:
    image = Image.fromarray(SMOOTH)
    plain, _ = decode_photo(encode(image, "JPEG"), "a")
    pixels, encoding = decode_photo(encode(image, "JPEG", progressive=True), "a")
    np.testing.assert_array_equal(pixels, plain)
    assert encoding == {"format": "JPEG", "mode": "RGB", "bits": 8, "width": 24, "height": 16, "progressive": True}


def test_camera_photos(shared: Path) -> None:
    folder = shared / "photos" / "camera_jpegs"
    bad, landscapes = {}, []
    for path in sorted(folder.iterdir()):
        try:
            pixels, encoding = decode_photo(path.read_bytes(), path.name)
        except Unusable as error:
            bad[path.name] = error.reason
            continue
        assert pixels.shape == (encoding["height"], encoding["width"], 3)
        if path.name.startswith("orientation__landscape"):
            assert encoding.get("orientation", 1) == int(path.stem[-1])
            landscapes.append(pixels)
    assert bad == {"corrupted.jpg": "truncated"}
    assert len(landscapes) == 8
    # The same scene eight times, each with its number painted on it: away from that they agree.
    for other in landscapes[1:]:
        difference = np.abs(other.astype(int) - landscapes[0]).mean(-1)
        assert np.median(difference) < 4
        for turned in (other[::-1], other[:, ::-1], other[::-1, ::-1]):
            assert np.median(np.abs(turned.astype(int) - landscapes[0]).mean(-1)) > 20
