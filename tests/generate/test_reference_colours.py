"""The colours that a region is fitted to are another photo's, of the same split, whatever else the source has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from unstamped import Unstamped

from synthharm.errors import Unusable
from synthharm.generate.plan import Plan
from synthharm.generate.reference import ReferenceColours, reference_colours
from synthharm.recipe import Recipe
from synthharm.sources import Photo, PhotoEntry, RegionEntry, Select, build_index

INSIDE, AROUND = 10, 130  # added to a photo's number: the level of its region, and of what surrounds it


@dataclass(frozen=True)
class Levels(Unstamped):
    """A source of photos with one region each, whose colours say which photo it is.

    Args:
        categories: of the photos' regions.
        twins: pairs of photos that are the same file.
        broken: photos that cannot be read.
        full: photos that their region fills.
    """

    categories: Sequence[str | None]
    twins: dict[int, int]
    broken: frozenset[int] = frozenset()
    full: frozenset[int] = frozenset()

    def entries(self, measure: bool) -> Iterator[Any]:
        for number, category in enumerate(self.categories):
            yield PhotoEntry(f"{number}.png")
            yield RegionEntry(number, str(number), "m", category)

    def checksum(self, number: int) -> str:
        return f"{self.twins.get(number, number):064x}"

    def read_photo(self, photo: PhotoEntry) -> Photo:
        number = int(photo.key.partition(".")[0])
        if number in self.broken:
            raise Unusable(photo.key, "truncated", "half of it")
        pixels = np.full((12, 12, 3), AROUND + number, np.uint8)
        pixels[self.read_mask(photo, None, (12, 12)) > 0] = INSIDE + number
        return Photo(pixels, photo.key, self.checksum(number))

    def read_mask(self, photo: PhotoEntry, region: RegionEntry | None, size: tuple[int, int]) -> NDArray[np.uint8]:
        mask = np.zeros(size, np.uint8)
        mask[3:9, 3:9] = 255
        if int(photo.key.partition(".")[0]) in self.full:
            mask[:] = 255
        return mask


def plan_of(source: Levels, folder: Path, **changes: Any) -> Plan:
    recipe = {"samples": 9, "data": "x", "source": {"format": "coco"}, "writer": {"format": "folder"}}
    index = build_index(source, folder, select=Select())
    return Plan(Recipe.model_validate(recipe | changes), index, np.array([b"x"]))


def found(
    plan: Plan, source: Levels, toward: str, number: int, sample: int = 0, attempt: int = 0
) -> ReferenceColours:
    own = plan.index.region(number)
    return reference_colours(plan, source, toward, own, source.checksum(number), sample, attempt)


@settings(deadline=None, max_examples=80)
@given(
    categories=st.lists(st.sampled_from(["dog", "cat", None]), min_size=1, max_size=12),
    shares=st.sampled_from([{"train": 1.0}, {"train": 0.5, "test": 0.5}]),
    toward=st.sampled_from(["category", "surroundings"]),
    twins=st.dictionaries(st.integers(0, 11), st.integers(0, 11), max_size=2),
    broken=st.frozensets(st.integers(0, 11), max_size=3),
    full=st.frozensets(st.integers(0, 11), max_size=3),
    sample=st.integers(0, 100),
)
def test_colours_are_of_another_photo_of_the_split(sample: int, toward: str, shares: Any, **given: Any) -> None:
    source = Levels(**given)
    with TemporaryDirectory() as folder:
        plan = plan_of(source, Path(folder), split=shares, seed=sample)
        splits = [plan.split(n, source.checksum(n)) for n in range(plan.index.photos)]
        for own, category in enumerate(source.categories):
            fit = {
                n
                for n, other in enumerate(source.categories)
                if source.checksum(n) != source.checksum(own)
                and splits[n] == splits[own]
                and n not in source.broken
                and (other == category if toward == "category" else n not in source.full)
            }
            if not fit:
                with pytest.raises(Unusable) as caught:
                    found(plan, source, toward, own, sample)
                assert (caught.value.name, caught.value.reason) == (f"{own}.png", "no reference")
                continue
            colours = found(plan, source, toward, own, sample)
            other = int(colours.described["photo"].removesuffix(".png"))
            assert other in fit
            level = (INSIDE if toward == "category" else AROUND) + other
            assert colours.statistics.means == pytest.approx((level / 255,) * 3)
            assert colours.statistics.deviations == pytest.approx((0, 0, 0), abs=1e-9)
            assert colours.described == {
                "photo": f"{other}.png",
                "region": str(other),
                "category": source.categories[other],
                "toward": toward,
            }


def test_every_other_photo_has_its_turn(tmp_path: Path) -> None:
    source = Levels(["dog"] * 5, {})
    plan = plan_of(source, tmp_path)
    taken = [found(plan, source, "category", 2, sample).described["photo"] for sample in range(40)]
    assert set(taken) == {"0.png", "1.png", "3.png", "4.png"}
    assert taken == [found(plan, source, "category", 2, sample).described["photo"] for sample in range(40)]
    again = [found(plan, source, "category", 2, sample, attempt=1).described["photo"] for sample in range(40)]
    assert again != taken


def test_a_rare_split_finds_its_reference_among_many(tmp_path: Path) -> None:
    source = Levels([None] * 120, {})
    plan = plan_of(source, tmp_path, split={"train": 0.9, "test": 0.1})
    tests = [n for n in range(120) if plan.split(n, source.checksum(n)) == "test"]
    others = [found(plan, source, "category", n, n).described["photo"] for n in tests]
    assert 5 < len(tests) < 20
    assert {plan.split(0, source.checksum(int(key.removesuffix(".png")))) for key in others} == {"test"}


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    alone = Levels(["dog", "cat", "cat"], {1: 2})
    plan = plan_of(alone, tmp_path / "alone")
    with pytest.raises(Unusable) as caught:
        found(plan, alone, "category", 0)
    assert caught.value.detail == (
        "region 0: no other photo of train has a region of 'dog' to go by: there is none"
    )
    with pytest.raises(Unusable, match="no other photo of train has a region of 'cat' to go by: there is none"):
        found(plan, alone, "category", 1)
    broken = Levels(["dog", "dog"], {}, broken=frozenset({1}))
    with pytest.raises(Unusable, match=r"to go by: 1\.png: region 1: half of it"):
        found(plan_of(broken, tmp_path / "broken"), broken, "category", 0)
    full = Levels(["dog", "dog"], {}, full=frozenset({1}))
    with pytest.raises(Unusable, match=r"has a region to go by: 1\.png: region 1 has no surroundings"):
        found(plan_of(full, tmp_path / "full"), full, "surroundings", 0)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40),
    st.integers(0, 60),
    st.integers(0, 50),
    st.lists(st.integers(0, 39), unique=True, max_size=40),
)
def test_others_are_drawn_once_each(regions: int, count: int, sample: int, listed: list[int]) -> None:
    with TemporaryDirectory() as folder:
        plan = plan_of(Levels(["dog"] * regions, {}), Path(folder))
        among = np.array([n for n in listed if n < regions], np.int64)
        for drawn, known in (
            (plan.others(sample, 0, count), range(regions)),
            (plan.others(sample, 0, count, among), among),
        ):
            assert len(drawn) == len(set(drawn.tolist())) == min(count, len(known))
            assert set(drawn.tolist()) <= set(map(int, known))
        np.testing.assert_array_equal(plan.others(sample, 0, count), plan.others(sample, 0, count))
