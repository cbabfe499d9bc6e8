"""Opening the bytes of one image file, whatever it turns out to be: what photos and masks have in common."""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import (  # noqa: F401 - importing a plugin is what registers its format
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from synthharm.errors import Unusable

MAX_PIXELS = 100_000_000
# A closed list: among Pillow's other formats are one that runs a PostScript interpreter and some that are
# recognised by next to nothing. JPEG stands for MPO too.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "BMP", "GIF", "PPM")
# What files of these formats are called, in small letters: in a folder, only these are looked at.
EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".gif"}
    | {".pbm", ".pgm", ".ppm"}
)
ORIENTATION = 0x0112  # the number of the tag in EXIF and in TIFF
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_WHITE_IS_ZERO = 258, 262, 0
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class DecodedFile:
    """A decoded image file, upright.

    Attributes:
        image: Pillow's image in one of its 8-bit modes or "1"; its `info` has what the file says besides.
        deep: the samples of a 16-bit file, uint16 (H, W), (H, W, 3) or (H, W, 4) in RGB(A) order, since Pillow
            keeps the high byte of most; None where the file has 8 bits or fewer.
        encoding: plain JSON on how it was stored; a key is there only where it applies (see `decode`).
    """

    image: Image.Image
    deep: NDArray[np.uint16] | None
    encoding: dict[str, Any]


def image_size(file: IO[bytes], name: str, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """The size (H, W) of an image once it is upright, from its header alone.

    Raises:
        Unusable: "not an image", "truncated", "too large" or "pixel type", as `decode` does.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("L", (4, 3)).save(file, "PNG")
        >>> image_size(file, "a.png")
        (3, 4)
    """
    with _decoding(name):
        image = _open(file, name, max_pixels)
        width, height = image.size
        # Pillow swaps the sides of a TIFF by itself, and of nothing else.
        turned = image.format != "TIFF" and (_orientation(image) or 1) >= 5
        return (width, height) if turned else (height, width)


def decode(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> DecodedFile:
    """Decode the first frame of an image file and turn it upright.

    `encoding` has format, mode (Pillow's name for it), bits (of a sample, where the format fixes or says it),
    width and height (upright), orientation (if not 1), progressive (True), exif ("unreadable, ignored").

    Args:
        data: the file's bytes.
        name: what errors call it.
        max_pixels: the most pixels that are decoded; a header that claims more is refused before that.

    Raises:
        Unusable: "not an image" (no format of `FORMATS`), "truncated" (the data breaks off or is corrupt), "too
            large" (more pixels than allowed), "pixel type" (float, 32-bit or signed samples).

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("L", (4, 3)).save(file, "PNG")
        >>> decode(file.getvalue(), "a.png").encoding
        {'format': 'PNG', 'mode': 'L', 'bits': 8, 'width': 4, 'height': 3}
    """
    with _decoding(name):
        source = _open(io.BytesIO(data), name, max_pixels)
        bits = _bits(source, data)
        if source.format == "PNG":
            # Reading its EXIF loads the file, for it may come last; and where that fails, loading again succeeds.
            _check_samples(source, bits, name)
            source.load()
            _check_png(data, name)
        orientation = _orientation(source)
        encoding = {"format": source.format, "mode": source.mode} | ({"bits": bits} if bits else {})
        _check_samples(source, bits, name)
        white_is_zero = _is_white_zero(source)  # asked before loading, which may close the file
        source.load()
        _check_scan(source, data, name)
        deep = _deep(source, data, name, white_is_zero) if source.mode[0] == "I" or bits == 16 else None
        image = source.convert("LA") if source.mode == "La" else source
        # Pillow and OpenCV both turn a TIFF upright on loading it, and nothing else.
        if source.format != "TIFF" and orientation in _UPRIGHT:
            image = image.transpose(_UPRIGHT[orientation])
            deep = None if deep is None else _turn(deep, orientation)
    encoding |= {"width": image.width, "height": image.height}
    if orientation is None:
        encoding["exif"] = "unreadable, ignored"
    elif orientation != 1:
        encoding["orientation"] = orientation
    if source.info.get("progressive"):
        encoding["progressive"] = True
    return DecodedFile(image, deep, encoding)


def reduce_depth(samples: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """16-bit samples as 8-bit ones, to the nearest level: 65535 is 255, so one level is 257.

    Example:
        >>> reduce_depth(np.array([0, 128, 129, 65535], np.uint16))
        array([  0,   0,   1, 255], dtype=uint8)
    """
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    # A decoder that is fed damaged data fails in as many ways as it has lines; all of them mean the same here.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (Unusable, MemoryError):
            raise
        except Image.DecompressionBombError as error:
            raise Unusable(name, "too large", f"beyond Pillow's own limit: {error}") from error
        except Exception as error:
            raise Unusable(name, "truncated", f"cannot be decoded: {_said(error)}") from error


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _open(file: IO[bytes], name: str, max_pixels: int) -> ImageFile.ImageFile:
    # Image.open would warn or refuse at limits of its own, and does not say what it tripped over.
    file.seek(0)
    prefix = file.read(16)
    for form in FORMATS:
        factory, accepts = Image.OPEN[form]
        if accepts is None or accepts(prefix) is not True:
            continue
        file.seek(0)
        try:
            image = factory(file, "")
        except (SyntaxError, OSError) as error:
            reason = "pixel type" if "pixel mode" in str(error) else "truncated"
            raise Unusable(name, reason, f"a {form} file that cannot be opened: {_said(error)}") from error
        width, height = image.size
        if width * height > max_pixels:
            detail = f"{width} x {height} pixels by its header; at most {max_pixels} are accepted"
            raise Unusable(name, "too large", detail)
        return image
    detail = f"begins with {prefix!r}; accepted are {', '.join(FORMATS)}"
    raise Unusable(name, "not an image", detail)


def _orientation(image: Image.Image) -> int | None:
    """EXIF orientation 1 to 8 (1 where none or a meaningless one is given), or None for unreadable EXIF."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF makes its reader stumble in any way; None says so, and the record does
        return None
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _bits(image: Image.Image, data: bytes) -> int | None:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(max(image.tag_v2.get(_TIFF_BITS, (1,))))
    if image.format == "PNG":
        return data[24]  # the header chunk comes first, at a fixed place
    return {"JPEG": 8, "MPO": 8, "WEBP": 8, "GIF": 8}.get(str(image.format))


def _is_white_zero(image: Image.Image) -> bool:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    return bool(image.tag_v2.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO)


def _check_samples(image: ImageFile.ImageFile, bits: int | None, name: str) -> None:
    raw = str(image.tile[0].args) if image.tile else ""
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        found = f"{bits or 32}-bit {'float' if image.mode == 'F' else 'integer'} samples"
    elif bits is not None and bits > 8 and (bits != 16 or image.mode == "CMYK" or "RGBa" in raw):
        found = f"{bits}-bit {'premultiplied RGBA' if 'RGBa' in raw else image.mode} samples"
    elif image.mode in ("LAB", "HSV"):
        found = f"{image.mode} colours"
    else:
        return
    detail = f"{found}; accepted are up to 8 bits, or unsigned 16-bit grey, RGB and RGBA"
    raise Unusable(name, "pixel type", detail)


def _deep(image: Image.Image, data: bytes, name: str, white_is_zero: bool) -> NDArray[np.uint16]:
    if image.format == "PPM":  # Pillow has already scaled whatever maximum the file declares to 65535
        return np.asarray(image).astype(np.uint16)
    import cv2

    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise Unusable(name, "pixel type", f"16-bit {image.mode} samples that OpenCV cannot read")
    if samples.ndim == 3:
        order = [2, 1, 0, 3][: 3 if image.mode == "RGB" and "transparency" not in image.info else samples.shape[2]]
        samples = samples[..., order]
    elif "transparency" in image.info:
        opaque = np.where(samples == image.info["transparency"], 0, 65535)
        samples = np.stack([samples, samples, samples, opaque], axis=-1)
    if white_is_zero:
        samples = 65535 - samples
    return np.ascontiguousarray(samples, dtype=np.uint16)


def _turn(samples: NDArray[np.uint16], orientation: int) -> NDArray[np.uint16]:
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(samples[::rows, ::columns])


def _check_png(data: bytes, name: str) -> None:
    """Refuse a PNG whose picture is not what was written: the decoder does not look at its checksums."""
    place = 8
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4], "big")
        kind, stored = data[place + 4 : place + 8], int.from_bytes(data[end : end + 4], "big")
        if kind == b"IDAT" and zlib.crc32(memoryview(data)[place + 4 : end]) != stored:
            raise Unusable(name, "truncated", f"the checksum of its data at byte {place} is not that of the data")
        place = end + 4


def _check_scan(image: Image.Image, data: bytes, name: str) -> None:
    """Refuse a JPEG whose entropy-coded data ends before the picture does.

    The decoder fills the rest with mid-grey and tells it in a warning only, which Pillow drops. So where the
    last pixel is mid-grey, decode once more with some bytes put in where the data ends: a complete picture does
    not need them and comes out the same. (What a progressive file's later scans lack does not show like this.)
    """
    if image.format not in ("JPEG", "MPO"):
        return
    last = np.asarray(image.crop((image.width - 1, image.height - 1, image.width, image.height)))
    if not np.isin(last, (127, 128)).all():
        return
    # In scans with restart markers the decoder takes no more until it meets the marker whose turn it is.
    extra = b"".join(bytes(range(1, 255)) + bytes([0xFF, 0xD0 + k]) for k in range(8)) + bytes(range(1, 255))
    for end in {_scan_end(data), data.rfind(b"\xff\xd9")} - {-1}:
        probe = Image.open(io.BytesIO(data[:end] + extra + data[end:]), formats=("JPEG",))
        probe.load()
        if probe.tobytes() != image.tobytes():
            raise Unusable(name, "truncated", f"the picture's data ends at byte {end}, before its last pixel")


def _scan_end(data: bytes) -> int:
    """Where the entropy-coded data of a JPEG's first scan ends, as a byte offset."""
    position = 2
    while data[position + 1] != 0xDA:  # start of scan
        filler = data[position + 1] == 0xFF
        position += 1 if filler else 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    marker = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
    found = marker.search(data, position + 2)
    return found.start() if found else len(data)
