"""The key of an index changes with all that making a plan writes, and with nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from small_datasets import tree, write_photos, write_recipe
from splicing_datasets import parsed, recipe_of, write_source

from synthharm.generate.plan import Plan
from synthharm.generate.source_key import source_key
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.recipe import load_recipe


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "data")


def test_the_key_of_a_retouch_recipe(tmp_path: Path) -> None:
    data = write_photos(tmp_path / "data")

    def key(**changes: Any) -> str | None:
        return source_key(load_recipe(write_recipe(tmp_path / "recipe.yaml", data, **changes)))

    first = key()
    assert first is not None
    assert len(first) == 64
    for changes in ({"samples": 9}, {"seed": 1}, {"shard": 2}, {"split": {"all": 1.0}}, {"chain": {}}):
        assert key(**changes) == first
    others = [key(source={"format": "folder", "licence": "CC0"}), key(select={"side": [2, 500]})]
    (data / "images" / "photo0.png").rename(data / "images" / "photo9.png")
    assert len({first, key(), *others}) == 4


def test_the_key_of_a_splicing_recipe(source: Path) -> None:
    def key(**changes: Any) -> str | None:
        return source_key(parsed(recipe_of(source, **changes)))

    first = key()
    for changes in ({"samples": 9}, {"shard": 2}, {"families": 0.0, "grids": None}, {"boundary": 1.0}):
        assert key(**changes) == first
    shares = recipe_of(source)["split"]
    others = [
        key(seed=99),
        key(near_duplicates=3),
        key(licences={"accept": ["*"]}),
        key(split={"train": 0.7, "test": 0.3}),
        key(split={"test": 0.3, "train": 0.7}),
        key(select={"side": [2, 500]}),
    ]
    assert shares != {"train": 0.7, "test": 0.3}
    assert len({first, *others}) == 7


def test_the_key_looks_at_tables_of_cameras(source: Path, tmp_path: Path) -> None:
    def key(path: Path) -> str | None:
        return source_key(parsed(recipe_of(source, camera_tables=str(path))))

    (tmp_path / "tables.json").write_text("[]")
    first = key(tmp_path / "tables.json")
    os.utime(tmp_path / "tables.json", ns=(0, 0))
    assert key(tmp_path / "tables.json") == first
    (tmp_path / "tables.json").write_text("[ ]")
    assert key(tmp_path / "tables.json") != first
    (tmp_path / "photos").mkdir()
    before = key(tmp_path / "photos")
    (tmp_path / "photos" / "a.jpg").write_bytes(b"")
    assert len({first, before, key(tmp_path / "photos")}) == 3


def test_recipes_of_one_key_have_one_plan(source: Path, tmp_path: Path) -> None:
    for name, samples in (("one", 40), ("other", 7)):
        SplicingPlan.make(parsed(recipe_of(source, samples=samples)), tmp_path / name)
    assert tree(tmp_path / "one") == tree(tmp_path / "other")


def test_opening_a_plan_writes_nothing(source: Path, tmp_path: Path) -> None:
    recipe = parsed(recipe_of(source))
    SplicingPlan.make(recipe, tmp_path / "splicing")
    data = write_photos(tmp_path / "data")
    retouch: Any = load_recipe(write_recipe(tmp_path / "recipe.yaml", data))
    Plan.make(retouch, tmp_path / "retouch")
    before = tree(tmp_path)
    plan = SplicingPlan.open(recipe, tmp_path / "splicing")
    plan.in_company(plan.target(0, 0), plan.donor_regions(0, None))
    _ = plan.layout, plan.photos, plan.digest
    Plan.open(retouch, tmp_path / "retouch").region(3, 0)
    assert tree(tmp_path) == before
