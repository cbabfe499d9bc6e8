"""Reading a recipe from its file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from synthharm.errors import SynthharmError
from synthharm.recipe.draws import ScoresDraw
from synthharm.recipe.mistakes import describe_mistake
from synthharm.recipe.recipe import Recipe
from synthharm.recipe.section import Section
from synthharm.recipe.sources import HuggingFace
from synthharm.recipe.splicing import SplicingRecipe
from synthharm.storage import is_address
from synthharm.yamlfile import Document, parse_override, parse_yaml

AnyRecipe = Recipe | SplicingRecipe
Checked = TypeVar("Checked", bound=BaseModel)

SET = "--set "  # how the place of what an override sets begins


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> AnyRecipe:
    """Read a recipe, a YAML file, with overrides such as `chain.statistics=foreground` on top.

    A relative path is taken from the recipe's folder; one in an override from the working directory. What comes
    back names no scores file: its cells are in the recipe, which depends on no other file.

    Raises:
        SynthharmError: the file cannot be read, or what it says is not a recipe. Every mistake is listed, with its
            place in the file, what was found and what is accepted.
    """
    document = read_document(path, overrides)
    recipe = check_recipe(document)
    if isinstance(recipe.draw, ScoresDraw) and recipe.draw.file is not None:
        recipe = check_recipe(_with_cells(document, _folder(document, ("draw", "file")) / recipe.draw.file))
    located = {"data": locate_data(recipe.data, recipe.source, document, ("data",))}
    if isinstance(recipe, SplicingRecipe):
        located |= _locate_files(recipe, document)
    return recipe.model_copy(update=located)


def read_document(path: str | Path, overrides: Sequence[str] = ()) -> Document:
    """Read a recipe's file with overrides on top, not checked yet. Raises SynthharmError where it is no YAML."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SynthharmError(f"recipe {path}: cannot be read: {error}") from error
    document = parse_yaml(text, str(path))
    for override in overrides:
        keys, value = parse_override(override)
        if "spans" in keys[:-1]:
            at = keys.index("spans") + 1
            keys[at:] = [".".join(keys[at:])]  # an argument's name may hold a dot of its own
        document = document.replaced(keys, value, f"{SET}{override}")
    return document


def as_recipe(recipe: AnyRecipe | str | Path, overrides: Sequence[str] = ()) -> AnyRecipe:
    """A recipe, from its file if it is not one yet.

    Raises:
        SynthharmError: as `load_recipe`, or overrides or a scores file for a recipe that is no file.
    """
    if not isinstance(recipe, (Recipe, SplicingRecipe)):
        return load_recipe(recipe, overrides)
    if overrides:
        raise SynthharmError(f"overrides are {list(overrides)}; they are accepted with a recipe's file only")
    if isinstance(recipe.draw, ScoresDraw) and recipe.draw.file is not None:
        raise SynthharmError(f"draw.file is {recipe.draw.file!r}; outside a recipe's file, cells are accepted")
    return recipe


def check_recipe(document: Document) -> AnyRecipe:
    """The recipe that a document says. Raises SynthharmError with all that is wrong with it."""
    return check_document(document, recipe_model(document.value))


def check_document(document: Document, model: type[Checked]) -> Checked:
    """What a document says, as a model. Raises SynthharmError with all that is wrong with it."""
    try:
        return model.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        problems = [describe_mistake(document, dict(e), model) for e in error.errors()]
    raise _refusal(document, problems)


def recipe_model(value: Mapping[str, Any]) -> type[Recipe] | type[SplicingRecipe]:
    """What a recipe is of: a splicing dataset has `kinds`, a harmonization dataset has not."""
    return SplicingRecipe if "kinds" in value else Recipe


def parse_recipe(text: str) -> AnyRecipe:
    """A recipe that was written by `model_dump_json`."""
    return recipe_model(json.loads(text)).model_validate_json(text)


def _refusal(document: Document, problems: Sequence[str]) -> SynthharmError:
    count = f"{len(problems)} mistake{'s' * (len(problems) > 1)}"
    return SynthharmError(f"recipe {document.name}: {count}\n  " + "\n  ".join(problems))


def _with_cells(document: Document, path: Path) -> Document:
    """The recipe with the cells of its scores file in it, placed where the file is named."""
    from synthharm.filters.drawing import read_scores

    place = document.place_of(("draw", "file"))
    try:
        scores = read_scores(path)
    except SynthharmError as error:
        raise _refusal(document, [f"{place}: draw.file: {error}"]) from error
    cells = [
        {"box": {c: list(sides) for c, sides in cell.box.items()}, "score": cell.score} for cell in scores.cells
    ]
    for key, value in (("file", None), ("floor", scores.floor), ("cells", cells)):
        document = document.replaced(["draw", key], value, f"{place}: {path}")
    return document


def _folder(document: Document, keys: Sequence[str]) -> Path:
    """What a path is taken from: the recipe's folder, or the working directory where an override sets it."""
    return Path() if document.place_of(keys).startswith(SET) else Path(document.name).parent


def locate_data(data: str, source: Section, document: Document, keys: Sequence[str]) -> str:
    """The data root at `keys` as an absolute path.

    An address stays as it is, and what is not there may name a Hugging Face dataset.
    """
    if is_address(data):
        return data
    path = os.path.abspath(_folder(document, keys) / data)
    if isinstance(source, HuggingFace) and not os.path.exists(path):
        return data
    return path


def locate_checkpoint(checkpoint: str, document: Document, keys: Sequence[str]) -> str:
    """The checkpoint at `keys` as an absolute path; one that is not there may be on the hub."""
    path = os.path.abspath(_folder(document, keys) / checkpoint)
    return path if os.path.exists(path) else checkpoint


def _locate_files(recipe: SplicingRecipe, document: Document) -> dict[str, str]:
    """Camera tables and checkpoint as absolute paths."""
    found = {}
    if recipe.camera_tables is not None:
        found["camera_tables"] = os.path.abspath(_folder(document, ("camera_tables",)) / recipe.camera_tables)
    if recipe.checkpoint is not None:
        found["checkpoint"] = locate_checkpoint(recipe.checkpoint, document, ("checkpoint",))
    return found


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of recipes of both kinds, for editors."""
    adapter: TypeAdapter[Any] = TypeAdapter(AnyRecipe)
    return adapter.json_schema()
