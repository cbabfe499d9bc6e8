"""Drawing arguments that lose nothing, in several ways."""

from synthharm.filters.drawing.draw import draw_arguments
from synthharm.filters.drawing.judge import Judge, Judgement, Limits
from synthharm.filters.drawing.span import Span
from synthharm.filters.drawing.task import Drawn, Generators, Strategy, Task

__all__ = [
    "Drawn",
    "Generators",
    "Judge",
    "Judgement",
    "Limits",
    "Span",
    "Strategy",
    "Task",
    "draw_arguments",
]
