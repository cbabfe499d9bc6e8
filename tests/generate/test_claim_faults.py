"""Claims where something is wrong: a lease comes back, a disk has no locks, a service overwrites."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import threading
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from held_runs import PATIENCE, wait_until

from synthharm.errors import SynthharmError
from synthharm.files import file_names
from synthharm.generate.running import claims as module
from synthharm.generate.running.claims import Taken, claims, nothing
from synthharm.generate.running.part import WHOLE, Part
from synthharm.storage import as_path, filesystem


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new folder behind an address, of a file system that nothing is known of."""
    monkeypatch.setattr(module, "_REFUSING", set())
    return as_path(f"memory://claims/{secrets.token_hex(8)}")


@pytest.fixture(params=["local", "remote"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path if request.param == "local" else request.getfixturevalue("remote")
    assert isinstance(folder, Path) == (request.param == "local")
    return folder  # type: ignore[no-any-return]


def _hold(folder: Path, part: Part) -> Any:
    return claims(folder).hold(part.name, against=part.rules_out)


def test_a_lease_does_not_come_back_after_its_release(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its renewal has read it when it is released, and writes when it is gone, or when the release waits."""
    renewing, waited_for = list[threading.Thread](), threading.Event()
    read, join = module._Leases._read, threading.Thread.join

    def read_and_pause(self: Any, name: str) -> bytes:
        data = read(self, name)
        if threading.current_thread() is not threading.main_thread():
            renewing.append(threading.current_thread())
            wait_until(lambda: waited_for.is_set() or not (remote / "run").exists(), "the release")
        return data

    def note(self: threading.Thread, timeout: float | None = None) -> None:
        if self in renewing:
            waited_for.set()
        join(self, timeout)

    monkeypatch.setattr(module, "RENEWED", 0.001)
    monkeypatch.setattr(module._Leases, "_read", read_and_pause)
    monkeypatch.setattr(threading.Thread, "join", note)
    with claims(remote).hold("run", against=nothing):
        wait_until(lambda: renewing, "a renewal")
        monkeypatch.setattr(module, "RENEWED", PATIENCE)  # how long the release waits
    waited_for.set()  # or it was given up
    join(renewing[0], PATIENCE)
    assert file_names(remote) == []


def test_a_lease_whose_renewal_does_not_end_is_left_to_expire(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()

    def renew(*_: object) -> None:
        begun.set()
        go.wait(PATIENCE)

    monkeypatch.setattr(module, "RENEWED", 0.001)
    monkeypatch.setattr(module._Leases, "_renew", renew)
    with claims(remote).hold("run", against=nothing):
        assert begun.wait(PATIENCE)
    assert file_names(remote) == ["run"]
    go.set()


def test_a_refused_lease_is_gone_at_once(remote: Path) -> None:
    with _hold(remote, Part()), pytest.raises(Taken), _hold(remote, Part(0, 2)):
        pass
    assert file_names(remote) == []


def test_a_lease_that_expired_is_taken_over_and_one_that_has_not_is_not(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = list[float]()
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=waited.append))
    (remote / "run").write_bytes(b"{}")
    with pytest.raises(Taken), claims(remote).hold("run", against=nothing):
        pass
    assert waited == []
    monkeypatch.setattr(module, "EXPIRED", -1.0)
    with claims(remote).hold("run", against=nothing):
        assert (remote / "run").read_bytes() != b"{}"
        assert waited == [module._SETTLED]  # another that found it expired, too, may have removed this one
    assert file_names(remote) == []


def test_a_lease_that_another_removes_right_after_it_was_taken_over_is_not_held(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It found the same lease expired, and what lies there now is its own, or nothing yet."""
    (remote / "run").write_bytes(b"{}")
    monkeypatch.setattr(module, "EXPIRED", -1.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=lambda _: (remote / "run").unlink()))
    with pytest.raises(Taken), claims(remote).hold("run", against=nothing):
        pass
    assert file_names(remote) == []


def test_a_lease_that_is_released_and_taken_meanwhile_is_left_to_who_has_it(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused to the late one, and gone by the time that its age is asked for; then another has it."""
    others, age = ExitStack(), module._Leases._age
    first = ExitStack()
    first.enter_context(claims(remote).hold("run", against=nothing))
    found = list[float | None]()

    def look(self: Any, name: str, now: float) -> float | None:
        if not found:
            first.close()
        found.append(age(self, name, now))
        if len(found) == 1:
            monkeypatch.setattr(module._Leases, "_age", age)
            others.enter_context(claims(remote).hold("run", against=nothing))
        return found[-1]

    monkeypatch.setattr(module._Leases, "_age", look)
    with others:
        with pytest.raises(Taken), claims(remote).hold("run", against=nothing):
            pass
        assert found == [None]
        assert claims(remote).held() == ["run"]
    assert file_names(remote) == []


def test_a_lease_that_is_gone_when_its_age_is_asked_for_is_free(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, age = ExitStack(), module._Leases._age
    first.enter_context(claims(remote).hold("run", against=nothing))

    def look(self: Any, name: str, now: float) -> float | None:
        first.close()
        return age(self, name, now)

    monkeypatch.setattr(module._Leases, "_age", look)
    with claims(remote).hold("run", against=nothing):
        assert file_names(remote) == ["run"]


@pytest.mark.parametrize("method", ["mkdir", "open"])
def test_a_folder_that_is_removed_while_a_claim_is_opened_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    original, left = getattr(Path, method), [3]

    def remove(self: Path, *args: Any, **options: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise FileExistsError if method == "mkdir" else FileNotFoundError
        return original(self, *args, **options)

    monkeypatch.setattr(Path, method, remove)
    with claims(tmp_path / "locks").hold("run", against=nothing):
        assert claims(tmp_path / "locks").held() == ["run"]


def test_a_file_where_the_folder_would_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "locks").touch()
    with pytest.raises(FileExistsError), claims(tmp_path / "locks").hold("run", against=nothing):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_said_to_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "run").touch()
    monkeypatch.setattr(fcntl, "flock", flock)
    message = f"^{tmp_path}: files cannot be locked on this disk: {os.strerror(number)}; accepted are a disk with"
    for wait in (False, True):
        with (
            pytest.raises(SynthharmError, match=message),
            claims(tmp_path).hold("run", against=nothing, wait=wait),
        ):
            pass
    with pytest.raises(SynthharmError, match=message):
        claims(tmp_path).held()


def test_a_service_that_overwrites_is_refused_and_nothing_left(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, _ = filesystem(remote)
    create = type(system).pipe_file
    monkeypatch.setattr(type(system), "pipe_file", lambda self, path, value, mode: create(self, path, value))
    with (
        pytest.raises(SynthharmError, match=rf"^{remote}: this service overwrites .*; accepted are services"),
        claims(remote).hold("run", against=nothing),
    ):
        pass
    assert file_names(remote) == []


def test_a_service_that_refuses_is_tried_once(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system, created = filesystem(remote)[0], list[str]()
    create = type(system).pipe_file

    def note(self: Any, path: str, value: bytes, mode: str) -> None:
        created.append(path.rpartition("/")[2].partition(".")[0])
        create(self, path, value, mode=mode)

    monkeypatch.setattr(type(system), "pipe_file", note)
    for name in ("run", "rank-00000"):
        with claims(remote).hold(name, against=nothing):
            assert file_names(remote) == [name]
    assert created == ["try", "try", "run", "rank-00000"]


def test_a_folder_that_is_removed_during_the_trial_is_tried_again(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, removed = filesystem(remote)[0], list[str]()
    create = type(system).pipe_file

    def remove_first(self: Any, path: str, value: bytes, mode: str) -> None:
        create(self, path, value, mode=mode)
        if not removed:
            removed.append(path)
            self.rm_file(path)

    monkeypatch.setattr(type(system), "pipe_file", remove_first)
    with claims(remote).hold("run", against=nothing):
        assert file_names(remote) == ["run"]
    assert len(removed) == 1


def test_who_is_refused_a_lease_is_told_when_it_ends(remote: Path) -> None:
    message = (
        f"^run, by process {os.getpid()} on .*; where that was killed, the claim ends by itself within 60 sec"
    )
    with _hold(remote, Part()):
        for part in (Part(), Part(1, 2)):
            with pytest.raises(Taken, match=message), _hold(remote, part):
                pass


def test_only_claims_that_matter_are_looked_at(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ranks there are, one that starts asks about a whole run alone."""
    looked = list[str]()
    for method in (module._Locks._is_held, module._Leases._age):

        def note(self: Any, name: str, *rest: Any, method: Any = method) -> Any:
            looked.append(name)
            return method(self, name, *rest)

        owner = module._Locks if method.__name__ == "_is_held" else module._Leases
        monkeypatch.setattr(owner, method.__name__, note)
    with _hold(place, Part(0, 4)), _hold(place, Part(1, 4)), _hold(place, Part(2, 4)):
        assert looked == []
        assert claims(place).held(lambda name: name != "rank-00001") == ["rank-00000", "rank-00002"]
        assert looked == ["rank-00000", "rank-00002"]
        looked.clear()
        with pytest.raises(Taken, match="rank-00000"), _hold(place, Part()):
            pass
        assert WHOLE not in looked
    assert claims(place).held() == []
