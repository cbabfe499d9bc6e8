"""A dataset in numbers, from its records: what its card, its attributions and its pictures are made of."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from posixpath import splitext
from typing import Any

from synthharm.files import sha256
from synthharm.writers.forensics.item import Item, Items
from synthharm.writers.forensics.record import KINDS
from synthharm.writers.spread import Spread

PICKS = 3  # samples of each kind that are shown
UNKNOWN = "unknown"


@dataclass(frozen=True)
class PhotoSource:
    """A photo that samples were made from; split is that of the first."""

    sha256: str
    licence: str
    attribution: str
    split: str


@dataclass(frozen=True)
class Overview:
    """What the records of a dataset add up to; its size does not grow with their number.

    Args:
        kinds: samples by split and kind.
        shares: of each manipulated sample, the share of the image that its mask covers.
        sides: images by their longer side in pixels.
        suffixes: images by how their file name ends.
        saves: samples by the step of their last save.
        qualities: samples by JPEG quality of the last save, where it was one by quality.
        lossy: samples by how often their history saved them as JPEG or WebP.
        lengths: samples by the number of steps of their history.
        categories: manipulated regions by category.
        licences: samples by licence.
        photos: the photos by key.
        shared: the photos, by key, whose samples are in more than one split.
        picks: some samples of each kind, the same whenever the dataset is the same.
    """

    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    shares: Spread = field(default_factory=Spread)
    sides: Counter[int] = field(default_factory=Counter)
    suffixes: Counter[str] = field(default_factory=Counter)
    saves: Counter[str] = field(default_factory=Counter)
    qualities: Counter[int] = field(default_factory=Counter)
    lossy: Counter[int] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    photos: dict[str, PhotoSource] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    picks: dict[str, list[Item]] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.kinds.total()

    def of_split(self, split: str) -> int:
        """How many are in a split."""
        return sum(count for (name, _), count in self.kinds.items() if name == split)

    def of_kind(self, kind: str) -> int:
        """How many are of a kind."""
        return sum(count for (_, name), count in self.kinds.items() if name == kind)


def overview(items: Items) -> Overview:
    """Go through a dataset once and add up its records; of each only a few numbers and its photos are kept."""
    adding = Adding()
    for item in items():
        adding.add(item)
    return adding.numbers()


@dataclass
class Adding:
    """An overview while samples are added to it, one after the other."""

    _numbers: Overview = field(default_factory=Overview)
    _picked: dict[str, list[tuple[str, Item]]] = field(default_factory=dict)

    def add(self, item: Item) -> None:
        """Take the next sample."""
        _add(self._numbers, item)
        # By digest the shown samples come from all over the dataset, where neighbours may share their photos.
        rank = sha256(item.record.name.encode())
        picked = self._picked.setdefault(item.record.kind, [])
        if len(picked) < PICKS or rank < picked[-1][0]:
            insort(picked, (rank, item), key=lambda pair: pair[0])
            del picked[PICKS:]

    def numbers(self) -> Overview:
        """What those that were taken add up to."""
        for kind in KINDS:
            if kind in self._picked:
                self._numbers.picks[kind] = [item for _, item in self._picked[kind]]
        return self._numbers


def _add(numbers: Overview, item: Item) -> None:
    record = item.record
    numbers.kinds[record.split, record.kind] += 1
    if record.manipulated:
        numbers.shares.add(record.image["share"])
    numbers.sides[max(record.image["width"], record.image["height"])] += 1
    numbers.suffixes[splitext(record.files["image"]["path"])[1]] += 1
    numbers.lengths[len(record.history)] += 1
    numbers.lossy[sum(step["step"] in ("jpeg", "webp") for step in record.history)] += 1
    save: dict[str, Any] = record.history[-1] if record.history else {"step": UNKNOWN}
    numbers.saves[save["step"]] += 1
    if save["step"] == "jpeg" and save.get("quality") is not None:
        numbers.qualities[save["quality"]] += 1
    numbers.categories.update(region["category"] or UNKNOWN for region in record.regions)
    numbers.licences[record.licence["name"] or UNKNOWN] += 1
    for photo in record.photos:
        key = photo["photo"]
        if key not in numbers.photos:
            licence, attribution = photo["licence"] or UNKNOWN, photo["attribution"] or UNKNOWN
            numbers.photos[key] = PhotoSource(photo["sha256"], licence, attribution, record.split)
        elif numbers.photos[key].split != record.split:
            numbers.shared.add(key)


def attributions(numbers: Overview) -> Iterator[str]:
    """The lines of ATTRIBUTION.md: each photo with its licence and who made it, by key."""
    yield "# Attribution\n"
    yield "\n"
    yield f"The samples were made from {len(numbers.photos)} photos. Each line is one: its name in the\n"
    yield "source, the sha256 of its file, its licence, and whom to name.\n"
    yield "\n"
    for key, photo in sorted(numbers.photos.items()):
        yield f"- {plain(key)} ({photo.sha256}): {plain(photo.licence)}; {plain(photo.attribution)}\n"


def plain(text: str) -> str:
    r"""Text that Markdown shows as it is, in one line, also within a table.

    Example:
        >>> print(plain("a|b\n<c>"))
        a\|b \<c\>
    """
    line = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\`*[]<>|" else sign for sign in line)
