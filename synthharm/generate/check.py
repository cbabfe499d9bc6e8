"""Checking a dataset: every file against its checksum and its record, and the whole against what it promises."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from synthharm.composites import decode_image
from synthharm.errors import SynthharmError
from synthharm.files import all_files, parse_json, sha256, sha256_file
from synthharm.generate.dataset import PLAN, SUMMARY, SUMS, WORK, Dataset
from synthharm.recipe import AnyRecipe, Recipe, parse_recipe
from synthharm.writers import Record

if TYPE_CHECKING:
    from synthharm.generate.audit import Audit


def check_dataset(folder: str | Path) -> Iterator[str]:
    """Check a finished dataset, and give one line per problem; none if there is none.

    Checked are: that every file is there, unchanged and listed, and no other; that each record's files have the
    size, type and checksum that it says, its mask the area, and that nothing but the mask's inside differs from
    the real image (where the encoding keeps it); that names and samples are unique; that no photo is in two
    splits; and the layout's own lists.

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
    dataset = Dataset(Path(folder))
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


def wrong_sums(folder: Path, sums: str, without: Collection[str]) -> Iterator[str]:
    """Compare a folder with its list of checksums: a line for each file that is not as it says.

    Args:
        folder: the dataset's.
        sums: the name of the list in it.
        without: folders that the list leaves out.
    """
    listed: dict[str, str] = {}
    text = (folder / sums).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        checksum, _, name = line.partition("  ")
        if not name or name in listed:
            yield f"{sums}: line {number} is {'there twice' if name else 'not a checksum and a name'}: {line}"
        listed[name] = checksum
    present = {name for name in all_files(folder, without=without) if name != sums}
    yield from (f"{name}: is listed in {sums} and missing" for name in sorted(listed.keys() - present))
    yield from (f"{name}: is not listed in {sums}" for name in sorted(present - listed.keys()))
    for name in sorted(present & listed.keys()):
        if sha256_file(folder / name) != listed[name]:
            yield f"{name}: its sha256 is not the one in {sums}"


def _wrong_records(dataset: Dataset, lossless: bool) -> Iterator[str]:
    samples: set[int] = set()
    try:
        yield from _compare_records(dataset, lossless, samples)
    except SynthharmError as error:
        yield str(error)
        return
    except (LookupError, TypeError, AttributeError) as error:
        yield f"records: one of them is not as a record is: {error!r}"
        return
    try:
        promised = parse_json((dataset.folder / SUMMARY).read_bytes())["samples"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        yield f"{SUMMARY}: cannot be read: {error!r}"
    else:
        if promised != len(samples):
            yield f"{SUMMARY}: says {promised} samples, and there are {len(samples)} records"


def _compare_records(dataset: Dataset, lossless: bool, samples: set[int]) -> Iterator[str]:
    """Compare each record with its files and with the records before it; adds its number to `samples`."""
    sums: dict[str, tuple[str, str]] = {}  # by path: the role and checksum of the first file of that name
    images: set[str] = set()
    splits: dict[str, tuple[str, str]] = {}  # by a source's sha256: its split, and a photo in it
    for record in dataset.records():
        if record.sample in samples:
            yield f"sample {record.sample}: has two records"
        samples.add(record.sample)
        yield from (f"sample {record.sample}: {p}" for p in _wrong_files(dataset.folder, record, lossless))
        image = record.files["image"]["path"]
        for role, file in record.files.items():
            first = sums.setdefault(file["path"], (role, file["sha256"]))
            if first != (role, file["sha256"]) or (role == "image" and image in images):
                yield f"{file['path']}: two samples have different files of that name"
        images.add(image)
        split, photo = splits.setdefault(record.source["sha256"], (record.split, record.source["photo"]))
        if split != record.split:
            yield f"{record.source['photo']}: is in {record.split}, and {photo}, the same photo, in {split}"


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
