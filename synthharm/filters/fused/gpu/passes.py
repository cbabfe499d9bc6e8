"""The passes of a compiled chain over one batch on a GPU, in their order. Importing this takes Triton."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synthharm.filters.fused.gpu import kernels
from synthharm.filters.fused.gpu.lowering import APPLYING, MEASURING, ROWS, UNDOING, LoweredBatch

BLOCK = 512  # pixels that one program of a kernel goes through
WARPS = 4  # that share them
COARSE_BLOCKS = 128  # of an image, on which its means are solved for first
COARSE_STEPS, COARSE_TOLERANCE = 6, 1e-5
STEPS = 5  # over all pixels, before the host asks whether the means are found; two to four are usual
TOLERANCES = (2e-7, 2e-7, 4e-7, 1e-6)  # of the means, each time; sums of float32 values round by about the first


@dataclass(frozen=True)
class Solve:
    """How far the means of a batch are known.

    Args:
        means: (N, ROWS) float64.
        done: (N,) int32: whether they are found.
        values: (N, ROWS) float64: by how much those measured last missed them; like the next two of no size where
            means are only read.
        moves: (N, ROWS) float64: how they were changed since.
        inverses: (N, ROWS, ROWS) float64: the inverse Jacobian as far as it is known.
    """

    means: Tensor
    done: Tensor
    values: Tensor
    moves: Tensor
    inverses: Tensor

    @classmethod
    def of(cls, images: int, device: torch.device, *, inverse: bool) -> Solve:
        """Nothing is known: the first step will be that of a fixed-point iteration.

        All are zero at first, as images whose means are found at once are read along with the others.
        """
        solved = images if inverse else 0
        means, values, moves = (
            torch.zeros(count, ROWS, dtype=torch.float64, device=device) for count in (images, solved, solved)
        )
        inverses = -torch.eye(ROWS, dtype=torch.float64, device=device).expand(solved, -1, -1).contiguous()
        return cls(means, torch.zeros(images, dtype=torch.int32, device=device), values, moves, inverses)


@dataclass(frozen=True)
class Passes:
    """One batch, and what its passes hand on to one another.

    Args:
        lowered: what is run.
        images: (N, 3, H, W), contiguous, float32 or uint8.
        masks: (N, 1, H, W), likewise.
        written: as the images: what comes out.
        recoverable: (N, 1, H, W) uint8, of an inverse; else of no size.
        soft: (N, blocks) int32: whether a block has soft edges, of an inverse; else of no size.
        partials: (N, ROWS, blocks) float32: what a block adds up to.
        boxes: (N, 4) float32: see `region_boxes`; of no size where no step goes by positions.
        solve: the means.
        foreground: whether these are of the foreground.
    """

    lowered: LoweredBatch
    images: Tensor
    masks: Tensor
    written: Tensor
    recoverable: Tensor
    soft: Tensor
    partials: Tensor
    boxes: Tensor
    solve: Solve
    foreground: bool

    @classmethod
    def of(cls, lowered: LoweredBatch, images: Tensor, masks: Tensor) -> Passes:
        """Make room for what passes write."""
        count, pixels = len(images), images.shape[2] * images.shape[3]
        blocks = -(-pixels // BLOCK)
        undone = lowered.inverse
        return cls(
            lowered,
            images,
            masks,
            torch.empty_like(images),
            torch.empty(masks.shape if undone else (0,), dtype=torch.uint8, device=images.device),
            torch.empty((count, blocks) if undone else (0,), dtype=torch.int32, device=images.device),
            torch.zeros((count, ROWS, blocks), device=images.device),
            region_boxes(masks) if lowered.places else torch.empty(0, 4, device=images.device),
            Solve.of(count, images.device, inverse=undone),
            lowered.chain.statistics == "foreground",
        )

    @property
    def blocks(self) -> int:
        """Of an image."""
        return self.partials.shape[2]

    def apply(self) -> None:
        """Harmonize."""
        for slot, end in enumerate(self.lowered.measures):
            self._measure(0, end + 1, slot, 1)
            self._take_means(slot, 1)
        self._write(APPLYING)

    def undo(self) -> tuple[bool, list[int]]:
        """Undo; whether there were soft edges, which are not undone, and the images whose means were not found."""
        stride = max(1, self.blocks // COARSE_BLOCKS)
        solved_for = len(self.lowered.measures)
        if solved_for:
            self._measure(0, solved_for, 0, stride)
            self._take_means(-1, stride)
            for step in range(COARSE_STEPS if stride > 1 else 0):
                self._correct(COARSE_TOLERANCE, stride, secant=step > 0)
            self.solve.done.zero_()
        for turn, tolerance in enumerate(TOLERANCES):
            for step in range(STEPS if solved_for else 0):
                self._correct(tolerance, 1, secant=turn + step > 0)
            self._write(UNDOING)  # before it is known to be the last time: the host then waits less
            done, soft = torch.stack([self.solve.done, self.soft.amax(dim=1)]).tolist()
            unsolved = [image for image, found in enumerate(done) if solved_for and not found]
            if any(soft) or not unsolved:
                break
        return any(soft), unsolved

    def _correct(self, tolerance: float, stride: int, *, secant: bool) -> None:
        """Measure what the means as they are lead to, and improve them."""
        self._measure(len(self.lowered.measures), self.lowered.length, 0, stride)
        solve, lowered = self.solve, self.lowered
        kernels.improve_means[(len(self.images),)](
            self.partials,
            solve.means,
            solve.values,
            solve.moves,
            solve.inverses,
            solve.done,
            lowered.numbers,
            lowered.needing,
            lowered.strengths,
            self.blocks // stride,
            lowered.length,
            tolerance,
            SECANT=secant,
            COUNT=len(lowered.measures),
            enable_fp_fusion=True,
        )

    def _take_means(self, slot: int, stride: int) -> None:
        """Take the means of a slot, or of all for -1, as they were measured."""
        lowered = self.lowered
        kernels.take_means[(len(self.images),)](
            self.partials,
            self.solve.means,
            lowered.numbers,
            lowered.needing,
            lowered.strengths,
            self.blocks // stride,
            lowered.length,
            slot,
            COUNT=len(lowered.measures),
            enable_fp_fusion=True,
        )

    def _measure(self, first: int, last: int, least: int, stride: int) -> None:
        self._run(MEASURING, first, last, least, stride)

    def _write(self, task: int) -> None:
        self._run(task, *self.lowered.undone, 0, 1)

    def _run(self, task: int, first: int, last: int, least: int, stride: int) -> None:
        height, width = self.images.shape[2:]
        blocks = self.blocks // stride
        kernels.run_chain[(blocks, len(self.images))](
            self.images,
            self.masks,
            self.written,
            self.recoverable,
            self.soft,
            self.partials,
            self.solve.done,
            self.boxes,
            self.lowered.kinds,
            self.lowered.numbers,
            height * width,
            width,
            first,
            last,
            least,
            self.lowered.length,
            blocks,
            stride,
            TASK=task,
            LEVELS=self.images.dtype == torch.uint8,
            FOREGROUND=self.foreground,
            PLACES=self.lowered.places,
            MASKED=task != MEASURING or self.lowered.inverse or self.lowered.places or self.foreground,
            BLOCK=BLOCK,
            num_warps=WARPS,
            enable_fp_fusion=True,
        )


def region_boxes(masks: Tensor) -> Tensor:
    """Column and row of the middle of each mask's region, 1 over half its longer side, and 0; 0 for empty masks.

    Args:
        masks: (N, 1, H, W), above 0 in the region.

    Returns:
        (N, 4) float32, on the masks' device.

    Example:
        >>> region_boxes(torch.tensor([0, 1, 1, 1]).reshape(1, 1, 1, 4))
        tensor([[2.0000, 0.0000, 0.6667, 0.0000]])
    """
    inside = masks[:, 0] > 0
    middles, halves = [], []
    for across in (1, 2):
        covered = inside.any(dim=across)
        places = torch.arange(covered.shape[1], dtype=torch.float32, device=masks.device)
        first = torch.where(covered, places, torch.inf).amin(dim=1)
        last = torch.where(covered, places, -torch.inf).amax(dim=1)
        middles.append((first + last) / 2)
        halves.append((last - first + 1) / 2)
    half = torch.maximum(*halves)
    return torch.stack([*middles, 1 / half, torch.zeros_like(half)], dim=1).nan_to_num(0, 0, 0)
