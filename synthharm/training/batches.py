"""Batches: which samples are in the batch of a step, and what becomes of them on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from synthharm.composites.batches import retouch_batch
from synthharm.errors import SynthharmError
from synthharm.filters import FilterChain
from synthharm.filters.inversion import split_arguments
from synthharm.generate.sections import draw_limits, draw_strategy, open_source, selection
from synthharm.recipe import LiveStream, StoredStream
from synthharm.sources import Index, build_index
from synthharm.training.samples import Kept, LiveSamples, Sample, Samples, StoredSamples, open_stored


@dataclass(frozen=True)
class Batch:
    """A batch on its device.

    Args:
        composites: (N, 3, S, S) float32 in [0, 1].
        masks: (N, 1, S, S) float32, 0 or 1.
        reals: (N, 3, S, S).
        arguments: (N, K), those that lead from composites to reals; NaN in rows where they are not known.
        targets: (N, F, 3, S, S), what the image is after each of the F filters; of rows without arguments only the
            last one is known, which is the real image, and the others repeat it.
        known: (N,) bool, the rows whose arguments are known.
    """

    composites: Tensor
    masks: Tensor
    reals: Tensor
    arguments: Tensor
    targets: Tensor
    known: Tensor


@dataclass(frozen=True)
class Part:
    """One stream's share of a batch, as a loader gives it: uint8 tensors (N, ...), and None where not made yet."""

    reals: Tensor
    masks: Tensor
    composites: Tensor | None
    arguments: Tensor | None
    seeds: tuple[int, ...]
    rejected: tuple[str, ...]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Part:
        """Put samples of one stream together."""
        first = samples[0]
        return cls(
            torch.stack([torch.from_numpy(s.real).permute(2, 0, 1) for s in samples]),
            torch.stack([torch.from_numpy(s.mask)[None] for s in samples]),
            None
            if first.composite is None
            else torch.stack([torch.from_numpy(s.composite).permute(2, 0, 1) for s in samples]),
            None if first.arguments is None else torch.stack([torch.from_numpy(s.arguments) for s in samples]),
            tuple(s.seed for s in samples),
            tuple(text for s in samples for text in s.rejected),
        )

    def pin_memory(self) -> Part:
        """The same in pinned memory, from where a device copies faster."""
        composites = None if self.composites is None else self.composites.pin_memory()
        arguments = None if self.arguments is None else self.arguments.pin_memory()
        return Part(
            self.reals.pin_memory(), self.masks.pin_memory(), composites, arguments, self.seeds, self.rejected
        )


class Steps(Dataset[dict[str, Part]]):
    """The batch of each step, by its number, the same in any worker: `steps[step]` is a part by stream.

    Args:
        streams: by name, the samples and how many of them a batch has.
        rank: of this process.
        world: how many processes share a batch.
    """

    def __init__(self, streams: Mapping[str, tuple[Samples, int]], rank: int = 0, world: int = 1) -> None:
        self.streams = dict(streams)
        self.rank, self.world = rank, world

    def __getitem__(self, step: int) -> dict[str, Part]:
        return {
            name: Part.of(
                [samples.sample(step * count + row, True) for row in range(self.rank, count, self.world)]
            )
            for name, (samples, count) in self.streams.items()
        }


def open_samples(
    section: LiveStream | StoredStream, folder: Path, chain: FilterChain, size: int, seed: int, cache: int
) -> LiveSamples | StoredSamples:
    """A stream's samples; a live one's index is written into a folder.

    Raises:
        SynthharmError: its data cannot be read, or holds nothing that can be used.
    """
    if isinstance(section, StoredStream):
        return open_stored(section, chain, size, seed, cache)
    own = FilterChain(chain.filters, chain.statistics, section.spans)
    index = build_index(open_source(section), folder, select=selection(section))
    check_regions(section, index)
    return LiveSamples(section, index, own, size, seed, Kept.within(cache, size))


def finish_part(part: Part, section: LiveStream | StoredStream, chain: FilterChain, device: torch.device) -> Batch:
    """Move a stream's part to the device, and make there what is not made yet."""
    own = FilterChain(chain.filters, chain.statistics, section.spans) if isinstance(section, LiveStream) else chain
    reals, masks = (t.to(device, non_blocking=True).float() / 255 for t in (part.reals, part.masks))
    arguments = None if part.arguments is None else part.arguments.to(device, non_blocking=True)
    with torch.no_grad():
        if part.composites is not None and arguments is not None:
            composites = part.composites.to(device, non_blocking=True).float() / 255
            return _with_targets(composites, masks, reals, arguments, own)
        if arguments is not None:
            return published_way(reals, masks, arguments, own)
        assert isinstance(section, LiveStream)
        made = retouch_batch(
            reals,
            masks[:, 0],
            own,
            [torch.Generator().manual_seed(seed) for seed in part.seeds],
            draw_limits(section.draw, 255),
            draw_strategy(section.draw),
        )
        return _with_targets((made.composites * 255).round() / 255, masks, reals, made.arguments, own)


def _with_targets(
    composites: Tensor, masks: Tensor, reals: Tensor, arguments: Tensor, chain: FilterChain
) -> Batch:
    known = ~arguments.isnan().any(dim=1)
    targets = reals[:, None].repeat(1, len(chain.filters), 1, 1, 1)
    if known.any():
        rows = chain.steps(composites[known], masks[known], arguments[known])
        targets[known] = torch.stack(list(rows), dim=1)
        targets[known, -1] = reals[known]  # what rounding took is to be learnt too
    return Batch(composites, masks, reals, arguments, targets, known)


def published_way(reals: Tensor, masks: Tensor, arguments: Tensor, chain: FilterChain) -> Batch:
    """Composites as the published trainer makes them: the filters themselves, in reverse order, and no inverses.

    The images on the way are the targets, and the arguments with their signs turned are taken for the answer,
    which they are not (see filters that clip, or depend on means).

    Args:
        reals: (N, 3, S, S) in [0, 1].
        masks: (N, 1, S, S).
        arguments: (N, K), of the filters that are run.
        chain: the filters.
    """
    backwards = FilterChain(tuple(reversed(chain.filters)), chain.statistics)
    by_filter = split_arguments(chain.filters, arguments)
    flipped = torch.cat([a.reshape(len(a), -1) for a in reversed(by_filter)], dim=1)
    images = [reals, *backwards.steps(reals, masks, flipped)]
    neutral = torch.tensor([p.neutral for p in chain.parameters], device=reals.device)
    answer = 2 * neutral - arguments
    targets = torch.stack(images[-2::-1], dim=1)
    return Batch(
        images[-1], masks, reals, answer, targets, torch.ones(len(reals), dtype=torch.bool, device=reals.device)
    )


def join(batches: Sequence[Batch]) -> Batch:
    """One batch of several."""
    if len(batches) == 1:
        return batches[0]
    columns: Any = zip(
        *((b.composites, b.masks, b.reals, b.arguments, b.targets, b.known) for b in batches), strict=True
    )
    return Batch(*(torch.cat(parts) for parts in columns))


def check_regions(section: LiveStream, index: Index) -> None:
    """Refuse a source without regions. Raises SynthharmError."""
    if not index.regions:
        left_out = ", ".join(f"{count} by {what}" for what, count in index.excluded.items()) or "none"
        raise SynthharmError(
            f"{section.data}: has no region that is selected; left out: {left_out}; rejected: {len(index.rejects)}"
        )
