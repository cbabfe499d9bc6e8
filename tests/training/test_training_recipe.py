"""Training recipes: what ships, and what is said of mistakes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from recipe_cases import RECIPES, TRAINING
from small_trainings import live, small

from synthharm.errors import SynthharmError
from synthharm.recipe import LiveStream, load_training_recipe, training_schema

TINT = {"mode": "scores", "cells": [{"box": {"tint": [0, 1]}, "score": 1}]}


def mistakes(folder: Path, *overrides: str, **changes: Any) -> str:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(small(**changes), sort_keys=False))
    with pytest.raises(SynthharmError) as caught:
        load_training_recipe(path, overrides)
    return str(caught.value)


@pytest.mark.parametrize("path", TRAINING, ids=lambda p: p.name)
def test_a_shipped_recipe_begins_with_the_command_that_runs_it(path: Path) -> None:
    first, second = path.read_text().splitlines()[:2]
    words = shlex.split(first.removeprefix("# "))
    assert words[:3] == ["synthharm", "train", f"recipes/{path.name}"]
    assert "--output" in words
    load_training_recipe(path, [words[i + 1] for i, word in enumerate(words) if word == "--set"])
    assert second == "# yaml-language-server: $schema=training.schema.json"


def test_the_shipped_schema_is_the_recipes() -> None:
    assert json.loads((RECIPES / "training.schema.json").read_text()) == training_schema()


def test_the_papers_recipe_is_as_published() -> None:
    recipe = load_training_recipe(RECIPES / "train_harmonizer_paper.yaml")
    assert (recipe.epochs, recipe.optimizer.name, recipe.optimizer.rate) == (60, "adam", 3e-4)
    assert recipe.optimizer.schedule.model_dump() == {"mode": "step", "epochs": [25, 50], "factor": 0.1}
    assert [stream.batch for stream in recipe.streams.values()] == [8, 8]
    synthetic = recipe.streams["synthetic"]
    assert isinstance(synthetic, LiveStream)
    assert synthetic.inverse == "published"
    assert synthetic.augmentation.jitter == (0.1, 0.1, 0.1, 0.03)
    assert recipe.loss.model_dump() == {
        "charbonnier": 1,
        "squared": 10,
        "weighting": "dynamic",
        "least_pixels": 0,
        "stored": 10,
        "arguments": 0,
    }
    assert (recipe.network.encoder, recipe.network.size, recipe.network.cascade) == (
        "tf_efficientnet_b0",
        256,
        True,
    )


def test_data_roots_are_taken_from_the_recipe_or_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "recipes" / "recipe.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(small(streams={"photos": live(data="own")})))
    recipe = load_training_recipe(path)
    assert recipe.streams["photos"].data == str(tmp_path / "recipes" / "own")
    assert recipe.validation.streams["photos"].data == live()["data"]
    overridden = load_training_recipe(path, ["streams.photos.data=own"])
    assert overridden.streams["photos"].data == str(tmp_path / "own")


def test_the_papers_ablations_are_overrides() -> None:
    path = RECIPES / "train_harmonizer_paper.yaml"
    words = ("network.cascade=false", "loss.weighting=uniform", "streams.synthetic=null", "streams.iharmony4=null")
    assert all(f"--set {word}" in path.read_text() for word in words)
    assert not load_training_recipe(path, [words[0]]).network.cascade
    assert load_training_recipe(path, [words[1]]).loss.weighting == "uniform"
    assert list(load_training_recipe(path, [words[2]]).streams) == ["iharmony4"]
    assert list(load_training_recipe(path, [words[3]]).streams) == ["synthetic"]
    with pytest.raises(SynthharmError, match="streams"):
        load_training_recipe(path, words[2:])
    other = load_training_recipe(path, ["network.encoder=resnet18", "network.filters=[exposure, curves]"])
    assert other.network.filters == ["exposure", "curves"]


def test_all_mistakes_are_listed_with_their_places(tmp_path: Path) -> None:
    changes = {"optimizer": {"rate": -1}, "loss": {"weighting": "fast"}, "epochs": 0, "stream": {}}
    said = mistakes(tmp_path, **changes)
    assert "5 mistakes" in said  # of loss.weighting two: it is neither a name nor numbers
    for part in ("optimizer.rate: is -1", "loss.weighting", "epochs: is 0", "stream: unknown key; did you mean"):
        assert part in said
    assert "line" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"streams": {"photos": live(composites="living")}}, "composites is 'living'; accepted: 'live', 'stored'"),
        ({"streams": {"photos": live(bach=3)}}, "streams.photos.bach: unknown key; did you mean 'batch'?"),
        ({"streams": {"photos": live(draw={"mode": "reference"})}}, "'span', 'gamut', 'difficulty', 'scores'"),
        ({"streams": {"photos": live(inverse="published", draw={"mode": "gamut"})}}, "draws by span"),
        ({"streams": {"photos": live(spans={"brightnes": 0.1})}}, "streams.photos.spans: span for 'brightnes'"),
        ({"streams": {"a b": live()}}, "'a b' is no name for a stream"),
        ({"streams": {}}, "streams"),
        ({"network": {"checkpoint": "there", "size": 64}}, "checkpoint is set, and so is size"),
        ({"network": {"filters": ["sharpness"]}}, "sharpness"),
        ({"loss": {"weighting": [1, 2]}}, "loss.weighting has 2 weights; 6 are accepted"),
        ({"loss": {"weighting": [0, 0, 0, 0, 0, 0]}}, "one at least is above 0"),
        ({"validation": {"streams": {"photos": live(part="held out", held_out=0)}}}, "no photo is in it"),
        ({"loss": {"charbonnier": 0, "squared": 0}}, "charbonnier or squared above 0 is accepted"),
        (
            {"streams": {"photos": live(inverse="published", draw={"mode": "span", "recovery": 40})}},
            "draw takes no limits",
        ),
        (
            {
                "streams": {
                    "photos": live(draw={"mode": "scores", "cells": [{"box": {"tint": [0, 1]}, "score": 1}]})
                }
            },
            "streams.photos.draw.cells.0.box.tint: no argument is called so",
        ),
        ({"streams": {"photos": live(part="all")}}, "may have photos of streams.photos"),
        ({"streams": {"photos": live(held_out=0.2)}}, "with the same held_out and fold"),
        ({"streams": {"photos": live(fold=1)}}, "with the same held_out and fold"),
        (
            {"validation": {"streams": {"../up": live(part="held out")}}},
            "'../up' is no name for a stream",
        ),
        (
            {"validation": {"streams": {"photos": live(part="held out", augmentation={"flip": False})}}},
            "what is validated on is not varied",
        ),
        ({"ema": 1.0}, "ema"),
        ({"precision": "fp8"}, "precision"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert said in mistakes(tmp_path, **changes)


def test_jitter_of_stored_composites_is_refused(tmp_path: Path) -> None:
    stored = {"composites": "stored", "data": "x", "augmentation": {"jitter": [0.1, 0, 0, 0]}}
    assert "jitter: [0, 0, 0, 0] is accepted" in mistakes(tmp_path, streams={"pairs": stored})
