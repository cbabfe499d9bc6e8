"""Reading a training recipe from its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthharm.recipe.load import check_document, locate_checkpoint, locate_data, read_document
from synthharm.recipe.training import LiveStream, StoredStream, TrainingRecipe
from synthharm.yamlfile import Document


def load_training_recipe(path: str | Path, overrides: Sequence[str] = ()) -> TrainingRecipe:
    """Read a training recipe, a YAML file, with overrides such as `streams.photos.data=COCO` on top.

    Relative paths are taken from the recipe's folder; those in an override from the working directory. A stream
    that is null is left out, so that an override can take one away.

    Raises:
        SynthharmError: the file cannot be read, or what it says is not a training recipe. Every mistake is listed,
            with its place in the file, what was found and what is accepted.
    """
    document = _without_nothing(read_document(path, overrides))
    recipe = check_document(document, TrainingRecipe)
    located: dict[str, Any] = {"streams": _located(recipe.streams, document, ("streams",))}
    streams = _located(recipe.validation.streams, document, ("validation", "streams"))
    located["validation"] = recipe.validation.model_copy(update={"streams": streams})
    if recipe.network.checkpoint is not None:
        checkpoint = locate_checkpoint(recipe.network.checkpoint, document, ("network", "checkpoint"))
        located["network"] = recipe.network.model_copy(update={"checkpoint": checkpoint})
    return recipe.model_copy(update=located)


def training_schema() -> dict[str, Any]:
    """The JSON Schema of training recipes, for editors."""
    return TrainingRecipe.model_json_schema()


def _without_nothing(document: Document) -> Document:
    streams = document.value.get("streams")
    if not isinstance(streams, dict):
        return document
    left = {name: stream for name, stream in streams.items() if stream is not None}
    return replace(document, value={**document.value, "streams": left})


def _located(
    streams: dict[str, LiveStream | StoredStream], document: Document, keys: tuple[str, ...]
) -> dict[str, LiveStream | StoredStream]:
    """The same streams with absolute data roots."""
    found = {}
    for name, stream in streams.items():
        source = stream.source if isinstance(stream, LiveStream) else stream
        root = locate_data(stream.data, source, document, (*keys, name, "data"))
        found[name] = stream.model_copy(update={"data": root})
    return found
