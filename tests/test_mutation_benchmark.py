"""The benchmark of mutants finds what tests miss, in a small project where that is known."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("cosmic_ray")
pytest.importorskip("coverage")
FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"

SUMS = '''"""Sums: 1 + 1 is 2."""

from __future__ import annotations

LIMIT = 10


def capped(first: int | None, second: int = 3) -> int | None:
    if first is None:
        raise ValueError(f"got {1 + 1}; {LIMIT - 1} is accepted")
    total = first + second
    while total > LIMIT:
        total -= 1
    return total


def unused(values: list[int]) -> int:
    return max(values) - 1
'''
TESTS = """from sums.capping import capped


def test_small_sums():
    assert capped(2, 4) == 6


def test_large_sums():
    assert capped(9, 9) == 10


def test_what_fails_anyhow():
    assert capped(2, 4) == 7
"""
RUN = """
import json, sys
from pathlib import Path
root, cache, folder = map(Path, sys.argv[1:])
sys.path.insert(0, str(folder))
import mutation, mutation_runs, mutation_tests
mutation_tests.GRACE = 0.5
with mutation.copied(root, compiled=True) as copy:
    files = mutation.files_of(copy, "sums")
    tests = mutation.watch_tests(copy, files, ["tests"], 5, cache)
    mutation.preload(tests)
    places = [place for file in files for place in mutation.places_of(copy, file)]
    runs, same = mutation.measure(copy, tests, places, len(places), 60)
    mutation.check_killers(copy, tests, runs)
    found = [(run.mutant.changed, run.outcome, run.by) for run in runs]
    print(json.dumps({"found": found, "left_out": tests.left_out, "imported": "sums" in sys.modules}))
"""

CHANGES = {
    "fails": ("assert LIMIT == 10", "LIMIT = 10", "LIMIT = 11"),
    "cannot be collected": ("assert LIMIT == 10", "LIMIT = 10", "LIMIT = 1 // 0"),
    "has other tests": ("assert LIMIT == 10", "LIMIT = 10", "LIMIT = 10\nNAME = 'another'"),
    "ends pytest": ("import os; os._exit(LIMIT - 10)", "LIMIT = 10", "LIMIT = 14"),
    "ends pytest anyhow": ("import os; os._exit(LIMIT)", "LIMIT = 10", "LIMIT = 14"),
}
JUDGE = """
import json, sys
from pathlib import Path
root, folder, code = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
sys.path.insert(0, folder)
import mutation, mutation_runs, mutation_tests
from mutation_tests import Tests
name = "tests/test_limits.py::test_limit[limit]"
tests = Tests({name: 0.1}, {}, {}, [], set())
with mutation.copied(root, compiled=True) as copy:
    print(json.dumps(mutation_runs.judge_mutant(copy, "sums/capping.py", code, tests, [name])))
"""


def load(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return import_module(name)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for folder in ("sums", "tests"):
        (root / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\nmarkers = ["slow"]\n')
    (root / "sums" / "__init__.py").write_text("")
    (root / "sums" / "capping.py").write_text(SUMS)
    (root / "tests" / "test_capping.py").write_text(TESTS)
    return root


def test_mutants_are_changes_of_what_code_does(project: Path) -> None:
    mutation = load("mutation")
    changed = [mutation.mutant_at(project, place) for place in mutation.places_of(project, "sums/capping.py")]
    assert {(mutant.line, mutant.changed.replace(" ", "")) for mutant in changed} == {
        (5, "LIMIT=11"),
        (5, "LIMIT=9"),
        (8, "defcapped(first:int|None,second:int=4)->int|None:"),
        (8, "defcapped(first:int|None,second:int=2)->int|None:"),
        (9, "iffirstisnotNone:"),
        (11, "total=first-second"),
        (12, "whiletotal>=LIMIT:"),
        (12, "whiletotal<=LIMIT:"),
        (13, "total-=2"),
        (13, "total-=0"),
        (18, "returnmax(values)+1"),
        (18, "returnmax(values)-2"),
        (18, "returnmax(values)-0"),
    }
    assert all(mutant.code != SUMS and mutant.text in SUMS for mutant in changed)


def test_what_tests_miss_survives_and_nothing_else(project: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    command = [sys.executable, "-c", RUN, str(project), str(tmp_path / "cache"), str(FOLDER)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout.splitlines()[-1])
    outcomes = {changed.replace(" ", ""): (outcome, by) for changed, outcome, by in made["found"]}
    survivors = {changed for changed, (outcome, _) in outcomes.items() if outcome == "survived"}
    assert survivors == {
        "defcapped(first:int|None,second:int=4)->int|None:",
        "defcapped(first:int|None,second:int=2)->int|None:",
        "total-=2",
        "returnmax(values)+1",
        "returnmax(values)-2",
        "returnmax(values)-0",
    }
    assert outcomes["total=first-second"][0] == "killed"
    assert outcomes["total-=0"] == ("timed out", "tests/test_capping.py::test_large_sums")
    assert made["left_out"] == ["tests/test_capping.py::test_what_fails_anyhow"]
    assert not made["imported"]
    after = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("change", "outcome", "by"),
    [
        ("fails", "killed", "tests/test_limits.py::test_limit[limit]"),
        ("cannot be collected", "killed", "tests/test_limits.py"),
        ("has other tests", "survived", ""),
        ("ends pytest", "killed", "status 4"),
    ],
)
def test_what_keeps_pytest_from_running_is_judged_beside_what_is_not_mutated(
    project: Path, change: str, outcome: str, by: str
) -> None:
    done = judge(project, *CHANGES[change])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [outcome, by]


def test_where_pytest_does_not_run_anyhow_nothing_is_killed(project: Path) -> None:
    done = judge(project, *CHANGES["ends pytest anyhow"])
    assert done.returncode == 1
    assert "pytest ends with 14, and where nothing is mutated with 10" in done.stderr


def judge(project: Path, body: str, old: str, new: str) -> subprocess.CompletedProcess[str]:
    """What the benchmark says of a change to the project, by a test with this body."""
    text = f"""
import pytest
from sums import capping
LIMIT = capping.LIMIT

@pytest.mark.parametrize("name", [getattr(capping, "NAME", "limit")])
def test_limit(name):
    {body}
"""
    (project / "tests" / "test_limits.py").write_text(text)
    code = SUMS.replace(old, new)
    command = [sys.executable, "-c", JUDGE, str(project), str(FOLDER), code]
    return subprocess.run(command, cwd=project.parent, capture_output=True, text=True, check=False)


def test_the_tests_that_kill_pass_where_nothing_is_mutated(project: Path) -> None:
    """Of a file that could not be collected one test is enough, and of what no test killed none is run."""
    mutation = load("mutation")
    tests = load("mutation_tests").Tests(
        {"a.py::x": 2, "a.py::y": 1, "b.py::x": 1, "ab.py::x": 0}, {}, {}, [], set()
    )
    mutant = mutation.Mutant("sums/capping.py", "", 0, 1, "", "", "")
    runs = [mutation.Run(mutant, "killed", by) for by in ("a.py", "b.py::x", "status 4", "")]
    ran: list[list[str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mutation, "judge_mutant", lambda *given: ran.append(given[-1]) or ("survived", ""))
        mutation.check_killers(project, tests, runs)
        assert sorted(ran.pop()) == ["a.py::y", "b.py::x"]
        patch.setattr(mutation, "judge_mutant", lambda *given: ("killed", "a.py"))
        with pytest.raises(SystemExit, match=r"a\.py fails on what is not mutated"):
            mutation.check_killers(project, tests, runs)


def test_the_fastest_tests_count_and_then_each_files_fastest_in_turn() -> None:
    seconds = {"a.py::x": 1, "a.py::y": 2, "a.py::z": 1.5, "b.py::x": 5, "c.py::x": 9, "d.py::x": 0.5}
    lines = {"code.py": {3: ["a.py::x", "a.py::y", "b.py::x", "c.py::x"], 4: ["a.py::z"], 7: ["d.py::x"]}}
    tests = load("mutation_tests").Tests(seconds, lines, {"code.py": {1}}, [], set())
    assert tests.of_lines("code.py", [3, 4], 9) == ["a.py::x", "b.py::x", "a.py::z"]
    assert tests.of_lines("code.py", [3], 100) == ["a.py::x", "a.py::y", "b.py::x", "c.py::x"]
    assert tests.of_lines("code.py", [3, 4], 16) == ["a.py::x", "a.py::z", "b.py::x", "a.py::y"]
    assert tests.of_lines("code.py", [2], 100) == []
    assert tests.of_lines("code.py", [1], 3) == ["d.py::x", "a.py::x", "a.py::z"]


def test_intervals_are_wilsons() -> None:
    """Wilson's bounds are the shares from which what was found is 1.96 deviations away."""
    mutation = load("mutation")
    for hits, count in ((0, 10), (9, 10), (85, 100), (150, 150)):
        for bound in mutation.interval(hits, count):
            deviation = math.sqrt(bound * (1 - bound) / count)
            assert abs(bound - hits / count) == pytest.approx(1.959964 * deviation, abs=1e-9)


def test_every_equivalent_mutant_is_one_and_says_why() -> None:
    """What is listed is there: a line that changes takes its mutants' excuses with it."""
    mutation = load("mutation")
    equivalent = mutation.read_equivalent(mutation.EQUIVALENT)
    wanted = {(file, operator, text.strip()) for file, operator, text, _ in equivalent}
    made = []
    for file in sorted({file for file, *_ in wanted}):
        lines = (mutation.ROOT / file).read_text(encoding="utf-8").splitlines()
        for place in mutation.places_of(mutation.ROOT, file):
            if (file, place.operator, lines[place.line - 1].strip()) in wanted:
                made.append(mutation.mutant_at(mutation.ROOT, place))
    found = {(mutant.file, mutant.operator, mutant.text, mutant.changed) for mutant in made}
    assert equivalent.keys() <= found
    assert all(len(reason) > 20 for reason in equivalent.values())


def test_what_is_no_python_is_no_mutant(tmp_path: Path) -> None:
    mutation = load("mutation")
    (tmp_path / "capping.py").write_text("def capped(x):\n    if y := x:\n        return y\n    return 0\n")
    places = mutation.places_of(tmp_path, "capping.py")
    (spoilt,) = (place for place in places if place.operator == "AddNot")
    with pytest.raises(mutation.NoPython):
        mutation.mutant_at(tmp_path, spoilt)
