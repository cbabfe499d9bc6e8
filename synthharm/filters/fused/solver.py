"""Adding up what a chain makes of pixels, and solving for the means that come out as they went in."""

from __future__ import annotations

import numpy as np

from synthharm.filters.filter import EPSILON
from synthharm.filters.fused.compiling import compiled
from synthharm.filters.fused.soft_edges import solve_edges
from synthharm.filters.fused.steps import run_steps

BLOCK = 1024  # entries held as floats at a time
TOLERANCE = 1e-9  # of the solved means, on [0, 1]
STEPS = 60  # of the solve; eight to twelve are usual

TEMPERATURE, CONTRAST = 0, 1  # the filters whose lines follow from the means at their input


@compiled
def line_of_means(kind, argument, inverse, means, numbers):
    """Write the line a v + b of a filter that needs the means (3,) of its input into its step's numbers (3, 8)."""
    if kind == TEMPERATURE:
        shifts = (max(-argument, 0.0), abs(argument) / 2, max(argument, 0.0))
        grey = (means[0] + means[1] + means[2]) / 3
        new_grey = grey + (shifts[0] + shifts[1] + shifts[2]) / 3
        for c in range(3):
            gain = 1 + (new_grey / (means[c] + shifts[c] + EPSILON) - grey / (means[c] + EPSILON))
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
def add_up(entries, undo_kinds, undo, kinds, numbers, cuts, total, means):
    """Undo a chain on entries, run it again, and add up their shares of the means on the way.

    Args:
        entries: values (3, E) in [0, 1]; how much each counts (3, E), or (3, 0) where all count alike; how much
            that is; positions (2, E), or (2, 0) where all are (0, 0).
        undo_kinds: (U,) of the steps that undo, none for a background.
        undo: (U, 3, NUMBERS) of these steps.
        kinds: (S,) of the steps that run the chain.
        numbers: (S, 3, NUMBERS) of these steps.
        cuts: (D,), ascending: after how many of them to add up.
        total: (3,), how much all entries of all kinds count.
        means: (3 D,), to which the shares are added.
    """
    values, weights, weight, positions = entries
    buffer, excess, places = np.empty((3, BLOCK)), np.zeros((3, BLOCK)), np.zeros((2, BLOCK))
    for start in range(0, values.shape[1], BLOCK):
        count = min(BLOCK, values.shape[1] - start)
        for c in range(3):
            for i in range(count):
                buffer[c, i] = values[c, start + i]
        if positions.shape[1]:
            for c in range(2):
                for i in range(count):
                    places[c, i] = positions[c, start + i]
        run_steps(undo_kinds, undo, buffer, places, excess, count)
        done = 0
        for d in range(len(cuts)):
            run_steps(kinds[done : cuts[d]], numbers[done : cuts[d]], buffer, places, excess, count)
            done = cuts[d]
            for c in range(3):
                share = 0.0
                if weights.shape[1]:
                    for i in range(count):
                        share += buffer[c, i] * weights[c, start + i]
                else:
                    for i in range(count):
                        share += buffer[c, i] * weight
                means[3 * d + c] += share / total[c]


@compiled
def write_lines(means, undo, forward, lines, arguments):
    """Write the steps that depend on the means (3 D,) into the numbers of steps that undo, or run, a chain.

    `lines` (L, 4) names them: whether it is of those that undo, which step, its kind, and the place of its means.
    `arguments` (L,) are those of their filters.
    """
    taken = np.empty(3)
    for i in range(len(lines)):
        for c in range(3):
            taken[c] = max(means[3 * lines[i, 3] + c], 0.0)
        numbers = undo if lines[i, 0] else forward
        line_of_means(lines[i, 2], arguments[i], lines[i, 0] == 1, taken, numbers[lines[i, 1]])


@compiled
def read(region, rest, undo, kinds, numbers, lines, arguments, cuts, total):
    """Read the means of a composite, one filter that needs them after the other, and write the steps of them."""
    means = np.zeros(3 * len(cuts))
    for d in range(len(cuts)):
        found = np.zeros(3)
        for entries in (region, rest):
            add_up(entries, kinds[:0], numbers[:0], kinds, numbers, cuts[d : d + 1], total, found)
        for c in range(3):
            means[3 * d + c] = found[c]
        write_lines(means, undo, numbers, lines, arguments)


@compiled
def improve(inverse, means, value, step, change):
    """Correct an inverse Jacobian by what a step changed (Broyden, 1965); the means after the next step."""
    size = len(means)
    seen, back = np.empty(size), np.empty(size)
    scale = 0.0
    for i in range(size):
        seen[i], back[i] = 0.0, 0.0
        for j in range(size):
            seen[i] += inverse[i, j] * change[j]
            back[i] += inverse[j, i] * step[j]
        scale += step[i] * seen[i]
    if abs(scale) > 1e-30:
        for i in range(size):
            for j in range(size):
                inverse[i, j] += (step[i] - seen[i]) * back[j] / scale
    following = means.copy()
    for i in range(size):
        for j in range(size):
            following[i] -= inverse[i, j] * value[j]
        following[i] = min(max(following[i], 0.0), 1.0)
    return following


@compiled
def solve(start, region, edges, rest, undo_kinds, undo, begin, kinds, numbers, lines, arguments, cuts, total):
    """Find the means at which the composite that follows from them has just these, from a fixed-point step on.

    Args:
        start: (3 D,), about the means.
        region: what `add_up` takes first, of the region but for its soft edges.
        edges: what `solve_edges` takes first, of these, and what `add_up` does; None if there are none. Both hold
            the composite, which is written.
        rest: what `add_up` takes first, of the background.
        undo_kinds: (U,) of the steps that undo the chain.
        undo: (U, 3, NUMBERS) of these; those that depend on the means are written.
        begin: how many of them are done already.
        kinds: (S,) of the steps that run the chain.
        numbers: (S, 3, NUMBERS) of these; those that depend on the means are written.
        lines: see `write_lines`.
        arguments: see there.
        cuts: (D,), after how many forward steps the means are taken.
        total: (3,), how much all counts.

    Returns:
        Whether the means were found.
    """
    size = len(start)
    means, inverse = start.copy(), -np.eye(size)
    before, value = np.zeros(size), np.zeros(size)
    step, change = np.zeros(size), np.zeros(size)
    for _ in range(STEPS):
        write_lines(means, undo, numbers, lines, arguments)
        found, worst = np.zeros(size), 0.0
        add_up(region, undo_kinds[begin:], undo[begin:], kinds, numbers, cuts, total, found)
        add_up(rest, undo_kinds[:0], undo[:0], kinds, numbers, cuts, total, found)
        if edges is not None:
            solve_edges(edges[0], edges[1], edges[2], edges[3], kinds, numbers)
            add_up(edges[4], undo_kinds[:0], undo[:0], kinds, numbers, cuts, total, found)
        for i in range(size):
            value[i] = found[i] - means[i]
            change[i] = value[i] - before[i]
            before[i] = value[i]
            worst = max(worst, abs(value[i]))
        if worst <= TOLERANCE:
            return True
        following = improve(inverse, means, value, step, change)
        for i in range(size):
            step[i] = following[i] - means[i]
            means[i] = following[i]
    return False


@compiled
def judge(real, alphas, composite, off, positions, kinds, numbers, tolerance):
    """What a composite comes to on a sample of a region's pixels: see `Judgement`.

    Args:
        real: (3, S) in [0, 1].
        alphas: (S,), the mask.
        composite: (3, S), rounded.
        off: (3, S), how far outside [0, 1], or off, it was when it was found.
        positions: (2, S).
        kinds: (K,) of the steps that run the chain.
        numbers: (K, 3, NUMBERS) of these.
        tolerance: how far off counts as recoverable.

    Returns:
        (9,): lost, error, difference, means, deviations.
    """
    count = real.shape[1]
    harmonized, ignored = composite.copy(), np.zeros(real.shape)
    run_steps(kinds, numbers, harmonized, positions, ignored, count)
    result, kept = np.zeros(9), 0
    for i in range(count):
        recoverable = max(off[0, i], max(off[1, i], off[2, i])) <= tolerance
        kept += recoverable
        for c in range(3):
            if recoverable:
                blended = harmonized[c, i] * alphas[i] + composite[c, i] * (1 - alphas[i])
                result[1] += (blended - real[c, i]) ** 2
            result[2] += (composite[c, i] - real[c, i]) ** 2
            result[3 + c] += composite[c, i] / count
            result[6 + c] += composite[c, i] ** 2 / count
    result[0], result[1] = 1 - kept / count, result[1] / (3 * max(kept, 1))
    result[2] *= 255 * 255 / (3 * count)
    for c in range(3):
        result[6 + c] = np.sqrt(max(result[6 + c] - result[3 + c] ** 2, 0.0))
    return result
