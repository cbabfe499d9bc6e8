"""Both training recipes at equal steps, batches and seeds, validated on photos that neither was trained on.

    python benchmarks/training.py --data ../shared/photos/coco --steps 1200 --size 64

Takes recipes/train_harmonizer_paper.yaml and recipes/train_harmonizer.yaml at a small size: COCO's photos, three
quarters of them trained on; batches of 16 composites, which in the paper's recipe are all made the published way,
there being no iHarmony4; a ResNet of 0.4 million weights, random to begin with; float32 on the CPU. Everything
else, the paper's steps of the learning rate in proportion, is the recipes' own. What is validated on is the same
for both: composites of the photos held out, as difficult as iHarmony4's. Each seed holds out another choice of
photos, which is not the one by which this project's recipe was chosen. Writes results/training.json with the
curves of all seeds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import torch
import yaml
from joblib import Parallel, delayed
from measuring import print_table, write_result

from synthharm.recipe import TrainingRecipe
from synthharm.training import train
from synthharm.training.logs import read_log

HERE = Path(__file__).resolve().parent
RECIPES = {"paper": "train_harmonizer_paper.yaml", "ours": "train_harmonizer.yaml"}
EPOCHS = 12  # of the paper's 60, so its rate falls after 5 and 10
HELD_OUT = 0.25
FIGURES = ("fmse", "mse", "psnr", "better", "arguments")


def small_recipe(name: str, seed: int, options: argparse.Namespace) -> TrainingRecipe:
    """A recipe as it ships, at the size and for the steps that are asked for."""
    recipe: dict[str, Any] = yaml.safe_load((HERE.parent / "recipes" / RECIPES[name]).read_text())
    recipe["network"] |= {"encoder": options.encoder, "size": options.size, "pretrained": False}
    here = {"data": str(options.data.resolve()), "held_out": HELD_OUT, "fold": seed + 1}
    here |= {"source": {"format": "coco"}, "select": {"area_share": [0.01, 0.8]}}
    recipe["streams"] = {"synthetic": recipe["streams"]["synthetic"] | here | {"batch": 16, "part": "train"}}
    held = {
        "composites": "live",
        "part": "held out",
        "draw": {"mode": "difficulty"},
        "batch": 32,
    }
    recipe["validation"] = {"streams": {"held_out": held | here}, "samples": options.samples}
    schedule = recipe["optimizer"]["schedule"]
    if schedule["mode"] == "step":
        schedule["epochs"] = [epoch * EPOCHS // 60 for epoch in schedule["epochs"]]
    recipe |= {"seed": seed, "epochs": EPOCHS, "steps_per_epoch": options.steps // EPOCHS, "workers": 0}
    recipe |= {"precision": "float32", "compile": False, "channels_last": False, "save_every": options.steps}
    return TrainingRecipe.model_validate_json(json.dumps(recipe))


def run(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train once; the curve of its validations and the figures of the best."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        training = train(small_recipe(name, seed, options), folder, device="cpu")
        lines = [line for line in read_log(Path(folder)) if line["kind"] == "validation"]
    best = training.validation["held_out"]
    return {
        "recipe": name,
        "seed": seed,
        "steps": training.steps,
        "composite_fmse": best["composite_fmse"],
        "composite_psnr": best["composite_psnr"],
        "curve": [[line["step"], round(line["held_out"]["fmse"], 2)] for line in lines],
        "last": {key: round(lines[-1]["held_out"][key], 4) for key in FIGURES},
        "best": {"step": training.best_step, **{key: round(best[key], 4) for key in FIGURES}},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--encoder", default="test_resnet")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "training.json")
    options = parser.parse_args()
    cases = [(name, seed) for seed in options.seeds for name in RECIPES]
    runs = Parallel(n_jobs=options.jobs)(delayed(run)(name, seed, options) for name, seed in cases)
    table = []
    for name in RECIPES:
        own = [one for one in runs if one["recipe"] == name]
        fmse = [one[which]["fmse"] for which in ("last", "best") for one in own]
        half = len(fmse) // 2
        untouched = mean(one["composite_fmse"] for one in own)
        share = mean(one["last"]["fmse"] / one["composite_fmse"] for one in own)
        table.append([name, untouched, mean(fmse[:half]), share, mean(fmse[half:])])
    print_table(["recipe", "fMSE untouched", "fMSE last", "of untouched", "fMSE best"], table)
    write_result(options.output, {"runs": runs}, ["timm"])


if __name__ == "__main__":
    main()
