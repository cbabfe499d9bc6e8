"""What strategies do where nothing else is said: figures that recipes and papers refer to."""

from __future__ import annotations

import pytest
import torch

from synthharm.filters import Difficulty, Limits
from synthharm.filters.drawing import Judgement


@pytest.mark.parametrize(
    ("probability", "error"), [(0.05, 187), (0.25, 455), (0.5, 905), (0.75, 1843), (0.95, 4578)]
)
def test_difficulty_is_iharmony4s(probability: float, error: float) -> None:
    assert float(Difficulty().ppf(probability)) == pytest.approx(error)
    assert float(Difficulty().cdf(error)) == pytest.approx(probability)


def judged(lost: float, decibels: float) -> Judgement:
    nothing = torch.zeros(1, 3)
    return Judgement(
        torch.tensor([lost]), torch.tensor([10 ** (-decibels / 10)]), torch.zeros(1), nothing, nothing
    )


@pytest.mark.parametrize(
    ("lost", "decibels", "passes"),
    [(0.0, 60, True), (0.0049, 35.01, True), (0.0051, 60, False), (0.0, 34.99, False), (1.0, 0, False)],
)
def test_half_a_percent_may_be_lost_and_35_decibels_are_wanted(lost: float, decibels: float, passes: bool) -> None:
    assert judged(lost, decibels).within(Limits()).tolist() == [passes]
    assert Limits().levels == 255


def test_limits_are_kept_by_what_reaches_them_exactly() -> None:
    limits = Limits(unrecoverable=0.25, recovery=0.0)
    assert judged(0.25, 0.0).within(limits).tolist() == [True]
    assert judged(0.2501, 0.0).within(limits).tolist() == [False]
    assert judged(0.25, -0.01).within(limits).tolist() == [False]
