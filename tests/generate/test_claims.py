"""Claims: nobody ever holds one that another holds, and nobody's claim outlives its holder."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from held_runs import wait_until
from s3_server import s3, s3_url

from synthharm.files import file_names
from synthharm.generate.running import claims as module
from synthharm.generate.running.claims import Taken, claims, nothing
from synthharm.generate.running.part import Part
from synthharm.storage import as_path

__all__ = ["s3", "s3_url"]
FORK = multiprocessing.get_context("fork")  # such a child has nothing to import


@pytest.fixture
def fast_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("RENEWED", 0.5), ("EXPIRED", 4.0), ("_SETTLED", 1.0)):
        monkeypatch.setattr(module, name, seconds)


def _contend(folder: Path, number: int, wait: bool, removing: bool) -> None:
    """Hold a claim many times, and mark what it guards while it is held."""
    chance, mark = random.Random(number), folder / "mark"
    for _ in range(40):
        with contextlib.suppress(Taken), claims(folder / "locks").hold("run", against=nothing, wait=wait):
            try:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                (folder / "held by two").touch()
                return
            time.sleep(chance.uniform(0, 0.002))
            mark.unlink()
            if removing and chance.random() < 0.5:
                shutil.rmtree(folder / "locks", ignore_errors=True)


@pytest.mark.parametrize("wait", [True, False], ids=["waiting", "giving up"])
@pytest.mark.parametrize("removing", [True, False], ids=["removed while held", "kept"])
def test_two_processes_never_hold_one_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: bool, removing: bool
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    monkeypatch.setattr(module, "_POLL", 0.001)
    children = [FORK.Process(target=_contend, args=(tmp_path, number, wait, removing)) for number in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert not (tmp_path / "held by two").exists()
    assert [child.exitcode for child in children] == [0] * 4


def _hold_for_ever(folder: Path, name: str) -> None:
    with claims(folder).hold(name, against=nothing):
        (folder / "holding.now").touch()
        signal.pause()


def test_the_claim_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    child = FORK.Process(target=_hold_for_ever, args=(tmp_path, "run"))
    child.start()
    wait_until((tmp_path / "holding.now").exists, "the child to hold it")
    (tmp_path / "holding.now").unlink()
    assert claims(tmp_path).held() == ["run"]
    with pytest.raises(Taken, match=rf"run, by process {child.pid} on "), _claim(tmp_path, "run"):
        pass
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
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
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.2)
        happened.append("first ends")
    waiting.join()
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


@pytest.mark.usefixtures("fast_leases")
@pytest.mark.slow
def test_an_expired_lease_is_taken_over_and_its_old_holder_removes_nothing(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = as_path(f"{s3}/locks")
    monkeypatch.setattr(module._Leases, "_renew", lambda *_: None)  # the first holder's machine sleeps
    with contextlib.ExitStack() as old, contextlib.ExitStack() as new:
        old.enter_context(_claim(folder, "run"))
        with pytest.raises(Taken), _claim(folder, "run"):
            pass
        wait_until(lambda: not claims(folder).held(), "the lease to expire")
        new.enter_context(_claim(folder, "run"))
        taken = (folder / "run").read_bytes()
        old.close()
        assert (folder / "run").read_bytes() == taken
        assert claims(folder).held() == ["run"]
    assert not (folder / "run").exists()


@pytest.mark.usefixtures("fast_leases")
@pytest.mark.slow
def test_of_two_who_find_a_lease_expired_one_holds_it(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The later one removes what the other has put there meanwhile, for it looked before."""
    folder, age = as_path(f"{s3}/locks"), module._Leases._age
    (folder / "run").write_bytes(b"{}")
    wait_until(lambda: not claims(folder).held(), "the lease to expire")
    late, held, ended = threading.local(), list[str](), threading.Barrier(2)

    def look(self: Any, name: str, now: float) -> float:
        found = age(self, name, now)
        if getattr(late, "looks", False):
            late.looks = False
            wait_until(lambda: _taken(folder / "run"), "the other to take it")
        return found

    def hold(name: str) -> None:
        late.looks = name == "late"
        with contextlib.suppress(Taken), _claim(folder, "run"):
            held.append(name)
            ended.wait(60)
            return
        ended.wait(60)

    monkeypatch.setattr(module._Leases, "_age", look)
    threads = [threading.Thread(target=hold, args=(name,)) for name in ("early", "late")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1


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
    assert [child.wait(300) for child in children] == [0] * 3
