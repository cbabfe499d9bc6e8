"""What a training tells: a line of JSON for each event, TensorBoard, and a bar while somebody watches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from synthharm.files import parse_json, write_atomically
from synthharm.training.state import BOARD, LOG


class Logs:
    """Lines in training.jsonl and figures in TensorBoard.

    Begun at a step, they are cut back to what was written up to it: what an ended run wrote after its last state
    is written again.

    Args:
        folder: of the training.
        step: the first one to come.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._path = folder / LOG
        kept = [line for line in read_log(folder) if line["step"] <= step]
        write_atomically(self._path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        writer: Any = SummaryWriter
        self._board = writer(str(folder / BOARD), purge_step=step + 1)

    def write(self, kind: str, step: int, values: Mapping[str, Any]) -> None:
        """Append a line; numbers in it become curves."""
        line = {"kind": kind, "step": step, **values}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in _numbers(values, kind):
            self._board.add_scalar(name, value, step)
        self._board.flush()

    def show(self, name: str, pictures: Tensor, step: int) -> None:
        """Put a picture (3, H, W) in [0, 1] into TensorBoard."""
        self._board.add_image(name, pictures, step)

    def close(self) -> None:
        """Write what is left."""
        self._board.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The lines of a training's log; one that was not written to its end is left out."""
    path = folder / LOG
    if not path.is_file():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = parse_json(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("step"), int):
            lines.append(line)
    return lines


@contextmanager
def progress_bar(total: int, done: int, shown: bool) -> Iterator[Any]:
    """A function to call with the steps done and a text, which draws a bar with rate and time left if `shown`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=console, disable=not shown) as progress:
        task = progress.add_task("", total=total, completed=done)
        yield lambda steps, text: progress.update(task, completed=steps, description=text)


def _numbers(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}/{name}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}/{name}", float(value)
