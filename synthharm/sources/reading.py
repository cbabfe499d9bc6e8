"""Reading what an index lists, as long as it is still what was listed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError, Unusable
from synthharm.masks import binarize, check_mask
from synthharm.sources.entries import Photo, PhotoEntry, RegionEntry, Source
from synthharm.sources.index import Index
from synthharm.sources.measure import of_region

_REMEDY = "put it back and run the same command again, or generate into a new folder"


def read_listed(source: Source, index: Index, number: int) -> Photo:
    """Read photo `number` of an index, if its file is still the one that was listed.

    Raises:
        SynthharmError: another file is in its place, or it was there when it was listed and is missing now.
        Unusable: it cannot be decoded, or was missing when it was listed.
    """
    entry, listed = index.photo(number), index.stamp(number)
    if listed:
        found = source.stamp(entry)
        if found is None:
            raise _gone(entry.key, "is missing now")
        if found != listed:
            raise changed_photo(entry.key, listed, found)
    try:
        return source.read_photo(entry)
    except Unusable as error:
        if listed and error.reason == "missing":
            raise _gone(entry.key, f"is missing now: {error.detail}") from error
        raise


def read_listed_mask(
    source: Source, photo: PhotoEntry, region: RegionEntry, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Read the mask of a listed region, uint8 (H, W) of `size`.

    Raises:
        SynthharmError: its file was there when it was listed and is missing now.
        Unusable: it cannot be used.
    """
    try:
        return source.read_mask(photo, region, size)
    except Unusable as error:
        if error.reason == "missing" and source.found_mask(region):
            raise _gone(region.mask, f"is missing now: {error.detail}") from error
        raise


def changed_photo(key: str, was: str, now: str) -> SynthharmError:
    """What stops a run where a photo is not the one that was listed."""
    return SynthharmError(f"source: {key} has changed since it was listed (was {was}, is {now}); {_REMEDY}")


def _gone(key: str, how: str) -> SynthharmError:
    return SynthharmError(f"source: {key} was there when it was listed and {how}; {_REMEDY}")


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
        mask = read_listed_mask(source, entry, region, size)
        check_mask(mask, size, entry.key)
    except Unusable as error:
        raise of_region(error, entry, region) from error
    return photo, mask if soft else binarize(mask)
