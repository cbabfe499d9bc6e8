"""A recipe is read: what ships, what it may say, where its data lies, and what is set on top of it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from recipe_cases import FOUR, LEAST, RECIPES, SHIPPED, load, mistakes, refusal

from synthharm.errors import SynthharmError
from synthharm.recipe import Recipe, SplicingRecipe, load_recipe, recipe_schema

PLACEHOLDERS = {
    "augment_iharmony4.yaml": "IHARMONY4",
    "difficulty_coco.yaml": "COCO",
    "lighting_coco.yaml": "COCO",
    "retouch_coco.yaml": "COCO",
    "splicing_coco.yaml": "COCO",
}

# What ships


def test_some_recipes_ship() -> None:
    assert len(SHIPPED) >= 5


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_a_shipped_recipe_is_read(path: Path) -> None:
    recipe = load_recipe(path)
    if path.name in PLACEHOLDERS:
        assert Path(recipe.data) == RECIPES / PLACEHOLDERS[path.name]
    else:
        assert Path(recipe.data).is_dir()
        assert Path(recipe.data).is_absolute()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_a_shipped_recipe_begins_with_the_command_that_runs_it(path: Path) -> None:
    first, second = path.read_text().splitlines()[:2]
    words = shlex.split(first.removeprefix("# "))
    assert words[:3] == ["synthharm", "generate", f"recipes/{path.name}"]
    assert "--output" in words
    overrides = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    assert overrides == ([f"data={PLACEHOLDERS[path.name]}"] if path.name in PLACEHOLDERS else [])
    load_recipe(path, overrides)
    assert second == "# yaml-language-server: $schema=recipe.schema.json"


def test_the_shipped_schema_is_the_recipes() -> None:
    assert json.loads((RECIPES / "recipe.schema.json").read_text()) == recipe_schema()


def test_the_schema_accepts_what_ships_and_refuses_mistakes() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(recipe_schema())
    validator = jsonschema.Draft202012Validator(recipe_schema())
    for path in SHIPPED:
        validator.validate(yaml.safe_load(path.read_text()))
    for wrong in ({"samples": 0}, {"sample": 3}, {"source": {"format": "coco", "mask": "a"}}):
        assert not validator.is_valid(LEAST | wrong)


def test_the_schema_describes_every_key_and_closes_every_section() -> None:
    schema = recipe_schema()
    sections = schema["$defs"].values()
    described = [s for s in sections if "properties" in s]
    assert len(described) >= 10
    for section in described:
        assert section["additionalProperties"] is False
        assert section["description"]
        for name, value in section["properties"].items():
            refers = {"$ref", "discriminator"} & value.keys()
            assert "description" in value or refers or "const" in value, f"{section['title']}.{name}"
    for model, required in ((Recipe, {"writer"}), (SplicingRecipe, {"kinds"})):
        section = schema["$defs"][model.__name__]
        assert set(section["required"]) == {"samples", "data", "source"} | required
        assert set(section["properties"]) == set(model.model_fields)


# What is accepted


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    recipe = load(tmp_path)
    assert (recipe.samples, recipe.seed, recipe.shard, recipe.split) == (3, 0, 64, {"train": 1.0})
    assert recipe.chain.filters == ["temperature", "brightness", "contrast", "saturation", "highlight", "shadow"]
    assert (recipe.draw.unrecoverable, recipe.draw.recovery) == (0.005, 35)
    assert (recipe.encoding.format, recipe.encoding.subsampling) == ("png", "4:4:4")
    assert (recipe.composite.kind, recipe.composite.soft, recipe.composite.feather) == ("retouch", False, 0)


@settings(deadline=None)
@given(
    samples=st.integers(1, 10**6),
    seed=st.integers(0, 2**63 - 1),
    shard=st.integers(1, 100_000),
    recovery=st.floats(0, 200),
    area=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    quality=st.integers(1, 100),
)
def test_values_come_back_as_they_were_given(tmp_path_factory: pytest.TempPathFactory, **given: Any) -> None:
    recipe = load(
        tmp_path_factory.getbasetemp(),
        samples=given["samples"],
        seed=given["seed"],
        shard=given["shard"],
        draw={"recovery": given["recovery"]},
        select={"area_share": given["area"]},
        encoding={"format": "jpeg", "quality": given["quality"]},
    )
    assert (recipe.samples, recipe.seed, recipe.shard) == (given["samples"], given["seed"], given["shard"])
    assert recipe.draw.recovery == given["recovery"]
    assert list(recipe.select.area_share) == given["area"]
    assert recipe.encoding.quality == given["quality"]
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_limits_are_included(tmp_path: Path) -> None:
    for key, low, high in (("quality", 1, 100), ("compression", 0, 9)):
        for value in (low, high):
            assert getattr(load(tmp_path, encoding={"format": "jpeg", key: value}).encoding, key) == value
        for value in (low - 1, high + 1):
            assert mistakes(tmp_path, encoding={key: value})[0].startswith(f"line 8: encoding.{key}: is {value}; ")
    assert load(tmp_path, seed=2**63 - 1).seed == 2**63 - 1
    assert len(mistakes(tmp_path, samples=0, seed=2**63, shard=0)) == 3


@pytest.mark.parametrize("split", [{"train": 1}, {"train": 0.7, "val": 0.2, "test_b": 0.1}, {"a": 1, "b": 0}])
def test_shares_that_add_up_are_accepted(tmp_path: Path, split: dict[str, float]) -> None:
    assert load(tmp_path, split=split).split == split


def test_the_iharmony4_layout_takes_jpeg_and_its_splits(tmp_path: Path) -> None:
    assert load(tmp_path, **FOUR, split={"train": 0.9, "test": 0.1}).writer.format == "iharmony4"
    assert load(tmp_path, **FOUR, split={"test": 1}).split == {"test": 1}
    recipe = load(tmp_path, **FOUR, source={"format": "iharmony4", "split": "all"}, split="source")
    assert recipe.split == "source"


# Where the data lies


def test_a_relative_data_root_is_taken_from_the_recipes_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("recipes/photos", "work/photos"):
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    own = load(tmp_path / "recipes", data="photos")
    assert own.data == str(tmp_path / "recipes" / "photos")
    assert load_recipe("../recipes/recipe.yaml").data == own.data
    assert load_recipe("../recipes/recipe.yaml", ["data=photos"]).data == str(tmp_path / "work" / "photos")
    absolute = load(tmp_path / "recipes", data=str(tmp_path / "work" / "photos"))
    assert absolute.data == str(tmp_path / "work" / "photos")


def test_another_folder_of_that_name_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from synthharm.generate.sections import open_source

    for place in ("recipes", "work/photos"):
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(SynthharmError, match="recipes/photos' is not a folder"):
        open_source(load(tmp_path / "recipes", data="photos"))


def test_a_name_that_is_no_folder_stays(tmp_path: Path) -> None:
    assert load(tmp_path, data="owner/dataset", source={"format": "huggingface"}).data == "owner/dataset"
    assert load(tmp_path, "data=other/dataset", source={"format": "huggingface"}).data == "other/dataset"
    assert load(tmp_path, data="n" * 5000, source={"format": "huggingface"}).data == "n" * 5000


# Overrides


def test_overrides_come_on_top_in_order(tmp_path: Path) -> None:
    overrides = (
        "samples=4",
        "samples=5",
        "draw.recovery=40",
        "select.area_share=[0.1, 0.5]",
        "chain.filters=[shadow]",
    )
    recipe = load(tmp_path, *overrides, "chain.spans.shadow=0.2", draw={"recovery": 30, "unrecoverable": 0.1})
    assert recipe.samples == 5
    assert (recipe.draw.recovery, recipe.draw.unrecoverable) == (40, 0.1)
    assert recipe.select.area_share == (0.1, 0.5)
    assert (recipe.chain.filters, recipe.chain.spans) == (["shadow"], {"shadow": 0.2})


def test_an_override_may_set_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("source: {format: coco}\nwriter: {format: folder}\n")
    assert load_recipe(path, ["samples=1", "data=x"]).samples == 1


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_subsampling_needs_no_quotes(tmp_path: Path, subsampling: str) -> None:
    recipe = load(tmp_path, f"encoding.subsampling={subsampling}", encoding={"format": "jpeg"})
    assert recipe.encoding.subsampling == subsampling


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "0.001", ".001", "1E-3"])
def test_numbers_may_be_written_as_in_json(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, f"draw.unrecoverable={text}").draw.unrecoverable == 0.001


def test_a_mistake_in_an_override_is_placed_there(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "draw.recovery=high", draw={"recovery": 1}) == [
        "--set draw.recovery=high: draw.recovery: is 'high'; input should be a valid number"
    ]
    assert mistakes(tmp_path, "draw.recover=1")[0].startswith(
        "--set draw.recover=1: draw.recover: unknown key; did"
    )
    problems = mistakes(tmp_path, "select={area_share: [3, 4]}", select={"area_share": [0, 1]})
    assert [p.partition(": select.")[0] for p in problems] == ["--set select={area_share: [3, 4]}"] * 2


def test_an_override_cannot_go_into_a_scalar(tmp_path: Path) -> None:
    load(tmp_path)
    assert refusal(tmp_path / "recipe.yaml", "data.root=x") == (
        "--set data.root=x: data is 'nowhere', which has nothing in it to set"
    )
