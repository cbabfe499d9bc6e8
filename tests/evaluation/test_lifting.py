"""What a polynomial colour map finds, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthharm.evaluation import lifting
from synthharm.evaluation.lifting import fit_colour_map

seeds = st.integers(0, 10**6)
orders = st.sampled_from([2, 3])


def polynomial(colours: np.ndarray, order: int, seed: int) -> np.ndarray:
    """A polynomial of every term up to an order, written out, whose weights are random."""
    r, g, b = colours.T
    terms = [np.ones(len(colours)), r, g, b, r * r, g * g, b * b, r * g, r * b, g * b]
    if order == 3:
        terms += [r**3, g**3, b**3, r * r * g, r * r * b, g * g * r, g * g * b, b * b * r, b * b * g, r * g * b]
    weights = np.random.default_rng(seed).normal(0, 1, (len(terms), 3))
    return np.stack(terms, axis=1) @ weights


def residual(before: np.ndarray, after: np.ndarray, order: int) -> float:
    return float(np.square(fit_colour_map(before, after, order).apply(before) - after).sum())


@settings(max_examples=50)
@given(seeds, orders)
def test_any_polynomial_of_the_order_is_found_exactly(seed: int, order: int) -> None:
    rng = np.random.default_rng(seed)
    before, others = rng.uniform(0, 1, (200, 3)), rng.uniform(0, 1, (50, 3))
    found = fit_colour_map(before, polynomial(before, order, seed), order)
    np.testing.assert_allclose(found.apply(others), polynomial(others, order, seed), atol=1e-9)
    assert found.weights.shape == ({2: 10, 3: 20}[order], 3)


@settings(max_examples=30)
@given(seeds)
def test_a_cubic_is_beyond_order_two(seed: int) -> None:
    before = np.random.default_rng(seed).uniform(0, 1, (200, 3))
    assert residual(before, polynomial(before, 3, seed), 2) > 1e-4


@settings(max_examples=50)
@given(seeds, orders, st.integers(1, 40))
def test_where_nothing_changed_every_colour_stays(seed: int, order: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    before, others = rng.uniform(0, 1, (count, 3)), rng.uniform(0, 1, (50, 3))
    np.testing.assert_array_equal(fit_colour_map(before, before, order).apply(others), others)


@settings(max_examples=50)
@given(seeds, st.integers(1, 80), st.floats(0.2, 1))
def test_order_three_leaves_no_more_than_order_two(seed: int, count: int, spread: float) -> None:
    """Where colours are spread enough: of nearly equal ones either order leaves other directions unfitted."""
    rng = np.random.default_rng(seed)
    before = rng.uniform(0, spread, (count, 3))
    after = np.clip(before**1.7 + rng.normal(0, 0.02, before.shape), 0, 1)
    assert residual(before, after, 3) <= residual(before, after, 2) * (1 + 1e-6) + 1e-9


@settings(max_examples=50)
@given(seeds, st.floats(0.01, 1))
def test_no_polynomial_of_order_two_is_nearer(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    before = rng.uniform(0, spread, (60, 3))
    after = before**0.6 + rng.normal(0, 0.05, before.shape)
    nudged = fit_colour_map(before, after, 2).apply(before) + 0.01 * polynomial(before, 2, seed + 1)
    assert residual(before, after, 2) <= np.square(nudged - after).sum()


@settings(max_examples=30)
@given(seeds, orders, st.integers(1, 9))
def test_a_single_colours_change_is_everybodys(seed: int, order: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    colour, change, others = rng.uniform(0, 1, 3), rng.uniform(-0.3, 0.3, 3), rng.uniform(0, 1, (50, 3))
    before = np.repeat(colour[None], count, axis=0)
    found = fit_colour_map(before, before + change, order)
    np.testing.assert_allclose(found.apply(others), others + change, atol=1e-9)


@settings(max_examples=30)
@given(seeds, orders, st.integers(2, 9))
def test_few_pixels_are_met_and_their_neighbours_stay_near(seed: int, order: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.uniform(0.3, 0.7, (count, 3))
    change = rng.uniform(-0.1, 0.1, (1, 3)) + rng.uniform(-0.001, 0.001, (count, 3))
    found = fit_colour_map(before, before + change, order)
    if order == 3:
        assert np.abs(found.apply(before) - before - change).max() < 2e-3
    assert np.isfinite(found.apply(rng.uniform(0, 1, (50, 3)))).all()


@settings(max_examples=30)
@given(seeds, orders)
def test_greys_do_not_blow_up(seed: int, order: int) -> None:
    """Pixels grey but for rounding leave the directions of colour open: noise asks for nothing along them."""
    rng = np.random.default_rng(seed)
    before = rng.uniform(0.1, 0.9, (500, 1)) + rng.normal(0, 1e-9, (500, 3))
    after = before**0.8 + rng.normal(0, 0.002, before.shape)
    found = fit_colour_map(before, after, order)
    near = np.linspace(0.1, 0.9, 50)[:, None] + rng.normal(0, 0.02, (50, 3))  # a larger image has more colours
    assert np.abs(found.apply(near) - near**0.8).max() < 0.1


def test_blocks_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    colours = np.random.default_rng(0).uniform(0, 1, (1000, 3))
    found = fit_colour_map(colours, colours**2, 2)
    whole, given_before = found.apply(colours), colours.copy()
    monkeypatch.setattr(lifting, "BLOCK", 7)
    np.testing.assert_allclose(found.apply(colours), whole, atol=1e-14)
    np.testing.assert_allclose(whole, colours**2, atol=1e-9)
    np.testing.assert_array_equal(colours, given_before)


@pytest.mark.parametrize(
    ("before", "after", "order", "said"),
    [
        (np.zeros((4, 3)), np.zeros((4, 3)), 1, "order is 1; 2 or 3"),
        (np.zeros((4, 3)), np.zeros((5, 3)), 2, r"\(4, 3\) and \(5, 3\); equal ones"),
        (np.zeros((0, 3)), np.zeros((0, 3)), 2, "P from 1 on"),
        (np.zeros((4, 2)), np.zeros((4, 2)), 2, r"equal ones \(P, 3\)"),
        (np.zeros((4, 4, 3)), np.zeros((4, 4, 3)), 2, r"equal ones \(P, 3\)"),
    ],
)
def test_what_cannot_be_fitted_is_refused(before: np.ndarray, after: np.ndarray, order: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fit_colour_map(before, after, order)
