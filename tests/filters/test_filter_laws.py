"""What holds for every filter by itself."""

from __future__ import annotations

import itertools

import plain_filters
import pytest
import torch
from filter_cases import (
    DTYPES,
    EVERY_FILTER,
    accepted_arguments,
    arguments,
    channel_means,
    images,
    known,
    known_of,
    law,
    one_argument,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from synthharm.filters import FILTERS, PAPER, Filter

every_filter = pytest.mark.parametrize("filter_", EVERY_FILTER, ids=lambda f: f.name)

# The formulas' own e = 1e-6 shifts a result by a few e. In the span the powers reach up to 1e-9^(1 - 0.4) = 4e-6
# from black and white, and not all the way. In float32 they are steep there: one step of 6e-8 makes 5e-5.
TOLERANCE = {torch.float32: 2e-4, torch.float64: 6e-6}
NEUTRAL_TOLERANCE = 2e-6  # brightness and saturation at 0 are a factor of 1 / (1 + e)
SAME = {torch.float32: 1e-6, torch.float64: 1e-13}  # the same sums in another order


def neutral(filter_: Filter, like: Tensor) -> Tensor:
    row = torch.tensor([p.neutral for p in filter_.parameters], dtype=like.dtype)
    return one_argument(filter_, row.expand(len(like), -1))


@every_filter
def test_parameters_are_valid(filter_: Filter) -> None:
    assert FILTERS[filter_.name] is filter_
    names = [p.name for p in filter_.parameters]
    assert names
    assert len(set(names)) == len(names)
    for p in filter_.parameters:
        assert p.low <= p.neutral - p.span < p.neutral < p.neutral + p.span <= p.high


def test_the_spans_are_the_published_ones() -> None:
    assert [FILTERS[name].parameters[0].span for name in PAPER] == [0.3, 0.5, 0.5, 0.6, 0.4, 0.4]


@every_filter
@law
@given(st.data())
def test_forward_undoes_the_inverse(filter_: Filter, data: st.DataObject) -> None:
    real = data.draw(images())
    argument = one_argument(filter_, data.draw(arguments(filter_.parameters, real)))
    told = data.draw(known(filter_, real))
    undone = filter_.invert(real, argument, told)
    assert undone.shape == real.shape
    assert undone.dtype == real.dtype
    inside = (undone >= 0) & (undone <= 1)
    if filter_.mixes_channels:
        inside = inside.all(dim=1, keepdim=True)
    back = filter_.apply(undone.clamp(0, 1), argument, told)
    assert float(((back - real).abs() * inside).max()) <= TOLERANCE[real.dtype]


@every_filter
@law
@given(st.data())
def test_the_inverse_undoes_forward_on_midtones(filter_: Filter, data: st.DataObject) -> None:
    image = data.draw(images(kinds=["midtones"]))
    argument = one_argument(filter_, data.draw(arguments(filter_.parameters, image, share=0.5)))
    told = known_of(filter_, image)
    changed = filter_.apply(image, argument, None)
    torch.testing.assert_close(filter_.invert(changed, argument, told), image, rtol=0, atol=TOLERANCE[image.dtype])


@every_filter
@law
@given(st.data())
def test_the_inverse_says_what_no_input_reaches(filter_: Filter, data: st.DataObject) -> None:
    """Where forward of the nearest input misses a pixel, the inverse lies outside [0, 1], or on its very edge."""
    real = data.draw(images(dtypes=[torch.float64]))
    argument = one_argument(filter_, data.draw(arguments(filter_.parameters, real)))
    told = data.draw(known(filter_, real))
    undone = filter_.invert(real, argument, told)
    missed = (filter_.apply(undone.clamp(0, 1), argument, told) - real).abs() > TOLERANCE[real.dtype]
    outside = (undone < 0) | (undone > 1)
    if filter_.mixes_channels:
        missed, outside = missed.any(dim=1), outside.any(dim=1)
    assert not bool((missed & ~outside).any())


@every_filter
@law
@given(st.data())
def test_the_neutral_argument_changes_nothing(filter_: Filter, data: st.DataObject) -> None:
    image = data.draw(images())
    for function in (filter_.apply, filter_.invert):
        same = function(image, neutral(filter_, image), None)
        torch.testing.assert_close(same, image, rtol=0, atol=NEUTRAL_TOLERANCE)


@every_filter
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_neutral_argument_gives_the_same_bytes(filter_: Filter, dtype: torch.dtype) -> None:
    levels = torch.arange(256)
    pixels = torch.stack([levels, levels.flip(0), levels.roll(85)])[None, :, None]
    image = pixels.to(dtype) / 255
    changed = filter_.apply(image, neutral(filter_, image), None)
    assert torch.equal((changed * 255).round().long(), pixels)


@every_filter
@law
@given(st.data())
def test_outputs_stay_in_range_for_all_accepted_arguments(filter_: Filter, data: st.DataObject) -> None:
    image = data.draw(images())
    argument = one_argument(filter_, data.draw(accepted_arguments(filter_.parameters, image)))
    changed = filter_.apply(image, argument, None)
    assert changed.shape == image.shape
    assert changed.dtype == image.dtype
    assert bool(((changed >= 0) & (changed <= 1)).all())
    assert bool(filter_.invert(image, argument, None).isfinite().all())


@every_filter
@law
@given(st.data())
def test_a_batch_is_a_loop(filter_: Filter, data: st.DataObject) -> None:
    batch = data.draw(images())
    argument = one_argument(filter_, data.draw(arguments(filter_.parameters, batch)))
    for function in (filter_.apply, filter_.invert):
        whole = function(batch, argument, None)
        each = [function(batch[i : i + 1], argument[i : i + 1], None) for i in range(len(batch))]
        torch.testing.assert_close(whole, torch.cat(each), rtol=SAME[batch.dtype], atol=SAME[batch.dtype])


@pytest.mark.parametrize("filter_", [f for f in EVERY_FILTER if not f.mixes_channels], ids=lambda f: f.name)
@law
@given(st.data())
def test_channels_mix_only_where_the_filter_says_so(filter_: Filter, data: st.DataObject) -> None:
    image = data.draw(images())
    argument = one_argument(filter_, data.draw(arguments(filter_.parameters, image)))
    told = data.draw(known(filter_, image))
    for channel, function in itertools.product(range(3), (filter_.apply, filter_.invert)):
        other = image.flip(2, 3) / 2
        other[:, channel] = image[:, channel]
        torch.testing.assert_close(
            function(other, argument, told)[:, channel],
            function(image, argument, told)[:, channel],
            rtol=SAME[image.dtype],
            atol=SAME[image.dtype],
        )


@pytest.mark.parametrize("filter_", [f for f in EVERY_FILTER if f.mixes_channels], ids=lambda f: f.name)
def test_channels_do_mix_where_the_filter_says_so(filter_: Filter) -> None:
    image = torch.tensor([0.6, 0.5, 0.4], dtype=torch.float64).reshape(1, 3, 1, 1)
    argument = one_argument(
        filter_, torch.tensor([[p.neutral + p.span / 2 for p in filter_.parameters]], dtype=torch.float64)
    )
    other = image.clone()
    other[:, 0] += 0.1
    assert not torch.equal(
        filter_.apply(other, argument, None)[:, 1:], filter_.apply(image, argument, None)[:, 1:]
    )


@every_filter
@law
@given(st.data())
def test_with_all_known_a_filter_is_pointwise(filter_: Filter, data: st.DataObject) -> None:
    image = data.draw(images())
    argument = one_argument(filter_, data.draw(arguments(filter_.parameters, image)))
    told = data.draw(known(filter_, image))
    size = image.shape[2] * image.shape[3]
    order = torch.tensor(data.draw(st.permutations(range(size))))

    def shuffled(pixels: Tensor) -> Tensor:
        return pixels.flatten(2)[:, :, order].reshape(pixels.shape)

    told_shuffled = shuffled(told) if told is not None and filter_.needs_positions else told
    for function in (filter_.apply, filter_.invert):
        torch.testing.assert_close(
            function(shuffled(image), argument, told_shuffled),
            shuffled(function(image, argument, told)),
            rtol=SAME[image.dtype],
            atol=SAME[image.dtype],
        )


@every_filter
@law
@given(st.data())
def test_what_is_known_enters_only_where_the_filter_says_so(filter_: Filter, data: st.DataObject) -> None:
    """Given what a filter would take from the image, it does the same; given other numbers, it does otherwise."""
    image = data.draw(images(kinds=["midtones"]))
    argument = one_argument(filter_, data.draw(arguments(filter_.parameters, image, share=0.5, least=0.2)))
    told = known_of(filter_, image)
    if told is None:
        other = channel_means(image)
    elif filter_.needs_means:
        other = told * torch.tensor([0.5, 0.8, 1.1], dtype=image.dtype)
    else:
        other = told / 2 + 0.3
    for function in (filter_.apply, filter_.invert):
        by_itself = function(image, argument, None)
        torch.testing.assert_close(function(image, argument, told), by_itself, rtol=0, atol=SAME[image.dtype])
        assert torch.equal(function(image, argument, other), by_itself) is (told is None)


@pytest.mark.parametrize("filter_", [f for f in EVERY_FILTER if f.keeps_grey], ids=lambda f: f.name)
@law
@given(st.data())
def test_grey_stays_grey_where_the_filter_says_so(filter_: Filter, data: st.DataObject) -> None:
    """Grey pixels, in an image whose other pixels need not be."""
    image = data.draw(images(kinds=["grey", "black", "white"]))
    argument = one_argument(filter_, data.draw(arguments(filter_.parameters, image)))
    told = data.draw(known(filter_, image))
    for function in (filter_.apply, filter_.invert):
        changed = function(image, argument, told)
        spread = changed.amax(dim=1) - changed.amin(dim=1)
        assert float(spread.max()) <= SAME[image.dtype] * max(1.0, float(changed.abs().max()))


@pytest.mark.parametrize("filter_", [f for f in EVERY_FILTER if not f.keeps_grey], ids=lambda f: f.name)
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
def test_grey_is_tinted_where_the_filter_says_so(filter_: Filter, side: int, level: float) -> None:
    image = torch.full((1, 3, 2, 2), level, dtype=torch.float64)
    shares = side * torch.linspace(-1, 1, len(filter_.parameters))  # no two channels get the same
    row = [p.neutral + p.span * float(share) for p, share in zip(filter_.parameters, shares, strict=True)]
    argument = one_argument(filter_, torch.tensor([row], dtype=torch.float64))
    for function in (filter_.apply, filter_.invert):
        changed = function(image, argument, known_of(filter_, image))
        assert float((changed.amax(dim=1) - changed.amin(dim=1)).min()) > 0.01


MEASURES = {
    "temperature": lambda image: image[:, 0] - image[:, 2],
    "brightness": lambda image: image,
    "contrast": lambda image: (image - image.mean()).square().mean(),
    "saturation": lambda image: image.amax(dim=1) - image.amin(dim=1),
    "highlight": lambda image: image,
    "shadow": lambda image: image,
    "exposure": lambda image: image,
    "gamma": lambda image: image,
    "vibrance": lambda image: image.amax(dim=1) - image.amin(dim=1),
}


@pytest.mark.parametrize("name", sorted(MEASURES))
@law
@given(st.data())
def test_a_larger_argument_does_what_the_name_says(name: str, data: st.DataObject) -> None:
    filter_ = FILTERS[name]
    image = data.draw(images(kinds=["midtones"], dtypes=[torch.float64]))
    assume(image.shape[2] * image.shape[3] > 1)
    span = filter_.parameters[0].span / 2
    low = data.draw(st.floats(-span, span - 0.02))
    high = data.draw(st.floats(low + 0.02, span))
    lower, higher = (
        MEASURES[name](filter_.apply(image, torch.tensor([x], dtype=torch.float64).expand(len(image)), None))
        for x in (low, high)
    )
    assert bool((higher > lower).all())


@pytest.mark.parametrize("name", PAPER)
@law
@given(st.data())
def test_forward_is_the_published_formula(name: str, data: st.DataObject) -> None:
    filter_ = FILTERS[name]
    image = data.draw(images(dtypes=[torch.float64], most=1))
    argument = data.draw(accepted_arguments(filter_.parameters, image))[:, 0]
    means = channel_means(image)
    colours = [(float(r), float(g), float(b)) for r, g, b in image[0].flatten(1).T]
    formula, x = plain_filters.FORWARD[name], float(argument)
    m = (float(means[0, 0]), float(means[0, 1]), float(means[0, 2]))
    expected = torch.tensor([formula(colour, x, m) for colour in colours], dtype=torch.float64)
    changed = filter_.apply(image, argument, None)[0].flatten(1).T
    torch.testing.assert_close(changed, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("argument", [-1.0, -0.45, -0.002, 0.0, 0.002, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("name", PAPER)
def test_forward_is_the_published_formula_all_over_the_gamut(name: str, argument: float) -> None:
    levels = (0.0, 0.1, 0.35, 0.6, 0.85, 1.0)
    colours = list(itertools.product(levels, repeat=3))
    image = torch.tensor(colours, dtype=torch.float64).T[None, :, :, None]
    m = (0.3, 0.55, 0.4)
    expected = torch.tensor([plain_filters.FORWARD[name](c, argument, m) for c in colours], dtype=torch.float64)
    changed = FILTERS[name].apply(
        image, torch.tensor([argument], dtype=torch.float64), torch.tensor([m], dtype=torch.float64)
    )
    torch.testing.assert_close(changed[0, :, :, 0].T, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", ["highlight", "shadow"])
@law
@given(st.data())
def test_powers_never_lead_out_of_range(name: str, data: st.DataObject) -> None:
    filter_ = FILTERS[name]
    real = data.draw(images())
    undone = filter_.invert(real, data.draw(arguments(filter_.parameters, real))[:, 0], None)
    rounding = SAME[real.dtype] / 10
    assert -rounding <= float(undone.min())
    assert float(undone.max()) <= 1 + rounding


@pytest.mark.parametrize("name", PAPER)
def test_neutral_is_where_the_published_formulas_have_it(name: str) -> None:
    assert [(p.neutral, p.low, p.high) for p in FILTERS[name].parameters] == [(0, -1, 1)]


@pytest.mark.parametrize("argument", [-0.3, -0.01, 0.0, 0.002, 0.01, 0.2, 0.5])
def test_contrast_keeps_the_published_steps(argument: float) -> None:
    """More contrast goes by whole steps of 1/255: an argument in between gives the step below it."""
    image = torch.tensor([0.45, 0.55], dtype=torch.float64).expand(1, 3, 1, 2)
    contrast = FILTERS["contrast"].apply(image, torch.tensor([argument], dtype=torch.float64), None)
    factor = 255 / (256 - int(255 * argument)) if argument > 0 else 1 + argument
    assert float(contrast[0, 0, 0, 1] - contrast[0, 0, 0, 0]) == pytest.approx(0.1 * factor, abs=1e-12)
