"""Running edits: photos and regions in, the picture and its labels out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation.blending import blend
from synthharm.composites.manipulation.colouring import recolour
from synthharm.composites.manipulation.cutting import cut_out
from synthharm.composites.manipulation.edits import Colour, Edit, Paste, Removal, Retouch
from synthharm.composites.manipulation.placing import full_alpha, outside_share, place
from synthharm.composites.manipulation.removing import remove
from synthharm.masks import feather

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Layered:
    """A picture with one more region in it.

    Args:
        image: RGB (H, W, 3).
        alpha: (H, W), 0..255: how much of each pixel is the region.
        source: (h, w), 0 or 255: where it was cut out of its photo; None where it was not.
        outside: the share of it that lies off the picture, 0 to 1.
    """

    image: Image
    alpha: Mask
    source: Mask | None = None
    outside: float = 0.0

    def recoloured(self, colour: Colour) -> Layered:
        """The same in other colours. Raises ValueError as `recolour` does."""
        return replace(self, image=recolour(self.image, self.alpha, colour))


@dataclass(frozen=True)
class Composed:
    """A picture with its labels, all of one size.

    Args:
        image: RGB (H, W, 3).
        alpha: (H, W), 0..255: how much of each pixel is not the target's. Where it is 0, the image is the target.
        regions: (H, W): which edit a pixel belongs to, from 1; 0 where nothing was done.
        sources: by edit, where a pasted region was cut out: (h, w) of its photo, 0 or 255.
    """

    image: Image
    alpha: Mask
    regions: Mask
    sources: dict[int, Mask]

    @property
    def mask(self) -> Mask:
        """(H, W), 0 or 255: where anything was done."""
        return np.where(self.regions > 0, np.uint8(255), np.uint8(0))

    @classmethod
    def untouched(cls, target: Image) -> Composed:
        """A photo to which nothing was done yet."""
        nothing = np.zeros(target.shape[:2], np.uint8)
        return cls(target, nothing, nothing.copy(), {})

    def with_layer(self, number: int, layer: Layered) -> Composed:
        """The picture that a layer is in, which belongs to edit `number` from now on."""
        regions = np.where(layer.alpha > 0, np.uint8(number), self.regions)
        sources = self.sources if layer.source is None else self.sources | {number: layer.source}
        return Composed(layer.image, np.maximum(self.alpha, layer.alpha), regions, sources)


def compose(photos: Sequence[Image], masks: Sequence[Mask], edits: Sequence[Edit]) -> Composed:
    """Run edits on the first photo, in order.

    Args:
        photos: RGB (H, W, 3), the target first.
        masks: for each edit its region's, of that region's photo, 0 or 255.
        edits: what is done.

    Raises:
        ValueError: an edit that cannot be run: its region lies off the picture, nothing of it is left, its colours
            have no solution.

    Example:
        >>> from synthharm.composites.manipulation.edits import Region
        >>> target, mask = np.full((32, 32, 3), 90, np.uint8), np.zeros((32, 32), np.uint8)
        >>> mask[12:16, 12:16] = 255
        >>> done = compose([target], [mask], [Removal(Region(0, "1", "a.png"), dilation=0)])
        >>> int((done.mask > 0).sum()), bool((done.image == target)[done.mask == 0].all())
        (16, True)
    """
    done = Composed.untouched(photos[0])
    for number, (edit, mask) in enumerate(zip(edits, masks, strict=True), 1):
        done = compose_one(done, number, photos[edit.region.photo], mask, edit)
    return done


def compose_one(done: Composed, number: int, photo: Image, mask: Mask, edit: Edit) -> Composed:
    """Run edit `number` on a picture: `photo` is what its region, with its mask, is in. Errors as in `compose`."""
    if isinstance(edit, Removal):
        image, alpha = remove(done.image, mask, edit.dilation, edit.method, edit.radius)
        return done.with_layer(number, Layered(image, alpha))
    if isinstance(edit, Retouch):
        alpha = feather(mask, edit.feather) if edit.feather else mask
        return done.with_layer(number, Layered(recolour(done.image, alpha, edit.colour), alpha))
    return done.with_layer(number, paste(done.image, photo, mask, edit).recoloured(edit.colour))


def paste(target: Image, photo: Image, mask: Mask, edit: Paste) -> Layered:
    """Paste a region in its own colours. Raises ValueError where nothing of it is left in the picture."""
    size = (target.shape[0], target.shape[1])
    cutout = cut_out(photo, mask, edit.cut)
    layer = place(cutout, edit.placement, size, edit.cut.feather)
    source = np.zeros(photo.shape[:2], np.uint8)
    height, width = cutout.alpha.shape
    window = source[cutout.top : cutout.top + height, cutout.left : cutout.left + width]
    window[cutout.alpha > 0] = 255
    outside = outside_share(cutout, edit.placement, size)
    return Layered(blend(target, layer, edit.blending), full_alpha(layer, size), source, outside)
