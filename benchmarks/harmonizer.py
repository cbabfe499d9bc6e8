"""The Harmonizer on a device: how fast both recipes train, what they reach, and how fast images are harmonized.

    python benchmarks/harmonizer.py --data ../shared/photos/coco --minutes 3

On a CUDA device; `--device cpu --size 64 --encoder mobilenetv3_small_050 --steps 24` tries it on a machine
without. Both recipes train at 256 x 256 with batches of 16, the paper's encoder from random weights, for so many
minutes each. Of each: images per second, the share of the time in which the next batch was waited for, the largest
amount of device memory, and the curve of validation on photos held out. Then composites of 1080p, 4K and 8K are
harmonized at full size: predicting and applying, in milliseconds (medians), with the memory that it took on the
device. What fails is reported beside what did not. Writes results/harmonizer.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
import yaml
from measuring import RESULTS, write_result

from synthharm.harmonizer import Harmonizer, HarmonizerConfig
from synthharm.harmonizer.full_size import apply_in_tiles, predict
from synthharm.recipe import TrainingRecipe
from synthharm.training import train
from synthharm.training.logs import read_log

RECIPES = {"paper": "train_harmonizer_paper.yaml", "ours": "train_harmonizer.yaml"}
SIZES = {"1080p": (1080, 1920), "4K": (2160, 3840), "8K": (4320, 7680)}
PROBE = 100  # steps by which the rate is found, and so how many fit into the minutes


def recipe_of(name: str, steps: int, options: argparse.Namespace) -> TrainingRecipe:
    """A recipe as it ships, on COCO's photos alone and for so many steps."""
    recipe: dict[str, Any] = yaml.safe_load((RESULTS.parent.parent / "recipes" / RECIPES[name]).read_text())
    recipe["network"] |= {"encoder": options.encoder, "size": options.size, "pretrained": False}
    here = {"data": str(options.data.resolve()), "held_out": 0.25, "source": {"format": "coco"}}
    here |= {"select": {"area_share": [0.01, 0.8]}}
    synthetic = recipe["streams"]["synthetic"] | here | {"batch": 16, "part": "train"}
    held = {"composites": "live", "part": "held out", "batch": 32, "draw": {"mode": "difficulty"}, **here}
    recipe["streams"] = {"synthetic": synthetic}
    recipe["validation"] = {"streams": {"held_out": held}, "samples": options.samples}
    schedule = recipe["optimizer"]["schedule"]
    if schedule["mode"] == "step":
        schedule["epochs"] = [max(1, epoch * 12 // 60) for epoch in schedule["epochs"]]
    recipe |= {"epochs": 12, "steps_per_epoch": max(1, steps // 12), "workers": options.workers}
    if options.device == "cpu":
        recipe |= {"precision": "float32", "compile": False, "channels_last": False}
    return TrainingRecipe.model_validate_json(json.dumps(recipe | {"save_every": 100_000}))


def measure_training(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train for as many steps as the minutes have room for, at the rate of a short run before."""
    rate = run_training(name, min(PROBE, options.steps or PROBE), options)["images_per_second"]
    steps = options.steps or int(rate / 16 * options.minutes * 60)
    return run_training(name, steps, options)


def run_training(name: str, steps: int, options: argparse.Namespace) -> dict[str, Any]:
    """One training of so many steps, and what its log says of it."""
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        training = train(recipe_of(name, steps, options), folder, device=options.device)
        lines = read_log(Path(folder))
    steps_done = [line for line in lines if line["kind"] == "train"]
    steady = steps_done[2:] or steps_done
    validations = [line for line in lines if line["kind"] == "validation"]
    return {
        "steps": training.steps,
        "seconds": round(time.perf_counter() - start, 1),
        "images_per_second": round(median(line["images_per_second"] for line in steady), 1),
        "waiting": round(float(np.mean([line["waiting"] for line in steady])), 4),
        "memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if options.device == "cuda" else None,
        "curve": [[line["step"], round(line["held_out"]["fmse"], 1)] for line in validations],
        "best": training.validation["held_out"],
    }


def measure_harmonizing(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of predicting and of applying at a size, and the device's memory."""
    height, width = SIZES[name]
    random = np.random.default_rng(0)
    composite = np.repeat(np.repeat(random.integers(20, 230, (height // 8, width // 8, 3), np.uint8), 8, 0), 8, 1)
    mask = np.zeros(composite.shape[:2], np.uint8)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 255
    harmonizer = Harmonizer(HarmonizerConfig(options.encoder)).to(options.device).eval()
    arguments = harmonizer.chain.arguments(temperature=0.1, brightness=-0.2, contrast=0.1, shadow=0.1).values[0]
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    return {
        "predict_ms": timed(lambda: predict(harmonizer, composite, mask), options),
        "apply_ms": timed(
            lambda: apply_in_tiles(harmonizer.chain, composite, mask, arguments, device=options.device), options
        ),
        "memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 3) if options.device == "cuda" else None,
    }


def timed(call: Callable[[], object], options: argparse.Namespace) -> float:
    """The median milliseconds of a call whose result is on the CPU, after one that does not count."""
    taken = []
    for _ in range(options.repeats + 1):
        start = time.perf_counter()
        call()
        taken.append((time.perf_counter() - start) * 1000)
    return round(median(taken[1:]), 2)


def tried(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a measurement gives, or how it failed."""
    try:
        return call()
    except Exception:  # whatever it is goes into the result: what runs after it is not lost with it
        return {"failed": traceback.format_exc().splitlines()[-6:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--minutes", type=float, default=3, help="of each recipe's training")
    parser.add_argument("--steps", type=int, help="instead of minutes")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--encoder", default="tf_efficientnet_b0")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--workers", type=int, default=14)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--output", type=Path, default=RESULTS / "harmonizer.json")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: there is no CUDA device here; --device cpu is accepted")
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    rows: dict[str, Any] = {"device": device, "harmonizing": {}, "training": {}}
    for name in SIZES:
        rows["harmonizing"][name] = tried(lambda name=name: measure_harmonizing(name, options))
        write_result(options.output, rows)
    for name in RECIPES:
        rows["training"][name] = tried(lambda name=name: measure_training(name, options))
        write_result(options.output, rows)


if __name__ == "__main__":
    main()
