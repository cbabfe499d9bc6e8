"""Claims: nobody ever holds one that another holds, and nobody's claim outlives its holder."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from held_runs import PATIENCE, wait_until
from other_processes import contend, hold_for_ever, processes, statuses

from synthharm.files import file_names
from synthharm.generate.running import claims as module
from synthharm.generate.running.claims import Taken, claims, nothing
from synthharm.generate.running.part import Part
from synthharm.storage import as_path

NEVER = 1e6  # seconds


@pytest.fixture
def fast_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("RENEWED", 0.5), ("EXPIRED", 4.0)):
        monkeypatch.setattr(module, name, seconds)


@pytest.mark.parametrize("wait", [True, False], ids=["waiting", "giving up"])
@pytest.mark.parametrize("removing", [True, False], ids=["removed while held", "kept"])
def test_two_processes_never_hold_one_claim(tmp_path: Path, wait: bool, removing: bool) -> None:
    with processes(contend, [(tmp_path, number, wait, removing) for number in range(4)]) as children:
        ended = statuses(children)
    assert not (tmp_path / "held by two").exists()
    assert ended == [0] * 4


def test_the_claim_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    with processes(hold_for_ever, [(tmp_path, "run")]) as (child,):
        wait_until((tmp_path / "holding.now").exists, "the child to hold it")
        (tmp_path / "holding.now").unlink()
        assert claims(tmp_path).held() == ["run"]
        with pytest.raises(Taken, match=rf"run, by process {child.pid} on "), _claim(tmp_path, "run"):
            pass
        child.kill()
        assert statuses([child]) == [-signal.SIGKILL]
    assert claims(tmp_path).held() == []
    with _claim(tmp_path, "run"):
        assert claims(tmp_path).held() == ["run"]
    assert claims(tmp_path).held() == []


def _claim(folder: Path, name: str, against: Callable[[str], bool] = nothing, wait: bool = False) -> Any:
    return claims(folder).hold(name, against=against, wait=wait)


def _part_of(folder: Path, part: Part) -> Any:
    return _claim(folder, part.name, part.rules_out)


def _refuses(folder: Path, part: Part) -> bool:
    try:
        with _part_of(folder, part):
            return False
    except Taken:
        return True


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path if request.param == "local" else as_path(f"{request.getfixturevalue('s3')}/locks")


@pytest.mark.usefixtures("fast_leases")
def test_ranks_work_beside_each_other_but_not_beside_a_whole_run(place: Path) -> None:
    with _part_of(place, Part(0, 2)):
        assert not _refuses(place, Part(1, 2))
        assert _refuses(place, Part(0, 2))
        assert _refuses(place, Part(0, 3))
        assert _refuses(place, Part())
    with _part_of(place, Part()):
        assert _refuses(place, Part(0, 2))
        assert _refuses(place, Part())
    with _part_of(place, Part(0, 2)), _part_of(place, Part(1, 2)):
        assert claims(place).held() == ["rank-00000", "rank-00001"]
    assert claims(place).held() == []


@pytest.mark.usefixtures("fast_leases")
def test_a_claim_that_was_refused_is_not_held(place: Path) -> None:
    with _claim(place, "one"):
        with pytest.raises(Taken, match=r"one, by process"), _claim(place, "two", lambda name: name == "one"):
            pass
        assert claims(place).held() == ["one"]


@pytest.mark.usefixtures("fast_leases")
def test_who_waits_is_next(place: Path) -> None:
    happened = list[str]()

    def wait() -> None:
        with _claim(place, "index", wait=True):
            happened.append("second")

    with _claim(place, "index"):
        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        time.sleep(0.2)
        happened.append("first ends")
    waiting.join(PATIENCE)
    assert happened == ["first ends", "second"]


@pytest.mark.usefixtures("fast_leases")
def test_a_lease_is_renewed_while_it_is_held_and_gone_afterwards(s3: str) -> None:
    folder = as_path(f"{s3}/locks")
    with _claim(folder, "run"):
        first = (folder / "run").stat().st_mtime
        wait_until(lambda: (folder / "run").stat().st_mtime >= first + module.EXPIRED + 1, "renewals")
        assert claims(folder).held() == ["run"]
        with pytest.raises(Taken, match=f"run, by process {os.getpid()}"), _claim(folder, "run"):
            pass
    assert file_names(folder) == []


def test_a_lease_expires_by_the_services_clock_alone(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = as_path(f"{s3}/locks")
    (folder / "run").write_bytes(b'{"holder": "process 7 on a machine that is gone"}')
    for away in (-1e6, 1e6):
        monkeypatch.setattr(time, "time", lambda real=time.time, away=away: real() + away)
        assert claims(folder).held() == ["run"]
        with pytest.raises(Taken, match="process 7 on a machine that is gone"), _claim(folder, "run"):
            pass
        monkeypatch.undo()


@pytest.mark.slow
def test_an_expired_lease_is_taken_over_and_its_old_holder_removes_nothing(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = as_path(f"{s3}/locks")
    monkeypatch.setattr(module._Leases, "_renew", lambda *_: None)  # the first holder's machine sleeps
    monkeypatch.setattr(module, "EXPIRED", NEVER)
    with contextlib.ExitStack() as old, contextlib.ExitStack() as new:
        old.enter_context(_claim(folder, "run"))
        with pytest.raises(Taken), _claim(folder, "run"):
            pass
        monkeypatch.setattr(module, "EXPIRED", 1.0)
        wait_until(lambda: not claims(folder).held(), "the lease to expire")
        new.enter_context(_claim(folder, "run"))
        monkeypatch.setattr(module, "EXPIRED", NEVER)
        taken = (folder / "run").read_bytes()
        old.close()
        assert (folder / "run").read_bytes() == taken
        assert claims(folder).held() == ["run"]
    assert not (folder / "run").exists()


@pytest.mark.slow
def test_of_two_who_find_a_lease_expired_one_holds_it(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The late one removes what the early one has put there meanwhile, for it looked before."""
    folder, age = as_path(f"{s3}/locks"), module._Leases._age
    monkeypatch.setattr(module, "EXPIRED", 1.0)
    (folder / "run").write_bytes(b"{}")
    wait_until(lambda: not claims(folder).held(), "the lease to expire")
    this, held, decided = threading.local(), list[str](), threading.Barrier(2)
    late_looked, late_took_over = threading.Event(), threading.Event()

    def look(self: Any, name: str, now: float) -> float:
        found = age(self, name, now)
        if this.name == "late":
            late_looked.set()
            wait_until(lambda: _taken(folder / "run"), "the early one to take it over")
        else:
            wait_until(late_looked.is_set, "the late one to look")
        return found

    def settle(_: float) -> None:
        if this.name == "late":
            late_took_over.set()
        else:
            wait_until(late_took_over.is_set, "the late one to take it over, too")

    def hold(name: str) -> None:
        this.name = name
        with contextlib.suppress(Taken), _claim(folder, "run"):
            held.append(name)
            decided.wait(PATIENCE)
            return
        decided.wait(PATIENCE)

    monkeypatch.setattr(module._Leases, "_age", look)
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=settle))
    threads = [threading.Thread(target=hold, args=(name,), daemon=True) for name in ("early", "late")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * PATIENCE)
    assert held == ["late"]


def _taken(lease: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return lease.read_bytes() != b"{}"
    return False


@pytest.mark.slow
def test_two_processes_never_hold_one_lease(s3: str, tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from synthharm.generate.running import claims as module\n"
        "from synthharm.storage import as_path\n"
        "module.RENEWED, mark = 0.5, sys.argv[2]\n"
        "for _ in range(10):\n"
        "    with module.claims(as_path(sys.argv[1])).hold('run', against=module.nothing, wait=True):\n"
        "        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))\n"
        "        os.unlink(mark)\n"
    )
    command = [sys.executable, "-c", script, f"{s3}/locks", str(tmp_path / "mark")]
    children = [subprocess.Popen(command) for _ in range(3)]
    try:
        assert [child.wait(PATIENCE) for child in children] == [0] * 3
    finally:
        for child in children:
            child.kill()
            child.wait(PATIENCE)
