"""A preview's captions: what was measured, then the arguments that change most."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthharm.filters import FILTERS, FilterChain
from synthharm.generate import make_preview, preview
from synthharm.report import Row


@given(st.lists(st.sampled_from(sorted(FILTERS)), min_size=1, max_size=5, unique=True), st.booleans(), st.data())
def test_the_arguments_farthest_from_neutral_are_named(
    filters: list[str], narrow: bool, data: st.DataObject
) -> None:
    plain = FilterChain(filters)
    spans = {plain.columns[0]: plain.parameters[0].span / 100, plain.columns[-1]: 0.0} if narrow else {}
    chain = FilterChain(filters, spans=spans)
    shares, arguments = {}, {}
    for column, parameter in zip(chain.columns, chain.parameters, strict=True):
        share = 0.0 if spans.get(column) == 0 else data.draw(st.floats(-1, 1))
        shares[column] = abs(share)
        arguments[column] = parameter.neutral + share * spans.get(column, parameter.span)
    words = preview._describe_arguments(chain, arguments).split("  ")
    left = len(chain.columns) - 6
    assert (words[-1] == f"and {left} more") == (left > 0)
    named = [word.split() for word in words[: -1 if left > 0 else None]]
    assert len(named) == min(6, len(chain.columns))
    assert len({column for column, _ in named}) == len(named)
    assert all(float(value) == pytest.approx(arguments[column], abs=5.1e-4) for column, value in named)
    found = [shares[column] for column, _ in named]
    others = [share for column, share in shares.items() if column not in dict(named)]
    assert found == pytest.approx(sorted(found, reverse=True), abs=1e-9)
    assert min(found) >= max(others, default=0) - 1e-9


def test_a_caption_begins_with_what_was_measured(
    bundled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[Row] = []
    contact_sheet = preview.contact_sheet

    def keep(shown: list[Row], title: str, titles: Any) -> Any:
        rows.extend(shown)
        return contact_sheet(shown, title, titles)

    monkeypatch.setattr(preview, "contact_sheet", keep)
    recipe = bundled.parent / "quickstart.yaml"
    overrides = ["chain.filters=[lift_gamma_gain]", "samples=2"]
    assert make_preview(recipe, 2, tmp_path / "sheet.png", overrides=overrides) == 2
    form = r"fMSE \d+, back to \d+\.\d dB   (lift_gamma_gain\.\w+ [+-]\d\.\d{3}  ){6}and 3 more"
    assert all(re.fullmatch(form, row.caption) for row in rows)
    assert len(rows) == 2
