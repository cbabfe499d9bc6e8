"""Datasets in formats of folders, for the tests of those."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from forensic_items import about, items

from synthharm.writers.forensics.catnet import CatNetFormat
from synthharm.writers.forensics.coco import CocoFormat
from synthharm.writers.forensics.folder import FolderFormat
from synthharm.writers.forensics.imagefolder import ImageFolderFormat
from synthharm.writers.forensics.imdlbenco import ImdlBencoFormat
from synthharm.writers.forensics.item import Format, Item
from synthharm.writers.forensics.mmsegmentation import MMSegmentationFormat

FORMATS: list[Format] = [
    FolderFormat(),
    ImdlBencoFormat(),
    CocoFormat(),
    CatNetFormat(),
    MMSegmentationFormat(),
    ImageFolderFormat(),
]
every_format = pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)


def write(form: Format, folder: Path, samples: Sequence[Item] | None = None) -> Path:
    """Write a dataset, from files beside it where none are given."""
    if samples is None:
        samples = items(folder=folder.with_name(f"{folder.name} from"))
    folder.mkdir()
    form.write(lambda: iter(samples), folder, about())
    return folder


@cache
def once(form: Format, base: Path) -> Path:
    """A dataset that is written once for all tests that only read it."""
    return write(form, base / f"forensic {form.name}")


def copy(form: Format, base: Path, folder: Path) -> Path:
    """Links to the files of such a dataset: a file is replaced and never changed."""
    shutil.copytree(once(form, base), folder, copy_function=os.link)
    return folder
