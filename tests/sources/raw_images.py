"""Image files made byte by byte, for what no library here writes."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

RNG = np.random.default_rng(7)
COLOURS = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (6, 9, 4), dtype=np.uint16)
SMOOTH = np.stack([np.add.outer(4 * np.arange(16), k * np.arange(24)) % 256 for k in (3, 4, 5)], -1).astype(
    np.uint8
)


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(samples: np.ndarray, colour_type: int, extra: bytes = b"") -> bytes:
    """A PNG of 8 or 16 bits; colour types are 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA."""
    height, width = samples.shape[:2]
    bits = 8 * samples.dtype.itemsize
    rows = b"".join(b"\0" + row.astype(f">u{samples.dtype.itemsize}").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(
    samples: np.ndarray, photometric: int, *, orientation: int = 1, kind: int = 1, alpha: int | None = None
) -> bytes:
    """An uncompressed TIFF; `kind` is 1 unsigned, 2 signed, 3 float; `alpha` 1 premultiplied, 2 straight."""
    height, width = samples.shape[:2]
    count = samples.shape[2] if samples.ndim == 3 else 1
    data = samples.tobytes()
    bits = 8 * samples.dtype.itemsize
    tags: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [bits] * count),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (273, "I", [0]),
        (274, "H", [orientation]),
        (277, "H", [count]),
        (278, "I", [height]),
        (279, "I", [len(data)]),
        (284, "H", [1]),
        *([] if alpha is None else [(338, "H", [alpha])]),
        (339, "H", [kind] * count),
    ]
    values = {tag: struct.pack(f"<{len(v)}{code}", *v) for tag, code, v in tags}
    start = 8 + 2 + 12 * len(tags) + 4
    beside = sum(len(value) for value in values.values() if len(value) > 4)
    values[273] = struct.pack("<I", start + beside)
    entries, blob = b"", b""
    for tag, code, v in tags:
        value = values[tag]
        if len(value) > 4:
            value, blob = struct.pack("<I", start + len(blob)), blob + value
        entries += struct.pack("<HHI", tag, 3 if code == "H" else 4, len(v)) + value.ljust(4, b"\0")
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0\0\0\0" + blob + data


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
