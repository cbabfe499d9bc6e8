"""What the benchmarks have in common: photos of one size, rivals timed in turns, and results as JSON."""

from __future__ import annotations

import json
import platform
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.generate.sample import library_versions

RESULTS = Path(__file__).resolve().parent / "results"
WIDTH, HEIGHT = 1024, 768
ENDINGS = (".jpg", ".jpeg", ".webp")  # not .png: beside photos those are masks

RUSAGE_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes

Image = NDArray[np.uint8]


def read_photos(places: Sequence[Path], count: int) -> dict[str, Image]:
    """So many photos by name, as RGB (768, 1024, 3): evenly spread over all of these files and folders."""
    files = [file for place in places for file in (sorted(place.iterdir()) if place.is_dir() else [place])]
    files = [file for file in files if file.suffix.lower() in ENDINGS]
    if len(files) < count:
        raise SystemExit(f"{count} photos are wanted, and there are {len(files)} in {', '.join(map(str, places))}")
    return {files[i * len(files) // count].name: read_photo(files[i * len(files) // count]) for i in range(count)}


def read_photo(file: Path) -> Image:
    """A photo's middle of the benchmarks' proportions, resized to their size."""
    stored = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if stored is None:
        raise SystemExit(f"{file} is no image that OpenCV can decode")
    height, width = stored.shape[:2]
    across, down = min(width, height * WIDTH // HEIGHT), min(height, width * HEIGHT // WIDTH)
    left, top = (width - across) // 2, (height - down) // 2
    method = cv2.INTER_AREA if across > WIDTH else cv2.INTER_LINEAR
    resized = cv2.resize(stored[top : top + down, left : left + across], (WIDTH, HEIGHT), interpolation=method)
    return np.ascontiguousarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def time_in_turns(rivals: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """The milliseconds of each call, after one that does not count: every rival in each repetition."""
    for call in rivals.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(repeats):
        for name, call in rivals.items():
            start = perf_counter()
            call()
            taken[name].append((perf_counter() - start) * 1000)
    return taken


def levels_off(found: NDArray[Any], wanted: NDArray[Any]) -> dict[str, float]:
    """How far levels are from those wanted."""
    difference = found.astype(np.int16) - wanted.astype(np.int16)
    return {
        "mean": float(np.abs(difference).mean()),
        "highest": int(np.abs(difference).max()),
        "exact": float((difference == 0).mean()),
        "bias": float(difference.mean()),
    }


def average(errors: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Several of `levels_off` as one."""
    names = ("mean", "exact", "bias")
    means = {name: round(float(np.mean([error[name] for error in errors])), 6) for name in names}
    return {**means, "highest": max(error["highest"] for error in errors)}


def ratios(these: Sequence[float], those: Sequence[float]) -> float:
    """How many times as long these calls take as those: the median over repetitions."""
    return median(a / b for a, b in zip(these, those, strict=True))


def peak_memory() -> int:
    """The bytes that this process held at most.

    Linux keeps it since the program began; what getrusage says is at least the peak of the process that began it.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        lines = []
    peaks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
    return peaks[0] if peaks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RUSAGE_UNIT


def write_result(output: Path, rows: Mapping[str, Any], libraries: Sequence[str] = ()) -> None:
    """Write a result with the command and the versions that it came from."""
    result = {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "machine": {"processor": processor(), "python": platform.python_version()},
        "versions": {**library_versions(), **{name: version(name) for name in libraries}},
        **rows,
    }
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nwritten to {output}")


def processor() -> str:
    """What the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns; numbers to the right."""
    text = [[cell if isinstance(cell, str) else f"{cell:,.3g}" for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(head), *text]) for i in range(len(head))]
    for row, given in zip([list(head), *text], [list(head), *rows], strict=True):
        left = (isinstance(cell, str) for cell in given)
        cells = [c.ljust(w) if to_left else c.rjust(w) for c, w, to_left in zip(row, widths, left, strict=True)]
        print("  ".join(cells).rstrip())
