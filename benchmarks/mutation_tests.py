"""What tests run where nothing is mutated: which lines, for how long, and whether they pass.

Tests are run once, in a process of their own, under coverage.py. This is also the program of that process.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import coverage
import pytest
from hypothesis import Phase, settings

# Plugins of pytest are imported before it starts, which it would warn of.
# A test that waits, without taking the processor, for what never comes fails after some minutes.
PYTEST = shlex.split(
    "-q -m 'not slow' -p no:cacheprovider -p no:xdist --timeout 240 --timeout-method signal"
    " -W ignore::pytest.PytestAssertRewriteWarning"
)


GRACE = 10.0  # seconds of the processor that a test may take in any case


@dataclass(frozen=True)
class Tests:
    """What is known of tests that pass where nothing is mutated.

    Args:
        seconds: how long each took the processor, by its name in pytest.
        lines: of each file, by its path from the root, and of each of its lines: the tests that ran it.
        imported: of each file, the lines that ran when it was imported.
        left_out: the tests that did not pass, or took too long.
        modules: what was imported for them.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[int, list[str]]]
    imported: dict[str, set[int]]
    left_out: list[str]
    modules: set[str]

    def of_lines(self, file: str, lines: Sequence[int], most_seconds: float) -> list[str]:
        """Tests that run any of a statement's lines, in so many seconds altogether.

        A quarter of the time goes to the fastest. Then the fastest of each file of tests are chosen, the second of
        each, and so on: tests of one file look at what they run from near the same side. Of what runs on import
        any test may take notice: first come those that run other lines of the file.
        """
        runs = self.lines.get(file, {})
        near = {name for line in lines for name in runs.get(line, ())}
        far: set[str] = set()
        if self.imported.get(file, set()).intersection(lines):
            near |= {name for names in runs.values() for name in names}
            far = self.seconds.keys() - near
        chosen, total = dict[str, None](), 0.0
        for names in (near, far):
            for name in [*self._fastest(names, most_seconds / 4), *self._in_turns(names)]:
                if name not in chosen and total + self.seconds[name] <= most_seconds:
                    chosen[name] = None
                    total += self.seconds[name]
        return list(chosen)

    def limit(self, name: str) -> float:
        """Seconds after which a test that is run on a mutant is taken not to end.

        What tests of a file share is made by the first of them that is run, which may be another than it was where
        nothing was mutated.
        """
        slowest = max(self.seconds[other] for other in self.seconds if _file_of(other) == _file_of(name))
        return 20 * self.seconds[name] + 4 * slowest + GRACE

    def _by_time(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=lambda name: (self.seconds[name], name))

    def _fastest(self, names: Iterable[str], most_seconds: float) -> list[str]:
        """The fastest of all, as many as take so many seconds altogether."""
        ordered = self._by_time(names)
        ends = accumulate(self.seconds[name] for name in ordered)
        return [name for name, end in zip(ordered, ends, strict=True) if end <= most_seconds]

    def _in_turns(self, names: Iterable[str]) -> list[str]:
        """The fastest of each file, then the second of each, and so on."""
        turns: Counter[str] = Counter()
        ordered = []
        for name in self._by_time(names):
            file = _file_of(name)
            ordered.append((turns[file], self.seconds[name], name))
            turns[file] += 1
        return [name for _, _, name in sorted(ordered)]


def _file_of(name: str) -> str:
    return name.split("::")[0]


class Settled:
    """A plugin: hypothesis draws the same examples in each run, and does not shrink those that fail."""

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        settings.register_profile(
            "mutation",
            parent=settings(),
            derandomize=True,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            report_multiple_bugs=False,
        )
        settings.load_profile("mutation")


class Watch(Settled):
    """A plugin that notes what each test runs of some files, and leaves out those that take too long."""

    def __init__(self, root: Path, files: Sequence[str], most_seconds: float) -> None:
        self.root, self.files, self.most_seconds = root, files, most_seconds
        self.seconds: dict[str, float] = {}
        self.passed: dict[str, bool] = {}
        self.coverage = coverage.Coverage(
            data_file=None, config_file=False, include=[str(root / file) for file in files]
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        start = time.process_time()
        result = yield
        self.seconds[item.nodeid] = time.process_time() - start
        self.coverage.switch_context("")
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        with alarm(self.most_seconds, lambda: pytest.skip("takes too long")):
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed[report.nodeid] = self.passed.get(report.nodeid, True) and report.passed

    def found(self) -> dict[str, Any]:
        """Tests by number, and the lines that each ran; lines that ran on import under -1."""
        names = sorted(self.passed)
        numbers = {name: i for i, name in enumerate(names) if self.passed[name]} | {"": -1}
        data = self.coverage.get_data()
        runs: dict[str, dict[int, list[int]]] = {}
        for file in self.files:
            lines = data.contexts_by_lineno(str(self.root / file))
            runs[file] = {line: [numbers[n] for n in ran if n in numbers] for line, ran in lines.items()}
        return {
            "tests": names,
            "seconds": [round(self.seconds.get(name, 0.0), 4) if self.passed[name] else None for name in names],
            "lines": runs,
            "modules": sorted(sys.modules),
        }


@contextmanager
def alarm(seconds: float, ring: Callable[[], object]) -> Iterator[None]:
    """Call something where what is done takes the processor longer, whatever else the machine does."""
    before = signal.signal(signal.SIGPROF, lambda *_: ring())
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def watch_tests(
    copy: Path, files: Sequence[str], places: Sequence[str], most_seconds: float, cache: Path
) -> Tests:
    """Run the tests at some places on what is not mutated, or read what an earlier run found.

    Args:
        copy: the copy of the repository.
        files: what will be mutated.
        places: files and folders of tests; what is no folder of tests is searched for doctests.
        most_seconds: tests that take longer are left out.
        cache: the folder where what was found is kept; a file of tests is watched again where it or what will be
            mutated changed.
    """
    tests = Tests({}, {file: {} for file in files}, {file: set() for file in files}, [], set())
    base = digest(copy / file for file in files)
    for place in places:
        whole = copy / place
        units = sorted(whole.rglob("test_*.py")) if whole.is_dir() and place.startswith("tests") else [whole]
        for unit in units:
            name = unit.relative_to(copy).as_posix()
            content = digest([unit]) if unit.is_file() else ""
            key = hashlib.sha256(f"{base} {name} {content} {most_seconds}".encode()).hexdigest()[:20]
            kept = cache / f"{key}.json"
            if not kept.is_file():
                cache.mkdir(parents=True, exist_ok=True)
                print(f"watching the tests of {name}", flush=True)
                _watch(copy, files, name, most_seconds, kept)
            found = json.loads(kept.read_bytes())
            _add(tests, found)
            tests.modules.update(found["modules"])
    return tests


def digest(files: Iterator[Path] | Sequence[Path]) -> str:
    """A checksum of what files hold."""
    return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def _watch(copy: Path, files: Sequence[str], name: str, most_seconds: float, kept: Path) -> None:
    """Run tests once, in a child, and keep what was found."""
    log = copy.parent / "log"
    command = [sys.executable, __file__, str(copy), name, str(most_seconds), str(kept), *files]
    with log.open("w") as output:
        subprocess.run(command, cwd=copy, stdout=output, stderr=subprocess.STDOUT, check=False)
    if not kept.is_file():
        raise SystemExit(f"the tests of {name} do not run:\n{log.read_text()[-4000:]}")


def _watch_here(copy: Path, name: str, most_seconds: float, kept: Path, files: Sequence[str]) -> None:
    watch = Watch(copy, files, most_seconds)
    watch.coverage.start()
    status = pytest.main([*PYTEST, name], plugins=[watch])
    watch.coverage.stop()
    if status not in (0, 1, 5):
        raise SystemExit(f"pytest ended with {status}")
    imported = sys.modules.get(files[0].split("/")[0])
    if imported is not None and not Path(str(imported.__file__)).is_relative_to(copy):
        raise SystemExit(f"what is imported is {imported.__file__}, and not the copy in {copy}")
    kept.write_text(json.dumps(watch.found()))


def _add(tests: Tests, found: dict[str, Any]) -> None:
    names = found["tests"]
    passed = {name: seconds for name, seconds in zip(names, found["seconds"], strict=True) if seconds is not None}
    tests.seconds.update(passed)
    tests.left_out.extend(name for name in names if name not in passed)
    for file, lines in found["lines"].items():
        for line, numbers in lines.items():
            if -1 in numbers:
                tests.imported[file].add(int(line))
            tests.lines[file].setdefault(int(line), []).extend(names[n] for n in numbers if n >= 0)


if __name__ == "__main__":
    copy, name, most_seconds, kept, *files = sys.argv[1:]
    _watch_here(Path(copy), name, float(most_seconds), Path(kept), files)
