"""Runs cases in this process, each written down before it begins: what a test starts, and what repeats a case.

    python tests/fuzzing/fuzz_child.py images --first 712 --count 1 --folder FOLDER

The case's files stay in the folder.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import json
import os
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import IO, Any, Protocol

KINDS = ("images", "masks", "listings", "recipes", "records", "checkpoints")
LONGEST = 120  # seconds that a case may take before it counts as hanging, on a machine with much else to do
HIGHEST = 1 << 30  # bytes that memory may grow by
SEED = 20
STATUS = Path("/proc/self/status")


class Kind(Protocol):
    """Cases of one kind of input."""

    def run(self, random: Any) -> str:
        """Make one case of it and feed it to the program.

        Returns:
            "accepted", or a few words on why it was refused. Whatever else it raises is a fault.
        """
        ...


def peak() -> int:
    """The most memory that this process had so far, in bytes."""
    if STATUS.exists():  # what getrusage tells on Linux may be the peak of the process that started this one
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--folder", type=Path, required=True)
    asked = parser.parse_args(arguments)
    sys.dont_write_bytecode = True
    os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    folder: Path = asked.folder.resolve()
    faulthandler.dump_traceback_later(300, exit=True)
    kind = _kind(asked.kind, folder)
    with (folder / f"{asked.kind}.jsonl").open("a", buffering=1) as results:
        _run(kind, KINDS.index(asked.kind), range(asked.first, asked.first + asked.count), results)


def _kind(name: str, folder: Path) -> Kind:
    module: Any = importlib.import_module(f"fuzz_{name}")
    return module.prepare(folder / name)  # type: ignore[no-any-return]


def _run(kind: Kind, stream: int, numbers: range, results: IO[str]) -> None:
    import numpy as np

    started = peak()
    _limit_memory()
    for number in numbers:
        results.write(json.dumps({"begins": number}) + "\n")
        faulthandler.dump_traceback_later(LONGEST, exit=True)
        before, clock = peak(), time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)  # pycocotools'
            try:
                outcome, fault = kind.run(np.random.default_rng((SEED, stream, number))), None
            except (KeyboardInterrupt, SystemError):
                raise
            except BaseException:
                outcome, fault = "fault", traceback.format_exc()
        grown = peak() - max(before, started)
        if peak() - started > HIGHEST and fault is None and grown > 0:
            fault = f"memory grew by {peak() - started >> 20} MiB in all, {grown >> 20} MiB of it here"
        ends = {"ends": number, "outcome": outcome, "seconds": round(time.process_time() - clock, 3)}
        results.write(json.dumps({**ends, "grown": peak() - started, "fault": fault}) + "\n")
    faulthandler.cancel_dump_traceback_later()


def _limit_memory() -> None:
    """Let what asks for far too much fail, and not the machine. Elsewhere than on Linux there is no such limit."""
    status = Path("/proc/self/statm")
    if status.exists():
        held = int(status.read_text().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([held + 4 * HIGHEST, *limits]), hard))


if __name__ == "__main__":
    main(sys.argv[1:])
