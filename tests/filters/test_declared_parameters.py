"""What filters say of themselves: spans, limits and flags, as recipes and papers rely on them."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from synthharm.filters import FILTERS, PAPER, FilterChain, Parameter, find_filter

COLOURS, TONES = ("red", "green", "blue"), ("darks", "midtones", "lights")

# Name, span, neutral, low and high of each parameter, in order. Those of the paper's six are its implementation's.
DECLARED: dict[str, list[tuple[str, float, float, float, float]]] = {
    "brightness": [("brightness", 0.5, 0, -1, 1)],
    "contrast": [("contrast", 0.5, 0, -1, 1)],
    "curves": [(f"{colour}_{tone}", 0.05, 0, -0.12, 0.12) for colour, tone in product(COLOURS, TONES)],
    "exposure": [("exposure", 1, 0, -4, 4)],
    "gamma": [("gamma", 0.6, 0, -2, 2)],
    "highlight": [("highlight", 0.4, 0, -1, 1)],
    "hue": [("hue", 0.06, 0, -0.5, 0.5)],
    "lift_gamma_gain": [
        *((f"lift_{colour}", 0.05, 0, -0.3, 0.3) for colour in COLOURS),
        *((f"gamma_{colour}", 0.2, 1, 0.4, 2.5) for colour in COLOURS),
        *((f"gain_{colour}", 0.2, 1, 0.4, 2.5) for colour in COLOURS),
    ],
    "saturation": [("saturation", 0.6, 0, -1, 1)],
    "shading": [("horizontal", 0.6, 0, -2, 2), ("vertical", 0.6, 0, -2, 2), ("falloff", 0.4, 0, -2, 2)],
    "shadow": [("shadow", 0.4, 0, -1, 1)],
    "temperature": [("temperature", 0.3, 0, -1, 1)],
    "tone_curve": [(tone, 0.08, 0, -0.12, 0.12) for tone in TONES],
    "vibrance": [("vibrance", 1, 0, -2, 2)],
    "white_balance": [("temperature", 0.4, 0, -1, 1), ("tint", 0.3, 0, -0.6, 0.6)],
}

NEED_MEANS = {"temperature", "contrast"}
NEED_POSITIONS = {"shading"}
MIX_CHANNELS = {"saturation", "vibrance", "hue", "white_balance"}
TINT_GREY = {"temperature", "white_balance", "curves", "lift_gamma_gain"}


def test_every_filter_is_declared_here() -> None:
    assert set(DECLARED) == set(FILTERS)


@pytest.mark.parametrize("name", DECLARED)
def test_parameters_are_as_declared(name: str) -> None:
    found = [(p.name, p.span, p.neutral, p.low, p.high) for p in FILTERS[name].parameters]
    assert found == DECLARED[name]


@pytest.mark.parametrize("name", DECLARED)
def test_flags_are_as_declared(name: str) -> None:
    filter_ = find_filter(name)
    assert filter_.needs_means is (name in NEED_MEANS)
    assert filter_.needs_positions is (name in NEED_POSITIONS)
    assert filter_.mixes_channels is (name in MIX_CHANNELS)
    assert filter_.keeps_grey is (name not in TINT_GREY)


def test_a_parameter_goes_from_minus_one_to_one_if_nothing_else_is_said() -> None:
    assert Parameter("x", 0.2) == Parameter("x", span=0.2, neutral=0, low=-1, high=1)


def test_the_papers_spans_are_the_published_ones() -> None:
    assert [p.span for p in FilterChain(PAPER).parameters] == [0.3, 0.5, 0.5, 0.6, 0.4, 0.4]


@pytest.mark.parametrize("name", DECLARED)
def test_what_is_declared_is_accepted_and_nothing_beyond(name: str) -> None:
    chain, image, mask = FilterChain([name]), torch.full((1, 3, 2, 2), 0.5), torch.ones(1, 1, 2, 2)
    neutral = torch.tensor([[float(row[2]) for row in DECLARED[name]]])
    for i, (parameter, _, _, low, high) in enumerate(DECLARED[name]):
        for end, outward in ((low, -1), (high, 1)):
            values = neutral.clone()
            values[0, i] = end
            assert bool(chain.apply(image, mask, values).isfinite().all())
            values[0, i] = end + 0.01 * outward
            with pytest.raises(ValueError, match=parameter):
                chain.apply(image, mask, values)
