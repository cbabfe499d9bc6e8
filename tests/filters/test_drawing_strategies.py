"""What holds of every way of drawing arguments, and of drawing in gamut."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from filter_cases import (
    MASK_KINDS,
    TONE,
    PhotoRegion,
    chains,
    error_in_decibels,
    images,
    law,
    make_images,
    make_masks,
    masks,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthharm.filters import (
    PAPER,
    Arguments,
    Difficulty,
    FilterChain,
    Gamut,
    Inverse,
    Limits,
    Reference,
    Scores,
    Span,
)
from synthharm.filters.drawing import Cell, Judgement, Strategy
from synthharm.filters.drawing.draw import make_task
from synthharm.filters.drawing.judge import ReferenceJudge
from synthharm.filters.pixels import Pixels

ANYTHING = Limits(unrecoverable=1, recovery=0)
DULL = Reference(torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.1, 0.1, 0.1]))
STRATEGIES: dict[str, Strategy] = {
    "difficulty": Difficulty(),
    "gamut": Gamut(),
    "reference": DULL,
    "scores": Scores([Cell({"brightness": (0.0, 0.4), "shadow": (0.0, 0.3)}, 1.0)]),
    "span": Span(),
}
every_strategy = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)


@pytest.fixture(scope="module", autouse=True)
def _few_attempts() -> Any:
    """What no draw passes is tried long enough with a few of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthharm.filters.drawing.difficulty.ATTEMPTS", 32)
        patch.setattr("synthharm.filters.drawing.reference.STARTS", 2)
        patch.setattr("synthharm.filters.drawing.scores.ATTEMPTS", 16)
        patch.setattr("synthharm.filters.drawing.span.ATTEMPTS", 16)
        yield


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def check_draw(
    chain: FilterChain, real: Tensor, mask: Tensor, drawn: Arguments, inverse: Inverse, limits: Limits
) -> None:
    """The filters accept the arguments, their composites are those given, and no image costs more than allowed."""
    lows, highs, neutral = (
        torch.tensor([getattr(p, name) for p in chain.parameters], dtype=real.dtype)
        for name in ("low", "high", "neutral")
    )
    assert drawn.values.dtype == real.dtype
    assert bool(((drawn.values >= lows) & (drawn.values <= highs)).all())
    assert bool(((drawn.kept >= 0) & (drawn.kept <= 1) & (drawn.attempts >= 1)).all())
    with torch.no_grad():
        again = chain.invert(real, mask, drawn)
    torch.testing.assert_close(inverse.composites, again.composites, rtol=0, atol=1e-6)
    rounded = (inverse.composites * limits.levels).round() / limits.levels
    harmonized = chain.apply(rounded, mask, drawn)
    for i in range(len(real)):
        if drawn.kept[i] == 0:
            assert torch.equal(drawn.values[i], neutral)
            continue
        foreground = int((mask[i] > 0).sum())
        lost = foreground - int(inverse.recoverable[i].sum())
        assert lost <= limits.unrecoverable * foreground + 1e-9
        one = slice(i, i + 1)
        error = error_in_decibels(harmonized[one], real[one], inverse.recoverable[one])
        assert error >= limits.recovery - 1e-3


some_limits = st.sampled_from([Limits(), ANYTHING, Limits(unrecoverable=0), Limits(recovery=60, levels=65535)])


@every_strategy
@settings(law, max_examples=6)
@given(st.data())
def test_any_image_gets_arguments_within_the_limits(strategy: Strategy, data: st.DataObject) -> None:
    chain = data.draw(chains(PAPER, least=6))
    real = data.draw(images())
    mask = data.draw(masks(real, kinds=MASK_KINDS))
    limits = data.draw(some_limits)
    generator = seeded(data.draw(st.integers(0, 999)))
    drawn, inverse = chain.disharmonize(real, mask, generator=generator, limits=limits, strategy=strategy)
    check_draw(chain, real, mask, drawn, inverse, limits)
    if not isinstance(strategy, Difficulty):  # which alone may leave the spans
        spans = torch.tensor([p.span for p in chain.parameters], dtype=real.dtype)
        assert bool((drawn.values.abs() <= spans + 1e-6).all())
        assert bool(drawn.wanted.isnan().all())


@dataclasses.dataclass
class Counted:
    """A judge that counts its rows."""

    judge: ReferenceJudge
    rows: int = 0

    def __call__(self, rows: Tensor, values: Tensor) -> Judgement:
        self.rows += len(rows)
        return self.judge(rows, values)


@every_strategy
def test_a_strategy_keeps_the_limits_by_itself(strategy: Strategy, photo_regions: list[PhotoRegion]) -> None:
    """As far as its judge sees: nothing is left to be shrunk. And it asks for a few dozen rows."""
    chain, judged = FilterChain.paper(), 0
    for seed, region in enumerate(photo_regions[:6]):
        pixels = Pixels.of((region.image * 1.3).clamp(0, 1), region.mask, None, None)
        judge = Counted(ReferenceJudge(chain, pixels, Limits()))
        task = make_task(chain, judge, 1, seeded(seed), Limits(), torch.device("cpu"))
        with torch.no_grad():
            drawn = strategy.draw(task)
            judged += judge.rows
            assert bool(judge(task.everything(), drawn.values(task.neutral)).within(Limits()))
    assert judged < 6 * 100


@every_strategy
def test_a_filter_of_ones_own_is_drawn_around_its_neutral_value(strategy: Strategy) -> None:
    chain = FilterChain(["brightness", TONE, "shadow"])
    real = make_images("midtones", (6, 3, 5, 5), seed=1)
    drawn, inverse = chain.disharmonize(real, torch.ones_like(real[:, :1]), generator=seeded(1), strategy=strategy)
    check_draw(chain, real, torch.ones_like(real[:, :1]), drawn, inverse, Limits())
    assert bool((drawn["tone.gain"] != 1).all())


@every_strategy
@pytest.mark.parametrize("statistics", ["image", "foreground"])
@pytest.mark.parametrize("colour", [0.0, 1.0])
def test_black_and_white_regions_end(strategy: Strategy, statistics: str, colour: float) -> None:
    chain = FilterChain(PAPER, statistics)
    for side, dtype in ((1, torch.float32), (6, torch.float64)):
        real = torch.full((2, 3, side, side), colour, dtype=dtype)
        for kind in ("one pixel", "empty"):
            mask = make_masks(kind, real, seed=0)
            drawn, inverse = chain.disharmonize(real, mask, generator=[seeded(1), seeded(2)], strategy=strategy)
            check_draw(chain, real, mask, drawn, inverse, Limits())


@every_strategy
def test_soft_masks_get_arguments_within_the_limits(strategy: Strategy) -> None:
    chain = FilterChain(["brightness", "shadow"])
    real = make_images("any", (1, 3, 1, 3), seed=2)
    mask = make_masks("soft", real, seed=2)
    drawn, inverse = chain.disharmonize(real, mask, generator=seeded(2), strategy=strategy)
    check_draw(chain, real, mask, drawn, inverse, Limits())


@every_strategy
def test_impossible_limits_end_at_neutral(strategy: Strategy) -> None:
    chain = FilterChain(["brightness", TONE, "shadow"])
    real = make_images("any", (2, 3, 5, 5), seed=3)
    mask = make_masks("binary", real, seed=3)
    drawn, inverse = chain.disharmonize(
        real, mask, generator=seeded(1), limits=Limits(recovery=200), strategy=strategy
    )
    assert drawn.kept.tolist() == [0, 0]
    assert drawn.values.tolist() == [[0, 1, 0, 0]] * 2
    torch.testing.assert_close(inverse.composites, real, rtol=0, atol=1e-5)


@every_strategy
def test_the_seed_makes_the_draw(strategy: Strategy) -> None:
    chain = FilterChain.paper()
    real = make_images("bytes", (2, 3, 6, 6), seed=2)
    mask = make_masks("binary", real, seed=2)
    first, second = (chain.draw(real, mask, generator=seeded(5), strategy=strategy) for _ in range(2))
    assert torch.equal(first.values, second.values)
    assert torch.equal(first.attempts, second.attempts)
    other = chain.draw(real, mask, generator=seeded(6), strategy=strategy)
    assert not torch.equal(first.values, other.values)


@every_strategy
def test_what_an_image_draws_does_not_depend_on_its_batch(strategy: Strategy) -> None:
    """Easy and hard images, small and large regions: who needs more numbers shifts no other's."""
    chain = FilterChain.paper()
    for seed in range(2):
        light = torch.tensor([0.0, 0.5, 0.9]).reshape(3, 1, 1, 1)
        real = (make_images("any", (3, 3, 12, 12), seed) * 0.5 + 0.6 * light).clamp(0, 1)
        mask = torch.zeros(3, 1, 144, dtype=torch.float64)
        for row, size in enumerate((1, 30, 100)):
            mask[row, 0, :size] = 1
        mask = mask.reshape(3, 1, 12, 12)
        generators = [seeded(100 * seed + i) for i in range(3)]
        together = chain.draw(real, mask, generator=generators, strategy=strategy)
        for i in range(3):
            one = slice(i, i + 1)
            alone = chain.draw(real[one], mask[one], generator=[seeded(100 * seed + i)], strategy=strategy)
            torch.testing.assert_close(alone.values, together.values[one])
            torch.testing.assert_close(alone.wanted, together.wanted[one], equal_nan=True)
            assert int(alone.attempts) == int(together.attempts[i])


@every_strategy
def test_columns_without_a_span_stay_neutral(strategy: Strategy) -> None:
    chain = FilterChain.paper().keeping_grey()
    real = make_images("midtones", (8, 3, 5, 5), seed=6)
    drawn = chain.draw(real, torch.ones_like(real[:, :1]), generator=seeded(1), strategy=strategy)
    assert drawn["temperature"].tolist() == [0] * 8
    assert bool((drawn["brightness"] != 0).all())


@every_strategy
@pytest.mark.slow
def test_photos_get_arguments_of_their_own(strategy: Strategy, photo_regions: list[PhotoRegion]) -> None:
    chain = FilterChain.paper()
    rows = []
    for seed, region in enumerate(photo_regions[:6]):
        drawn, inverse = chain.disharmonize(region.image, region.mask, generator=seeded(seed), strategy=strategy)
        check_draw(chain, region.image, region.mask, drawn, inverse, Limits())
        rows.append(drawn.values[0])
    values = torch.stack(rows)
    assert int((values == 0).all(dim=1).sum()) <= 1, "one region has so many clipped pixels that few draws pass"
    assert bool((values.std(dim=0) > 0.02).all())


@pytest.mark.slow
def test_gamut_reaches_further_than_span_where_whites_are_clipped(
    photo_regions: list[PhotoRegion], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing warms or cools white: whole spans lose it, and shrinking gives the other arguments up with it."""
    monkeypatch.setattr("synthharm.filters.drawing.span.ATTEMPTS", 64)
    chain = FilterChain(["temperature", "saturation", "highlight", "shadow"])
    spans = torch.tensor([p.span for p in chain.parameters], dtype=torch.float64)
    reach = {}
    for name in ("gamut", "span"):
        shares = []
        for seed, region in enumerate(photo_regions[:6]):
            white = (region.image / region.image.median()).clamp(0, 1)
            drawn = chain.draw(white, region.mask, generator=seeded(seed), strategy=STRATEGIES[name])
            shares.append((drawn.values[0] / spans).abs())
        reach[name] = torch.stack(shares).mean(dim=0)[1:]
    assert bool((reach["gamut"] > reach["span"]).all()), reach
    assert float(reach["gamut"].mean()) > 1.5 * float(reach["span"].mean())
    assert float(reach["gamut"].min()) > 0.25


def test_gamut_is_uniform_where_anything_goes() -> None:
    chain = FilterChain(["brightness", TONE, "saturation"])
    real = make_images("primaries", (200, 3, 1, 2), seed=5)
    mask = torch.ones_like(real[:, :1])
    drawn = chain.draw(real, mask, generator=seeded(7), limits=ANYTHING, strategy=Gamut())
    assert drawn.attempts.tolist() == [1] * 200
    for column, p in zip(chain.columns, chain.parameters, strict=True):
        offsets = (drawn[column] - p.neutral) / p.span
        assert float(offsets.abs().max()) <= 1
        assert abs(float(offsets.mean())) < 0.15
        assert 0.5 < float(offsets.std()) < 0.66  # uniform: 1 / sqrt(3)


def test_gamut_finds_the_end_of_an_interval() -> None:
    """Grey of 0.8 can be made lighter by a factor of 1.25 at most, which is brightness -0.2, and darker by any."""
    chain = FilterChain(["brightness"])
    real = torch.full((300, 3, 1, 2), 0.8, dtype=torch.float64)
    drawn = chain.draw(real, torch.ones_like(real[:, :1]), generator=seeded(8), strategy=Gamut())
    assert drawn.kept.tolist() == [1] * 300
    least = float(drawn.values.min())
    assert -0.2 <= least < -0.2 + 0.5 / 16 + 0.01
    assert float(drawn.values.max()) > 0.48
    assert 0.2 < float((drawn.values < 0).double().mean()) < 0.35  # 0.19 of 0.69 at least


def test_strategies_cannot_be_changed() -> None:
    for strategy in STRATEGIES.values():
        assert dataclasses.is_dataclass(strategy)
        with pytest.raises(dataclasses.FrozenInstanceError):
            strategy.limits = None  # type: ignore[attr-defined]
