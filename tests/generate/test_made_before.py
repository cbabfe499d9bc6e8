"""What was made before is made again: datasets of older releases come out as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest
from made_before import CASES, LINES, made


@pytest.fixture(scope="module")
def before() -> dict[str, list[Any]]:
    found = [json.loads(line) for line in LINES.read_text().splitlines()]
    return {name: [one for one in found if one["case"] == name] for name in CASES}


def differences(found: Any, wanted: Any, where: str = "") -> list[str]:
    """Where two values of JSON differ; numbers with a point may by what libraries and processors do to them."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = dict.fromkeys([*wanted, *found])
        return [line for key in keys for line in differences(found.get(key), wanted.get(key), f"{where}.{key}")]
    if isinstance(wanted, list) and isinstance(found, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return [line for number, pair in pairs for line in differences(*pair, f"{where}[{number}]")]
    if isinstance(wanted, float) and isinstance(found, float):
        wanted = pytest.approx(wanted, rel=1e-3, abs=2e-3)
        return [] if found == wanted else [f"{where}: {found!r}, and was {wanted!r}"]
    return [] if type(found) is type(wanted) and found == wanted else [f"{where}: {found!r}, and was {wanted!r}"]


SLOW = ("audited",)


@pytest.mark.parametrize("name", [pytest.param(c, marks=pytest.mark.slow) if c in SLOW else c for c in CASES])
def test_what_was_made_before_is_made_again(name: str, before: dict[str, list[Any]]) -> None:
    found = [json.loads(line) for line in made(name)]
    assert differences(found, before[name]) == []
    assert before[name]
