"""Ways to show a run: a bar on a terminal, lines of text or JSON, and a file that other processes read."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from synthharm.errors import SynthharmError
from synthharm.files import json_text, write_atomically
from synthharm.generate.running.watch import MAKING, State, View

LOGS = ("auto", "bar", "text", "json", "none")
_FILE_EVERY, _LINE_EVERY = 1.0, 10.0  # seconds between states of one phase


def open_views(log: str, stream: IO[str]) -> list[View]:
    """What a person asked to see.

    Args:
        log: "bar", "text" (a line from time to time), "json" (the same for programs), "none", or "auto": a bar on
            a terminal, text elsewhere.
        stream: where it goes.

    Raises:
        SynthharmError: it is none of these.
    """
    if log not in LOGS:
        raise SynthharmError(f"log is {log!r}; accepted are {', '.join(LOGS)}")
    if log == "auto":
        log = "bar" if stream.isatty() else "text"
    if log == "bar":
        return [Bar(stream)]
    return [] if log == "none" else [Lines(stream, as_json=log == "json")]


class StatusFile:
    """A JSON file that always holds the latest state, whole."""

    def __init__(self, path: Path) -> None:
        self.path, self.due = path, 0.0
        self.last: tuple[str, str | None] = ("", None)

    def show(self, state: State) -> None:
        """See `View`."""
        now = time.monotonic()
        said = state.phase, state.message
        if said == self.last and now < self.due:
            return
        self.due, self.last = now + _FILE_EVERY, said
        # A full disk, or a service that is away, is said by what cannot do without it (and storage libraries raise
        # errors of many kinds); to follow a run is not worth ending it for.
        with contextlib.suppress(Exception):
            write_atomically(self.path, json_text(asdict(state)))

    def close(self) -> None:
        """See `View`."""


class Lines:
    """A line for each phase, and one from time to time while shards are made."""

    def __init__(self, stream: IO[str], as_json: bool, every: float = _LINE_EVERY) -> None:
        self.stream, self.as_json, self.every = stream, as_json, every
        self.due = 0.0
        self.last: tuple[str, str | None] = ("", None)

    def show(self, state: State) -> None:
        """See `View`."""
        now = time.monotonic()
        said = state.phase, state.message
        if said == self.last and now < self.due and state.shards_done < state.shards:
            return
        self.due, self.last = now + self.every, said
        moment = datetime.fromtimestamp(state.updated, UTC)
        if self.as_json:
            line = json.dumps({"time": moment.isoformat(timespec="milliseconds"), **asdict(state)})
        else:
            line = f"{moment:%H:%M:%S} {describe(state)}"
        with contextlib.suppress(OSError, ValueError):  # nobody listens any more
            print(line, file=self.stream, flush=True)

    def close(self) -> None:
        """See `View`."""


class Bar:
    """A progress bar, with rate, time left, bytes and rejects."""

    def __init__(self, stream: IO[str]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self.progress = Progress(*columns, TextColumn("{task.fields[more]}"), console=Console(file=stream))
        self.task: Any = None

    def show(self, state: State) -> None:
        """See `View`."""
        more = figures(state)
        if state.phase == MAKING and state.message:
            more.append(state.message)
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone
            if self.task is None:
                self.progress.start()
                self.task = self.progress.add_task(state.phase, total=state.wanted, more="")
            self.progress.update(self.task, description=state.phase, completed=state.samples, more=", ".join(more))

    def close(self) -> None:
        """See `View`."""
        if self.task is not None:
            with contextlib.suppress(OSError, ValueError):
                self.progress.stop()
            self.task = None


def describe(state: State) -> str:
    """A state in a line.

    Example:
        >>> state = State("run", 100, 4, "local", 2, "making", 50, bytes=2_000_000, rate=10.0, seconds_left=5.0)
        >>> describe(state)
        'making: 50 of 100 samples, 10.0/s, 5 s left, 2.0 MB written'
    """
    label = state.phase if state.part == "run" else f"{state.part}: {state.phase}"
    parts = [f"{state.samples} of {state.wanted} samples", *figures(state)]
    if state.message:
        parts.append(state.message)
    return f"{label}: {', '.join(parts)}"


def figures(state: State) -> list[str]:
    """What is measured of a state."""
    parts = []
    if state.phase == MAKING and state.rate is not None:
        parts.append(f"{state.rate:.1f}/s")
        if state.seconds_left:
            parts.append(f"{duration(state.seconds_left)} left")
    if state.bytes:
        parts.append(f"{size(state.bytes)} written")
    if state.rejects:
        parts.append("rejected: " + ", ".join(f"{count} {reason}" for reason, count in state.rejects.items()))
    return parts


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    Example:
        >>> duration(8), duration(400), duration(9_000), duration(200_000)
        ('8 s', '7 min', '2.5 h', '2.3 days')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def size(count: float) -> str:
    """Bytes as a person says them, in powers of 1000.

    Example:
        >>> size(999), size(2_500_000), size(3e12)
        ('999 B', '2.5 MB', '3.0 TB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
