"""The inverse as a function that can be trained through."""

from __future__ import annotations

import pytest
import torch
from filter_cases import make_images, make_masks
from torch import Tensor
from torch.autograd import gradcheck

from synthharm.filters import PAPER, FilterChain

ORDERS = (PAPER, PAPER[::-1], ("contrast", "saturation", "temperature"), ("temperature",), ("shadow", "highlight"))

# Contrast is less than neutral here: above, its published steps are what finite differences would see.
VALUES = {
    "temperature": 0.08,
    "brightness": -0.1,
    "contrast": -0.12,
    "saturation": 0.15,
    "highlight": 0.1,
    "shadow": -0.1,
}


@pytest.mark.parametrize("statistics", ["image", "foreground"])
@pytest.mark.parametrize("kind", ["binary", "soft"])
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_the_inverses_gradient_agrees_with_finite_differences(
    statistics: str, kind: str, order: tuple[str, ...]
) -> None:
    chain = FilterChain(order, statistics)
    real = make_images("midtones", (1, 3, 2, 3), seed=11)
    mask = make_masks(kind, real, seed=13)
    mask[0, 0, 0, 0] = 0
    assert 0 < float(mask.sum()) < 6
    values = torch.tensor([[VALUES[name] for name in order]], dtype=torch.float64)

    def composites(image: Tensor, row: Tensor) -> Tensor:
        inverse = chain.invert(image, mask, row)
        assert torch.equal(inverse.recoverable, mask > 0)
        return inverse.composites

    inputs = (real.requires_grad_(), values.requires_grad_())
    assert gradcheck(composites, inputs, atol=1e-6, rtol=1e-4, fast_mode=kind == "soft")  # soft masks take long


@pytest.mark.parametrize("kind", ["binary", "soft"])
def test_applying_has_gradients_too(kind: str) -> None:
    chain = FilterChain.paper()
    composite = make_images("midtones", (2, 3, 2, 2), seed=12)
    mask = make_masks(kind, composite, seed=14)
    values = torch.tensor([[VALUES[name] for name in PAPER]] * 2, dtype=torch.float64)
    inputs = (composite.requires_grad_(), mask.requires_grad_(), values.requires_grad_())
    assert gradcheck(chain.apply, inputs)


def test_contrasts_steps_pass_a_gradient_through_the_inverse() -> None:
    chain = FilterChain.paper()
    real = make_images("midtones", (1, 3, 3, 3), seed=15)
    mask = make_masks("binary", real, seed=15)
    values = torch.full((1, 6), 0.1, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(chain.invert(real, mask, values).composites.square().sum(), values)
    assert bool((gradient.abs() > 1e-4).all())


def test_nothing_is_recorded_that_nobody_asked_for() -> None:
    chain = FilterChain.paper()
    real = make_images("midtones", (1, 3, 3, 3), seed=16)
    for kind in ("binary", "soft"):
        inverse = chain.invert(real, make_masks(kind, real, seed=16), chain.arguments(contrast=-0.1))
        assert not inverse.composites.requires_grad
