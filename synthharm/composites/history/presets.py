"""What social networks are reported to do to a picture: a largest size, and a JPEG of some quality.

None of them publishes it, all of them change it, and what is found depends on app, year and upload. The values
here are approximate, as studies of shared pictures and the source code of open clients report them. How they
resample is not known for certain; area is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from synthharm.composites.history.run import SHORTEST
from synthharm.composites.history.steps import Jpeg, Resize, Step, Subsampling


@dataclass(frozen=True)
class Preset:
    """What a network does.

    Args:
        long_side: the largest that it leaves, in pixels.
        qualities: the lowest and highest JPEG quality, of libjpeg's tables.
        subsampling: of the colour.
    """

    long_side: int
    qualities: tuple[int, int]
    subsampling: Subsampling = "4:2:0"


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        # As reported: 2048 pixels for uploads in high quality, and a quality that depends on the picture.
        "facebook": Preset(2048, (71, 85)),
        # As reported in studies up to the middle of the 2010s: 960 pixels for uploads in usual quality.
        "facebook_960": Preset(960, (71, 85)),
        # As reported: 1080 pixels wide; here it is the long side, so an upright picture comes out smaller.
        "instagram": Preset(1080, (70, 80)),
        # As in the open source of its clients: 1280 pixels, quality 87.
        "telegram": Preset(1280, (87, 87)),
        # As reported for the rendition called large, which is what is seen: 2048 pixels, quality 85.
        "twitter": Preset(2048, (85, 85)),
        # As reported: 1600 pixels, in the quality that is not called HD.
        "whatsapp": Preset(1600, (70, 75)),
    }
)


def preset_steps(name: str, size: tuple[int, int], uniform: float) -> list[Step]:
    """The steps of a preset for a picture: a resize where it is larger, then a JPEG.

    Args:
        name: one of PRESETS.
        size: (H, W) of the picture, in pixels.
        uniform: in [0, 1): which of the preset's qualities, each as likely as the others.

    Raises:
        ValueError: an unknown name, or another size or `uniform`.

    Example:
        >>> resize, jpeg = preset_steps("telegram", (2000, 2560), 0.5)
        >>> (resize.width, resize.height), (jpeg.quality, jpeg.subsampling, jpeg.name)
        ((1280, 1000), (87, '4:2:0', 'telegram'))
        >>> len(preset_steps("telegram", (640, 480), 0.5))
        1
    """
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}; accepted are {', '.join(PRESETS)}")
    if min(size) < SHORTEST:
        raise ValueError(
            f"the picture has {size[1]} x {size[0]} pixels; sides of {SHORTEST} and more are accepted"
        )
    if not 0 <= uniform < 1:
        raise ValueError(f"uniform is {uniform}; a number from 0 on and below 1 is accepted")
    preset, steps = PRESETS[name], list[Step]()
    if max(size) > preset.long_side:
        height, width = (max(SHORTEST, round(side * preset.long_side / max(size))) for side in size)
        steps.append(Resize(width, height))
    low, high = preset.qualities
    quality = low + int(uniform * (high - low + 1))
    return [*steps, Jpeg(quality=quality, subsampling=preset.subsampling, name=name)]
