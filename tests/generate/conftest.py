"""Good datasets in each layout, and copies of them to spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from held_runs import HeldRuns
from small_datasets import tree, write_photos, write_recipe
from splicing_datasets import Made, datasets_below

from synthharm.generate import generate

LAYOUTS: dict[str, dict[str, Any]] = {
    "png": {},
    "png16": {"encoding": {"format": "png16"}},
    "jpeg": {"encoding": {"format": "jpeg"}},
    "soft": {"composite": {"feather": 3.0}, "samples": 3},
    "iharmony4": {
        "writer": {"format": "iharmony4"},
        "encoding": {"format": "jpeg"},
        "split": {"train": 0.6, "test": 0.4},
    },
}


@pytest.fixture(scope="session")
def dataset_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A dataset in each layout, made when first asked for."""
    root = tmp_path_factory.mktemp("check")
    photos = write_photos(root / "photos")

    def make(name: str) -> Path:
        if not (root / name).exists():
            changes = {"samples": 6, "shard": 4} | LAYOUTS[name]
            generate(write_recipe(root / f"{name}.yaml", photos, **changes), root / name)
        return root / name

    return make


@pytest.fixture
def copy_of(dataset_in: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    def copy(name: str) -> Path:
        shutil.copytree(dataset_in(name), tmp_path / name)
        return tmp_path / name

    return copy


@pytest.fixture
def copy(copy_of: Callable[[str], Path]) -> Path:
    return copy_of("png")


@pytest.fixture(scope="session")
def splicing(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Splicing datasets, each made when first asked for."""
    return datasets_below(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def expected(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The dataset of a test file's `recipe`, as it comes out where nothing happens meanwhile."""
    folder = tmp_path_factory.mktemp("expected") / "dataset"
    generate(recipe, folder)
    return tree(folder)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[HeldRuns]:
    runs = HeldRuns(tmp_path)
    yield runs
    runs.clear()
