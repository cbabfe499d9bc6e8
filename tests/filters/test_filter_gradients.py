"""The gradients of every filter, against finite differences."""

from __future__ import annotations

import pytest
import torch
from filter_cases import EVERY_FILTER, known_of, make_images, one_argument
from torch import Tensor
from torch.autograd import gradcheck

from synthharm.filters import FILTERS, Filter

every_filter = pytest.mark.parametrize("filter_", EVERY_FILTER, ids=lambda f: f.name)
either_side = pytest.mark.parametrize("side", [-0.5, 0.4])


def case(filter_: Filter, side: float) -> tuple[Tensor, Tensor]:
    """Midtones, and an argument at which they stay clear of black and white."""
    image = make_images("midtones", (2, 3, 2, 2), seed=3)
    values = [[p.neutral + side * p.span * z for p in filter_.parameters] for z in (1.0, 0.7)]
    return image, one_argument(filter_, torch.tensor(values, dtype=torch.float64))


def goes_by_steps(filter_: Filter, side: float) -> bool:
    """Whether finite differences would see the steps that the gradient passes over."""
    return filter_.name == "contrast" and side > 0


@every_filter
@either_side
@pytest.mark.parametrize("direction", ["apply", "invert"])
@pytest.mark.parametrize("told", [True, False])
def test_gradients_agree_with_finite_differences(filter_: Filter, side: float, direction: str, told: bool) -> None:
    image, argument = case(filter_, side)
    function = getattr(filter_, direction)
    known = known_of(filter_, image) if told else None
    argument.requires_grad_(not goes_by_steps(filter_, side))
    if known is not None:
        known.requires_grad_()
    assert gradcheck(function, (image.requires_grad_(), argument, known))


@pytest.mark.parametrize("argument", [0.002, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("direction", ["apply", "invert"])
def test_contrasts_gradient_passes_through_its_steps(argument: float, direction: str) -> None:
    """It is that of the formula without floor() at the step below: steps of 1/255 are otherwise flat."""
    image, means = make_images("midtones", (1, 3, 2, 2), seed=4), torch.tensor([[0.4, 0.5, 0.55]]).double()
    from_tone = image - means.mean()
    step = int(255 * argument) / 255
    slope = 255 * 255 / (256 - 255 * step) ** 2  # of 255 / (256 - 255 x)
    expected = from_tone * slope if direction == "apply" else -from_tone  # the inverse's factor is linear in x
    x = torch.tensor([argument], dtype=torch.float64, requires_grad=True)
    output = getattr(FILTERS["contrast"], direction)(image, x, means)
    seen = torch.stack([torch.autograd.grad(value, x, retain_graph=True)[0][0] for value in output.flatten()])
    torch.testing.assert_close(seen.reshape(image.shape), expected)
    assert float(seen.abs().min()) > 0


@every_filter
def test_gradients_at_neutral_are_finite(filter_: Filter) -> None:
    """Zero everywhere is where training starts."""
    for kind in ("black", "white", "grey", "primaries", "any"):
        image = make_images(kind, (2, 3, 2, 2), seed=5).requires_grad_()
        row = torch.tensor([[p.neutral for p in filter_.parameters]] * 2, dtype=torch.float64)
        argument = one_argument(filter_, row).clone().requires_grad_()
        gradients = torch.autograd.grad(filter_.apply(image, argument, None).sum(), (image, argument))
        assert all(bool(gradient.isfinite().all()) for gradient in gradients), kind


@every_filter
@pytest.mark.parametrize("side", [-1.0, -0.5, 0.5, 1.0])
@pytest.mark.parametrize("direction", ["apply", "invert"])
def test_gradients_are_finite_at_the_ends_of_the_gamut(filter_: Filter, side: float, direction: str) -> None:
    """Powers are infinitely steep at black or white: the published 1e-9 keeps them from it."""
    for kind in ("black", "white", "grey", "one channel", "primaries"):
        image = make_images(kind, (2, 3, 2, 2), seed=5).requires_grad_()
        row = torch.tensor([[p.neutral + side * p.span for p in filter_.parameters]] * 2, dtype=torch.float64)
        argument = one_argument(filter_, row).clone().requires_grad_()
        known = torch.full((2, 3), 0.5).double() if filter_.needs_means else None
        output = getattr(filter_, direction)(image, argument, known)
        gradients = torch.autograd.grad(output.sum(), (image, argument))
        assert all(bool(gradient.isfinite().all()) for gradient in gradients), kind


@every_filter
def test_every_argument_has_a_gradient_at_neutral(filter_: Filter) -> None:
    """A filter whose argument had none at neutral could not be learned from there."""
    image = make_images("midtones", (1, 3, 2, 2), seed=6)
    row = torch.tensor([[p.neutral for p in filter_.parameters]], dtype=torch.float64)
    weights = make_images("any", image.shape, seed=7)
    for nudge in (1e-3, -1e-3):
        argument = (one_argument(filter_, row) + nudge).requires_grad_()
        changed = filter_.apply(image, argument, None)
        (gradient,) = torch.autograd.grad((changed * weights).sum(), argument)
        assert bool((gradient.abs() > 1e-4).all())
