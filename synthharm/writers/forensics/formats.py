"""All formats by name, and conversion from one to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.files import parse_json, sha256
from synthharm.storage import as_path
from synthharm.writers.forensics.catnet import CatNetFormat
from synthharm.writers.forensics.coco import CocoFormat
from synthharm.writers.forensics.export import RECIPE, SUMMARY, detect_format, export
from synthharm.writers.forensics.folder import FolderFormat
from synthharm.writers.forensics.imagefolder import ImageFolderFormat
from synthharm.writers.forensics.imdlbenco import ImdlBencoFormat
from synthharm.writers.forensics.item import About, Format, Item
from synthharm.writers.forensics.mmsegmentation import MMSegmentationFormat
from synthharm.writers.forensics.parquet import HuggingFaceFormat
from synthharm.writers.forensics.records import RecordsFormat
from synthharm.writers.forensics.webdataset_shards import WebDatasetFormat

FORMATS: dict[str, Callable[..., Format]] = {
    "folder": FolderFormat,
    "imdlbenco": ImdlBencoFormat,
    "coco": CocoFormat,
    "huggingface": HuggingFaceFormat,
    "imagefolder": ImageFolderFormat,
    "webdataset": WebDatasetFormat,
    "catnet": CatNetFormat,
    "mmsegmentation": MMSegmentationFormat,
    "records": RecordsFormat,
}
PACKED = ("huggingface", "webdataset")  # whose files hold the bytes of many samples, so that none can be a link


def find_format(name: str, output: Path, options: Mapping[str, Any] | None = None) -> Format:
    """A format by name.

    Args:
        name: see FORMATS.
        output: the folder that it will be in for good, which some formats' lists name.
        options: of the format.

    Raises:
        SynthharmError: there is none of that name.
    """
    if name not in FORMATS:
        raise SynthharmError(f"format is {name!r}; accepted are {', '.join(FORMATS)}")
    placed = {"root": output.absolute()} if name == "imdlbenco" else {}
    return FORMATS[name](**placed, **(options or {}))


def convert(folder: Path, name: str, output: Path) -> int:
    """Write a dataset that `export` wrote in another format; the bytes of images and labels go through unchanged.

    Args:
        folder: the dataset's.
        name: of the format to write.
        output: a folder that is not there yet, or is empty.

    Returns:
        The number of samples.

    Raises:
        SynthharmError: the folder holds no known format or is damaged, or the output is taken.
    """
    folder, output = as_path(folder), as_path(output)
    form = find_format(detect_format(folder), folder)
    about = read_about(folder)

    wanted = int(about.summary["samples"])

    def items() -> Iterator[Item]:
        count = 0
        for item in form.read(folder):
            count += 1
            for role, file in item.record.files.items():
                if sha256(item.files[role].read()) != file["sha256"]:
                    raise SynthharmError(f"{folder}: sample {item.record.sample}: its {role} is damaged")
            yield item
        if count != wanted:
            raise SynthharmError(f"{folder}: holds {count} samples; its {SUMMARY} says {wanted}")

    export(find_format(name, output), items, output, about)
    return wanted


def files_beside(recipe: Mapping[str, Any]) -> list[str]:
    """The files that a dataset's own recipe names. Raises ValueError where they do not lie beside it."""
    tables = recipe.get("camera_tables")
    if tables is None:
        return []
    if not isinstance(tables, str) or Path(tables).name != tables:
        raise ValueError(f"camera_tables is {tables!r}; the name of a file beside the recipe is accepted")
    return [tables]


def read_about(folder: Path) -> About:
    """What a dataset says of itself as a whole. Raises SynthharmError where it cannot be read."""
    from synthharm.yamlfile import parse_yaml

    try:
        recipe = parse_yaml((folder / RECIPE).read_text(encoding="utf-8"), str(folder / RECIPE)).value
        summary = parse_json((folder / SUMMARY).read_bytes())
        counted = {**summary, "samples": int(summary["samples"])}
        beside = {name: (folder / name).read_bytes() for name in files_beside(recipe)}
        return About(recipe["name"], tuple(recipe["split"]), recipe, counted, beside)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SynthharmError(f"{folder}: its {RECIPE} and {SUMMARY} cannot be read: {error!r}") from error
