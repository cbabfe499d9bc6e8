"""A contact sheet: composites beside what they were made from and what harmonizing makes of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TITLES = ("real", "mask", "composite", "harmonized back")
TILE = (232, 174)  # width and height in pixels
GAP, CAPTION, MARGIN = 8, 20, 24
CUT = "…"  # where a caption is longer than its row
PAPER, INK, FAINT = (250, 250, 248), (28, 28, 30), (110, 110, 115)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Row:
    """One sample on a sheet: pictures uint8 RGB (H, W, 3), in the order of the sheet's titles, and a line of text.

    What the line has no room for is cut off.
    """

    pictures: tuple[NDArray[np.uint8], ...]
    caption: str


def contact_sheet(rows: Sequence[Row], title: str, titles: Sequence[str] = TITLES) -> NDArray[np.uint8]:
    """Lay samples out, two beside each other where there are more than three.

    Args:
        rows: the samples.
        title: of the sheet.
        titles: of a row's pictures.

    Returns:
        The sheet, uint8 RGB (H, W, 3).

    Raises:
        ValueError: no rows.

    Example:
        >>> tile = np.zeros((30, 40, 3), np.uint8)
        >>> contact_sheet([Row((tile,) * 4, "a")], "one sample").shape[2]
        3
    """
    if not rows:
        raise ValueError("a contact sheet of no samples; at least one is accepted")
    columns = 2 if len(rows) > 3 else 1
    lines = -(-len(rows) // columns)
    block = (len(titles) * (TILE[0] + GAP) - GAP, TILE[1] + CAPTION + GAP)
    width = MARGIN * 2 + columns * block[0] + (columns - 1) * MARGIN
    top = MARGIN + 2 * CAPTION + GAP
    sheet = Image.new("RGB", (width, top + lines * (block[1] + GAP) + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN - 6), title, INK, ImageFont.load_default(17))
    for column in range(columns):
        left = MARGIN + column * (block[0] + MARGIN)
        for place, name in enumerate(titles):
            draw.text((left + place * (TILE[0] + GAP), top - CAPTION), name, FAINT, ImageFont.load_default(13))
    for number, row in enumerate(rows):
        left = MARGIN + (number % columns) * (block[0] + MARGIN)
        upper = top + (number // columns) * (block[1] + GAP)
        for place, picture in enumerate(row.pictures):
            tile = _fit(picture)
            offset = ((TILE[0] - tile.shape[1]) // 2, (TILE[1] - tile.shape[0]) // 2)
            sheet.paste(Image.fromarray(tile), (left + place * (TILE[0] + GAP) + offset[0], upper + offset[1]))
        font = ImageFont.load_default(12)
        draw.text((left, upper + TILE[1] + 3), _cut(row.caption, block[0], font), FAINT, font)
    return np.asarray(sheet)


def _cut(text: str, width: float, font: Font) -> str:
    """As much of a text as `width` pixels have room for, in one line."""
    text = " ".join(text.splitlines())
    if font.getlength(text) <= width:
        return text
    room = bisect_right(range(len(text)), width, key=lambda end: float(font.getlength(text[:end] + CUT)))
    return text[: max(room - 1, 0)].rstrip() + CUT


def _fit(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    scale = min(TILE[0] / width, TILE[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
