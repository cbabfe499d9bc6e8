"""Photos of every kind come out upright, uint8, sRGB; what cannot be used is refused for the right reason."""

from __future__ import annotations

import io
import json
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from raw_images import chunk, encode, exif, png, tiff

from synthharm.errors import Unusable
from synthharm.imagefile import FORMATS, decode, image_size, reduce_depth
from synthharm.sources import decode_photo, read_file

RNG = np.random.default_rng(7)
COLOURS = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (6, 9, 4), dtype=np.uint16)
WEIGHTS = np.array([0.3, 0.6, 0.1])
SMOOTH = np.stack([np.add.outer(4 * np.arange(16), k * np.arange(24)) % 256 for k in (3, 4, 5)], -1).astype(
    np.uint8
)


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


def profile(name: str) -> bytes:
    """An ICC profile of sRGB, one as near to it as rounding, or one whose red and blue are swapped."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entry = {}
    for k in range(struct.unpack_from(">I", data, 128)[0]):
        tag, offset, _ = struct.unpack_from(">4sII", data, 132 + 12 * k)
        entry[tag] = (132 + 12 * k + 4, offset)
    if name == "near":
        struct.pack_into(
            ">i", data, entry[b"rXYZ"][1] + 8, struct.unpack_from(">i", data, entry[b"rXYZ"][1] + 8)[0] + 25
        )
    if name == "swapped":
        for tag, other in ((b"rXYZ", b"bXYZ"), (b"bXYZ", b"rXYZ")):
            struct.pack_into(">I", data, entry[tag][0], entry[other][1])
    return bytes(data)


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
