"""What holds for the filters beyond the published six, each by its own nature."""

from __future__ import annotations

import colorsys
import itertools
from collections.abc import Sequence

import plain_new_filters as plain
import pytest
import torch
from filter_cases import accepted_arguments, arguments, images, known_of, law, one_argument
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from synthharm.filters import FILTERS, PAPER
from synthharm.filters.curve import bend_tones, knot_heights, straighten_tones
from synthharm.filters.filter import region_positions
from synthharm.filters.linear_light import to_linear, to_srgb
from synthharm.filters.whitebox.white_balance import cones_from_rgb, planckian_locus, target_white

NEW = tuple(sorted(plain.FORWARD))
LEVELS = (0.0, 0.01, 0.1, 0.35, 0.6, 0.85, 1.0)

# White balance is held against a matrix that its standard prints to four places.
TOLERANCE = dict.fromkeys(NEW, 1e-9) | {"white_balance": 1e-3}


def row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def pixels(colours: Sequence[Sequence[float]]) -> Tensor:
    """Colours as an image (1, 3, 1, P)."""
    return torch.tensor(colours, dtype=torch.float64).T[None, :, None]


def test_every_filter_is_held_against_a_plain_formula() -> None:
    assert set(NEW) | set(PAPER) == set(FILTERS)


@pytest.mark.parametrize("name", NEW)
@law
@given(st.data())
def test_forward_is_its_formula(name: str, data: st.DataObject) -> None:
    filter_ = FILTERS[name]
    image = data.draw(images(dtypes=[torch.float64], most=1))
    values = data.draw(accepted_arguments(filter_.parameters, image))
    places = region_positions(torch.ones_like(image[:, :1]))[0].flatten(1).T.tolist()
    colours = image[0].flatten(1).T.tolist()
    expected = [
        plain.FORWARD[name](tuple(c), values[0].tolist(), tuple(p)) for c, p in zip(colours, places, strict=True)
    ]
    changed = filter_.apply(image, one_argument(filter_, values), None)[0].flatten(1).T
    torch.testing.assert_close(changed, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=TOLERANCE[name])


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.7, 1.0])
def test_forward_is_its_formula_all_over_the_gamut(name: str, part: float) -> None:
    filter_ = FILTERS[name]
    colours = list(itertools.product(LEVELS, repeat=3))
    image = pixels(colours)
    values = [p.low + (p.high - p.low) * part for p in filter_.parameters]
    told = torch.tensor([0.3, -0.7], dtype=torch.float64).reshape(1, 2, 1, 1).expand(1, 2, 1, len(colours))
    expected = torch.tensor([plain.FORWARD[name](c, values, (0.3, -0.7)) for c in colours], dtype=torch.float64)
    argument = one_argument(filter_, row(*values))
    changed = filter_.apply(image, argument, told if filter_.needs_positions else None)
    torch.testing.assert_close(changed[0, :, 0].T, expected, rtol=0, atol=TOLERANCE[name])


@pytest.mark.parametrize("name", ["curves", "gamma", "hue", "tone_curve", "vibrance"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_loses_nothing_never_leads_out_of_range(name: str, dtype: torch.dtype) -> None:
    filter_ = FILTERS[name]
    image = pixels(list(itertools.product(LEVELS, repeat=3))).to(dtype)
    rounding = 1e-6 if dtype == torch.float32 else 1e-14
    for shares in ((-1,), (1,), (-1, 1), (1, -1, 0)):
        sides = itertools.cycle(shares)
        ends = [
            p.high if side > 0 else p.low if side < 0 else p.neutral
            for p, side in zip(filter_.parameters, sides, strict=False)
        ]
        undone = filter_.invert(image, one_argument(filter_, row(*ends).to(dtype)), None)
        assert -rounding <= float(undone.min())
        assert float(undone.max()) <= 1 + rounding


@law
@given(st.lists(st.floats(-1, 3), min_size=1, max_size=20))
def test_the_curve_of_srgb_and_its_inverse(values: list[float]) -> None:
    encoded = torch.tensor(values, dtype=torch.float64)
    torch.testing.assert_close(to_srgb(to_linear(encoded)), encoded, rtol=1e-12, atol=1e-12)
    expected = torch.tensor([plain.linear(value) for value in values], dtype=torch.float64)
    torch.testing.assert_close(to_linear(encoded), expected, rtol=1e-12, atol=1e-15)


def test_the_curve_of_srgb_has_gradients_everywhere() -> None:
    for function in (to_linear, to_srgb):
        values = torch.tensor([-2.0, -1e-9, 0.0, 0.001, 0.04045, 1.0, 5.0], requires_grad=True)
        (gradient,) = torch.autograd.grad(function(values).sum(), values)
        assert bool(((gradient > 0.05) & (gradient < 21)).all())


def test_a_stop_is_twice_the_light() -> None:
    image = torch.full((1, 3, 1, 1), 0.3, dtype=torch.float64)
    for stops in (-2.0, 1.0, 2.0):
        changed = FILTERS["exposure"].apply(image, row(stops)[0], None)
        torch.testing.assert_close(to_linear(changed), to_linear(image) * 2**stops)


def chromaticity(light: Tensor) -> Tensor:
    """The xy of linear RGB (3,), by the matrix that sRGB's standard prints."""
    x, y, z = plain.times(plain.XYZ_FROM_RGB, light.tolist())
    return torch.tensor([x, y]) / (x + y + z)


def test_the_neutral_white_is_daylight() -> None:
    torch.testing.assert_close(target_white(row(0, 0)), row(*plain.D65), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("kelvin", "u", "v"), [(2856, 0.2560, 0.3495), (3000, 0.2506, 0.3477), (6500, 0.2005, 0.3103)]
)
def test_the_locus_goes_through_known_points(kelvin: float, u: float, v: float) -> None:
    """Illuminant A, and black bodies at 3000 and 6500 kelvin."""
    point, towards = planckian_locus(torch.tensor([1e6 / kelvin], dtype=torch.float64))
    torch.testing.assert_close(point, row(u, v), rtol=0, atol=2e-4)
    assert float(towards[0, 0]) > 0, "warmer lies towards red"
    assert float(towards.norm()) == pytest.approx(1)


@law
@given(st.data())
def test_the_target_white_is_what_the_formula_says(data: st.DataObject) -> None:
    like = torch.zeros(1, dtype=torch.float64)
    values = data.draw(accepted_arguments(FILTERS["white_balance"].parameters, like))
    expected = row(*plain.white(*values[0].tolist()))
    torch.testing.assert_close(target_white(values), expected, rtol=0, atol=1e-8)


@law
@given(st.data())
def test_white_becomes_the_target_white(data: st.DataObject) -> None:
    """Its chromaticity is that of the other white, and its luminance stays."""
    grey = torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64)
    values = data.draw(arguments(FILTERS["white_balance"].parameters, grey))
    changed = FILTERS["white_balance"].apply(grey, values, None)
    assert float(changed.min()) > 0
    light = to_linear(changed[0, :, 0, 0])
    torch.testing.assert_close(chromaticity(light), target_white(values)[0].float(), rtol=0, atol=5e-4)
    luminance = light @ torch.tensor(plain.XYZ_FROM_RGB[1], dtype=torch.float64)
    assert float(luminance) == pytest.approx(plain.linear(0.5), abs=1e-4)


def test_every_accepted_white_is_a_colour() -> None:
    """All cone responses lie above 0, or the adaptation to it could not be undone."""
    ends = [(p.low, p.neutral, p.high) for p in FILTERS["white_balance"].parameters]
    whites = target_white(torch.tensor(list(itertools.product(*ends)), dtype=torch.float64))
    xyz = torch.stack([whites[:, 0] / whites[:, 1], torch.ones(9), (1 - whites.sum(dim=1)) / whites[:, 1]], dim=1)
    assert float((xyz.double() @ torch.tensor(plain.BRADFORD, dtype=torch.float64).T).min()) > 0.1
    assert float(cones_from_rgb().sum(dim=1).min()) > 0.9


@pytest.mark.parametrize(("argument", "rises", "falls"), [((0.3, 0.0), 0, 2), ((-0.3, 0.0), 2, 0)])
def test_a_warmer_white_is_redder(argument: tuple[float, float], rises: int, falls: int) -> None:
    image = torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64)
    changed = FILTERS["white_balance"].apply(image, row(*argument), None)[0, :, 0, 0]
    assert float(changed[rises]) > 0.52
    assert float(changed[falls]) < 0.48


def test_a_tint_above_0_is_magenta() -> None:
    image = torch.full((1, 3, 1, 1), 0.5, dtype=torch.float64)
    red, green, blue = FILTERS["white_balance"].apply(image, row(0, 0.3), None)[0, :, 0, 0].tolist()
    assert green < 0.49
    assert min(red, blue) > 0.51


@law
@given(st.data())
def test_hue_keeps_value_and_saturation(data: st.DataObject) -> None:
    image = data.draw(images(dtypes=[torch.float64], most=1))
    changed = FILTERS["hue"].apply(
        image, data.draw(accepted_arguments(FILTERS["hue"].parameters, image))[:, 0], None
    )
    for extreme in (torch.amax, torch.amin):
        torch.testing.assert_close(extreme(changed, dim=1), extreme(image, dim=1), rtol=0, atol=1e-14)


def test_six_sixths_of_a_turn_lead_back() -> None:
    colour = image = pixels([(0.7, 0.5, 0.2)])
    seen = []
    for _ in range(6):
        colour = FILTERS["hue"].apply(colour, row(1 / 6)[0], None)
        seen.append(colorsys.rgb_to_hsv(*colour[0, :, 0, 0].tolist())[0])
    torch.testing.assert_close(colour, image)
    assert len({round(turn, 6) for turn in seen}) == 6


def test_vibrance_goes_by_dullness() -> None:
    """The duller a colour, the larger its factor; what is fully saturated stays."""
    image = pixels([(0.5 + spread, 0.5, 0.5 - spread) for spread in (0.01, 0.1, 0.3, 0.45, 0.5)])
    for argument, sign in ((1.0, 1), (-1.0, -1)):
        changed = FILTERS["vibrance"].apply(image, row(argument)[0], None)
        spreads = (changed[0, 0] - changed[0, 2]) / (image[0, 0] - image[0, 2])
        assert bool((sign * spreads.diff() < -0.02).all())
        assert float(spreads[0, -1]) == pytest.approx(1, abs=1e-12)
        assert float(spreads[0, 0]) == pytest.approx(2.0**argument, rel=0.03)


displacements = st.lists(st.floats(-0.12, 0.12), min_size=3, max_size=3).map(
    lambda values: torch.tensor(values, dtype=torch.float64).reshape(1, 1, 3)
)
TONES = torch.linspace(0, 1, 2001, dtype=torch.float64).expand(1, 3, 1, -1)


@law
@given(displacements)
def test_a_curve_is_monotone_from_0_to_1_through_its_knots(moved: Tensor) -> None:
    bent = bend_tones(TONES, moved)[0, 0, 0]
    assert bool((bent.diff() > 0).all())
    torch.testing.assert_close(bent[[0, 500, 1000, 1500, 2000]], knot_heights(moved)[0, 0], rtol=0, atol=1e-15)
    assert float(bent.min()) == 0
    assert float(bent.max()) == pytest.approx(1, abs=1e-15)


@law
@given(displacements)
def test_a_curve_is_smooth_at_its_knots(moved: Tensor) -> None:
    """Its slope is the same from both sides."""
    knots, step = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64), 1e-7
    left, at, right = (bend_tones((knots + s).expand(1, 3, 1, 3), moved) for s in (-step, 0.0, step))
    torch.testing.assert_close((at - left) / step, (right - at) / step, rtol=1e-3, atol=1e-4)


@law
@given(displacements)
def test_a_curves_inverse_is_what_bisection_finds(moved: Tensor) -> None:
    heights = TONES[..., ::50]
    low, high = torch.zeros_like(heights), torch.ones_like(heights)
    for _ in range(50):
        middle = (low + high) / 2
        below = bend_tones(middle, moved) < heights
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    torch.testing.assert_close(straighten_tones(heights, moved), (low + high) / 2, rtol=0, atol=1e-12)


@law
@given(displacements)
def test_a_curves_inverse_loses_no_digits(moved: Tensor) -> None:
    tones, moved = TONES.float(), moved.float()
    torch.testing.assert_close(bend_tones(straighten_tones(tones, moved), moved), tones, rtol=0, atol=1e-6)


def test_each_channel_has_its_own_curve() -> None:
    image = torch.full((1, 3, 1, 3), 0.5, dtype=torch.float64) * torch.tensor([0.5, 1.0, 1.5], dtype=torch.float64)
    moved = [0.01, 0.02, 0.03, -0.01, -0.02, -0.03, 0.05, 0.0, -0.05]
    changed = FILTERS["curves"].apply(image, row(*moved), None) - image
    torch.testing.assert_close(
        changed[0, :, 0], torch.tensor(moved, dtype=torch.float64).reshape(3, 3), rtol=0, atol=1e-8
    )
    for values in ([0.08, -0.02, 0.05], [-0.12, 0.12, -0.12]):
        same = FILTERS["curves"].apply(image, row(*values * 3), None)
        torch.testing.assert_close(same, FILTERS["tone_curve"].apply(image, row(*values), None))


NEUTRAL_WHEELS = {p.name: p.neutral for p in FILTERS["lift_gamma_gain"].parameters}


def wheels(**values: float) -> Tensor:
    assert values.keys() <= NEUTRAL_WHEELS.keys()
    return row(*(NEUTRAL_WHEELS | values).values())


def test_each_wheel_moves_its_end_of_its_channel() -> None:
    image = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64).expand(1, 3, 1, 3)
    for channel, colour in enumerate(("red", "green", "blue")):
        changes = []
        for name, value in (("lift", 0.1), ("gamma", 1.5), ("gain", 0.8)):
            argument = wheels(**{f"{name}_{colour}": value})
            change = (FILTERS["lift_gamma_gain"].apply(image, argument, None) - image)[0, :, 0]
            assert float(change[[k for k in range(3) if k != channel]].abs().max()) < 1e-8
            changes.append([round(number, 4) for number in change[channel].tolist()])
        assert changes == [[0.1, 0.05, 0.0], [0.0, round(0.5 ** (1 / 1.5) - 0.5, 4), 0.0], [0.0, -0.1, -0.2]]


@pytest.mark.parametrize(
    ("argument", "value", "below"),
    [(wheels(lift_red=0.2), 0.1, True), (wheels(gain_red=0.8), 0.9, False), (wheels(gain_red=0.5), 0.51, False)],
)
def test_what_the_wheels_cannot_reach_shows(argument: Tensor, value: float, below: bool) -> None:
    """Darker than a lifted black, or brighter than a lowered white."""
    out = torch.full((1, 3, 1, 1), value, dtype=torch.float64)
    red, green, blue = FILTERS["lift_gamma_gain"].invert(out, argument, None)[0, :, 0, 0].tolist()
    assert red < -0.01 if below else red > 1.01
    assert (green, blue) == pytest.approx((value, value))


@pytest.mark.parametrize(
    ("argument", "bright", "dark"),
    [
        ((0.5, 0.0, 0.0), (2, 4), (2, 0)),
        ((0.0, 0.5, 0.0), (0, 2), (4, 2)),
        ((0.0, 0.0, 0.5), (2, 2), (0, 0)),
    ],
    ids=["horizontal", "vertical", "falloff"],
)
def test_light_comes_from_where_it_says(
    argument: tuple[float, ...], bright: tuple[int, int], dark: tuple[int, int]
) -> None:
    """Row and column of the brightest and the darkest pixel of a grey square; the other way round below 0."""
    image = torch.full((1, 3, 5, 5), 0.5, dtype=torch.float64)
    for sign in (1, -1):
        lit = FILTERS["shading"].apply(image, sign * row(*argument), None)[0, 0]
        assert sign * float(lit[bright] - lit[dark]) > 0.05
        torch.testing.assert_close(lit[2, 2], image[0, 0, 2, 2])
        assert float(lit[bright] if sign > 0 else lit[dark]) == float(lit.max())


def test_light_goes_by_the_region_and_in_stops() -> None:
    """One column of a wide image, whose region is its right half: 2^(0.5 x) at x from -0.75 to 0.75."""
    image = torch.full((1, 3, 1, 8), 0.4, dtype=torch.float64)
    mask = torch.tensor([0.0, 0, 0, 0, 1, 1, 1, 1], dtype=torch.float64).reshape(1, 1, 1, 8)
    lit = FILTERS["shading"].apply(image, row(0.5, 0, 0), region_positions(mask))
    stops = torch.log2(to_linear(lit) / to_linear(image))[0, 0, 0]
    expected = 0.5 * torch.tensor([0, 0, 0, 0, -0.75, -0.25, 0.25, 0.75], dtype=torch.float64)
    torch.testing.assert_close(stops, expected, rtol=0, atol=1e-12)


def test_shading_takes_the_whole_image_for_the_region_by_default() -> None:
    image = torch.full((2, 3, 3, 4), 0.5, dtype=torch.float64)
    argument = torch.tensor([[0.3, -0.2, 0.1], [0.0, 0.4, -0.3]], dtype=torch.float64)
    for function in (FILTERS["shading"].apply, FILTERS["shading"].invert):
        told = function(image, argument, known_of(FILTERS["shading"], image))
        assert torch.equal(function(image, argument, None), told)
