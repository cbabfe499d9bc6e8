"""The nouns of this room: what an index lists before any image is opened, and what reading an entry gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

REASONS = (
    "missing",  # the file is not there
    "outside",  # the path leads out of the declared data folder
    "not an image",  # no decoder knows it
    "truncated",  # the file breaks off or its data is corrupt
    "too large",  # more pixels than allowed: an image bomb
    "pixel type",  # an image, but of numbers that are no photo (float, 32-bit)
    "no mask",  # a photo without a mask
    "no photo",  # a mask or annotation without its photo
    "mask size",  # mask and photo differ in size
    "empty mask",  # no foreground
    "bad mask",  # a mask that cannot be decoded or is ambiguous
    "bad entry",  # a line of an index that does not say what it must
    "no region",  # a sample for which every region tried was rejected
    "unchanged",  # no arguments change the region without losing it
    "unrecoverable",  # no arguments can be undone on it
    "no reference",  # no other colours to fit it to
    "not composed",  # an edit that its region does not allow
    "licence",  # a licence that the recipe does not accept
    "not a JPEG",  # among the photos that cameras' tables are collected from, like the four below
    "tables",  # quantization tables that cannot be taken over
    "subsampling",  # one that no recipe names
    "no camera",  # nothing says which one
    "saved again",  # by something else than a camera
)


@dataclass(frozen=True)
class Photo:
    """A decoded photo: pixels uint8 RGB (H, W, 3), upright and in sRGB, and where they came from."""

    pixels: NDArray[np.uint8]
    key: str
    sha256: str
    licence: str | None = None
    attribution: str | None = None
    encoding: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PhotoEntry:
    """A photo that a source knows of. `key` is unique in its source; a file's is its path from the data root."""

    key: str
    width: int | None = None
    height: int | None = None
    licence: str | None = None
    attribution: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class RegionEntry:
    """A region of a listed photo. `photo` counts the source's PhotoEntry items from 0 in the order they came.

    `mask` is whatever the source's `read_mask` needs to find the mask again (a path, a segmentation as JSON);
    `share` is the region's share of the photo's area, in 0..1, where it is known without decoding.
    """

    photo: int
    id: str
    mask: str
    category: str | None = None
    share: float | None = None


@dataclass(frozen=True)
class Reject:
    """What could not be used: its name, one of `REASONS`, and what exactly was found."""

    name: str
    reason: str
    detail: str


Entry = PhotoEntry | RegionEntry | Reject


class Source(Protocol):
    """Where photos with regions come from. Sources are frozen and picklable: every worker has its own.

    Attributes:
        mask_files: whether a region's `mask` is a file's path from the data root.
    """

    mask_files: ClassVar[bool]

    def entries(self, measure: bool) -> Iterator[Entry]:
        """List everything, each photo before its regions, opening no image.

        With `measure`, whatever is needed to know each photo's size and each region's share is opened as well.
        """
        ...

    def read_photo(self, photo: PhotoEntry) -> Photo:
        """Decode a photo. Raises Unusable."""
        ...

    def read_mask(self, photo: PhotoEntry, region: RegionEntry, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Decode a region's mask, uint8 (H, W), 0..255, of exactly `size` = (H, W). Raises Unusable."""
        ...

    def stamps(self) -> Mapping[str, str] | None:
        """By photo key or mask file, what tells cheaply whether the file is still the one that was there.

        That is size and time of change, or the service's mark. None where nothing does.
        """
        ...

    def stamp(self, file: str) -> str | None:
        """The stamp of a photo by its key, or of a mask file, as it is now; None where it is not there."""
        ...

    def signature(self, measure: bool) -> str | None:
        """sha256 in hex of all that a listing depends on; None where it cannot be told cheaply.

        That is the content of annotations and lists, and the names and stamps of all photos and mask files.
        """
        ...
