"""How closely the foreground MSE of composites follows the distribution that was wanted.

    python benchmarks/difficulty.py --data ../shared/photos/coco --samples 2000 --jobs 2

Draws arguments by difficulty, for iHarmony4's quantiles, on regions of COCO's photos that cover 0.005 to 0.8 of
them. The foreground MSE that was reached is taken over all pixels of the region, after rounding to 8 bits.
Writes results/difficulty.json. "ks" is the largest distance between the distributions of what was reached and of
what is wanted; "ks_of_draws" is the same for the MSEs that the samples drew, and says how much of it is chance.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from measuring import RESULTS, write_result
from numpy.typing import NDArray

from synthharm.composites import retouch
from synthharm.errors import Unusable
from synthharm.filters import Difficulty, FilterChain
from synthharm.generate.threads import one_thread
from synthharm.metrics import mse
from synthharm.sources import CocoSource, Index, Select, build_index, load_region

CHUNKS = 20
SELECT = Select(area_share=(0.005, 0.8), side=(200, 10000))
STRATEGY = Difficulty()
PLACES = (0.05, 0.25, 0.5, 0.75, 0.95)


def draw_all(data: Path, index: Index, numbers: Sequence[int]) -> list[dict[str, float]]:
    source, chain = CocoSource(data), FilterChain.paper()
    with one_thread():
        rows = [draw(source, index, chain, number) for number in numbers]
    return [row for row in rows if row is not None]


def draw(source: CocoSource, index: Index, chain: FilterChain, number: int) -> dict[str, float] | None:
    region = int(np.random.default_rng(number).integers(index.regions))
    try:
        photo, mask = load_region(source, index, region, soft=False)
    except Unusable:
        return None
    generator = torch.Generator().manual_seed(number)
    composite = retouch(photo.pixels, mask, chain, generator, strategy=STRATEGY)
    arguments = composite.arguments
    inside = (mask > 0, slice(None))
    return {
        "wanted": float(arguments.wanted[0]),
        "reached": mse(composite.image[inside].astype(np.float64), photo.pixels[inside].astype(np.float64)),
        "attempts": int(arguments.attempts[0]),
        "kept": float(arguments.kept[0]),
        "beyond_spans": float(
            any(abs(v) > p.span for v, p in zip(arguments.values[0], chain.parameters, strict=True))
        ),
    }


def distance(values: NDArray[np.float64]) -> float:
    """The Kolmogorov-Smirnov distance of foreground MSEs from the wanted distribution."""
    expected = np.sort(STRATEGY.cdf(torch.from_numpy(values)).numpy())
    steps = np.arange(len(expected) + 1) / len(expected)
    return float(max((steps[1:] - expected).max(), (expected - steps[:-1]).max()))


def describe(values: NDArray[np.float64], places: Sequence[float] = PLACES) -> dict[str, float]:
    quantiles = np.quantile(values, places)
    return {f"{place:.0%}": round(float(value), 2) for place, value in zip(places, quantiles, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS / "difficulty.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = build_index(CocoSource(Path(options.data)), Path(folder), select=SELECT)
        chunks = [range(start, options.samples, CHUNKS) for start in range(CHUNKS)]
        calls = (delayed(draw_all)(Path(options.data), index, chunk) for chunk in chunks)
        rows = [row for chunk in Parallel(n_jobs=options.jobs)(calls) for row in chunk]
    measured = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}
    misses = np.abs(measured["reached"] / measured["wanted"] - 1)
    result: dict[str, Any] = {
        "samples": len(rows),
        "regions": index.regions,
        "quantiles": STRATEGY.quantiles,
        "ks": round(distance(measured["reached"]), 4),
        "ks_of_draws": round(distance(measured["wanted"]), 4),
        "wanted": describe(measured["wanted"]),
        "reached": describe(measured["reached"]),
        "off_by": describe(misses),
        "missed_by_a_tenth": float((misses > 0.1).mean()),
        "attempts": describe(measured["attempts"]),
        "shrunk": float((measured["kept"] < 1).mean()),
        "beyond_spans": float(measured["beyond_spans"].mean()),
    }
    print(json.dumps(result, indent=1))
    write_result(options.output, result)


if __name__ == "__main__":
    main()
