"""Checking a splicing dataset: every file against its record, every label against the others, and the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from synthharm.composites import decode_image
from synthharm.composites.history.steps import Save
from synthharm.composites.history.verifying import disagreements
from synthharm.errors import SynthharmError
from synthharm.files import parse_json, sha256
from synthharm.generate.audit import Audit, audit
from synthharm.generate.certificate import verify_certificate
from synthharm.generate.dataset import Dataset
from synthharm.generate.splicing.finishing import CERTIFICATE, FORMATS
from synthharm.generate.splicing.stored import items, records
from synthharm.masks import boundary_band
from synthharm.writers.forensics.export import SUMS, detect_format
from synthharm.writers.forensics.formats import find_format
from synthharm.writers.forensics.record import KINDS, SplicingRecord

Label = NDArray[np.uint8]


def splicing_problems(dataset: Dataset) -> Iterator[str]:
    """What is wrong with a finished dataset's records, labels, splits and formats: a line each."""
    yield from _wrong_records(dataset)
    try:
        yield from verify_certificate(dataset.folder / CERTIFICATE, lambda: records(dataset))
        yield from _wrong_distance(dataset)
    except SynthharmError as error:
        yield str(error)
    folder = dataset.folder / FORMATS
    for form in sorted(folder.iterdir()) if folder.is_dir() else ():
        yield from _wrong_format(form, dataset)


def _wrong_distance(dataset: Dataset) -> Iterator[str]:
    """Whether the certificate calls photos alike that the recipe does: what it calls so, it holds itself."""
    try:
        distance = parse_json((dataset.folder / CERTIFICATE).read_bytes())["distance"]
    except (OSError, ValueError, LookupError, TypeError):
        return  # which was said already
    wanted = dataset.recipe["near_duplicates"]
    if distance != wanted:
        yield f"{CERTIFICATE}: distance is {distance}; the recipe's near_duplicates is {wanted}"


def shortcuts(dataset: Dataset) -> Audit:
    """How well samples can be told apart by what their pictures do not show. Raises SynthharmError."""
    return audit((item.record, item.files["image"].read()) for item in items(dataset)())


def _wrong_records(dataset: Dataset) -> Iterator[str]:
    samples, last = 0, -1
    try:
        for record in records(dataset):
            samples += 1
            if record.sample <= last:
                yield f"sample {record.sample}: comes after sample {last}"
            last = record.sample
            try:
                yield from (f"sample {record.sample}: {line}" for line in _wrong_sample(dataset.folder, record))
            except (LookupError, TypeError, AttributeError, ValueError) as error:
                yield f"sample {record.sample}: its record is not as a record is: {error!r}"
    except SynthharmError as error:
        yield str(error)


def _wrong_sample(folder: Path, record: SplicingRecord) -> Iterator[str]:
    if record.kind not in KINDS:
        yield f"kind is {record.kind!r}; accepted are {', '.join(KINDS)}"
    labels: dict[str, Label] = {}
    for role, file in record.files.items():
        try:
            data = (folder / file["path"]).read_bytes()
            decoded = decode_image(data)
        except (OSError, ValueError) as error:
            yield f"{file['path']}: {error}"
            return
        if (len(data), sha256(data)) != (file["bytes"], file["sha256"]):
            yield f"{file['path']}: is not the file that the record describes"
        if role == "image":
            save = msgspec.convert(record.history[-1], Save)
            size = (int(record.image["height"]), int(record.image["width"]))
            yield from (f"{file['path']}: {line}" for line in disagreements(data, save, size))
        elif decoded.ndim != 2 or decoded.dtype != np.uint8:
            yield f"{file['path']}: is not an 8-bit grey label"
            return
        else:
            labels[role] = decoded
    yield from _wrong_labels(record, labels)


def _wrong_labels(record: SplicingRecord, labels: dict[str, Label]) -> Iterator[str]:
    needed = {"mask", "alpha", "boundary", "regions"} if record.manipulated else set[str]()
    found = {role for role in labels if not role.startswith("source_")}
    if found != needed:
        yield f"has the labels {sorted(found)}; {sorted(needed)} are expected of {record.kind}"
        return
    if not record.manipulated:
        if record.regions or record.edits or labels:
            yield "is authentic, and has regions, edits or labels"
        return
    size = (int(record.image["height"]), int(record.image["width"]))
    if wrong := [role for role in sorted(needed) if labels[role].shape != size]:
        yield f"{wrong[0]}: is {labels[wrong[0]].shape}; {size} (height, width) is the image's"
        return
    mask, ids = labels["mask"], labels["regions"]
    if not np.isin(mask, (0, 255)).all():
        yield "mask: has values other than 0 and 255"
    if ((mask > 0) != (ids > 0)).any():
        yield "mask: is not where the regions are"
    if int(np.count_nonzero(mask)) != record.image["area"]:
        yield f"mask: covers {np.count_nonzero(mask)} pixels; {record.image['area']} recorded"
    band = np.where(boundary_band(mask, record.image["boundary"]), np.uint8(255), np.uint8(0))
    if not np.array_equal(band, labels["boundary"]):
        yield "boundary: is not the band around the mask's edge"
    if {int(number) for number in np.unique(ids)} - {0} != {region["id"] for region in record.regions}:
        yield f"regions: are {sorted(set(np.unique(ids).tolist()) - {0})} in the map, and others in the record"
    for region in record.regions:
        yield from _wrong_region(region, ids)
    if record.measured["outside"]:
        yield f"was composed with changes of {record.measured['outside']} levels outside the mask"


def _wrong_region(region: dict[str, Any], ids: Label) -> Iterator[str]:
    inside = ids == region["id"]
    if int(np.count_nonzero(inside)) != region["area"]:
        yield f"region {region['id']}: covers {np.count_nonzero(inside)} pixels; {region['area']} recorded"


def _wrong_format(folder: Path, dataset: Dataset) -> Iterator[str]:
    """Whether a format has the same samples with the same bytes, and its own checksums hold."""
    from synthharm.generate.check import wrong_sums

    place = f"{FORMATS}/{folder.name}"
    yield from (f"{place}/{line}" for line in wrong_sums(folder, SUMS, ()))
    try:
        theirs = find_format(detect_format(folder), folder).read(folder)
        for record in records(dataset):
            item = next(theirs, None)
            if item is None or item.record != record:
                yield f"{place}: sample {record.sample} is missing, or has another record"
                return
            for role, file in record.files.items():
                if sha256(item.files[role].read()) != file["sha256"]:
                    yield f"{place}: sample {record.sample}: {role} is not the dataset's"
        if next(theirs, None) is not None:
            yield f"{place}: has more samples than the dataset"
    except SynthharmError as error:
        yield f"{place}: {error}"
