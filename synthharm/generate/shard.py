"""A shard: the unit of work. Its files appear first, its records last, and with them it is done."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from synthharm.files import sync_folders, write_atomically, write_synced
from synthharm.generate.dataset import Dataset
from synthharm.generate.threads import one_thread
from synthharm.generate.workshop import Maker, open_maker
from synthharm.recipe import parse_recipe
from synthharm.sources import Reject

INDEX = "index"


@dataclass(frozen=True)
class Job:
    """One shard to make: everything a worker is told.

    Args:
        folder: the dataset's.
        recipe: the recipe as JSON.
        sources: the digest of the sources' index.
        shard: its number.
    """

    folder: Path
    recipe: str
    sources: str
    shard: int


def make_shard(job: Job) -> int:
    """Make one shard, and return its number. Doing it twice, or in two processes at once, gives the same files."""
    dataset, recipe = Dataset(job.folder), parse_recipe(job.recipe)
    maker, size = _maker(job.recipe, job.folder, job.sources), recipe.shard
    staging = dataset.work / "staging" / f"{job.shard:05d}-{os.getpid()}"
    staging.mkdir()  # not its parents: they are gone once the dataset is finished
    records, rejects, paths = [], list[Reject](), dict[str, Path]()
    try:
        with one_thread():
            for made, rejected in maker.between(job.shard * size, min((job.shard + 1) * size, recipe.samples)):
                rejects += rejected
                for sample in made:
                    records.append(sample.record)
                    for path, data in sample.files.items():
                        if path not in paths:  # real images are shared
                            paths[path] = staging / str(len(paths))
                            write_synced(paths[path], data)
        _move_into_place(paths, job.folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    write_atomically(dataset.rejects_file(job.shard), b"".join(msgspec.json.encode(r) + b"\n" for r in rejects))
    write_atomically(dataset.records_file(job.shard), "".join(f"{r.to_json()}\n" for r in records).encode())
    return job.shard


def _move_into_place(paths: dict[str, Path], folder: Path) -> None:
    folders = {(folder / path).parent for path in paths}
    for parent in folders:
        parent.mkdir(parents=True, exist_ok=True)
    for path, staged in paths.items():
        staged.replace(folder / path)
    sync_folders(folders)


@lru_cache(maxsize=1)
def _maker(recipe: str, folder: Path, sources: str) -> Maker:
    """What this process makes samples with; made anew for another recipe, folder or state of the sources."""
    return open_maker(parse_recipe(recipe), Dataset(folder).work / INDEX)
