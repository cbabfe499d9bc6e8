"""Recipes written for a test, and what is said of them where they are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from synthharm.errors import SynthharmError
from synthharm.recipe import Recipe, load_recipe

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
TRAINING = sorted(RECIPES.glob("train_*.yaml"))
SHIPPED = sorted(set(RECIPES.glob("*.yaml")) - set(TRAINING))

LEAST: dict[str, Any] = {
    "samples": 3,
    "data": "nowhere",
    "source": {"format": "coco"},
    "writer": {"format": "folder"},
}
FOUR = {"writer": {"format": "iharmony4"}, "encoding": {"format": "jpeg"}}


def load(folder: Path, *overrides: str, **changes: Any) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(LEAST | changes, sort_keys=False))
    return load_recipe(path, overrides)


def mistakes(folder: Path, *overrides: str, **changes: Any) -> list[str]:
    """What is wrong with a recipe, a line each, without the file's name."""
    with pytest.raises(SynthharmError) as caught:
        load(folder, *overrides, **changes)
    head, *lines = str(caught.value).splitlines()
    count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
    assert head == f"recipe {folder / 'recipe.yaml'}: {count}"
    return [line.strip() for line in lines]


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(SynthharmError) as caught:
        load_recipe(path, overrides)
    return str(caught.value)
