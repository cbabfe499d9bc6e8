"""The plan of a splicing dataset: what is known of the sources, and what each unit of samples is made from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.history import CameraTables, collect_tables, read_tables, write_tables
from synthharm.errors import SynthharmError
from synthharm.files import sha256_file, write_atomically
from synthharm.generate.dataset import TABLES
from synthharm.generate.plan import shuffled, stream
from synthharm.generate.sections import open_source, selection
from synthharm.generate.splicing.layout import Layout
from synthharm.recipe import SplicingRecipe
from synthharm.sources import (
    Fingerprints,
    Index,
    Licence,
    Photo,
    PhotoEntry,
    Reject,
    Supports,
    assign_splits,
    build_index,
    changed_file,
    combination,
    components,
    fingerprint_photos,
    learn_supports,
    parse_licence,
)

FINGERPRINTS, SUPPORTS, MORE_REJECTS = "fingerprints.npz", "supports.json", "more_rejects.jsonl"
ARRAYS = ("components", "splits", "owners", "categories", "company")  # files beside, in numpy's format
TARGETS, EDITS, HISTORY = 20, 21, 22  # what a random stream is for
CHECKPOINT = ("config.json", "model.safetensors")  # what a Harmonizer is read from
REGIONS_FOR_SUPPORT = 200  # of a category, at most


@dataclass(frozen=True)
class SplicingPlan:
    """What each sample is made from. A plan is small beside its sources, and every worker opens its own.

    Args:
        recipe: the whole of it.
        index: the source's regions that the recipe selects.
        prints: what is known of each photo's file.
        supports: where objects of each category stand.
        cameras: whose tables pictures are saved with.
        components: (P,) photos with one number are the same picture, or nearly.
        splits: (P,) the place of each photo's split in the recipe, -1 for those that cannot be used.
        owners: (R,) the number of the photo that each region is in.
        categories: (R,) the place of each region's category in the index's.
        company: (C, C) bool: which categories are together in some photo.
    """

    recipe: SplicingRecipe
    index: Index
    prints: Fingerprints
    supports: Supports
    cameras: tuple[CameraTables, ...]
    components: NDArray[np.int64]
    splits: NDArray[np.int64]
    owners: NDArray[np.int64]
    categories: NDArray[np.int32]
    company: NDArray[np.bool_]

    @classmethod
    def make(cls, recipe: SplicingRecipe, folder: Path, jobs: int = 1) -> SplicingPlan:
        """List the source, look at every photo once, write what is found into `folder`, and open the plan on it.

        Raises:
            SynthharmError: the source cannot be listed, or nothing of it can be used.
        """
        source = open_source(recipe)
        index = build_index(source, folder, select=selection(recipe), measure=True)
        _check_quotas(recipe, index)
        prints, rejects = fingerprint_photos(source, index, jobs)
        prints, refused = _licensed(recipe, index, prints)
        if not prints.usable.any() or not index.regions:
            raise SynthharmError(_nothing(recipe, index, [*index.rejects, *rejects, *refused]))
        prints.save(folder / FINGERPRINTS)
        write_arrays(recipe, folder, index, prints)
        supports = learn_supports(source, index, most=REGIONS_FOR_SUPPORT, seed=recipe.seed, jobs=jobs)
        supports.save(folder / SUPPORTS)
        cameras, more = _cameras(recipe)
        write_tables(folder / TABLES, cameras)
        lines = [msgspec.json.encode(reject) + b"\n" for reject in [*rejects, *refused, *more]]
        write_atomically(folder / MORE_REJECTS, b"".join(lines))
        return cls.open(recipe, folder)

    @classmethod
    def open(cls, recipe: SplicingRecipe, folder: Path) -> SplicingPlan:
        """Open a plan that was written before; nothing is written.

        Raises:
            SynthharmError: a quota is for a category that no region has.
        """
        index = Index.open(folder)
        _check_quotas(recipe, index)
        # Mapped: what grows with the sources is shared by all workers of a machine.
        arrays = (np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ARRAYS)
        return cls(
            recipe,
            index,
            Fingerprints.load(folder / FINGERPRINTS),
            Supports.load(folder / SUPPORTS),
            tuple(read_tables(folder / TABLES)),
            *arrays,
        )

    @property
    def digest(self) -> str:
        """Of the sources: the same wherever and whenever the same are listed."""
        parts = [self.index.digest.encode(), self.prints.digest.encode(), msgspec.json.encode(self.cameras)]
        if self.recipe.checkpoint is not None and Path(self.recipe.checkpoint).is_dir():
            files = [Path(self.recipe.checkpoint) / name for name in CHECKPOINT]
            parts += [sha256_file(path).encode() for path in files if path.is_file()]
        return hashlib.sha256(b" ".join(parts)).hexdigest()

    @property
    def rejects(self) -> list[Reject]:
        """What of the sources could not be used."""
        with (self.index.path / MORE_REJECTS).open("rb") as file:
            return self.index.rejects + [msgspec.json.decode(line, type=Reject) for line in file]

    @cached_property
    def layout(self) -> Layout:
        """Which sample is of which kind."""
        return Layout.of(self.recipe)

    @cached_property
    def photos(self) -> NDArray[np.int64]:
        """The numbers of the usable photos."""
        return np.flatnonzero(self.prints.usable)

    def split(self, photo: int) -> str:
        """The split of a photo, and so of all that is made of it."""
        return list(self.recipe.split)[int(self.splits[photo])]

    def check_photo(self, number: int, photo: Photo) -> None:
        """Refuse a photo that is not the one that was looked at when the plan was made.

        Raises:
            SynthharmError: its sha256 is another.
        """
        listed = self.prints.sha256[number].decode()
        if photo.sha256 != listed:
            raise changed_file(photo.key, f"sha256 {listed}", f"sha256 {photo.sha256}")

    def donor_regions(self, split: int, category: str | None) -> NDArray[np.int64]:
        """The regions of a split's usable photos, of one category or all."""
        key = (split, category)
        if key not in self._donors:
            among = np.arange(self.index.regions) if category is None else self.index.regions_of(category)
            photos = self.owners[among]
            self._donors[key] = among[self.prints.usable[photos] & (self.splits[photos] == split)]
        return self._donors[key]

    def in_company(self, photo: int, regions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which regions are of categories that stand beside one of a photo's own in some photo of the source."""
        low, high = np.searchsorted(self.owners, [photo, photo + 1])
        allowed: NDArray[np.bool_] = np.any(self.company[self.categories[low:high]], axis=0)
        return allowed[self.categories[regions]]

    @cached_property
    def _donors(self) -> dict[tuple[int, str | None], NDArray[np.int64]]:
        return {}

    def target(self, unit: int, attempt: int) -> int:
        """A unit's target: the photos take turns, whatever the kind; after a failed attempt any may follow."""
        seed, count = self.recipe.seed, len(self.photos)
        if attempt:
            return int(self.photos[stream(seed, TARGETS, unit, attempt).integers(count)])
        return int(self.photos[shuffled(seed, TARGETS, unit // count, count)[unit % count]])

    def edits_stream(self, unit: int, attempt: int) -> np.random.Generator:
        """What a unit's edits are drawn from."""
        return stream(self.recipe.seed, EDITS, unit, attempt)

    def history_stream(self, unit: int, attempt: int) -> np.random.Generator:
        """What a unit's history is drawn from: a fresh one for each of its samples, which so share it."""
        return stream(self.recipe.seed, HISTORY, unit, attempt)


def write_arrays(recipe: SplicingRecipe, folder: Path, index: Index, prints: Fingerprints) -> None:
    """Write what is computed of all photos and regions once, for every worker."""
    alike, owners, categories = components(prints, recipe.near_duplicates), index.owners(), index.category_places()
    splits = assign_splits(alike, prints.sha256, prints.usable, dict(recipe.split), recipe.seed)
    arrays: list[NDArray[Any]] = [alike, splits, owners, categories, _company(owners, categories, index)]
    for name, array in zip(ARRAYS, arrays, strict=True):
        np.save(folder / f"{name}.npy", array)


def _company(owners: NDArray[np.int64], categories: NDArray[np.int32], index: Index) -> NDArray[np.bool_]:
    """(C, C) which categories are together in some photo."""
    from scipy.sparse import csr_array

    ones, shape = np.ones(len(owners), np.int64), (index.photos, len(index.categories()))
    inside = csr_array((ones, (owners, categories)), shape=shape)
    together: NDArray[np.bool_] = (inside.T @ inside).toarray() > 0
    return together


def _check_quotas(recipe: SplicingRecipe, index: Index) -> None:
    known = index.categories() if recipe.quotas.category else []
    for name in recipe.quotas.category:
        if name not in known:
            listed = ", ".join([one for one in known if one][:20]) or "none"
            raise SynthharmError(f"quotas.category: no region is of category {name!r}; there are {listed}")


def _licensed(recipe: SplicingRecipe, index: Index, prints: Fingerprints) -> tuple[Fingerprints, list[Reject]]:
    """Mark photos as unusable whose licence the recipe does not accept."""
    usable, rejects = prints.usable.copy(), []
    for number in np.flatnonzero(usable):
        entry = index.photo(int(number))
        if problem := _licence_problem(recipe, entry):
            usable[number] = False
            rejects.append(Reject(entry.key, "licence", problem))
    return replace(prints, usable=usable), rejects


def _licence_problem(recipe: SplicingRecipe, entry: PhotoEntry) -> str | None:
    patterns, found = recipe.licences.accept, entry.licence or ""
    names = (found, parse_licence(entry.licence).name or "")
    if not any(fnmatchcase(name.lower(), pattern.lower()) for name in names for pattern in patterns):
        return f"is {entry.licence!r}; the recipe accepts {', '.join(patterns)}"
    edited = combination([parse_licence(entry.licence)], edited=True)
    if not isinstance(edited, Licence):
        return edited
    if recipe.licences.attribution and not entry.attribution:
        return "names nobody to attribute it to, which the recipe asks for"
    return None


def _cameras(recipe: SplicingRecipe) -> tuple[list[CameraTables], list[Reject]]:
    if recipe.camera_tables is None:
        return [], []
    path = Path(recipe.camera_tables)
    if path.is_dir():
        tables, unusable = collect_tables(path)
        rejects = [Reject(one.name, one.reason, one.detail) for one in unusable]
    else:
        tables, rejects = read_tables(path), []
    if not tables:
        raise SynthharmError(f"camera_tables: {recipe.camera_tables}: no photo has usable tables")
    return tables, rejects


def _nothing(recipe: SplicingRecipe, index: Index, rejects: list[Reject]) -> str:
    left_out = ", ".join(f"{count} by {what}" for what, count in index.excluded.items()) or "none"
    listed = "".join(f"\n  {reject.name}: {reject.detail}" for reject in rejects[:5])
    return (
        f"data: {recipe.data!r} has no region that the recipe can use; left out: {left_out}; "
        f"rejected: {len(rejects)}{listed}"
    )
