"""What is done to a photo, as plain values: enough to do it again."""

from __future__ import annotations

from typing import Literal

import msgspec

Blending = Literal["alpha", "poisson", "mixed", "multiband"]
Inpainting = Literal["telea", "navier_stokes"]


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A region of a photo, as its source has it.

    Args:
        photo: which of the sample's photos it is in: 0 is the target.
        id: in its photo.
        mask: what the source finds the mask by.
        category: or none.
    """

    photo: int
    id: str
    mask: str
    category: str | None = None


class Cut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a region is cut out of its photo.

    Args:
        alpha: "mask" as it is, or "matte": alpha and foreground colours estimated at the rim (closed-form matting,
            multi-level foreground estimation).
        erosion: how far the rim moves inwards, in pixels of the photo.
        feather: how wide the rim is softened after placing, in pixels of the target.
    """

    alpha: Literal["mask", "matte"] = "matte"
    erosion: float = 0.0
    feather: float = 0.0


class Placement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a region goes: it is mirrored, scaled, turned, and its box's centre moved to (x, y).

    Args:
        x: of the centre in the target, in pixels: the middle of the first pixel is 0.5.
        y: the same downwards.
        scale: 1 keeps the region's size in pixels.
        rotation: degrees, anticlockwise as seen.
        flip: whether left and right are exchanged first.
    """

    x: float
    y: float
    scale: float = 1.0
    rotation: float = 0.0
    flip: bool = False


class Colour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is done to a region's colours where it stands.

    Args:
        mode: "as_is"; "chain": filters undone with drawn arguments; "reference": undone with arguments fitted to
            what surrounds it; "harmonizer": applied with predicted arguments; "reinhard": means and deviations
            of what surrounds it.
        filters: of the chain; empty for as_is and reinhard.
        statistics: what the means in the filters are taken over.
        arguments: by column.
        strength: how far reference and reinhard go from the region's own colours (0) to what surrounds it (1).
    """

    mode: Literal["as_is", "chain", "reference", "harmonizer", "reinhard"] = "as_is"
    filters: tuple[str, ...] = ()
    statistics: Literal["image", "foreground"] = "image"
    arguments: dict[str, float] = {}
    strength: float = 1.0


class Paste(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="edit", tag="paste"):
    """A region onto the target, from another photo or from the target itself."""

    region: Region
    cut: Cut
    placement: Placement
    blending: Blending = "alpha"
    colour: Colour = Colour()


class Retouch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="edit", tag="retouch"):
    """A region of the target, its colours changed where it stands; feather in pixels."""

    region: Region
    colour: Colour
    feather: float = 0.0


class Removal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="edit", tag="removal"):
    """A region of the target filled in from around it.

    Args:
        region: what goes.
        dilation: how far the filled area goes beyond it, in pixels.
        method: of OpenCV's inpainting.
        radius: of the neighbourhood that it looks at, in pixels.
    """

    region: Region
    dilation: int = 4
    method: Inpainting = "telea"
    radius: int = 5


Edit = Paste | Retouch | Removal
