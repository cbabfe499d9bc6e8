"""Compiled chains at their bounds: what lies exactly on one, what is unreachable in one channel, how steps lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from synthharm.filters import FILTERS, FilterChain
from synthharm.filters.fused import passes, soft_edges, solver, steps
from synthharm.filters.fused.lowering import Steps, alike, by_channel, lower
from synthharm.filters.fused.program import Program
from synthharm.filters.fused.stages import TOLERANCE, Stages
from synthharm.filters.solve import broyden, solve_pixels

NO_KINDS, NO_NUMBERS = np.zeros(0, np.int64), np.zeros((0, 3, steps.NUMBERS))
HALF = np.array([0.5])


def line(factor: float, offset: float = 0.0) -> Steps:
    return Steps.of([alike(steps.AFFINE, factor, offset)])


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("wanted", [0.9, 0.0])
def test_how_far_a_soft_edge_is_off_is_that_of_its_worst_channel(channel: int, wanted: float) -> None:
    """At a half, the blend with 0.5 v + 0.2 lies between 0.1 and 0.85."""
    made, targets = line(0.5, 0.2), np.full((3, 1), 0.5)
    targets[channel] = wanted
    composite = np.full((3, 1), 0.5)
    off = soft_edges.solve_edges(composite, targets, HALF, np.zeros((2, 1)), made.kinds, made.numbers)
    expected = np.full(3, 0.4 / 0.75)
    expected[channel] = round(wanted)
    np.testing.assert_allclose(composite[:, 0], expected, atol=1e-8)
    np.testing.assert_allclose(off, abs(wanted - (0.85 if wanted else 0.1)), atol=1e-8)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_each_channel_of_a_soft_edge_is_solved(channel: int) -> None:
    """Where the others are right from the start."""
    targets = np.full((3, 2), 0.3)
    targets[channel] = [0.35, 0.2]
    composite = np.full((3, 2), 0.4)
    made = line(0.5)
    off = soft_edges.solve_edges(composite, targets, HALF.repeat(2), np.zeros((2, 2)), made.kinds, made.numbers)
    np.testing.assert_allclose(composite, targets / 0.75, atol=1e-8)
    assert off.max() <= 1e-9


def test_soft_edges_within_the_tolerance_are_left_as_they_are() -> None:
    for far, left in ((1e-9, True), (1.01e-9, False)):
        composite = np.full((3, 1), far)
        off = soft_edges.solve_edges(composite, np.zeros((3, 1)), HALF, np.zeros((2, 1)), NO_KINDS, NO_NUMBERS)
        assert bool((composite == far).all()) is left
        assert bool(off[0] == far) is left


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_pixels_within_the_tolerance_are_left_as_they_are(kind: torch.dtype, tolerance: float) -> None:
    for far, left in ((tolerance, True), (1.01 * tolerance, False)):
        start = torch.full((1, 3), far, dtype=kind)
        found = solve_pixels(lambda p, _: p, torch.zeros_like(start), torch.full((1, 1), 0.5, dtype=kind), start)
        assert torch.equal(found, start) is left


@pytest.mark.parametrize("size", [1e-30, 1e-31, 2e-30])
def test_what_is_next_to_no_change_teaches_nothing(size: float) -> None:
    """Up to 1e-30, where a quotient would be noise."""
    inverse, one = np.eye(1), np.ones(1)
    solver.improve(inverse, one / 2, one * 0, one * size, one)
    assert bool(inverse[0, 0] == 1) is (size <= 1e-30)
    found = soft_edges.newton_change(np.diag([size, 1.0, 1.0]), np.array([size, 2.0, 3.0]))
    expected = [0, 0, 0] if size <= 1e-30 else [1, 2, 3]
    np.testing.assert_allclose(found, expected)

    def residual(unknowns: torch.Tensor) -> torch.Tensor:
        return torch.where(unknowns > 0, torch.ones_like(unknowns), torch.full_like(unknowns, -size))

    start = torch.zeros(1, 1, dtype=torch.float64)
    learned = broyden(residual, start, torch.ones(1, 1, 1, dtype=torch.float64), 0.0)[1]
    assert (float(learned) == 1) is (size <= 1e-30)


def test_a_secant_is_learned() -> None:
    """The inverse Jacobian then sends the change to the step, and the next step goes by it."""
    rng = np.random.default_rng(1)
    inverse, step, change = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)
    means, value = rng.random(3), rng.normal(size=3) * 0.01
    expected = inverse + np.outer(step - inverse @ change, step @ inverse) / (step @ inverse @ change)
    following = solver.improve(inverse, means, value, step, change)
    np.testing.assert_allclose(inverse, expected, atol=1e-12)
    np.testing.assert_allclose(inverse @ change, step, atol=1e-12)
    np.testing.assert_allclose(following, np.clip(means - expected @ value, 0, 1), atol=1e-12)


def test_means_that_cannot_be_found_are_said_not_to_be() -> None:
    """Values that weigh more than they may have means above 1: the solve ends, and says so."""
    chain = FilterChain(["contrast"])
    program = Program.of(chain, [0.5])
    region = (np.array([[0.0, 1.0]] * 3), np.zeros((3, 0)), 1.0, np.zeros((2, 0)))
    rest = (np.zeros((3, 0)), np.zeros((3, 0)), 1.0, np.zeros((2, 0)))
    given = (program.undo.kinds, program.undo.numbers, 0, program.forward.kinds, program.forward.numbers)
    lines = (program.lines, program.arguments, program.cuts)
    assert solver.solve(np.full(3, 0.5), region, None, rest, *given, *lines, np.full(3, 2.0))
    assert not solver.solve(np.full(3, 0.5), region, None, rest, *given, *lines, np.full(3, 0.1))


def test_steps_lie_in_order_with_zeros_for_what_they_do_not_take() -> None:
    made = Steps.of([alike(steps.POWER, 2.0), by_channel(steps.MATRIX, [(1, 2, 3), (4, 5, 6), (7, 8, 9)])], "ab")
    expected = np.zeros((2, 3, steps.NUMBERS))
    expected[0, :, 0] = 2
    expected[1, :, :3] = np.arange(1, 10).reshape(3, 3)
    np.testing.assert_array_equal(made.numbers, expected)
    assert made.kinds.tolist() == [steps.POWER, steps.MATRIX]
    assert (made.owners, made.names, made.alike) == (("a", "b"), "a, b", False)
    assert made.part(0, 1).alike
    empty = Steps.of([])
    assert (len(empty), empty.numbers.shape) == (0, (0, 3, steps.NUMBERS))


def test_there_is_room_for_the_numbers_of_the_longest_step() -> None:
    rows = [
        row
        for filter_ in FILTERS.values()
        for inverse in (False, True)
        for _, *rows in lower(filter_, [p.neutral + p.span / 2 for p in filter_.parameters], inverse=inverse)
        for row in rows
    ]
    assert max(map(len, rows)) == steps.NUMBERS


def test_kinds_of_steps_are_told_apart() -> None:
    """Those of one channel come first; each is run by its own function."""
    names = "AFFINE POWER POWER_INVERSE HIGHLIGHT HIGHLIGHT_INVERSE LINEARIZE ENCODE SPLINE SPLINE_INVERSE"
    of_values = [getattr(steps, name) for name in names.split()]
    names = "SPREAD SATURATE VIBRANCE HUE MATRIX POSITION_GAIN"
    of_pixels = [getattr(steps, name) for name in names.split()]
    assert len({*of_values, *of_pixels}) == 15
    assert max(of_values) < steps.FIRST_OF_PIXELS == min(of_pixels)


@pytest.mark.parametrize("channels", ["alike", "apart"])
def test_a_tables_bounds_are_where_its_steps_begin_to_clamp(channels: str) -> None:
    """By halving the interval between two entries: to 1e-10. Each is clamped on either side, or on one, or not."""
    offsets = [-0.5, -0.5, -0.5] if channels == "alike" else [-0.5, 0.0, -1.1]
    lines = by_channel(steps.AFFINE, [(2.0, offset) for offset in offsets])
    made = Stages.of(Steps.of([alike(steps.POWER, 0.5), lines], ["power", "line"]), 255, exact=False, begin=False)
    for channel, offset in enumerate(offsets):
        lowest = ((-TOLERANCE - offset) / 2) ** 2 - 1e-9 if offset < 0 else -1.0
        highest = ((1 + TOLERANCE - offset) / 2) ** 2 - 1e-9 if offset > -1 else 2.0
        np.testing.assert_allclose(made.bounds[0, channel], [lowest, highest], rtol=0, atol=1e-10)


def test_a_table_that_is_clamped_everywhere_has_no_bounds() -> None:
    made = Stages.of(
        Steps.of([alike(steps.POWER, 0.5), alike(steps.AFFINE, 1.0, 1.5)], ["a", "b"]),
        255,
        exact=False,
        begin=False,
    )
    np.testing.assert_array_equal(made.bounds, [[[2, -1]] * 3])
    bad = np.zeros(3, np.bool_)
    made.go_on(np.array([[0.0, 0.5, 1.0]] * 3, np.float32), np.zeros((2, 0)), bad)
    assert bad.all()


@pytest.mark.parametrize("exact", [True, False])
def test_stages_say_what_they_are(exact: bool) -> None:
    chain = FilterChain(["gamma", "hue", "shadow", "highlight"])
    made = Program.of(chain, [0.2, 0.05, 0.1, -0.1]).forward
    begun = Stages.of(made, 255, exact=exact, begin=True)
    after = "channel by channel" if exact else f"table of {passes.INTERVALS} intervals"
    assert begun.described == ("table of 256 levels: gamma", "pixel by pixel: hue", f"{after}: shadow, highlight")
    assert begun.first.dtype == (np.float64 if exact else np.float32)
    assert begun.first.shape == begun.first_excess.shape == (3, 256)
    levels = np.array([[0, 255, 90, 7], [0, 255, 80, 200], [0, 255, 70, 30]], np.uint8)
    bad = np.zeros(4, np.bool_)
    found = begun.run(levels, np.zeros((2, 0)), bad)
    expected = levels / 255
    steps.run_steps(made.kinds, made.numbers, expected, np.zeros((2, 0)), np.zeros((3, 4)), 4)
    np.testing.assert_allclose(found, expected, atol=1e-12 if exact else 1e-3)
    assert not bad.any()
    plain = Stages.of(line(1.0).part(0, 0), 255, exact=exact, begin=True)
    assert plain.described == ("table of 256 levels: as they are",)
    np.testing.assert_allclose(plain.run(levels, np.zeros((2, 0)), bad), levels / 255, atol=1e-7)
