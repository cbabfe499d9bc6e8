"""Sound files to begin from: photos in many formats, and masks."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms, features

WIDTH, HEIGHT = 56, 48


def photo(width: int = WIDTH, height: int = HEIGHT, seed: int = 1) -> np.ndarray:
    """A picture (H, W, 3): smooth, with some noise."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [np.sin(rows / (5 + k) + seed) + np.cos(columns / (7 + k) + k) for k in range(3)]
    levels = 110 + 45 * np.stack(waves, axis=-1) + random.normal(0, 4, (height, width, 3))
    return levels.clip(0, 255).astype(np.uint8)


def disc(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A mask (H, W) of 0 and 255."""
    rows, columns = np.mgrid[0:height, 0:width]
    inside = (rows - height / 2) ** 2 + (columns - width / 2) ** 2 < (min(width, height) / 3) ** 2
    return np.where(inside, 255, 0).astype(np.uint8)


def encoded(samples: np.ndarray | Image.Image, form: str, **options: Any) -> bytes:
    """Pixels or an image as a file."""
    image = samples if isinstance(samples, Image.Image) else Image.fromarray(samples)
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def photos() -> dict[str, bytes]:
    """By ending, a photo in each way that photos come."""
    picture, tags = photo(), Image.Exif()
    tags[0x0112] = 6
    image, deep = Image.fromarray(picture), picture.astype(np.uint16) * 257
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    alpha = np.dstack([picture, np.full(picture.shape[:2], 90, np.uint8)])
    frames = [Image.fromarray(photo(seed=seed)) for seed in (2, 3)]
    found = {
        "jpg": encoded(image, "JPEG", quality=85),
        "progressive.jpg": encoded(image, "JPEG", progressive=True, quality=85),
        "turned.jpg": encoded(image, "JPEG", exif=tags.tobytes(), icc_profile=profile),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG", icc_profile=_for_cmyk(profile)),
        "grey.jpg": encoded(picture[..., 0], "JPEG"),
        "png": encoded(image, "PNG", exif=tags.tobytes()),
        "alpha.png": encoded(alpha, "PNG", icc_profile=profile),
        "palette.png": encoded(image.quantize(32), "PNG", transparency=bytes(range(32))),
        "deep.png": _deep_png(deep),
        "grey deep.png": encoded(deep[..., 0], "PNG"),
        "one bit.png": encoded(Image.fromarray(picture[..., 0]).convert("1"), "PNG"),
        "animated.png": encoded(image, "PNG", save_all=True, append_images=frames),
        "webp": encoded(image, "WEBP", quality=85, exif=tags.tobytes()),
        "lossless.webp": encoded(alpha, "WEBP", lossless=True, icc_profile=profile),
        "tif": encoded(image, "TIFF", exif=tags),
        "deep.tif": encoded(deep[..., 0], "TIFF"),
        "packed.tif": encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "lzw.tif": encoded(image.quantize(16), "TIFF", compression="tiff_lzw"),
        "bmp": encoded(image, "BMP"),
        "palette.bmp": encoded(image.quantize(16), "BMP"),
        "gif": encoded(image, "GIF"),
        "animated.gif": encoded(image, "GIF", save_all=True, append_images=frames),
        "ppm": encoded(image, "PPM"),
        "pgm": encoded(picture[..., 0], "PPM"),
    }
    if features.check("avif"):
        found["avif"] = encoded(image, "AVIF", quality=60, speed=10)
    return found


def masks() -> dict[str, bytes]:
    """By ending, a mask in each way that masks come."""
    mask = disc()
    image = Image.fromarray(mask)
    palette = Image.fromarray((mask // 255).astype(np.uint8)).convert("P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    return {
        "png": encoded(image, "PNG"),
        "labels.png": encoded(mask // 255, "PNG"),
        "one bit.png": encoded(image.convert("1"), "PNG"),
        "palette.png": encoded(palette, "PNG"),
        "grey rgb.png": encoded(np.dstack([mask] * 3), "PNG"),
        "alpha.png": encoded(np.dstack([mask] * 4), "PNG"),
        "grey alpha.png": encoded(image.convert("LA"), "PNG"),
        "deep.png": encoded(mask.astype(np.uint16) * 257, "PNG"),
        "deep labels.png": encoded((mask // 255).astype(np.uint16), "PNG"),
        "bmp": encoded(image, "BMP"),
        "gif": encoded(image, "GIF"),
        "tif": encoded(image, "TIFF", compression="tiff_lzw"),
        "jpg": encoded(image, "JPEG", quality=95),
        "webp": encoded(image, "WEBP", lossless=True),
    }


def _deep_png(samples: np.ndarray) -> bytes:
    """A PNG of 16 bits and three colours, which Pillow does not write."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def bomb(side: int = 24_000) -> bytes:
    """A sound PNG of few bytes, whose pixels take more memory than a case may."""
    packer = zlib.compressobj(1)
    rows = [packer.compress(bytes(1 + side // 8)) for _ in range(side)]
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)),
        (b"IDAT", b"".join(rows) + packer.flush()),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _for_cmyk(profile: bytes) -> bytes:
    """A profile that says it is for CMYK: its tags are of RGB, so that its reader must stumble."""
    return profile[:16] + b"CMYK" + profile[20:]
