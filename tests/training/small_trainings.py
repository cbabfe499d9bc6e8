"""Trainings of seconds, on the photos that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synthharm.recipe import TrainingRecipe
from synthharm.training.logs import read_log

PHOTOS = Path(__file__).resolve().parents[2] / "recipes" / "photos"
NETWORK = {"encoder": "mobilenetv3_small_050", "size": 32, "pretrained": False}
TIMES = {"images_per_second", "waiting"}  # what no two runs have alike


def live(**changes: Any) -> dict[str, Any]:
    return {
        "composites": "live",
        "data": str(PHOTOS),
        "source": {"format": "coco"},
        "batch": 2,
        "held_out": 0.3,
    } | changes


def small(**changes: Any) -> dict[str, Any]:
    """A recipe of two epochs of four steps."""
    held = {"streams": {"photos": live(part="held out")}, "samples": 3}
    return {
        "network": NETWORK,
        "streams": {"photos": live()},
        "validation": held,
        "optimizer": {"rate": 0.001},
        "epochs": 2,
        "steps_per_epoch": 4,
        "workers": 0,
        "log_every": 1,
        "save_every": 2,
    } | changes


def recipe(**changes: Any) -> TrainingRecipe:
    import json

    return TrainingRecipe.model_validate_json(json.dumps(small(**changes)))


def untimed(folder: Path) -> list[dict[str, Any]]:
    """The lines of a training's log, without how fast it went."""
    return [{key: value for key, value in line.items() if key not in TIMES} for line in read_log(folder)]
