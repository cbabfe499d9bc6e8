"""What training streams give: a sample of a place in it, the same whenever and wherever it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.composites.batches import retouch_batch
from synthharm.errors import SynthharmError, Unusable
from synthharm.evaluation.pairs import Pairs, open_pairs
from synthharm.files import sha256
from synthharm.filters import FilterChain
from synthharm.generate.plan import choose_split, shuffled, stream
from synthharm.generate.sections import draw_limits, draw_strategy, open_source
from synthharm.recipe import LiveStream, StoredStream
from synthharm.sources import Index, Source, load_region
from synthharm.training.augmenting import augment

TURN, RETRY, DRAW, VARY = range(100, 104)  # what a random stream is for, apart from those of datasets
ATTEMPTS = 50  # regions tried for a sample before training stops
HALF = 128  # of a mask's levels: from here on a pixel is foreground


@dataclass(frozen=True)
class Sample:
    """A sample at the network's size S.

    Args:
        real: uint8 RGB (S, S, 3).
        mask: uint8 (S, S), 0 or 255, not empty.
        composite: uint8 RGB (S, S, 3), or None where it is made of the real image on the device.
        arguments: (K,) float32: those that harmonize the composite; NaN where they are not known; those to make a
            composite with where there is none; None where they are drawn on the device as well.
        seed: of what is drawn on the device.
        rejected: what could not be used on the way to it, a sentence each.
    """

    real: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    composite: NDArray[np.uint8] | None
    arguments: NDArray[np.float32] | None
    seed: int
    rejected: tuple[str, ...] = ()


class Samples(Protocol):
    """A stream's samples by their place. Picklable: every worker of a loader has its own."""

    @property
    def regions(self) -> int:
        """How many different regions there are, or about as many."""
        ...

    @property
    def digest(self) -> str:
        """What tells whether they are still the same."""
        ...

    @property
    def rejects(self) -> list[str]:
        """What could not be used when they were listed, a sentence each."""
        ...

    def sample(self, place: int, varied: bool) -> Sample:
        """The sample at a place, 0 and on, augmented if `varied`.

        Raises:
            SynthharmError: no usable one was found.
        """
        ...


@dataclass(frozen=True)
class Kept:
    """What was read, kept up to a number of entries that hold images. The first ones stay.

    Args:
        room: how many.
        images: by number.
        reasons: by number, why there is nothing; they take no room.
    """

    room: int
    images: dict[int, Any] = field(default_factory=dict, repr=False)
    reasons: dict[int, str] = field(default_factory=dict, repr=False)

    @classmethod
    def within(cls, megabytes: int, size: int) -> Kept:
        """Room for entries of up to 7 bytes for each of size x size pixels."""
        return cls(megabytes * 2**20 // (7 * size**2))

    def get(self, number: int, load: Callable[[int], Any]) -> Any:
        """What is loaded for a number, images or a text that says why there are none; loaded where not kept."""
        if number in self.images:
            return self.images[number]
        found = self.reasons[number] if number in self.reasons else load(number)
        if isinstance(found, str):
            self.reasons[number] = found
        elif len(self.images) < self.room:
            self.images[number] = found
        return found


@dataclass(frozen=True)
class LiveSamples:
    """Composites of a source's regions, made as they are asked for.

    The places go through all regions in a shuffled order, then through another one.

    Args:
        stream: the recipe's section.
        index: the source's regions, on disk.
        chain: the network's.
        size: S.
        seed: of all draws.
        kept: photos and masks that were read.
    """

    stream: LiveStream
    index: Index
    chain: FilterChain
    size: int
    seed: int
    kept: Kept

    @cached_property
    def source(self) -> Source:
        """Where photos are read from."""
        return open_source(self.stream)

    @property
    def regions(self) -> int:
        """Of the part in use, by its share."""
        return max(1, round(self.index.regions * self._share))

    @property
    def digest(self) -> str:
        """See `Samples`."""
        return self.index.digest

    @property
    def rejects(self) -> list[str]:
        """See `Samples`."""
        return [f"{reject.name}: {reject.reason}: {reject.detail}" for reject in self.index.rejects]

    @property
    def _share(self) -> float:
        held = self.stream.held_out
        return {"train": 1 - held, "held out": held, "all": 1.0}[self.stream.part]

    def sample(self, place: int, varied: bool) -> Sample:
        """See `Samples`."""
        rejected: list[str] = []
        for attempt in range(round(ATTEMPTS / self._share)):
            number = self._region(place, attempt)
            found = self._read(number)
            if isinstance(found, str):
                rejected += [found] if found else []
                continue
            real, mask = found
            if varied:
                random = stream(self.seed, VARY, place, attempt)
                real, mask = augment((real, mask), self.stream.augmentation, random)
            seed = int(stream(self.seed, DRAW, place, attempt).integers(2**63))
            return replace(self._composed(real, mask, seed), rejected=tuple(rejected))
        last = f"; the last: {rejected[-1]}" if rejected else ""
        raise SynthharmError(
            f"{self.stream.data}: no region tried is in the part {self.stream.part!r} and can be used{last}"
        )

    def _region(self, place: int, attempt: int) -> int:
        regions = self.index.regions
        if attempt:
            return int(stream(self.seed, RETRY, place, attempt).integers(regions))
        return int(shuffled(self.seed, TURN, place // regions, regions)[place % regions])

    def _read(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | str:
        """A region's photo and mask at size S, or why there is none; an empty text for another part's."""
        found: tuple[NDArray[np.uint8], NDArray[np.uint8]] | str = self.kept.get(number, self._load)
        return found

    def _load(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | str:
        try:
            photo, mask = load_region(self.source, self.index, number, soft=False)
        except Unusable as error:
            return str(error)
        held = self.stream.held_out
        if self.stream.part != "all":
            parts = {"train": 1 - held, "held out": held}
            # Not of the seed: what is held out of one training is held out of all.
            if choose_split(parts, self.stream.fold, photo.sha256) != self.stream.part:
                return ""
        small = _at_size(photo.pixels, self.size), _mask_at_size(mask, self.size)
        return small if small[1].any() else f"{photo.key}: region {number}: nothing is left of it at {self.size}"

    def _composed(self, real: NDArray[np.uint8], mask: NDArray[np.uint8], seed: int) -> Sample:
        generator = torch.Generator().manual_seed(seed)
        if self.stream.inverse == "published":
            return Sample(real, mask, None, uniform_offsets(self.chain, generator), seed)
        if self.stream.made == "on the device":
            return Sample(real, mask, None, None, seed)
        section = self.stream.draw
        made = retouch_batch(
            torch.from_numpy(real).permute(2, 0, 1)[None],
            torch.from_numpy(mask)[None],
            self.chain,
            [generator],
            draw_limits(section, 255),
            draw_strategy(section),
        )
        composite = np.ascontiguousarray(made.composites[0].permute(1, 2, 0).numpy())
        return Sample(real, mask, composite, made.arguments[0].numpy(), seed)


@dataclass(frozen=True)
class StoredSamples:
    """Composites that lie on disk with their real images.

    Args:
        stream: the recipe's section.
        pairs: what is there.
        chain: the network's.
        size: S.
        seed: of the order, and of how samples are varied.
        kept: pairs that were read.
    """

    stream: StoredStream
    pairs: Pairs
    chain: FilterChain
    size: int
    seed: int
    kept: Kept

    @property
    def regions(self) -> int:
        """How many pairs there are."""
        return len(self.pairs)

    @property
    def digest(self) -> str:
        """See `Samples`."""
        return sha256("\n".join(self.pairs.names).encode())

    @property
    def rejects(self) -> list[str]:
        """None: pairs are read when they are asked for."""
        return []

    def sample(self, place: int, varied: bool) -> Sample:
        """See `Samples`."""
        rejected: list[str] = []
        for attempt in range(ATTEMPTS):
            found = self.kept.get(self._number(place, attempt), self._load)
            if isinstance(found, str):
                rejected.append(found)
                continue
            images, arguments = found
            if varied:
                images = augment(images, self.stream.augmentation, stream(self.seed, VARY, place, attempt))
            real, mask, composite = images
            return Sample(real, mask, composite, arguments, 0, tuple(rejected))
        raise SynthharmError(
            f"{self.stream.data}: none of {ATTEMPTS} pairs tried can be used; the last: {rejected[-1]}"
        )

    def _load(self, number: int) -> tuple[tuple[NDArray[np.uint8], ...], NDArray[np.float32]] | str:
        """A pair's real image, mask and composite at size S with its arguments, or why there is none."""
        try:
            pair = self.pairs[number]
        except Unusable as error:
            return str(error)
        if pair.real is None:
            raise SynthharmError(f"{self.stream.data}: {pair.name} has no real image to train towards")
        mask = _mask_at_size(np.where(pair.mask >= HALF, 255, 0).astype(np.uint8), self.size)
        if not mask.any():
            return f"{pair.name}: nothing is left of its region at {self.size}"
        images = (_at_size(pair.real, self.size), mask, _at_size(pair.composite, self.size))
        return images, self._arguments(pair.chain, pair.arguments)

    def _number(self, place: int, attempt: int) -> int:
        count = len(self.pairs)
        if attempt:
            return int(stream(self.seed, RETRY, place, attempt).integers(count))
        return int(shuffled(self.seed, TURN, place // count, count)[place % count])

    def _arguments(self, chain: FilterChain | None, known: dict[str, float] | None) -> NDArray[np.float32]:
        """The true arguments where they are of the network's chain and hold for the resized image, else NaN.

        Filters that go by positions see others once an image is squashed, turned or mirrored.
        """
        same = (
            known is not None
            and chain is not None
            and not chain.needs_positions
            and chain.columns == self.chain.columns
            and chain.statistics == self.chain.statistics
        )
        columns = self.chain.columns
        values = [known[c] for c in columns] if same and known is not None else [np.nan] * len(columns)
        return np.array(values, dtype=np.float32)


def uniform_offsets(chain: FilterChain, generator: torch.Generator) -> NDArray[np.float32]:
    """Arguments (K,) uniform in the chain's spans, whatever they cost: the published draws."""
    spans = torch.tensor(
        [chain.spans.get(c, p.span) for c, p in zip(chain.columns, chain.parameters, strict=True)]
    )
    neutral = torch.tensor([p.neutral for p in chain.parameters])
    drawn: NDArray[Any] = (neutral + spans * (2 * torch.rand(len(spans), generator=generator) - 1)).numpy()
    return drawn


def open_stored(section: StoredStream, chain: FilterChain, size: int, seed: int, cache: int) -> StoredSamples:
    """The samples of a stored stream.

    Raises:
        SynthharmError: nothing that could be read is there.
    """
    pairs = open_pairs(Path(section.data), section.split)
    if not len(pairs):
        raise SynthharmError(f"{section.data}: no pair is in the split {section.split!r}")
    return StoredSamples(section, pairs, chain, size, seed, Kept.within(cache, size))


def _at_size(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resized as the network resizes what it harmonizes: bilinear, without smoothing."""
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def _mask_at_size(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.where(_at_size(mask, size) >= HALF, 255, 0).astype(np.uint8)
