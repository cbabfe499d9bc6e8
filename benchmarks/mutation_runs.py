"""Running tests on mutants: in children forked from one process that has imported everything but this project.

What a child imports of the project lies in a copy, and so does what it changes. What calls this may not import the
project itself before the last child has ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module, util
from pathlib import Path

import pytest
from mutation_tests import PYTEST, Settled, Tests, alarm

SURVIVED, KILLED, TIMED_OUT = "survived", "killed", "timed out"
TOO_LONG, NOT_RUN = 77, 78  # exit statuses of children: one was ended by its alarm, in one pytest did not run
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TRITON_INTERPRET": "1",
}
LEFT_BEHIND = (".git", ".venv", ".hypothesis", "__pycache__", "*.egg-info", ".*_cache", "build", "dist", "demo")


@contextmanager
def copied(root: Path, compiled: bool) -> Iterator[Path]:
    """A copy of a repository in a temporary folder, with room beside it for what tests leave behind.

    Args:
        root: the repository.
        compiled: whether numba compiles in it what it is told to; else it runs as Python.
    """
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        copy, scratch = Path(folder) / "repository", Path(folder) / "scratch"
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        scratch.mkdir()
        os.environ.update(ENVIRONMENT, PYTHONPATH=str(copy), TMPDIR=str(scratch))
        os.environ["NUMBA_DISABLE_JIT"] = str(int(not compiled))
        if "numba" in sys.modules:  # which has read the environment
            sys.modules["numba"].config.DISABLE_JIT = int(not compiled)
        yield copy


class Judge(Settled):
    """A plugin that runs chosen tests in their order, and ends the process where one takes far too long."""

    def __init__(self, limits: dict[str, float], report: Path) -> None:
        self.limits, self.report = limits, report

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        order = {name: i for i, name in enumerate(self.limits)}
        items[:] = sorted((item for item in items if item.nodeid in order), key=lambda item: order[item.nodeid])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        def end() -> None:
            self.report.write_text(item.nodeid)
            os._exit(TOO_LONG)

        with alarm(self.limits[item.nodeid], end):
            return (yield)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.report.write_text(report.nodeid)
            os._exit(2)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.report.write_text(report.nodeid)
            os._exit(1)  # one that fails is enough, and nobody reads what pytest would say of it


def preload(tests: Tests) -> None:
    """Import what children will need and what is installed: not this project, nor its tests."""
    for module in sorted(tests.modules - sys.modules.keys()):
        with suppress(Exception):  # some can only be imported by others
            found = util.find_spec(module.split(".")[0])
            if found is not None and "site-packages" in str(found.origin):
                import_module(module)


def judge_mutant(copy: Path, file: str, code: str, tests: Tests, names: Sequence[str]) -> tuple[str, str]:
    """Run tests on a mutant until one fails: what became of it, and by which test.

    Raises:
        SystemExit: pytest does not run these tests, and not for the mutant.
    """
    if not names:
        return SURVIVED, ""
    status, by = _run(copy, file, code, tests, names)
    if status in (TOO_LONG, None):
        return TIMED_OUT, by
    if status and not by:
        original = (copy / file).read_text(encoding="utf-8")
        log = (copy.parent / "log").read_text()
        unmutated, _ = _run(copy, file, original, tests, names)
        if unmutated:
            raise SystemExit(
                f"pytest ends with {status}, and where nothing is mutated with {unmutated}:\n{log[-4000:]}"
            )
    if status in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        return SURVIVED, ""
    return KILLED, by or f"status {status}"


def _run(copy: Path, file: str, code: str, tests: Tests, names: Sequence[str]) -> tuple[int | None, str]:
    """Run tests on a file's changed code: the exit status, and the test, or file of tests, that ended it."""
    path, report = copy / file, copy.parent / "report"
    original = path.read_bytes()
    limits = {name: tests.limit(name) for name in names}
    report.write_text("")
    Path(util.cache_from_source(str(path))).unlink(missing_ok=True)
    try:
        path.write_text(code, encoding="utf-8")
        sys.dont_write_bytecode = True
        files = list(dict.fromkeys(name.split("::")[0] for name in names))
        status = _fork(copy, files, Judge(limits, report), sum(limits.values()) + 60)
    finally:
        path.write_bytes(original)
    return status, report.read_text()


def _fork(copy: Path, arguments: Sequence[str], plugin: object, most_seconds: float) -> int | None:
    """The exit status of pytest in a child; None where it had to be killed."""
    child = os.fork()
    if child == 0:
        status = NOT_RUN
        try:
            os.setsid()
            log = os.open(copy.parent / "log", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            for stream in (0, 1, 2):
                os.dup2(log, stream)
            os.chdir(copy)
            sys.path.insert(0, str(copy))
            status = int(pytest.main([*PYTEST, *arguments], plugins=[plugin]))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    end = time.monotonic() + most_seconds
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            with suppress(ProcessLookupError):  # what it may have started and left
                os.killpg(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
