"""The sources that the benchmark of planning makes up are as it says, and its rows can be had."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"


def load(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return import_module(name)


def test_all_that_is_made_up_is_listed_and_planned_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planning = load("planning")
    monkeypatch.setattr(planning, "PHOTOS", 40)
    monkeypatch.setattr(planning, "SAMPLES", 3000)
    monkeypatch.setattr(planning, "LOOKED_UP", (0, 1500, 2999))
    monkeypatch.setattr(planning, "CONSECUTIVE", 50)
    planning.write_instances(tmp_path / "instances.json", 40, 900)
    found = planning.index_cold(tmp_path)
    assert (found["photos"], found["regions"]) == (40, 900)
    assert planning.plan_cached(tmp_path)["seconds"] > 0
    assert planning.queries(tmp_path)["seconds"] > 0
    planning.splicing_cold(tmp_path)
    assert 0 < planning.splicing_cached(tmp_path)["units"] < 3000
