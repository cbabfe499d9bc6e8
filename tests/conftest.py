"""What every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # no test may reach a network
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The photos and golden outputs that lie beside a development checkout and are too large to ship."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the photos and golden outputs beside the checkout (../shared)")
    return folder


@pytest.fixture(scope="session")
def bundled() -> Path:
    """The photos that ship with the project."""
    return ROOT / "recipes" / "photos"
