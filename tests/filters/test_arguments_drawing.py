"""What holds for drawn arguments: that they cost no more than allowed, and are drawn as they should be."""

from __future__ import annotations

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

from synthharm.filters import PAPER, Arguments, FilterChain, Inverse, Limits
from synthharm.filters.drawing import draw, span, task

ANYTHING = Limits(unrecoverable=1, recovery=0)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def share_lost(inverse: Inverse, mask: Tensor) -> float:
    foreground = int((mask > 0).sum())
    return 1 - int(inverse.recoverable.sum()) / foreground if foreground else 0.0


def check_draw(
    chain: FilterChain, real: Tensor, mask: Tensor, drawn: Arguments, inverse: Inverse, limits: Limits
) -> None:
    """What holds of every draw, image by image."""
    spans = [chain.spans.get(c, p.span) for c, p in zip(chain.columns, chain.parameters, strict=True)]
    neutral = torch.tensor([p.neutral for p in chain.parameters], dtype=real.dtype)
    assert drawn.columns == chain.columns
    assert drawn.values.dtype == real.dtype
    assert bool(((drawn.values - neutral).abs() <= torch.tensor(spans, dtype=real.dtype) + 1e-6).all())
    assert bool(((drawn.kept >= 0) & (drawn.kept <= 1)).all())
    assert bool(((drawn.attempts >= 1) & (drawn.attempts <= span.ATTEMPTS)).all())
    with torch.no_grad():
        again = chain.invert(real, mask, drawn)
    torch.testing.assert_close(inverse.composites, again.composites, rtol=0, atol=1e-6)
    for i in range(len(real)):
        one = slice(i, i + 1)
        if drawn.kept[i] == 0:
            assert torch.equal(drawn.values[i], neutral)
            continue
        with torch.no_grad():
            alone = chain.invert(real[one], mask[one], drawn.values[one])
        assert share_lost(alone, mask[one]) <= limits.unrecoverable + 1e-9
        rounded = (alone.composites * limits.levels).round() / limits.levels
        harmonized = chain.apply(rounded, mask[one], drawn.values[one])
        assert error_in_decibels(harmonized, real[one], alone.recoverable) >= limits.recovery - 1e-3


some_limits = st.sampled_from(
    [
        Limits(),
        ANYTHING,
        Limits(unrecoverable=0),
        Limits(unrecoverable=0.3, recovery=25),
        Limits(recovery=45),
        Limits(recovery=60, levels=65535),
    ]
)


@settings(law, max_examples=24)
@given(st.data())
def test_any_image_gets_arguments_within_the_limits(data: st.DataObject) -> None:
    chain = data.draw(chains())
    real = data.draw(images())
    mask = data.draw(masks(real, kinds=MASK_KINDS))
    limits = data.draw(some_limits)
    drawn, inverse = chain.disharmonize(
        real, mask, generator=seeded(data.draw(st.integers(0, 999))), limits=limits
    )
    check_draw(chain, real, mask, drawn, inverse, limits)


@pytest.mark.parametrize("kind", ["any", "black", "white", "midtones"])
@pytest.mark.parametrize("side", [1, 4])
def test_soft_masks_get_arguments_within_the_limits(kind: str, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span, "ATTEMPTS", 2)  # each one at a soft mask takes long
    monkeypatch.setattr(task, "SHRINK", 0.5)
    chain = FilterChain(["temperature", "contrast", "shadow"])
    real = make_images(kind, (1, 3, side, side), seed=side)
    mask = make_masks("soft", real, seed=side) if side > 1 else torch.full((1, 1, 1, 1), 0.5).double()
    drawn, inverse = chain.disharmonize(real, mask, generator=seeded(side))
    check_draw(chain, real, mask, drawn, inverse, Limits())


@pytest.mark.parametrize("colour", [0.0, 1.0])
@pytest.mark.parametrize("statistics", ["image", "foreground"])
def test_black_and_white_images_get_arguments(colour: float, statistics: str) -> None:
    chain = FilterChain(PAPER, statistics)
    for side, dtype in ((1, torch.float32), (6, torch.float64)):
        real = torch.full((2, 3, side, side), colour, dtype=dtype)
        mask = make_masks("one pixel", real, seed=0)
        drawn, inverse = chain.disharmonize(real, mask, generator=[seeded(1), seeded(2)])
        check_draw(chain, real, mask, drawn, inverse, Limits())


def test_draw_is_disharmonize_without_the_composites() -> None:
    chain = FilterChain.paper()
    real = make_images("any", (2, 3, 6, 6), seed=1)
    mask = make_masks("binary", real, seed=1)
    drawn = chain.draw(real, mask, generator=seeded(3))
    again, _ = chain.disharmonize(real, mask, generator=seeded(3))
    assert torch.equal(drawn.values, again.values)
    assert torch.equal(drawn.kept, again.kept)
    assert torch.equal(drawn.attempts, again.attempts)


def test_the_seed_makes_the_draw() -> None:
    chain = FilterChain.paper()
    real = make_images("any", (2, 3, 6, 6), seed=2)
    mask = make_masks("binary", real, seed=2)
    first, second = (chain.draw(real, mask, generator=seeded(5)).values for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, chain.draw(real, mask, generator=seeded(6)).values)
    assert not torch.equal(first[0], first[1])


def test_with_its_own_generator_an_image_draws_whatever_its_batch_is() -> None:
    """Regions of very different sizes: neither what is sampled nor who else fails may shift a draw."""
    chain = FilterChain.paper()
    for seed in range(12):
        light = torch.rand(3, 1, 1, 1, generator=seeded(seed), dtype=torch.float64)
        real = make_images("any", (3, 3, 12, 12), seed) * 0.6 + 0.4 * light
        mask = torch.zeros(3, 1, 144, dtype=torch.float64)
        for row, size in enumerate((1, 30, 100)):
            mask[row, 0, :size] = 1
        mask = mask.reshape(3, 1, 12, 12)
        together = chain.draw(real, mask, generator=[seeded(100 * seed + i) for i in range(3)])
        for i in range(3):
            one = slice(i, i + 1)
            alone = chain.draw(real[one], mask[one], generator=[seeded(100 * seed + i)])
            torch.testing.assert_close(alone.values, together.values[one])
            assert int(alone.attempts) == int(together.attempts[i])
            torch.testing.assert_close(alone.kept, together.kept[one])


def test_a_larger_region_beside_it_costs_a_region_nothing() -> None:
    """One pixel in thirty may be lost, and is, however many pixels the other region of the batch has."""
    chain = FilterChain(["brightness"])
    limits = Limits(unrecoverable=1.001 / 30, recovery=0)
    mask = torch.zeros(2, 1, 1, 100, dtype=torch.float64)
    mask[0, ..., :30], mask[1] = 1, 1
    for white in range(30):
        real = torch.full((2, 3, 1, 100), 0.3, dtype=torch.float64)
        real[0, ..., white] = 1
        alone, together = (
            chain.draw(real[:n], mask[:n], generator=[seeded(white), seeded(0)][:n], limits=limits) for n in (1, 2)
        )
        assert int(alone.attempts) == 1
        assert int(together.attempts[0]) == 1, f"pixel {white} is white"
        torch.testing.assert_close(alone.values, together.values[:1])


@pytest.mark.parametrize("statistics", ["image", "foreground"])
def test_impossible_limits_end_at_neutral(statistics: str) -> None:
    chain = FilterChain(["contrast", TONE, "shadow"], statistics)
    real = make_images("any", (2, 3, 5, 5), seed=3).float()
    mask = make_masks("binary", real, seed=3)
    drawn, inverse = chain.disharmonize(real, mask, generator=seeded(1), limits=Limits(recovery=200))
    assert drawn.kept.tolist() == [0, 0]
    assert drawn.values.tolist() == [[0, 1, 0, 0]] * 2
    assert drawn.attempts.tolist() == [span.ATTEMPTS] * 2
    torch.testing.assert_close(inverse.composites, real, rtol=0, atol=1e-5)


def test_one_hopeless_image_spoils_no_other_in_its_batch() -> None:
    chain = FilterChain(["brightness", "contrast"])
    easy = make_images("midtones", (1, 3, 6, 6), seed=4)
    hard = torch.cat([torch.zeros(1, 3, 3, 6), torch.ones(1, 3, 3, 6)], dim=2).double()
    mask = torch.ones(2, 1, 6, 6, dtype=torch.float64)
    drawn = chain.draw(torch.cat([easy, hard]), mask, generator=[seeded(1), seeded(2)])
    assert float(drawn.kept[0]) == 1
    assert float(drawn.values[0].abs().min()) > 0
    assert int(drawn.attempts[1]) > 1


def test_anything_goes_where_the_limits_allow_anything() -> None:
    """No draw is refused: each argument is spread over all of its span, and not beyond."""
    chain = FilterChain(["brightness", TONE, "saturation"])
    real = make_images("primaries", (200, 3, 1, 2), seed=5)
    drawn = chain.draw(real, torch.ones_like(real[:, :1]), generator=seeded(7), limits=ANYTHING)
    assert drawn.attempts.tolist() == [1] * 200
    assert drawn.kept.tolist() == [1] * 200
    for column, p in zip(chain.columns, chain.parameters, strict=True):
        offsets = (drawn[column] - p.neutral) / p.span
        assert float(offsets.abs().max()) <= 1
        assert float(offsets.min()) < -0.9
        assert float(offsets.max()) > 0.9
        assert abs(float(offsets.mean())) < 0.15
        assert 0.45 < float(offsets.std()) < 0.7  # uniform: 1 / sqrt(3)
    assert float(torch.corrcoef(drawn.values.T).fill_diagonal_(0).abs().max()) < 0.3


def test_spans_given_to_the_chain_are_those_drawn_from() -> None:
    chain = FilterChain(["brightness", TONE, "saturation"], spans={"brightness": 1.0, "tone.gain": 0.0})
    real = make_images("any", (100, 3, 1, 2), seed=6)
    drawn = chain.draw(real, torch.ones_like(real[:, :1]), generator=seeded(8), limits=ANYTHING)
    assert drawn["tone.gain"].tolist() == [1] * 100
    assert float(drawn["brightness"].abs().max()) > 0.9
    assert 0.55 < float(drawn["saturation"].abs().max()) <= 0.6


@settings(law, max_examples=12)
@given(st.data())
def test_photos_without_colour_keep_none(data: st.DataObject) -> None:
    chain = data.draw(chains())
    real = data.draw(images(kinds=["grey"]))[:, :1].expand(-1, 3, -1, -1).clone()
    mask = data.draw(masks(real, kinds=["all", "binary", "one pixel"]))
    drawn, inverse = chain.keeping_grey().disharmonize(real, mask, generator=seeded(1), limits=ANYTHING)
    spread = inverse.composites.amax(dim=1) - inverse.composites.amin(dim=1)
    assert float(spread.max()) <= 1e-6
    owners = [f for f in chain.filters for _ in f.parameters]
    for column, parameter, f in zip(chain.columns, chain.parameters, owners, strict=True):
        moved = bool((drawn[column] != parameter.neutral).all())
        assert moved is f.keeps_grey, "more is held still than need be"


def test_keeping_grey_changes_nothing_else_of_a_chain() -> None:
    chain = FilterChain([TONE, "shadow", "temperature"], "foreground", {"shadow": 0.1, "temperature": 0.2})
    grey = chain.keeping_grey()
    assert (grey.filters, grey.statistics) == (chain.filters, "foreground")
    assert grey.spans == {"shadow": 0.1, "temperature": 0.0}


def test_a_stricter_limit_is_kept() -> None:
    """Each limit by itself decides over the same draws."""
    chain = FilterChain.paper()
    real = make_images("bytes", (8, 3, 6, 6), seed=7)
    mask = torch.ones_like(real[:, :1])

    def attempts(limits: Limits) -> int:
        return int(chain.draw(real, mask, generator=[seeded(i) for i in range(8)], limits=limits).attempts.sum())

    assert attempts(ANYTHING) == 8
    assert attempts(Limits(unrecoverable=0.02, recovery=0)) > 8
    assert attempts(Limits(unrecoverable=1, recovery=55)) > 8
    assert attempts(Limits(unrecoverable=1, recovery=55, levels=65535)) == 8
    assert attempts(Limits(unrecoverable=1, recovery=25, levels=7)) > 8


@pytest.mark.slow
def test_photos_keep_most_of_what_is_drawn(photo_regions: list[PhotoRegion]) -> None:
    chain = FilterChain.paper()
    rows, kept = [], []
    for seed, region in enumerate(photo_regions):
        drawn, inverse = chain.disharmonize(region.image, region.mask, generator=seeded(seed))
        check_draw(chain, region.image, region.mask, drawn, inverse, Limits())
        rows.append(drawn.values[0])
        kept.append(drawn.kept[0])
    values = torch.stack(rows)
    assert float(torch.stack(kept).median()) == 1
    assert len(values.unique(dim=0)) == len(values)
    spans = torch.tensor([p.span for p in chain.parameters])
    assert bool((values.std(dim=0) > 0.2 * spans).all())


def test_large_images_are_judged_on_all_their_pixels() -> None:
    """More pixels than the sample on which draws are tried: a hundredth more is white than may be lost.

    Darkening loses all that is white. About every second sample has less white than is allowed, and passes.
    """
    chain = FilterChain(["brightness"])
    side = 80
    assert side * side > 4 * draw.SAMPLE
    limits = Limits(unrecoverable=0.05, recovery=0)
    given_up = 0
    for seed in range(24):
        order = torch.randperm(side * side, generator=seeded(seed))
        real = torch.full((1, 3, side * side), 0.3, dtype=torch.float64)
        real[..., order[: int(0.0505 * side * side)]] = 1
        real = real.reshape(1, 3, side, side)
        mask = torch.ones(1, 1, side, side, dtype=torch.float64)
        drawn, inverse = chain.disharmonize(real, mask, generator=seeded(seed), limits=limits)
        check_draw(chain, real, mask, drawn, inverse, limits)
        assert float(drawn["brightness"]) >= 0
        given_up += int(float(drawn.kept) == 0)
    assert 0 < given_up < 24


def test_what_no_draw_passes_is_shrunk_no_further_than_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """Light grey can be warmed or cooled a little before a channel of the composite would leave [0, 1]."""
    monkeypatch.setattr(span, "ATTEMPTS", 1)
    chain = FilterChain(["temperature"])
    real = torch.full((40, 3, 2, 2), 0.96, dtype=torch.float64)
    mask = torch.ones(40, 1, 2, 2, dtype=torch.float64)
    drawn, inverse = chain.disharmonize(real, mask, generator=seeded(1))
    check_draw(chain, real, mask, drawn, inverse, Limits())
    shrunk = drawn.kept < 1
    assert bool((drawn.kept > 0).all())
    assert 10 < int(shrunk.sum()) < 40
    step_before = chain.invert(real, mask, drawn.values / task.SHRINK)
    assert not bool(step_before.recoverable[shrunk].any())
