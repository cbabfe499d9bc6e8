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
def write_lines(means, undo, forward, lines, arguments):
    """Write the steps that depend on the means (3 D,) into the numbers of steps that undo, or run, a chain.

    `lines` (L, 5) names them: whether it is of those that undo, which step, its kind, the place of its means, and
    whether it is the inverse. `arguments` (L,) are those of their filters.
    """
    for i in range(len(lines)):
        place = 3 * lines[i, 3]
        numbers = undo if lines[i, 0] else forward
        taken = np.maximum(means[place : place + 3], 0)
        line_of_means(lines[i, 2], arguments[i], lines[i, 4] == 1, taken, numbers[lines[i, 1]])


@compiled
def add_both(region, rest, undo_kinds, undo, kinds, numbers, cuts, total):
    """The means (D, 3) after so many of the forward steps, of a region that is undone first and the rest."""
    sums = np.zeros((len(cuts), 3))
    all_kinds, all_numbers = np.concatenate((undo_kinds, kinds)), np.concatenate((undo, numbers))
    after = cuts + len(undo_kinds)
    add_up(region[0], region[1], region[2], region[3], region[4], all_kinds, all_numbers, after, sums)
    add_up(rest[0], rest[1], rest[2], rest[3], rest[4], kinds, numbers, cuts, sums)
    return sums / total


@compiled
def read(region, rest, undo, kinds, numbers, lines, arguments, cuts, total):
    """The means of a composite, one filter that needs them after the other; the steps that depend on them too."""
    means = np.zeros(3 * len(cuts))
    for d in range(len(cuts)):
        found = add_both(region, rest, kinds[:0], numbers[:0], kinds, numbers, cuts[d : d + 1], total)
        means[3 * d : 3 * d + 3] = found[0]
        write_lines(means, undo, numbers, lines, arguments)


@compiled
def residual(means, region, rest, undo_kinds, undo, begin, kinds, numbers, lines, arguments, cuts, total):
    """How far the means (3 D,) that come out of a composite miss those that went into it."""
    write_lines(means, undo, numbers, lines, arguments)
    found = add_both(region, rest, undo_kinds[begin:], undo[begin:], kinds, numbers, cuts, total)
    return found.ravel() - means


@compiled
def solve(start, region, rest, undo_kinds, undo, begin, kinds, numbers, lines, arguments, cuts, total):
    """Solve residual(x) = 0 in [0, 1] (Broyden, 1965), from the step of a fixed-point iteration on.

    Args:
        start: (3 D,), about the means.
        region: what `add_up` takes first, of the region.
        rest: the same of the background.
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
    value = residual(means, region, rest, undo_kinds, undo, begin, kinds, numbers, lines, arguments, cuts, total)
    for _ in range(STEPS):
        if np.abs(value).max() <= TOLERANCE:
            return True
        following = np.empty(size)
        for i in range(size):
            following[i] = min(max(means[i] - (inverse[i] * value).sum(), 0.0), 1.0)
        step = following - means
        after = residual(
            following, region, rest, undo_kinds, undo, begin, kinds, numbers, lines, arguments, cuts, total
        )
        change = after - value
        means, value = following, after
        seen, back = np.empty(size), np.empty(size)
        for i in range(size):
            seen[i] = (inverse[i] * change).sum()
            back[i] = (inverse[:, i] * step).sum()
        scale = (step * seen).sum()
        if abs(scale) > 1e-30:
            for i in range(size):
                inverse[i] += (step[i] - seen[i]) * back / scale
    return False


@compiled
def judge(
    real,
    positions,
    weight,
    rest,
    undo_kinds,
    undo,
    begin,
    kinds,
    numbers,
    lines,
    arguments,
    cuts,
    total,
    levels,
    tolerance,
):
    """What a row of arguments comes to on a sample of a region's pixels: see `Judgement`.

    Args:
        real: (3, S) in [0, 1].
        positions: (2, S).
        weight: how many pixels each stands for.
        rest: as for `solve`, and what follows.
        undo_kinds: see there.
        undo: see there.
        begin: how many steps undo what needs no means.
        kinds: see there.
        numbers: see there.
        lines: see there.
        arguments: see there.
        cuts: see there.
        total: see there.
        levels: what composites are rounded to.
        tolerance: how far outside [0, 1] counts as inside.

    Returns:
        (9,): lost, error, difference, means, deviations.
    """
    count = real.shape[1]
    values, excess, no_weights = real.copy(), np.zeros(real.shape), real[:, :0]
    run_steps(undo_kinds[:begin], undo[:begin], values, positions, excess, count)
    found = True
    if len(cuts):
        start = np.empty(3 * len(cuts))
        for i in range(len(start)):
            start[i] = values[i % 3].mean()
        region = (values, 1.0, no_weights, weight, positions)
        found = solve(start, region, rest, undo_kinds, undo, begin, kinds, numbers, lines, arguments, cuts, total)
    run_steps(undo_kinds[begin:], undo[begin:], values, positions, excess, count)
    rounded = np.floor(values * levels + 0.5) / levels
    read((rounded, 1.0, no_weights, weight, positions), rest, undo, kinds, numbers, lines, arguments, cuts, total)
    harmonized, ignored = rounded.copy(), np.zeros(real.shape)
    run_steps(kinds, numbers, harmonized, positions, ignored, count)
    result, kept = np.zeros(9), 0
    for i in range(count):
        worst = max(excess[0, i], max(excess[1, i], excess[2, i]))
        if found and worst <= tolerance:
            kept += 1
            for c in range(3):
                result[1] += (harmonized[c, i] - real[c, i]) ** 2
    result[0], result[1] = 1 - kept / count, result[1] / (3 * max(kept, 1))
    result[2] = ((rounded - real) ** 2).mean() * 255 * 255
    for c in range(3):
        result[3 + c], result[6 + c] = rounded[c].mean(), rounded[c].std()
    return result
