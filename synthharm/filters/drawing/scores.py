"""Draws weighted by scores: more of what was found hard."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synthharm.errors import SynthharmError
from synthharm.filters.drawing.task import Drawn, Task, shrink

ATTEMPTS = 64  # draws before the last one is shrunk instead
VERSION = 1


@dataclass(frozen=True)
class Cell:
    """A box in the space of arguments, and how much of the draws it is to get.

    Args:
        box: by column, the lowest and highest value; columns that are not named may have any.
        score: 0 or more. A cell gets a share of the draws in proportion to it, however large the cell is.

    Raises:
        ValueError: a box without columns, or numbers that are not finite, in order, or 0 or more.

    Example:
        >>> Cell({"brightness": (0.2, 0.5), "contrast": (-0.5, 0.0)}, score=3.0).score
        3.0
    """

    box: Mapping[str, tuple[float, float]]
    score: float

    def __post_init__(self) -> None:
        if not self.box:
            raise ValueError("box is empty; a lowest and highest value for at least one column is accepted")
        for column, sides in self.box.items():
            if len(sides) != 2 or not all(_is_number(side) for side in sides) or not sides[0] < sides[1]:
                raise ValueError(f"box.{column} is {sides!r}; (lowest, highest) with lowest < highest is accepted")
        if not _is_number(self.score) or self.score < 0:
            raise ValueError(f"score is {self.score!r}; a number of 0 or more is accepted")


@dataclass(frozen=True)
class Scores:
    """Draw more from the boxes of arguments with high scores, and a part uniformly in the spans.

    A share `floor` of the images draws uniformly in the spans, so that easy arguments stay. Each other image draws
    a cell, with a probability in proportion to its score, and then uniformly in the part of its box that lies in
    the spans. A draw that costs more than the limits allow is drawn again, up to 64 times, from the same cell, so
    that hard cells keep their share, and shrunk towards neutral in the end, which may lead out of the cell.

    A cell with no part in the spans is not drawn from; where none has one, all is uniform. Columns with a span
    of 0 are neutral whatever a box says of them.

    Args:
        cells: at least one with a score above 0. They may overlap.
        floor: the share of draws that are uniform in the spans, above 0 and up to 1.

    Raises:
        ValueError: no cell with a score, a floor out of range, or, when drawing, a column that the chain lacks.

    Example:
        >>> from synthharm.filters import FilterChain
        >>> scores = Scores([Cell({"brightness": (0.2, 0.5)}, 3.0), Cell({"brightness": (-0.5, 0.2)}, 1.0)])
        >>> chain, mask = FilterChain.paper(), torch.ones(1, 1, 8, 8)
        >>> real = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)) / 2 + 0.2
        >>> arguments = chain.draw(real, mask, generator=torch.Generator().manual_seed(5), strategy=scores)
        >>> bool(0.2 <= arguments["brightness"] <= 0.5)
        True
    """

    cells: Sequence[Cell]
    floor: float = 0.2

    def __post_init__(self) -> None:
        object.__setattr__(self, "cells", tuple(self.cells))
        if not any(cell.score for cell in self.cells):
            raise ValueError(f"cells are {len(self.cells)} without a score; at least one above 0 is accepted")
        if not _is_number(self.floor) or not 0 < self.floor <= 1:
            raise ValueError(f"floor is {self.floor!r}; a share above 0 and up to 1 is accepted")

    def draw(self, task: Task) -> Drawn:
        """See `Strategy`."""
        everything = task.everything()
        low, high = self._boxes(task, everything)
        offsets = torch.zeros_like(low)
        attempts = torch.zeros_like(everything)
        passed = torch.zeros_like(everything, dtype=torch.bool)
        for _ in range(ATTEMPTS):
            rows = torch.nonzero(~passed)[:, 0]
            if not len(rows):
                break
            places = task.uniform(rows, len(task.columns))
            offsets[rows] = low[rows] + places * (high - low)[rows]
            attempts[rows] += 1
            passed[rows] = task.judge(rows, task.neutral + offsets[rows]).within(task.limits)
        drawn = Drawn(offsets, torch.ones_like(offsets[:, 0]), attempts)
        return shrink(task.judge, task.neutral, drawn, passed, task.limits)

    def _boxes(self, task: Task, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The offsets (R, K) between which each image draws."""
        low, high, scores = self._cells(task)
        drawn = task.uniform(rows, 2)
        total = scores.cumsum(dim=0)
        chosen = torch.searchsorted(total, drawn[:, 1] * total[-1], right=True).clamp(max=len(scores) - 1)
        uniform = ((drawn[:, 0] < self.floor) | (total[-1] == 0))[:, None]
        return torch.where(uniform, -task.spans, low[chosen]), torch.where(uniform, task.spans, high[chosen])

    def _cells(self, task: Task) -> tuple[Tensor, Tensor, Tensor]:
        """The cells' boxes within the spans, as offsets (C, K), and scores (C,), 0 where nothing is left."""
        low = (-task.spans).repeat(len(self.cells), 1)
        high = task.spans.repeat(len(self.cells), 1)
        for number, cell in enumerate(self.cells):
            for column, (lowest, highest) in cell.box.items():
                if column not in task.columns:
                    raise ValueError(
                        f"cells[{number}].box has {column!r}; the arguments are {', '.join(task.columns)}"
                    )
                k = task.columns.index(column)
                if task.spans[k] > 0:
                    low[number, k] = torch.clamp(lowest - task.neutral[k], min=-task.spans[k])
                    high[number, k] = torch.clamp(highest - task.neutral[k], max=task.spans[k])
        scores = torch.tensor([cell.score for cell in self.cells]).to(task.spans)
        return low, high, torch.where((low < high).logical_or(task.spans == 0).all(dim=1), scores, 0)


def read_scores(path: Path | str) -> Scores:
    """Read a scores file: JSON with `version` 1, a `floor`, and `cells`, each with its `box` and `score`.

    Raises:
        SynthharmError: the file cannot be read, is not JSON, or has a key or value that is not accepted.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "scores.json"
        ...     write_scores(Scores([Cell({"shadow": (0.0, 0.4)}, 2.5)], floor=0.3), path)
        ...     print(path.read_text())
        ...     read_scores(path).floor
        {"version": 1, "floor": 0.3, "cells": [
         {"box": {"shadow": [0.0, 0.4]}, "score": 2.5}
        ]}
        <BLANKLINE>
        0.3
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SynthharmError(f"{path}: no scores file could be read: {error}") from error
    try:
        return _parse(content)
    except ValueError as error:
        raise SynthharmError(f"{path}: {error}") from error


def write_scores(scores: Scores, path: Path | str) -> None:
    """Write a scores file, which `read_scores` reads. Raises OSError."""
    cells = ",\n".join(
        " " + json.dumps({"box": {column: list(sides) for column, sides in cell.box.items()}, "score": cell.score})
        for cell in scores.cells
    )
    text = f'{{"version": {VERSION}, "floor": {json.dumps(scores.floor)}, "cells": [\n{cells}\n]}}\n'
    Path(path).write_text(text)


def _parse(content: Any) -> Scores:
    """The content of a scores file. Raises ValueError naming key, value and what is accepted."""
    _check_keys("the file", content, ("version", "floor", "cells"))
    if content["version"] != VERSION or content["version"] is True:
        raise ValueError(f"version is {content['version']!r}; {VERSION} is accepted")
    if not isinstance(content["cells"], list):
        raise ValueError(f"cells is {content['cells']!r}; a list is accepted")
    cells = []
    for number, given in enumerate(content["cells"]):
        _check_keys(f"cells[{number}]", given, ("box", "score"))
        if not isinstance(given["box"], dict):
            raise ValueError(f"cells[{number}].box is {given['box']!r}; an object is accepted")
        for column, sides in given["box"].items():
            if not isinstance(sides, list):
                raise ValueError(f"cells[{number}].box.{column} is {sides!r}; [lowest, highest] is accepted")
        try:
            box = {column: tuple(sides) for column, sides in given["box"].items()}
            cells.append(Cell(box, given["score"]))
        except ValueError as error:
            raise ValueError(f"cells[{number}].{error}") from error
    return Scores(cells, content["floor"])


def _check_keys(name: str, given: Any, accepted: Sequence[str]) -> None:
    """Refuse anything but an object with exactly these keys."""
    if not isinstance(given, dict):
        raise ValueError(f"{name} is {given!r}; an object with {', '.join(accepted)} is accepted")
    for key in given:
        if key not in accepted:
            raise ValueError(f"{name} has the key {key!r}; {', '.join(accepted)} are accepted")
    for key in accepted:
        if key not in given:
            raise ValueError(f"{name} has no {key!r}; {', '.join(accepted)} are needed")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
