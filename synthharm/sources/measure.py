"""Listing with a measure: masks and the heads of photos are opened, so that sizes and shares are known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import Unusable
from synthharm.imagefile import image_size
from synthharm.masks import THRESHOLD, check_mask
from synthharm.sources.entries import Entry, PhotoEntry, RegionEntry, Reject
from synthharm.sources.photo import open_head


class MaskReader(Protocol):
    def read_mask(self, photo: PhotoEntry, region: RegionEntry, size: tuple[int, int]) -> NDArray[np.uint8]: ...


def reject(error: Unusable) -> Reject:
    """An Unusable as the line of a listing."""
    return Reject(error.name, error.reason, error.detail)


def of_region(error: Unusable, photo: PhotoEntry, region: RegionEntry) -> Unusable:
    """The same error under the photo's key, with the region, and the file if that is another, in its detail."""
    where = f"region {region.id}: " + ("" if error.name == photo.key else f"{error.name}: ")
    return Unusable(photo.key, error.reason, where + error.detail)


def measure_photo(photo: PhotoEntry, file: IO[bytes], max_pixels: int) -> PhotoEntry:
    """The entry with the size its open file has once upright. Raises Unusable."""
    height, width = image_size(file, photo.key, max_pixels=max_pixels)
    return replace(photo, width=width, height=height)


def measure_file(photo: PhotoEntry, root: Path, max_pixels: int) -> PhotoEntry:
    """The entry with the size its file below `root` has once upright. Raises Unusable."""
    with open_head(root, photo.key) as file:
        return measure_photo(photo, file, max_pixels)


def measure_regions(
    reader: MaskReader, photo: PhotoEntry, regions: Iterable[RegionEntry]
) -> Iterator[RegionEntry | Reject]:
    """The regions of a measured photo with the share of it that each covers, a Reject for each unusable mask."""
    assert photo.width is not None
    assert photo.height is not None
    size = (photo.height, photo.width)
    for region in regions:
        try:
            mask = reader.read_mask(photo, region, size)
            check_mask(mask, size, photo.key)
        except Unusable as error:
            yield reject(of_region(error, photo, region))
        else:
            yield replace(region, share=float(np.count_nonzero(mask >= THRESHOLD) / mask.size))


def list_files(
    reader: MaskReader,
    root: Path,
    pairs: Iterable[tuple[PhotoEntry, list[tuple[str, str]]] | Reject],
    measure: bool,
    max_pixels: int,
) -> Iterator[Entry]:
    """The entries of photo files below `root`, each given with its masks as (region id, mask path)."""
    number = 0
    for pair in pairs:
        if isinstance(pair, Reject):
            yield pair
            continue
        photo, masks = pair
        regions = [RegionEntry(number, id, mask) for id, mask in masks]
        if measure:
            try:
                photo = measure_file(photo, root, max_pixels)
            except Unusable as error:
                yield reject(error)
                continue
        yield photo
        number += 1
        yield from measure_regions(reader, photo, regions) if measure else regions
