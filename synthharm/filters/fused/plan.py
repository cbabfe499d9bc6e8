"""Plans: everything about one sample that can be worked out before its pixels are gone through.

A plan is made from a scene and arguments: the means first (from histograms where they suffice), then the stages of
one pass over the region.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.filters.chain import FilterChain
from synthharm.filters.checks import check_values
from synthharm.filters.fused import passes
from synthharm.filters.fused.lowering import has_steps
from synthharm.filters.fused.program import Edges, Population, Program, needing, read_means, solve_means
from synthharm.filters.fused.scene import NOTHING, Entries, Floats, Image, Scene
from synthharm.filters.fused.stages import EDGE_TOLERANCE, FEWEST_FOR_TABLES, Stages


class NotCompiled(Exception):
    """A chain or a solve that has no compiled form; says which and why."""


@dataclass(frozen=True)
class Undone:
    """The region of a composite as it was found.

    Args:
        values: (3, P) in [0, 1], in row order, not rounded.
        recoverable: (P,) bool.
        described: what was run, a line a stage.
    """

    values: NDArray[np.floating]
    recoverable: NDArray[np.bool_]
    described: tuple[str, ...]


def why_not_compiled(chain: FilterChain) -> str | None:
    """Why a chain cannot be compiled, or None if it can.

    Example:
        >>> why_not_compiled(FilterChain.paper()) is None
        True
    """
    for filter_ in chain.filters:
        if not has_steps(filter_):
            return f"the filter {filter_.name!r} has no compiled form"
    return None


def check_compiled(chain: FilterChain) -> None:
    """Raise NotCompiled if a chain has no compiled form."""
    if reason := why_not_compiled(chain):
        raise NotCompiled(reason)


def check_row(chain: FilterChain, values: Sequence[float]) -> None:
    """Refuse another number of arguments than a chain takes, or values that its filters do not accept."""
    if len(values) != len(chain.columns):
        raise ValueError(f"{len(values)} arguments; {len(chain.columns)} are accepted: {', '.join(chain.columns)}")
    check_values(torch.tensor([list(values)], dtype=torch.float64), chain.columns, chain.parameters)


def pixelwise(chain: FilterChain, undone_from: int = 0) -> tuple[bool, bool]:
    """Whether the region and the background enter the means pixel by pixel, or by histograms.

    Args:
        chain: the filters.
        undone_from: for an inverse, the first filter that is undone before pixels are counted.
    """
    last = (needing(chain) or [-1])[-1]
    before = chain.filters[: max(last, undone_from)]
    region = any(f.mixes_channels or f.needs_positions for f in before)
    return region, any(f.mixes_channels for f in chain.filters[: max(last, 0)])


def population(
    chain: FilterChain, scene: Scene, region: Entries | None = None, edges: Edges | None = None
) -> Population:
    """What counts in a chain's means, the region and its soft edges as given, or all as it is in the scene."""
    inside, outside = pixelwise(chain)
    by_mask = chain.statistics == "foreground"
    if region is None and not (inside or outside or by_mask):
        return Population(scene.everything())
    if region is None:
        region = scene.foreground(pixelwise=inside, weighted=by_mask, positions=chain.needs_positions)
    rest = NOTHING if by_mask else scene.background(pixelwise=outside)
    return Population(region, rest, Edges() if edges is None else edges)


def apply_region(chain: FilterChain, scene: Scene, values: Sequence[float]) -> NDArray[np.floating]:
    """Harmonize the region of a composite: its values (3, P) in [0, 1], in row order, not rounded.

    Raises:
        NotCompiled: a filter has no compiled form.
        ValueError: another number of arguments, or values that the filters do not accept.
    """
    stages = _forward(chain, scene, values)
    harmonized = stages.run(scene.pixels, _positions(chain, scene), np.zeros(0, np.bool_))
    if scene.soft:
        harmonized = harmonized * scene.alphas + scene.pixels / scene.levels * (1 - scene.alphas)
    return harmonized


def apply_image(chain: FilterChain, scene: Scene, values: Sequence[float]) -> Image:
    """Harmonize a composite: the image (H, W, 3) with its region harmonized, rounded to the image's own levels.

    Raises:
        NotCompiled: a filter has no compiled form.
        ValueError: another number of arguments, or values that the filters do not accept.

    Example:
        >>> image, mask = np.full((4, 4, 3), 100, np.uint8), np.zeros((4, 4), np.uint8)
        >>> mask[1:3, 1:3] = 255
        >>> apply_image(FilterChain(["brightness"]), Scene(image, mask), [-0.5])[1, :, 0]
        array([100,  50,  50, 100], dtype=uint8)
    """
    return _forward(chain, scene, values).run_image(scene)


def _forward(chain: FilterChain, scene: Scene, values: Sequence[float]) -> Stages:
    check_compiled(chain)
    check_row(chain, values)
    program = Program.of(chain, values)
    if program.split:
        read_means(program, population(chain, scene))
    return Stages.of(program.forward, scene.levels, exact=_exact(scene, scene.levels), begin=True)


def undo_region(chain: FilterChain, scene: Scene, values: Sequence[float], levels: int = 255) -> Undone:
    """Find the region of the composite that these arguments harmonize to the scene.

    Args:
        chain: the filters.
        scene: the real image.
        values: (K,), the arguments.
        levels: the largest value of a channel of the composite that will be written.

    Raises:
        NotCompiled: a filter has no compiled form, or the means could not be solved for.
        ValueError: another number of arguments, or values that the filters do not accept.
    """
    check_compiled(chain)
    check_row(chain, values)
    program, exact, count = Program.of(chain, values), _exact(scene, levels), len(chain.filters)
    bad, places = np.zeros(scene.inside, np.bool_), _positions(chain, scene)
    after = Stages.of(program.undoing(program.split, count), scene.levels, exact=exact, begin=True)
    found, described = after.run(scene.pixels, places, bad), after.described
    edges = _edges(chain, scene)
    if program.split:
        region, undone_from = (
            _binned(np.ascontiguousarray(found[:, scene.solid]) if scene.soft else found),
            program.split,
        )
        if pixelwise(chain, program.split)[0]:
            region, undone_from = scene.solid_pixels(positions=chain.needs_positions), count
        start = found.mean(axis=1, dtype=np.float64)
        if not solve_means(program, population(chain, scene, region, edges), undone_from, start):
            raise NotCompiled("the means could not be solved for")
        before = Stages.of(program.undoing(0, program.split), scene.levels, exact=exact, begin=False)
        before.go_on(found, places, bad)
        described += before.described
    if scene.soft:
        bad[~scene.solid] = edges.solve(program) > EDGE_TOLERANCE
        found[:, ~scene.solid] = edges.composite
        described += ("soft edges: pixel by pixel",)
    return Undone(found, ~bad, described)


def _edges(chain: FilterChain, scene: Scene) -> Edges:
    """The soft edges of a scene, with the real image for a start."""
    if not scene.soft:
        return Edges()
    soft = ~scene.solid
    targets, alphas = np.ascontiguousarray(scene.pixels[:, soft] / scene.levels), scene.alphas[soft]
    by_mask = chain.statistics == "foreground"
    return Edges(
        targets.copy(),
        targets,
        alphas,
        np.ascontiguousarray(scene.positions[:, soft])
        if chain.needs_positions
        else np.zeros((2, int(soft.sum()))),
        np.ascontiguousarray(np.broadcast_to(alphas if by_mask else 1.0, targets.shape)),
    )


def _exact(scene: Scene, levels: int) -> bool:
    return scene.inside < FEWEST_FOR_TABLES or max(levels, scene.levels) > 255


def _positions(chain: FilterChain, scene: Scene) -> Floats:
    return scene.positions if chain.needs_positions else np.zeros((2, 0))


def _binned(values: NDArray[np.floating]) -> Entries:
    """Values (3, P) as the means of narrow bins; few values as they are."""
    if values.shape[1] <= passes.BINS:
        return Entries(values.astype(np.float64))
    counts, sums = passes.bin_values(values)
    return Entries(sums / np.maximum(counts, 1), weights=counts.astype(np.float64))
