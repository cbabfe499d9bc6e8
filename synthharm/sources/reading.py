"""Reading what an index lists, as long as it is still what was listed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError, Unusable
from synthharm.masks import binarize, check_mask
from synthharm.sources.entries import Photo, Source
from synthharm.sources.index import Index
from synthharm.sources.measure import of_region

_REMEDY = "put it back and run the same command again, or generate into a new folder"


def read_listed(source: Source, index: Index, number: int) -> Photo:
    """Read photo `number` of an index, if its file is still the one that was listed.

    Raises:
        SynthharmError: another file is in its place, or it was there when it was listed and is missing now.
        Unusable: it cannot be decoded, or was missing when it was listed.
    """
    entry = index.photo(number)
    with _as_listed(source, entry.key, index.photo_stamp(number)):
        return source.read_photo(entry)


def read_listed_mask(source: Source, index: Index, number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Read the mask of region `number` of an index, uint8 (H, W) of `size`, as `read_listed` reads its photo.

    Raises:
        SynthharmError: another file is in its place, or it was there when it was listed and is missing now.
        Unusable: it cannot be used, or was missing when it was listed.
    """
    region = index.region(number)
    photo = index.photo(region.photo)
    if not source.mask_files:
        return source.read_mask(photo, region, size)
    with _as_listed(source, region.mask, index.mask_stamp(number)):
        return source.read_mask(photo, region, size)


@contextmanager
def _as_listed(source: Source, file: str, listed: str) -> Iterator[None]:
    """Read a file in the block, if it is what was listed: its stamp then, empty where it had none."""
    found = source.stamp(file) if listed else None
    if listed and found is None:
        raise _gone(file, "is missing now")
    if found is not None and found != listed:
        raise changed_file(file, listed, found)
    try:
        yield
    except Unusable as error:
        if listed and error.reason == "missing":
            raise _gone(file, f"is missing now: {error.detail}") from error
        raise
    if not listed and source.stamp(file) is not None:
        raise SynthharmError(
            f"source: {file} was missing when it was listed and is there now; generate into a new folder"
        )


def changed_file(file: str, was: str, now: str) -> SynthharmError:
    """What stops a run where a photo or mask is not the one that was listed."""
    return SynthharmError(f"source: {file} has changed since it was listed (was {was}, is {now}); {_REMEDY}")


def _gone(file: str, how: str) -> SynthharmError:
    return SynthharmError(f"source: {file} was there when it was listed and {how}; {_REMEDY}")


def load_region(source: Source, index: Index, number: int, *, soft: bool) -> tuple[Photo, NDArray[np.uint8]]:
    """Read a region's photo, and its mask as uint8 (H, W): 0 or 255, or 0..255 where `soft`.

    Raises:
        Unusable: under the photo's key, with the region's id in the detail, whatever is wrong with either.
        SynthharmError: a file is not the one that was listed.
    """
    region = index.region(number)
    entry = index.photo(region.photo)
    try:
        photo = read_listed(source, index, region.photo)
        size = photo.pixels.shape[0], photo.pixels.shape[1]
        mask = read_listed_mask(source, index, number, size)
        check_mask(mask, size, entry.key)
    except Unusable as error:
        raise of_region(error, entry, region) from error
    return photo, mask if soft else binarize(mask)
