"""How far a dataset has come, read from its folder by another process than the one that makes it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

import msgspec

from synthharm.errors import SynthharmError
from synthharm.files import file_names, parse_json
from synthharm.generate.dataset import PLAN, SUMMARY, Dataset
from synthharm.generate.running.views import describe, duration
from synthharm.generate.running.watch import FINISHING, MAKING, PLANNING, State
from synthharm.storage import as_path, storage_errors


@dataclass(frozen=True)
class Status:
    """How far a dataset has come.

    Args:
        folder: the dataset's.
        samples: how many it is to have.
        shards: how many shards are done, whoever made them.
        of: how many there are; none where no plan is written yet.
        runs: the latest state of each run that worked on it; none once it is finished.
        working: the names of the parts that a process is working on now; none where that cannot be told, as behind
            an address that one may only read from.
        numbers: the dataset in numbers, once it is finished.
    """

    folder: str
    samples: int
    shards: int
    of: int | None
    runs: tuple[State, ...]
    working: tuple[str, ...] | None
    numbers: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    def lines(self, now: float) -> list[str]:
        """What a person wants to know, a line each; `now` is in seconds since 1970."""
        if self.numbers is not None:
            return [f"{self.folder}: finished, {self.numbers['samples']} samples"]
        shards = f"{self.shards} shards" if self.of is None else f"{self.shards} of {self.of} shards"
        lines = [f"{self.folder}: {shards} done, for {self.samples} samples in all"]
        for state in self.runs:
            ago = f"{duration(max(now - state.updated, 0))} ago"
            lines.append(f"{describe(state)} ({ago}, process {state.process} on {state.host})")
            ended = self.working is not None and state.part not in self.working
            if ended and state.phase in (PLANNING, MAKING, FINISHING):
                lines.append(f"{state.part}: nobody works on it any more; the same command goes on with it")
        return lines


def read_status(folder: str | Path) -> Status:
    """Read how far a dataset has come, while it is made, after it was stopped, or when it is finished.

    Raises:
        SynthharmError: no dataset is there, nor one begun, or a file of it cannot be read.
    """
    with storage_errors():
        dataset = Dataset(as_path(folder))
        names = (
            name for name in sorted(file_names(dataset.status_file("run").parent)) if not name.startswith(".")
        )
        found = (_state(dataset.status_file(name.removesuffix(".json"))) for name in names)
        runs = tuple(state for state in found if state is not None)
        if not dataset.begun and not runs:
            raise SynthharmError(f"{folder}: is not a dataset of synthharm, nor one begun: {PLAN} is missing")
        numbers = _numbers(dataset.folder / SUMMARY) if dataset.finished else None
        wanted, of = max((state.wanted for state in runs), default=0), None
        if dataset.begun:
            wanted = _count(dataset, "samples")
            of = ceil(wanted / _count(dataset, "shard"))
        working = () if numbers else _working(dataset)
        return Status(str(folder), wanted, len(dataset.done_shards()), of, runs, working, numbers)


def seconds_now() -> float:
    """Seconds since 1970."""
    return time.time()


def _count(dataset: Dataset, key: str) -> int:
    """What the recipe says of `samples` or `shard`."""
    found = dataset.recipe.get(key)
    if not isinstance(found, int) or found < 1:
        raise SynthharmError(f"{dataset.folder / PLAN}: {key} is {found!r}; a number from 1 on is accepted")
    return found


def _working(dataset: Dataset) -> tuple[str, ...] | None:
    try:
        return tuple(dataset.claims.held())
    except PermissionError:  # the age of a claim behind an address is told by an object written now
        return None


def _numbers(path: Path) -> dict[str, Any]:
    try:
        numbers = parse_json(path.read_bytes())
        if not isinstance(numbers, dict) or not isinstance(numbers.get("samples"), int):
            raise ValueError("its number of samples is missing")
    except (OSError, ValueError) as error:
        raise SynthharmError(f"{path}: is not the summary of a dataset: {error}") from error
    return numbers


def _state(path: Path) -> State | None:
    try:
        return msgspec.convert(parse_json(path.read_bytes()), State)
    except FileNotFoundError:
        return None  # the dataset was finished meanwhile
    except (OSError, ValueError) as error:
        raise SynthharmError(f"{path}: is not the status of a run: {error}") from error
