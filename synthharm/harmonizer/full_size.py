"""Harmonizing at an image's own size in little memory: arguments predicted from few of its pixels, then applied.

A 33-megapixel image (8K) as float32 has 400 MB, and as many again for every intermediate result. So the network's
input is gathered from the bytes it is made of, and the filters run over runs of pixels, or compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synthharm.errors import SynthharmError
from synthharm.filters import FilterChain
from synthharm.filters.checks import check_values
from synthharm.harmonizer.devices import find_device
from synthharm.harmonizer.network import Harmonizer
from synthharm.harmonizer.tiles import MOST_PIXELS, Image, Mask, Tiles

TILE_PIXELS = 1 << 22
CPU_PIXELS = 1 << 16  # in a tile on the CPU: what its caches hold


@dataclass(frozen=True)
class Harmonized:
    """An image as it was harmonized, and with what.

    Args:
        image: RGB (H, W, 3) uint8.
        arguments: those it was harmonized with, by name: the predicted ones with the edits.
        predicted: those the network predicted, clamped to what the filters accept.
    """

    image: Image
    arguments: dict[str, float]
    predicted: dict[str, float]


def harmonize_image(
    harmonizer: Harmonizer,
    composite: Image,
    mask: Mask,
    edits: Mapping[str, float] | None = None,
    *,
    tile_pixels: int = TILE_PIXELS,
) -> Harmonized:
    """Predict a composite's arguments, change some by hand, and apply them at its own size.

    Works on the device that the network is on.

    Args:
        harmonizer: the network, in evaluation mode.
        composite: RGB (H, W, 3) uint8.
        mask: (H, W) uint8, 255 = foreground, between at soft edges.
        edits: arguments by name that take the place of what was predicted.
        tile_pixels: see `apply_in_tiles`.

    Raises:
        ValueError: composites, masks or edits other than these.
        SynthharmError: the network predicts what is not a number.

    Example:
        >>> from synthharm.harmonizer import HarmonizerConfig
        >>> config = HarmonizerConfig("mobilenetv3_small_050", ("brightness", "contrast"), size=64)
        >>> composite, mask = np.full((40, 60, 3), 100, np.uint8), np.zeros((40, 60), np.uint8)
        >>> mask[10:30, 20:40] = 255
        >>> edits = {"brightness": -0.5, "contrast": 0.0}
        >>> harmonized = harmonize_image(Harmonizer(config).eval(), composite, mask, edits)
        >>> harmonized.image[20, 18:22, 0], harmonized.arguments
        (array([100, 100,  50,  50], dtype=uint8), {'brightness': -0.5, 'contrast': 0.0})
    """
    chain = harmonizer.chain
    edits = check_edits(chain, edits)
    predicted = name_arguments(chain, predict(harmonizer, composite, mask))
    arguments = {**predicted, **edits}
    device = str(harmonizer.neutral.device)
    image = apply_in_tiles(chain, composite, mask, arguments, device=device, tile_pixels=tile_pixels)
    return Harmonized(image, arguments, predicted)


def check_edits(chain: FilterChain, edits: Mapping[str, float] | None) -> dict[str, float]:
    """The edits as plain numbers.

    Raises:
        ValueError: names that the chain does not have, or values that its filters do not accept; all are listed.

    Example:
        >>> check_edits(FilterChain(["brightness", "contrast"]), {"brightnes": 0.1, "contrast": 7})
        Traceback (most recent call last):
        ValueError: contrast is 7; brightnes is no argument; accepted are brightness from -1 to 1, contrast ...
    """
    given = dict(edits or {})
    accepted = dict(zip(chain.columns, chain.parameters, strict=True))
    wrong = [
        f"{name} is {given[name]}"
        for name, p in accepted.items()
        if name in given and not p.low <= given[name] <= p.high
    ]
    wrong += [f"{name} is no argument" for name in given if name not in accepted]
    if wrong:
        ranges = ", ".join(f"{name} from {p.low:g} to {p.high:g}" for name, p in accepted.items())
        raise ValueError(f"{'; '.join(wrong)}; accepted are {ranges}")
    return {name: float(value) for name, value in given.items()}


def name_arguments(chain: FilterChain, arguments: Tensor) -> dict[str, float]:
    """Arguments (K,) by name, each within what its filter accepts in double precision too."""
    named = zip(chain.columns, chain.parameters, arguments.tolist(), strict=True)
    return {name: min(max(value, p.low), p.high) for name, p, value in named}


def predict(harmonizer: Harmonizer, composite: Image, mask: Mask) -> Tensor:
    """Predict a composite's arguments without making floats of the whole of it.

    The network sees composites at a small size, to which they are resized bilinearly: each pixel that it sees
    comes from four. Only these are read. On the CPU the arguments are those of `Harmonizer.harmonize` to 2e-6;
    other devices convolve with fewer digits (TF32 on CUDA), and there they are those of the CPU to about 1e-3.

    Args:
        harmonizer: the network, in evaluation mode, on any device.
        composite: RGB (H, W, 3) uint8.
        mask: (H, W) uint8, 255 = foreground, between at soft edges.

    Returns:
        (K,) float32 on the CPU in the order of `chain.columns`, clamped to what the filters accept.

    Raises:
        ValueError: another shape or type, an empty mask, or a network in training mode.
        SynthharmError: the network predicts what is not a number.
    """
    check_scene(composite, mask)
    if harmonizer.training:
        raise ValueError("the harmonizer is in training mode; one in evaluation mode (eval()) is accepted")
    size, like = harmonizer.config.size, next(harmonizer.parameters())
    seen = torch.cat([_resize(composite, size, like.dtype), _resize(mask[..., None], size, like.dtype)], dim=1)
    seen = seen.to(like.device)
    with torch.no_grad():
        offsets = harmonizer(seen[:, :3], seen[:, 3:])[0]
    wrong = [n for n, ok in zip(harmonizer.chain.columns, offsets.isfinite().tolist(), strict=True) if not ok]
    if wrong:
        raise SynthharmError(
            f"the network predicts no finite number for {', '.join(wrong)}: its weights are damaged, or overflow"
        )
    return torch.clamp(offsets, harmonizer.low, harmonizer.high).float().cpu()


def apply_in_tiles(
    chain: FilterChain,
    composite: Image,
    mask: Mask,
    arguments: Tensor | Mapping[str, float],
    *,
    device: str = "cpu",
    tile_pixels: int = TILE_PIXELS,
) -> Image:
    """Harmonize a composite of any size with known arguments.

    What `FilterChain.apply` gives for the whole image in float64, rounded once. The memory taken beside the two
    images does not grow with them. The means that filters need are exact: each costs one more pass, in which sums
    are counted in whole units and depend neither on the tiles nor on the device.

    On the CPU chains run compiled where that is as good (see `runs_compiled`), ten times as fast: in float32 and
    with tables of tones. About one value in 30,000 is then rounded to the level on the other side of a tie.

    Args:
        chain: the filters.
        composite: RGB (H, W, 3) uint8.
        mask: (H, W) uint8, 255 = foreground, between at soft edges.
        arguments: (K,) in the order of `chain.columns`, or by name; those not named are neutral.
        device: "cpu", "cuda", ...; see `find_device`. In float64, and in float32 where a device has no other.
        tile_pixels: how many pixels are worked on at a time, 1 to 2^25.

    Returns:
        RGB (H, W, 3) uint8; outside the mask the very bytes of the composite.

    Raises:
        ValueError: another shape or type, an empty mask, or arguments that the chain does not take.
        SynthharmError: there is no such device.

    Example:
        >>> composite, mask = np.full((4, 4, 3), 100, np.uint8), np.zeros((4, 4), np.uint8)
        >>> mask[1:3, 1:3] = 255
        >>> apply_in_tiles(FilterChain(["brightness"]), composite, mask, {"brightness": -0.5})[1, :, 0]
        array([100,  50,  50, 100], dtype=uint8)
    """
    check_scene(composite, mask)
    if not 1 <= tile_pixels <= MOST_PIXELS:
        raise ValueError(f"tile_pixels is {tile_pixels}; 1 to {MOST_PIXELS} is accepted")
    row, place = _row(chain, arguments), find_device(device)
    if place.type == "cpu" and runs_compiled(chain, row):
        from synthharm.filters.fused import Scene, apply_image

        harmonized: Image = apply_image(chain, Scene(composite, mask), row).astype(np.uint8, copy=False)
        return harmonized
    tile_pixels = min(tile_pixels, CPU_PIXELS) if place.type == "cpu" else tile_pixels
    return Tiles.of(chain, composite, mask, row, place, tile_pixels).harmonize()


def runs_compiled(chain: FilterChain, row: Sequence[float]) -> bool:
    """Whether a chain with arguments (K,) runs compiled on the CPU: in little memory, and rounded rightly.

    Each filter must have a compiled form. Means must follow from histograms: where they are the foreground's, or
    a filter in front of one that needs them mixes channels or goes by positions, every pixel would be held as
    three float64. And arguments must lie within 1.5 spans of neutral: near the ends of what they accept, some
    filters (brightness, saturation) divide by next to nothing, and float32 is off by whole levels.

    Example:
        >>> chain, other = FilterChain(["contrast", "saturation"]), FilterChain(["saturation", "contrast"])
        >>> runs_compiled(chain, [0.1, 0.1]), runs_compiled(chain, [0.1, 0.9]), runs_compiled(other, [0.1, 0.1])
        (True, False, False)
    """
    from synthharm.filters.fused import why_not_compiled

    needing = [i for i, f in enumerate(chain.filters) if f.needs_means]
    before = chain.filters[: needing[-1]] if needing else ()
    if any(f.mixes_channels or f.needs_positions for f in before) or (
        needing and chain.statistics == "foreground"
    ):
        return False
    moderate = all(abs(v - p.neutral) <= 1.5 * p.span for v, p in zip(row, chain.parameters, strict=True))
    return moderate and why_not_compiled(chain) is None


def check_scene(composite: Image, mask: Mask) -> None:
    """Refuse a composite that is not uint8 (H, W, 3), and a mask that is not uint8 (H, W) or marks nothing.

    Raises:
        ValueError: as said.
    """
    if composite.ndim != 3 or composite.shape[2] != 3 or composite.dtype != np.uint8:
        raise ValueError(f"the composite is {composite.dtype} {composite.shape}; uint8 (H, W, 3) is accepted")
    if mask.shape != composite.shape[:2] or mask.dtype != np.uint8:
        raise ValueError(f"the mask is {mask.dtype} {mask.shape}; uint8 {composite.shape[:2]} is accepted")
    if not mask.any():
        raise ValueError("the mask is empty; a foreground of at least one pixel is accepted")


def _row(chain: FilterChain, arguments: Tensor | Mapping[str, float]) -> list[float]:
    if not isinstance(arguments, Tensor):
        values: list[float] = chain.arguments(**arguments).values[0].tolist()
        return values
    if tuple(arguments.shape) != (len(chain.columns),):
        raise ValueError(
            f"arguments have shape {tuple(arguments.shape)}; ({len(chain.columns)},) is accepted: "
            f"{', '.join(chain.columns)}"
        )
    check_values(arguments[None], chain.columns, chain.parameters)
    return list(name_arguments(chain, arguments).values())


def _resize(image: NDArray[np.uint8], size: int, dtype: torch.dtype) -> Tensor:
    """An image (H, W, C) as (1, C, size, size) in [0, 1]: what bilinear resizing of all of it gives."""
    rows, row_weights = _neighbours(image.shape[0], size, dtype)
    columns, column_weights = _neighbours(image.shape[1], size, dtype)
    resized = torch.zeros(size, size, image.shape[2], dtype=dtype)
    for row, row_weight in zip(rows, row_weights, strict=True):
        line = torch.zeros_like(resized)
        for column, weight in zip(columns, column_weights, strict=True):
            levels = torch.from_numpy(image[row[:, None], column[None, :]])
            line += weight[None, :, None] * (levels.to(dtype) / 255)
        resized += row_weight[:, None, None] * line
    return resized.permute(2, 0, 1)[None]


def _neighbours(length: int, size: int, dtype: torch.dtype) -> tuple[list[NDArray[np.int64]], list[Tensor]]:
    """The two places along a side of `length` that each of `size` places is made of, and how much each counts.

    The weights are read off a signal that is 1 at every other place and that torch resizes: they are then torch's
    own, which in single precision are off by up to 1e-3 where the side is long.
    """
    middles = (np.arange(size) + 0.5) * (length / size) - 0.5
    first = np.floor(middles.clip(0, length - 1)).astype(np.int64)
    odd = (torch.arange(length) % 2).to(dtype)
    signals = torch.stack([1 - odd, odd])[None, :, None]
    by_parity = nn.functional.interpolate(signals, size=(1, size), mode="bilinear", align_corners=False)[0, :, 0]
    number, parity = torch.arange(size), torch.from_numpy(first % 2)
    return [first, (first + 1).clip(max=length - 1)], [by_parity[parity, number], by_parity[1 - parity, number]]
