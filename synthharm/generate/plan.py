"""The plan: what sample i is, from the recipe, the sources and i alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError
from synthharm.generate.names import clean_name, write_photo_names
from synthharm.generate.sections import open_source, selection
from synthharm.recipe import Recipe
from synthharm.sources import Index, build_index
from synthharm.writers import Names

NAMES = "names.npy"
ROUND, RETRY, DRAW, OTHERS = range(4)  # what a random stream is for


@dataclass(frozen=True)
class Plan:
    """What each sample of a dataset is made of. A plan is small, and every worker opens its own.

    Args:
        recipe: the whole of it.
        index: the source's regions that the recipe selects.
        photo_names: the photos' names by number.
    """

    recipe: Recipe
    index: Index
    photo_names: NDArray[np.bytes_]

    @classmethod
    def make(cls, recipe: Recipe, folder: Path) -> Plan:
        """List the source, write the index into `folder`, and open the plan on it.

        Raises:
            SynthharmError: the source cannot be listed, or none of its regions is selected.
        """
        index = build_index(open_source(recipe), folder, select=selection(recipe))
        if not index.regions:
            left_out = ", ".join(f"{count} by {what}" for what, count in index.excluded.items()) or "none"
            raise SynthharmError(
                f"data: {recipe.data!r} has no region that the recipe selects; left out: {left_out}; "
                f"rejected: {len(index.rejects)}" + "".join(f"\n  {r.name}: {r.detail}" for r in index.rejects[:5])
            )
        write_photo_names(index.keys(), folder / NAMES)
        return cls.open(recipe, folder)

    @classmethod
    def open(cls, recipe: Recipe, folder: Path) -> Plan:
        """Open a plan whose index was written before."""
        return cls(recipe, Index.open(folder), np.load(folder / NAMES, mmap_mode="r"))

    @property
    def digest(self) -> str:
        """Of the sources: the same wherever and whenever the same are listed."""
        return self.index.digest

    def region(self, sample: int, attempt: int) -> int:
        """The region of a sample: its number in the index.

        The samples go through all regions in a shuffled order, and through another one when it is used up.
        After a rejected region (`attempt` 1 and on) any region may follow.
        """
        seed, regions = self.recipe.seed, self.index.regions
        if attempt:
            return int(stream(seed, RETRY, sample, attempt).integers(regions))
        return int(shuffled(seed, ROUND, sample // regions, regions)[sample % regions])

    def seed(self, sample: int, attempt: int) -> int:
        """The seed of the generator that draws a sample's arguments."""
        return int(stream(self.recipe.seed, DRAW, sample, attempt).integers(2**63))

    def others(
        self, sample: int, attempt: int, count: int, among: NDArray[np.int64] | None = None
    ) -> NDArray[np.int64]:
        """Regions by chance, for what a sample is compared with: up to `count` of those given, or of all."""
        random = stream(self.recipe.seed, OTHERS, sample, attempt)
        known = self.index.regions if among is None else len(among)
        places = random.choice(known, size=min(count, known), replace=False)
        return places if among is None else among[places]

    def split(self, photo: int, checksum: str) -> str:
        """The split of a photo, and so of all that is made of it.

        It follows from the photo's sha256, so that a photo that the source has twice is in one split. The splits
        have their shares as well as that many independent choices can.

        Args:
            photo: its number in the index.
            checksum: its sha256, in hex.

        Raises:
            SynthharmError: the split is to be the source's, and it names none for this photo.
        """
        if self.recipe.split == "source":
            entry = self.index.photo(photo)
            if entry.split is None:
                raise SynthharmError(f"split: source, but the source names no split for {entry.key}")
            return entry.split
        return choose_split(self.recipe.split, self.recipe.seed, checksum)

    def names(self, sample: int, photo: int, region_id: str) -> Names:
        """What a sample may be called after."""
        return Names(sample, self.photo_names[photo].decode(), clean_name(region_id))


def choose_split(shares: dict[str, float], seed: int, checksum: str) -> str:
    """One of the splits, by their shares, from the seed and a photo's sha256.

    Example:
        >>> choose_split({"train": 0.9, "test": 0.1}, 0, "ab" * 32)
        'train'
    """
    place = int(hashlib.sha256(f"{seed} {checksum}".encode()).hexdigest()[:13], 16) / 16**13
    end = 0.0
    for name, share in shares.items():
        end += share
        if place < end:
            return name
    return name


def stream(seed: int, purpose: int, *numbers: int) -> np.random.Generator:
    """A random stream of its own for every purpose and numbers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=(purpose, *numbers))))


@lru_cache(maxsize=4)
def shuffled(seed: int, purpose: int, turn: int, size: int) -> NDArray[np.int64]:
    """The numbers below `size` in a random order, another one in every turn."""
    return stream(seed, purpose, turn).permutation(size)
