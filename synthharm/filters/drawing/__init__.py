"""Drawing arguments that lose nothing, in several ways."""

from synthharm.filters.drawing.colour_statistics import ColourStatistics
from synthharm.filters.drawing.difficulty import IHARMONY4, Difficulty
from synthharm.filters.drawing.draw import draw_arguments
from synthharm.filters.drawing.gamut import Gamut
from synthharm.filters.drawing.judge import Judge, Judgement, Limits, ReferenceJudge
from synthharm.filters.drawing.reference import Reference
from synthharm.filters.drawing.scores import Cell, Scores, read_scores, write_scores
from synthharm.filters.drawing.span import Span
from synthharm.filters.drawing.task import Drawn, Generators, Strategy, Task

__all__ = [
    "IHARMONY4",
    "Cell",
    "ColourStatistics",
    "Difficulty",
    "Drawn",
    "Gamut",
    "Generators",
    "Judge",
    "Judgement",
    "Limits",
    "Reference",
    "ReferenceJudge",
    "Scores",
    "Span",
    "Strategy",
    "Task",
    "draw_arguments",
    "read_scores",
    "write_scores",
]
