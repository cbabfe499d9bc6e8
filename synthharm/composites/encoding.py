"""Encoding images as files whose bytes follow from pixels and settings alone, and reading them back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.foreground import Image

Format = Literal["png", "png16", "jpeg"]

FASTEST = 2  # PNG's compression up to which only run lengths are looked for
MASK_COMPRESSION = 3
SAMPLING = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}


@dataclass(frozen=True)
class Encoder:
    """How images are written.

    Args:
        format: "png" (8 bits), "png16" or "jpeg".
        quality: of JPEG, 1 to 100.
        subsampling: of JPEG's colour: "4:4:4", "4:2:2" or "4:2:0".
        compression: of PNG, 0 to 9: up to 2 by run lengths alone, which takes half the time for photos.

    Example:
        >>> image = np.zeros((8, 8, 3), np.uint8)
        >>> data = Encoder("png").encode(image)
        >>> bool((decode_image(data) == image).all())
        True
    """

    format: Format = "png"
    quality: int = 95
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:4:4"
    compression: int = 1

    @property
    def suffix(self) -> str:
        """The file name's ending."""
        return ".jpg" if self.format == "jpeg" else ".png"

    @property
    def levels(self) -> int:
        """The largest value of a channel."""
        return 65535 if self.format == "png16" else 255

    @property
    def lossless(self) -> bool:
        """Whether what is read back is what was encoded."""
        return self.format != "jpeg"

    def settings(self) -> dict[str, Any]:
        """What was used, for the record: only what its format knows."""
        if self.format == "jpeg":
            return {"format": self.format, "quality": self.quality, "subsampling": self.subsampling}
        return {"format": self.format, "compression": self.compression}

    def encode(self, image: Image) -> bytes:
        """Encode an RGB image (H, W, 3), uint8 or uint16, or a mask (H, W) uint8.

        An 8-bit image stays 8-bit in "png16": a real photo has no more.

        Raises:
            ValueError: a 16-bit image in an 8-bit format.
        """
        if image.dtype == np.uint16 and self.format != "png16":
            raise ValueError(f"a 16-bit image cannot be written as {self.format}; png16 is accepted")
        if self.format == "jpeg":
            return _encode_jpeg(image, self.quality, self.subsampling)
        return encode_png(image, self.compression)


def encode_png(image: Image, compression: int = 1) -> bytes:
    """Encode an RGB image (H, W, 3), uint8 or uint16, or a mask (H, W) uint8, as PNG without metadata.

    Masks are run lengths by nature: for them nothing but run lengths is looked for, which is fastest and smallest.
    """
    strategy = cv2.IMWRITE_PNG_STRATEGY_DEFAULT
    if image.ndim == 2:
        compression, strategy = max(compression, MASK_COMPRESSION), cv2.IMWRITE_PNG_STRATEGY_RLE
    elif compression <= FASTEST:
        strategy = cv2.IMWRITE_PNG_STRATEGY_RLE
    settings = [cv2.IMWRITE_PNG_COMPRESSION, compression, cv2.IMWRITE_PNG_STRATEGY, strategy]
    return _encode(".png", image, settings)


def _encode_jpeg(image: Image, quality: int, subsampling: str) -> bytes:
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[subsampling]]
    return _encode(".jpg", image, settings)


def _encode(suffix: str, image: Image, settings: list[int]) -> bytes:
    stored: NDArray[Any] = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(suffix, stored, settings)
    if not done:
        raise ValueError(f"an image {image.dtype} {image.shape} could not be encoded as {suffix}")
    return data.tobytes()


def decode_image(data: bytes) -> NDArray[Any]:
    """Decode what `Encoder` wrote: RGB (H, W, 3) uint8 or uint16, or a mask (H, W).

    Raises:
        ValueError: the bytes are no image.
    """
    try:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        stored = None
    if stored is None:
        raise ValueError(f"{len(data)} bytes starting with {data[:8]!r} are no image that OpenCV can decode")
    if stored.ndim == 2:
        return stored
    return cv2.cvtColor(stored, cv2.COLOR_BGR2RGB if stored.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
