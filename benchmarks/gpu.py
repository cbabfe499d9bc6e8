"""The fused chain on a GPU against the reference, torch.compile and three copies; and whether it is right there.

    python benchmarks/gpu.py --output benchmarks/results/gpu.json

Needs a CUDA device, torch, NumPy, Numba and Triton, and nothing else: `PYTHONPATH=.` stands in for an
installation.

Times are of the six filters of the paper on 16 images of 3 x 1024 x 1024, with a fifth of each as the region and
with all of it: the median of single calls, each waited for, and the mean of calls in a row. Parity is that of
every filter, the paper's chain, and all filters in one, with the reference in float64. What fails is reported
beside what did not.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from synthharm.filters import FILTERS, FilterChain, Inverse
from synthharm.filters.fused import NotCompiled
from synthharm.filters.fused.gpu.batches import apply_batch, invert_batch
from synthharm.filters.fused.gpu.lowering import lower_batch

IMAGES, SIDE = 16, 1024
SHARES = {"a fifth": 0.2, "all": 1.0}  # of an image, that are its region
SPAN = 0.4  # of the filters' spans: as much as photos mostly bear without loss
PARITY_SIZE = (4, 240, 333)  # images, height and width; the last fills no block
FUSED_RUNS, REFERENCE_RUNS = 100, 5

Call = Callable[[], object]


def make_images(images: int, height: int, width: int, device: torch.device) -> Tensor:
    """Images (N, 3, H, W), float32 of 8-bit levels: soft shapes with grain, in another colour and light each."""
    generator = torch.Generator().manual_seed(height + width)
    coarse = torch.rand(images, 3, 8, 8, generator=generator)
    shapes = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    light = 0.4 + 0.2 * torch.rand(images, 3, 1, 1, generator=generator)
    grain = torch.randn(images, 3, height, width, generator=generator) / 50
    return ((light + 0.3 * (shapes - 0.5) + grain).clamp(0, 1) * 255).round().div(255).to(device)


def make_masks(images: Tensor, share: float) -> Tensor:
    """Masks (N, 1, H, W) of a box in the middle with that share of the image."""
    height, width = images.shape[2:]
    masks = torch.zeros(len(images), 1, height, width, device=images.device)
    top, left = (round(side * (1 - share**0.5) / 2) for side in (height, width))
    masks[..., top : height - top, left : width - left] = 1
    return masks


def make_arguments(chain: FilterChain, images: int) -> Tensor:
    """Arguments (N, K), another row for each image; the first is neutral."""
    generator = torch.Generator().manual_seed(len(chain.columns))
    neutral, spans = (
        torch.tensor(row) for row in zip(*((p.neutral, p.span) for p in chain.parameters), strict=True)
    )
    signs = 2 * torch.rand(images, len(neutral), generator=generator) - 1
    signs[0] = 0
    return neutral + SPAN * spans * signs


def compare(found: Tensor, wanted: Tensor, masks: Tensor) -> dict[str, float]:
    """How far values are from the reference's, in the region: in grey levels, and as 8-bit images."""
    where = masks[:, 0] > 0
    error = ((found.double() - wanted.double()).abs() * 255).amax(dim=1)[where]
    levels = [(image.double() * 255 + 0.5).floor() for image in (found, wanted)]
    apart = (levels[0] - levels[1]).abs().amax(dim=1)[where]
    return {
        "highest difference in grey levels": float(error.max()),
        "share of pixels with the same levels": float((apart == 0).double().mean()),
        "most levels apart": float(apart.max()),
    }


def outside_changed(found: Tensor, images: Tensor, masks: Tensor) -> int:
    """How many values outside the region are not what they were to the bit."""
    return int(((found != images) & (masks == 0)).sum())


def judge(chain: FilterChain, images: Tensor, masks: Tensor, values: Tensor) -> dict[str, Any]:
    """Fused against the reference in float64, both ways."""
    doubles = images.double(), masks.double(), values.to(images.device)
    made = apply_batch(chain, images, masks, values)
    report: dict[str, Any] = {"apply": compare(made, chain.apply(*doubles), masks)}
    report["apply"]["values changed outside"] = outside_changed(made, images, masks)
    report["apply"]["same bits again"] = bool((apply_batch(chain, images, masks, values) == made).all())
    try:
        inverse = invert_batch(chain, images, masks, values)
    except NotCompiled as reason:
        return report | {"invert": str(reason)}
    expected = chain.invert(*doubles)
    report["invert"] = compare(inverse.composites, expected.composites, masks)
    report["invert"]["values changed outside"] = outside_changed(inverse.composites, images, masks)
    report["invert"]["share of pixels otherwise recoverable"] = float(
        (inverse.recoverable != expected.recoverable).double().mean()
    )
    report["invert"]["share recoverable"] = float(inverse.recoverable[masks > 0].double().mean())
    return report


def parity(device: torch.device, size: tuple[int, int, int]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Reports by chain: each filter alone, the paper's chain, and all filters in one, for both statistics."""
    images = make_images(*size, device)
    masks = make_masks(images, 0.2)
    chains = {name: FilterChain([name]) for name in FILTERS}
    chains |= {f"paper, {kind}": FilterChain.paper(kind) for kind in ("image", "foreground")}
    chains["all filters"] = FilterChain(tuple(FILTERS))
    for name, chain in chains.items():
        yield name, attempt(lambda chain=chain: judge(chain, images, masks, make_arguments(chain, len(images))))


def attempt(call: Callable[[], Any]) -> Any:
    """What a call gives, or how it failed: one failure should not hide what else there is to learn."""
    try:
        return call()
    except Exception:  # noqa: BLE001, RUF100, whatever a device or a compiler raises
        return {"failed": traceback.format_exc()[-3000:]}


def time_calls(call: Call, runs: int) -> dict[str, float]:
    """The milliseconds of a call on the GPU: alone, the host's share included, and in a row."""
    for _ in range(3):
        call()
    alone = []
    for _ in range(runs):
        torch.cuda.synchronize()
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        alone.append(start.elapsed_time(end))
    start.record()
    for _ in range(runs):
        call()
    end.record()
    torch.cuda.synchronize()
    return {"ms": median(alone), "fastest ms": min(alone), "ms in a row": start.elapsed_time(end) / runs}


def bytes_needed(chain: FilterChain, images: Tensor, masks: Tensor) -> int:
    """The bytes that harmonizing has to read and write: the images once for each mean, and once to come out."""
    passes = sum(f.needs_means for f in chain.filters)
    return (passes + 2) * images.nbytes + masks.nbytes


def rivals(chain: FilterChain, images: Tensor, masks: Tensor) -> dict[str, tuple[Call, int]]:
    """What is timed, and how often."""
    values = make_arguments(chain, len(images))
    there = values.to(images.device)
    forward, backward = (lower_batch(chain, values, images.device, inverse=inverse) for inverse in (False, True))
    copies = [torch.empty_like(images) for _ in range(3)]
    compiled = torch.compile(chain.apply)
    levels, region = (images * 255).round().to(torch.uint8), (masks * 255).to(torch.uint8)
    return {
        "three copies": (lambda: [copy.copy_(images) for copy in copies], FUSED_RUNS),
        "fused apply": (lambda: apply_batch(chain, images, masks, values), FUSED_RUNS),
        "fused apply, lowered ahead": (lambda: apply_batch(chain, images, masks, forward), FUSED_RUNS),
        "fused apply, 8 bits, lowered ahead": (lambda: apply_batch(chain, levels, region, forward), FUSED_RUNS),
        "fused invert": (lambda: invert_batch(chain, images, masks, values), FUSED_RUNS),
        "fused invert, lowered ahead": (lambda: invert_batch(chain, images, masks, backward), FUSED_RUNS),
        "lowering alone": (lambda: lower_batch(chain, values, images.device), FUSED_RUNS),
        "reference apply": (lambda: chain.apply(images, masks, there), REFERENCE_RUNS),
        "reference invert": (lambda: chain.invert(images, masks, there), REFERENCE_RUNS),
        "reference apply by torch.compile": (lambda: compiled(images, masks, there), REFERENCE_RUNS),
    }


def time_all(device: torch.device, share: float) -> dict[str, Any]:
    """Times of all rivals for regions of one size."""
    chain, images = FilterChain.paper(), make_images(IMAGES, SIDE, SIDE, device)
    masks = make_masks(images, share)
    needed = bytes_needed(chain, images, masks)
    report: dict[str, Any] = {"bytes that apply needs": needed, "bytes that the copies take": 6 * images.nbytes}
    with torch.no_grad():
        for name, (call, runs) in rivals(chain, images, masks).items():
            report[name] = attempt(lambda call=call, runs=runs: time_calls(call, runs))
            print(name, json.dumps(report[name]), file=sys.stderr, flush=True)
    copies = report["three copies"]
    for name, times in report.items():
        if isinstance(times, dict) and "ms" in times and "ms" in copies:
            times["times the copies"] = times["ms"] / copies["ms"]
            times["times the copies, in a row"] = times["ms in a row"] / copies["ms in a row"]
            if name.startswith("fused apply") and "8 bits" not in name:
                times["GB/s of what is needed"] = needed / times["ms in a row"] / 1e6
    if "ms" in copies:
        copies["GB/s"] = 6 * images.nbytes / copies["ms in a row"] / 1e6
    report["parity"] = attempt(lambda: judge_large(chain, images, masks))
    return report


def judge_large(chain: FilterChain, images: Tensor, masks: Tensor) -> dict[str, Any]:
    """Fused against the reference as it runs, in float32."""
    values = make_arguments(chain, len(images))
    made, inverse = apply_batch(chain, images, masks, values), invert_batch(chain, images, masks, values)
    there = values.to(images.device)
    expected: Inverse = chain.invert(images, masks, there)
    return {
        "apply": compare(made, chain.apply(images, masks, there), masks),
        "invert": compare(inverse.composites, expected.composites, masks),
        "share of pixels otherwise recoverable": float(
            (inverse.recoverable != expected.recoverable).double().mean()
        ),
    }


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "cuda": str(torch.version.cuda)}
    for name in ("torch", "triton", "numpy", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent / "results" / "gpu.json")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("this benchmark needs a CUDA device, and torch finds none")
    device = torch.device("cuda", torch.cuda.current_device())
    result: dict[str, Any] = {
        "command": f"python benchmarks/gpu.py --output {options.output}",
        "device": torch.cuda.get_device_name(device),
        "versions": versions(),
        "images": [IMAGES, 3, SIDE, SIDE],
        "times": {},
        "parity": {},
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)

    def keep() -> None:  # after each part, so that a call cut short leaves what it had
        options.output.write_text(json.dumps(result, indent=1) + "\n")

    for name, report in parity(device, PARITY_SIZE):
        result["parity"][name] = report
        keep()
    for name, share in SHARES.items():
        result["times"][name] = attempt(lambda share=share: time_all(device, share))
        keep()
    json.dump(result, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
