"""A shard: the unit of work. Its files appear first, its records last, and with them it is done."""

from __future__ import annotations

import secrets
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from synthharm.errors import SynthharmError
from synthharm.files import sync_folders, write_atomically, write_synced
from synthharm.generate.cache import fetch_index
from synthharm.generate.dataset import Dataset
from synthharm.generate.sample import library_versions
from synthharm.generate.threads import one_thread
from synthharm.generate.workshop import Maker, open_maker
from synthharm.recipe import AnyRecipe, parse_recipe
from synthharm.sources import Reject
from synthharm.storage import as_path, is_remote, upload

_AT_ONCE = 32 << 20  # bytes that are gathered before they are sent to a remote folder
_ALONE = threading.Lock()  # a worker of several threads makes one shard after the other: makers are not shared


@dataclass(frozen=True)
class Job:
    """One shard to make: everything a worker is told.

    Args:
        folder: the dataset's, as an absolute path or an address.
        plan: sha256 in hex of its plan.json.
        recipe: the recipe as JSON.
        cache: the folder of the sources' index, as a path or an address.
        key: which index in it.
        digest: of the sources, and of whatever else samples are made with.
        shard: its number.
        versions: of the libraries that the run began with.
    """

    folder: str
    plan: str
    recipe: str
    cache: str
    key: str
    digest: str
    shard: int
    versions: Mapping[str, str]


@dataclass(frozen=True)
class ShardDone:
    """What making a shard came to.

    Args:
        shard: its number.
        samples: how many samples it has.
        files: how many files were written for them.
        bytes: how many bytes these have.
        rejects: how often something was rejected, by reason.
    """

    shard: int
    samples: int
    files: int
    bytes: int
    rejects: Mapping[str, int]


def samples_of(recipe: AnyRecipe, shard: int) -> int:
    """How many samples a shard of a recipe's dataset stands for."""
    return min(recipe.shard, recipe.samples - shard * recipe.shard)


def make_shard(job: Job) -> ShardDone:
    """Make one shard. Doing it twice, or in two processes at once, gives the same files.

    Raises:
        SynthharmError: this worker does not see the dataset's folder, sees another's in its place, or has other
            versions of the libraries.
    """
    dataset = Dataset(as_path(job.folder))
    _check_worker(dataset, job)
    with _ALONE, one_thread():
        return _make(dataset, job)


def _make(dataset: Dataset, job: Job) -> ShardDone:
    recipe = parse_recipe(job.recipe)
    maker, size = _maker(job.recipe, job.cache, job.key, job.digest), recipe.shard
    records, rejects = list[str](), list[Reject]()
    outbox = _Outbox(dataset, job.shard)
    try:
        for made, rejected in maker.between(job.shard * size, min((job.shard + 1) * size, recipe.samples)):
            rejects += rejected
            for sample in made:
                records.append(sample.record.to_json())
                for path, data in sample.files.items():
                    outbox.add(path, data)
        outbox.send()
        outbox.put(dataset.rejects_file(job.shard), b"".join(msgspec.json.encode(r) + b"\n" for r in rejects))
        outbox.put(dataset.records_file(job.shard), "".join(f"{record}\n" for record in records).encode())
    finally:
        outbox.close()
    reasons = Counter(reject.reason for reject in rejects)
    return ShardDone(job.shard, len(records), len(outbox.sizes), sum(outbox.sizes.values()), dict(reasons))


class _Outbox:
    """Files on their way into a dataset's folder, where each appears whole.

    Before, they are in a folder that is the run's alone: what a killed worker leaves there is in nobody's way.
    """

    def __init__(self, dataset: Dataset, shard: int) -> None:
        self.folder = dataset.folder
        self.sizes: dict[str, int] = {}  # of all files by path; real images are shared by samples
        self.waiting: dict[str, bytes] = {}  # for a remote folder
        self.staged: dict[str, Path] = {}  # for a local one
        self.staging = dataset.work / "staging" / f"{shard:05d}-{secrets.token_hex(8)}"
        if not is_remote(self.folder):
            self.staging.mkdir()  # not its parents: they are gone once the dataset is finished

    def add(self, path: str, data: bytes) -> None:
        if path in self.sizes:
            return
        self.sizes[path] = len(data)
        if is_remote(self.folder):
            self.waiting[path] = data
            if sum(map(len, self.waiting.values())) > _AT_ONCE:
                self.send()
            return
        self.staged[path] = self.staging / str(len(self.staged))
        write_synced(self.staged[path], data)

    def send(self) -> None:
        """Give all files their places."""
        if self.waiting:
            upload(self.waiting, self.folder)
            self.waiting.clear()
        parents = {(self.folder / path).parent for path in self.staged}
        for parent in parents:
            parent.mkdir(parents=True, exist_ok=True)
        for path, staged in self.staged.items():
            staged.replace(self.folder / path)
        sync_folders(parents)
        self.staged.clear()

    def put(self, path: Path, data: bytes) -> None:
        """Give one file its place, after those that have been sent."""
        if is_remote(path):
            write_atomically(path, data)
            return
        staged = self.staging / path.name
        write_synced(staged, data)
        path.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(path)
        sync_folders([path.parent])

    def close(self) -> None:
        if not is_remote(self.folder):
            shutil.rmtree(self.staging, ignore_errors=True)


def _check_worker(dataset: Dataset, job: Job) -> None:
    here = library_versions()
    if other := [name for name in sorted({*here, *job.versions}) if here.get(name) != job.versions.get(name)]:
        listed = "; ".join(f"{name}: {here.get(name)} here, {job.versions.get(name)} there" for name in other)
        raise SynthharmError(f"worker on {socket.gethostname()}: has other libraries than the run: {listed}")
    if not dataset.begun or dataset.plan_sha256() != job.plan:
        how = "holds another dataset" if dataset.begun else "is not there"
        raise SynthharmError(
            f"output: {job.folder} {how} for the worker on {socket.gethostname()}; "
            "accepted is a folder that all workers share, or an address such as s3://bucket/folder"
        )


@lru_cache(maxsize=1)
def _maker(recipe: str, cache: str, key: str, digest: str) -> Maker:
    """What this process makes samples with; made anew for another recipe, other sources or another Harmonizer."""
    return open_maker(parse_recipe(recipe), fetch_index(as_path(cache), key))
