"""Image files that are not as they should be, each by name and with what is to become of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from raw_images import chunk

WIDTH, HEIGHT = 64, 48
USABLE = frozenset[str]()
UNREADABLE = frozenset({"not an image", "truncated", "too large", "pixel type", "missing", "outside"})


@dataclass(frozen=True)
class ImageCase:
    """A file, or what lies in its place.

    Args:
        file: its name within the folder of images.
        put: puts it there.
        fate: the reasons of which one must be given; none where the file is usable as it is.
        side: pixels of the square in the corner that is its region.
    """

    file: str
    put: Callable[[Path], object]
    fate: frozenset[str]
    side: int = 24


def picture(width: int = WIDTH, height: int = HEIGHT, seed: int = 1) -> np.ndarray:
    """A photo (H, W, 3): smooth, with some noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / (5 + k) + seed) + np.cos(columns / (7 + k) + k) for k in range(3)]
    levels = 110 + 45 * np.stack(waves, axis=-1) + rng.normal(0, 4, (height, width, 3))
    return levels.clip(0, 255).astype(np.uint8)


def encoded(samples: np.ndarray | Image.Image, form: str, **options: Any) -> bytes:
    """Pixels or an image as a file."""
    image = samples if isinstance(samples, Image.Image) else Image.fromarray(samples)
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def png(width: int, height: int, bits: int, colours: int, body: bytes, interlace: int = 0) -> bytes:
    """A PNG with any header; `body` are its other chunks but the last."""
    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def _writer(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _good() -> dict[str, bytes]:
    """A sound file of each format, by extension."""
    photo = picture()
    return {
        "jpg": encoded(photo, "JPEG", quality=90),
        "progressive.jpg": encoded(photo, "JPEG", quality=90, progressive=True),
        "png": encoded(photo, "PNG"),
        "webp": encoded(photo, "WEBP", quality=90),
        "lossless.webp": encoded(photo, "WEBP", lossless=True),
        "tif": encoded(photo, "TIFF"),
        "packed.tif": encoded(photo, "TIFF", compression="tiff_lzw"),
        "gif": encoded(photo, "GIF"),
        "bmp": encoded(photo, "BMP"),
    }


def _cut() -> dict[str, bytes]:
    """Every format broken off at many places."""
    found = {}
    for suffix, data in _good().items():
        for percent in (1, 10, 30, 60, 90):
            found[f"cut at {percent}.{suffix}"] = data[: max(1, len(data) * percent // 100)]
    jpeg, progressive = _good()["jpg"], _good()["progressive.jpg"]
    found["cut, then ended.jpg"] = jpeg[: len(jpeg) * 6 // 10] + b"\xff\xd9"
    scan = progressive.find(b"\xff\xda")
    found["cut in the first scan, then ended.progressive.jpg"] = progressive[: scan + 40] + b"\xff\xd9"
    return found | {"without its end mark.jpg": jpeg[:-2]}


def _flipped() -> dict[str, bytes]:
    """Bytes flipped in headers that decoders cannot do without."""
    good = _good()

    def flip(suffix: str, *places: int) -> bytes:
        data = bytearray(good[suffix])
        for place in places:
            data[place] ^= 0xFF
        return bytes(data)

    start = good["jpg"].find(b"\xff\xc0")
    body = good["png"].find(b"IDAT")
    return {
        "first byte flipped.jpg": flip("jpg", 0),
        "first mark flipped.jpg": flip("jpg", 1),
        "frame's mark flipped.jpg": flip("jpg", start + 1),
        "frame's components flipped.jpg": flip("jpg", start + 9),
        "frame's precision flipped.jpg": flip("jpg", start + 4),
        "signature flipped.png": flip("png", 1),
        "width flipped.png": flip("png", 18, 19),
        "bits flipped.png": flip("png", 24),
        "colour type flipped.png": flip("png", 25),
        "data flipped.png": flip("png", body + 20, body + 21, body + 22),
        "a bit of the data flipped.png": flip("png", body + 3000),
        "mark flipped.webp": flip("webp", 8),
        "first chunk flipped.webp": flip("webp", 12),
        "frame tag flipped.webp": flip("webp", 23, 24, 25),
        "order flipped.tif": flip("tif", 0),
        "directory's place flipped.tif": flip("tif", 4, 5, 6, 7),
        "signature flipped.gif": flip("gif", 0),
        "version flipped.gif": flip("gif", 4),
        "signature flipped.bmp": flip("bmp", 0),
        "header's length flipped.bmp": flip("bmp", 14, 15),
        "bits flipped.bmp": flip("bmp", 28),
    }


def _other_things() -> dict[str, bytes]:
    """What is no image, whatever its name says."""
    html = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>nginx</body></html>"
    return {
        "empty.jpg": b"",
        "one byte.png": b"\x89",
        "zeros.jpg": b"\0" * 4096,
        "text.jpg": b"a photo of a dog\n" * 20,
        "error page.jpg": html,
        "error as json.jpg": b'{"error": {"code": 403}}',
        "script.gif": b"#!/bin/sh\necho\n",
        "postscript.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "document.png": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
        "vectors.png": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "archive.jpg": b"PK\x03\x04" + b"\0" * 60,
        "large file pointer.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "noise.jpg": np.random.default_rng(4).bytes(3000),
        "only a mark.jpg": b"\xff\xd8\xff\xe0",
        "start and end.jpg": b"\xff\xd8\xff\xd9",
        "icon.png": encoded(picture(16, 16), "ICO"),
    }


def _bombs() -> dict[str, bytes]:
    """Headers that claim sizes for which there is no memory."""
    small = zlib.compress(b"\0" * 1000)
    bmp = bytearray(_good()["bmp"])
    bmp[18:26] = struct.pack("<ii", 2**30, 2**30)
    gif = bytearray(_good()["gif"])
    gif[6:10] = b"\xff\xff\xff\xff"
    jpeg = bytearray(_good()["jpg"])
    frame = jpeg.find(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    return {
        "claims 100000 squared.png": png(100_000, 100_000, 8, 2, chunk(b"IDAT", small)),
        "claims all there is.png": png(2**31 - 1, 2**31 - 1, 8, 2, chunk(b"IDAT", small)),
        "claims 65535 squared.jpg": bytes(jpeg),
        "claims 65535 squared.gif": bytes(gif),
        "claims a billion squared.bmp": bytes(bmp),
        "claims much in few bytes.ppm": b"P6\n99999 99999\n255\n" + b"\0" * 30,
        "claims nothing.png": png(0, 0, 8, 2, chunk(b"IDAT", small)),
        "text as large as memory.png": png(
            4, 4, 8, 2, chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 80_000_000, 9)) + chunk(b"IDAT", small)
        ),
    }


def _kinds() -> dict[str, tuple[bytes, frozenset[str]]]:
    """Kinds of pixels: those that are no photo's, and those that are unusual and usable."""
    photo, alpha = picture(), np.full((HEIGHT, WIDTH, 1), 100, np.uint8)
    grey = photo[..., 0]
    deep = grey.astype(np.uint16) * 257
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in photo.astype(np.uint16) * 257)
    frames = [Image.fromarray(picture(seed=seed)) for seed in (1, 2, 3)]
    palette = Image.fromarray(photo).quantize(32)
    return {
        "float.tif": (encoded(grey.astype(np.float32), "TIFF"), UNREADABLE),
        "not numbers.tif": (encoded(np.full((HEIGHT, WIDTH), np.nan, np.float32), "TIFF"), UNREADABLE),
        "32 bits.tif": (encoded(grey.astype(np.int32), "TIFF"), UNREADABLE),
        "lab.tif": (encoded(Image.new("LAB", (WIDTH, HEIGHT)), "TIFF"), UNREADABLE),
        "16 bits grey.png": (encoded(deep, "PNG"), USABLE),
        "16 bits colour.png": (png(WIDTH, HEIGHT, 16, 2, chunk(b"IDAT", zlib.compress(rows))), USABLE),
        "16 bits.tif": (encoded(deep, "TIFF"), USABLE),
        "grey.jpg": (encoded(grey, "JPEG"), USABLE),
        "cmyk.jpg": (encoded(Image.fromarray(photo).convert("CMYK"), "JPEG"), USABLE),
        "cmyk.tif": (encoded(Image.fromarray(photo).convert("CMYK"), "TIFF"), USABLE),
        "one bit.png": (encoded(Image.fromarray(grey).convert("1"), "PNG"), USABLE),
        "alpha.png": (encoded(np.concatenate([photo, alpha], axis=2), "PNG"), USABLE),
        "palette with alpha.png": (encoded(palette, "PNG", transparency=bytes(range(32))), USABLE),
        "animated.gif": (encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), USABLE),
        "animated.webp": (encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]), USABLE),
        "animated.png": (encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]), USABLE),
        "pages.tif": (encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:]), USABLE),
        "a png in truth.jpg": (_good()["png"], USABLE),
        "a jpeg in truth.png": (_good()["jpg"], USABLE),
        "without an extension": (_good()["jpg"], USABLE),
        "bytes after its end.jpg": (_good()["jpg"] + b"\0garbage" * 50, USABLE),
        "bytes after its end.png": (_good()["png"] + b"\0garbage" * 50, USABLE),
    }


def _described() -> dict[str, bytes]:
    """Sound pixels with damaged words about them: the words are ignored, and the record says so."""
    photo, tags = picture(), Image.Exif()
    tags[0x0112] = 9
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    damaged = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 40
    return {
        "exif damaged.jpg": encoded(photo, "JPEG", exif=damaged),
        "exif empty.jpg": encoded(photo, "JPEG", exif=b"Exif\0\0"),
        "exif of zeros.webp": encoded(photo, "WEBP", exif=b"\0" * 60),
        "orientation 9.jpg": encoded(photo, "JPEG", exif=tags.tobytes()),
        "profile of noise.jpg": encoded(photo, "JPEG", icc_profile=np.random.default_rng(1).bytes(500)),
        "profile cut.png": encoded(photo, "PNG", icc_profile=srgb[:200]),
        "profile for other pixels.jpg": encoded(photo[..., 0], "JPEG", icc_profile=srgb),
    }


def _tables() -> dict[str, tuple[bytes, frozenset[str]]]:
    unreadable = _cut() | _flipped() | _other_things() | _bombs()
    return {
        **{name: (data, UNREADABLE) for name, data in unreadable.items()},
        **_kinds(),
        **{name: (data, USABLE) for name, data in _described().items()},
    }


def _small() -> list[ImageCase]:
    """Pictures of hardly any pixels."""
    sizes = {"1 x 1": (1, 1), "1 x 300": (1, 300), "300 x 1": (300, 1), "2 x 2": (2, 2)}
    return [
        ImageCase(f"{name}.png", _writer(encoded(picture(*size), "PNG")), USABLE, side=1)
        for name, size in sizes.items()
    ]


def _places() -> list[ImageCase]:
    """What lies in the place of a file, and names that are hard to read."""
    jpeg = _good()["jpg"]

    def _link(target: str) -> Callable[[Path], object]:
        return lambda path: path.symlink_to(target)

    names = (
        "новое фото ✓.jpg",
        "two\nlines.jpg",
        'quote " and \\.jpg',
        " blank .jpg",
        "bell\a.jpg",
        "a" * 200 + ".jpg",
    )
    return [
        ImageCase("a folder.jpg", Path.mkdir, UNREADABLE),
        ImageCase("not there.jpg", lambda path: None, UNREADABLE),
        ImageCase("dangling link.jpg", _link("nowhere.jpg"), UNREADABLE),
        ImageCase("link out.jpg", _link("/etc/hostname"), UNREADABLE),
        ImageCase("link to a folder.jpg", _link("."), UNREADABLE),
        ImageCase("ring of links.jpg", _link("ring of links.jpg"), UNREADABLE),
        ImageCase("name too long " + "b" * 300 + ".jpg", lambda path: None, UNREADABLE),
        *(ImageCase(name, _writer(jpeg), USABLE) for name in names),
    ]


def image_cases() -> list[ImageCase]:
    """All of them; the same bytes at every call."""
    return [
        *(ImageCase(name, _writer(data), fate) for name, (data, fate) in _tables().items()),
        *_small(),
        *_places(),
    ]


@dataclass(frozen=True)
class MaskCase:
    """A photo, its masks, and what is to become of it.

    Args:
        stem: the photo's, images/<stem>.png.
        masks: files by name within the folder of masks.
        fate: by rejected name, the reasons of which one must be given; none where all is usable.
        photo: whether the photo is there.
    """

    stem: str
    masks: dict[str, bytes]
    fate: dict[str, frozenset[str]]
    photo: bool = True


def _disc(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    inside = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < (min(width, height) / 3) ** 2
    return np.where(inside, 255, 0).astype(np.uint8)


def _bad_masks() -> dict[str, tuple[str, bytes]]:
    """By stem, the reason of which the photo is rejected, and its mask."""
    disc, flat = _disc(), np.zeros((HEIGHT, WIDTH), np.uint8)
    colour = np.stack([disc, np.where(disc, 40, 0).astype(np.uint8), flat], axis=-1)
    red = Image.fromarray(np.where(disc, 0, 1).astype(np.uint8)).convert("P")
    red.putpalette([200, 30, 30, 0, 0, 0])
    good = encoded(disc, "PNG")
    flipped, subtly = bytearray(good), bytearray(good)
    flipped[good.find(b"IDAT") + 20] ^= 0xFF
    subtly[good.find(b"IDAT") + 90] ^= 0xFF
    sizes = {"one wider": (WIDTH + 1, HEIGHT), "turned": (HEIGHT, WIDTH), "half": (WIDTH // 2, HEIGHT // 2)}
    return {
        **{f"mask {name}": ("mask size", encoded(_disc(*size), "PNG")) for name, size in sizes.items()},
        "mask of one row and column": ("mask size", encoded(flat[:1, :1] + 255, "PNG")),
        "mask twice as large": ("mask size", encoded(_disc(2 * WIDTH, 2 * HEIGHT), "PNG")),
        "mask black": ("empty mask", encoded(flat, "PNG")),
        "mask dark": ("empty mask", encoded(np.where(disc, 127, 0).astype(np.uint8), "PNG")),
        "mask of id 38": ("empty mask", encoded(np.where(disc, 38, 0).astype(np.uint8), "PNG")),
        "mask transparent": ("empty mask", encoded(np.stack([disc] * 3 + [flat], axis=-1), "PNG")),
        "mask black in palette": ("empty mask", encoded(Image.fromarray(flat).convert("P"), "PNG")),
        "mask in colour": ("bad mask", encoded(colour, "PNG")),
        "mask a photo": ("bad mask", encoded(picture(), "PNG")),
        "mask a photo in jpeg": ("bad mask", encoded(picture(), "JPEG")),
        "mask with an odd palette": ("bad mask", encoded(red, "PNG")),
        "mask in 16 bits of id 7": ("bad mask", encoded(np.where(disc, 7, 0).astype(np.uint16), "PNG")),
        "mask in 16 bits of 255": ("bad mask", encoded(disc.astype(np.uint16), "PNG")),
        "mask float": ("bad mask", encoded(disc.astype(np.float32) / 255, "TIFF")),
        "mask in 32 bits": ("bad mask", encoded(disc.astype(np.int32), "TIFF")),
        "mask in cmyk": ("bad mask", encoded(Image.fromarray(disc).convert("CMYK"), "TIFF")),
        **{f"mask cut at {k}": ("bad mask", good[: len(good) * k // 100]) for k in (5, 25, 50, 75)},
        "mask flipped": ("bad mask", bytes(flipped)),
        "mask flipped so that it unpacks": ("bad mask", bytes(subtly)),
        "mask cut jpeg": ("bad mask", encoded(disc, "JPEG")[:400]),
        "mask of no bytes": ("bad mask", b""),
        "mask of text": ("bad mask", b"0 0 0 1 1 1\n"),
        "mask an error page": ("bad mask", b"<html>not found</html>"),
        "mask of zeros": ("bad mask", b"\0" * 500),
        "mask an array": ("bad mask", b"\x93NUMPY\x01\0" + b"\0" * 90),
        "mask a bomb": ("too large", png(90_000, 90_000, 8, 0, chunk(b"IDAT", zlib.compress(b"\0" * 99)))),
        "mask of no size": ("bad mask", png(0, 0, 8, 0, chunk(b"IDAT", zlib.compress(b"\0")))),
    }


def _good_masks() -> dict[str, bytes]:
    """Unusual ways to store a mask that can be read in one way only."""
    disc = _disc()
    palette = Image.fromarray((disc // 255) * np.uint8(3)).convert("P")
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
    soft, single = np.where(disc, 200, 90).astype(np.uint8), np.zeros_like(disc)
    single[20, 30] = 255
    return {
        "mask whole": encoded(np.full_like(disc, 255), "PNG"),
        "mask of 0 and 1": encoded(disc // 255, "PNG"),
        "mask of one bit": encoded(Image.fromarray(disc).convert("1"), "PNG"),
        "mask in 16 bits": encoded(disc.astype(np.uint16) * 257, "PNG"),
        "mask of 0 and 1 in 16 bits": encoded((disc // 255).astype(np.uint16), "PNG"),
        "mask in a palette": encoded(palette, "PNG"),
        "mask in equal colours": encoded(np.stack([disc] * 3, axis=-1), "PNG"),
        "mask soft": encoded(soft, "PNG"),
        "mask of a single pixel": encoded(single, "PNG"),
        "mask in bmp": encoded(disc, "BMP"),
        "mask without its end": encoded(disc, "PNG")[:-12],
        "mask in jpeg": encoded(disc, "JPEG"),
        "mask with grey and alpha": encoded(np.stack([disc, np.full_like(disc, 255)], axis=-1), "PNG"),
    }


def mask_cases() -> list[MaskCase]:
    """All of them, for masks named `{stem}_*`."""
    good, black = encoded(_disc(), "PNG"), encoded(np.zeros((HEIGHT, WIDTH), np.uint8), "PNG")
    cases = [
        MaskCase(stem, {f"{stem}_1.png": data}, {f"images/{stem}.png": frozenset({reason})})
        for stem, (reason, data) in _bad_masks().items()
    ]
    cases += [MaskCase(stem, {f"{stem}_1.png": data}, {}) for stem, data in _good_masks().items()]

    def case(stem: str, masks: dict[str, bytes], *, alone: bool = False, **fate: str) -> None:
        names = {"photo": f"images/{stem}.png"}
        named = {names.get(name, f"masks/{stem}_{name}.png"): frozenset({reason}) for name, reason in fate.items()}
        cases.append(MaskCase(stem, masks, named, not alone))

    case("none", {}, photo="no mask")
    case("other name", {"other name.png": good}, photo="no mask")
    cases[-1].fate["masks/other name.png"] = frozenset({"no photo"})
    case("as an array", {"as an array_1.npy": good}, photo="no mask")
    case("alone", {"alone_1.png": good}, alone=True, **{"1": "no photo"})
    case("two", {"two_1.png": good, "two_2.png": good})
    case("one of two black", {"one of two black_1.png": good, "one of two black_2.png": black}, photo="empty mask")
    case("twice", {"twice_1.png": good, "twice_1.bmp": encoded(_disc(), "BMP")}, **{"1": "bad entry"})
    case("many", {f"many_{number}.png": good for number in range(12)})
    case("новая", {"новая_1.png": good})
    case("line\nbreak", {"line\nbreak_1.png": black}, photo="empty mask")
    return cases
