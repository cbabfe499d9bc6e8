"""The steps of a whole batch, laid out for a GPU: one program for all images, with numbers of each image's own.

Numbers that follow from means are left out: they are worked out where the means are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthharm.filters.arguments import Arguments
from synthharm.filters.chain import FilterChain
from synthharm.filters.filter import Filter
from synthharm.filters.fused import steps
from synthharm.filters.fused.lowering import MEANS_KINDS, Row, Step, Steps, alike, lower, split_row
from synthharm.filters.fused.plan import NotCompiled, check_compiled

# Kinds of steps that only a batch has.
NOTHING = 20  # leaves all as it is: the images of a batch have equally many steps
KEEP_BACKGROUND = 21  # the background is what it was before the first step
MEASURE = 22  # and MEASURE + 1: add up all values, for the first or the second filter that needs means

MEASURING, APPLYING, UNDOING = 0, 1, 2  # what a pass is for
ROWS = 8  # of what is added up: three channels for each of these filters; the last is how much all counts

ALIGNMENT = 4  # numbers, 16 bytes: memory is read so many at a time


@dataclass(frozen=True)
class LoweredBatch:
    """What a batch runs, on its device. Running it writes the numbers that follow from means; one run at a time.

    Args:
        chain: the filters.
        inverse: whether it undoes them.
        kinds: (N, S) int32, of the steps.
        numbers: (N, S, 3, NUMBERS) float32: what they take, by channel.
        needing: (M, 3) int32: for each filter whose means are needed its kind of `MEANS_KINDS`, and the steps that
            run and that undo it, -1 where there is none.
        strengths: (N, M) float32: temperature's argument, contrast's factor.
        measures: (M,), the steps that measure, of which each ends a pass; for an inverse the last one does.
        undone: for an inverse, the first step that undoes, and the one after the last; else (0, S).
        places: whether a step goes by positions.
        described: what is run, a line a pass.
    """

    chain: FilterChain
    inverse: bool
    kinds: Tensor
    numbers: Tensor
    needing: Tensor
    strengths: Tensor
    measures: tuple[int, ...]
    undone: tuple[int, int]
    places: bool
    described: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def length(self) -> int:
        """The number of steps S."""
        return self.kinds.shape[1]


def lower_batch(
    chain: FilterChain, arguments: Arguments | Tensor, device: torch.device, *, inverse: bool = False
) -> LoweredBatch:
    """Lay out the steps of a batch. Filters that are neutral for all its images are left out.

    This is the work of the host: a millisecond for some dozens of images. It can be done ahead, while the GPU is
    busy with another batch; arguments that lie on the GPU are waited for.

    Args:
        chain: the filters.
        arguments: (N, K), in the ranges that the filters accept; they count as float32.
        device: where it will run.
        inverse: for undoing the chain.

    Raises:
        NotCompiled: a filter has no compiled form.
        ValueError: an inverse of a filter that has none.

    Example:
        >>> chain = FilterChain(["brightness", "contrast", "shadow"])
        >>> arguments = torch.tensor([[0.1, -0.2, 0.0], [0.0, 0.1, 0.0]])
        >>> lowered = lower_batch(chain, arguments, torch.device("cpu"))
        >>> lowered.kinds.tolist()
        [[0, 22, 0], [20, 22, 0]]
        >>> lowered.described
        ('add up at the input of contrast', 'run brightness, contrast')
    """
    check_compiled(chain)
    values = arguments.values if isinstance(arguments, Arguments) else arguments
    rows = [split_row(chain, row) for row in values.detach().cpu().float().tolist()]
    kept = [i for i, f in enumerate(chain.filters) if any(not _neutral(f, row[i]) for row in rows)]
    means = [i for i in kept if chain.filters[i].needs_means]
    for i in kept if inverse else []:
        _ = chain.filters[i].inverse  # says by name which filter has none
    for i in means:
        if chain.filters[i].name not in MEANS_KINDS:
            raise NotCompiled(f"the means of {chain.filters[i].name!r} have no compiled form on a GPU")
    laid = _Layout(chain, rows, means)
    return laid.backwards(kept, device) if inverse else laid.forwards(kept, device)


class _Layout:
    """Steps as they are laid out, one list of N steps after the other."""

    def __init__(self, chain: FilterChain, rows: Sequence[Sequence[Row]], means: Sequence[int]) -> None:
        self.chain, self.rows, self.means = chain, rows, means
        self.steps: list[list[Step]] = []
        self.measures: list[int] = []
        self.run_at = dict.fromkeys(means, -1)
        self.undone_at = dict.fromkeys(means, -1)

    def forwards(self, kept: Sequence[int], device: torch.device) -> LoweredBatch:
        for i in kept:
            self._forwards(i)
        passes = [f"add up at the input of {self.chain.filters[i].name}" for i in self.means]
        described = (*passes, f"run {self._names(kept)}")
        return self._batch(kept, device, False, (0, len(self.steps)), described)

    def backwards(self, kept: Sequence[int], device: torch.device) -> LoweredBatch:
        for slot in range(len(self.means)):
            self._alike(MEASURE + slot)
        first = len(self.steps)
        for i in reversed(kept):
            self._filter(i, inverse=True)
        undone = (first, len(self.steps))
        described = [f"undo {self._names(kept[::-1])}"]
        if self.means:
            self._alike(KEEP_BACKGROUND)
            for i in kept[: kept.index(self.means[-1]) + 1]:
                self._forwards(i, last=i == self.means[-1])
            described.insert(0, f"solve for the means at the input of {self._names(self.means)}")
        return self._batch(kept, device, True, undone, tuple(described))

    def _forwards(self, i: int, last: bool = False) -> None:
        if i in self.means:
            self.measures.append(len(self.steps))
            self._alike(MEASURE + self.means.index(i))
        if not last:
            self._filter(i, inverse=False)

    def _filter(self, i: int, *, inverse: bool) -> None:
        filter_ = self.chain.filters[i]
        nothing = alike(NOTHING)
        if i in self.means:
            (self.undone_at if inverse else self.run_at)[i] = len(self.steps)
            line = alike(steps.AFFINE)
            self.steps.append([nothing if _neutral(filter_, row[i]) else line for row in self.rows])
            return
        lowered = [lower(filter_, row[i], inverse=inverse) for row in self.rows]
        for k in range(max(map(len, lowered))):
            self.steps.append([made[k] if made else nothing for made in lowered])

    def _alike(self, kind: int) -> None:
        self.steps.append([alike(kind)] * len(self.rows))

    def _names(self, places: Sequence[int]) -> str:
        return ", ".join(self.chain.filters[i].name for i in places) or "nothing"

    def _batch(
        self,
        kept: Sequence[int],
        device: torch.device,
        inverse: bool,
        undone: tuple[int, int],
        described: tuple[str, ...],
    ) -> LoweredBatch:
        images, length, filters = len(self.rows), len(self.steps), self.chain.filters
        made = Steps.of([each[n] for n in range(images) for each in self.steps])
        needing = [(MEANS_KINDS[filters[i].name], self.run_at[i], self.undone_at[i]) for i in self.means]
        strengths = [_strength(filters[i], row[i]) for row in self.rows for i in self.means]
        numbers, kinds, needed, strong = _send(
            device,
            made.numbers.astype(np.float32),
            made.kinds.astype(np.int32),
            np.array(needing, dtype=np.int32),
            np.array(strengths, dtype=np.float32),
        )
        return LoweredBatch(
            self.chain,
            inverse,
            kinds.view(torch.int32).reshape(images, length),
            numbers.reshape(images, length, 3, steps.NUMBERS),
            needed.view(torch.int32).reshape(-1, 3),
            strong.reshape(images, -1),
            tuple(self.measures),
            undone,
            any(filters[i].needs_positions for i in kept),
            described,
        )


def _neutral(filter_: Filter, values: Row) -> bool:
    return all(value == p.neutral for value, p in zip(values, filter_.parameters, strict=True))


def _strength(filter_: Filter, values: Row) -> float:
    """Temperature's argument, or contrast's factor, whose whole steps are those of float32."""
    (x,) = values
    if filter_.name != "contrast":
        return x
    return 255 / (256 - float(np.floor(np.float32(255) * np.float32(x)))) if x > 0 else 1 + x


def _send(device: torch.device, *arrays: NDArray[np.float32] | NDArray[np.int32]) -> list[Tensor]:
    """Arrays of 32-bit numbers as float32 tensors (L,) on a device, by one copy."""
    starts, total = list[int](), 0
    for array in arrays:
        starts.append(total)
        total += -(-array.size // ALIGNMENT) * ALIGNMENT
    buffer = np.zeros(max(total, ALIGNMENT), np.float32)
    for start, array in zip(starts, arrays, strict=True):
        buffer[start : start + array.size] = array.ravel().view(np.float32)
    sent = torch.from_numpy(buffer).to(device, non_blocking=True)
    return [sent[start : start + array.size] for start, array in zip(starts, arrays, strict=True)]
