"""Encoding images as files whose bytes follow from pixels and settings alone, and reading them back."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from synthharm.composites.foreground import Image

Format = Literal["png", "png16", "jpeg"]


@dataclass(frozen=True)
class Encoder:
    """How images are written.

    Args:
        format: "png" (8 bits), "png16" or "jpeg".
        quality: of JPEG, 1 to 100.
        subsampling: of JPEG's colour: "4:4:4", "4:2:2" or "4:2:0".
        compression: of PNG, 0 to 9.

    Example:
        >>> image = np.zeros((8, 8, 3), np.uint8)
        >>> data = Encoder("png").encode(image)
        >>> bool((decode_image(data) == image).all())
        True
    """

    format: Format = "png"
    quality: int = 95
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:4:4"
    compression: int = 3

    @property
    def suffix(self) -> str:
        """The file name's ending."""
        return ".jpg" if self.format == "jpeg" else ".png"

    @property
    def levels(self) -> int:
        """The largest value of a channel."""
        return 65535 if self.format == "png16" else 255

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
            buffer = io.BytesIO()
            PillowImage.fromarray(image).save(buffer, "JPEG", quality=self.quality, subsampling=self.subsampling)
            return buffer.getvalue()
        return encode_png(image, self.compression)


def encode_png(image: Image, compression: int = 3) -> bytes:
    """Encode an RGB image (H, W, 3), uint8 or uint16, or a mask (H, W) uint8, as PNG without metadata."""
    stored: NDArray[Any] = image if image.ndim == 2 else np.ascontiguousarray(image[:, :, ::-1])
    done, data = cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, compression])
    if not done:
        raise ValueError(f"an image {image.dtype} {image.shape} could not be encoded as PNG")
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
    return stored if stored.ndim == 2 else np.ascontiguousarray(stored[:, :, ::-1])
