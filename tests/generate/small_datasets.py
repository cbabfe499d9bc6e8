"""Small datasets for tests of runs."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

SIDE = 96


def tree(folder: Path) -> dict[str, str]:
    """The sha256 of every file below a folder, hidden ones too."""
    return {
        (Path(parent) / name).relative_to(folder).as_posix(): hashlib.sha256(
            (Path(parent) / name).read_bytes()
        ).hexdigest()
        for parent, _, names in os.walk(folder)
        for name in names
    }


def write_photos(root: Path, count: int = 5) -> Path:
    """A folder source: smooth noisy photos of SIDE pixels, each with an elliptic mask."""
    rng = np.random.default_rng(3)
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(count):
        coarse = rng.uniform(40, 215, (6, 6, 3)).astype(np.float32)
        photo = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) + rng.normal(0, 3, (SIDE, SIDE, 3))
        mask = np.zeros((SIDE, SIDE), np.uint8)
        cv2.ellipse(mask, (40 + 4 * number, 48), (20, 30 - 2 * number), 15 * number, 0, 360, 255, -1)
        cv2.imwrite(str(root / "images" / f"photo{number}.png"), photo.clip(0, 255).astype(np.uint8))
        cv2.imwrite(str(root / "masks" / f"photo{number}.png"), mask)
    return root


def write_recipe(path: Path, data: Path, **changes: Any) -> Path:
    """A recipe over `write_photos`, with top-level keys changed."""
    recipe = {
        "samples": 12,
        "seed": 5,
        "data": str(data),
        "source": {"format": "folder"},
        "writer": {"format": "folder"},
        "split": {"train": 0.5, "test": 0.5},
        "shard": 3,
    }
    path.write_text(yaml.safe_dump(recipe | changes))
    return path
