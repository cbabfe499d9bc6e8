"""What every test may use."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from s3_server import s3, s3_url

__all__ = ["s3", "s3_url"]

os.environ.setdefault("OMP_NUM_THREADS", "1")  # test processes run side by side, one for each core
os.environ["HF_HUB_OFFLINE"] = "1"  # no test may reach a network
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="synthharm-tests-")  # nor leave anything in a user's cache
atexit.register(shutil.rmtree, os.environ["HF_HOME"], ignore_errors=True)

# No test judges how long anything takes, on whatever machine it runs.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

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
