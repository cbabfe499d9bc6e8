"""What is seen of a run: its state adds up, and each way to show it shows what it says."""

from __future__ import annotations

import errno
import io
import json
import random
import threading
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthharm.errors import SynthharmError
from synthharm.generate.running import views as module
from synthharm.generate.running.views import Bar, Lines, StatusFile, describe, duration, open_views, size
from synthharm.generate.running.watch import FINISHED, FINISHING, IDLE, MAKING, PLANNING, STOPPED, State, Watch
from synthharm.generate.shard import ShardDone

MADE = st.builds(
    ShardDone,
    shard=st.integers(0, 99),
    samples=st.integers(0, 50),
    files=st.integers(0, 150),
    bytes=st.integers(0, 10**9),
    rejects=st.dictionaries(st.sampled_from(["truncated", "no region", "missing"]), st.integers(1, 9)),
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Kept:
    def __init__(self) -> None:
        self.states, self.closed = list[State](), 0

    def show(self, state: State) -> None:
        self.states.append(replace(state))

    def close(self) -> None:
        self.closed += 1


def state_of(**changes: object) -> State:
    return replace(State("run", 100, 10, "local", 1), **changes)  # type: ignore[arg-type]


def watched(workers: int, shards: int = 100, samples: int = 1000) -> tuple[Watch, Clock]:
    clock = Clock()
    return Watch(State("run", samples, shards, "local", workers), [], clock), clock


@given(st.lists(st.tuples(MADE, st.integers(0, 50)), max_size=12), st.randoms(use_true_random=False))
def test_the_counts_add_up_in_any_order(done: list[tuple[ShardDone, int]], order: random.Random) -> None:
    order.shuffle(done)
    watch, clock = watched(2)
    watch.begun(7, 1)
    for shard, samples in done:
        clock.now += 1
        watch.done(shard, samples)
    state = watch.state
    assert state.samples == 7 + sum(samples for _, samples in done)
    assert state.shards_done == 1 + len(done)
    assert state.made == sum(shard.samples for shard, _ in done)
    assert state.files == sum(shard.files for shard, _ in done)
    assert state.bytes == sum(shard.bytes for shard, _ in done)
    assert state.rejects == dict(sum((Counter(shard.rejects) for shard, _ in done), Counter()))
    assert list(state.rejects) == sorted(state.rejects)


@given(
    st.integers(1, 9),
    st.integers(1, 40),
    st.floats(0.1, 2000),
    st.floats(0, 1000),
    st.floats(0, 1),
    st.integers(0, 9),
)
def test_the_rate_is_that_of_all_workers_and_the_time_left_follows(
    workers: int, samples: int, seconds: float, starting: float, apart: float, before: int
) -> None:
    """Workers that take equally long, at whatever distance from each other, of which the first shard is slow."""
    shards = 4 * workers + before
    watch, clock = watched(workers, shards, shards * samples)
    watch.begun(before * samples, before)
    for turn in range(4):
        for worker in range(workers):
            clock.now = starting + seconds * (turn + apart * worker / workers)
            watch.done(ShardDone(0, samples, 3 * samples, 0, {}), samples)
            if not turn:
                assert watch.state.rate is None
                assert watch.state.seconds_left is None
                continue
            assert watch.state.rate == pytest.approx(workers * samples / seconds)
            left = (3 - turn) * workers + (workers - 1 - worker)
            assert watch.state.seconds_left == pytest.approx(left * samples / watch.state.rate)
    assert watch.state.seconds_left == 0


def test_the_rate_is_the_latest() -> None:
    watch, clock = watched(1, 1000, 10_000)
    watch.begun(0, 0)
    for seconds in [0.1] * 200 + [10.0] * 20:
        clock.now += seconds
        watch.done(ShardDone(0, 10, 30, 0, {}), 10)
    assert watch.state.rate == pytest.approx(1.0)
    assert watch.state.seconds_left == pytest.approx(10_000 - 2200)


def test_the_rate_is_that_of_a_minute() -> None:
    watch, clock = watched(1, 1000, 10_000)
    watch.begun(0, 0)
    for turn in range(200):
        clock.now += 1.0 if turn % 2 else 3.0
        watch.done(ShardDone(0, 10, 30, 0, {}), 10)
    assert watch.state.rate == pytest.approx(5.0, rel=0.02)
    for turn in range(100):
        clock.now += 2.0 if turn % 2 else 6.0
        watch.done(ShardDone(0, 10, 30, 0, {}), 10)
        if clock.now > 400 + 60 + 6:
            assert watch.state.rate == pytest.approx(2.5, rel=0.1)


def test_rejects_of_shards_add_up() -> None:
    watch, _ = watched(1)
    for rejects in ({"missing": 2}, {"truncated": 1}, {"missing": 3}):
        watch.done(ShardDone(0, 10, 30, 0, rejects), 10)
    assert watch.state.rejects == {"missing": 5, "truncated": 1}


def test_a_view_that_is_left_is_closed_and_shown_nothing_more() -> None:
    kept, lines = Kept(), Lines(io.StringIO(), as_json=False)
    watch = Watch(state_of(), [kept, lines])
    watch.leave(Kept)
    watch.phase(MAKING)
    assert (kept.closed, kept.states, watch.views) == (1, [], [lines])


def test_shards_that_are_done_in_one_moment_have_no_rate() -> None:
    watch, clock = watched(1)
    watch.begun(0, 0)
    clock.now = 5.0
    for _ in range(3):
        watch.done(ShardDone(0, 10, 30, 0, {}), 10)
    assert watch.state.rate is None


def test_every_view_sees_every_state_until_it_is_left_or_closed() -> None:
    kept, other = Kept(), Lines(io.StringIO(), as_json=False)
    watch = Watch(state_of(), [kept, other])
    watch.phase(PLANNING)
    watch.begun(10, 1)
    watch.leave(Lines)
    assert watch.views == [kept]
    watch.phase(STOPPED, "asked to")
    watch.close()
    assert [(s.phase, s.message) for s in kept.states] == [
        (PLANNING, None),
        (MAKING, None),
        (STOPPED, "asked to"),
    ]
    assert all(s.updated >= s.started > 0 for s in kept.states)
    assert kept.closed == 1


def test_lines_of_text_are_as_stated() -> None:
    stream = io.StringIO()
    lines = Lines(stream, as_json=False)
    lines.show(state_of(updated=0.0))
    lines.show(
        state_of(
            phase=MAKING,
            samples=40,
            bytes=3_000_000,
            rate=2.0,
            seconds_left=30.0,
            updated=3661.0,
            part="rank-00001",
        )
    )
    lines.show(state_of(phase=FINISHED, samples=100, rejects={"missing": 2}, updated=86399.0))
    assert stream.getvalue().splitlines() == [
        "00:00:00 planning: 0 of 100 samples",
        "01:01:01 rank-00001: making: 40 of 100 samples, 2.0/s, 30 s left, 3.0 MB written",
        "23:59:59 finished: 100 of 100 samples, rejected: 2 missing",
    ]


def test_lines_come_from_time_to_time_and_for_each_phase_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, stream = Clock(), io.StringIO()
    monkeypatch.setattr(module.time, "monotonic", clock)
    lines = Lines(stream, as_json=True)
    for second in range(1, 36):
        clock.now = float(second)
        lines.show(state_of(phase=MAKING, samples=second, shards_done=second // 4))
    lines.show(state_of(phase=MAKING, samples=100, shards_done=10))
    lines.show(state_of(phase=FINISHING, samples=100, shards_done=10))
    shown = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["samples"] for one in shown] == [1, 11, 21, 31, 100, 100]
    assert [one["phase"] for one in shown[-2:]] == [MAKING, FINISHING]


@given(MADE, st.text(), st.sampled_from([None, 0.5, 1e9]))
def test_lines_for_programs_hold_the_whole_state(shard: ShardDone, message: str, rate: float | None) -> None:
    stream = io.StringIO()
    state = state_of(phase=STOPPED, rejects=dict(shard.rejects), message=message, rate=rate, updated=1.5)
    Lines(stream, as_json=True).show(state)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == {"time": "1970-01-01T00:00:01.500+00:00", **asdict(state)}


def test_nobody_listening_ends_no_run() -> None:
    stream = io.StringIO()
    stream.close()
    Lines(stream, as_json=False).show(state_of())


def test_the_bar_shows_the_figures_and_leaves_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    stream = Terminal()
    bar = Bar(stream)
    assert stream.getvalue() == ""
    bar.show(state_of())
    bar.show(
        state_of(phase=MAKING, samples=40, rate=2.0, seconds_left=30.0, bytes=5_000_000, rejects={"missing": 3})
    )
    bar.close()
    bar.close()
    text = stream.getvalue()
    for part in ("making", "40/100", "2.0/s", "30 s left", "5.0 MB written", "rejected: 3 missing"):
        assert part in text
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l") >= 0  # the cursor is hidden, and shown again at last


class Gone(Terminal):
    """A terminal that is closed while a run is shown on it."""

    gone = False

    def write(self, text: str) -> int:
        if self.gone:
            raise OSError(errno.EIO, "Input/output error")
        return super().write(text)


def test_a_terminal_that_is_closed_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Gone()
    bar = Bar(stream)
    bar.show(state_of())
    stream.gone = True
    bar.show(state_of(phase=MAKING, samples=40))
    bar.close()
    Bar(stream).show(state_of())


def test_that_nobody_works_is_said_at_once_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    stream, terminal = io.StringIO(), Terminal()
    watch, bar = Watch(state_of(wanted=9), [Lines(stream, as_json=False)]), Bar(terminal)
    watch.begun(0, 0)
    for count in (3, 0, 0, 2):
        watch.workers(count)
    bar.show(replace(watch.state, message=IDLE))
    bar.close()
    said = [line.partition("samples")[2] for line in stream.getvalue().splitlines()]
    assert said == ["", f", {IDLE}", ""]
    assert watch.state.workers == 2
    assert IDLE in terminal.getvalue()


def test_a_bar_that_never_was_shown_closes() -> None:
    stream = Terminal()
    Bar(stream).close()
    assert stream.getvalue() == ""


def test_what_is_asked_for_is_opened() -> None:
    assert [type(view) for view in open_views("auto", Terminal())] == [Bar]
    (text,) = open_views("auto", io.StringIO())
    assert isinstance(text, Lines)
    assert not text.as_json
    (machine,) = open_views("json", Terminal())
    assert isinstance(machine, Lines)
    assert machine.as_json
    assert open_views("none", Terminal()) == []
    with pytest.raises(SynthharmError, match="log is 'loud'; accepted are auto, bar, text, json, none"):
        open_views("loud", io.StringIO())


def test_the_status_file_is_whole_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FILE_EVERY", 0.0)
    path, ended = tmp_path / "status" / "run.json", threading.Event()
    view, seen = StatusFile(path), set[int]()
    view.show(state_of(phase=MAKING))

    def read() -> None:
        while not ended.is_set():
            seen.add(json.loads(path.read_bytes())["samples"])

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        for samples in range(200):
            view.show(state_of(phase=MAKING, samples=samples, message="x" * (samples * 37 % 5000)))
    finally:
        ended.set()
    reader.join(60)
    assert not reader.is_alive()
    assert seen <= set(range(200))
    assert [one.name for one in path.parent.iterdir()] == ["run.json"]


def test_the_status_file_is_written_now_and_then_and_for_each_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module.time, "monotonic", clock)
    path = tmp_path / "run.json"
    view = StatusFile(path)
    view.show(state_of(samples=1))
    view.show(state_of(samples=2))
    assert json.loads(path.read_bytes())["samples"] == 1
    view.show(state_of(phase=MAKING, samples=3))
    assert json.loads(path.read_bytes())["samples"] == 3
    clock.now += 1.5
    view.show(state_of(phase=MAKING, samples=4))
    assert json.loads(path.read_bytes())["samples"] == 4


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("service away")])
def test_a_status_that_cannot_be_written_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(module, "write_atomically", full)
    StatusFile(tmp_path / "run.json").show(state_of())


@given(st.floats(0, 1e15), st.floats(0, 1e9))
def test_figures_for_people_are_short(count: float, seconds: float) -> None:
    assert len(size(count)) < 12
    assert len(duration(seconds)) < 14
    assert describe(state_of(bytes=1, phase=MAKING)).startswith("making: 0 of 100 samples")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (10**6, "1.0 MB"), (10**12, "1.0 TB"), (9.94e12, "9.9 TB")],
)
def test_bytes_are_in_powers_of_a_thousand(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2.0 h"), (172799, "48.0 h"), (172800, "2.0 days")],
)
def test_seconds_are_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
