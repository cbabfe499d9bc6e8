"""How sources are fed to the program: listed and read, or made into a dataset by the command."""

from __future__ import annotations

import json
import re
import shutil
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_place import Guard, Place

from synthharm.errors import SynthharmError, Unusable

MOST_PIXELS = 4_000_000  # what memory is bounded by
# What a message says, and what refusals of its sort are counted under.
WORDS = {
    "is not plain YAML": "not YAML",
    "is not plain data": "a tag",
    "a plain word is accepted": "a key",
    "is there twice": "a key twice",
    "holds more than": "too much",
    "cannot be read": "unreadable",
    "is not a mapping": "no mapping",
    "key=value is accepted|nothing in it to set": "an override",
    "scores file|scores.json": "scores",
    r"\d+ mistakes?": "mistakes",
    "instances file": "no instances file",
    "malformed category or licence": "a table",
    "not a record": "no record",
    "record has the fields": "no record",
    "record .* line": "no record",
    "record cannot be run": "a record",
    "within the dataset's folder": "a path",
    "there is no record": "no record",
    "has changed": "another photo",
    "another kind of dataset": "another kind",
    "configuration of a harmonizer": "a configuration",
    "weights of a harmonizer": "weights",
    "does not fit": "does not fit",
    "timm has no encoder": "no encoder",
    "is not a checkpoint": "other keys",
    "dictionary of tensors": "other contents",
}
_numbers = count()


def why(error: SynthharmError | Unusable) -> str:
    """What a refusal is counted under."""
    if isinstance(error, Unusable):
        return error.reason
    return next((name for words, name in WORDS.items() if re.search(words, str(error))), "another reason")


def read_source(source: Any, place: Place, guard: Guard, measure: bool) -> str:
    """List a source and read every region of it, as a run does."""
    from synthharm.sources import REASONS, Select, build_index, load_region

    refused = []
    with guard.up():
        index = build_index(source, place.output / "index", select=Select(), measure=measure)
        for number in range(index.regions):
            try:
                loaded, mask = load_region(source, index, number, soft=bool(number % 2))
            except Unusable as error:
                refused.append(error.reason)
            else:
                assert loaded.pixels.dtype == mask.dtype == np.uint8
                assert loaded.pixels.shape == (*mask.shape, 3)
        refused += [reject.reason for reject in index.rejects]
    assert set(refused) <= set(REASONS)
    return min(refused) if refused else "accepted"


def run_command(guard: Guard, *words: object) -> tuple[int, str]:
    """A command's exit status, and what it said.

    Raises:
        Whatever the command raised besides its own ending.
    """
    from typer.testing import CliRunner

    from synthharm.cli import app

    with guard.up():
        result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1), result.output
    assert "Traceback" not in result.output
    return result.exit_code, result.output


def generate(place: Place, guard: Guard, source: dict[str, Any]) -> str:
    """Make a small dataset of `data` by the command."""
    recipe = {"samples": 2, "data": str(place.data), "source": source | {"max_pixels": MOST_PIXELS}}
    recipe |= {"writer": {"format": "folder"}, "split": {"train": 1.0}}
    (place.root / "recipe.yaml").write_text(json.dumps(recipe))
    output = place.output / f"dataset {next(_numbers)}"
    status, said = run_command(guard, "generate", place.root / "recipe.yaml", "--output", output)
    rejects = output / "rejects.jsonl"
    found = [json.loads(line)["reason"] for line in rejects.read_text().splitlines()] if rejects.exists() else []
    shutil.rmtree(output, ignore_errors=True)
    if status and not found:
        return why(SynthharmError(said))
    return min(found, default="accepted")


def put(path: Path, data: bytes) -> None:
    """Write a file, whatever was there."""
    if path.is_symlink() or path.exists():
        path.unlink()
    path.write_bytes(data)
