"""The white box: filters, their right inverses, and chains of them."""

from synthharm.filters.arguments import Arguments
from synthharm.filters.chain import FilterChain, Inverse
from synthharm.filters.drawing import ColourStatistics, Difficulty, Gamut, Limits, Reference, Scores, Span
from synthharm.filters.filter import Filter, Parameter
from synthharm.filters.lut import Lut, lut_filter, read_cube
from synthharm.filters.registry import FILTERS, PAPER, find_filter

__all__ = [
    "FILTERS",
    "PAPER",
    "Arguments",
    "ColourStatistics",
    "Difficulty",
    "Filter",
    "FilterChain",
    "Gamut",
    "Inverse",
    "Limits",
    "Lut",
    "Parameter",
    "Reference",
    "Scores",
    "Span",
    "find_filter",
    "lut_filter",
    "read_cube",
]
