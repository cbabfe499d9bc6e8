"""The paper's chain on one thread: compiled, as the torch reference, and in plain NumPy; undone and applied.

    OMP_NUM_THREADS=1 python benchmarks/chain.py --photos ../shared/photos/coco/images ../shared/photos/hires

Photos of 1024 x 768 pixels, with a region of a fifth of the image and with all of it, and arguments drawn so
that nearly all of the region is recoverable. Each call takes a uint8 image and mask and gives a new uint8 image;
undoing also says what is recoverable, (H, W). Converting, rounding and writing back count for all. The reference
computes in float32, as it is used. Errors are from the reference in float64, rounded once. Writes
results/chain.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
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
from naive import harmonize, undo
from numpy.typing import NDArray

from synthharm.composites import retouch
from synthharm.filters import FilterChain
from synthharm.filters.fused import Scene, apply_image, undo_region
from synthharm.generate.threads import one_thread

CHAIN = FilterChain.paper()
REGIONS = {"fifth": 0.2, "whole": 1.0}
DIRECTIONS = ("undo", "apply")
RIVALS = ("fused", "reference", "numpy")
DRAWS = 50  # seeds tried for arguments that did not have to be given up

Undone = tuple[Image, NDArray[np.bool_]]


@dataclass(frozen=True)
class Case:
    """A photo with a region and drawn arguments, and the composite that they give."""

    photo: str
    region: str
    real: Image
    mask: Image
    values: list[float]
    composite: Image
    recoverable: float


def mask_of(share: float) -> Image:
    """A mask (768, 1024): an ellipse in the middle, or everything."""
    if share == 1:
        return np.full((HEIGHT, WIDTH), 255, np.uint8)
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    distance = ((rows - HEIGHT / 2 + 0.5) / HEIGHT) ** 2 + ((columns - WIDTH / 2 + 0.5) / WIDTH) ** 2
    return np.where(distance <= share / np.pi, np.uint8(255), np.uint8(0))


def draw_case(photo: str, real: Image, region: str, number: int) -> Case:
    """Draw arguments of which next to nothing had to be given up."""
    mask = mask_of(REGIONS[region])
    best = None
    for seed in range(number * DRAWS, (number + 1) * DRAWS):
        made = retouch(real, mask, CHAIN, torch.Generator().manual_seed(seed))
        if best is None or made.arguments.kept > best.arguments.kept:
            best = made
        if best.arguments.kept == 1:
            break
    assert best is not None
    composite = np.asarray(best.image, dtype=np.uint8)
    return Case(photo, region, real, mask, best.arguments.values[0].tolist(), composite, best.recoverable_share)


def fused_undo(case: Case) -> Undone:
    scene = Scene(case.real, case.mask)
    undone = undo_region(CHAIN, scene, case.values)
    recoverable = np.zeros(case.mask.shape, dtype=bool)
    recoverable[case.mask > 0] = undone.recoverable
    return scene.image_with(undone.values), recoverable


def fused_apply(case: Case) -> Image:
    return apply_image(CHAIN, Scene(case.composite, case.mask), case.values)


def reference_undo(case: Case, kind: torch.dtype = torch.float32) -> Undone:
    with torch.no_grad():
        found = CHAIN.invert(*tensors(case.real, case, kind))
    return image_of(found.composites), found.recoverable[0, 0].numpy()


def reference_apply(case: Case, kind: torch.dtype = torch.float32) -> Image:
    with torch.no_grad():
        return image_of(CHAIN.apply(*tensors(case.composite, case, kind)))


def tensors(image: Image, case: Case, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].to(kind, memory_format=torch.contiguous_format) / 255
    mask = torch.from_numpy(case.mask)[None, None].to(kind) / 255
    return pixels, mask, torch.tensor([case.values], dtype=torch.float64)


def image_of(images: torch.Tensor) -> Image:
    levels = (images[0] * 255).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(1, 2, 0).numpy())


def numpy_undo(case: Case) -> Undone:
    composite, recoverable = undo(case.real / 255, case.mask > 0, case.values)
    return np.rint(composite * 255).astype(np.uint8), recoverable


def numpy_apply(case: Case) -> Image:
    return np.rint(harmonize(case.composite / 255, case.mask > 0, case.values) * 255).astype(np.uint8)


UNDO: dict[str, Callable[[Case], Undone]] = dict(
    zip(RIVALS, (fused_undo, reference_undo, numpy_undo), strict=True)
)
APPLY: dict[str, Callable[[Case], Image]] = dict(
    zip(RIVALS, (fused_apply, reference_apply, numpy_apply), strict=True)
)


def measure(case: Case, direction: str, repeats: int) -> dict[str, Any]:
    """Times, ratios and errors of all rivals in one case and direction."""
    calls = UNDO if direction == "undo" else APPLY
    taken = time_in_turns({name: partial(call, case) for name, call in calls.items()}, repeats)
    return {
        "photo": case.photo,
        "region": case.region,
        "direction": direction,
        "arguments": [round(value, 4) for value in case.values],
        "recoverable": round(case.recoverable, 4),
        "milliseconds": {name: round(median(times), 3) for name, times in taken.items()},
        "ratios": {name: round(ratios(taken[name], taken["fused"]), 2) for name in RIVALS[1:]},
        "errors": errors_undo(case) if direction == "undo" else errors_apply(case),
    }


def errors_undo(case: Case) -> dict[str, dict[str, float]]:
    image, recoverable = reference_undo(case, torch.float64)
    found = {}
    for name, call in UNDO.items():
        mine, mine_recoverable = call(case)
        both = recoverable & mine_recoverable
        share = float((recoverable == mine_recoverable)[case.mask > 0].mean())
        found[name] = levels_off(mine[both], image[both]) | {"same_recoverable": share}
    return found


def errors_apply(case: Case) -> dict[str, dict[str, float]]:
    image, inside = reference_apply(case, torch.float64), case.mask > 0
    return {name: levels_off(call(case)[inside], image[inside]) for name, call in APPLY.items()}


def summarize(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each region and direction: medians over the cases, and the lowest ratios."""
    summary = []
    for region in REGIONS:
        for direction in DIRECTIONS:
            mine = [row for row in rows if (row["region"], row["direction"]) == (region, direction)]
            times = {name: round(median(row["milliseconds"][name] for row in mine), 3) for name in RIVALS}
            found = {name: [row["ratios"][name] for row in mine] for name in RIVALS[1:]}
            summary.append(
                {
                    "region": region,
                    "direction": direction,
                    "cases": len(mine),
                    "milliseconds": times,
                    "ratios": {name: {"median": median(r), "lowest": min(r)} for name, r in found.items()},
                    "errors": {name: average([row["errors"][name] for row in mine]) for name in RIVALS},
                }
            )
    return summary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, nargs="+", required=True)
    parser.add_argument("--count", type=int, default=6, help="photos")
    parser.add_argument("--draws", type=int, default=2, help="sets of arguments for each photo and region")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "chain.json")
    options = parser.parse_args()
    photos = read_photos(options.photos, options.count)
    rows = []
    with one_thread():
        for region in REGIONS:
            for number, photo in enumerate(list(photos) * options.draws):
                case = draw_case(photo, photos[photo], region, number)
                rows += [measure(case, direction, options.repeats) for direction in DIRECTIONS]
                print(f"{region}, {photo}: {rows[-2]['ratios']}, {rows[-1]['ratios']}", flush=True)
    summary = summarize(rows)
    print("\nmilliseconds, how many times faster the compiled chain is (lowest), and its error in levels")
    print_table(
        ["region", "direction", *RIVALS, "vs reference", "lowest", "vs numpy", "lowest", "mean off", "highest"],
        [
            [
                row["region"],
                row["direction"],
                *(row["milliseconds"][name] for name in RIVALS),
                *(row["ratios"][name][of] for name in RIVALS[1:] for of in ("median", "lowest")),
                row["errors"]["fused"]["mean"],
                row["errors"]["fused"]["highest"],
            ]
            for row in summary
        ],
    )
    settings = {"size": [WIDTH, HEIGHT], "repeats": options.repeats, "threads": 1}
    write_result(options.output, {**settings, "summary": summary, "cases": rows})


if __name__ == "__main__":
    main()
