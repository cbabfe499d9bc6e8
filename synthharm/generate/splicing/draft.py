"""A sample in the making: its photos, and what was done to the first of them so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation import Composed, Edit, compose_one
from synthharm.errors import Unusable
from synthharm.sources import Photo

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Draft:
    """Photos and edits, and what they come to.

    Args:
        photos: the target first.
        numbers: of the photos in the index.
        masks: of each edit's region, in its photo.
        edits: what was done.
        done: what it came to.
    """

    photos: tuple[Photo, ...]
    numbers: tuple[int, ...]
    masks: tuple[Mask, ...]
    edits: tuple[Edit, ...]
    done: Composed

    @classmethod
    def of(cls, photo: Photo, number: int) -> Draft:
        """A photo to which nothing was done."""
        return cls((photo,), (number,), (), (), Composed.untouched(photo.pixels))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the target."""
        return self.done.image.shape[0], self.done.image.shape[1]

    @property
    def share(self) -> float:
        """What share of the target something was done to."""
        return float(np.count_nonzero(self.done.regions) / self.done.regions.size)

    def with_photo(self, photo: Photo, number: int) -> tuple[Draft, int]:
        """With one more photo, if it is not among them; and its place."""
        if number in self.numbers:
            return self, self.numbers.index(number)
        return replace(self, photos=(*self.photos, photo), numbers=(*self.numbers, number)), len(self.photos)

    def with_edit(self, edit: Edit, mask: Mask, done: Composed | None = None) -> Draft:
        """With one more edit.

        Args:
            edit: what is done.
            mask: of its region, in its photo.
            done: what it comes to, where that is known.

        Raises:
            Unusable: it cannot be done.
        """
        if done is None:
            photo = self.photos[edit.region.photo]
            try:
                done = compose_one(self.done, len(self.edits) + 1, photo.pixels, mask, edit)
            except ValueError as error:
                detail = f"region {edit.region.id}: {error}"
                raise Unusable(photo.key, "not composed", detail) from error
        return replace(self, masks=(*self.masks, mask), edits=(*self.edits, edit), done=done)
