"""Components are what comparing all pairs joins; splits never part them and come as near as they can."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthharm.sources import near_duplicates
from synthharm.sources.fingerprints import Fingerprints
from synthharm.sources.near_duplicates import assign_splits, components, connected, near_groups

SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}


def plain_groups(count: int, joined: set[tuple[int, int]]) -> list[int]:
    """Components by first member, by relabelling until nothing changes."""
    labels = list(range(count))
    changed = True
    while changed:
        changed = False
        for a, b in joined:
            low = min(labels[a], labels[b])
            changed |= labels[a] != labels[b]
            labels[a] = labels[b] = low
    seen: dict[int, int] = {}
    return [seen.setdefault(label, len(seen)) for label in labels]


def differ(a: int, b: int) -> int:
    return (a ^ b).bit_count()


# Hashes near a few centres: in chains, in crowds, equal and apart.
def near(distance: int) -> st.SearchStrategy[int]:
    centres = st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF, 0xF0F0F0F0F0F0F0F0])
    flips = st.lists(st.integers(0, 63), max_size=distance + 2)
    return st.builds(lambda centre, bits: centre ^ sum({1 << bit for bit in bits}), centres, flips)


@st.composite
def fingerprints(draw: st.DrawFn) -> Fingerprints:
    rows = draw(st.lists(st.tuples(st.integers(0, 9), near(8), near(8), st.booleans()), max_size=12))
    files = [f"{file:064x}".encode() if usable else b"" for file, _, _, usable in rows]
    return Fingerprints(
        np.array(files, "S64"),
        np.array([row[1] for row in rows], np.uint64),
        np.array([row[2] for row in rows], np.uint64),
        np.array([row[3] for row in rows], np.bool_),
        np.zeros((len(rows), 2), np.int32),
    )


def listed(found: Fingerprints, order: NDArray[np.int64]) -> Fingerprints:
    return Fingerprints(
        *(getattr(found, name)[order] for name in ("sha256", "phash", "mirrored", "usable", "sizes"))
    )


@settings(max_examples=60)
@given(fingerprints(), st.integers(0, 12))
def test_components_are_what_all_pairs_join(found: Fingerprints, distance: int) -> None:
    hashes = [(int(a), int(b)) for a, b in zip(found.phash, found.mirrored, strict=True)]
    joined = {
        (a, b)
        for a, b in combinations(range(len(found)), 2)
        if found.usable[a]
        and found.usable[b]
        and (
            found.sha256[a] == found.sha256[b]
            or min(differ(one, other) for one in hashes[a] for other in hashes[b]) <= distance
        )
    }
    assert components(found, distance).tolist() == plain_groups(len(found), joined)


@settings(max_examples=60)
@given(fingerprints(), st.integers(0, 12), st.randoms(use_true_random=False))
def test_components_do_not_depend_on_the_listing(found: Fingerprints, distance: int, random: object) -> None:
    order = np.array(random.sample(range(len(found)), len(found)), np.int64)  # type: ignore[attr-defined]
    once, again = components(found, distance), components(listed(found, order), distance)
    assert np.array_equal(once[order][:, None] == once[order], again[:, None] == again)


@pytest.mark.parametrize("equal", [0, 1, 2, 3])
@pytest.mark.parametrize("longest", [2, 256])
@pytest.mark.parametrize("distance", [1, 4, 8])
def test_every_way_of_searching_finds_the_same(
    monkeypatch: pytest.MonkeyPatch, equal: int, longest: int, distance: int
) -> None:
    rng = np.random.default_rng(5)
    centres = rng.integers(0, 2**64, 60, dtype=np.uint64)
    hashes = np.repeat(centres, 5)
    for bits in range(1, 7):  # copies of each centre, up to some twelve bits from one another
        hashes ^= np.where(rng.random(300) < bits / 9, np.uint64(1) << rng.integers(0, 64, 300, np.uint64), 0)
    joined = {p for p in combinations(range(300), 2) if differ(int(hashes[p[0]]), int(hashes[p[1]])) <= distance}
    expected = plain_groups(300, joined)
    assert 60 < len(set(expected)) < 300 or distance == 8
    monkeypatch.setattr(near_duplicates, "_equal_bands", lambda count, distance: equal)
    monkeypatch.setattr(near_duplicates, "_LONGEST", longest)
    monkeypatch.setattr(near_duplicates, "_PENDING", 50)
    groups = near_groups(hashes, distance)
    assert np.array_equal(groups[:, None] == groups, np.array(expected)[:, None] == np.array(expected))


def test_a_crowd_of_hashes_is_joined_without_listing_its_pairs() -> None:
    # 5 * 10^9 pairs have half of their bits in common; 25 % of them are near.
    crowd = np.unique(np.random.default_rng(0).integers(0, 2**20, 110_000, dtype=np.uint64))[:100_000]
    assert not near_groups(crowd, 8).any()
    assert not near_groups(np.zeros(1_000_000, np.uint64), 8).any()


def test_groups_are_numbered_by_their_smallest_hash() -> None:
    assert near_groups(np.array([2**40, 7, 2**63 + 2**62, 6, 2**40 + 1], np.uint64), 1).tolist() == [1, 0, 2, 0, 1]
    assert near_groups(np.empty(0, np.uint64)).tolist() == []


def test_nodes_are_joined_both_ways() -> None:
    assert connected(np.array([3, 0, 2]), np.array([1, 4, 2]), 6).tolist() == [0, 1, 2, 1, 0, 3]


@pytest.mark.parametrize("distance", [-1, 64])
def test_a_distance_out_of_range_is_refused(distance: int) -> None:
    with pytest.raises(ValueError, match=f"distance is {distance}; accepted is a number of bits, 0..63"):
        near_groups(np.zeros(2, np.uint64), distance)


# Splits


@st.composite
def groups(draw: st.DrawFn) -> tuple[NDArray[np.int64], NDArray[np.bytes_], NDArray[np.bool_]]:
    numbers = draw(st.lists(st.integers(0, 14), max_size=60))
    files = [f"{n:064x}".encode() for n in draw(st.permutations(range(len(numbers))))]
    usable = draw(st.lists(st.booleans(), min_size=len(numbers), max_size=len(numbers)))
    return np.array(numbers, np.int64), np.array(files, "S64"), np.array(usable, np.bool_)


@st.composite
def shares(draw: st.DrawFn) -> dict[str, float]:
    weights = draw(st.lists(st.integers(1, 20), min_size=1, max_size=5))
    return {str(place): weight / sum(weights) for place, weight in enumerate(weights)}


@given(groups(), shares(), st.integers(0, 99))
def test_no_component_is_parted_and_shares_are_reached(
    drawn: tuple[NDArray[np.int64], NDArray[np.bytes_], NDArray[np.bool_]], wanted: dict[str, float], seed: int
) -> None:
    numbers, files, usable = drawn
    split = assign_splits(numbers, files, usable, wanted, seed)
    assert ((split >= 0) == usable).all()
    used, split = numbers[usable], split[usable]
    assert all(len(set(split[used == number])) == 1 for number in used)
    largest = max(np.bincount(used), default=0)
    for place, share in enumerate(wanted.values()):
        assert abs((split == place).sum() - share * len(used)) <= largest


@given(groups(), shares(), st.randoms(use_true_random=False))
def test_splits_do_not_depend_on_the_listing(
    drawn: tuple[NDArray[np.int64], NDArray[np.bytes_], NDArray[np.bool_]],
    wanted: dict[str, float],
    random: object,
) -> None:
    numbers, files, usable = drawn
    order = np.array(random.sample(range(len(files)), len(files)), np.int64)  # type: ignore[attr-defined]
    renamed = np.array(random.sample(range(15), 15), np.int64)  # type: ignore[attr-defined]
    once = assign_splits(numbers, files, usable, wanted, 3)
    again = assign_splits(renamed[numbers][order], files[order], usable[order], wanted, 3)
    assert again.tolist() == once[order].tolist()


def test_the_seed_draws_the_splits() -> None:
    files = np.array([f"{n:064x}" for n in range(40)], "S64")
    drawn = {tuple(assign_splits(np.arange(40), files, np.ones(40, bool), SHARES, seed)) for seed in range(5)}
    assert len(drawn) == 5
    assert all(np.bincount(split).tolist() == [28, 4, 8] for split in drawn)


@pytest.mark.parametrize(
    "wrong", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": 1.0, "b": 0.0}, {"a": float("nan")}]
)
def test_wrong_shares_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="accepted are numbers above 0, 1 in all"):
        assign_splits(np.arange(1), np.array([b"a"]), np.ones(1, bool), wrong, 0)
