"""An index keeps what the selection asks for, numbered without gaps, with a digest that depends on that alone."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from unstamped import Unstamped

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import (
    Index,
    Photo,
    PhotoEntry,
    RegionEntry,
    Reject,
    Select,
    build_index,
    load_region,
)


@dataclass(frozen=True)
class Listed(Unstamped):
    """A source of given entries whose photos are grey and whose masks are 200 on the left half."""

    items: tuple[Any, ...]

    def entries(self, measure: bool) -> Iterator[Any]:
        return iter(self.items)

    def read_photo(self, photo: PhotoEntry) -> Photo:
        if photo.key == "bad":
            raise Unusable("bad", "truncated", "half of it")
        return Photo(np.full((4, 6, 3), 128, np.uint8), photo.key, "0" * 64)

    def read_mask(self, photo: PhotoEntry, region: RegionEntry, size: tuple[int, int]) -> NDArray[np.uint8]:
        if region.mask == "gone.png":
            raise Unusable("gone.png", "missing", "no such file")
        mask = np.zeros((4, 5) if region.mask == "small" else size, np.uint8)
        mask[:, :3] = {"empty": 127}.get(region.mask, 200)
        return mask


def listing(photos: Iterable[Iterable[RegionEntry]], **fields: Any) -> Listed:
    items: list[Any] = []
    for number, regions in enumerate(photos):
        items.append(PhotoEntry(f"{number}.jpg", **{"width": 60, "height": 40, **fields}))
        items.extend(replace(region, photo=number) for region in regions)
    return Listed(tuple(items))


def region(id: str, category: str | None = None, share: float | None = 0.5, mask: str = "m") -> RegionEntry:
    return RegionEntry(-1, id, mask, category, share)


REGIONS = st.builds(
    region,
    st.text("abc", min_size=1, max_size=3),
    st.sampled_from(["dog", "cat", None]),
    st.floats(0, 1, allow_nan=False),
    st.text(max_size=9),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(REGIONS, max_size=4), max_size=6), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_what_is_kept(
    tmp_path_factory: pytest.TempPathFactory, photos: list[list[RegionEntry]], ends: Any
) -> None:
    low, high = sorted(ends)
    source = listing(photos)
    index = build_index(source, tmp_path_factory.mktemp("index"), select=Select(area_share=(low, high)))
    kept = [[one for one in regions if low <= (one.share or 0) <= high] for regions in photos]
    expected = [(f"{number}.jpg", one) for number, regions in enumerate(kept) for one in regions]
    found = [index.region(number) for number in range(index.regions)]
    assert [(index.photo(one.photo).key, replace(one, photo=-1)) for one in found] == expected
    assert [one.photo for one in found] == sorted(one.photo for one in found)
    assert {one.photo for one in found} == set(range(index.photos))
    assert sum(index.excluded.values()) + index.regions == sum(map(len, photos))


def test_all_limits_and_what_they_leave_out(tmp_path: Path) -> None:
    source = Listed(
        (
            PhotoEntry("small.jpg", 9, 40),
            region("1", "dog"),
            PhotoEntry("wide.jpg", 101, 40),
            replace(region("2", "dog"), photo=1),
            PhotoEntry("edge.jpg", 100, 10, "CC0", "Ann", "train"),
            replace(region("3", "cat"), photo=2),
            replace(region("4", "dog", 0.099), photo=2),
            replace(region("5", "dog", 0.1), photo=2),
            replace(region("6", "dog", 0.9), photo=2),
            replace(region("7", None), photo=2),
        )
    )
    source = replace(source, items=(source.items[0], replace(source.items[1], photo=0), *source.items[2:]))
    select = Select(categories=("dog",), area_share=(0.1, 0.9), side=(10, 100))
    index = build_index(source, tmp_path, select=select)
    assert [index.region(k).id for k in range(index.regions)] == ["5", "6"]
    assert index.photo(0) == PhotoEntry("edge.jpg", 100, 10, "CC0", "Ann", "train")
    assert index.excluded == {"area share": 1, "category": 2, "side": 2}


def test_more_rows_than_a_batch(tmp_path: Path) -> None:
    source = listing([[region(f"{k}-0"), region(f"{k}-1")] for k in range(5000)])
    index = build_index(source, tmp_path, select=Select())
    for number in (0, 1, 4095, 4096, 8191, 8192, 9999):
        found = index.region(number)
        assert (found.id, index.photo(found.photo).key) == (f"{number // 2}-{number % 2}", f"{number // 2}.jpg")


def test_the_digest_depends_on_what_is_kept_and_on_nothing_else(tmp_path: Path) -> None:
    def digest(source: Listed, name: str = "x", **select: Any) -> str:
        return build_index(source, tmp_path / name, select=Select(**select)).digest

    photos = [[region("1", "dog"), region("2", "cat")], [region("3", "cat")]]
    first = digest(listing(photos))
    assert len(first) == 64
    assert digest(listing(photos), "another/place") == first
    assert digest(Listed((Reject("z", "missing", "?"), *listing(photos).items))) == first
    dogs = digest(listing(photos), categories=("dog",))
    assert digest(listing([photos[0][:1]])) == dogs != first
    others = [
        listing(photos[:1]),
        listing([photos[0][::-1], photos[1]]),
        listing([photos[0][:1], photos[0][1:] + photos[1]]),
        listing([[replace(photos[0][0], share=0.25), photos[0][1]], photos[1]]),
        listing([[replace(photos[0][0], mask="n"), photos[0][1]], photos[1]]),
        listing(photos, licence="CC0"),
        listing(photos, width=61),
    ]
    assert len({first, dogs, *map(digest, others)}) == 2 + len(others)


def test_a_copy_and_another_opening_are_the_same(tmp_path: Path) -> None:
    source = Listed((Reject("é.jpg", "missing", "gone"), *listing([[region("1")]]).items))
    index = build_index(source, tmp_path, select=Select())
    for other in (Index.open(tmp_path), pickle.loads(pickle.dumps(index))):
        assert other == index
        assert other.region(0) == index.region(0)
        assert other.rejects == [Reject("é.jpg", "missing", "gone")]
    assert len(pickle.dumps(index)) < 500
    assert all(json.loads(line) for line in (tmp_path / "rejects.jsonl").read_text().splitlines())


def test_an_older_index_stays_readable_while_a_newer_takes_its_place(tmp_path: Path) -> None:
    older = build_index(listing([[region("old")]]), tmp_path, select=Select())
    newer = build_index(listing([[region("new")] * 9000]), tmp_path, select=Select())
    assert (older.region(0).id, newer.region(8999).id) == ("old", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "index.json",
        "mask_stamps.arrow",
        "photo_stamps.arrow",
        "photos.arrow",
        "regions.arrow",
        "rejects.jsonl",
    ]


def test_an_unfinished_index_is_none(tmp_path: Path) -> None:
    def broken() -> Iterator[Any]:
        yield from listing([[region("1")]]).items
        raise SynthharmError("the disk is gone")

    class Breaking(Listed):
        def entries(self, measure: bool) -> Iterator[Any]:
            return broken()

    build_index(listing([[region("1")]]), tmp_path, select=Select())
    with pytest.raises(SynthharmError, match="disk"):
        build_index(Breaking(()), tmp_path, select=Select())
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SynthharmError, match="no finished index"):
            Index.open(path)
    assert not list(tmp_path.glob("*.part"))


def test_numbers_out_of_range(tmp_path: Path) -> None:
    index = build_index(listing([[region("1")]]), tmp_path, select=Select())
    for look_up in (index.photo, index.region):
        for number in (-1, 1):
            with pytest.raises(IndexError, match="this index has 1"):
                look_up(number)


def test_an_empty_listing(tmp_path: Path) -> None:
    index = build_index(Listed(()), tmp_path, select=Select())
    assert (index.photos, index.regions, index.rejects, index.excluded) == (0, 0, [], {})


def test_unknown_categories(tmp_path: Path) -> None:
    source = listing([[region("1", "dining table"), region("2", "dog")]])
    with pytest.raises(SynthharmError, match=r"'diningtable'.*nearest are \['dining table'\]"):
        build_index(source, tmp_path, select=Select(categories=("dog", "diningtable")))
    with pytest.raises(SynthharmError, match="names no categories"):
        build_index(listing([[region("1")]]), tmp_path, select=Select(categories=("dog",)))


@pytest.mark.parametrize(
    "limits",
    [
        {"categories": ()},
        {"area_share": (0.5, 0.4)},
        {"area_share": (-0.1, 0.4)},
        {"area_share": (0, 1.1)},
        {"area_share": (float("nan"), 1)},
        {"side": (0, 9)},
        {"side": (9, 8)},
    ],
    ids=str,
)
def test_limits_that_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(SynthharmError, match=next(iter(limits))):
        Select(**limits)


def test_a_source_that_breaks_the_order_is_a_fault(tmp_path: Path) -> None:
    one, two = PhotoEntry("a"), PhotoEntry("b")
    for items in ((region("1"),), (one, two, replace(region("1"), photo=0))):
        with pytest.raises(ValueError, match="listed after photo"):
            build_index(Listed(items), tmp_path, select=Select())
    with pytest.raises(ValueError, match="not measured"):
        build_index(Listed((one, replace(region("1"), photo=0))), tmp_path, select=Select(side=(1, 9)))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(REGIONS, max_size=4), max_size=6), st.sampled_from([1, 2, 4096]))
def test_regions_by_category(
    tmp_path_factory: pytest.TempPathFactory, photos: list[list[RegionEntry]], batch: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthharm.sources.index._BATCH", batch)
        index = build_index(listing(photos), tmp_path_factory.mktemp("index"), select=Select())
        categories = [index.region(number).category for number in range(index.regions)]
        for category in ("dog", "cat", None, "do", ""):
            found = index.regions_of(category)
            assert found.dtype == np.int64
            assert found.tolist() == [n for n, known in enumerate(categories) if known == category]


def test_load_region(tmp_path: Path) -> None:
    bad = (PhotoEntry("bad"), RegionEntry(1, "5", "m"))
    masks = ["m", "empty", "small", "gone.png"]
    source = Listed((*listing([[region(str(k), mask=mask) for k, mask in enumerate(masks)]]).items, *bad))
    index = build_index(source, tmp_path, select=Select())
    photo, mask = load_region(source, index, 0, soft=False)
    assert photo.key == "0.jpg"
    assert set(np.unique(mask)) == {0, 255}
    assert set(np.unique(load_region(source, index, 0, soft=True)[1])) == {0, 200}
    found = []
    for number in range(1, 5):
        with pytest.raises(Unusable) as caught:
            load_region(source, index, number, soft=False)
        found.append((caught.value.name, caught.value.reason, caught.value.detail.partition(";")[0]))
    assert found == [
        ("0.jpg", "empty mask", "region 1: no value reaches 128"),
        ("0.jpg", "mask size", "region 2: 5 x 4 pixels"),
        ("0.jpg", "missing", "region 3: gone.png: no such file"),
        ("bad", "truncated", "region 5: half of it"),
    ]
