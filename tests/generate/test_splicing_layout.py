"""Every sample is in one unit, and kinds, families, grids and quotas have as many as their shares come to."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from splicing_datasets import parsed, recipe_of

from synthharm.generate.splicing.layout import FAMILY, ROLES, Layout, Member, UnitKind, _fitting, apportion
from synthharm.writers.forensics.record import KINDS

GRIDS: dict[str, list[Any]] = {
    "colour": ["as_is", "chain", "reference", "reinhard"],
    "feather": [0, 1.5, 4],
    "scale": [0.7, 1],
    "quality": [50, 75, 95],
}
shares_of_kinds = st.lists(st.integers(0, 12), min_size=len(KINDS), max_size=len(KINDS)).filter(any)


@st.composite
def recipes(draw: st.DrawFn) -> dict[str, Any]:
    weights = draw(shares_of_kinds)
    kinds = {kind: weight / sum(weights) for kind, weight in zip(KINDS, weights, strict=True) if weight}
    held = min(kinds.get(kind, 0.0) / FAMILY.count(kind) for kind in FAMILY)
    families = round(4 * held * draw(st.floats(0, 1)), 6)
    families = families if all(families * FAMILY.count(k) / 4 <= kinds.get(k, 0) for k in FAMILY) else 0.0
    changes: dict[str, Any] = {"kinds": kinds, "families": families, "grids": None, "quotas": {}}
    if left := math.floor(1e6 * max(0.0, kinds.get("splice", 0) - families / 4)) / 1e6:
        used = draw(st.lists(st.sampled_from(sorted(GRIDS)), unique=True, min_size=1))
        changes["grids"] = {"share": left * draw(st.floats(0, 1))} | {factor: GRIDS[factor] for factor in used}
    if draw(st.booleans()):
        parts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
        ends = np.linspace(0.0, 0.5, len(parts) + 1).tolist()
        changes["quotas"]["area"] = [
            {"range": [ends[place], ends[place + 1]], "share": part / sum(parts)}
            for place, part in enumerate(parts)
        ]
    if draw(st.booleans()):
        changes["quotas"]["category"] = {"bird": draw(st.floats(0, 0.5)), "dog": draw(st.floats(0, 0.5))}
    return recipe_of("source", **changes, samples=draw(st.integers(1, 300)), seed=draw(st.integers(0, 5)))


def by_kind(layout: Layout) -> Counter[str]:
    return Counter(m.kind for unit in range(len(layout.codes)) for m in layout.kind(unit).members)


def check_apportioned(counts: list[int], shares: list[float], total: int) -> None:
    """By largest remainders: each within one of its share, and no smaller remainder rounded up before a larger."""
    exact = [share * total for share in shares]
    over = [count - value for count, value in zip(counts, exact, strict=True)]
    assert all(-1 < one < 1 for one in over)
    up = [value - math.floor(value + 1e-9) for value, one in zip(exact, over, strict=True) if one > 1e-6]
    down = [value - math.floor(value + 1e-9) for value, one in zip(exact, over, strict=True) if one < -1e-6]
    assert not up or not down or min(up) >= max(down) - 1e-6


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8).filter(any), st.integers(0, 1000))
def test_numbers_are_apportioned_by_largest_remainders(weights: list[int], total: int) -> None:
    shares = [weight / sum(weights) for weight in weights]
    counts = apportion(shares, total)
    assert sum(counts) == total
    assert not any(count for count, weight in zip(counts, weights, strict=True) if not weight)
    check_apportioned(counts, shares, total)


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=3), st.integers(0, 500))
def test_what_shares_below_one_leave_is_left(shares: list[float], total: int) -> None:
    counts = apportion(shares, total)
    assert sum(counts) == round(sum(np.array(shares) * total))
    check_apportioned(counts, shares, total)


@given(recipes())
def test_every_kind_has_its_share(recipe: dict[str, Any]) -> None:
    layout, asked = Layout.of(parsed(recipe)), recipe["kinds"]
    counts = by_kind(layout)
    assert layout.samples == recipe["samples"] == sum(counts.values())
    grids = [k for k in layout.kinds if k.type == "grid"]
    # Colour grids hold harmonized splices, of which there may be none asked for by themselves.
    assert set(counts) <= set(asked) | {m.kind for k in grids for m in k.members}
    wanted = apportion(list(asked.values()), recipe["samples"])
    assert [counts[kind] for kind in asked] == wanted


@given(recipes())
def test_families_and_grids_are_whole_and_as_many_as_fit(recipe: dict[str, Any]) -> None:
    checked = parsed(recipe)
    layout = Layout.of(checked)
    counts = Counter(layout.codes.tolist())
    left = dict(zip(recipe["kinds"], apportion(list(recipe["kinds"].values()), checked.samples), strict=True))
    for code, kind in enumerate(layout.kinds):
        held = Counter(member.kind for member in kind.members)
        if kind.type == "family":
            assert tuple((m.kind, m.role) for m in kind.members) == tuple(zip(FAMILY, ROLES, strict=True))
            wanted = math.floor(checked.families * checked.samples / 4 + 1e-9)
        elif kind.type == "grid":
            assert checked.grids is not None
            assert kind.factor is not None
            assert [m.value for m in kind.members] == list(getattr(checked.grids, kind.factor))
            used = sum(one.type == "grid" for one in layout.kinds)
            wanted = math.floor(checked.grids.share * checked.samples / used / len(kind.members) + 0.5)
        else:
            assert counts[code] == left[kind.members[0].kind]
            continue
        assert counts[code] == min([wanted, *(left.get(name, 0) // each for name, each in held.items())])
        for name, each in held.items():
            left[name] = left.get(name, 0) - each * counts[code]


def test_there_are_as_many_units_as_their_kinds_leave_room_for() -> None:
    """Two of a kind in one unit take two; of a kind that the recipe does not have there are none."""
    unit = UnitKind("grid", (Member("splice"), Member("splice"), Member("removal")), "scale")
    left = {"splice": 9, "removal": 3}
    assert _fitting(unit, left, 2) == 2
    assert left == {"splice": 5, "removal": 1}
    assert _fitting(unit, left, 9) == 1
    assert left == {"splice": 3, "removal": 0}
    without = {"splice": 9}
    assert _fitting(unit, without, 9) == 0
    assert without == {"splice": 9}


@given(recipes(), st.integers(1, 320))
def test_shards_part_the_units(recipe: dict[str, Any], shard: int) -> None:
    layout = Layout.of(parsed(recipe))
    parts = [layout.units(first, first + shard) for first in range(0, layout.samples, shard)]
    assert [unit for part in parts for unit in part] == list(range(len(layout.codes)))
    for first, part in zip(range(0, layout.samples, shard), parts, strict=True):
        assert all(first <= layout.starts[unit] < first + shard for unit in part)
    for unit in range(len(layout.codes)):
        held = range(int(layout.starts[unit]), int(layout.starts[unit + 1]))
        assert len(held) == len(layout.kind(unit).members) > 0
        assert {layout.unit_of(sample) for sample in held} == {unit}


@given(recipes())
def test_quotas_have_as_many_units_as_their_shares(recipe: dict[str, Any]) -> None:
    checked = parsed(recipe)
    layout = Layout.of(checked)
    manipulated = [unit for unit in range(len(layout.codes)) if layout.kind(unit).manipulated]
    authentic = sorted(set(range(len(layout.codes))) - set(manipulated))
    assert (layout.areas[authentic] == -1).all()
    assert (layout.categories[authentic] == -1).all()
    for quotas, shares in (
        (layout.areas, [quota.share for quota in checked.quotas.area]),
        (layout.categories, list(checked.quotas.category.values())),
    ):
        found = Counter(quotas[manipulated].tolist())
        if shares:
            assert [found[place] for place in range(len(shares))] == apportion(shares, len(manipulated))
        assert found[-1] == len(manipulated) - sum(found[place] for place in range(len(shares)))


@given(recipes())
def test_removed_regions_get_the_smallest_sizes(recipe: dict[str, Any]) -> None:
    layout = Layout.of(parsed(recipe))
    assume(recipe["quotas"].get("area"))
    kinds = np.array([layout.kind(unit).members[0].kind for unit in range(len(layout.codes))])
    removed = layout.areas[kinds == "removal"]  # the ranges of these recipes are in ascending order
    others = layout.areas[(kinds != "removal") & (layout.areas >= 0)]
    assert removed.max(initial=-1) <= others.min(initial=len(recipe["quotas"]["area"]))


@given(recipes())
def test_the_same_seed_gives_the_same_layout(recipe: dict[str, Any]) -> None:
    one, again = (Layout.of(parsed(recipe)) for _ in range(2))
    for name in ("codes", "starts", "areas", "categories"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
    other = Layout.of(parsed(recipe | {"seed": recipe["seed"] + 1}))
    assert sorted(other.codes) == sorted(one.codes)


@settings(max_examples=20)
@given(st.integers(0, 2**63 - 2))
def test_another_seed_gives_another_order(seed: int) -> None:
    one, other = (Layout.of(parsed(recipe_of("source", seed=number, samples=200))) for number in (seed, seed + 1))
    assert not np.array_equal(one.codes, other.codes)


def test_kinds_are_spread_over_the_dataset() -> None:
    recipe = recipe_of("source", samples=400, families=0.0, grids=None)
    layout = Layout.of(parsed(recipe))
    for half in (range(200), range(200, 400)):
        counts = Counter(layout.kind(layout.unit_of(sample)).members[0].kind for sample in half)
        for kind, share in recipe["kinds"].items():
            assert counts[kind] == pytest.approx(200 * share, abs=30)
