"""Many cases of a kind, each in a process that may crash or hang without taking the test along."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

CHILD = Path(__file__).with_name("fuzz_child.py")
MOST_CRASHES = 5


@dataclass
class Tally:
    """What became of cases.

    Args:
        kind: of input.
        outcomes: how many were accepted, or refused by why.
        faults: what went wrong, each with the command that repeats it.
        grown: the most bytes that memory grew by.
        seconds: that the cases took of a core.
    """

    kind: str
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    grown: int = 0
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        return self.outcomes.total()

    @property
    def accepted(self) -> int:
        return self.outcomes["accepted"]

    def __str__(self) -> str:
        refused = ", ".join(f"{n} {name}" for name, n in self.outcomes.most_common() if name != "accepted")
        figures = f"{self.seconds:.0f} s, memory grew by {self.grown >> 20} MiB"
        return f"{self.kind}: {self.cases} cases, {self.accepted} accepted, {figures}; refused: {refused}"


def fuzz(kind: str, numbers: range, folder: Path) -> Tally:
    """Run the cases of a kind by their numbers; after one that ends its process, the rest in another."""
    tally, first, crashes = Tally(kind), numbers.start, 0
    while first < numbers.stop and crashes < MOST_CRASHES:
        place = folder / f"{kind} {first}"
        place.mkdir()
        options = ["--first", str(first), "--count", str(numbers.stop - first), "--folder", str(place)]
        with (place / "said").open("wb") as said:
            child = subprocess.run([sys.executable, str(CHILD), kind, *options], stdout=said, stderr=said)
        begun = _read(place / f"{kind}.jsonl", tally)
        if child.returncode == 0:
            break
        crashes += 1
        end = (place / "said").read_text(encoding="utf-8", errors="replace")[-3000:]
        if begun is None:
            tally.faults.append(f"{kind}: no case was run: status {child.returncode}\n{end}")
            break
        tally.outcomes["fault"] += 1
        tally.faults.append(_told(kind, begun, f"its process ended: status {child.returncode}\n{end}"))
        first = begun + 1
    return tally


def _read(results: Path, tally: Tally) -> int | None:
    """Add up what a process wrote, and return the number of the last case that it began."""
    begun = None
    for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else []:
        result = json.loads(line)
        if "begins" in result:
            begun = result["begins"]
            continue
        tally.outcomes[result["outcome"]] += 1
        tally.grown = max(tally.grown, result["grown"])
        tally.seconds += result["seconds"]
        if result["fault"]:
            tally.faults.append(_told(tally.kind, result["ends"], result["fault"]))
    return begun


def _told(kind: str, number: int, what: str) -> str:
    command = f"python tests/fuzzing/fuzz_child.py {kind} --first {number} --count 1 --folder FOLDER"
    return f"{kind} {number}: {what}\nto see it again: {command}"
