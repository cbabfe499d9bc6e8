"""Methods that are simple enough to know what evaluating them must give, and a small network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.evaluation.methods import Output
from synthharm.filters import FilterChain
from synthharm.harmonizer import Harmonizer, HarmonizerConfig


@dataclass(frozen=True)
class Brighter:
    """Adds so many levels to the foreground, and calls it an argument if it is told to."""

    by: float
    name: str = "brighter"
    column: str | None = None

    def run(
        self, composite: NDArray[np.uint8], mask: NDArray[np.uint8], known: Mapping[str, float] | None
    ) -> Output:
        image = composite.astype(np.float32)
        image[mask > 0] += self.by
        return Output(image, None if self.column is None else {self.column: self.by / 255})


@dataclass(frozen=True)
class Told:
    """Leaves the composite, and answers with the true arguments, which it says are of its chain."""

    chain: FilterChain | None
    name: str = "told"

    def run(
        self, composite: NDArray[np.uint8], mask: NDArray[np.uint8], known: Mapping[str, float] | None
    ) -> Output:
        return Output(composite.astype(np.float32), dict(known or {}), self.chain)


def small_harmonizer() -> Harmonizer:
    """A network of random weights, the same ones every time, that is quick to run."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Harmonizer(HarmonizerConfig("mobilenetv3_small_050", size=64)).eval()
