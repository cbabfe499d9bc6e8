"""What tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_trainings import PHOTOS

from synthharm.generate import generate


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset of composites with known arguments."""
    root = tmp_path_factory.mktemp("stored")
    recipe = root / "recipe.yaml"
    lines = ("samples: 6", "seed: 3", f"data: {PHOTOS}", "source: {format: coco}", "writer: {format: folder}")
    recipe.write_text("\n".join(lines))
    generate(recipe, root / "dataset")
    return root / "dataset"
