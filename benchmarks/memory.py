"""What memory a run takes, of few samples and of many.

    OMP_NUM_THREADS=1 python benchmarks/memory.py --data ../shared/photos/coco --samples 1000 20000 --jobs 2

Makes datasets of recipes/retouch_coco.yaml from photos that are scaled to 128 pixels, so that many samples take
minutes, each in a command of its own. Every tenth of a second the memory of the command and of its workers is
looked at; memory that they share is counted to each. Peaks are what counts: of the process that hands out the
shards and finishes the dataset, and of the worker that took most. Writes results/memory.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import psutil
from measuring import RESULTS, print_table, write_result

HERE = Path(__file__).resolve().parent
SIDE = 128  # pixels of the photos' longer side
EVERY = 0.1


def shrink(data: Path, folder: Path) -> None:
    """Photos and objects of a COCO folder, scaled down."""
    (folder / "images").mkdir()
    listed = json.loads((data / "instances.json").read_bytes())
    scales = {}
    for entry in listed["images"]:
        photo = cv2.imread(str(data / "images" / entry["file_name"]))
        if photo is None:
            raise SystemExit(f"{entry['file_name']} is no image that OpenCV can decode")
        scale = SIDE / max(photo.shape[:2])
        small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / "images" / entry["file_name"]), small)
        scales[entry["id"]] = (small.shape[1] / entry["width"], small.shape[0] / entry["height"])
        entry["height"], entry["width"] = small.shape[:2]
    kept = [one for one in listed["annotations"] if isinstance(one["segmentation"], list)]
    for one in kept:
        across, down = scales[one["image_id"]]
        one["segmentation"] = [
            [value * (down if place % 2 else across) for place, value in enumerate(polygon)]
            for polygon in one["segmentation"]
        ]
        one.pop("area", None)
    (folder / "instances.json").write_text(json.dumps(listed | {"annotations": kept}))


def measure(data: Path, output: Path, samples: int, jobs: int) -> dict[str, Any]:
    """Peaks in MiB, and seconds, of one run."""
    command = [sys.executable, "-m", "synthharm", "generate", str(HERE.parent / "recipes" / "retouch_coco.yaml")]
    command += ["--output", str(output), "--jobs", str(jobs), "--log", "none"]
    command += ["--set", f"data={data}", "--set", f"samples={samples}", "--set", "select.side=[1, 4096]"]
    start = time.perf_counter()
    process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    peaks: dict[int, float] = {}
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            for one in [process, *process.children(recursive=True)]:
                peaks[one.pid] = max(peaks.get(one.pid, 0.0), one.memory_info().rss / 2**20)
        time.sleep(EVERY)
    if process.returncode:
        raise SystemExit(process.stdout.read().decode())
    coordinator = peaks.pop(process.pid)
    return {
        "samples": samples,
        "seconds": round(time.perf_counter() - start, 1),
        "coordinator_mib": round(coordinator, 1),
        "largest_worker_mib": round(max(peaks.values(), default=0.0), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, nargs="+", default=[1000, 20_000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS / "memory.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "photos"
        small.mkdir()
        shrink(options.data, small)
        rows = [measure(small, Path(folder) / f"{samples}", samples, options.jobs) for samples in options.samples]
    first, last = rows[0], rows[-1]
    parts = ("coordinator_mib", "largest_worker_mib")
    growth = {part: round(last[part] / first[part], 3) for part in parts if first[part]}
    print_table([*rows[0]], [[*row.values()] for row in rows])
    print_table(["last by first", *growth], [["", *growth.values()]])
    write_result(options.output, {"side": SIDE, "jobs": options.jobs, "runs": rows, "last_by_first": growth})


if __name__ == "__main__":
    main()
