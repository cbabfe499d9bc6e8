"""What tests of evaluations share."""

from __future__ import annotations

import pytest


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take longer than all the rest: most tests do without them."""
    monkeypatch.setattr("synthharm.evaluation.writing.draw_plots", lambda _: iter(()))
