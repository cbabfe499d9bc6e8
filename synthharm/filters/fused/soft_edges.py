"""Soft edges: composites whose blend with what the chain makes of them is known, pixel by pixel."""

from __future__ import annotations

import numpy as np

from synthharm.filters.fused.compiling import compiled
from synthharm.filters.fused.steps import run_steps

STEPS = 40  # of Newton's method; from a neighbouring solution two are usual
TOLERANCE = 1e-9
LEAST_DAMPING = 1e-3  # a pixel whose steps must be shorter than this has no root in [0, 1]
NUDGE = 1e-6  # of the finite differences


@compiled
def missing(composite, targets, alphas, positions, kinds, numbers):
    """How far the blend of a composite (3, P) and what steps make of it is from what it ought to be."""
    values, excess = composite.copy(), np.zeros(composite.shape)
    run_steps(kinds, numbers, values, positions, excess, values.shape[1])
    return values * alphas + composite * (1 - alphas) - targets


@compiled
def pick(values, rows):
    """The columns of values (C, P) with these numbers (R,)."""
    picked = np.empty((values.shape[0], len(rows)))
    for c in range(values.shape[0]):
        for i in range(len(rows)):
            picked[c, i] = values[c, rows[i]]
    return picked


@compiled
def newton_change(slopes, value):
    """Solve slopes (3, 3) times change = value (3,) by Cramer's rule; nothing where there is no solution."""
    a, b, c = slopes[0], slopes[1], slopes[2]
    determinant = (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
    change = np.zeros(3)
    if abs(determinant) > 1e-30:
        for k in range(3):
            m = slopes.copy()
            m[:, k] = value
            change[k] = (
                m[0, 0] * (m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1])
                - m[0, 1] * (m[1, 0] * m[2, 2] - m[1, 2] * m[2, 0])
                + m[0, 2] * (m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0])
            ) / determinant
    return change


@compiled
def solve_edges(composite, targets, alphas, positions, kinds, numbers):
    """Find the composite (3, P) in [0, 1] at soft edges, by damped Newton steps from what is given, in place.

    Args:
        composite: (3, P), a start.
        targets: (3, P), the real image.
        alphas: (P,), the mask, strictly between 0 and 1.
        positions: (2, P).
        kinds: (S,) of the steps that run the chain.
        numbers: (S, 3, NUMBERS) of these.

    Returns:
        How far the nearest that was found is off, (P,).
    """
    value = missing(composite, targets, alphas, positions, kinds, numbers)
    damping = np.ones(len(alphas))
    for _ in range(STEPS):
        going = np.zeros(len(alphas), np.bool_)
        for i in range(len(alphas)):
            worst = max(abs(value[0, i]), max(abs(value[1, i]), abs(value[2, i])))
            going[i] = worst > TOLERANCE and damping[i] > LEAST_DAMPING
        rows = np.nonzero(going)[0]
        if not len(rows):
            break
        here, there = pick(composite, rows), pick(composite, rows)
        wanted, places, shares = pick(targets, rows), pick(positions, rows), alphas[rows]
        slopes = np.empty((len(rows), 3, 3))
        for k in range(3):
            for i in range(len(rows)):  # a step inwards
                there[k, i] = here[k, i] + (NUDGE if here[k, i] < 0.5 else -NUDGE)
            shifted = missing(there, wanted, shares, places, kinds, numbers)
            for i in range(len(rows)):
                for c in range(3):
                    slopes[i, c, k] = (shifted[c, i] - value[c, rows[i]]) / (there[k, i] - here[k, i])
                there[k, i] = here[k, i]
        for i in range(len(rows)):
            change = newton_change(slopes[i], value[:, rows[i]].copy())
            for c in range(3):
                there[c, i] = min(max(here[c, i] - damping[rows[i]] * change[c], 0.0), 1.0)
        after = missing(there, wanted, shares, places, kinds, numbers)
        for i in range(len(rows)):
            row = rows[i]
            error = max(abs(after[0, i]), max(abs(after[1, i]), abs(after[2, i])))
            if error < max(abs(value[0, row]), max(abs(value[1, row]), abs(value[2, row]))):
                composite[:, row], value[:, row] = there[:, i], after[:, i]
                damping[row] = min(2 * damping[row], 1.0)
            else:
                damping[row] /= 4
    off = np.empty(len(alphas))
    for i in range(len(alphas)):
        off[i] = max(abs(value[0, i]), max(abs(value[1, i]), abs(value[2, i])))
    return off
