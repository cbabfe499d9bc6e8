"""Which sample is of which kind: units of one sample, of a family, or of a grid, in a shuffled order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthharm.generate.plan import stream
from synthharm.recipe import SplicingRecipe
from synthharm.recipe.splicing import FAMILY

LAYOUT, AREAS, CATEGORIES = 10, 11, 12  # what a random stream is for
ROLES = ("target", "donor", "splice", "harmonized_splice")
HARMONIZING = ("reference", "reinhard", "harmonizer")


@dataclass(frozen=True)
class Member:
    """One sample of a unit.

    Args:
        kind: of the sample.
        role: in a family, or None.
        value: what a grid's factor is here, or None.
    """

    kind: str
    role: str | None = None
    value: str | float | None = None


@dataclass(frozen=True)
class UnitKind:
    """What a unit is made of.

    Args:
        type: "single", "family" or "grid".
        members: its samples.
        factor: what a grid varies, or None.
    """

    type: str
    members: tuple[Member, ...]
    factor: str | None = None

    @property
    def manipulated(self) -> bool:
        """Whether something is done to its target."""
        return any(member.kind != "authentic" for member in self.members)


@dataclass(frozen=True)
class Layout:
    """The units of a dataset.

    Args:
        kinds: what units there are.
        codes: (U,) each unit's place in `kinds`.
        starts: (U + 1,) the number of each unit's first sample, and the number of samples; in 32 bits if they fit.
        areas: (U,) which of the recipe's area quotas it is for, or -1.
        categories: (U,) which of its category quotas, or -1.
    """

    kinds: tuple[UnitKind, ...]
    codes: NDArray[np.uint8]
    starts: NDArray[np.signedinteger[Any]]
    areas: NDArray[np.int16]
    categories: NDArray[np.int16]

    @classmethod
    def of(cls, recipe: SplicingRecipe) -> Layout:
        """Lay out a recipe's samples. What shares come to in whole samples differs from them by less than one."""
        kinds, counts = _unit_counts(recipe)
        codes = np.repeat(np.arange(len(kinds), dtype=np.uint8), counts)
        codes = stream(recipe.seed, LAYOUT).permutation(codes)
        sizes = np.array([len(kind.members) for kind in kinds], np.int16)
        # Every worker has this: of ten million units each byte counts.
        starts: NDArray[np.signedinteger[Any]] = np.zeros(
            len(codes) + 1, np.int32 if recipe.samples < 2**31 else np.int64
        )
        np.cumsum(sizes[codes], dtype=starts.dtype, out=starts[1:])
        return cls(kinds, codes, starts, *_quotas(recipe, kinds, codes))

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return int(self.starts[-1])

    def kind(self, unit: int) -> UnitKind:
        """What a unit is made of."""
        return self.kinds[int(self.codes[unit])]

    def units(self, first: int, end: int) -> range:
        """The units whose first sample is one of these: every unit is in just one such piece."""
        # Of their own type, for else all would be converted.
        sought = np.minimum([first, end], self.samples).astype(self.starts.dtype)
        low, high = np.searchsorted(self.starts[:-1], sought)
        return range(int(low), int(high))

    def unit_of(self, sample: int) -> int:
        """The unit that a sample is in."""
        return int(np.searchsorted(self.starts, self.starts.dtype.type(sample), side="right")) - 1


def apportion(shares: Sequence[float], total: int) -> list[int]:
    """Whole numbers in the proportions of shares, by largest remainders.

    Example:
        >>> apportion([0.5, 0.25, 0.25], 7)
        [3, 2, 2]
    """
    exact = np.array(shares, dtype=np.float64) * total
    counts = np.floor(exact + 1e-9).astype(int)
    left = min(total, round(float(exact.sum()))) - int(counts.sum())
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[:left]] += 1
    return [int(count) for count in counts]


def _unit_counts(recipe: SplicingRecipe) -> tuple[tuple[UnitKind, ...], list[int]]:
    names: list[str] = list(recipe.kinds)
    left = dict(zip(names, apportion(list(recipe.kinds.values()), recipe.samples), strict=True))
    family = UnitKind("family", tuple(Member(kind, role) for kind, role in zip(FAMILY, ROLES, strict=True)))
    kinds, counts = [family], [_fitting(family, left, int(recipe.families * recipe.samples / len(FAMILY) + 1e-9))]
    for grid, wanted in zip(*_grids(recipe), strict=True):
        kinds.append(grid)
        counts.append(_fitting(grid, left, wanted))
    for name in names:
        kinds.append(UnitKind("single", (Member(name),)))
        counts.append(left[name])
    return tuple(kinds), counts


def _fitting(kind: UnitKind, left: dict[str, int], wanted: int) -> int:
    """How many units of a kind there is room for, up to what is wanted; takes them from what is left by kind."""
    needed = {name: sum(m.kind == name for m in kind.members) for name in {m.kind for m in kind.members}}
    count = min([wanted, *(left.get(name, 0) // each for name, each in needed.items())])
    for name, each in needed.items():
        if name in left:
            left[name] -= count * each
    return count


def _grids(recipe: SplicingRecipe) -> tuple[list[UnitKind], list[int]]:
    if recipe.grids is None:
        return [], []
    lists: Mapping[str, Sequence[str | float]] = {
        "colour": recipe.grids.colour,
        "feather": recipe.grids.feather,
        "scale": recipe.grids.scale,
        "quality": recipe.grids.quality,
    }
    used = {factor: values for factor, values in lists.items() if values}
    room = recipe.grids.share * recipe.samples / len(used) if used else 0
    grids = [
        UnitKind("grid", tuple(Member(_grid_kind(value), value=value) for value in values), factor)
        for factor, values in used.items()
    ]
    return grids, [int(room / len(grid.members) + 0.5) for grid in grids]


def _grid_kind(value: str | float) -> str:
    return "harmonized_splice" if value in HARMONIZING else "splice"


def _quotas(
    recipe: SplicingRecipe, kinds: Sequence[UnitKind], codes: NDArray[np.uint8]
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    manipulated = np.array([kind.manipulated for kind in kinds])[codes]
    count = int(manipulated.sum())
    areas = categories = np.broadcast_to(np.int16(-1), len(codes))
    if quotas := recipe.quotas.area:
        counts = apportion([quota.share for quota in quotas], count)
        order = np.argsort([quota.range[0] for quota in quotas], kind="stable")
        dealt = np.repeat(order.astype(np.int16), np.array(counts)[order])
        # Removed regions are small: theirs are the smallest sizes that the quotas ask for.
        removal = np.array([kind.members[0].kind == "removal" for kind in kinds])[codes]
        removed = int(removal.sum())
        areas = np.full(len(codes), -1, np.int16)
        areas[removal] = dealt[:removed]
        areas[manipulated & ~removal] = stream(recipe.seed, AREAS).permutation(dealt[removed:])
    if shares := list(recipe.quotas.category.values()):
        counts = apportion(shares, count)
        dealt = np.full(count, -1, np.int16)
        dealt[: sum(counts)] = np.repeat(np.arange(len(counts), dtype=np.int16), counts)
        categories = np.full(len(codes), -1, np.int16)
        categories[manipulated] = stream(recipe.seed, CATEGORIES).permutation(dealt)
    return areas, categories
