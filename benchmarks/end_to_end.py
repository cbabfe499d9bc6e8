"""How near `generate` comes to the floor of its codecs, and what a second worker adds.

    OMP_NUM_THREADS=1 python benchmarks/end_to_end.py --data ../shared/photos/coco --samples 300

Makes the samples of recipes/retouch_coco.yaml, as PNG and as JPEG of quality 95. The floor reads and decodes the
photo and mask of each of these samples, encodes image, mask and real as often as `generate` does, takes their
checksums and writes as many files as safely, with nothing between. It knows the samples beforehand: telling that
the source is still the one listed, what was rejected on the way, records and summary are `generate`'s alone.
Floor, one job, two jobs and two workers of a Dask cluster take turns in every repetition. Workers are started, the
source's index is made, and what is compiled is loaded, before the first.

Samples of recipes/splicing_coco.yaml are made in the same ways but the floor, without formats beside the dataset.

A run apart, under a profiler, says what shares of the time things take. `bytes` are the means of a file of each
role and of a record. Writes results/end_to_end.json.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import Any

from distributed import LocalCluster
from measuring import RESULTS, print_table, write_result

from synthharm.composites import encoding, measure_recovery
from synthharm.composites.encoding import encode_png
from synthharm.files import sha256, sync_folders, write_synced
from synthharm.filters import Span
from synthharm.filters.fused.disharmonize import RegionJudge
from synthharm.generate import generate, shard
from synthharm.generate.cache import keep_index
from synthharm.generate.dataset import Dataset
from synthharm.generate.finish import finish
from synthharm.generate.plan import Plan
from synthharm.generate.sample import ATTEMPTS, Maker
from synthharm.generate.source_key import source_key
from synthharm.generate.splicing import stored
from synthharm.generate.threads import one_thread
from synthharm.generate.workshop import open_plan
from synthharm.recipe import AnyRecipe, Recipe, SplicingRecipe, load_recipe
from synthharm.sources import load_region
from synthharm.writers import Record
from synthharm.writers.forensics import SplicingRecord

RECIPES = Path(__file__).resolve().parent.parent / "recipes"
FORMATS = {"png": ["encoding.format=png"], "jpeg95": ["encoding.format=jpeg", "encoding.quality=95"]}
TURNS = ("floor", "one job", "two jobs", "two Dask workers")

# What a share is called, and the functions that it is the time of.
SHARES: dict[str, tuple[Callable[..., object], ...]] = {
    "source unchanged, open plan": (source_key, keep_index, open_plan),  # the index is there already
    "decode": (load_region,),
    "draw": (Span.draw,),
    "undo and measure": (RegionJudge.judge,),
    "encode": (encoding._encode,),
    "judge what JPEG left": (measure_recovery,),
    "write": (write_synced, shard._Outbox.send),
    "finish": (finish,),
}


@dataclass(frozen=True)
class Floor:
    """What the samples of a dataset take at least.

    Args:
        maker: of the dataset's recipe.
        records: the samples.
        regions: their regions' numbers in the index.
    """

    maker: Maker
    records: list[Record]
    regions: list[int]

    @classmethod
    def of(cls, recipe: Recipe, dataset: Path, index: Path) -> Floor:
        """Find the regions of a dataset's samples again; `index` is a folder for the listing of the source."""
        maker = Maker.of(Plan.make(recipe, index))
        records = list(Dataset(dataset).records())
        return cls(maker, records, [find_region(maker.plan, record) for record in records])

    def run(self, folder: Path) -> None:
        """Decode, encode and write, in shards as `generate` does."""
        size = self.maker.plan.recipe.shard
        with one_thread():
            for first in range(0, len(self.records), size):
                part = slice(first, first + size)
                self._shard(folder, self.records[part], self.regions[part])

    def _shard(self, folder: Path, records: list[Record], regions: list[int]) -> None:
        maker, staged = self.maker, dict[str, Path]()
        staging = folder / "staging"
        staging.mkdir(parents=True, exist_ok=True)
        for record, region in zip(records, regions, strict=True):
            photo, mask = load_region(maker.source, maker.plan.index, region, soft=False)
            made = {
                "image": maker.encoder.encode(photo.pixels),
                "mask": encode_png(mask),
                "real": maker.encoder.encode(photo.pixels),
            }
            for role, data in made.items():
                sha256(data)
                path = record.files[role]["path"]
                if path not in staged:
                    staged[path] = staging / str(len(staged))
                    write_synced(staged[path], data)
        for parent in {(folder / path).parent for path in staged}:
            parent.mkdir(parents=True, exist_ok=True)
        for path, file in staged.items():
            file.replace(folder / path)
        sync_folders({(folder / path).parent for path in staged})


def find_region(plan: Plan, record: Record) -> int:
    """The number of a sample's region in the index."""
    for attempt in range(ATTEMPTS):
        number = plan.region(record.sample, attempt)
        region = plan.index.region(number)
        if (region.id, plan.index.photo(region.photo).key) == (record.region["id"], record.source["photo"]):
            return number
    raise ValueError(f"sample {record.sample} is of no region that the plan has for it")


def measure(recipe: Recipe, folder: Path, repeats: int, address: str) -> dict[str, Any]:
    """Samples per second of the floor, of one job, of two, and of a cluster's two workers, in turns."""
    turns = ways(recipe, folder, address)
    floor = Floor.of(recipe, folder / "warm", folder / "index")
    samples = len(floor.records)
    rates = take_turns({"floor": floor.run, **turns}, samples, folder, repeats)
    return {
        "samples": samples,
        "photos": floor.maker.plan.index.photos,
        "regions": floor.maker.plan.index.regions,
        "bytes": sizes(floor.records),
        "samples_per_second": {name: round(median(found), 2) for name, found in rates.items()},
        "one_job_of_floor": ratio(rates["one job"], rates["floor"]),
        "two_jobs_of_floor": ratio(rates["two jobs"], rates["floor"]),
        "two_dask_workers_of_floor": ratio(rates["two Dask workers"], rates["floor"]),
        "two_jobs_of_one": ratio(rates["two jobs"], rates["one job"]),
        "two_dask_workers_of_one_job": ratio(rates["two Dask workers"], rates["one job"]),
        "rates": {name: [round(rate, 2) for rate in found] for name, found in rates.items()},
        "shares": profile(recipe, folder / "profiled"),
    }


def measure_splicing(recipe: SplicingRecipe, folder: Path, repeats: int, address: str) -> dict[str, Any]:
    """The same of a splicing recipe, without a floor: what it decodes and encodes follows from what it draws."""
    turns = ways(recipe, folder, address)
    records = list(stored.records(Dataset(folder / "warm")))
    rates = take_turns(turns, len(records), folder, repeats)
    return {
        "samples": len(records),
        "bytes": sizes(records),
        "bytes_a_sample": round(fmean(sum(file["bytes"] for file in record.files.values()) for record in records)),
        "files_a_sample": round(fmean(len(record.files) for record in records), 2),
        "samples_per_second": {name: round(median(found), 2) for name, found in rates.items()},
        "two_jobs_of_one": ratio(rates["two jobs"], rates["one job"]),
        "two_dask_workers_of_one_job": ratio(rates["two Dask workers"], rates["one job"]),
        "rates": {name: [round(rate, 2) for rate in found] for name, found in rates.items()},
    }


def ways(recipe: AnyRecipe, folder: Path, address: str) -> dict[str, Callable[[Path], object]]:
    """How `generate` makes a dataset in a given folder: each way is tried once before, in `folder`."""
    generate(recipe, folder / "warm", jobs=1)
    generate(recipe, folder / "warm two", jobs=2)
    generate(recipe, folder / "warm cluster", engine="dask", address=address)
    return {
        "one job": lambda output: generate(recipe, output, jobs=1),
        "two jobs": lambda output: generate(recipe, output, jobs=2),
        "two Dask workers": lambda output: generate(recipe, output, engine="dask", address=address),
    }


def take_turns(
    turns: Mapping[str, Callable[[Path], object]], samples: int, folder: Path, repeats: int
) -> dict[str, list[float]]:
    """Samples per second of each way, in each repetition."""
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for repeat in range(repeats):
        for name, turn in turns.items():
            output = folder / f"{name} {repeat}"
            start = perf_counter()
            turn(output)
            rates[name].append(samples / (perf_counter() - start))
            shutil.rmtree(output)
        print(", ".join(f"{name} {found[-1]:.1f}" for name, found in rates.items()), flush=True)
    return rates


def ratio(rates: Sequence[float], of: Sequence[float]) -> dict[str, float]:
    """What rates are of others that were measured in the same repetitions."""
    ratios = [rate / other for rate, other in zip(rates, of, strict=True)]
    return {"median": round(median(ratios), 3), "lowest": round(min(ratios), 3)}


def sizes(records: Sequence[Record] | Sequence[SplicingRecord]) -> dict[str, int]:
    """Mean bytes of a file of each role, those that samples share counted once, and of a line of the records."""
    files: dict[str, dict[str, int]] = {}
    for record in records:
        for role, file in record.files.items():
            files.setdefault(role, {})[file["path"]] = file["bytes"]
    means = {role: round(fmean(found.values())) for role, found in files.items()}
    return means | {"record": round(fmean(len(record.to_json().encode()) + 1 for record in records))}


def profile(recipe: Recipe, output: Path) -> dict[str, float]:
    """What share of one job's time things take, under a profiler, which makes what is Python a little slower."""
    profiler = cProfile.Profile()
    profiler.runcall(generate, recipe, output, jobs=1)
    shutil.rmtree(output)
    stats = pstats.Stats(profiler)
    total: float = stats.total_tt  # type: ignore[attr-defined]
    taken = {place: entry[3] for place, entry in stats.stats.items()}  # type: ignore[attr-defined]
    shares = {
        share: sum(taken.get(place_of(function), 0.0) for function in functions) / total
        for share, functions in SHARES.items()
    }
    return {name: round(share, 4) for name, share in (shares | {"all else": 1 - sum(shares.values())}).items()}


def place_of(function: Callable[..., object]) -> tuple[str, int, str]:
    """What a profiler calls a function."""
    code = getattr(function, "__func__", function).__code__
    return code.co_filename, code.co_firstlineno, code.co_name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where datasets are written, and removed again")
    parser.add_argument("--output", type=Path, default=RESULTS / "end_to_end.json")
    options = parser.parse_args()
    found = {}
    data = [f"data={options.data}", f"samples={options.samples}"]
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        for name, settings in FORMATS.items():
            recipe = load_recipe(RECIPES / "retouch_coco.yaml", [*data, *settings])
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                print(f"{name}, samples per second")
                found[name] = measure(recipe, Path(folder), options.repeats, cluster.scheduler_address)
        recipe = load_recipe(RECIPES / "splicing_coco.yaml", [*data, "writers=[]"])
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            print("splicing, samples per second")
            splicing = measure_splicing(recipe, Path(folder), options.repeats, cluster.scheduler_address)
    print_table(
        ["format", *TURNS, "one job / floor", "two jobs / floor", "two Dask / floor"],
        [
            [
                name,
                *(row["samples_per_second"][turn] for turn in TURNS),
                row["one_job_of_floor"]["median"],
                row["two_jobs_of_floor"]["median"],
                row["two_dask_workers_of_floor"]["median"],
            ]
            for name, row in found.items()
        ],
    )
    roles = list(next(iter(found.values()))["bytes"])
    print_table(
        ["bytes", *found], [[role, *(f"{row['bytes'][role]:,}" for row in found.values())] for role in roles]
    )
    names = (*SHARES, "all else")
    print_table(["share", *found], [[name, *(row["shares"][name] for row in found.values())] for name in names])
    write_result(options.output, {"repeats": options.repeats, "formats": found, "splicing": splicing})


if __name__ == "__main__":
    main()
