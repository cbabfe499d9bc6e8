"""Programs: a chain with its arguments as steps, forwards and backwards, of which some wait for the means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthharm.filters.chain import FilterChain
from synthharm.filters.fused import solver
from synthharm.filters.fused.lowering import MEANS_KINDS, Step, Steps, lower, split_row
from synthharm.filters.fused.scene import NOTHING, Entries, Floats
from synthharm.filters.fused.soft_edges import solve_edges


@dataclass(frozen=True)
class Program:
    """The steps of a chain with one row of arguments.

    The numbers of the steps that depend on means are written by `read_means` and `solve_means`.

    Args:
        chain: the filters.
        forward: the steps that harmonize.
        starts: (F + 1,), where in them each filter begins; the last is their number.
        undo: the steps that undo the filters, the last filter first.
        undo_starts: (F + 1,), where in them the filters from i on are undone; the first is their number.
        lines: (L, 4) of `solver.write_lines`: the steps that depend on means.
        arguments: (L,), the arguments of their filters.
    """

    chain: FilterChain
    forward: Steps
    starts: tuple[int, ...]
    undo: Steps
    undo_starts: tuple[int, ...]
    lines: NDArray[np.int64]
    arguments: Floats

    @classmethod
    def of(cls, chain: FilterChain, values: Sequence[float]) -> Program:
        """The program of a chain for arguments (K,)."""
        rows, filters, places = split_row(chain, values), chain.filters, needing(chain)
        lines, arguments = list[tuple[int, ...]](), list[float]()

        def add(made: list[Step], owners: list[str], i: int, *, inverse: bool) -> None:
            steps = lower(filters[i], rows[i], inverse=inverse)
            if steps and filters[i].needs_means:
                lines.append((int(inverse), len(made), MEANS_KINDS[filters[i].name], places.index(i)))
                arguments.append(rows[i][0])
            made += steps
            owners += [filters[i].name] * len(steps)

        forward, starts, forward_owners = list[Step](), list[int](), list[str]()
        for i in range(len(filters)):
            starts.append(len(forward))
            add(forward, forward_owners, i, inverse=False)
        undo, undo_starts, undo_owners = list[Step](), [0], list[str]()
        for i in reversed(range(len(filters))):
            add(undo, undo_owners, i, inverse=True)
            undo_starts.append(len(undo))
        return cls(
            chain,
            Steps.of(forward, forward_owners),
            (*starts, len(forward)),
            Steps.of(undo, undo_owners),
            tuple(reversed(undo_starts)),
            np.array(lines, dtype=np.int64).reshape(-1, 4),
            np.array(arguments, dtype=np.float64),
        )

    @property
    def split(self) -> int:
        """The first filter that, with all behind it, is undone without knowing any means."""
        return (needing(self.chain) or [-1])[-1] + 1

    @property
    def cuts(self) -> NDArray[np.int64]:
        """After how many forward steps the means are taken."""
        return np.array([self.starts[i] for i in needing(self.chain)], dtype=np.int64)

    def undoing(self, first: int, end: int) -> Steps:
        """The steps that undo the filters from `first` to before `end`."""
        return self.undo.part(self.undo_starts[end], self.undo_starts[first])


@dataclass(frozen=True)
class Edges:
    """The soft edges of a region, where a composite blends with what the chain makes of it.

    Args:
        composite: (3, P), written as it is found.
        targets: (3, P), the real image.
        alphas: (P,), the mask, strictly between 0 and 1.
        positions: (2, P).
        weights: (3, P), how much each pixel counts.
    """

    composite: Floats = field(default_factory=lambda: np.zeros((3, 0)))
    targets: Floats = field(default_factory=lambda: np.zeros((3, 0)))
    alphas: Floats = field(default_factory=lambda: np.zeros(0))
    positions: Floats = field(default_factory=lambda: np.zeros((2, 0)))
    weights: Floats = field(default_factory=lambda: np.zeros((3, 0)))

    @property
    def given(self) -> tuple[Any, ...] | None:
        """All of it, as compiled functions take it; None if there are none."""
        if not len(self.alphas):
            return None
        entries = Entries(self.composite, self.weights, 0.0, self.positions)
        return self.composite, self.targets, self.alphas, self.positions, entries.given

    def solve(self, program: Program) -> Floats:
        """Find the composite for a program whose means are known; how far off (P,) the nearest found is."""
        forward = program.forward
        off: Floats = np.asarray(
            solve_edges(self.composite, self.targets, self.alphas, self.positions, forward.kinds, forward.numbers)
        )
        return off


@dataclass(frozen=True)
class Population:
    """Everything that counts in the means.

    Args:
        region: the foreground, but for its soft edges.
        rest: the background; no entries where the statistics are the foreground's.
        edges: the soft edges.
    """

    region: Entries
    rest: Entries = NOTHING
    edges: Edges = field(default_factory=Edges)

    @property
    def weight(self) -> Floats:
        """How much all counts, by channel (3,); above 0."""
        total: Floats = self.region.total + self.rest.total + self.edges.weights.sum(axis=1)
        return np.maximum(total, 1e-30)


def needing(chain: FilterChain) -> list[int]:
    """The positions of the filters that need means."""
    return [i for i, f in enumerate(chain.filters) if f.needs_means]


def read_means(program: Program, population: Population) -> None:
    """Read the means off a composite as it runs through the chain, and write the steps that depend on them."""
    solver.read(
        population.region.given,
        population.rest.given,
        program.undo.numbers,
        program.forward.kinds,
        program.forward.numbers,
        program.lines,
        program.arguments,
        program.cuts,
        population.weight,
    )


def solve_means(program: Program, population: Population, undone_from: int, start: Floats) -> bool:
    """Find the means at which the composite that follows from them has just these, and write the steps of them.

    Args:
        program: the chain's.
        population: the real region as it is with the filters from `undone_from` on undone, and the background.
        undone_from: the first filter that is undone already.
        start: (3,), about the means.

    Returns:
        Whether they were found.
    """
    if not len(program.cuts):
        return True
    solved: bool = solver.solve(
        np.tile(start, len(program.cuts)),
        population.region.given,
        population.edges.given,
        population.rest.given,
        program.undo.kinds,
        program.undo.numbers,
        program.undo_starts[undone_from],
        program.forward.kinds,
        program.forward.numbers,
        program.lines,
        program.arguments,
        program.cuts,
        population.weight,
    )
    return solved
