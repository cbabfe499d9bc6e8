"""What a recipe names is opened, and what is not there is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from small_datasets import write_photos, write_recipe
from splicing_datasets import write_source

from synthharm.errors import SynthharmError
from synthharm.filters import Span
from synthharm.filters.drawing import ColourStatistics, Difficulty, Gamut, Reference, Scores
from synthharm.generate.sections import draw_strategy, open_source, selection, writer
from synthharm.recipe import Recipe, load_recipe
from synthharm.recipe.draws import DifficultyDraw, DrawSection, GamutDraw, ReferenceDraw, ScoresDraw, SpanDraw
from synthharm.sources import CocoSource, FolderSource, IHarmony4Source, Select
from synthharm.writers import FolderWriter, IHarmony4Writer

FORMATS = {"coco": CocoSource, "folder": FolderSource, "iharmony4": IHarmony4Source}


def recipe_of(root: Path, data: str, **changes: Any) -> Recipe:
    found = load_recipe(write_recipe(root / "recipe.yaml", root, **changes), [f"data={data}"])
    assert isinstance(found, Recipe)
    return found


@pytest.mark.parametrize("form", FORMATS)
def test_a_root_that_is_no_folder_is_named(form: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for data in (str(tmp_path / "missing"), str(tmp_path / "file")):
        with pytest.raises(SynthharmError) as caught:
            open_source(recipe_of(tmp_path, data, source={"format": form}))
        assert str(caught.value) == f"data: {data!r} is not a folder; the root of a {form} source is"


def test_sources_are_what_their_format_says(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    write_source(tmp_path / "coco")
    for form, data in (("coco", "coco"), ("folder", "photos"), ("iharmony4", "photos")):
        recipe = recipe_of(tmp_path, str(tmp_path / data), source={"format": form})
        assert type(open_source(recipe)) is FORMATS[form]


@pytest.mark.parametrize("form", FORMATS)
def test_behind_an_address_nothing_is_asked(form: str, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "memory://nobody/made/this", source={"format": form})
    assert type(open_source(recipe)) is FORMATS[form]


def test_the_regions_that_are_used_are_those_of_the_section(tmp_path: Path) -> None:
    section = {"categories": ["dog", "cup"], "area_share": [0.02, 0.4], "side": [70, 900]}
    assert selection(recipe_of(tmp_path, "x", select=section)) == Select(("dog", "cup"), (0.02, 0.4), (70, 900))
    assert selection(recipe_of(tmp_path, "x", select={"side": [70, 900]})).categories is None


CELL = {"box": {"brightness": (0.0, 0.1)}, "score": 2.0}
DRAWS: dict[str, tuple[DrawSection, type]] = {
    "span": (SpanDraw(), Span),
    "gamut": (GamutDraw(mode="gamut"), Gamut),
    "difficulty": (DifficultyDraw(mode="difficulty"), Difficulty),
    "scores": (ScoresDraw.model_validate({"mode": "scores", "cells": [CELL]}), Scores),
}


@pytest.mark.parametrize("mode", DRAWS)
def test_arguments_are_drawn_as_the_section_says(mode: str) -> None:
    section, strategy = DRAWS[mode]
    assert type(draw_strategy(section)) is strategy


def test_a_draw_by_reference_needs_colours() -> None:
    section = ReferenceDraw(mode="reference")
    with pytest.raises(ValueError, match="needs the colours"):
        draw_strategy(section)
    colours = ColourStatistics((0.5, 0.5, 0.5), (0.1, 0.1, 0.1))
    assert type(draw_strategy(section, colours)) is Reference


def test_the_layout_is_the_writers(tmp_path: Path) -> None:
    assert isinstance(writer(recipe_of(tmp_path, "x")), FolderWriter)
    layout = {"format": "iharmony4", "subset": "MINE"}
    found = writer(recipe_of(tmp_path, "x", writer=layout, encoding={"format": "jpeg"}))
    assert isinstance(found, IHarmony4Writer)
    assert found.subset == "MINE"
