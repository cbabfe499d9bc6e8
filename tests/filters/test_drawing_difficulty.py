"""What holds of arguments drawn by difficulty."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from filter_cases import PhotoRegion, law
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthharm.filters import Difficulty, FilterChain, Inverse, Limits
from synthharm.filters.drawing import difficulty

ANYTHING = Limits(unrecoverable=1, recovery=0)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(law)
@given(st.lists(st.floats(1e-6, 1 - 1e-6), min_size=1, max_size=20), st.data())
def test_the_quantiles_go_both_ways(probabilities: list[float], data: st.DataObject) -> None:
    number = data.draw(st.integers(2, 6))
    shares = data.draw(st.lists(st.integers(1, 99), min_size=number, max_size=number, unique=True))
    values = data.draw(st.lists(st.integers(1, 60_000), min_size=number, max_size=number, unique=True))
    pairs = [(share / 100, value) for share, value in zip(sorted(shares), sorted(values), strict=True)]
    wanted = Difficulty(dict(pairs))
    given_ = torch.tensor(sorted(probabilities), dtype=torch.float64)
    found = wanted.ppf(given_)
    assert bool((found.diff() >= 0).all())
    inside = (found > 1e-200) & (found < 1e200)
    torch.testing.assert_close(wanted.cdf(found)[inside], given_[inside], rtol=1e-6, atol=1e-9)
    for share, value in pairs:
        assert float(wanted.ppf(share)) == pytest.approx(value)
        assert float(wanted.cdf(value)) == pytest.approx(share)


def test_the_ends_of_the_quantiles_have_tails() -> None:
    wanted = Difficulty()
    assert float(wanted.ppf(0.0)) == 0
    assert float(wanted.cdf(0.0)) == 0
    assert float(wanted.ppf(1.0)) == float("inf")
    assert 30 < float(wanted.ppf(0.001)) < 80
    assert 10_000 < float(wanted.ppf(0.999)) < 20_000


@pytest.mark.parametrize(
    ("quantiles", "words"),
    [
        ([(0.5, 900)], "1 pairs"),
        ([], "0 pairs"),
        ([(0.5, 900), (0.5, 1000)], r"\(0.5, 1000.0\) after \(0.5, 900.0\)"),
        ({0.2: 900, 0.5: 900}, r"\(0.5, 900.0\) after"),
        ([(0.0, 10), (0.5, 20)], r"\(0.0, 10\).*between 0 and 1"),
        ([(0.1, 10), (1, 20)], r"\(1, 20\).*between 0 and 1"),
        ([(0.1, 0), (0.2, 20)], r"\(0.1, 0\).*above 0"),
        ([(0.1, 5), (0.2, 65026)], r"65026.*65025"),
        ([(0.1, float("nan")), (0.2, 20)], "nan"),
        ([(0.1, 5, 6), (0.2, 20)], r"\(0.1, 5, 6\)"),
        ([("0.1", 5), (0.2, 20)], r"'0.1'"),
        ([(0.1, True), (0.2, 20)], "True"),
        ([5, 6], "has 5"),
    ],
)
def test_quantiles_that_are_refused(quantiles: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Difficulty(quantiles)


def foreground_mse(inverse: Inverse, real: Tensor, mask: Tensor) -> Tensor:
    squares = (((inverse.composites * 255).round() - real * 255) ** 2 * mask).sum(dim=(1, 2, 3))
    return squares / (3 * mask.sum(dim=(1, 2, 3)))


@pytest.fixture
def _few_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(difficulty, "ATTEMPTS", 32)


@pytest.mark.slow
def test_difficulty_is_reached_on_photos(photo_regions: list[PhotoRegion]) -> None:
    """Easy and hard, in order; all pixels of these regions are judged. One of five may be out of reach."""
    chain = FilterChain.paper()
    rows = []
    for level in (60, 500, 2500):
        strategy = Difficulty([(0.1, level * 0.8), (0.9, level * 1.2)])
        for seed, region in enumerate(photo_regions[:5]):
            drawn, inverse = chain.disharmonize(
                region.image, region.mask, generator=seeded(seed), strategy=strategy
            )
            assert level * 0.5 < float(drawn.wanted) < level * 2
            rows.append([float(foreground_mse(inverse, region.image, region.mask)), float(drawn.wanted)])
    reached, wanted = torch.tensor(rows, dtype=torch.float64).T.reshape(2, 3, 5)
    misses = (reached / wanted - 1).abs()
    assert bool((misses.sort(dim=1).values[:, :-1] < 0.021).all()), misses
    assert bool((reached.diff(dim=0) > 0).all())


def test_difficulty_leaves_the_spans_only_for_what_they_do_not_reach() -> None:
    chain = FilterChain(["brightness"])
    real = torch.full((1, 3, 4, 4), 0.8, dtype=torch.float64)
    for wanted, expected in ((5_000, 0.347), (10_000, 0.49), (15_000, 0.6)):  # sqrt(wanted) / 255 / 0.8
        narrow = Difficulty([(0.1, wanted), (0.9, wanted * 1.001)])
        for seed in range(4):
            mask = torch.ones_like(real[:, :1])
            drawn = chain.draw(real, mask, generator=seeded(seed), strategy=narrow)
            assert float(drawn["brightness"]) == pytest.approx(expected, rel=0.02)
            assert (int(drawn.attempts) > difficulty.WITHIN_SPANS) is (expected > 0.5)


def test_columns_without_a_span_take_no_part_in_directions() -> None:
    """All that is left to chance is whether brightness goes up or down: every second direction is right."""
    chain = FilterChain(["brightness", "temperature"], spans={"temperature": 0.0})
    real = torch.full((200, 3, 1, 1), 0.8, dtype=torch.float64)
    hard = Difficulty([(0.1, 10_000), (0.9, 10_010)])
    drawn = chain.draw(real, torch.ones_like(real[:, :1]), generator=seeded(1), strategy=hard)
    assert float(drawn.attempts.double().mean()) == pytest.approx(2, abs=0.4)


@pytest.mark.usefixtures("_few_attempts")
def test_difficulty_out_of_reach_comes_as_close_as_it_can() -> None:
    """Light grey to nearly black is all that brightness can do."""
    chain = FilterChain(["brightness"])
    real = torch.full((1, 3, 4, 4), 0.8, dtype=torch.float64)
    hard = Difficulty([(0.1, 60_000), (0.9, 61_000)])
    mask = torch.ones_like(real[:, :1])
    drawn, inverse = chain.disharmonize(real, mask, generator=seeded(1), strategy=hard, limits=ANYTHING)
    assert int(drawn.attempts) == difficulty.ATTEMPTS
    assert float(drawn.kept) == 1
    assert float(drawn["brightness"]) == pytest.approx(0.95)
    assert float(drawn.wanted) > 50_000
    assert float(foreground_mse(inverse, real, mask)) > 30_000
