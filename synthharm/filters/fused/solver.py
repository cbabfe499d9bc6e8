"""Adding up what a chain makes of pixels, and solving for the means that come out as they went in."""

from __future__ import annotations

import numpy as np

from synthharm.filters.filter import EPSILON
from synthharm.filters.fused.steps import compiled, run_steps

BLOCK = 1024  # entries held as floats at a time
TOLERANCE = 1e-9  # of the solved means, on [0, 1]
STEPS = 60  # of the solve; eight to twelve are usual

TEMPERATURE, CONTRAST = 0, 1  # the filters whose lines follow from the means at their input


@compiled
def line_of_means(kind, argument, inverse, means, numbers):
    """Write the line a v + b of a filter that needs the means (3,) of its input into its step's numbers (3, 8)."""
    if kind == TEMPERATURE:
        half = abs(argument) / 2
        shifted = means + np.array([max(-argument, 0.0), half, max(argument, 0.0)])
        grey, new_grey = (means[0] + means[1] + means[2]) / 3, (shifted[0] + shifted[1] + shifted[2]) / 3
        for c in range(3):
            gain = 1 + (new_grey / (shifted[c] + EPSILON) - grey / (means[c] + EPSILON))
            numbers[c, 0] = 1 / max(gain, EPSILON) if inverse else gain
            numbers[c, 1] = 0
    else:
        factor = 255 / (256 - np.floor(255 * argument)) if argument > 0 else 1 + argument
        factor = 1 / max(factor, EPSILON) if inverse else factor
        tone = (means[0] + means[1] + means[2]) / 3
        for c in range(3):
            numbers[c, 0] = factor
            numbers[c, 1] = tone * (1 - factor)


@compiled
def add_up(values, scale, weights, weight, positions, kinds, numbers, cuts, sums):
    """Run steps over entries, and add them up on the way.

    Args:
        values: (3, E), levels or floats.
        scale: what makes them values in [0, 1].
        weights: (3, E), how much each entry counts, or (3, 0) where all count `weight`.
        weight: see there.
        positions: (2, E), or (2, 0) where all are (0, 0).
        kinds: (S,) of the steps.
        numbers: (S, 3, NUMBERS) of these steps.
        cuts: (D,), ascending: after how many steps to add up.
        sums: (D, 3), to which the weighted sums are added.
    """
    buffer, excess, places = np.empty((3, BLOCK)), np.zeros((3, BLOCK)), np.zeros((2, BLOCK))
    for start in range(0, values.shape[1], BLOCK):
        count = min(BLOCK, values.shape[1] - start)
        for c in range(3):
            for i in range(count):
                buffer[c, i] = values[c, start + i] * scale
        if positions.shape[1]:
            places[:, :count] = positions[:, start : start + count]
        done = 0
        for d in range(len(cuts)):
            run_steps(kinds[done : cuts[d]], numbers[done : cuts[d]], buffer, places, excess, count)
            done = cuts[d]
            for c in range(3):
                total = 0.0
                for i in range(count):
                    total += buffer[c, i] * (weights[c, start + i] if weights.shape[1] else weight)
                sums[d, c] += total


@compiled
def residual(unknowns, region, rest, undo, forward, lines, arguments, cuts, total):
    """How far the means (3 D,) that come out of a composite miss those that went into it.

    `region` and `rest` are what `add_up` takes first; `undo` and `forward` are kinds and numbers of steps. Some of
    these depend on the means: `lines` (L, 5) says in which of the two, which step, its kind, whose means, and
    whether it is the inverse, and `arguments` (L,) with which argument.
    """
    for i in range(len(lines)):
        slot = lines[i, 3]
        numbers = forward[1] if lines[i, 0] else undo[1]
        means = np.maximum(unknowns[3 * slot : 3 * slot + 3], 0)
        line_of_means(lines[i, 2], arguments[i], lines[i, 4] == 1, means, numbers[lines[i, 1]])
    sums = np.zeros((len(cuts), 3))
    kinds, numbers = np.concatenate((undo[0], forward[0])), np.concatenate((undo[1], forward[1]))
    add_up(region[0], region[1], region[2], region[3], region[4], kinds, numbers, cuts + len(undo[0]), sums)
    add_up(rest[0], rest[1], rest[2], rest[3], rest[4], forward[0], forward[1], cuts, sums)
    return (sums / total).ravel() - unknowns


@compiled
def solve(start, region, rest, undo, forward, lines, arguments, cuts, total):
    """Solve residual(x) = 0 in [0, 1] (Broyden, 1965), from the step of a fixed-point iteration on.

    Returns:
        The means (3 D,), and whether they were found.
    """
    size = len(start)
    unknowns, inverse = start.copy(), -np.eye(size)
    value = residual(unknowns, region, rest, undo, forward, lines, arguments, cuts, total)
    for _ in range(STEPS):
        if np.abs(value).max() <= TOLERANCE:
            return unknowns, True
        following = np.empty(size)
        for i in range(size):
            following[i] = min(max(unknowns[i] - (inverse[i] * value).sum(), 0.0), 1.0)
        step = following - unknowns
        after = residual(following, region, rest, undo, forward, lines, arguments, cuts, total)
        change = after - value
        unknowns, value = following, after
        seen, back = np.empty(size), np.empty(size)
        for i in range(size):
            seen[i] = (inverse[i] * change).sum()
            back[i] = (inverse[:, i] * step).sum()
        scale = (step * seen).sum()
        if abs(scale) > 1e-30:
            for i in range(size):
                inverse[i] += (step[i] - seen[i]) * back / scale
    return unknowns, False
