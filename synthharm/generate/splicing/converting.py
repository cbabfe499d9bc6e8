"""Converting a splicing dataset: as it was generated, or from one format to another."""

from __future__ import annotations

from pathlib import Path

from synthharm.errors import SynthharmError
from synthharm.files import parse_json
from synthharm.generate.dataset import SUMMARY, SUMS, Dataset
from synthharm.generate.splicing.stored import about, checked_items
from synthharm.storage import as_path
from synthharm.writers.forensics import convert, export, find_format


def convert_dataset(folder: str | Path, name: str, output: str | Path) -> int:
    """Write a dataset in a format; the bytes of images and labels do not change.

    Args:
        folder: as `generate` wrote it, or in any of the formats; its path or address.
        name: of the format to write.
        output: a folder that is not there yet, or is empty.

    Returns:
        The number of samples.

    Raises:
        SynthharmError: no such format, the folder holds no splicing dataset or is damaged, or the output is taken.
    """
    folder, output = as_path(folder), as_path(output)
    dataset = Dataset(folder)
    if not dataset.begun:
        return convert(folder, name, output)
    if "kinds" not in dataset.recipe:
        raise SynthharmError(f"{folder}: is a harmonization dataset; splicing datasets can be converted")
    if not dataset.finished:
        raise SynthharmError(f"{folder}: is not finished: {SUMS} is missing; generate again to go on with it")
    try:
        summary = parse_json((dataset.folder / SUMMARY).read_bytes())
        count = int(summary["samples"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SynthharmError(f"{folder}: {SUMMARY}: cannot be read: {error!r}") from error
    export(find_format(name, output), checked_items(dataset), output, about(dataset, summary))
    return count
