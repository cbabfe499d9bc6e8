"""Arguments that follow predictions in time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthharm.harmonizer.video.smoothing import follow

values = st.floats(-1, 1)
seconds = st.floats(1e-3, 2)


@given(values, seconds, st.floats(0, 10))
def test_what_stays_stays(value: float, dt: float, tau: float) -> None:
    here = np.array([value])
    assert follow(here, here, dt, tau) == here


@given(values, values, st.lists(seconds, min_size=1, max_size=20), st.floats(1e-2, 10))
def test_a_step_is_gone_by_the_time_that_passed_alone(
    start: float, end: float, steps: list[float], tau: float
) -> None:
    here = np.array([start])
    for dt in steps:
        here = follow(here, np.array([end]), dt, tau)
    left = math.exp(-math.fsum(steps) / tau)
    assert here[0] == pytest.approx(end + left * (start - end), abs=1e-12)


@pytest.mark.parametrize("rate", [24, 50, 60])
def test_after_the_time_constant_63_percent_of_a_step_are_gone(rate: int) -> None:
    here = np.zeros(1)
    for _ in range(rate // 2):
        here = follow(here, np.ones(1), 1 / rate, 0.5)
    assert here[0] == pytest.approx(1 - math.exp(-1), abs=1e-12)


@given(values, values, seconds, st.floats(0, 10))
def test_it_stays_between_where_it_was_and_what_was_predicted(
    before: float, predicted: float, dt: float, tau: float
) -> None:
    found = follow(np.array([before]), np.array([predicted]), dt, tau)[0]
    assert min(before, predicted) <= found <= max(before, predicted)


def test_a_start_and_no_smoothing_take_the_prediction() -> None:
    predicted = np.array([0.25, -0.5])
    assert follow(None, predicted, 0.04, 0.5) is predicted
    assert follow(np.ones(2), predicted, 0.04, 0.0) is predicted
