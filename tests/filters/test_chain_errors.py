"""What a chain refuses, and how it says so: the thing, the value it got, and what is accepted."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from filter_cases import TONE
from torch import Tensor

from synthharm.filters import FILTERS, PAPER, Arguments, FilterChain, Limits, find_filter

REAL = torch.full((2, 3, 4, 5), 0.5)
MASK = torch.ones(2, 1, 4, 5)
ZEROS = torch.zeros(2, 6)
Call = Callable[..., Any]


def says(*words: str) -> str:
    """A pattern that finds these words in this order."""
    return ".*".join(re.escape(word) for word in words)


def apply(chain: FilterChain, *inputs: Any) -> Any:
    return chain.apply(*inputs)


def steps(chain: FilterChain, *inputs: Any) -> Any:
    return list(chain.steps(*inputs))


def invert(chain: FilterChain, *inputs: Any) -> Any:
    return chain.invert(*inputs)


every_call = pytest.mark.parametrize("call", [apply, steps, invert])


def with_value(row: int, column: int, value: float) -> Tensor:
    values = ZEROS.clone()
    values[row, column] = value
    return values


@every_call
@pytest.mark.parametrize(
    ("real", "mask", "words"),
    [
        (REAL[0], MASK, ("images", "(3, 4, 5)", "(N, 3, H, W)")),
        (REAL[:, :1], MASK, ("images", "(2, 1, 4, 5)", "(N, 3, H, W)")),
        (REAL.half(), MASK, ("images", "torch.float16", "float32 or float64")),
        ((REAL * 255).byte(), MASK, ("images", "torch.uint8", "float32 or float64")),
        (REAL, MASK[0], ("masks", "(1, 4, 5)", "(2, 1, 4, 5)")),
        (REAL, MASK[:1], ("masks", "(1, 1, 4, 5)", "(2, 1, 4, 5)")),
        (REAL, MASK.expand(2, 3, 4, 5), ("masks", "(2, 3, 4, 5)", "(2, 1, 4, 5)")),
        (REAL, MASK[..., 1:], ("masks", "(2, 1, 4, 4)", "(2, 1, 4, 5)")),
        (REAL, MASK.double(), ("masks", "torch.float64", "torch.float32")),
        (REAL, MASK.bool(), ("masks", "torch.bool", "torch.float32")),
    ],
)
def test_images_and_masks_of_other_shapes_and_types(
    call: Call, real: Tensor, mask: Tensor, words: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=says(*words)):
        call(FilterChain.paper(), real, mask, ZEROS)
    with pytest.raises(ValueError, match=says(*words)):
        FilterChain.paper().draw(real, mask, generator=torch.Generator())


@every_call
@pytest.mark.parametrize("shape", [(2, 2, 4, 5), (1, 1, 4, 5), (2, 4, 5), (2, 3, 5, 4)])
def test_counts_of_other_shapes(call: Call, shape: tuple[int, ...]) -> None:
    words = says("counts", str(shape), "(2, 1, 4, 5)", "1 or 3")
    with pytest.raises(ValueError, match=words):
        call(FilterChain.paper(), REAL, MASK, ZEROS, torch.ones(shape))
    with pytest.raises(ValueError, match=words):
        FilterChain.paper().draw(REAL, MASK, generator=torch.Generator(), counts=torch.ones(shape))


@every_call
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (ZEROS[:1], ("arguments", "(1, 6)", "(2, 6)", "temperature", "shadow")),
        (ZEROS[:, :5], ("arguments", "(2, 5)", "(2, 6)")),
        (ZEROS[0], ("arguments", "(6,)", "(2, 6)")),
        (with_value(1, 2, math.nan), ("contrast", "image 1", "nan", "-1.0 to 1.0")),
        (with_value(0, 5, 1.5), ("shadow", "image 0", "1.5", "-1.0 to 1.0")),
        (with_value(1, 0, -1.25), ("temperature", "image 1", "-1.25", "-1.0 to 1.0")),
        (with_value(0, 3, math.inf), ("saturation", "image 0", "inf", "-1.0 to 1.0")),
    ],
)
def test_arguments_that_are_refused(call: Call, values: Tensor, words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=says(*words)):
        call(FilterChain.paper(), REAL, MASK, values)


@every_call
def test_arguments_of_another_chain(call: Call) -> None:
    values = Arguments(PAPER[::-1], ZEROS)
    with pytest.raises(ValueError, match=says("arguments for shadow", "takes temperature")):
        call(FilterChain.paper(), REAL, MASK, values)


@every_call
def test_inference_mode_refuses_the_same(call: Call) -> None:
    values = Arguments(PAPER[::-1], ZEROS)
    with (
        torch.inference_mode(),
        pytest.raises(ValueError, match=says("arguments for shadow", "takes temperature")),
    ):
        call(FilterChain.paper(), REAL, MASK, values)


def test_arguments_at_the_ends_of_what_is_accepted() -> None:
    for value in (-1.0, 1.0):
        harmonized = apply(FilterChain.paper(), REAL, MASK, torch.full((2, 6), value))
        assert bool(((harmonized >= 0) & (harmonized <= 1)).all())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("shadows", ("'shadows'", "did you mean 'shadow'", "brightness", "temperature")),
        ("Contrast", ("'Contrast'", "did you mean 'contrast'")),
        ("brigthness", ("'brigthness'", "did you mean 'brightness'")),
        ("xyz", ("'xyz'", "there are", *sorted(FILTERS))),
    ],
)
def test_unknown_filters(name: str, words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=says(*words)):
        find_filter(name)
    with pytest.raises(ValueError, match=says(*words)):
        FilterChain(["contrast", name])


def test_no_guess_where_nothing_is_near() -> None:
    with pytest.raises(ValueError, match="'xyz'; there are"):
        find_filter("xyz")


def test_a_chain_of_nothing() -> None:
    with pytest.raises(ValueError, match=says("at least one filter", "none")):
        FilterChain([])


def test_a_filter_twice() -> None:
    with pytest.raises(ValueError, match=says("each filter once", "shadow, contrast, shadow")):
        FilterChain(["shadow", "contrast", FILTERS["shadow"]])


def test_statistics_of_another_kind() -> None:
    with pytest.raises(ValueError, match=says("statistics", "'background'", "'image' or 'foreground'")):
        FilterChain(["shadow"], statistics="background")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ({"shadows": 0.1}, ("span", "'shadows'", "contrast, tone.gain, tone.offset")),
        ({"tone": 0.1}, ("span", "'tone'", "tone.gain")),
        ({"contrast": 1.01}, ("span of contrast", "1.01", "0 to 1.0")),
        ({"contrast": -0.1}, ("span of contrast", "-0.1", "0 to 1.0")),
        ({"contrast": math.nan}, ("span of contrast", "nan", "0 to 1.0")),
        ({"tone.gain": 0.6}, ("span of tone.gain", "0.6", "0 to 0.5")),
    ],
)
def test_spans_that_are_refused(spans: dict[str, float], words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=says(*words)):
        FilterChain(["contrast", TONE], spans=spans)


def test_spans_at_the_ends_of_what_is_accepted() -> None:
    chain = FilterChain(["contrast", TONE], spans={"contrast": 1.0, "tone.gain": 0.5, "tone.offset": 0})
    assert chain.spans == {"contrast": 1.0, "tone.gain": 0.5, "tone.offset": 0}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"shadows": 0.1}, ("'shadows'", "temperature", "shadow")),
        ({"shadow": 1.5}, ("shadow", "1.5", "-1.0 to 1.0")),
        ({"contrast": math.nan}, ("contrast", "nan", "-1.0 to 1.0")),
    ],
)
def test_arguments_by_name_that_are_refused(values: dict[str, float], words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=says(*words)):
        FilterChain.paper().arguments(**values)


def test_arguments_by_name() -> None:
    arguments = FilterChain.paper().arguments(shadow=-0.25, brightness=0.5)
    assert arguments.as_dicts() == [
        dict.fromkeys(PAPER, 0.0) | {"shadow": -0.25, "brightness": 0.5},
    ]
    assert len(arguments) == 1
    assert arguments["shadow"].tolist() == [-0.25]
    assert [row.tolist() for row in arguments] == [[0, 0.5, 0, 0, 0, -0.25]]
    assert arguments.kept.tolist() == [1]
    assert arguments.attempts.tolist() == [0]
    with pytest.raises(KeyError, match=says("'shade'", "temperature", "shadow")):
        arguments["shade"]


@pytest.mark.parametrize("shape", [(2,), (2, 3), (1, 2, 2)])
def test_arguments_with_wrong_columns(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=says("arguments", str(shape), "(N, 2)", "brightness, shadow")):
        Arguments(("brightness", "shadow"), torch.zeros(shape))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"unrecoverable": -0.1}, ("unrecoverable", "-0.1", "0 to 1")),
        ({"unrecoverable": 1.1}, ("unrecoverable", "1.1", "0 to 1")),
        ({"unrecoverable": math.nan}, ("unrecoverable", "nan", "0 to 1")),
        ({"recovery": -1.0}, ("recovery", "-1.0", "0 dB or more")),
        ({"recovery": math.nan}, ("recovery", "nan", "0 dB or more")),
        ({"levels": 0}, ("levels", "0", "1 or more")),
        ({"levels": -255}, ("levels", "-255", "1 or more")),
    ],
)
def test_limits_that_are_refused(values: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=says(*words)):
        Limits(**values)


def test_limits_at_the_ends_of_what_is_accepted() -> None:
    assert Limits(unrecoverable=0, recovery=0, levels=1) != Limits(unrecoverable=1, recovery=0, levels=1)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_or_too_many_generators(count: int) -> None:
    generators = [torch.Generator() for _ in range(count)]
    with pytest.raises(ValueError, match=says(f"{count} generators", "2 images", "one per image")):
        FilterChain.paper().draw(REAL, MASK, generator=generators)
