"""The sources that the benchmark of planning makes up are as it says, and its rows can be had."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


def load(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return import_module(name)


def test_all_that_is_made_up_is_listed_and_planned_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planning = load("planning")
    monkeypatch.setattr(planning, "SHAPES", 500)
    monkeypatch.setattr(planning, "SAMPLES", 3000)
    monkeypatch.setattr(planning, "LOOKED_UP", (0, 1500, 2999))
    monkeypatch.setattr(planning, "CONSECUTIVE", 50)
    planning.write_instances(tmp_path / "instances.json", 40, 900)
    planning.write_photos(tmp_path / "images", 40)
    listed = json.loads((tmp_path / "instances.json").read_bytes())["images"]
    assert {image["file_name"] for image in listed} == {path.name for path in (tmp_path / "images").iterdir()}
    found = planning.index_cold(tmp_path)
    assert (found["photos"], found["regions"]) == (40, 900)
    assert planning.key(tmp_path)["photo_files"] == 40
    assert planning.plan_cached(tmp_path)["seconds"] > 0
    assert planning.queries(tmp_path)["seconds"] > 0
    planning.splicing_cold(tmp_path)
    assert planning.near_duplicates(tmp_path)["photos"] == 40
    assert 0 < planning.splicing_cached(tmp_path)["units"] < 3000


def test_fingerprints_are_taken_of_real_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planning = load("planning")
    monkeypatch.setattr(planning, "SHAPES", 50)
    planning.write_instances(tmp_path / "instances.json", 5, 40)
    (tmp_path / "images").mkdir()
    width, height = planning.SIDES
    for number in range(5):
        pixels = np.random.default_rng(number).integers(256, size=(height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number:012d}.jpg")
    found = planning.fingerprints(tmp_path)
    assert (found["photos"], found["rejected"]) == (5, 0)
    assert found["processor_milliseconds_a_photo"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process inherits no peak")
def test_a_peak_is_of_the_process_itself() -> None:
    """This process has held more than the one that it begins, and getrusage says so there."""
    source = inspect.getsource(load("measuring").peak_memory)
    rusage = "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024"
    lines = ["import resource, sys", "from pathlib import Path", source, "held = b'x' * (64 << 20)"]
    code = "\n".join([*lines, f"print(peak_memory(), {rusage})"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    peak, inherited = map(int, done.stdout.split())
    assert 64 << 20 < peak < 128 << 20
    assert inherited > 128 << 20
