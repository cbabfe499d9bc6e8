"""What is wrong with a recipe, said by its place, what was found and what is accepted."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Any, get_args

from pydantic import BaseModel

from synthharm.recipe.recipe import Recipe
from synthharm.yamlfile import Document

CHOICES = {"composites", "mode", "step", "format"}  # keys whose value says which of several models a section is


def describe_mistake(document: Document, error: dict[str, Any], root: type[BaseModel] = Recipe) -> str:
    """One line for one of pydantic's errors about a `root`."""
    keys = document.path_of(error["loc"])
    name = ".".join(map(str, keys)) or "the recipe"
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _keys_beside(error["loc"], root)
        near = get_close_matches(str(keys[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        problem = f"unknown key; {hint}accepted here: {', '.join(known)}"
    elif kind == "missing" and isinstance(error["loc"][-1], int):
        problem = f"is {error['input']!r}; {error['loc'][-1] + 1} values are accepted"
    elif kind == "missing":
        problem = "is missing"
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        found, models = error["ctx"].get("tag"), _models_at(keys, root)
        accepted = ", ".join(repr(_tag(model)) for model in models)
        choice = _choice(models[0])
        problem = f"{choice} is {found!r}; accepted: {accepted}" if found else f"needs a {choice}: {accepted}"
    elif kind in ("chain", "agree"):
        problem = error["msg"]
    else:
        problem = f"is {error['input']!r}; {error['msg'][0].lower()}{error['msg'][1:]}"
    return f"{document.place_of(keys)}: {name}: {problem}"


def _choice(model: type[BaseModel]) -> str:
    """The key whose value says which of several models a section is."""
    return next(key for key in sorted(CHOICES) if key in model.model_fields)


def _tag(model: type[BaseModel]) -> str:
    tag: str = get_args(model.model_fields[_choice(model)].annotation)[0]
    return tag


def _keys_beside(loc: Sequence[str | int], root: type[BaseModel]) -> list[str]:
    models = _models_at(loc[:-1], root)
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def _models_at(loc: Sequence[str | int], root: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that a place in a recipe may hold; a tag in the place chooses one of a union."""
    models: list[type[BaseModel]] = [root]
    for key in loc:
        fields = [m.model_fields[key] for m in models if isinstance(key, str) and key in m.model_fields]
        if fields:
            kinds = [kind for f in fields for kind in (get_args(f.annotation) or (f.annotation,))]
            models = [model for kind in kinds for model in _models_in(kind)]
        else:
            models = [m for m in models if CHOICES & set(m.model_fields) and key == _tag(m)] or models
    return models


def _models_in(kind: Any) -> list[type[BaseModel]]:
    """The models that a type is made of: Annotated[A | B, ...] is of A and B."""
    kind = getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind
    if isinstance(kind, UnionType):
        return [model for part in get_args(kind) for model in _models_in(part)]
    return [kind] if isinstance(kind, type) and issubclass(kind, BaseModel) else []
