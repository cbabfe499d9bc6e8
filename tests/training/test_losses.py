"""What training makes small, against the same written out by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from synthharm.filters import FilterChain
from synthharm.recipe.training import Loss
from synthharm.training import batch_loss, region_losses, weigh
from synthharm.training.batches import Batch
from synthharm.training.losses import argument_errors

CHAIN = FilterChain.paper()
LOSSES = st.lists(st.floats(1e-3, 10), min_size=2, max_size=6)


def scene(seed: int, known: bool = True) -> tuple[Batch, Tensor]:
    """Two small composites with their targets, and arguments beside the true ones."""
    random = torch.Generator().manual_seed(seed)
    reals = torch.rand(2, 3, 6, 5, generator=random) * 0.5 + 0.25
    masks = torch.zeros(2, 1, 6, 5)
    masks[0, :, 1:4, 1:4] = 1
    masks[1, :, 2:, :3] = 1
    arguments = (torch.rand(2, 6, generator=random) - 0.5) * 0.2
    composites = CHAIN.invert(reals, masks, arguments).composites
    targets = torch.stack(list(CHAIN.steps(composites, masks, arguments)), dim=1)
    truth = arguments if known else torch.full_like(arguments, math.nan)
    batch = Batch(composites, masks, reals, truth, targets, torch.full((2,), known))
    return batch, arguments + (torch.rand(2, 6, generator=random) - 0.5) * 0.2


def test_a_regions_loss_is_the_formula_over_its_pixels() -> None:
    batch, _ = scene(1)
    found = region_losses(batch.composites, batch.reals, batch.masks, Loss())
    for row in range(2):
        total, pixels = 0.0, 0
        for y in range(6):
            for x in range(5):
                if batch.masks[row, 0, y, x]:
                    pixels += 1
                    for channel in range(3):
                        d = float(batch.composites[row, channel, y, x] - batch.reals[row, channel, y, x])
                        total += math.sqrt(d * d + 1e-6) + 10 * d * d
        assert float(found[row]) == pytest.approx(total / (3 * pixels), rel=1e-4)


def test_what_is_outside_the_region_does_not_count() -> None:
    batch, _ = scene(2)
    spoilt = batch.reals + (1 - batch.masks) * 0.3
    assert torch.equal(
        region_losses(batch.composites, spoilt, batch.masks, Loss()),
        region_losses(batch.composites, batch.reals, batch.masks, Loss()),
    )


def test_a_small_region_is_spread_over_the_least_number_of_pixels() -> None:
    batch, _ = scene(3)
    plain = region_losses(batch.composites, batch.reals, batch.masks, Loss())
    spread = region_losses(batch.composites, batch.reals, batch.masks, Loss(least_pixels=10))
    assert float(spread[0]) == pytest.approx(float(plain[0]) * 9 / 10)
    assert float(spread[1]) == pytest.approx(float(plain[1]))  # of 12 pixels


@given(LOSSES)
def test_dynamic_weights_are_as_published(values: list[float]) -> None:
    losses = torch.tensor([values], dtype=torch.float64, requires_grad=True)
    weighed = weigh(losses, "dynamic")
    assert float(weighed.detach()) == pytest.approx(1)  # every sample counts alike
    weighed.sum().backward()
    rises = [values[0], *(max(b - a, 0) for a, b in pairwise(values))]
    divisor = sum(rises)
    # A filter has a gradient only for what it adds to the loss of those before it.
    expected = [1 / divisor if place == 0 or rise > 0 else 0.0 for place, rise in enumerate(rises)]
    assert losses.grad is not None
    assert losses.grad[0].tolist() == pytest.approx(expected)


def test_other_weights_are_the_mean_the_last_and_ones_own() -> None:
    losses = torch.tensor([[1.0, 2.0, 6.0]])
    assert float(weigh(losses, "uniform")) == 3
    assert float(weigh(losses, "last")) == 6
    assert float(weigh(losses, [1, 0, 0.5])) == 4


@pytest.mark.parametrize("weighting", ["dynamic", "uniform", "last", [1, 1, 1, 1, 1, 1]])
def test_the_true_arguments_lose_next_to_nothing(weighting: str | list[float]) -> None:
    batch, wrong = scene(4)
    section = Loss(weighting=weighting, arguments=1)
    true_final = batch_loss(batch.arguments, batch, CHAIN, section)[1]
    wrong_final = batch_loss(wrong, batch, CHAIN, section)[1]
    assert float(true_final["final"]) == pytest.approx(1e-3, abs=1e-5)  # the root of 1e-6
    assert float(true_final["arguments"]) == 0
    assert float(wrong_final["final"]) > 10 * float(true_final["final"])


def test_without_known_arguments_the_final_image_counts_ten_times() -> None:
    batch, predicted = scene(5, known=False)
    found, parts = batch_loss(predicted, batch, CHAIN, Loss(arguments=3))
    final = region_losses(CHAIN.apply(batch.composites, batch.masks, predicted), batch.reals, batch.masks, Loss())
    assert float(found) == pytest.approx(10 * float(final.mean()), rel=1e-5)
    assert "arguments" not in parts


def test_errors_of_arguments_are_in_spans() -> None:
    chain = FilterChain(["temperature", "brightness"], spans={"brightness": 0.1})
    error = argument_errors(torch.tensor([[0.3, 0.0]]), torch.tensor([[0.0, 0.05]]), chain)
    assert float(error) == pytest.approx((1 + 0.5) / 2)


def test_the_loss_leads_to_the_true_arguments() -> None:
    batch, predicted = scene(6)
    values = predicted.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([values], lr=0.02)
    before = (predicted - batch.arguments).abs().mean()
    for _ in range(150):
        optimizer.zero_grad()
        batch_loss(values, batch, CHAIN, Loss(arguments=0.1))[0].backward()
        optimizer.step()
    assert float((values.detach() - batch.arguments).abs().mean()) < 0.3 * float(before)
