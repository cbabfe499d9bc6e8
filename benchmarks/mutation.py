"""How many of the mistakes that one could make in the code its tests notice.

    python benchmarks/mutation.py --sample 150 --seed 0

Changes one thing in one file at a time (a sign, a number by one, a comparison, a condition, a loop) and runs the
tests that run the changed line: a mutant is killed where one of them fails. The operators are cosmic-ray's, the
samples are drawn at random from all mutants of a room, and shares come with Wilson's 95 % interval.

What counts, and what does not:

- Only a room's own tests judge it, its doctests among them; slow ones do not, nor do those that need photos from
  elsewhere. Of the tests that run a line the fastest count, for a quarter of `--seconds`, and for what is left of
  them the fastest of each file, then the second of each, and so on; a line that none runs has survivors alone.
  Hypothesis draws the same examples each time and does not shrink them.
- A file of tests that cannot be collected kills as a test does. Where pytest ends without either, the same tests
  have to pass on what is not mutated. If so, the mutant is killed, but one by which none of the chosen tests is
  there any more survives; if not, measuring stops.
- What would not end, or takes far longer than where nothing is mutated, is killed, and counted apart.
- An operator becomes the one that is nearest (+ becomes -, < becomes <= and >=), and numbers change by one. What
  types cannot bear is not tried, nor what is no Python: it would be killed by itself.
- Left out are decorators, types, imports and texts; whole `raise` statements, whose condition counts; `strict=` of
  zip; and what `mutation_equivalent.json`, if there is one, lists with the reason why nothing can be seen of it.
- What numba compiles of the filters runs as the Python it is written in, and kernels for a GPU in Triton's
  interpreter.

Writes results/mutation.json, with every survivor; rooms that are not measured keep what is there.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutation_places import Mutant, NoPython, Place, mutant_at, places_of, statement_lines
from mutation_runs import KILLED, SURVIVED, TIMED_OUT, copied, judge_mutant, preload
from mutation_tests import Tests, watch_tests

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
EQUIVALENT = HERE / "mutation_equivalent.json"
OUTCOMES = (KILLED, TIMED_OUT, SURVIVED)


@dataclass(frozen=True)
class Room:
    """What is mutated, and where the tests are that should notice; paths from the root.

    Args:
        sources: a file, or a folder of files.
        tests: files and folders.
        compiled: whether numba may compile: not where it would compile what is mutated.
    """

    sources: str
    tests: tuple[str, ...]
    compiled: bool


ROOMS = {
    "metrics": Room("synthharm/metrics.py", ("tests/test_metrics.py", "synthharm/metrics.py"), compiled=True),
    "filters": Room("synthharm/filters", ("tests/filters", "synthharm/filters"), compiled=False),
    "generate": Room("synthharm/generate", ("tests/generate", "synthharm/generate"), compiled=True),
}


@dataclass(frozen=True)
class Run:
    """A mutant and what became of it."""

    mutant: Mutant
    outcome: str
    by: str


def files_of(root: Path, sources: str) -> list[str]:
    """The files of a room, by their paths from the root."""
    place = root / sources
    found = [place] if place.is_file() else sorted(place.rglob("*.py"))
    return [file.relative_to(root).as_posix() for file in found]


def read_equivalent(file: Path) -> dict[tuple[str, str, str, str], str]:
    """The reasons why mutants are equivalent, by file, operator, line and changed line."""
    listed = json.loads(file.read_bytes()) if file.is_file() else []
    return {(row["file"], row["operator"], row["line"], row["changed"]): row["reason"] for row in listed}


def measure(
    copy: Path, tests: Tests, places: Sequence[Place], count: int, seconds: float
) -> tuple[list[Run], int]:
    """Run mutants at places until there are so many that are not equivalent; and how many were."""
    equivalent, runs, same = read_equivalent(EQUIVALENT), list[Run](), 0
    for place in places:
        if len(runs) == count:
            break
        try:
            mutant = mutant_at(copy, place)
        except NoPython:
            continue
        if (mutant.file, mutant.operator, mutant.text, mutant.changed) in equivalent:
            same += 1
            continue
        runs.append(judge(copy, tests, mutant, seconds))
    return runs, same


def judge(copy: Path, tests: Tests, mutant: Mutant, seconds: float) -> Run:
    """Run the tests that run a mutant's lines, as many as take so many seconds."""
    lines = statement_lines((copy / mutant.file).read_text(encoding="utf-8"), mutant.line)
    names = tests.of_lines(mutant.file, lines, seconds)
    start = time.monotonic()
    outcome, by = judge_mutant(copy, mutant.file, mutant.code, tests, names)
    took = time.monotonic() - start
    print(f"{outcome:9} {took:5.1f} s of {len(names):4d} tests  {describe(mutant)}  {by}", flush=True)
    return Run(mutant, outcome, by)


def check_killers(copy: Path, tests: Tests, runs: Sequence[Run]) -> None:
    """Run every test that killed a mutant once more, on what is not mutated, and one of each file that did.

    Raises:
        SystemExit: one fails there too.
    """
    fastest = sorted(tests.seconds, key=lambda name: tests.seconds[name])
    killers = {run.by for run in runs if run.by}
    names = [name for name in fastest if name in killers]
    for by in killers - tests.seconds.keys():
        names += [name for name in fastest if name.startswith((f"{by}::", f"{by}/"))][:1]
    file = runs[0].mutant.file
    outcome, by = judge_mutant(copy, file, (copy / file).read_text(encoding="utf-8"), tests, names)
    if outcome != SURVIVED:
        raise SystemExit(f"{by} fails on what is not mutated, and has killed mutants")


def describe(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.line} {mutant.operator}: {mutant.changed}"


def summarize(runs: Sequence[Run]) -> dict[str, Any]:
    """How many mutants came to what, and the share that was killed."""
    counts = Counter(run.outcome for run in runs)
    dead = counts[KILLED] + counts[TIMED_OUT]
    return {
        "sampled": len(runs),
        **{outcome.replace(" ", "_"): counts[outcome] for outcome in OUTCOMES},
        "share": round(dead / len(runs), 4),
        "interval": [round(bound, 4) for bound in interval(dead, len(runs))],
    }


def interval(hits: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    share, weight = hits / count, z * z / count
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / count + weight / (4 * count)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def report(
    options: argparse.Namespace, name: str, total: int, same: int, tests: Tests, runs: Sequence[Run]
) -> Any:
    by_file: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.mutant.file, run.mutant.line)):
        by_file.setdefault(run.mutant.file, []).append(run)
    survivors = [run.mutant for mine in by_file.values() for run in mine if run.outcome == SURVIVED]
    return {
        "command": f"python benchmarks/mutation.py --rooms {name} --sample {options.sample} --seed {options.seed}"
        f" --seconds {options.seconds:g}",
        "mutants": total,
        "equivalent_met": same,
        "tests": len(tests.seconds),
        "tests_left_out": sorted(tests.left_out),
        **summarize(runs),
        "files": {file: summarize(mine) for file, mine in by_file.items()},
        "survivors": [
            {"file": m.file, "line": m.line, "operator": m.operator, "text": m.text, "changed": m.changed}
            for m in survivors
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=list(ROOMS))
    parser.add_argument("--sample", type=int, default=150, help="mutants of each room; all where it has fewer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seconds", type=float, default=30, help="of tests for one mutant, as they take unmutated"
    )
    parser.add_argument("--longest", type=float, default=20, help="seconds beyond which a test is left out")
    parser.add_argument(
        "--cache", type=Path, default=ROOT / "build" / "mutation", help="what tests run is kept here"
    )
    parser.add_argument("--output", type=Path, default=HERE / "results" / "mutation.json")
    options = parser.parse_args()
    rooms = json.loads(options.output.read_bytes())["rooms"] if options.output.is_file() else {}
    for name in options.rooms:
        with copied(ROOT, ROOMS[name].compiled) as copy:
            files = files_of(copy, ROOMS[name].sources)
            tests = watch_tests(copy, files, ROOMS[name].tests, options.longest, options.cache)
            preload(tests)
            places = [place for file in files for place in places_of(copy, file)]
            random.Random(options.seed).shuffle(places)
            runs, same = measure(copy, tests, places, options.sample, options.seconds)
            check_killers(copy, tests, runs)
            rooms[name] = report(options, name, len(places), same, tests, runs)
    sys.path.insert(0, str(ROOT))
    from measuring import print_table, write_result  # only now: it imports this project, which forks must not have

    print()
    head = ("room", "mutants", "sampled", *OUTCOMES, "share", "interval")
    print_table(head, [row_of(name, rooms[name]) for name in options.rooms])
    measured = {name: rooms[name] for name in ROOMS if name in rooms}
    commands = " && ".join(room["command"] for room in measured.values())  # rooms may come from several calls
    write_result(options.output, {"command": commands, "rooms": measured}, ("cosmic-ray",))


def row_of(name: str, found: dict[str, Any]) -> list[object]:
    counts = [str(found[outcome.replace(" ", "_")]) for outcome in OUTCOMES]
    low, high = found["interval"]
    return [
        name,
        str(found["mutants"]),
        str(found["sampled"]),
        *counts,
        f"{found['share']:.1%}",
        f"{low:.1%} to {high:.1%}",
    ]


if __name__ == "__main__":
    main()
