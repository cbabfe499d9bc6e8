"""Whatever comes in is read or refused: nothing crashes, hangs, takes all memory, leaves its folder or is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_child import HIGHEST, KINDS
from fuzzing import Tally, fuzz

MANY = {"images": 1500, "masks": 800, "listings": 900, "recipes": 700, "records": 600, "checkpoints": 500}
FEW = {"images": 80, "listings": 60, "recipes": 60}  # of what takes no time to begin


def check(tally: Tally, count: int) -> None:
    """That no case went wrong, and that cases are neither all good nor all hopeless."""
    print(tally)
    assert not tally.faults, "\n\n".join([str(tally), *tally.faults[:5]])
    assert tally.cases == count
    assert tally.grown < HIGHEST
    assert tally.accepted >= count * 0.05, tally
    assert count - tally.accepted >= count * 0.1, tally
    assert len(tally.outcomes) >= 5, tally


@pytest.mark.parametrize("kind", FEW)
def test_some_spoilt_inputs_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    check(fuzz(kind, range(FEW[kind]), tmp_path), FEW[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_spoilt_inputs_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    check(fuzz(kind, range(MANY[kind]), tmp_path), MANY[kind])


def test_many_are_as_many_as_is_promised() -> None:
    assert sum(MANY.values()) >= 5000
    assert set(MANY) == set(KINDS)
