"""What hypothesis draws for the laws of the filters: images, masks, arguments and chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor

from synthharm.filters import FILTERS, Filter, FilterChain, Parameter
from synthharm.filters.filter import region_positions

settings.register_profile(
    "filters",
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
law = settings.get_profile("filters")

IMAGE_KINDS = ("any", "black", "bytes", "dark", "grey", "light", "midtones", "one channel", "primaries", "white")
MASK_KINDS = ("all", "binary", "empty", "one pixel")
DTYPES = (torch.float32, torch.float64)
EVERY_FILTER = tuple(FILTERS.values())
PLACELESS = tuple(name for name, f in FILTERS.items() if not f.needs_positions)  # pixels in any order are alike
LONGEST_CHAIN = 6  # as many filters as the paper's has; more only take longer


@dataclass(frozen=True)
class PhotoRegion:
    """A photo (1, 3, H, W) and the mask (1, 1, H, W) of one region in it, float64."""

    id: int
    image: Tensor
    mask: Tensor


def _apply_tone(images: Tensor, argument: Tensor, means: Tensor | None) -> Tensor:
    gain, offset = argument[:, 0, None, None, None], argument[:, 1, None, None, None]
    return (images * gain + offset).clamp(0, 1)


def _undo_tone(images: Tensor, argument: Tensor, means: Tensor | None) -> Tensor:
    gain, offset = argument[:, 0, None, None, None], argument[:, 1, None, None, None]
    return (images - offset) / gain


# A filter of one's own: two parameters, one of them neutral elsewhere than at 0.
TONE = Filter(
    name="tone",
    apply=_apply_tone,
    invert=_undo_tone,
    parameters=(Parameter("gain", span=0.2, neutral=1.0, low=0.5, high=1.75), Parameter("offset", span=0.1)),
)


def make_images(kind: str, shape: Sequence[int], seed: int) -> Tensor:
    """Images of one kind, float64."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(*shape, generator=generator, dtype=torch.float64)
    constant = images[:, :, :1, :1].expand(images.shape).clone()
    made = {
        "any": images,
        "black": torch.zeros_like(images),
        "bytes": (images * 255).round() / 255,
        "dark": images * 0.1,
        "grey": constant[:, :1].expand(images.shape).clone(),
        "light": 1 - images * 0.1,
        "midtones": images * 0.2 + 0.4,
        "one channel": images * torch.eye(3, dtype=torch.float64)[seed % 3][None, :, None, None],
        "primaries": images.round(),
        "white": torch.ones_like(images),
    }
    return made[kind]


def make_masks(kind: str, images: Tensor, seed: int) -> Tensor:
    """Masks of one kind for these images, in their type."""
    count, _, height, width = images.shape
    generator = torch.Generator().manual_seed(seed)
    soft = torch.rand(count, 1, height, width, generator=generator, dtype=torch.float64)
    chosen = torch.zeros_like(soft)
    for row in chosen:
        row.view(-1)[seed % row.numel()] = 1
    made = {
        "all": torch.ones_like(soft),
        "binary": soft.round(),
        "empty": torch.zeros_like(soft),
        "one pixel": chosen,
        "soft": (soft * 1.5 - 0.25).clamp(0, 1),
    }
    return made[kind].to(images.dtype)


@st.composite
def images(
    draw: st.DrawFn, kinds: Sequence[str] = IMAGE_KINDS, dtypes: Sequence[torch.dtype] = DTYPES, most: int = 3
) -> Tensor:
    """Images (N, 3, H, W) of at most 5 x 5 pixels: of a kind, or numbers drawn one by one."""
    sides = st.integers(1, 5)
    shape = (draw(st.integers(1, most)), 3, draw(sides), draw(sides))
    dtype = draw(st.sampled_from(dtypes))
    kind = draw(st.sampled_from([*kinds, "drawn"] if kinds == IMAGE_KINDS else kinds))
    if kind == "drawn":
        size = shape[0] * 3
        numbers = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
        constant = torch.tensor(numbers, dtype=torch.float64).reshape(shape[0], 3, 1, 1)
        return constant.expand(shape).clone().to(dtype)
    return make_images(kind, shape, draw(st.integers(0, 2**16))).to(dtype)


@st.composite
def masks(draw: st.DrawFn, of: Tensor, kinds: Sequence[str] = MASK_KINDS) -> Tensor:
    """Masks (N, 1, H, W) for images."""
    return make_masks(draw(st.sampled_from(kinds)), of, draw(st.integers(0, 2**16)))


@st.composite
def arguments(
    draw: st.DrawFn, parameters: Sequence[Parameter], like: Tensor, share: float = 1.0, least: float = 0.0
) -> Tensor:
    """Arguments (N, K) for N images: off neutral by `least` to `share` of the span, to either side."""
    rows = []
    parts = st.integers(0, 1000).map(lambda k: k / 1000)  # spread evenly, as floats would not be
    for _ in range(len(like)):
        signs = [draw(st.sampled_from((-1, 1))) for _ in parameters]
        sizes = [least + (share - least) * draw(parts) for _ in parameters]
        rows.append([p.neutral + s * z * p.span for p, s, z in zip(parameters, signs, sizes, strict=True)])
    return torch.tensor(rows, dtype=torch.float64).to(like.dtype)


@st.composite
def accepted_arguments(draw: st.DrawFn, parameters: Sequence[Parameter], like: Tensor) -> Tensor:
    """Arguments (N, K) anywhere that their filters accept, both ends and neutral included."""
    parts = st.sampled_from((0.0, 0.5, 1.0)) | st.integers(0, 1000).map(lambda k: k / 1000)
    values = [[p.low + (p.high - p.low) * draw(parts) for p in parameters] for _ in range(len(like))]
    return torch.tensor(values, dtype=torch.float64).to(like.dtype)


@st.composite
def chains(draw: st.DrawFn, names: Sequence[str] = tuple(FILTERS), least: int = 1) -> FilterChain:
    """Chains of any filters in any order, with either kind of statistics."""
    order = draw(st.permutations(names))
    chosen = order[: draw(st.integers(least, min(len(order), LONGEST_CHAIN)))]
    return FilterChain(chosen, draw(st.sampled_from(("image", "foreground"))))


def one_argument(filter_: Filter, values: Tensor) -> Tensor:
    """Arguments (N, P) as the filter's functions take them: (N,) for one parameter."""
    return values[:, 0] if len(filter_.parameters) == 1 else values


def channel_means(images: Tensor) -> Tensor:
    """The mean of each channel, (N, 3)."""
    return images.mean(dim=(2, 3))


def known_of(filter_: Filter, images: Tensor) -> Tensor | None:
    """What the filter needs to know of images beside their pixels."""
    if filter_.needs_means:
        return channel_means(images)
    return region_positions(torch.ones_like(images[:, :1])) if filter_.needs_positions else None


@st.composite
def known(draw: st.DrawFn, filter_: Filter, like: Tensor) -> Tensor | None:
    """Anything that the filter may be told of images beside their pixels."""
    if not (filter_.needs_means or filter_.needs_positions):
        return None
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    shape = (len(like), 3) if filter_.needs_means else (len(like), 2, *like.shape[2:])
    numbers = torch.rand(shape, generator=generator, dtype=torch.float64)
    numbers = numbers if filter_.needs_means else 2 * numbers - 1
    return (numbers if draw(st.booleans()) else numbers.round()).to(like.dtype)


def error_in_decibels(images: Tensor, expected: Tensor, where: Tensor) -> float:
    """PSNR, peak 1, over the pixels (N, 1, H, W) named; infinite where all is equal or nothing is named."""
    pixels = 3 * where.double().sum()
    squares = ((images - expected).double() ** 2 * where).sum()
    return float("inf") if squares == 0 else float(10 * torch.log10(pixels / squares))
