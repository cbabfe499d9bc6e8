"""Where the draws of live samples come from: a seed for each, the same on any worker and any device."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

_BLOCK = 1024  # words of 8 bytes that are summed up together
_ODD = (-7046029254386353131, -4417276706812531889)  # odd, with their bits well spread over 64


class Clock:
    """Which epoch it is, and how many calls there were before there was any.

    The epoch lies in shared memory: workers see it change, whether they were forked or spawned, and also those
    that live on between epochs. Deep copies are the same clock. A pickled one keeps the epoch, and counts anew.

    Example:
        >>> clock = Clock()
        >>> clock.set(3)
        >>> clock.epoch
        3
    """

    def __init__(self) -> None:
        self._epoch: Tensor = torch.tensor(-1).share_memory_()  # type: ignore[no-untyped-call]
        self._calls = 0

    @property
    def epoch(self) -> int | None:
        """The epoch, or None before any was set."""
        epoch = int(self._epoch)
        return None if epoch < 0 else epoch

    def set(self, epoch: int) -> None:
        """Set the epoch for every process that has this clock."""
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 0:
            raise ValueError(f"the epoch is {epoch!r}; a whole number of 0 or more is accepted")
        self._epoch.fill_(epoch)

    def next_call(self) -> int:
        """Count a call of this process."""
        self._calls += 1
        return self._calls

    def __deepcopy__(self, memo: dict[int, Any]) -> Clock:
        return self

    def __getstate__(self) -> Tensor:
        return self._epoch

    def __setstate__(self, epoch: Tensor) -> None:
        # Nothing changes where the memory came along, as it does to a spawned worker.
        self._epoch = epoch.share_memory_()  # type: ignore[no-untyped-call]
        self._calls = 0


def row_generators(
    seed: int, clock: Clock, images: Tensor, masks: Tensor, index: Sequence[int] | None
) -> list[torch.Generator]:
    """A generator for each row of a batch. What each follows from is said in `RandomComposite`.

    Args:
        seed: of all draws.
        clock: of the epoch.
        images: (N, 3, H, W).
        masks: (N, H, W).
        index: the number of each sample in its dataset, if known.

    Raises:
        ValueError: an index without an epoch.
        RuntimeError: no epoch in a process that another one started.
    """
    places = _places(clock, images, masks, index)
    return [torch.Generator().manual_seed(_hash(f"{seed} {place}")) for place in places]


def _places(clock: Clock, images: Tensor, masks: Tensor, index: Sequence[int] | None) -> list[str]:
    epoch = clock.epoch
    if epoch is None:
        if index is not None:
            raise ValueError("an index is given and no epoch; set_epoch(0) before the first epoch is accepted")
        if get_worker_info() is not None or multiprocessing.parent_process() is not None:
            raise RuntimeError(
                "no epoch is set, and in a worker nothing else tells one epoch from the next; call "
                "set_epoch(number) in the main process before each epoch, or once for draws that stay the same"
            )
        call = clock.next_call()
        return [f"call {call} row {row}" for row in range(len(images))]
    if index is not None:
        return [f"epoch {epoch} index {number}" for number in index]
    size = "x".join(map(str, images.shape[1:]))
    keys = torch.stack([content_keys(images.permute(0, 2, 3, 1)), content_keys(masks)], dim=1).tolist()
    return [f"epoch {epoch} content {size} {image} {mask}" for image, mask in keys]


def content_keys(values: Tensor) -> Tensor:
    """A number for each row (N, ...) that follows from its bytes: (N,) int64, the same on any device.

    Whole numbers that wrap around are summed, so that the order in which a device does it does not matter. Two
    rows that differ share a number about once in 2^64; no shape or type enters it.

    Example:
        >>> content_keys(torch.tensor([[1, 2], [2, 1], [1, 2]])).unique().numel()
        2
    """
    rows = values.contiguous().reshape(len(values), -1).view(torch.uint8)
    blocks = -(-rows.shape[1] // (8 * _BLOCK))
    padded = torch.nn.functional.pad(rows, (0, 8 * _BLOCK * blocks - rows.shape[1]))
    words = padded.view(torch.int64).reshape(len(rows), blocks, _BLOCK)
    sums = _stir(words * _multipliers(_BLOCK, 0, words.device)).sum(dim=2)
    return _stir(sums * _multipliers(blocks, 1, words.device)).sum(dim=1)


def _stir(words: Tensor) -> Tensor:
    return words ^ (words >> 29)  # the upper bits of a product hold what the lower ones do not


@lru_cache(maxsize=16)
def _multipliers(number: int, which: int, device: torch.device) -> Tensor:
    """So many different odd numbers, (number,) int64."""
    counted = torch.arange(1, number + 1, device=device)
    return _stir(_stir(counted * _ODD[which]) * _ODD[1 - which]) | 1


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
