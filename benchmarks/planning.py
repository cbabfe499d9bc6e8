"""What planning costs where sources are as large as COCO's and samples are ten million: time, and peak memory.

A made-up instances file of COCO's size (118,287 photos, 860,001 polygons of 80 categories) is listed, and what
each sample is made from is looked up. Every row is measured in a process of its own. The photos are empty files,
which is enough for all but their fingerprints; these are taken of the photos of `--data`, a folder in COCO's
format.

    OMP_NUM_THREADS=1 python benchmarks/planning.py --data ../shared/photos/coco
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import numpy as np
from measuring import RESULTS, peak_memory, print_table, write_result

PHOTOS, REGIONS, CATEGORIES, SAMPLES = 118_287, 860_001, 80, 10_000_000
LOOKED_UP = (0, SAMPLES // 2, SAMPLES - 1)
CONSECUTIVE = 100_000
SIDES = (640, 480)
SHAPES = 20_000  # that differ

Figures = dict[str, Any]


def write_instances(path: Path, photos: int, regions: int) -> None:
    """An instances file: blobs of 8 to 60 points all over the photos, most of them small, as COCO's are."""
    random = np.random.default_rng(0)
    owners, kinds = random.integers(photos, size=regions), random.integers(CATEGORIES, size=regions)
    with path.open("w") as file:
        file.write('{"categories": [')
        file.write(", ".join(f'{{"id": {n + 1}, "name": "category {n}"}}' for n in range(CATEGORIES)))
        file.write('], "licenses": [{"id": 1, "name": "Attribution License", "url": "http://example.org/by"}]')
        file.write(',\n"images": [')
        size = f'"width": {SIDES[0]}, "height": {SIDES[1]}, "license": 1'
        lines = (
            f'{{"id": {n}, "file_name": "{n:012d}.jpg", {size}, "flickr_url": "http://example.org/{n:012d}"}}'
            for n in range(photos)
        )
        file.write(",\n".join(lines) + '],\n"annotations": [')
        shapes = [_shape(random) for _ in range(SHAPES)]
        chosen = random.integers(SHAPES, size=regions)
        lines = (
            f'{{"id": {number}, "image_id": {owner}, "category_id": {kind + 1}, "iscrowd": 0, {shapes[shape]}}}'
            for number, (owner, kind, shape) in enumerate(
                zip(owners.tolist(), kinds.tolist(), chosen.tolist(), strict=True)
            )
        )
        for place, line in enumerate(lines):
            file.write(f",\n{line}" if place else line)
        file.write("]}")


def write_photos(folder: Path, photos: int) -> None:
    """An empty file for each photo."""
    folder.mkdir()
    for number in range(photos):
        (folder / f"{number:012d}.jpg").touch()


def _shape(random: np.random.Generator) -> str:
    points = int(random.integers(8, 60))
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = random.uniform(4, 100) * random.uniform(0.8, 1.2, points)
    middle = random.uniform((121, 121), (SIDES[0] - 121, SIDES[1] - 121))
    outline = middle + radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    text = ",".join(f"{value:.2f}" for value in outline.ravel().tolist())
    return f'"area": {float(np.pi * (radius**2).mean()):.2f}, "segmentation": [[{text}]]'


def recipe_of(folder: Path) -> Any:
    """Ten million samples of the retouch kind."""
    from synthharm.recipe import Recipe

    return Recipe.model_validate(
        {"samples": SAMPLES, "data": str(folder), "source": {"format": "coco"}, "writer": {"format": "folder"}}
    )


def splicing_recipe_of(folder: Path) -> Any:
    """Ten million samples of every kind, with families, grids and quotas."""
    from synthharm.recipe import SplicingRecipe

    return SplicingRecipe.model_validate_json(
        json.dumps(
            {
                "samples": SAMPLES,
                "data": str(folder),
                "source": {"format": "coco"},
                "kinds": {
                    "authentic": 0.4,
                    "splice": 0.3,
                    "harmonized_splice": 0.1,
                    "retouch": 0.1,
                    "copy_move": 0.05,
                    "removal": 0.05,
                },
                "families": 0.1,
                "grids": {"share": 0.05, "feather": [0, 2, 5]},
                "quotas": {
                    "area": [{"range": (0.0, 0.1), "share": 0.6}, {"range": (0.1, 0.5), "share": 0.4}],
                    "category": {"category 3": 0.1, "category 7": 0.1},
                },
            }
        )
    )


def prints_of(photos: int) -> Any:
    """Fingerprints by chance, of photos that are all different, and all usable."""
    import hashlib

    from synthharm.sources import Fingerprints

    random = np.random.default_rng(1)
    sha256 = np.array([hashlib.sha256(str(n).encode()).hexdigest() for n in range(photos)], "S64")
    phash, mirrored = random.integers(2**64, size=(2, photos), dtype=np.uint64)
    sizes = np.tile(np.array(SIDES[::-1], np.int32), (photos, 1))
    return Fingerprints(sha256, phash, mirrored, np.ones(photos, bool), sizes)


def nothing(folder: Path) -> Figures:
    """The interpreter with this library imported: what is in every other row."""
    import synthharm.generate.plan
    import synthharm.generate.splicing.plan  # noqa: F401

    return {}


def index_cold(folder: Path) -> Figures:
    """From the instances file to a plan's index and names."""
    from synthharm.generate.plan import Plan

    start = perf_counter()
    plan = Plan.make(recipe_of(folder), folder / "retouch")
    taken = perf_counter() - start
    return {"seconds": taken, "photos": plan.index.photos, "regions": plan.index.regions}


def key(folder: Path) -> Figures:
    """Whether the index that is there is still of the sources: the key under which it is kept."""
    from synthharm.generate.source_key import source_key

    seconds = time(lambda: source_key(recipe_of(folder)))
    return {"seconds": seconds, "photo_files": len(list((folder / "images").iterdir()))}


def plan_cached(folder: Path) -> Figures:
    """A worker opens the plan on an index that is there, and is asked what samples are."""
    from synthharm.generate.plan import Plan

    start = perf_counter()
    plan = Plan.open(recipe_of(folder), folder / "retouch")
    opened = perf_counter()
    for sample in LOOKED_UP:
        region = plan.index.region(plan.region(sample, 0))
        plan.seed(sample, 0), plan.index.photo(region.photo), plan.names(sample, region.photo, region.id)
    answered = perf_counter()
    for sample in range(SAMPLES // 2, SAMPLES // 2 + CONSECUTIVE):
        plan.region(sample, 0)
    return {
        "seconds": answered - start,
        "open_seconds": opened - start,
        "regions_seconds_per_100000": perf_counter() - answered,
    }


def queries(folder: Path) -> Figures:
    """What is asked of a whole index: categories, regions by category, owners, names of photos."""
    from synthharm.generate.names import write_photo_names
    from synthharm.sources import Index

    index = Index.open(folder / "retouch")
    figures = {
        "categories_seconds": time(index.categories),
        "category_places_seconds": time(index.category_places),
        "regions_of_seconds": time(lambda: index.regions_of("category 3")),
        "owners_seconds": time(index.owners),
        "photo_names_seconds": time(lambda: write_photo_names(index.keys(), folder / "names.npy")),
    }
    return {"seconds": sum(figures.values()), **figures}


def splicing_cold(folder: Path) -> Figures:
    """What a splicing plan computes of all photos and regions, once their fingerprints are taken."""
    from synthharm.composites.history import write_tables
    from synthharm.generate.dataset import TABLES
    from synthharm.generate.splicing.plan import FINGERPRINTS, SUPPORTS, write_arrays
    from synthharm.sources import Index, Supports

    recipe, place = splicing_recipe_of(folder), folder / "retouch"
    index = Index.open(place)
    prints = prints_of(index.photos)
    prints.save(place / FINGERPRINTS)
    Supports({}).save(place / SUPPORTS)
    write_tables(place / TABLES, [])
    return {"seconds": time(lambda: write_arrays(recipe, place, index, prints))}


def near_duplicates(folder: Path) -> Figures:
    """Components of fingerprints by chance."""
    from synthharm.sources import Index, components

    prints = prints_of(Index.open(folder / "retouch").photos)
    start = perf_counter()
    found = components(prints)
    return {"seconds": perf_counter() - start, "photos": len(prints), "components": int(found.max()) + 1}


def splicing_cached(folder: Path) -> Figures:
    """A worker opens the plan, lays out all samples, and is asked for a shard in the middle."""
    from synthharm.generate.splicing.plan import SplicingPlan

    start = perf_counter()
    plan = SplicingPlan.open(splicing_recipe_of(folder), folder / "retouch")
    opened = perf_counter()
    layout = plan.layout
    laid_out = perf_counter()
    for sample in LOOKED_UP:
        unit = layout.unit_of(sample)
        layout.kind(unit), plan.target(unit, 0), plan.edits_stream(unit, 0), plan.split(plan.target(unit, 0))
    answered = perf_counter()
    shard = layout.units(SAMPLES // 2, SAMPLES // 2 + plan.recipe.shard)
    plan.in_company(plan.target(shard[0], 0), plan.donor_regions(0, None))
    regions = perf_counter()
    for unit in range(len(layout.codes) // 2, len(layout.codes) // 2 + CONSECUTIVE):
        plan.target(unit, 0)
    return {
        "seconds": regions - start,
        "open_seconds": opened - start,
        "layout_seconds": laid_out - opened,
        "donors_seconds": regions - answered,
        "units": len(layout.codes),
        "targets_seconds_per_100000": perf_counter() - regions,
    }


def fingerprints(data: Path) -> Figures:
    """Fingerprints of all photos of --data, in one process, after a first time that does not count."""
    from synthharm.generate.sections import open_source, selection
    from synthharm.sources import build_index, fingerprint_photos

    recipe = splicing_recipe_of(data)
    source = open_source(recipe)
    with TemporaryDirectory() as folder:
        index = build_index(source, Path(folder), select=selection(recipe), measure=True)
        fingerprint_photos(source, index)
        start, began = perf_counter(), process_time()
        _, rejects = fingerprint_photos(source, index)
        spent = process_time() - began
        return {
            "seconds": perf_counter() - start,
            "photos": index.photos,
            "rejected": len(rejects),
            "processor_milliseconds_a_photo": 1000 * spent / index.photos,
        }


STEPS: dict[str, Callable[[Path], Figures]] = {
    step.__name__: step
    for step in (
        nothing,
        index_cold,
        key,
        plan_cached,
        queries,
        splicing_cold,
        near_duplicates,
        splicing_cached,
        fingerprints,
    )
}


def time(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start


def child(name: str, folder: Path) -> None:
    """One row, in this process."""
    start = process_time()
    figures = STEPS[name](folder)
    spent = process_time() - start
    peak = peak_memory() / 2**20
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in figures.items()}
    print(json.dumps({**rounded, "processor_seconds": round(spent, 3), "peak_mib": round(peak)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=PHOTOS, help="in the instances file")
    parser.add_argument("--regions", type=int, default=REGIONS, help="in the instances file")
    parser.add_argument("--data", type=Path, help="real photos to take fingerprints of; without it none are")
    parser.add_argument("--output", type=Path, default=RESULTS / "planning.json")
    parser.add_argument("--child", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], Path(given.child[1]))
        return
    rows: dict[str, Figures] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_instances(folder / "instances.json", given.photos, given.regions)
        write_photos(folder / "images", given.photos)
        size = (folder / "instances.json").stat().st_size
        for step, measure in STEPS.items():
            data = given.data if measure is fingerprints else folder
            if data is None:
                continue
            command = [sys.executable, __file__, "--child", step, str(data)]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            rows[step] = {"what": measure.__doc__, **json.loads(answer)}
            print(step, rows[step], flush=True)
    made = {"photos": given.photos, "regions": given.regions, "samples": SAMPLES, "instances_bytes": size}
    print_table(
        ("step", "seconds", "peak MiB"), [(n, row.get("seconds", 0.0), row["peak_mib"]) for n, row in rows.items()]
    )
    write_result(given.output, {"sources": made, "steps": rows})


if __name__ == "__main__":
    main()
