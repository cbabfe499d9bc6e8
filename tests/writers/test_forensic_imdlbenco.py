"""The datasets of the published IMDL-BenCo, unmodified, read the format `imdlbenco`.

The package asks for an older NumPy than this project, so it gets an environment of its own below the running one,
which is made once: everything that its datasets import, except torch, which is borrowed from the running one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forensic_items import SPLITS, about, items, pixels

from synthharm.writers.forensics.imdlbenco import ImdlBencoFormat
from synthharm.writers.forensics.item import Item

pytestmark = pytest.mark.slow

PACKAGE = "imdlbenco==0.1.45"
NEEDED = ["numpy<2", "albumentations==1.3.0", "opencv-python-headless<5", "matplotlib", "rich"]  # by its datasets
SCRIPT = Path(__file__).with_name("imdlbenco_loads.py")


@pytest.fixture(scope="module")
def interpreter() -> Path:
    """The Python of the environment that has IMDL-BenCo."""
    home = Path(sys.prefix) / PACKAGE.replace("==", "-")
    done = home / "installed"  # written last
    python = home / "bin" / "python"
    if not done.exists() or done.read_text() != f"{PACKAGE} {NEEDED}\n":
        shutil.rmtree(home, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(home)])
        install(python, "--no-deps", PACKAGE)
        install(python, *NEEDED)
        borrow_torch(python)
        done.write_text(f"{PACKAGE} {NEEDED}\n")
    return python


def install(python: Path, *what: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"{' '.join(what)} cannot be installed: {found.stderr.strip().splitlines()[-1]}")


def borrow_torch(python: Path) -> None:
    """Let the environment find what it lacks among the running one's packages; its own come first."""
    spec = find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    packages = Path(run([str(python), "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]).strip())
    (packages / "borrowed.pth").write_text(f"{Path(spec.origin).parents[1]}\n")


def run(command: list[str]) -> str:
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=clean)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def loaded(interpreter: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("imdlbenco") / "dataset"
    aside = root.with_name("aside")
    aside.mkdir()
    ImdlBencoFormat(root).write(lambda: iter(items()), aside, about())
    aside.rename(root)
    found: dict[str, Any] = json.loads(run([str(interpreter), str(SCRIPT), str(root), *SPLITS]))
    return found


# One test, so that one process alone makes the environment.
def test_the_datasets_find_every_sample(loaded: dict[str, Any]) -> None:
    for split in SPLITS:
        samples = [item for item in items() if item.record.split == split]
        compare(loaded[f"{split} json"], samples)
        compare(loaded[f"{split} mani"], [item for item in samples if item.record.manipulated])


def compare(loaded: list[dict[str, Any]], samples: list[Item]) -> None:
    for found, item in zip(loaded, samples, strict=True):
        record = item.record
        height, width = record.image["height"], record.image["width"]
        mask = pixels(item, "mask") > 0 if record.manipulated else np.zeros((height, width), bool)
        assert Path(found["name"]).stem == record.name
        assert found["label"] == int(record.manipulated)
        assert found["shape"] == [height, width]
        assert found["image"][0] == 3
        assert found["mask"] == [1, *found["image"][1:]]
        assert found["values"] == ([0, 1] if record.manipulated else [0])
        assert found["sum"] == record.image["area"]
        assert found["rows"] == mask.sum(1).tolist()
        assert found["columns"] == mask.sum(0).tolist()
