"""Reading a recipe from its file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from synthharm.errors import SynthharmError
from synthharm.recipe.draws import CellSection, ScoresDraw
from synthharm.recipe.mistakes import describe_mistake
from synthharm.recipe.recipe import Recipe
from synthharm.recipe.sources import HuggingFace
from synthharm.yamlfile import Document, parse_override, parse_yaml


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, a YAML file, with overrides such as `chain.statistics=foreground` on top.

    A relative path is taken from the recipe's folder; one in an override from the working directory.

    Raises:
        SynthharmError: the file cannot be read, or what it says is not a recipe. Every mistake is listed, with its
            place in the file, what was found and what is accepted.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SynthharmError(f"recipe {path}: cannot be read: {error}") from error
    document = parse_yaml(text, str(path))
    folders = {"data": path.parent, "file": path.parent}
    for override in overrides:
        keys, value = parse_override(override)
        if keys[-1] in folders:
            folders[str(keys[-1])] = Path()
        document = document.replaced(keys, value, f"--set {override}")
    recipe = check_recipe(document)
    draw = recipe.draw
    if isinstance(draw, ScoresDraw) and draw.file:
        draw = _with_cells(draw, folders["file"] / draw.file)
    return recipe.model_copy(update={"data": _locate_data(recipe, folders["data"]), "draw": draw})


def as_recipe(recipe: Recipe | str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe, from its file if it is not one yet.

    Raises:
        SynthharmError: as `load_recipe`, or overrides for a recipe that is no file.
    """
    if not isinstance(recipe, Recipe):
        return load_recipe(recipe, overrides)
    if overrides:
        raise SynthharmError(f"overrides are {list(overrides)}; they are accepted with a recipe's file only")
    return recipe


def check_recipe(document: Document) -> Recipe:
    """The recipe that a document says. Raises SynthharmError with all that is wrong with it."""
    try:
        return Recipe.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        problems = [describe_mistake(document, dict(e)) for e in error.errors()]
    raise SynthharmError(
        f"recipe {document.name}: {len(problems)} mistake{'s' * (len(problems) > 1)}\n  " + "\n  ".join(problems)
    )


def _with_cells(draw: ScoresDraw, path: Path) -> ScoresDraw:
    """The section with the cells of its scores file in it, so that it depends on no file."""
    from synthharm.filters.drawing import read_scores

    scores = read_scores(path)
    cells = [CellSection(box=dict(cell.box), score=cell.score) for cell in scores.cells]
    return draw.model_copy(update={"file": None, "floor": scores.floor, "cells": cells})


def _locate_data(recipe: Recipe, folder: Path) -> str:
    """The data root as an absolute path, from a folder; what is not there may name a Hugging Face dataset."""
    path = os.path.abspath(folder / recipe.data)
    if isinstance(recipe.source, HuggingFace) and not os.path.exists(path):
        return recipe.data
    return path


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of recipes, for editors."""
    return Recipe.model_json_schema()
