"""What is written: images as files, and folders and files that nothing is lost by."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError

Format = Literal["png", "jpeg"]

SUFFIXES: dict[Format, str] = {"png": ".png", "jpeg": ".jpg"}
PNG_COMPRESSION = 3


def encode(image: NDArray[np.uint8], format: Format, quality: int = 95) -> bytes:
    """An RGB image (H, W, 3) as the bytes of a PNG, or of a JPEG whose colours have the full resolution.

    Raises:
        SynthharmError: an image that the format cannot hold, such as a JPEG of more than 65535 pixels a side.

    Example:
        >>> encode(np.zeros((4, 4, 3), np.uint8), "png")[1:4]
        b'PNG'
    """
    import cv2

    settings = [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION]
    if format == "jpeg":
        sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    stored: Any = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(SUFFIXES[format], stored, settings)
    if not done:
        raise SynthharmError(
            f"an image of {image.shape[1]} x {image.shape[0]} pixels cannot be stored as {format}"
        )
    encoded: bytes = data.tobytes()
    return encoded


def check_new_folder(folder: Path) -> None:
    """Refuse a folder that holds something, or a file in its place.

    Raises:
        SynthharmError: as said.
    """
    if os.path.lexists(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise SynthharmError(f"{folder}: is there already; a new or empty folder is accepted")


def check_new_file(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that is there, unless it may be overwritten, and a folder in its place.

    Raises:
        SynthharmError: as said.
    """
    if path.is_dir():
        raise SynthharmError(f"{path}: is a folder; a file is accepted")
    if os.path.lexists(path) and not overwrite:
        raise SynthharmError(f"{path}: is there already; accepted are another output, or overwrite")
