"""Ending a run early: the first Ctrl-C lets the shards in hand be finished, the second stops at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from types import FrameType


@dataclass
class Stop:
    """Whether a run is to end.

    Attributes:
        requested: whether no further shard is to be begun.
        patient: whether there are shards in hand, which a first request lets be finished.
    """

    requested: bool = False
    patient: bool = False


@contextmanager
def stoppable(say: Callable[[], None]) -> Iterator[Stop]:
    """Take SIGINT (Ctrl-C) and SIGTERM as requests to stop, while a block runs in the main thread.

    Args:
        say: called at the first request, where it is granted later and not at once.

    Raises:
        KeyboardInterrupt: at the second request, or at the first where no shard is in hand.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.requested or not stop.patient:
            raise KeyboardInterrupt
        stop.requested = True
        say()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted_children() -> Iterator[None]:
    """Processes that are started in the block ignore the Ctrl-C that a terminal sends to all of them.

    What is ignored stays so in a new program. It is blocked as well, for threads that are started in the block
    keep that: those of joblib start further processes later, for such as have grown too large.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    resource_tracker.ensure_running()  # for starting it unblocks the signal
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def start_workers(jobs: int) -> None:
    """Start joblib's processes so that Ctrl-C does not reach them; who asks for as many next is given these."""
    from joblib import Parallel, delayed

    with uninterrupted_children():
        Parallel(n_jobs=jobs, backend="loky", batch_size=1)(delayed(os.getpid)() for _ in range(jobs))
