"""Single operations beside Albumentations, torchvision and kornia: time, and error against float64.

    OMP_NUM_THREADS=1 python benchmarks/operations.py --photos ../shared/photos/coco/images ../shared/photos/hires

Needs what `pip install -e '.[benchmark]'` installs. Photos of 1024 x 768 pixels, one thread, a uint8 image
in and another out, (H, W, 3): what a library needs to convert counts for it. Operations are those that compute the
same function at the same parameters. Contrast and saturation differ in what they call grey: there each library is
judged by its own formula, so that no error is about whose grey is right. Writes results/operations.json.

An error is from the operation's formula in float64, rounded once to nearest; "bias" is its mean with its sign.
"neutral" is how many of the 256 levels a neutral parameter changes in some pixel. "times_of_compiled" is a time
over that of this library's compiled chain: below 1 the other is faster.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from measuring import (
    HEIGHT,
    RESULTS,
    WIDTH,
    Image,
    average,
    levels_off,
    print_table,
    ratios,
    read_photos,
    time_in_turns,
    write_result,
)
from naive import brightness_factor, contrast_factor
from numpy.typing import NDArray

from synthharm.filters import FilterChain
from synthharm.filters.fused import Scene, apply_image
from synthharm.generate.threads import one_thread

Floats = NDArray[np.float64]
Call = Callable[[Image], Image]

LIBRARIES = ("albumentations", "torchvision", "kornia")
MINE = ("synthharm compiled", "synthharm reference")
LUMA = np.array([0.299, 0.587, 0.114])
MASK = np.full((HEIGHT, WIDTH), 255, np.uint8)


def brightness(image: Floats, factor: float) -> Floats:
    """Formula: I k."""
    return image * factor


def gamma(image: Floats, exponent: float) -> Floats:
    """Formula: I^g."""
    return image**exponent


def hue(image: Floats, turns: float) -> Floats:
    """Formula: (h + x, s, v) in HSV."""
    highest, lowest = image.max(axis=2), image.min(axis=2)
    chroma = highest - lowest
    red, green, blue = np.moveaxis(image, 2, 0)
    divisor = np.where(chroma > 0, chroma, 1)
    from_green = np.where(green == highest, 2 + (blue - red) / divisor, 4 + (red - green) / divisor)
    sixths = np.where(red == highest, (green - blue) / divisor, from_green) + 6 * turns
    places = (np.array([5, 3, 1]) + sixths[:, :, None]) % 6
    return highest[:, :, None] - chroma[:, :, None] * np.clip(np.minimum(places, 4 - places), 0, 1)


def exposure(image: Floats, stops: float) -> Floats:
    """Formula: srgb(2^x linear(I))."""
    linear = np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4) * 2**stops
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def contrast(image: Floats, factor: float) -> Floats:
    """Formula: t + (I - t) k, t the mean of all values."""
    return image.mean() + (image - image.mean()) * factor


def contrast_of_luma(image: Floats, factor: float) -> Floats:
    """Formula: t + (I - t) k, t the mean luma."""
    tone = (image @ LUMA).mean()
    return tone + (image - tone) * factor


def saturation(image: Floats, factor: float) -> Floats:
    """Formula: c + (I - c) k, c a pixel's (max + min) / 2."""
    centre = (image.max(axis=2, keepdims=True) + image.min(axis=2, keepdims=True)) / 2
    return centre + (image - centre) * factor


def saturation_of_luma(image: Floats, factor: float) -> Floats:
    """Formula: c + (I - c) k, c a pixel's luma."""
    centre = (image @ LUMA)[:, :, None]
    return centre + (image - centre) * factor


@dataclass(frozen=True)
class Operation:
    """An operation at several parameters.

    Args:
        filter: of this library.
        arguments: what this library takes.
        parameters: what the others take for the same.
        neutral: the same of the neutral argument, 0.
        mine: this library's formula.
        theirs: the others' formula.
        rivals: the libraries that have it.
    """

    filter: str
    arguments: tuple[float, ...]
    parameters: Callable[[float], float]
    mine: Callable[[Floats, float], Floats]
    theirs: Callable[[Floats, float], Floats]
    rivals: tuple[str, ...] = LIBRARIES


# Odd numbers, so that next to no result lies half-way between two levels, where either is as good.
OPERATIONS = (
    Operation(
        "brightness", (-0.3137, 0.1937), lambda x: brightness_factor(x) if x else 1.0, brightness, brightness
    ),
    Operation("gamma", (-0.4937, 0.4937), lambda x: 2.0**-x, gamma, gamma),
    Operation("hue", (-0.0437, 0.0437), lambda x: x, hue, hue),
    Operation("exposure", (-0.7137, 0.7137), lambda x: x, exposure, exposure, ("kornia",)),
    Operation("contrast", (-0.2837, 0.1937), contrast_factor, contrast, contrast_of_luma),
    # Only less of it: more is not the one factor for all pixels that the others have.
    Operation("saturation", (-0.4137, -0.1837), lambda x: 1 + x, saturation, saturation_of_luma),
)


def wanted(formula: Callable[[Floats, float], Floats], image: Image, parameter: float) -> Image:
    """What an operation ought to give."""
    return np.rint(np.clip(formula(image / 255, parameter), 0, 1) * 255).astype(np.uint8)


def compiled(operation: Operation, argument: float) -> Call:
    chain = FilterChain([operation.filter])

    def call(image: Image) -> Image:
        mask = MASK if image.shape[:2] == MASK.shape else np.full(image.shape[:2], 255, np.uint8)
        return apply_image(chain, Scene(image, mask), [argument])

    return call


def reference(operation: Operation, argument: float) -> Call:
    chain, values = FilterChain([operation.filter]), torch.tensor([[argument]], dtype=torch.float64)

    def call(image: Image) -> Image:
        pixels = as_float(image, operation)
        with torch.no_grad():
            return as_levels(chain.apply(pixels, torch.ones_like(pixels[:, :1]), values))

    return call


def channels_first(image: Image, operation: Operation) -> torch.Tensor:
    """An image (1, 3, H, W) in the order in memory in which its operation is faster for all that use torch."""
    view = torch.from_numpy(image).permute(2, 0, 1)[None]
    return view.contiguous() if operation.filter == "hue" else view


def as_float(image: Image, operation: Operation) -> torch.Tensor:
    return channels_first(image, operation).to(torch.float32) / 255


def as_levels(images: torch.Tensor) -> Image:
    levels = (images[0] * 255).round_().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(1, 2, 0).numpy())


def albumentations(operation: Operation, argument: float) -> Call:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # or it asks the network for newer versions
    import albumentations as library

    parameter = operation.parameters(argument)
    if operation.filter == "gamma":
        transform = library.RandomGamma(gamma_limit=(100 * parameter, 100 * parameter), p=1)
    else:
        neutral = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
        limits = {name: (value, value) for name, value in (neutral | {operation.filter: parameter}).items()}
        transform = library.ColorJitter(**limits, p=1)

    def call(image: Image) -> Image:
        return np.asarray(transform(image=image)["image"], dtype=np.uint8)

    return call


def torchvision(operation: Operation, argument: float) -> Call:
    from torchvision.transforms.v2 import functional

    adjust, parameter = getattr(functional, f"adjust_{operation.filter}"), operation.parameters(argument)

    def call(image: Image) -> Image:
        made = adjust(channels_first(image, operation)[0], parameter)
        return np.ascontiguousarray(made.permute(1, 2, 0).numpy())

    return call


def kornia(operation: Operation, argument: float) -> Call:
    import kornia as library

    def expose(images: torch.Tensor, stops: float) -> torch.Tensor:
        linear = library.color.rgb_to_linear_rgb(images) * 2**stops
        return library.color.linear_rgb_to_rgb(linear).clamp(0, 1)

    def turn(images: torch.Tensor, turns: float) -> torch.Tensor:
        return library.enhance.adjust_hue(images, turns * 2 * np.pi)

    adjusts = {
        "brightness": library.enhance.adjust_brightness_accumulative,
        "gamma": library.enhance.adjust_gamma,
        "hue": turn,
        "exposure": expose,
        "contrast": library.enhance.adjust_contrast_with_mean_subtraction,
        "saturation": library.enhance.adjust_saturation_with_gray_subtraction,
    }
    adjust, parameter = adjusts[operation.filter], operation.parameters(argument)
    return lambda image: as_levels(adjust(as_float(image, operation), parameter))


MAKERS: Mapping[str, Callable[[Operation, float], Call]] = {
    "synthharm compiled": compiled,
    "synthharm reference": reference,
    "albumentations": albumentations,
    "torchvision": torchvision,
    "kornia": kornia,
}


def measure(operation: Operation, photos: Mapping[str, Image], repeats: int) -> list[dict[str, Any]]:
    """One row for each library."""
    names = (*MINE, *operation.rivals)
    taken: dict[str, list[list[float]]] = {name: [] for name in names}
    errors: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for argument in operation.arguments:
        calls = {name: MAKERS[name](operation, argument) for name in names}
        for image in photos.values():
            formulas = (operation.mine, operation.theirs)
            expected = {formula: wanted(formula, image, operation.parameters(argument)) for formula in formulas}
            timed = {name: partial(call, image) for name, call in calls.items()}
            for name, times in time_in_turns(timed, repeats).items():
                formula = operation.mine if name in MINE else operation.theirs
                taken[name].append(times)
                errors[name].append(levels_off(calls[name](image), expected[formula]))
    flat = {name: [time for times in taken[name] for time in times] for name in names}
    return [
        {
            "operation": operation.filter,
            "library": name,
            "formula": formula_of(operation, name),
            "same_function": operation.mine is operation.theirs,
            "parameters": [round(operation.parameters(argument), 6) for argument in operation.arguments],
            "milliseconds": round(median(flat[name]), 3),
            "times_of_compiled": round(ratios(flat[name], flat[MINE[0]]), 3),
            "error": average(errors[name]),
            "neutral": changed_levels(MAKERS[name](operation, 0.0), photos),
        }
        for name in names
    ]


def formula_of(operation: Operation, library: str) -> str:
    """The formula that a library is judged by, in words."""
    formula = operation.mine if library in MINE else operation.theirs
    return (formula.__doc__ or "").removeprefix("Formula: ").removesuffix(".")


def changed_levels(call: Call, photos: Mapping[str, Image]) -> int:
    """How many of the 256 levels come out different somewhere, in a ramp of greys and in photos."""
    ramp = np.ascontiguousarray(np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (16, 256, 3)))
    changed = np.zeros(256, dtype=bool)
    for image in (ramp, *photos.values()):
        changed[np.unique(image[call(image) != image])] = True
    return int(changed.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--count", type=int, default=8, help="photos")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--output", type=Path, default=RESULTS / "operations.json")
    options = parser.parse_args()
    photos = read_photos(options.photos, options.count)
    rows = []
    for operation in OPERATIONS:
        for library in operation.rivals:
            MAKERS[library](operation, 0.0)  # imported first: some set how many threads OpenCV has
        with one_thread():
            rows += measure(operation, photos, options.repeats)
    print_table(
        ["operation", "library", "ms", "times of compiled", "mean off", "bias", "highest", "exact", "neutral"],
        [
            [
                row["operation"] + ("" if row["same_function"] else " *"),
                row["library"],
                row["milliseconds"],
                row["times_of_compiled"],
                row["error"]["mean"],
                row["error"]["bias"],
                row["error"]["highest"],
                row["error"]["exact"],
                row["neutral"],
            ]
            for row in rows
        ],
    )
    print("* judged by each library's own formula: they differ in what they call grey")
    settings = {"size": [WIDTH, HEIGHT], "photos": list(photos), "repeats": options.repeats, "threads": 1}
    write_result(options.output, {**settings, "rows": rows}, LIBRARIES)


if __name__ == "__main__":
    main()
