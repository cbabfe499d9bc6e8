"""What happens to a picture after it was composed, as plain values: enough to do it again."""

from __future__ import annotations

from typing import Literal

import msgspec

Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
Interpolation = Literal["area", "linear", "cubic", "lanczos"]


class Resize(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="resize"):
    """To another size in pixels."""

    width: int
    height: int
    interpolation: Interpolation = "area"


class Crop(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="crop"):
    """To a part of it, in pixels. Where left or top is no multiple of 8, JPEG's grid shifts."""

    left: int
    top: int
    width: int
    height: int


class Jpeg(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="jpeg"):
    """Saved as JPEG and read back, by quality (1 to 100, libjpeg's tables) or by tables.

    Args:
        quality: or None where tables are given.
        tables: luminance and chrominance, 64 numbers each in rows of the block (not zigzag), 1 to 255.
        subsampling: of the colour.
        name: whose tables they are: a camera, or a preset.
    """

    quality: int | None = None
    tables: tuple[tuple[int, ...], ...] | None = None
    subsampling: Subsampling = "4:2:0"
    name: str | None = None


class Png(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="png"):
    """Saved as 8-bit PNG: nothing changes."""

    compression: int = 1


class Webp(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="webp"):
    """Saved as lossy WebP and read back."""

    quality: int


class Noise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="noise"):
    """Gaussian noise of `sigma` levels on 0..255, the same draw wherever it is run."""

    sigma: float
    seed: int


class Blur(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="blur"):
    """A Gaussian of `sigma` pixels."""

    sigma: float


class Filters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="step", tag="filters"):
    """White-box filters applied to the whole picture, arguments by column."""

    filters: tuple[str, ...]
    arguments: dict[str, float]


Step = Resize | Crop | Jpeg | Png | Webp | Noise | Blur | Filters
Save = Jpeg | Png | Webp
