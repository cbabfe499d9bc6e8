"""How a recipe says that arguments are drawn: by five modes, each closed to the keys of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_cases import LEAST, load, mistakes, refusal

from synthharm.errors import SynthharmError
from synthharm.filters import PAPER, Difficulty, FilterChain, Gamut, Reference, Scores, Span
from synthharm.filters.drawing import IHARMONY4, Cell, ColourStatistics, read_scores, write_scores
from synthharm.generate import generate, make_preview
from synthharm.generate.sections import draw_strategy
from synthharm.recipe import Recipe, as_recipe, load_recipe
from synthharm.recipe.draws import MOST_NUMBERS, DifficultyDraw
from synthharm.recipe.recipe import Chain

MODES = ("span", "gamut", "difficulty", "reference", "scores")
CELL = {"box": {"brightness": [0.2, 0.5], "contrast": [-0.5, 0.0]}, "score": 2.5}
EASY = {"box": {"brightness": [-0.5, 0.0]}, "score": 0}
GREY = ColourStatistics((0.5, 0.5, 0.5), (0.1, 0.1, 0.1))


def scores_file(folder: Path, *cells: dict[str, Any], floor: float = 0.3) -> Path:
    path = folder / "scores.json"
    write_scores(Scores([Cell(c["box"], c["score"]) for c in cells or (CELL, EASY)], floor), path)
    return path


# What is accepted


def test_without_a_mode_arguments_are_drawn_in_the_spans(tmp_path: Path) -> None:
    for draw in ({}, {"recovery": 30}, {"mode": "span"}):
        assert load(tmp_path, draw=draw).draw.mode == "span"
    assert load(tmp_path).draw == load(tmp_path, draw={"mode": "span"}).draw
    assert load(tmp_path, "draw.mode=gamut", draw={"recovery": 30}).draw.mode == "gamut"


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_takes_the_limits_and_comes_back_as_given(tmp_path: Path, mode: str) -> None:
    more = {"cells": [CELL]} if mode == "scores" else {}
    recipe = load(tmp_path, draw={"mode": mode, "unrecoverable": 0.01, "recovery": 30, **more})
    assert (recipe.draw.mode, recipe.draw.unrecoverable, recipe.draw.recovery) == (mode, 0.01, 30)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    default = load(tmp_path, draw={"mode": mode, **more}).draw
    assert (default.unrecoverable, default.recovery) == (0.005, 35)


def test_each_mode_is_what_it_says(tmp_path: Path) -> None:
    wanted = [[0.2, 50], [0.9, 60.5]]
    cells = {"cells": [CELL, EASY], "floor": 0.4}
    assert draw_strategy(load(tmp_path).draw) == Span()
    assert draw_strategy(load(tmp_path, draw={"mode": "gamut"}).draw) == Gamut()
    assert draw_strategy(load(tmp_path, draw={"mode": "difficulty"}).draw) == Difficulty(IHARMONY4)
    difficulty = load(tmp_path, draw={"mode": "difficulty", "quantiles": wanted})
    assert draw_strategy(difficulty.draw) == Difficulty(wanted)
    scores = draw_strategy(load(tmp_path, draw={"mode": "scores", **cells}).draw)
    assert isinstance(scores, Scores)
    assert scores.floor == 0.4
    assert [(cell.box, cell.score) for cell in scores.cells] == [
        ({"brightness": (0.2, 0.5), "contrast": (-0.5, 0.0)}, 2.5),
        ({"brightness": (-0.5, 0.0)}, 0.0),
    ]
    for toward in ("category", "surroundings"):
        fitted = draw_strategy(load(tmp_path, draw={"mode": "reference", "toward": toward}).draw, GREY)
        assert isinstance(fitted, Reference)
        assert (fitted.means.tolist(), fitted.deviations.tolist()) == ([0.5] * 3, [0.1] * 3)
    assert load(tmp_path, draw={"mode": "reference"}).draw.toward == "category"


# Scores from a file


def test_a_scores_file_is_taken_from_the_recipes_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("recipes", "work"):
        (tmp_path / name).mkdir()
    scores_file(tmp_path / "recipes")
    scores_file(tmp_path / "work", EASY | {"score": 1})
    monkeypatch.chdir(tmp_path / "work")
    named = {"mode": "scores", "file": "scores.json"}
    assert len(load(tmp_path / "recipes", draw=named).draw.cells) == 2
    assert len(load(tmp_path / "recipes", "draw.recovery=30", draw=named).draw.cells) == 2
    for override in ("draw.file=scores.json", "draw={mode: scores, file: scores.json}"):
        assert len(load(tmp_path / "recipes", override, draw=named).draw.cells) == 1
    assert (
        len(load(tmp_path / "recipes", draw=named | {"file": str(tmp_path / "work/scores.json")}).draw.cells) == 1
    )


def test_a_recipe_holds_its_scores_and_depends_on_no_file(tmp_path: Path) -> None:
    path = scores_file(tmp_path)
    recipe = load(tmp_path, draw={"mode": "scores", "file": "scores.json", "floor": 0.9, "cells": [CELL]})
    written = read_scores(path)
    path.unlink()
    assert recipe.draw.file is None
    assert draw_strategy(recipe.draw) == written
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert load(tmp_path, draw=json.loads(recipe.draw.model_dump_json())).draw == recipe.draw


def test_mistakes_in_a_scores_file_are_placed_where_it_is_named(tmp_path: Path) -> None:
    named = {"recovery": 30, "mode": "scores", "file": "scores.json"}
    path = tmp_path / "scores.json"
    (problem,) = mistakes(tmp_path, draw=named)
    assert problem.startswith(f"line 10: draw.file: {path}: no scores file could be read")
    path.write_text('{"version": 2, "floor": 0.2, "cells": []}')
    assert mistakes(tmp_path, draw=named) == [f"line 10: draw.file: {path}: version is 2; 1 is accepted"]
    scores_file(tmp_path, {"box": {"hue": (0.0, 0.1), "contrast": (0.1, 0.2)}, "score": 1})
    (problem,) = mistakes(tmp_path, draw=named)
    assert problem.startswith(f"line 10: {path}: draw.cells.0.box.hue: no argument is called so; there are temp")
    assert len(load(tmp_path, draw=named, chain={"filters": ["hue", "contrast"]}).draw.cells) == 1
    (problem,) = mistakes(tmp_path, f"draw.file={tmp_path / 'none.json'}", draw=named)
    assert problem.startswith(f"--set draw.file={tmp_path / 'none.json'}: draw.file: ")


# What is refused


@pytest.mark.parametrize("draw", [{"mode": "spam"}, {"mode": None}, {"mode": ["span"]}, {"mode": 3}, {"mode": ""}])
def test_an_unknown_mode_gets_those_that_there_are(tmp_path: Path, draw: Any) -> None:
    (problem,) = mistakes(tmp_path, draw=draw)
    assert problem.startswith("line 7: draw: ")
    assert problem.endswith("'span', 'gamut', 'difficulty', 'reference', 'scores'")


@pytest.mark.parametrize("draw", [3, None, "gamut", ["gamut"]])
def test_what_is_no_section_is_refused_as_such(tmp_path: Path, draw: Any) -> None:
    (problem,) = mistakes(tmp_path, draw=draw)
    assert problem.endswith(f": draw: is {draw!r}; input should be an object")


@pytest.mark.parametrize(
    ("draw", "key", "accepted"),
    [
        ({"mode": "span", "toward": "category"}, "toward", "unrecoverable, recovery, mode"),
        ({"quantiles": [[0.1, 2], [0.2, 3]]}, "quantiles", "unrecoverable, recovery, mode"),
        ({"mode": "gamut", "file": "a"}, "file", "unrecoverable, recovery, mode"),
        ({"mode": "difficulty", "quantile": []}, "quantile", "unrecoverable, recovery, mode, quantiles"),
        ({"mode": "reference", "towards": "category"}, "towards", "unrecoverable, recovery, mode, toward"),
        (
            {"mode": "scores", "cells": [CELL], "flor": 0.1},
            "flor",
            "unrecoverable, recovery, mode, file, floor, cells",
        ),
        ({"mode": "scores", "cells": [CELL | {"boxes": 1}]}, "cells.0.boxes", "box, score"),
    ],
)
def test_the_keys_of_another_mode_are_refused(tmp_path: Path, draw: Any, key: str, accepted: str) -> None:
    (problem,) = mistakes(tmp_path, draw=draw)
    assert f": draw.{key}: unknown key; " in problem
    assert problem.endswith(f"accepted here: {accepted}")


def scores(*cells: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"mode": "scores", "cells": list(cells), **more}


def box(score: float = 1, **sides: Any) -> dict[str, Any]:
    return {"box": sides, "score": score}


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "one pair": ({"mode": "difficulty", "quantiles": [[0.5, 9]]}, "line 9: draw.quantiles", "two or more"),
    "probabilities fall": (
        {"mode": "difficulty", "quantiles": [[0.5, 100], [0.4, 200]]},
        "line 9: draw.quantiles",
        "(0.4, 200.0) after (0.5, 100.0)",
    ),
    "equal": ({"mode": "difficulty", "quantiles": [[0.5, 9], [0.6, 9]]}, "line 9: draw.quantiles", "increase"),
    "certain": ({"mode": "difficulty", "quantiles": [[0.5, 9], [1, 10]]}, "line 12: draw.quantiles.1.0", "is 1"),
    "no difference": (
        {"mode": "difficulty", "quantiles": [[0.5, 0], [0.6, 9]]},
        "line 11: draw.quantiles.0.1",
        "is 0",
    ),
    "a pair of one": (
        {"mode": "difficulty", "quantiles": [[0.5, 1], [0.6]]},
        "line 12: draw.quantiles.1",
        "2 values are accepted",
    ),
    "toward nothing": ({"mode": "reference", "toward": "photo"}, "line 9: draw.toward", "'surroundings'"),
    "neither file nor cells": ({"mode": "scores"}, "line 7: draw.cells", "is empty, and no file is named"),
    "a file without a name": ({"mode": "scores", "file": ""}, "line 9: draw.file", "at least 1 character"),
    "no floor": (scores(CELL, floor=0), "draw.floor", "greater than 0"),
    "no score": (scores(EASY, EASY), "line 9: draw.cells", "has no score above 0"),
    "negative": (scores(box(-1, contrast=[0.0, 0.1])), "draw.cells.0.score", "is -1"),
    "empty box": (scores(CELL, {"box": {}, "score": 1}), "draw.cells.1.box", "is {}"),
    "no box": (scores({"score": 1}), "draw.cells.0.box", "is missing"),
    "turned round": (scores(CELL, box(contrast=[0.2, 0.1])), "draw.cells.1", "box.contrast is (0.2, 0.1)"),
    "one side": (scores(box(contrast=[0.2])), "draw.cells.0.box.contrast", "2 values are accepted"),
    "unknown": (
        scores(CELL, box(hue=[0.0, 0.1])),
        "line 19: draw.cells.1.box.hue",
        "there are temperature, brightness, ",
    ),
    "beyond the filter": (scores(box(contrast=[0.5, 2])), "draw.cells.0.box.contrast", "-1.0 to 1.0 is accepted"),
    "beyond the spans": (scores(box(contrast=[0.6, 0.8])), "line 9: draw.cells", "reaches into the spans"),
    "only a cell without a score within": (
        scores(box(contrast=[0.6, 0.8]), EASY),
        "line 9: draw.cells",
        "reaches into the spans",
    ),
    "too many": (
        scores(*[box(contrast=[0.0, 0.25])] * (MOST_NUMBERS // 6 + 1)),
        "draw.cells",
        f"up to {MOST_NUMBERS} values",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_named_by_its_place(tmp_path: Path, case: str) -> None:
    draw, place, words = WRONG[case]
    (problem,) = mistakes(tmp_path, draw=draw)
    assert f"{place}: " in problem
    assert problem.startswith("line ")
    assert words in problem


def test_spans_decide_what_a_box_may_reach(tmp_path: Path) -> None:
    far = scores(box(contrast=[0.6, 0.8]))
    assert load(tmp_path, draw=far, chain={"spans": {"contrast": 0.7}}).draw.mode == "scores"
    assert load(tmp_path, draw=scores(box(contrast=[0.6, 0.8]), CELL)).draw.mode == "scores"
    assert load(tmp_path, draw=far, chain={"spans": {"contrast": 0.0}}).draw.mode == "scores"


def test_mistakes_in_cells_are_listed_with_all_others(tmp_path: Path) -> None:
    cells = [box(hue=[0.0, 0.1]), box(contrast=[0, 3])]
    found = mistakes(tmp_path, samples=0, draw=scores(*cells), shard=0)
    assert [problem.split(": ")[1] for problem in found] == [
        "samples",
        "draw.cells.0.box.hue",
        "draw.cells.1.box.contrast",
        "shard",
    ]
    (problem,) = mistakes(
        tmp_path, draw=scores(*cells), chain={"filters": ["sepia"]}
    )  # of no chain, nothing is said
    assert ": chain: " in problem


def test_as_many_cells_as_are_accepted_are_read_again(tmp_path: Path) -> None:
    cells = [box(contrast=[0.0, 0.25])] * (MOST_NUMBERS // 6)
    assert len(load(tmp_path, draw=scores(*cells)).draw.cells) == len(cells)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.floats()
    | st.sampled_from(["scores", "brightness", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["box", "score", "brightness", "mode"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([*MODES, "other"]),
    st.dictionaries(st.sampled_from(["quantiles", "toward", "file", "floor", "cells", "recovery"]), anything),
)
def test_any_draw_is_accepted_or_refused(
    tmp_path_factory: pytest.TempPathFactory, mode: str, keys: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    message = str(folder / "recipe.yaml")
    try:
        recipe = load(folder, draw={"mode": mode, **keys})
        assert draw_strategy(recipe.draw, GREY) is not None
        assert recipe == Recipe.model_validate_json(recipe.model_dump_json())
    except SynthharmError as error:
        message = str(error)
    assert str(folder / "recipe.yaml") in message


# Spans of arguments whose names have dots


@pytest.mark.parametrize(
    "override",
    [
        "chain.spans.white_balance.tint=0.1",
        "chain.spans={white_balance.tint: 0.1}",
        'chain.spans={"white_balance.tint": 0.1}',
        'chain={filters: [white_balance], spans: {"white_balance.tint": 0.1}}',
    ],
)
def test_a_span_may_be_set_by_a_name_with_a_dot(tmp_path: Path, override: str) -> None:
    recipe = load(tmp_path, override, chain={"filters": ["white_balance"]})
    assert recipe.chain.spans == {"white_balance.tint": 0.1}


def test_spans_from_a_file_and_from_overrides_come_together(tmp_path: Path) -> None:
    spans = {"white_balance.tint": 0.1, "exposure": 0.2}
    chain = {"filters": ["exposure", "white_balance"], "spans": spans}
    overrides = ("chain.spans.white_balance.tint=0.15", "chain.spans.white_balance.temperature=0.2")
    recipe = load(tmp_path, *overrides, chain=chain)
    assert recipe.chain.spans == spans | {"white_balance.tint": 0.15, "white_balance.temperature": 0.2}
    (problem,) = mistakes(tmp_path, "chain.spans.white_balance.tint=2", chain=chain)
    assert "the span of white_balance.tint is 2.0; 0 to 0.6 is accepted" in problem
    (problem,) = mistakes(tmp_path, "chain.spans.white_balance=0.1", chain=chain)
    assert "span for 'white_balance', but the arguments are exposure, white_balance.temperature, " in problem


# Filters that can only be applied


@pytest.mark.parametrize("name", ["lut", "looks/dusk.cube"])
def test_a_table_of_colours_is_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    (problem,) = mistakes(tmp_path, chain={"filters": ["shadow", name]})
    assert f"chain: {name!r} is a table of colours, which has no inverse" in problem
    with pytest.raises(ValueError, match="lut_filter"):
        FilterChain([name])


# Recipes that are no file


def test_a_recipe_object_takes_neither_overrides_nor_a_scores_file(tmp_path: Path) -> None:
    recipe = Recipe.model_validate(LEAST)
    assert as_recipe(recipe) is recipe
    with pytest.raises(
        SynthharmError, match=r"overrides are \['samples=3'\]; they are accepted with a recipe's file"
    ):
        as_recipe(recipe, ["samples=3"])
    with pytest.raises(SynthharmError, match="overrides are"):
        generate(recipe, tmp_path / "dataset", overrides=["samples=3"])
    with pytest.raises(SynthharmError, match="overrides are"):
        make_preview(recipe, 1, tmp_path / "sheet.png", overrides=["samples=3"])
    named = Recipe.model_validate(LEAST | {"draw": {"mode": "scores", "file": "scores.json"}})
    with pytest.raises(SynthharmError, match=r"draw\.file is 'scores\.json'; outside a recipe's file, cells are"):
        as_recipe(named)
    assert list(tmp_path.iterdir()) == []


def test_a_recipes_file_takes_overrides(tmp_path: Path) -> None:
    load(tmp_path)
    path = tmp_path / "recipe.yaml"
    assert (
        as_recipe(path, ["samples=9"]) == as_recipe(str(path), ["samples=9"]) == load_recipe(path, ["samples=9"])
    )
    assert as_recipe(path, ["samples=9"]).samples == 9
    assert refusal(path, "samples=0").startswith(f"recipe {path}: 1 mistake")


def test_recipes_spell_out_what_the_filters_have() -> None:
    """They do so that reading a recipe imports no torch."""
    assert tuple(DifficultyDraw(mode="difficulty").quantiles) == IHARMONY4
    assert tuple(Chain().filters) == PAPER
