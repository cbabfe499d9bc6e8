"""Checking a dataset: every file against its checksum and its record, and the whole against what it promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from synthharm.composites import decode_image
from synthharm.errors import SynthharmError
from synthharm.files import parse_json, sha256
from synthharm.generate.dataset import PLAN, SUMMARY, SUMS, WORK, Dataset
from synthharm.generate.photos import PhotoFiles
from synthharm.generate.sums_check import wrong_sums
from synthharm.recipe import AnyRecipe, Recipe, parse_recipe
from synthharm.storage import as_path
from synthharm.writers import Record
from synthharm.writers.sorting import Sorter

if TYPE_CHECKING:
    from synthharm.generate.audit import Audit


def check_dataset(folder: str | Path) -> Iterator[str]:
    """Check a finished dataset, and give one line per problem; none if there is none.

    Checked are: that every file is there, unchanged and listed, and no other; that each record's files have the
    size, type and checksum that it says, its mask the area, and that nothing but the mask's inside differs from
    the real image (where the encoding keeps it); that names and samples are unique; that no photo is in two
    splits or was changed meanwhile; and the layout's own lists.

    Raises:
        SynthharmError: the folder holds no finished dataset.
    """
    dataset, recipe = _open(folder)
    return _problems(dataset, recipe)


def check_shortcuts(folder: str | Path) -> Audit | None:
    """How well a splicing dataset's samples are told apart by what their pictures do not show.

    Returns:
        The areas under the ROC curve, with a warning for each that is too large; None for other datasets.

    Raises:
        SynthharmError: the folder holds no finished dataset, or an image cannot be read.
    """
    dataset, recipe = _open(folder)
    if isinstance(recipe, Recipe):
        return None
    from synthharm.generate.splicing.checking import shortcuts

    return shortcuts(dataset)


def _open(folder: str | Path) -> tuple[Dataset, AnyRecipe]:
    dataset = Dataset(as_path(folder))
    stored = dataset.recipe
    if not dataset.finished:
        raise SynthharmError(f"{folder}: is not finished: {SUMS} is missing; generate again to go on with it")
    try:
        return dataset, parse_recipe(json.dumps({**stored, "data": "."}))
    except ValidationError as error:
        raise SynthharmError(f"{folder}: {PLAN}: its recipe cannot be read: {error}") from error


def _problems(dataset: Dataset, recipe: AnyRecipe) -> Iterator[str]:
    from synthharm.generate.sections import writer

    if not isinstance(recipe, Recipe):
        from synthharm.generate.splicing.checking import splicing_problems
        from synthharm.generate.splicing.finishing import FORMATS

        yield from wrong_sums(dataset.folder, SUMS, (WORK, FORMATS))
        yield from splicing_problems(dataset, recipe)
        return
    yield from wrong_sums(dataset.folder, SUMS, (WORK,))
    yield from _wrong_records(dataset, recipe.encoding.format != "jpeg")
    try:
        yield from writer(recipe).check(dataset.folder, dataset.records)
    except SynthharmError as error:
        yield str(error)


def _wrong_records(dataset: Dataset, lossless: bool) -> Iterator[str]:
    compared = _Compared()
    try:
        with Sorter() as names:
            for record in dataset.records():
                yield from compared.with_earlier(record, names)
                yield from (f"sample {record.sample}: {p}" for p in _wrong_files(dataset.folder, record, lossless))
            yield from _wrong_names(names)
    except SynthharmError as error:
        yield str(error)
        return
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError) as error:
        yield f"records: one of them is not as a record is: {error!r}"
        return
    yield from wrong_count(dataset, compared.count)


@dataclass
class _Compared:
    """What of the records before is needed to compare the next one with them; it grows with the photos."""

    count: int = 0
    last: int = -1
    photos: PhotoFiles = field(default_factory=PhotoFiles)
    splits: dict[str, tuple[str, str]] = field(
        default_factory=dict
    )  # by a file's sha256: split, and a photo in it

    def with_earlier(self, record: Record, names: Sorter) -> Iterator[str]:
        """Compare a record with those before it; its files' names are added to `names`."""
        self.count += 1
        if record.sample <= self.last:
            before = "has two records" if record.sample == self.last else f"comes after sample {self.last}"
            yield f"sample {record.sample}: {before}"
        self.last = record.sample
        for role, file in record.files.items():
            names.add((str(file["path"]), role, str(file["sha256"])))
        source = record.source
        if changed := self.photos.changed(record.sample, source["photo"], source["sha256"]):
            yield changed
        split, photo = self.splits.setdefault(source["sha256"], (record.split, source["photo"]))
        if split != record.split:
            yield f"{source['photo']}: is in {record.split}, and {photo}, the same photo, in {split}"


def _wrong_names(names: Sorter) -> Iterator[str]:
    """A line for each path that two samples have for different files, or for their images."""
    last, told = ("", "", ""), ""
    for row in names:
        path = row[0]
        if path == last[0] and path != told and (row != last or row[1] == "image"):
            yield f"{path}: two samples have different files of that name"
            told = path
        last = row


def wrong_count(dataset: Dataset, count: int) -> Iterator[str]:
    """Whether the summary says how many records there are."""
    try:
        promised = parse_json((dataset.folder / SUMMARY).read_bytes())["samples"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        yield f"{SUMMARY}: cannot be read: {error!r}"
    else:
        if promised != count:
            yield f"{SUMMARY}: says {promised} samples, and there are {count} records"


def _wrong_files(folder: Path, record: Record, lossless: bool) -> Iterator[str]:
    images: dict[str, Any] = {}
    for role, file in record.files.items():
        try:
            data = (folder / file["path"]).read_bytes()
            images[role] = decode_image(data)
        except (OSError, ValueError) as error:
            yield f"{file['path']}: {error}"
            continue
        if (len(data), sha256(data)) != (file["bytes"], file["sha256"]):
            yield f"{file['path']}: is not the file that the record describes"
    if len(images) < len(record.files):
        return
    image, mask, real = images["image"], images["mask"], images["real"]
    size = (record.source["height"], record.source["width"])
    for role in images:
        if images[role].shape[:2] != size:
            yield f"{record.files[role]['path']}: is {images[role].shape[:2]}; {size} (height, width) was recorded"
            return
    if mask.ndim != 2 or mask.dtype != np.uint8:
        yield f"{record.files['mask']['path']}: is not an 8-bit grey mask"
        return
    if colourless := [role for role in ("image", "real") if images[role].shape[2:] != (3,)]:
        yield f"{record.files[colourless[0]]['path']}: is not an RGB image"
        return
    if int((mask > 0).sum()) != record.region["area"]:
        yield f"{record.files['mask']['path']}: covers {(mask > 0).sum()} pixels; {record.region['area']} recorded"
    if not record.region["soft"] and not record.region["feather"] and not np.isin(mask, (0, 255)).all():
        yield f"{record.files['mask']['path']}: has values other than 0 and 255"
    if lossless:
        scale = 257 if image.dtype == np.uint16 else 1
        if (image[mask == 0] != real[mask == 0].astype(image.dtype) * scale).any():
            yield f"{record.files['image']['path']}: differs from the real image outside the mask"
