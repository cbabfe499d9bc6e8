"""Photos that belong together, being the same or nearly so, and splits that keep them together."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthharm.sources.fingerprints import Fingerprints

DISTANCE = 8
"""Bits in which the hashes of near-duplicates differ at most.

Measured on 166 photos of COCO: it finds each of them again after JPEG at quality 10, scaling to a quarter, gamma
1.5, a fifth more brightness or a third more contrast, 165 after cropping 2 % from each side and 154 after 3 %. The
nearest two of them that are distinct differ in 12 bits; so do those of 88 more of cameras and Kodak's.
"""

_BITS = 64
_LONGEST = 256  # hashes of a run that are compared pair by pair
_PENDING = 1 << 22  # pairs that are held before they are joined

Hashes = NDArray[np.uint64]


def components(fingerprints: Fingerprints, distance: int = DISTANCE) -> NDArray[np.int64]:
    """Number the groups of photos that must not be parted.

    Two photos are joined where their files are equal, or where a hash of one, upright or mirrored, differs from a
    hash of the other in at most `distance` bits; a component is what is joined directly or through others.

    Args:
        fingerprints: of N photos. An unusable one is a component of its own.
        distance: bits, 0..63.

    Returns:
        (N,) int64: each photo's component, numbered from 0 in the order of their first photos.

    Raises:
        ValueError: a distance out of range.

    Example:
        >>> values = np.array([0b1111 << 60, 0b0111 << 60, 0b1111], np.uint64)
        >>> three = Fingerprints(
        ...     np.array([b"a", b"b", b"c"], "S64"), values, values, np.ones(3, bool), np.ones((3, 2), np.int32)
        ... )
        >>> components(three, distance=2)
        array([0, 0, 1])
    """
    count = len(fingerprints)
    photos = np.flatnonzero(fingerprints.usable)
    hashes = np.concatenate([fingerprints.phash[photos], fingerprints.mirrored[photos]])
    groups = near_groups(hashes, distance)
    files = np.unique(fingerprints.sha256[photos], return_inverse=True)[1]
    # A photo is joined with its file and with the groups of its hashes, and so with all that share one of them.
    ends = np.concatenate([count + groups, count + len(hashes) + files])
    return connected(np.tile(photos, 3), ends, count + len(hashes) + len(photos))[:count]


def near_groups(hashes: Hashes, distance: int = DISTANCE) -> NDArray[np.int64]:
    """Number the groups of hashes that are joined by steps of at most `distance` bits.

    Of d + e bands of bits, e are equal in any two hashes that differ in at most d bits. So for every choice of e
    bands the hashes are sorted by these, and compared within each run of equal ones. Equal hashes are compared
    once. A run that is longer than a few hundred is walked from neighbour to neighbour, which takes little time
    where most are near each other. So only many thousands of different hashes that share a third of their bits
    and yet lie far apart take time that grows as their square.

    Args:
        hashes: (N,) uint64.
        distance: bits, 0..63.

    Returns:
        (N,) int64, numbered from 0 in the order of the smallest hash of each group.

    Raises:
        ValueError: a distance out of range.

    Example:
        >>> near_groups(np.array([0b1111, 0b0000, 0b0111], np.uint64), distance=1)
        array([1, 0, 1])
    """
    if not 0 <= distance < _BITS:
        raise ValueError(f"distance is {distance}; accepted is a number of bits, 0..{_BITS - 1}")
    values, places = np.unique(hashes, return_inverse=True)
    joined = _Joined(values)
    if distance and len(values) > 1:
        equal = _equal_bands(len(values), distance)
        edges = [_BITS * band // (distance + equal) for band in range(distance + equal + 1)]
        for chosen in combinations(range(distance + equal), equal):
            order = _Order(edges, chosen)
            _join_runs(order, np.sort(order.apply(values)), distance, joined)
    return joined.groups()[places]


def connected(first: NDArray[np.int64], second: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The component of each of `count` nodes, from 0 by first node, where first[i] and second[i] are joined.

    Example:
        >>> connected(np.array([1]), np.array([3]), 4)
        array([0, 1, 2, 1])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    labels = connected_components(graph.tocsr(), directed=False)[1]
    # Numbered anew, since the order of the library's numbers is no promise of its.
    _, starts, found = np.unique(labels, return_index=True, return_inverse=True)
    ranks = np.empty(len(starts), np.int64)
    ranks[np.argsort(starts)] = np.arange(len(starts))
    numbers: NDArray[np.int64] = ranks[found]
    return numbers


def assign_splits(
    components: NDArray[np.int64],
    sha256: NDArray[np.bytes_],
    usable: NDArray[np.bool_],
    shares: Mapping[str, float],
    seed: int,
) -> NDArray[np.int64]:
    """Give every component whole to one split.

    The components come in an order drawn from the seed and their smallest sha256, and each goes to the split whose
    number of photos is farthest below its share. So no split ends as much as the largest component's size away
    from its share, and nothing depends on the order in which the photos are listed.

    Args:
        components: (N,), of N photos.
        sha256: (N,), of their files in hex.
        usable: (N,) bool; the others are left out.
        shares: of the usable photos by the splits' names, each above 0, 1 in all.
        seed: any whole number.

    Returns:
        (N,) int64: the place of each photo's split in `shares`, -1 for those left out.

    Raises:
        ValueError: shares out of range or not 1 in all.

    Example:
        >>> files = np.array([b"a", b"b", b"c", b"d"])
        >>> split = assign_splits(np.array([0, 0, 1, 2]), files, np.ones(4, bool), {"train": 0.5, "test": 0.5}, 7)
        >>> np.bincount(split), split[0] == split[1]
        (array([2, 2]), np.True_)
    """
    given = np.array(list(shares.values()), np.float64)
    if not ((given > 0).all() and math.isclose(given.sum(), 1, abs_tol=1e-6)):
        raise ValueError(f"shares are {dict(shares)}; accepted are numbers above 0, 1 in all")
    splits = np.full(len(components), -1, np.int64)
    photos = np.flatnonzero(usable)
    if not len(photos):
        return splits
    # By file within each component: its first photo has the smallest sha256.
    photos = photos[np.lexsort((sha256[photos], components[photos]))]
    starts = np.flatnonzero(np.diff(components[photos], prepend=-1))
    sizes = np.diff(starts, append=len(photos))
    drawn = [hashlib.sha256(f"{seed} {sha256[photos[start]].decode()}".encode()).digest() for start in starts]
    missing = [float(share) * len(photos) for share in given]
    chosen = np.empty(len(starts), np.int64)
    for component in sorted(range(len(starts)), key=drawn.__getitem__):
        chosen[component] = split = missing.index(max(missing))
        missing[split] -= float(sizes[component])
    splits[photos] = np.repeat(chosen, sizes)
    return splits


class _Joined:
    """Which of some ascending hashes are joined so far. Pairs are gathered, and joined when there are many."""

    def __init__(self, values: Hashes) -> None:
        self._values = values
        self._groups = np.arange(len(values), dtype=np.int64)
        self._pairs: list[tuple[Hashes, Hashes]] = []
        self._pending = 0

    def add(self, first: Hashes, second: Hashes) -> None:
        """Join hashes pair by pair."""
        if len(first):
            self._pairs.append((first, second))
            self._pending += len(first)
            if self._pending > _PENDING:
                self._settle()

    def groups(self) -> NDArray[np.int64]:
        """The group of each hash, numbered by first hash."""
        self._settle()
        return self._groups

    def are_one(self, values: Hashes) -> bool:
        """Whether these are all joined already."""
        groups = self.groups()[np.searchsorted(self._values, values)]
        return bool((groups == groups[0]).all())

    def _settle(self) -> None:
        if self._pairs:
            sides = (np.concatenate(side) for side in zip(*self._pairs, strict=True))
            first, second = (self._groups[np.searchsorted(self._values, side)] for side in sides)
            self._groups = connected(first, second, len(self._values))[self._groups]
            self._pairs, self._pending = [], 0


class _Order:
    """A rearrangement of a hash's bits that puts the chosen bands on top; it keeps distances."""

    def __init__(self, edges: list[int], chosen: tuple[int, ...]) -> None:
        bands = [*chosen, *(band for band in range(len(edges) - 1) if band not in chosen)]
        self._moves: list[list[int]] = []  # from, to, width in bits; neighbours that stay so move together
        top = _BITS
        for band in bands:
            low, width = edges[band], edges[band + 1] - edges[band]
            top -= width
            if self._moves and self._moves[-1][0] == low + width:
                self._moves[-1] = [low, top, self._moves[-1][2] + width]
            else:
                self._moves.append([low, top, width])
        self.key_bits = sum(edges[band + 1] - edges[band] for band in chosen)

    def apply(self, values: Hashes) -> Hashes:
        """The hashes rearranged."""
        return self._move(values, ((low, top, width) for low, top, width in self._moves))

    def undo(self, values: Hashes) -> Hashes:
        """The hashes as they were."""
        return self._move(values, ((top, low, width) for low, top, width in self._moves))

    @staticmethod
    def _move(values: Hashes, moves: Iterator[tuple[int, int, int]]) -> Hashes:
        moved = np.zeros_like(values)
        for low, high, width in moves:
            part = values >> np.uint64(low)
            part &= np.uint64((1 << width) - 1)
            part <<= np.uint64(high)
            moved |= part
        return moved


def _equal_bands(count: int, distance: int) -> int:
    """How many bands must be equal for the least work: choices of them, times sorting and comparing in each."""

    def work(equal: int) -> float:
        bands = distance + equal
        others = count / math.pow(2, _BITS * equal / bands) / 2
        return math.comb(bands, equal) * (4 + others) if equal else others

    return min(range(min(6, _BITS - distance) + 1), key=work)


def _join_runs(order: _Order, values: Hashes, distance: int, joined: _Joined) -> None:
    """Join the near ones within each run of ascending rearranged hashes that begin with the same bits."""
    keys = values >> np.uint64(_BITS - order.key_bits) if order.key_bits else np.zeros_like(values)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    lengths = np.diff(starts, append=len(values))
    for run in np.flatnonzero(lengths > _LONGEST):
        _walk(order.undo(values[starts[run] : starts[run] + lengths[run]]), distance, joined)
    # How many hashes of its run follow a hash; none for those that were walked.
    short = np.where(lengths > _LONGEST, 0, lengths)
    follow = np.repeat(starts + short, lengths) - np.arange(len(values)) - 1
    places = np.flatnonzero(follow > 0)
    step = 1
    while len(places):
        near = places[np.bitwise_count(values[places] ^ values[places + step]) <= distance]
        if len(near):
            joined.add(order.undo(values[near]), order.undo(values[near + step]))
        step += 1
        places = places[follow[places] >= step]


def _walk(run: Hashes, distance: int, joined: _Joined) -> None:
    """Join the near ones of many hashes, each taken out of the rest once it is reached."""
    if joined.are_one(run):
        return
    rest, reached = run, [run[:0]]
    while len(rest):
        if not (reached and len(reached[-1])):
            reached, rest = [rest[:1]], rest[1:]
        one, reached[-1] = reached[-1][:1], reached[-1][1:]
        if not len(reached[-1]):
            reached.pop()
        near = np.bitwise_count(rest ^ one) <= distance
        if near.any():
            found, rest = rest[near], rest[~near]
            joined.add(np.repeat(one, len(found)), found)
            reached.append(found)
