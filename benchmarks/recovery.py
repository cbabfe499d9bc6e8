"""How much of the real image harmonizing brings back: without encoding, after PNG, and after JPEG.

    python benchmarks/recovery.py --data ../shared/photos/coco --samples 1000 --jobs 2

Makes the samples of recipes/retouch_coco.yaml. Each composite is judged three times over its recoverable
foreground: as real numbers in float64, as the 8-bit PNG that is written, and as a
JPEG of quality 95. Writes results/recovery.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from measuring import RESULTS, write_result

from synthharm.composites import Encoder, decode_image, measure_recovery
from synthharm.composites.foreground import Foreground
from synthharm.generate.plan import Plan
from synthharm.generate.sample import Maker
from synthharm.generate.threads import one_thread
from synthharm.metrics import mse, psnr
from synthharm.recipe import Recipe, load_recipe

HERE = Path(__file__).resolve().parent
CHUNKS = 20
JPEG = Encoder("jpeg", quality=95, subsampling="4:4:4")


def measure_all(recipe: Recipe, folder: Path, numbers: Sequence[int]) -> list[dict[str, float]]:
    maker = Maker.of(Plan.open(recipe, folder))
    with one_thread():
        rows = [measure(maker, number) for number in numbers]
    return [row for row in rows if row is not None]


def measure(maker: Maker, number: int) -> dict[str, float] | None:
    sample, _ = maker.make(number)
    if sample is None:
        return None
    composite, chain = sample.composite, maker.chain
    values = composite.arguments.values[0].double().numpy()
    judged = (composite.image, composite.mask, composite.real, composite.recoverable, chain, values)
    jpeg = measure_recovery(decode_image(JPEG.encode(judged[0])), *judged[1:])
    foreground = Foreground.of(composite.real, composite.mask, chain)
    inverse = chain.invert(foreground.images, foreground.masks, composite.arguments, foreground.counts)
    harmonized = chain.apply(inverse.composites, foreground.masks, composite.arguments, foreground.counts)
    inside = inverse.recoverable[0, 0, :, 0].numpy()
    difference = [image[0, :, :, 0].T.numpy()[inside] * 255 for image in (harmonized, foreground.images)]
    return {
        "float64_psnr": psnr(mse(*difference)),
        "png_psnr": sample.record.measured["recovery_psnr"],
        "jpeg95_psnr": jpeg.psnr,
        "recoverable": composite.recoverable_share,
        "foreground_mse": composite.foreground_mse,
        "attempts": sample.record.draw["attempts"],
        "kept": sample.record.draw["kept"],
    }


def describe(values: list[float]) -> dict[str, float]:
    names, places = ("lowest", "5 %", "median", "95 %", "highest"), (0, 5, 50, 95, 100)
    quantiles = np.percentile(values, places)
    return {name: round(float(value), 4) for name, value in zip(names, quantiles, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS / "recovery.json")
    options = parser.parse_args()
    overrides = [f"data={options.data}", f"samples={options.samples}"]
    recipe = load_recipe(HERE.parent / "recipes" / "retouch_coco.yaml", overrides)
    with tempfile.TemporaryDirectory() as folder:
        Plan.make(recipe, Path(folder))
        chunks = [range(start, recipe.samples, CHUNKS) for start in range(CHUNKS)]
        calls = (delayed(measure_all)(recipe, Path(folder), chunk) for chunk in chunks)
        rows = [row for chunk in Parallel(n_jobs=options.jobs)(calls) for row in chunk]
    result: dict[str, Any] = {
        "samples": len(rows),
        **{name: describe([row[name] for row in rows]) for name in rows[0]},
        "foreground_recoverable_in_all": float(np.mean([row["recoverable"] for row in rows])),
    }
    print(json.dumps(result, indent=1))
    write_result(options.output, result)


if __name__ == "__main__":
    main()
