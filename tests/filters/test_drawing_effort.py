"""How far strategies go before they give up, and how the numbers they draw are spent: judged by made-up judges."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from synthharm.filters import Difficulty, Gamut, Limits, Reference, Scores, Span
from synthharm.filters.drawing import Cell, Drawn, Judgement
from synthharm.filters.drawing.difficulty import _Line
from synthharm.filters.drawing.task import Task, shrink

COLUMNS = ("a", "b", "c")
NEUTRAL = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
SPANS = torch.tensor([0.5, 0.2, 0.1], dtype=torch.float64)
SHRINKINGS = 20  # by a fifth each, until less than a hundredth would be left

Passes = Callable[[Tensor], Tensor]


def never(shares: Tensor) -> Tensor:
    return torch.zeros(len(shares), dtype=torch.bool)


def always(shares: Tensor) -> Tensor:
    return torch.ones(len(shares), dtype=torch.bool)


def nothing(shares: Tensor) -> Tensor:
    return torch.zeros(len(shares), dtype=torch.float64)


@dataclass(frozen=True)
class MadeUp:
    """Says of the arguments, as shares of the spans, which pass and how different they are; and keeps them."""

    passes: Passes
    difference: Callable[[Tensor], Tensor] = nothing
    asked: list[Tensor] = field(default_factory=list)

    def __call__(self, rows: Tensor, values: Tensor) -> Judgement:
        shares = (values - NEUTRAL) / SPANS
        self.asked.extend(shares)
        flat = torch.zeros(len(rows), 3, dtype=torch.float64)
        lost = (~self.passes(shares)).double()
        return Judgement(lost, torch.zeros_like(lost), self.difference(shares), flat, flat)


def task_of(judge: MadeUp, reach: float = 100.0, images: int = 1) -> Task:
    generator = torch.Generator().manual_seed(3)
    ends = reach * SPANS
    return Task(judge, images, COLUMNS, NEUTRAL, SPANS, NEUTRAL - ends, NEUTRAL + ends, generator, Limits())


def numbers_used(task: Task, count: int) -> bool:
    """Whether a task's generator has given so many numbers."""
    other = torch.Generator().manual_seed(3)
    torch.rand(count, generator=other, dtype=torch.float64)
    assert isinstance(task.generators, torch.Generator)
    return torch.equal(other.get_state(), task.generators.get_state())


def test_what_does_not_pass_is_shrunk_by_fifths_to_a_hundredth() -> None:
    judge = MadeUp(never)
    offsets = torch.tensor([[0.5, 0.2, 0.1]], dtype=torch.float64)
    drawn = Drawn(offsets, torch.ones(1, dtype=torch.float64), torch.ones(1))
    shrunk = shrink(judge, NEUTRAL, drawn, torch.tensor([False]), Limits())
    assert [float(shares[0]) for shares in judge.asked] == pytest.approx([0.8**k for k in range(1, 21)])
    assert shrunk.kept.tolist() == [0]
    assert shrunk.values(NEUTRAL).tolist() == [NEUTRAL.tolist()]
    some = shrink(MadeUp(lambda shares: shares[:, 0] < 0.6), NEUTRAL, drawn, torch.tensor([False]), Limits())
    assert some.kept.tolist() == pytest.approx([0.8**3])


@pytest.mark.parametrize("strategy", [Span(), Scores([Cell({"a": (-0.5, 0.5)}, 1.0)])])
def test_sixty_four_draws_are_made_before_the_last_is_shrunk(strategy: Span | Scores) -> None:
    judge = MadeUp(never)
    drawn = strategy.draw(task_of(judge))
    assert drawn.attempts.tolist() == [64]
    assert drawn.kept.tolist() == [0]
    assert len(judge.asked) == 64 + SHRINKINGS
    assert float(torch.stack(judge.asked).abs().max()) <= 1
    passing = strategy.draw(task_of(MadeUp(always)))
    assert (passing.attempts.tolist(), passing.kept.tolist()) == ([1], [1])


def test_gamut_tries_both_ends_and_goes_through_all_arguments_twice() -> None:
    judge = MadeUp(always)
    task = task_of(judge)
    drawn = Gamut().draw(task)
    assert len(judge.asked) == 2 * len(COLUMNS) * (2 + 1) + 1
    assert (drawn.attempts.tolist(), drawn.kept.tolist()) == ([1], [1])
    assert numbers_used(task, 2 * 2 * len(COLUMNS))


def test_gamut_halves_what_costs_too_much_to_a_sixteenth() -> None:
    judge = MadeUp(never)
    Gamut().draw(task_of(judge))
    assert len(judge.asked) == 2 * len(COLUMNS) * 2 * (1 + 4) + 1 + SHRINKINGS
    tried = {round(float(shares.abs().max()), 6) for shares in judge.asked[:10]}
    assert tried == {1, 0.5, 0.25, 0.125, 0.0625}
    narrow = MadeUp(lambda shares: (shares > -0.7).all(dim=1) & (shares < 0.3).all(dim=1))
    highest, lowest = -1.0, 1.0
    for seed in range(60):
        task = task_of(narrow)
        assert isinstance(task.generators, torch.Generator)
        task.generators.manual_seed(seed)
        shares = Gamut().draw(task).offsets[0] / SPANS
        highest, lowest = max(highest, float(shares.max())), min(lowest, float(shares.min()))
    assert -0.7 < lowest < -0.6
    assert 0.24 < highest < 0.3


def test_gamut_takes_back_a_step_after_three_halvings() -> None:
    """Where both ends pass, and nothing between them and the start."""

    def ends(shares: Tensor) -> Tensor:
        whole = shares.abs() - shares.abs().round()
        return (whole.abs() < 1e-9).all(dim=1)

    judge = MadeUp(ends)
    drawn = Gamut().draw(task_of(judge))
    assert len(judge.asked) == 2 * len(COLUMNS) * (2 + 4) + 1
    assert not drawn.offsets.any()
    assert drawn.kept.tolist() == [1]
    steps = [float(shares[shares != 0].abs()[0]) for shares in judge.asked[2:5]]
    assert steps[1:] == pytest.approx([steps[0] / 2, steps[0] / 4])


def unreachable() -> Reference:
    return Reference(torch.ones(3), torch.ones(3))


def test_a_reference_is_sought_from_three_starts_in_two_rounds_of_four_steps() -> None:
    judge = MadeUp(always)
    task = task_of(judge)
    drawn = unreachable().draw(task)
    each = 1 + 2 * (len(COLUMNS) + 4)
    assert len(judge.asked) == 3 * each
    assert drawn.attempts.tolist() == [3]
    assert numbers_used(task, 2 * len(COLUMNS))
    assert not judge.asked[0].any()
    first, second = judge.asked[each], judge.asked[2 * each]
    assert 0 < float(first.abs().max()) <= 0.5  # random starts lie in the inner halves of the spans
    assert 0 < float(second.abs().max()) <= 0.5
    for i in range(len(COLUMNS)):
        assert (judge.asked[1 + i] - judge.asked[0])[i].abs() == pytest.approx(0.05)
        assert int((judge.asked[1 + i] != judge.asked[0]).sum()) == 1


def test_a_start_that_costs_too_much_is_halved_three_times() -> None:
    judge = MadeUp(never)
    drawn = unreachable().draw(task_of(judge))
    assert len(judge.asked) == 3 * (1 + 3) + SHRINKINGS
    assert drawn.attempts.tolist() == [3]
    assert drawn.kept.tolist() == [0]
    for k in (1, 2, 3):
        torch.testing.assert_close(judge.asked[4 + k], judge.asked[4] / 2**k)


def test_a_reference_that_is_met_takes_one_row() -> None:
    """Half a level of 255 is met."""
    for far, rows in ((0.0, 1), (0.0019, 1), (0.0021, 1 + len(COLUMNS) + 4)):
        judge = MadeUp(always)
        Reference(torch.full((3,), far), torch.zeros(3)).draw(task_of(judge))
        assert (len(judge.asked) == rows) is (rows == 1)
        assert len(judge.asked) >= rows


@pytest.mark.parametrize(("reach", "farthest"), [(100.0, 2.0), (1.5, 1.425), (1.0, 1.0)])
def test_sixteen_directions_end_at_the_spans_and_the_others_up_to_twice_as_far(
    reach: float, farthest: float
) -> None:
    """Within what the filters accept: to 95 % of the way, but not short of the spans."""
    judge = MadeUp(always)
    task = task_of(judge, reach)
    drawn = Difficulty().draw(task)
    assert drawn.attempts.tolist() == [64]
    ends = [float(shares.abs().max()) for shares in judge.asked]
    assert ends == pytest.approx([1.0] * 16 + [farthest] * 48)
    assert numbers_used(task, 1 + 64 * len(COLUMNS))


def test_what_is_wanted_is_the_quantile_of_the_first_number() -> None:
    number = float(torch.rand(1, generator=torch.Generator().manual_seed(3), dtype=torch.float64))
    drawn = Difficulty().draw(task_of(MadeUp(never)))
    assert drawn.wanted is not None
    assert float(drawn.wanted) == pytest.approx(float(Difficulty().ppf(number)))
    assert drawn.kept.tolist() == [0]


@pytest.mark.parametrize(
    ("quantiles", "wanted"),
    [([(0.001, 60_000), (0.002, 65_025)], 255**2), ([(0.998, 1e-9), (0.999, 1e-3)], 1e-6)],
)
def test_no_more_is_wanted_than_black_from_white_nor_nothing(
    quantiles: list[tuple[float, float]], wanted: float
) -> None:
    drawn = Difficulty(quantiles).draw(task_of(MadeUp(always)))
    assert drawn.wanted is not None
    assert drawn.wanted.tolist() == pytest.approx([wanted], rel=1e-12)


# How different things are (a logarithm) by the logarithm of the share of the way: straight, bent, and stepped.
BENT: dict[str, Callable[[Tensor], Tensor]] = {
    "as squares": lambda at: 2 * at,
    "flat, then steep": lambda at: 9 * torch.sigmoid(20 * (at + 0.4)) - 9 + 0.1 * at,
    "steep, then flat": lambda at: 9 * torch.sigmoid(20 * (at + 3)) - 9 + 0.1 * at,
    "exponential": lambda at: 8 * at.exp() - 8 + 0.01 * at,
    "steeper and steeper": lambda at: 30 * (12 * at).exp() + 0.05 * at - 30,
    "a wall": lambda at: -30 * (at < -0.9) - (at + 0.9).abs().clamp(max=0.1) * 20 * (at < -0.9) + 0.5 * at,
}

JUMPS = {("steep, then flat", 0.5), *((name, 7.0) for name in BENT if name != "as squares")}


def search(
    curve: Callable[[Tensor], Tensor], below: float, passes: Passes = always
) -> tuple[MadeUp, Tensor, Tensor]:
    """Along one direction for what is less different than its end by a factor (a logarithm)."""

    def difference(shares: Tensor) -> Tensor:
        return (curve(shares[:, 0].log()) + math.log(1000) - curve(torch.zeros(1).double())).exp()

    judge = MadeUp(passes, difference)
    directions = SPANS[None].clone()
    wanted = torch.tensor([math.log(1000) - below], dtype=torch.float64)
    found, miss = _Line(task_of(judge), torch.tensor([0]), directions, wanted).search()
    return judge, found, miss


@pytest.mark.parametrize("below", [0.5, 2.0, 4.0, 7.0])
@pytest.mark.parametrize("name", [name for name in BENT if name != "a wall"])
def test_a_difference_is_found_along_a_line_that_bends(name: str, below: float) -> None:
    """To 2 %, or as near as halving comes to where a line is nearly a jump."""
    judge, found, miss = search(BENT[name], below)
    assert float(miss) <= (0.3 if (name, below) in JUMPS else math.log(1.02))
    assert len(judge.asked) <= 12
    reached = BENT[name]((found[0, :1] / SPANS[:1]).log()) - BENT[name](torch.zeros(1).double())
    assert float(reached) == pytest.approx(-below, abs=float(miss) + 1e-9)


def test_the_search_along_a_line_ends_after_twelve_rows() -> None:
    """Across a jump there is nothing to find: the nearer side of it is taken."""
    judge, _, miss = search(BENT["a wall"], 10.0)
    assert len(judge.asked) == 12
    assert 5 < float(miss) < 25


def test_a_straight_line_is_found_at_once() -> None:
    judge, _, _ = search(BENT["as squares"], 3.0)
    assert len(judge.asked) == 2


def test_an_end_that_is_too_little_different_ends_the_search() -> None:
    judge, found, miss = search(BENT["as squares"], -0.5)
    assert len(judge.asked) == 1
    torch.testing.assert_close(found, SPANS[None])
    assert float(miss) == pytest.approx(0.5)
    judge, found, miss = search(BENT["as squares"], -0.5, never)
    assert len(judge.asked) == 1
    assert torch.isinf(miss)


def test_a_line_is_given_up_where_less_than_is_wanted_costs_too_much() -> None:
    judge, _, miss = search(BENT["exponential"], 2.0, never)
    assert torch.isinf(miss)
    assert len(judge.asked) < 12
    shares = [float(shares[0]) for shares in judge.asked]
    assert math.log(shares[-1]) < 0
