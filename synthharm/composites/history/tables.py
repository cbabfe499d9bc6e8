"""The quantization tables that cameras save by: collected from their photos, written and read."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from synthharm.composites.history.saving import SUBSAMPLINGS, check_subsampling, check_tables
from synthharm.composites.history.steps import Subsampling
from synthharm.composites.history.verifying import saved_as
from synthharm.errors import SynthharmError, Unusable
from synthharm.files import all_files, parse_json, write_atomically

Tables = tuple[tuple[int, ...], ...]

FEWEST_PIXELS = 640 * 480  # fewer are a thumbnail
# What EXIF's Software holds where a program saved the photo again; cameras name their firmware there.
EDITORS = (
    *("acdsee", "adobe", "affinity", "camedia master", "capture one", "darktable", "digikam", "gimp"),
    *("imagemagick", "instagram", "irfanview", "lightroom", "paint.net", "photoscape", "photoshop"),
    *("picasa", "pixelmator", "rawtherapee", "shotwell", "snapseed", "windows photo", "xnview"),
)
_MAKE, _MODEL, _SOFTWARE, _EXIF, _WIDTH, _HEIGHT = 271, 272, 305, 0x8769, 40962, 40963
_KEYS = ("name", "subsampling", "tables")


@dataclass(frozen=True)
class CameraTables:
    """What a camera saves by.

    Args:
        name: make and model, and a number where the camera has several.
        tables: luminance and chrominance, 64 numbers each in rows of the block, 1 to 255.
        subsampling: of the colour.

    Raises:
        ValueError: a name that cannot be printed or is empty, other tables or another subsampling.
    """

    name: str
    tables: Tables
    subsampling: Subsampling

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise ValueError(f"the name is {self.name!r}; printable text is accepted")
        check_subsampling(self.subsampling)
        check_tables(self.tables)


def collect_tables(folder: Path) -> tuple[list[CameraTables], list[Unusable]]:
    """The tables of all camera photos below a folder, each pair with its subsampling once, and what was left out.

    Files are gone through in the order of their paths, and a pair is named after the first camera that has it.
    Only what a camera wrote itself tells its tables, so a photo that was plainly saved again is left out: one that
    is progressive, has fewer pixels than 640 x 480, another size than its EXIF says, or was saved by an editor.

    Returns:
        The tables, and an `Unusable` for each file that has none: "not a JPEG", "tables", "subsampling",
        "no camera" or "saved again".

    Raises:
        SynthharmError: the folder is none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SynthharmError(f"{folder} is no folder; one with photos of cameras is accepted")
    found: dict[tuple[Tables, str], CameraTables] = {}
    rejected: list[Unusable] = []
    for name in all_files(folder):
        try:
            tables, subsampling, camera = _tables_of(folder / name, name)
        except Unusable as reject:
            rejected.append(reject)
            continue
        if (tables, subsampling) not in found:
            taken = {other.name for other in found.values()}
            found[tables, subsampling] = CameraTables(_numbered(camera, taken), tables, subsampling)
    return sorted(found.values(), key=lambda camera: camera.name), rejected


def _tables_of(path: Path, name: str) -> tuple[Tables, Subsampling, str]:
    """A photo's tables, subsampling and camera, or `Unusable`."""
    try:
        data = path.read_bytes()
        said = saved_as(data)
    except (OSError, ValueError) as error:
        raise Unusable(name, "not a JPEG", str(error).replace(str(path), name)) from error
    if said["format"] != "jpeg":
        raise Unusable(name, "not a JPEG", f"the format is {said['format']}")
    subsampling = next((s for s in SUBSAMPLINGS if s == said["subsampling"]), None)
    if subsampling is None:
        detail = f"{said['subsampling'] or 'grey has none'}; accepted are {', '.join(SUBSAMPLINGS)}"
        raise Unusable(name, "subsampling", detail)
    try:
        check_tables(said["tables"])
    except ValueError as error:
        raise Unusable(name, "tables", str(error)) from error
    return said["tables"], subsampling, _camera_of(data, said, name)


def _camera_of(data: bytes, said: dict[str, Any], name: str) -> str:
    """The camera that saved a photo, or `Unusable`."""
    make, model, software, stated = _exif_of(data)
    camera = camera_name(make, model)
    if not camera:
        raise Unusable(name, "no camera", "EXIF has neither make nor model")
    size = (said["width"], said["height"])
    if said["progressive"]:
        raise Unusable(name, "saved again", "it is progressive; cameras write baseline")
    if editor := next((e for e in EDITORS if e in software.lower()), None):
        raise Unusable(name, "saved again", f"EXIF's software is {software!r}, which names {editor}")
    if size[0] * size[1] < FEWEST_PIXELS:
        raise Unusable(name, "saved again", f"{size[0]} x {size[1]} pixels; 640 x 480 and more are accepted")
    if stated is not None and sorted(stated) != sorted(size):
        detail = f"{size[0]} x {size[1]} pixels; EXIF says {stated[0]} x {stated[1]}"
        raise Unusable(name, "saved again", detail)
    return camera


def _exif_of(data: bytes) -> tuple[str, str, str, tuple[int, int] | None]:
    """Make, model, software and stated size; what cannot be read is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damaged EXIF
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as file:
                tags = file.getexif()
                inner = tags.get_ifd(_EXIF)
    except Exception:  # damaged EXIF fails in as many ways as its reader has lines; all mean that nothing is known
        return "", "", "", None
    make, model, software = (_clean(tags.get(tag)) for tag in (_MAKE, _MODEL, _SOFTWARE))
    sides = [side for tag in (_WIDTH, _HEIGHT) if isinstance(side := inner.get(tag), int) and side > 0]
    return make, model, software, (sides[0], sides[1]) if len(sides) == 2 else None


def camera_name(make: str, model: str) -> str:
    """Make and model as one name; a model that begins with a word of its make needs no more.

    Example:
        >>> camera_name("NIKON CORPORATION", "NIKON D70"), camera_name("FUJIFILM", "DX-10")
        ('NIKON D70', 'FUJIFILM DX-10')
    """
    if set(model.lower().split()[:1]) & set(make.lower().split()):
        return model
    return f"{make} {model}".strip()


def _clean(text: Any) -> str:
    """What can be printed of a tag, without the blanks that cameras fill it up with."""
    if not isinstance(text, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _numbered(camera: str, taken: set[str]) -> str:
    name, number = camera, 1
    while name in taken:
        number += 1
        name = f"{camera} ({number})"
    return name


def write_tables(path: Path, tables: Sequence[CameraTables]) -> None:
    """Write tables as JSON, a row of a block on a line.

    Raises:
        ValueError: two of the same name.
    """
    names = [camera.name for camera in tables]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the name {twice[0]!r} is there twice; names that differ are accepted")
    entries = ",\n".join(_entry(camera) for camera in tables)
    write_atomically(path, f"[\n{entries}\n]\n".encode())


def _entry(camera: CameraTables) -> str:
    blocks = []
    for table in camera.tables:
        rows = [", ".join(map(str, table[row : row + 8])) for row in range(0, 64, 8)]
        blocks.append("[\n   " + ",\n   ".join(rows) + "]")
    name, subsampling = json.dumps(camera.name, ensure_ascii=False), json.dumps(camera.subsampling)
    return f' {{"name": {name}, "subsampling": {subsampling}, "tables": [{", ".join(blocks)}]}}'


def read_tables(path: Path) -> list[CameraTables]:
    """Read what `write_tables` wrote.

    Raises:
        SynthharmError: no such file, or something else in it, with the entry and value.
    """
    try:
        entries = parse_json(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SynthharmError(f"{path} cannot be read as camera tables: {error}") from error
    if not isinstance(entries, list):
        raise SynthharmError(f"{path}: a {type(entries).__name__}; a list of entries is accepted")
    tables: list[CameraTables] = []
    for number, entry in enumerate(entries):
        try:
            camera = _camera_from(entry)
            if any(camera.name == other.name for other in tables):
                raise ValueError(f"the name {camera.name!r} is there twice; names that differ are accepted")
        except ValueError as error:
            raise SynthharmError(f"{path}: entry {number}: {error}") from error
        tables.append(camera)
    return tables


def _camera_from(entry: Any) -> CameraTables:
    if not isinstance(entry, dict) or sorted(entry) != sorted(_KEYS):
        found = ", ".join(sorted(entry)) if isinstance(entry, dict) else repr(entry)
        raise ValueError(f"it has {found or 'nothing'}; exactly {', '.join(_KEYS)} are accepted")
    tables = entry["tables"]
    if not isinstance(tables, list) or not all(isinstance(table, list) for table in tables):
        raise ValueError(f"tables is {tables!r}; two lists of 64 numbers are accepted")
    return CameraTables(entry["name"], tuple(tuple(table) for table in tables), entry["subsampling"])
