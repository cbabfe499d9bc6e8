"""Smoothing arguments in time, frame by frame, with what has been seen so far alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def follow(
    before: NDArray[np.float64] | None, predicted: NDArray[np.float64], seconds: float, time_constant: float
) -> NDArray[np.float64]:
    """The smoothed arguments of a frame: a_t = a_{t-1} + (1 - exp(-dt / tau)) (p_t - a_{t-1}).

    This is a causal low-pass of first order: after a step it has gone 63 % of the way when the time constant has
    passed, whatever the frame rate and however unevenly frames lie in time. It never overshoots, so arguments that
    filters accept stay such.

    Args:
        before: (K,), what this function gave for the frame before; None at a start, where the prediction is taken.
        predicted: (K,).
        seconds: dt, the time since the frame before.
        time_constant: tau in seconds; 0 takes every prediction as it is.

    Returns:
        (K,).

    Example:
        >>> follow(np.array([0.0]), np.array([1.0]), seconds=0.5, time_constant=0.5).round(3)
        array([0.632])
    """
    if before is None or time_constant == 0:
        return predicted
    moved = before - math.expm1(-seconds / time_constant) * (predicted - before)
    # Rounding may carry it an ulp beyond, where a filter might accept nothing any more.
    return np.clip(moved, np.minimum(before, predicted), np.maximum(before, predicted))


def check_time_constant(seconds: float) -> None:
    """Refuse what is no time constant.

    Raises:
        ValueError: not a finite number from 0 on.
    """
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"smoothing is {seconds}; a finite number of seconds from 0 on is accepted")
