"""Plans: samples go through all regions in turns, and what a sample is does not depend on how shards are cut."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_datasets import write_photos, write_recipe
from splicing_datasets import parsed, recipe_of, write_source

from synthharm.errors import SynthharmError
from synthharm.generate.plan import Plan
from synthharm.generate.sample import Maker
from synthharm.generate.splicing.layout import Layout
from synthharm.generate.splicing.making import SplicingMaker
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.recipe import Recipe, load_recipe


def plan_over(regions: int, seed: int, samples: int = 10_000_000) -> Plan:
    recipe = Recipe.model_validate(
        {
            "samples": samples,
            "seed": seed,
            "data": "x",
            "source": {"format": "coco"},
            "writer": {"format": "folder"},
        }
    )
    index: Any = SimpleNamespace(regions=regions)
    return Plan(recipe, index, np.zeros(0, "S1"))


@given(st.integers(1, 60), st.integers(0, 2**63 - 1), st.integers(0, 200_000))
def test_every_region_has_its_place_in_every_turn(regions: int, seed: int, turn: int) -> None:
    plan = plan_over(regions, seed)
    found = [plan.region(turn * regions + place, 0) for place in range(regions)]
    assert sorted(found) == list(range(regions))


@given(st.integers(2, 40), st.integers(0, 9), st.permutations(range(120)), st.integers(121, 10**9))
def test_what_a_sample_is_depends_on_its_number_alone(
    regions: int, seed: int, order: list[int], samples: int
) -> None:
    def described(plan: Plan, sample: int) -> Any:
        others = plan.others(sample, 1, 5).tolist()
        return plan.region(sample, 0), plan.region(sample, 2), plan.seed(sample, 0), others

    whole, asked = plan_over(regions, seed, 120), plan_over(regions, seed, samples)
    expected = [described(whole, sample) for sample in range(120)]
    found = {sample: described(asked, sample) for sample in order}
    assert [found[sample] for sample in range(120)] == expected


@given(st.integers(1, 400), st.integers(1, 64), st.floats(0, 1), st.integers(0, 3))
def test_units_part_the_samples_for_any_shards(samples: int, shard: int, part: float, seed: int) -> None:
    kinds = {"authentic": 0.5, "splice": 0.25, "harmonized_splice": 0.25}
    layout = Layout.of(parsed(recipe_of("x", samples=samples, seed=seed, kinds=kinds, families=part, grids=None)))
    made = []
    for first in range(0, samples, shard):
        for unit in layout.units(first, min(first + shard, samples)):
            begin = int(layout.starts[unit])
            made += range(begin, begin + len(layout.kind(unit).members))
    assert made == list(range(samples))


def test_more_samples_than_32_bits_hold_are_counted_in_64() -> None:
    kinds = (SimpleNamespace(members=(1, 2)),)
    starts = np.array([0, 2**31, 2**31 + 2], np.int64)
    layout = Layout(kinds, np.zeros(2, np.uint8), starts, np.zeros(2, np.int16), np.zeros(2, np.int16))  # type: ignore[arg-type]
    assert layout.samples == 2**31 + 2
    assert layout.unit_of(2**31 + 1) == 1
    assert layout.units(2**31, 2**31 + 64) == range(1, 2)


@pytest.fixture(scope="module")
def splicing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SplicingPlan]:
    root = tmp_path_factory.mktemp("splicing")
    recipe = parsed(recipe_of(write_source(root / "data")))
    return root, SplicingPlan.make(recipe, root / "index")


def test_no_split_parts_what_is_alike(splicing: tuple[Path, SplicingPlan]) -> None:
    _, plan = splicing
    used = plan.photos
    for numbers in (plan.components[used], np.unique(plan.prints.sha256[used], return_inverse=True)[1]):
        pairs = {(int(number), plan.split(int(photo))) for number, photo in zip(numbers, used, strict=True)}
        assert len(pairs) == len(set(numbers.tolist()))


def test_what_every_worker_reads_is_what_would_be_computed(splicing: tuple[Path, SplicingPlan]) -> None:
    from synthharm.sources import assign_splits, components

    _, plan = splicing
    prints, recipe = plan.prints, plan.recipe
    assert np.array_equal(plan.components, components(prints, recipe.near_duplicates))
    splits = assign_splits(plan.components, prints.sha256, prints.usable, dict(recipe.split), recipe.seed)
    assert np.array_equal(plan.splits, splits)
    regions = [plan.index.region(number) for number in range(plan.index.regions)]
    assert plan.owners.tolist() == [region.photo for region in regions]
    names = plan.index.categories()
    assert [names[place] for place in plan.categories] == [region.category or "" for region in regions]
    for one, name in enumerate(names):
        for two, other in enumerate(names):
            owners = [{r.photo for r in regions if (r.category or "") == n} for n in (name, other)]
            assert plan.company[one, two] == bool(owners[0] & owners[1])


def test_the_targets_take_turns(splicing: tuple[Path, SplicingPlan]) -> None:
    _, plan = splicing
    count = len(plan.photos)
    for turn in (0, 3):
        found = [plan.target(turn * count + place, 0) for place in range(count)]
        assert sorted(found) == plan.photos.tolist()


def test_a_splicing_run_stops_at_a_photo_that_is_another(splicing: tuple[Path, SplicingPlan]) -> None:
    root, plan = splicing
    maker = SplicingMaker.of(plan)
    number = plan.target(0, 0)
    path = root / "data" / plan.index.photo(number).key
    before, status = path.read_bytes(), path.stat()
    spoiled = bytearray(before)
    spoiled[-5] ^= 1  # in the last chunk's name or checksum, which no decoder looks at
    try:
        path.write_bytes(spoiled)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if nothing had happened
        with pytest.raises(SynthharmError, match=r"has changed since it was listed \(was sha256 \w+, is sha256"):
            maker.make(0)
        path.unlink()
        with pytest.raises(SynthharmError, match="was there when it was listed and is missing now"):
            maker.make(0)
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert maker.make(0)[0] or maker.make(0)[1]


def test_a_retouch_run_stops_at_a_photo_or_mask_that_is_gone(tmp_path: Path) -> None:
    data = write_photos(tmp_path / "data")
    recipe: Any = load_recipe(write_recipe(tmp_path / "recipe.yaml", data))
    maker = Maker.of(Plan.make(recipe, tmp_path / "index"))
    region = maker.plan.index.region(maker.plan.region(0, 0))
    for key in (region.mask, maker.plan.index.photo(region.photo).key):
        content = (data / key).read_bytes()
        (data / key).unlink()
        with pytest.raises(SynthharmError, match=f"{key} was there when it was listed and is missing now"):
            maker.make(0)
        (data / key).write_bytes(content)


def test_a_quota_for_a_category_that_is_not_there_is_refused_with_an_index_that_is(
    splicing: tuple[Path, SplicingPlan],
) -> None:
    root, plan = splicing
    recipe = json.loads(plan.recipe.model_dump_json()) | {"quotas": {"category": {"zebra": 0.1}}}
    with pytest.raises(SynthharmError, match="no region is of category 'zebra'"):
        SplicingPlan.open(parsed(recipe), root / "index")
