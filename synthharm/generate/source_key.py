"""What the index of a recipe's sources depends on, as a key under which it is kept and found again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from synthharm.files import sha256_file
from synthharm.generate.sample import library_versions
from synthharm.generate.sections import open_source, selection
from synthharm.recipe import AnyRecipe, SplicingRecipe
from synthharm.sources import file_stamps

FORMAT = 3  # of what a plan writes
# What the files of a splicing plan follow from besides the sources; supports and splits follow from the seed.
_SECTIONS = ("seed", "licences", "split", "near_duplicates")


def source_key(recipe: AnyRecipe) -> str | None:
    """sha256 in hex of all that making a recipe's plan writes follows from; None where that cannot be told.

    Neither where the data lies nor how many samples are made belongs to it.

    Raises:
        SynthharmError: the sources are not there.
    """
    measured = isinstance(recipe, SplicingRecipe) or selection(recipe).needs_measure
    signature = open_source(recipe).signature(measured)
    return None if signature is None else _key(recipe, signature)


def keyless_name(recipe: AnyRecipe, digest: str) -> str:
    """What an index is kept as whose key cannot be told.

    Args:
        recipe: whose sources' index it is.
        digest: of what was found.
    """
    return _key(recipe, f"found: {digest}")


def _key(recipe: AnyRecipe, signature: str) -> str:
    parts: dict[str, Any] = {
        "format": FORMAT,
        "spliced": isinstance(recipe, SplicingRecipe),
        "signature": signature,
        "recipe": recipe.model_dump(mode="json", include={"source", "select"}),
        "versions": library_versions(),
    }
    if isinstance(recipe, SplicingRecipe):
        # In the recipe's order: the splits' decides which of them a photo goes to.
        parts["sections"] = [recipe.model_dump(mode="json", include={name}) for name in _SECTIONS]
        parts["cameras"] = _tables(recipe)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _tables(recipe: SplicingRecipe) -> Any:
    """What the tables of cameras follow from: a file's content, or the names and states of photos."""
    if recipe.camera_tables is None:
        return None
    path = Path(recipe.camera_tables)
    if path.is_file():
        return sha256_file(path)
    return sorted(file_stamps(path, ".").items())
