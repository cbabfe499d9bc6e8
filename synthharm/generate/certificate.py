"""The certificate of a split without leaks: which photos it has, and how anyone can tell that none is in two."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError
from synthharm.files import atomic_file, parse_json
from synthharm.sources import connected, near_groups
from synthharm.writers.forensics import SplicingRecord

METHOD = (
    "Photos are joined where a sample is made of both, or where a perceptual hash of one (phash, upright or"
    " mirrored) differs from one of the other in at most `distance` bits. A component is what is joined directly"
    " or through others. No component is in two splits."
)

Records = Callable[[], Iterator[SplicingRecord]]
Hashes = Mapping[str, tuple[int, int]]


def write_certificate(
    path: Path, records: Records, hashes: Hashes, distance: int, used: Used | None = None
) -> None:
    """Write the certificate of a dataset: JSON, whole or not at all, with a line for each photo that is used.

    It says method and distance; splits: by name, how many photos, components and samples; photos, in the order of
    their sha256: sha256, phash and mirrored (16 hex digits each), split, component (a number from 0, in the order
    of their first photos).

    Args:
        path: of the file.
        records: gives all records, as often as it is called.
        hashes: by sha256, each photo's perceptual hash of 64 bits and its mirror image's.
        distance: bits in which near-duplicates differ at most.
        used: what the records say of photos, where they were gone through before; or None.

    Raises:
        SynthharmError: a photo without hashes, or in two splits, or joined with one of another split.
    """
    used = used or Used.of(records)
    if lacking := sorted(used.numbers.keys() - hashes.keys()):
        raise SynthharmError(f"certificate: photo {lacking[0]} has no hashes, as have {len(lacking)} in all")
    joined = _Joined.of(used, hashes, distance)
    for leak in joined.leaks(records):
        raise SynthharmError(f"certificate: {leak}")
    components = joined.components()
    lines = (
        json.dumps(
            {
                "sha256": photo,
                "phash": f"{hashes[photo][0]:016x}",
                "mirrored": f"{hashes[photo][1]:016x}",
                "split": used.split_of(photo),
                "component": components[photo],
            }
        )
        for photo in sorted(used.numbers)
    )
    head = {"method": METHOD, "distance": distance, "splits": _counts(used, components)}
    with atomic_file(path) as file:
        file.write(json.dumps(head, ensure_ascii=False, indent=1)[:-2].encode() + b',\n "photos": [')
        for number, line in enumerate(lines):
            file.write(b",\n  "[number == 0 :] + line.encode())
        file.write(b"\n ]\n}\n")


def verify_certificate(path: Path, records: Records) -> Iterator[str]:
    """Check a certificate against the records, and give one line per problem; none if there is none.

    The components are found again, from the records and from the hashes that the certificate gives; its own word
    on them is only compared. That a hash is its photo's cannot be told without the photo.
    """
    try:
        stated = _read(path)
        used = Used.of(records)
    except SynthharmError as error:
        yield str(error)
        return
    for photo in sorted(used.numbers.keys() - stated.photos.keys()):
        yield f"{path.name}: photo {photo} of sample {used.sample_of(photo)} is missing"
    for photo in sorted(stated.photos.keys() - used.numbers.keys()):
        yield f"{path.name}: photo {photo} is listed, and no sample uses it"
    joined = _Joined.of(used, {photo: one.hashes for photo, one in stated.photos.items()}, stated.distance)
    yield from joined.leaks(records)
    components = joined.components()
    for photo in sorted(used.numbers.keys() & stated.photos.keys()):
        one = stated.photos[photo]
        if one.split != used.split_of(photo):
            yield (
                f"{path.name}: photo {photo} is listed in {one.split}, and sample {used.sample_of(photo)} has it"
                f" in {used.split_of(photo)}"
            )
        if one.component != components[photo]:
            yield f"{path.name}: photo {photo} is listed in component {one.component}, not {components[photo]}"
    counts = _counts(used, components)
    for split in sorted(counts.keys() | stated.splits.keys()):
        said, found = stated.splits.get(split), counts.get(split)
        if said != found:
            yield f"{path.name}: split {split} is said to have {said}; found {found}"


@dataclass(frozen=True)
class _Listed:
    hashes: tuple[int, int]
    split: str
    component: int


@dataclass(frozen=True)
class _Stated:
    """What a certificate says."""

    distance: int
    splits: dict[str, Any]
    photos: dict[str, _Listed]


def _read(path: Path) -> _Stated:
    """Read a certificate. Raises SynthharmError."""
    try:
        stored = parse_json(path.read_bytes())
        if stored["method"] != METHOD:
            raise ValueError(f"the method is {stored['method']!r}")
        distance, splits, listed = stored["distance"], stored["splits"], stored["photos"]
        if not (type(distance) is int and 0 <= distance < 64 and isinstance(splits, dict)):
            raise ValueError(f"distance {distance!r}, splits {splits!r}")
        photos: dict[str, _Listed] = {}
        for one in listed:
            if one["sha256"] in photos:
                raise ValueError(f"photo {one['sha256']} is listed twice")
            photo, digits = str(one["sha256"]), (one["phash"], one["mirrored"])
            both = (int(digits[0], 16), int(digits[1], 16))
            if digits != tuple(f"{value:016x}" for value in both):
                raise ValueError(f"photo {photo} has hashes {digits}; accepted are 16 hex digits each")
            photos[photo] = _Listed(both, one["split"], one["component"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise SynthharmError(f"{path.name}: is no certificate that can be read: {error!r}") from error
    return _Stated(distance, splits, photos)


@dataclass(frozen=True)
class Used:
    """What the records say of photos: which there are, in which splits, and which a sample is made of together.

    What it holds grows with the photos, not with the samples.
    """

    numbers: dict[str, int] = field(default_factory=dict)  # of photos, by sha256, in the order they come
    splits: dict[str, int] = field(default_factory=dict)  # of splits, by name
    counts: array[int] = field(default_factory=lambda: array("q"))  # of samples, by split
    sample: array[int] = field(default_factory=lambda: array("q"))  # by photo: the first sample with it,
    split: array[int] = field(default_factory=lambda: array("q"))  # that sample's split,
    mixed: array[int] = field(default_factory=lambda: array("b"))  # and whether others have it in another split
    joined: array[int] = field(default_factory=lambda: array("q"))  # an earlier photo that is joined with it

    @classmethod
    def of(cls, records: Records) -> Used:
        """Go through the records once. Raises SynthharmError where one is not as a record is."""
        used = cls()
        for record in records():
            used.add(record)
        return used

    def add(self, record: SplicingRecord) -> None:
        """Take the next record. Raises SynthharmError where it is not as a record is."""
        split = self.splits.setdefault(record.split, len(self.splits))
        if split == len(self.counts):
            self.counts.append(0)
        self.counts[split] += 1
        numbers = [self._number(photo, record.sample, split) for photo in _photos(record)]
        for number in numbers[1:]:
            low, high = sorted((self._root(numbers[0]), self._root(number)))
            self.joined[high] = low

    def split_of(self, photo: str) -> str:
        """The split of the first sample with a photo."""
        return list(self.splits)[self.split[self.numbers[photo]]]

    def sample_of(self, photo: str) -> int:
        """The first sample with a photo."""
        return self.sample[self.numbers[photo]]

    def _number(self, photo: str, sample: int, split: int) -> int:
        number = self.numbers.setdefault(photo, len(self.numbers))
        if number == len(self.sample):
            self.sample.append(sample)
            self.split.append(split)
            self.mixed.append(0)
            self.joined.append(number)
        elif self.split[number] != split:
            self.mixed[number] = 1
        return number

    def _root(self, photo: int) -> int:
        joined = self.joined
        while joined[photo] != photo:
            joined[photo] = joined[joined[photo]]
            photo = joined[photo]
        return photo


def _photos(record: SplicingRecord) -> list[str]:
    """The sha256 of a record's photos, each once."""
    try:
        return list(dict.fromkeys(str(photo["sha256"]) for photo in record.photos))
    except (LookupError, TypeError) as error:
        raise SynthharmError(f"sample {record.sample}: its photos cannot be read: {error!r}") from error


@dataclass(frozen=True)
class _Joined:
    """Which photos belong together, by samples and by hashes."""

    used: Used
    hashes: Hashes
    distance: int
    labels: NDArray[np.int64]  # of photos by number: the component

    @classmethod
    def of(cls, used: Used, hashes: Hashes, distance: int) -> _Joined:
        known, groups = _near(list(used.numbers), hashes, distance)
        count = len(used.numbers)
        first = np.concatenate([np.arange(count), known, known])
        second = np.concatenate([np.array(used.joined, np.int64), count + groups])
        return cls(used, hashes, distance, connected(first, second, count + 2 * len(known))[:count])

    def components(self) -> dict[str, int]:
        """Each photo's component, numbered from 0 in the order of the sha256."""
        numbers: dict[int, int] = {}
        return {
            name: numbers.setdefault(int(self.labels[self.used.numbers[name]]), len(numbers))
            for name in sorted(self.used.numbers)
        }

    def leaks(self, records: Records) -> Iterator[str]:
        """A line for each component that is in two splits; the records are gone through again where one is."""
        splits, mixed = np.array(self.used.split, np.int64), np.array(self.used.mixed, bool)
        _, firsts, places = np.unique(self.labels, return_index=True, return_inverse=True)
        leaking = np.unique(self.labels[mixed | (splits != splits[firsts][places])])
        if len(leaking):
            within = set(leaking.tolist())
            yield from _Graph.of(
                self, lambda photo: int(self.labels[self.used.numbers[photo]]) in within, records
            ).leaks()


def _near(names: list[str], hashes: Hashes, distance: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the names that have hashes, and the groups of these: the upright ones', then the mirrored."""
    known = np.array([number for number, name in enumerate(names) if name in hashes], np.int64)
    pairs = np.array([hashes[names[number]] for number in known], np.uint64).reshape(-1, 2)
    return known, near_groups(pairs.T.ravel(), distance)


@dataclass(frozen=True)
class _Graph:
    """Photos, then samples, then groups of near hashes, as nodes; a photo is joined with what it belongs to.

    Only of what hangs together with a leak, to say where that is.
    """

    names: list[str]  # of photos, by number
    samples: list[int]
    splits: list[str]  # of the samples
    ends: tuple[NDArray[np.int64], NDArray[np.int64]]
    count: int

    @classmethod
    def of(cls, joined: _Joined, wanted: Callable[[str], bool], records: Records) -> _Graph:
        numbers: dict[str, int] = {}
        samples, splits = list[int](), list[str]()
        record_of, photo_of = array("q"), array("q")  # of each use of a photo
        for record in records():
            photos = _photos(record)
            if not photos or not wanted(photos[0]):
                continue
            for photo in photos:
                record_of.append(len(samples))
                photo_of.append(numbers.setdefault(photo, len(numbers)))
            samples.append(record.sample)
            splits.append(record.split)
        names = list(numbers)
        known, groups = _near(names, joined.hashes, joined.distance)
        base = len(names) + len(samples)
        first = np.concatenate([np.array(photo_of, np.int64), known, known])
        second = np.concatenate([np.array(record_of, np.int64) + len(names), base + groups])
        return cls(names, samples, splits, (first, second), base + 2 * len(known))

    def leaks(self) -> Iterator[str]:
        """A line for each component that is in two splits."""
        labels = connected(*self.ends, self.count)[len(self.names) : len(self.names) + len(self.samples)]
        kinds = {split: number for number, split in enumerate(dict.fromkeys(self.splits))}
        splits = np.array([kinds[split] for split in self.splits], np.int64)
        _, firsts, places = np.unique(labels, return_index=True, return_inverse=True)
        others = np.flatnonzero(splits != splits[firsts][places])
        for other in others[np.unique(places[others], return_index=True)[1]].tolist():
            yield self._leak(int(firsts[places[other]]), other)

    def _leak(self, one: int, other: int) -> str:
        """Where the chain that joins two records of different splits goes from one split to another."""
        before, photos, samples, splits = one, [], self.samples, self.splits
        for node in self._chain(one + len(self.names), other + len(self.names)):
            if node < len(self.names):
                photos.append(self.names[node])
            elif node < len(self.names) + len(samples):
                record = node - len(self.names)
                if splits[record] != splits[before]:
                    break
                before, photos = record, []
        joined = "are one photo" if photos[0] == photos[-1] else "are near-duplicates"
        return (
            f"photo {photos[0]} of sample {samples[before]} in {splits[before]} and photo {photos[-1]} of sample"
            f" {samples[record]} in {splits[record]} {joined}: a component is in two splits"
        )

    def _chain(self, start: int, end: int) -> list[int]:
        """The nodes of a shortest way from one node to another that it is joined with."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import breadth_first_order

        graph = coo_array((np.ones(len(self.ends[0]), np.int8), self.ends), shape=(self.count, self.count)).tocsr()
        came_from = breadth_first_order(graph, start, directed=False)[1]
        chain = [end]
        while chain[-1] != start:
            chain.append(int(came_from[chain[-1]]))
        return chain[::-1]


def _counts(used: Used, components: dict[str, int]) -> dict[str, dict[str, int]]:
    """By split: how many photos, components and samples it has."""
    photos = Counter(used.split_of(photo) for photo in used.numbers)
    held = {(used.split_of(photo), component) for photo, component in components.items()}
    parts = Counter(split for split, _ in held)
    return {
        split: {"photos": photos[split], "components": parts[split], "samples": used.counts[number]}
        for split, number in sorted(used.splits.items())
    }
