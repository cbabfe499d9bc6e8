"""What is seen of a run: its state, kept up to date and shown in whatever ways are wanted."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from synthharm.generate.shard import ShardDone

PLANNING, MAKING, FINISHING = "planning", "making", "finishing"
FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"
IDLE = "no worker takes a shard: all are gone, or paused because their memory is nearly full"
_RECENT = 60.0  # seconds over which the rate is measured


@dataclass
class State:
    """Where a run is.

    Attributes:
        part: which part of the dataset the run makes: "run" for all of it, or "rank-" and a number.
        phase: planning, making, finishing, and then finished, stopped or failed.
        wanted: samples that the part has.
        samples: samples of its shards that are done, those of earlier runs included.
        shards: how many shards it has.
        shards_done: how many of them are done.
        made: samples that this run made.
        files: files that this run wrote for them.
        bytes: bytes of these.
        rejects: how often this run rejected something, by reason.
        rate: samples a second lately; None until every worker has done a shard, for the first takes longer.
        seconds_left: until all shards are done at that rate, finishing left out; None where it is not known.
        started: seconds since 1970 when the run began.
        updated: when this state was reached.
        engine: what works shards off.
        workers: how many processes make shards.
        host: name of the machine.
        process: number of the process.
        message: what else is to be said.
    """

    part: str
    wanted: int
    shards: int
    engine: str
    workers: int
    phase: str = PLANNING
    samples: int = 0
    shards_done: int = 0
    made: int = 0
    files: int = 0
    bytes: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    rate: float | None = None
    seconds_left: float | None = None
    started: float = 0.0
    updated: float = 0.0
    host: str = field(default_factory=socket.gethostname)
    process: int = field(default_factory=os.getpid)
    message: str | None = None


class View(Protocol):
    """A way to show a run."""

    def show(self, state: State) -> None:
        """Show a state; most views leave out states that come soon after another of the same phase."""
        ...

    def close(self) -> None:
        """Leave whatever is shown as it is last."""
        ...


class Watch:
    """Keeps a run's state, and shows it to views.

    Args:
        state: at the beginning.
        views: whom it is shown to.
        clock: gives seconds that only ever grow.
    """

    def __init__(
        self, state: State, views: Sequence[View] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.state, self.views, self.clock = state, list(views), clock
        self.first = 0  # shards that are done when every worker may have done one
        self.state.started = time.time()
        self.recent: deque[tuple[float, int]] = deque()  # moments, and how many samples were done by then

    def phase(self, name: str, message: str | None = None) -> None:
        """Say that another phase begins."""
        self.state.phase, self.state.message = name, message
        self._show()

    def begun(self, samples: int, shards_done: int) -> None:
        """Say what is done already when shards begin to be made."""
        self.state.samples, self.state.shards_done = samples, shards_done
        self.first = shards_done + self.state.workers
        self.phase(MAKING)

    def workers(self, count: int) -> None:
        """Say how many processes make shards; none where those of a cluster are gone or paused."""
        self.state.workers = max(count, 1)
        self.first = max(self.first, self.state.shards_done + self.state.workers)
        message = None if count else IDLE
        if message != self.state.message:
            self.state.message = message
            self._show()

    def done(self, shard: ShardDone, samples: int) -> None:
        """Say that a shard is done, which stands for so many of the samples that are wanted."""
        state = self.state
        state.samples += samples
        state.shards_done += 1
        state.made += shard.samples
        state.files += shard.files
        state.bytes += shard.bytes
        state.rejects = dict(sorted((Counter(state.rejects) + Counter(shard.rejects)).items()))
        self._measure()
        self._show()

    def leave(self, kind: type[View]) -> None:
        """Close the views of a kind, and show them nothing more."""
        for view in self.views:
            if isinstance(view, kind):
                view.close()
        self.views = [view for view in self.views if not isinstance(view, kind)]

    def close(self) -> None:
        """Close all views."""
        for view in self.views:
            view.close()

    def _measure(self) -> None:
        now, state = self.clock(), self.state
        self.recent.append((now, state.samples))
        while len(self.recent) > state.workers + 1 and now - self.recent[1][0] > _RECENT:
            self.recent.popleft()
        if state.shards_done <= self.first:
            return
        # As many shards of each worker: they often end all at once, and then for long none does.
        turns = (len(self.recent) - 1) // state.workers
        moment, before = self.recent[-1 - turns * state.workers]
        if now > moment and state.samples > before:
            state.rate = (state.samples - before) / (now - moment)
            state.seconds_left = (state.wanted - state.samples) / state.rate

    def _show(self) -> None:
        self.state.updated = time.time()
        for view in self.views:
            view.show(self.state)
