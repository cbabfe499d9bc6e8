"""The measures against formulas written out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from synthharm.metrics import MOST_PSNR, mse, psnr

levels = st.floats(0, 255)
pairs = array_shapes(min_dims=1, max_dims=3, max_side=6).flatmap(
    lambda shape: st.tuples(arrays(np.float64, shape, elements=levels), arrays(np.float64, shape, elements=levels))
)
errors = st.floats(0, 255**2)


@settings(deadline=None)
@given(pairs)
def test_mse_is_the_mean_of_the_squares(pair: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = pair
    squares = [(a - b) ** 2 for a, b in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True)]
    assert mse(first, second) == pytest.approx(math.fsum(squares) / len(squares), rel=1e-12)
    assert mse(first, second) == mse(second, first)
    assert mse(first, first) == 0


@settings(deadline=None)
@given(st.floats(1e-9, 255**2), st.floats(0.1, 1e4))
def test_psnr_is_ten_times_the_logarithm_of_the_ratio(error: float, peak: float) -> None:
    found = psnr(error, peak)
    assert found == pytest.approx(min(20 * math.log10(peak) - 10 * math.log10(error), MOST_PSNR), abs=1e-9)
    if found < MOST_PSNR:
        assert error * 10 ** (found / 10) == pytest.approx(peak**2)


@settings(deadline=None)
@given(errors, errors)
def test_less_error_is_more_psnr(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert psnr(low) >= psnr(high)
    if psnr(high) < MOST_PSNR - 0.1 and low < 0.99 * high:
        assert psnr(low) > psnr(high)


@settings(deadline=None)
@given(errors)
def test_halving_an_error_adds_three_decibels(error: float) -> None:
    assert psnr(error / 2) == pytest.approx(min(psnr(error) + 10 * math.log10(2), MOST_PSNR), abs=1e-9)


def test_psnr_ends_at_what_arithmetic_can_tell() -> None:
    assert MOST_PSNR == 150
    assert [psnr(e) for e in (0.0, 5e-324, 1e-200, 1e-11)] == [150] * 4
    assert psnr(255**2) == 0
    assert psnr(4 * 255**2) == pytest.approx(-6.0206, abs=1e-4)
    assert psnr(1.0, peak=1.0) == 0


def test_nothing_differs_from_nothing() -> None:
    assert mse(np.zeros((0, 3)), np.zeros((0, 3))) == 0


@pytest.mark.parametrize("error", [-1.0, -1e-300, math.nan])
def test_what_is_no_error_is_refused(error: float) -> None:
    with pytest.raises(ValueError, match=f"{error}; 0 or more"):
        psnr(error)


@pytest.mark.parametrize("shape", [(2, 1), (1, 3), (3,), (2, 3, 1)])
def test_other_shapes_are_refused_even_where_numpy_would_stretch_them(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\).* differ"):
        mse(np.zeros((2, 3)), np.zeros(shape))
