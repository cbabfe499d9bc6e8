"""What a saved file says of itself, and whether that is what its step says."""

from __future__ import annotations

import io
import warnings
from typing import Any

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from synthharm.composites.history.saving import FORMATS, check_jpeg
from synthharm.composites.history.steps import Jpeg, Save

Table = tuple[int, ...]

# The examples of the standard (ITU-T T.81, tables K.1 and K.2), in rows of the block: libjpeg's at quality 50.
LUMINANCE = (
    *(16, 11, 10, 16, 24, 40, 51, 61),
    *(12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77),
    *(24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101),
    *(72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    *(17, 18, 24, 47, 99, 99, 99, 99),
    *(18, 21, 26, 66, 99, 99, 99, 99),
    *(24, 26, 56, 99, 99, 99, 99, 99),
    *(47, 66, 99, 99, 99, 99, 99, 99),
    *(99, 99, 99, 99, 99, 99, 99, 99),
    *(99, 99, 99, 99, 99, 99, 99, 99),
    *(99, 99, 99, 99, 99, 99, 99, 99),
    *(99, 99, 99, 99, 99, 99, 99, 99),
)
_FACTORS: dict[tuple[tuple[int, int], ...], str] = {
    ((1, 1), (1, 1), (1, 1)): "4:4:4",
    ((2, 1), (1, 1), (1, 1)): "4:2:2",
    ((2, 2), (1, 1), (1, 1)): "4:2:0",
}


def quality_tables(quality: int) -> tuple[Table, Table]:
    """The luminance and chrominance tables of libjpeg for a quality, 1 to 100, in rows of the block.

    Raises:
        ValueError: another quality.

    Example:
        >>> quality_tables(75)[0][:8]
        (8, 6, 5, 8, 12, 20, 26, 31)
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"the quality is {quality}; 1 to 100 is accepted")
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    scaled = [
        tuple(min(max((number * percent + 50) // 100, 1), 255) for number in table)
        for table in (LUMINANCE, CHROMINANCE)
    ]
    return scaled[0], scaled[1]


def saved_as(data: bytes) -> dict[str, Any]:
    """What a JPEG, PNG or WebP says of itself in its header.

    Returns:
        format ("jpeg", "png" or "webp"), width and height (as stored, whatever EXIF says), and for JPEG:
        tables (luminance and chrominance, or three where the chrominances differ, or one for grey; 64 numbers
        each, in rows of the block), subsampling ("4:4:4", "4:2:2", "4:2:0", None where there is one component, or
        the factors of each component, "1x2 1x1 1x1"), progressive.

    Raises:
        ValueError: another file, or one whose header is damaged.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (24, 16)).save(file, "JPEG", quality=90, subsampling="4:2:2")
        >>> said = saved_as(file.getvalue())
        >>> said["format"], said["width"], said["subsampling"], said["tables"] == quality_tables(90)
        ('jpeg', 24, '4:2:2', True)
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata and sizes: neither is used here
            with Image.open(io.BytesIO(data), formats=FORMATS) as file:
                found: dict[str, Any] = {"width": file.width, "height": file.height}
                if not isinstance(file, JpegImageFile):
                    return {"format": str(file.format).lower(), **found}
                return {"format": "jpeg", **found, **_of_jpeg(file)}
    except Exception as error:  # a reader that is fed damaged data fails in as many ways as it has lines
        raise ValueError(f"{len(data)} bytes starting with {data[:8]!r} cannot be read: {error}") from error


def _of_jpeg(file: JpegImageFile) -> dict[str, Any]:
    factors = tuple((across, down) for _, across, down, _ in file.layer)
    tables: list[Table] = []
    for *_, number in file.layer:
        if number not in file.quantization:
            held = ", ".join(map(str, sorted(file.quantization))) or "none"
            raise ValueError(f"a component is quantized by table {number}; the file holds {held}")
        table = tuple(file.quantization[number])
        # Luminance and chrominance may be alike; what is left out is that both chrominances share one.
        if len(tables) < 2 or table != tables[-1]:
            tables.append(table)
    named = " ".join(f"{across}x{down}" for across, down in factors)
    return {
        "tables": tuple(tables),
        "subsampling": _FACTORS.get(factors, named) if len(factors) > 1 else None,
        "progressive": bool(file.info.get("progressive")),
    }


def disagreements(data: bytes, step: Save, size: tuple[int, int]) -> list[str]:
    """Where a file is not what its step says, a line each; empty where it is.

    Args:
        data: the file.
        step: that it is said to come from.
        size: (H, W) that it is said to have.

    Raises:
        ValueError: a Jpeg step that nothing can be saved by.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (24, 16)).save(file, "JPEG", quality=90, subsampling="4:2:0")
        >>> disagreements(file.getvalue(), Jpeg(quality=90, subsampling="4:4:4"), (16, 24))
        ['the subsampling is 4:2:0; the step says 4:4:4']
    """
    if isinstance(step, Jpeg):
        check_jpeg(step)
    try:
        said = saved_as(data)
    except ValueError as error:
        return [str(error)]
    lines, format_ = [], type(step).__name__.lower()
    if (said["height"], said["width"]) != size:
        lines.append(f"the size is {said['width']} x {said['height']}; the record says {size[1]} x {size[0]}")
    if said["format"] != format_:
        return [*lines, f"the format is {said['format']}; the step says {format_}"]
    return lines + _jpeg_lines(said, step) if isinstance(step, Jpeg) else lines


def _jpeg_lines(said: dict[str, Any], step: Jpeg) -> list[str]:
    lines = []
    wanted = quality_tables(step.quality) if step.quality is not None else step.tables
    assert wanted is not None
    if len(said["tables"]) != 2:
        lines.append(f"there are {len(said['tables'])} tables; the step says luminance and chrominance")
    else:
        for name, table, want in zip(("luminance", "chrominance"), said["tables"], wanted, strict=True):
            if table != tuple(want):
                place = next(i for i in range(64) if table[i] != want[i])
                lines.append(f"number {place} of the {name} table is {table[place]}; the step's is {want[place]}")
    if said["subsampling"] != step.subsampling:
        lines.append(f"the subsampling is {said['subsampling']}; the step says {step.subsampling}")
    if said["progressive"]:
        lines.append("the file is progressive; the step says baseline")
    return lines
