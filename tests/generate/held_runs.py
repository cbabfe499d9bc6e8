"""Commands that run beside a test, and whose workers wait where the test wants them to.

Every process of such a command, workers too, runs the `sitecustomize` written here at its start: samples that are
named in a file are not made before the test says so, or end their process. So no test has to wait for some time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_SITE = """
import importlib.util, os, signal, sys, time
from pathlib import Path

HOLD, PATIENCE = Path(os.environ["HELD_RUNS"]), float(os.environ["HELD_RUNS_PATIENCE"])

def wait(name):
    if name in (HOLD / "die").read_text().split():
        os.kill(os.getpid(), signal.SIGKILL)
    if name in (HOLD / "hold").read_text().split():
        aside = HOLD / f"{name}.{os.getpid()}"
        aside.write_text(str(os.getpid()))
        aside.rename(HOLD / f"here-{name}")
        end = time.monotonic() + PATIENCE
        while not (HOLD / "go").exists():
            if time.monotonic() > end:  # whoever holds it is gone
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.02)

def before(owner, method, name):
    original = getattr(owner, method)
    def waiting(self, *args):
        wait(name(*args))
        return original(self, *args) if not isinstance(self, type) else original(*args)
    setattr(owner, method, classmethod(waiting) if isinstance(owner.__dict__[method], classmethod) else waiting)

def patch(module):
    if module.__name__.endswith("sample"):
        before(module.Maker, "make", lambda number: str(number))
    else:
        before(module.Plan, "make", lambda *args: "plan")

class Finder:
    wanted = {"synthharm.generate.sample", "synthharm.generate.plan"}

    def find_spec(self, name, path=None, target=None):
        if name not in self.wanted:
            return None
        self.wanted.discard(name)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def patched(module):
            execute(module)
            patch(module)
        spec.loader.exec_module = patched
        return spec

sys.meta_path.insert(0, Finder())
"""
PATIENCE = 300.0  # seconds that anything may take before a test gives it up


def wait_until(condition: Callable[[], object], what: str, seen: Callable[[], str] = str) -> None:
    """Wait for a condition. A test that waits for too long fails with what it waited for and what was seen."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE:.0f} s in vain for {what}: {seen()}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Run:
    """A command that runs, in a process group of its own as a terminal's commands do."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """As a terminal does: to all processes of the command."""
        os.killpg(self.process.pid, number)

    def says(self, text: str) -> None:
        wait_until(lambda: text in self.text or self.ended, repr(text), lambda: self.text)
        assert text in self.text

    def ends(self) -> int:
        """Wait for its end; gives its exit status."""
        wait_until(lambda: self.ended, "the command to end", lambda: self.text)
        return int(self.process.returncode)

    def clear(self) -> None:
        """End what is left of it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait(PATIENCE)


class HeldRuns:
    """Starts commands, and holds their workers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder / "held", list[Run]()
        self.folder.mkdir()
        (self.folder / "sitecustomize.py").write_text(_SITE)
        for name in ("hold", "die"):
            (self.folder / name).touch()

    @property
    def environment(self) -> dict[str, str]:
        held = {"HELD_RUNS": str(self.folder), "HELD_RUNS_PATIENCE": str(2 * PATIENCE)}
        places = os.pathsep.join([str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        python = {"PYTHONPATH": places, "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **held, **python, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}

    def hold(self, *samples: int | str) -> None:
        (self.folder / "hold").write_text(" ".join(map(str, samples)))

    def kill_at(self, *samples: int) -> None:
        (self.folder / "die").write_text(" ".join(map(str, samples)))

    def reached(self, sample: int | str, run: Run | None = None) -> int:
        """Wait until a sample is held; gives the process that makes it."""
        here = self.folder / f"here-{sample}"
        seen = str if run is None else lambda: run.text
        wait_until(lambda: here.exists() or (run and run.ended), f"sample {sample} to be begun", seen)
        assert here.exists(), seen()
        return int(here.read_text())

    def release(self) -> None:
        (self.folder / "go").touch()

    def synthharm(self, *arguments: object) -> Run:
        return self.start([sys.executable, "-m", "synthharm", *map(str, arguments)])

    def start(self, command: Sequence[str]) -> Run:
        log = self.folder / f"log{len(self.runs)}"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        self.runs.append(Run(process, log))
        return self.runs[-1]

    def clear(self) -> None:
        """End what is left of all of them."""
        while self.runs:
            self.runs.pop().clear()
