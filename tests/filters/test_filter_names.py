"""The public face of the room: what others rely on by name. A change here is one to announce."""

from __future__ import annotations

from synthharm import filters
from synthharm.filters import FILTERS, PAPER, FilterChain


def test_public_names() -> None:
    assert sorted(filters.__all__) == [
        "Arguments",
        "ColourStatistics",
        "Difficulty",
        "FILTERS",
        "Filter",
        "FilterChain",
        "Gamut",
        "Inverse",
        "Limits",
        "Lut",
        "PAPER",
        "Parameter",
        "Reference",
        "Scores",
        "Span",
        "find_filter",
        "lut_filter",
        "read_cube",
    ]
    assert all(hasattr(filters, name) for name in filters.__all__)


def test_public_names_of_a_chain() -> None:
    public = {name for name in dir(FilterChain) if not name.startswith("_")}
    public |= set(FilterChain.__dataclass_fields__)
    assert sorted(public) == [
        "apply",
        "arguments",
        "columns",
        "disharmonize",
        "draw",
        "filters",
        "invert",
        "keeping_grey",
        "needs_positions",
        "paper",
        "parameters",
        "spans",
        "statistics",
        "steps",
    ]


def test_names_of_the_filters() -> None:
    assert PAPER == ("temperature", "brightness", "contrast", "saturation", "highlight", "shadow")
    assert set(PAPER) <= set(FILTERS)
    assert list(FILTERS) == sorted(FILTERS)
    assert all(f.name == name for name, f in FILTERS.items())
    assert FilterChain.paper().columns == PAPER
    assert FilterChain.paper().statistics == "image"
    assert FilterChain.paper("foreground").statistics == "foreground"
