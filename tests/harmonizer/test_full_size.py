"""A composite is harmonized at its own size as the whole chain and the whole network would, to the grey level."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from filter_cases import TONE, accepted_arguments, arguments, chains, law
from full_size_scenes import Image, make_harmonizer, make_photo, make_region
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from synthharm.errors import SynthharmError
from synthharm.filters import FilterChain
from synthharm.harmonizer import Harmonizer, HarmonizerConfig
from synthharm.harmonizer.devices import find_device
from synthharm.harmonizer.full_size import (
    apply_in_tiles,
    harmonize_image,
    name_arguments,
    predict,
    runs_compiled,
)
from synthharm.harmonizer.tiles import MOST_PIXELS

ONE_ROW = torch.zeros(1, dtype=torch.float64)
sides = st.integers(1, 40)
regions = st.sampled_from(["all", "pixel", "corner", "scattered", "soft", "feathered"])


@pytest.fixture(scope="module")
def harmonizer() -> Harmonizer:
    return make_harmonizer()


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Image, Image]:
    size, seed = (draw(sides), draw(sides)), draw(st.integers(0, 999))
    kind = draw(st.sampled_from(["noise", "ramps", "dark", "light", "grey", "black and white", "constant"]))
    return make_photo(kind, size, seed), make_region(draw(regions), size, seed)


def as_floats(composite: Image, mask: Image, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Both as the chain and the network take them."""
    images = torch.from_numpy(composite.copy()).permute(2, 0, 1)[None].to(dtype) / 255
    return images, torch.from_numpy(mask.copy())[None, None].to(dtype) / 255


def exact_levels(chain: FilterChain, composite: Image, mask: Image, row: Tensor) -> np.ndarray:
    """What the chain makes of the whole image in float64, on 0..255, not rounded."""
    harmonized = chain.apply(*as_floats(composite, mask), row[None])
    return harmonized[0].permute(1, 2, 0).numpy() * 255


def check_levels(made: Image, expected: np.ndarray, mask: Image, composite: Image, near: float) -> None:
    """The nearest levels, or either of two `near` a tie; outside the mask the very bytes."""
    assert (made.dtype, made.shape) == (np.uint8, composite.shape)
    assert np.abs(made - expected).max() <= 0.5 + near
    assert np.array_equal(made[mask == 0], composite[mask == 0])


# Filters


@settings(law, max_examples=80)
@given(st.data())
def test_any_chain_in_any_tiles_is_the_chain_of_the_whole_image(data: st.DataObject) -> None:
    """Never compiled: this is the law of the tiles, for whatever the filters accept."""
    chain = data.draw(chains())
    drawn = data.draw(accepted_arguments(chain.parameters, ONE_ROW))[0]
    if runs_compiled(chain, drawn.tolist()):
        chain = FilterChain([*chain.filters, TONE], chain.statistics)  # a filter that has no compiled form
        drawn = torch.cat([drawn, torch.tensor([1.1, -0.05], dtype=torch.float64)])
    composite, mask = data.draw(scenes())
    tile_pixels = data.draw(st.sampled_from([1, 7, 100, 1 << 22]))
    assert not runs_compiled(chain, drawn.tolist())
    made = apply_in_tiles(chain, composite, mask, drawn, tile_pixels=tile_pixels)
    expected = exact_levels(chain, composite, mask, drawn)
    check_levels(made, expected, mask, composite, 1e-5)
    again = apply_in_tiles(chain, composite, mask, drawn, tile_pixels=data.draw(st.integers(1, 2000)))
    ties = np.abs(expected - np.floor(expected) - 0.5) < 1e-6
    assert np.array_equal(made[~ties], again[~ties])


@settings(law, max_examples=60)
@given(st.data())
def test_any_chain_as_people_use_it_is_the_chain_of_the_whole_image(data: st.DataObject) -> None:
    """Compiled or not: to the level, and off the ties to 1 in 1000."""
    chain, (composite, mask) = data.draw(chains()), data.draw(scenes())
    row = data.draw(arguments(chain.parameters, ONE_ROW))[0]
    made, expected = apply_in_tiles(chain, composite, mask, row), exact_levels(chain, composite, mask, row)
    check_levels(made, expected, mask, composite, 0.5)
    assert (np.abs(made - expected) > 0.5 + 1e-3).mean() <= 1e-3


def test_large_regions_are_compiled_with_tables_and_right_to_the_level() -> None:
    chain, composite, mask = (
        FilterChain.paper(),
        make_photo("ramps", (300, 400), 1),
        np.full((300, 400), 255, np.uint8),
    )
    mask[:40], mask[40:60] = 0, 90
    row = torch.tensor([0.2, 0.1, 0.2, -0.1, -0.3, 0.3], dtype=torch.float64)
    assert runs_compiled(chain, row.tolist())
    made, expected = apply_in_tiles(chain, composite, mask, row), exact_levels(chain, composite, mask, row)
    check_levels(made, expected, mask, composite, 0.1)
    assert (np.abs(made - expected) > 0.5).mean() <= 1e-3


@pytest.mark.parametrize(
    "names", [("temperature", "contrast"), ("shading", "contrast"), ("saturation", "contrast")]
)
@pytest.mark.parametrize("statistics", ["image", "foreground"])
def test_means_are_those_of_the_whole_image_however_it_is_cut(names: tuple[str, ...], statistics: str) -> None:
    """One half is black and one is white: a tile that took its own means for the image's would be far off."""
    chain = FilterChain(names, statistics)  # type: ignore[arg-type]
    composite, mask = np.full((16, 12, 3), 60, np.uint8), np.full((16, 12), 255, np.uint8)
    composite[8:], mask[:, :3] = (200, 180, 150), 100
    row = torch.tensor([p.neutral + 0.9 * p.span for p in chain.parameters], dtype=torch.float64)
    expected = exact_levels(chain, composite, mask, row)
    for tile_pixels in (1, 12, 50, 1000):
        made = apply_in_tiles(chain, composite, mask, row, tile_pixels=tile_pixels)
        check_levels(made, expected, mask, composite, 1e-2)


def test_arguments_by_name_or_in_order_and_neutral_where_not_named() -> None:
    chain, composite, mask = (
        FilterChain.paper(),
        make_photo("noise", (20, 30), 0),
        np.full((20, 30), 255, np.uint8),
    )
    by_name = apply_in_tiles(chain, composite, mask, {"shadow": 0.3, "temperature": -0.1})
    in_order = apply_in_tiles(chain, composite, mask, torch.tensor([-0.1, 0, 0, 0, 0, 0.3], dtype=torch.float64))
    assert np.array_equal(by_name, in_order)
    assert not np.array_equal(by_name, composite)
    assert np.array_equal(apply_in_tiles(chain, composite, mask, {}), composite)


def test_arguments_in_single_precision_reach_both_ends_of_what_is_accepted() -> None:
    """0.12 in single precision is a little more than 0.12."""
    chain, composite, mask = (
        FilterChain(["tone_curve"]),
        make_photo("noise", (4, 5), 0),
        np.full((4, 5), 255, np.uint8),
    )
    for end in (0.12, -0.12):
        made = apply_in_tiles(chain, composite, mask, torch.full((3,), end))
        assert np.array_equal(
            made, apply_in_tiles(chain, composite, mask, torch.full((3,), end).double().clip(-0.12, 0.12))
        )


def test_what_is_given_is_not_written_to_and_may_be_a_view() -> None:
    chain, whole, marked = FilterChain.paper(), make_photo("noise", (40, 60), 0), make_region("soft", (40, 60), 1)
    composite, mask = whole[::2, ::-1], marked[::2, ::-1]
    before = whole.copy()
    for row in ({"brightness": 0.2}, {"brightness": 0.99}):  # compiled, and in tiles
        made = apply_in_tiles(chain, composite, mask, row)
        assert np.array_equal(made, apply_in_tiles(chain, composite.copy(), mask.copy(), row))
        assert np.array_equal(whole, before)
        assert made.flags.c_contiguous
        assert not np.shares_memory(made, whole)


# Prediction


@settings(law, max_examples=40)
@given(height=st.integers(1, 400), width=st.integers(1, 400), kind=regions, seed=st.integers(0, 99))
def test_a_prediction_is_that_of_the_whole_image(
    harmonizer: Harmonizer, height: int, width: int, kind: str, seed: int
) -> None:
    composite, mask = make_photo("ramps", (height, width), seed), make_region(kind, (height, width), seed)
    with torch.no_grad():
        _, expected = harmonizer.harmonize(*as_floats(composite, mask, torch.float32))
    found = predict(harmonizer, composite, mask)
    assert (found.dtype, found.shape, found.device.type) == (
        torch.float32,
        (len(harmonizer.chain.columns),),
        "cpu",
    )
    torch.testing.assert_close(found, expected[0], rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", [(2160, 3840), (64, 64), (4321, 63), (1, 9000)])
def test_what_the_network_sees_is_what_resizing_gives(size: tuple[int, int]) -> None:
    """At places that are far from the start of a long side too, where single precision is short."""
    seen = []
    harmonizer = make_harmonizer()
    handle = harmonizer.encoder.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    composite, mask = make_photo("noise", size, 3), make_region("scattered", size, 3)
    predict(harmonizer, composite, mask)
    with torch.no_grad():
        harmonizer(*as_floats(composite, mask, torch.float32))
    handle.remove()
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=5e-7)


def test_predictions_are_clamped_to_what_the_filters_accept() -> None:
    harmonizer = make_harmonizer(cascade=False)
    composite, mask = make_photo("noise", (20, 30), 0), np.full((20, 30), 255, np.uint8)
    for sign, ends in ((-1, harmonizer.low), (1, harmonizer.high)):
        nn.init.constant_(harmonizer.regressor.bias, 100.0 * sign)  # type: ignore[arg-type]
        assert torch.equal(predict(harmonizer, composite, mask), ends)


def test_a_prediction_that_is_no_number_is_named() -> None:
    harmonizer = make_harmonizer(cascade=False)
    bias = torch.zeros(3)
    bias[1], bias[2] = torch.nan, torch.inf
    harmonizer.regressor.bias.data = bias  # type: ignore[union-attr]
    composite, mask = make_photo("noise", (20, 30), 0), np.full((20, 30), 255, np.uint8)
    with pytest.raises(SynthharmError, match="no finite number for contrast, shadow"):
        predict(harmonizer, composite, mask)


def test_a_network_in_training_mode_is_refused(harmonizer: Harmonizer) -> None:
    composite, mask = make_photo("noise", (20, 30), 0), np.full((20, 30), 255, np.uint8)
    with pytest.raises(ValueError, match="training mode"):
        predict(Harmonizer(harmonizer.config), composite, mask)


def test_double_precision_is_kept(harmonizer: Harmonizer) -> None:
    composite, mask = make_photo("noise", (20, 30), 0), np.full((20, 30), 255, np.uint8)
    double = make_harmonizer().double()
    torch.testing.assert_close(
        predict(double, composite, mask), predict(harmonizer, composite, mask), rtol=0, atol=1e-4
    )
    assert predict(double, composite, mask).dtype == torch.float32


# Both


def test_an_image_is_harmonized_with_what_was_predicted_and_edited(harmonizer: Harmonizer) -> None:
    composite, mask = make_photo("ramps", (60, 90), 0), make_region("feathered", (60, 90), 0)
    plain = harmonize_image(harmonizer, composite, mask)
    predicted = name_arguments(harmonizer.chain, predict(harmonizer, composite, mask))
    assert plain.arguments == plain.predicted == predicted
    assert np.array_equal(plain.image, apply_in_tiles(harmonizer.chain, composite, mask, predicted))
    edited = harmonize_image(harmonizer, composite, mask, {"contrast": 0.25})
    assert edited.predicted == predicted
    assert edited.arguments == predicted | {"contrast": 0.25}
    assert list(edited.arguments) == list(harmonizer.chain.columns)
    assert np.array_equal(edited.image, apply_in_tiles(harmonizer.chain, composite, mask, edited.arguments))
    assert not np.array_equal(edited.image, plain.image)


def test_it_is_the_same_as_the_network_and_the_chain_in_one(harmonizer: Harmonizer) -> None:
    composite, mask = make_photo("ramps", (120, 90), 2), make_region("feathered", (120, 90), 0)
    with torch.no_grad():
        image, _ = harmonizer.harmonize(*as_floats(composite, mask, torch.float32))
    expected = image[0].permute(1, 2, 0).numpy() * 255
    made = harmonize_image(harmonizer, composite, mask)
    check_levels(made.image, expected, mask, composite, 0.01)


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        ({"contras": 0.1}, "contras is no argument; accepted are brightness from -1 to 1, contrast from"),
        ({"contrast": 1.5}, "contrast is 1.5; accepted are"),
        ({"contrast": float("nan"), "sharpness": 1}, "contrast is nan; sharpness is no argument; accepted are"),
    ],
)
def test_other_edits_are_refused(harmonizer: Harmonizer, edits: dict[str, float], said: str) -> None:
    composite, mask = make_photo("noise", (20, 30), 0), np.full((20, 30), 255, np.uint8)
    with pytest.raises(ValueError, match=said):
        harmonize_image(harmonizer, composite, mask, edits)


# Refusals


@pytest.mark.parametrize(
    ("composite", "mask", "said"),
    [
        (np.zeros((4, 5), np.uint8), np.ones((4, 5), np.uint8), r"the composite is uint8 \(4, 5\)"),
        (np.zeros((4, 5, 4), np.uint8), np.ones((4, 5), np.uint8), r"the composite is uint8 \(4, 5, 4\)"),
        (np.zeros((4, 5, 3), np.float32), np.ones((4, 5), np.uint8), "the composite is float32"),
        (np.zeros((4, 5, 3), np.uint8), np.ones((5, 4), np.uint8), r"the mask is uint8 \(5, 4\); uint8 \(4, 5\)"),
        (np.zeros((4, 5, 3), np.uint8), np.ones((4, 5), np.bool_), "the mask is bool"),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint8), "the mask is empty"),
        (np.zeros((0, 5, 3), np.uint8), np.zeros((0, 5), np.uint8), "the mask is empty"),
    ],
)
def test_other_scenes_are_refused(harmonizer: Harmonizer, composite: Image, mask: Image, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        predict(harmonizer, composite, mask)
    with pytest.raises(ValueError, match=said):
        apply_in_tiles(harmonizer.chain, composite, mask, {})
    with pytest.raises(ValueError, match=said):
        harmonize_image(harmonizer, composite, mask)


def test_other_arguments_and_tiles_are_refused() -> None:
    chain, composite, mask = FilterChain.paper(), make_photo("noise", (4, 5), 0), np.full((4, 5), 255, np.uint8)
    with pytest.raises(ValueError, match=r"arguments have shape \(1, 6\); \(6,\) is accepted: temperature"):
        apply_in_tiles(chain, composite, mask, torch.zeros(1, 6))
    with pytest.raises(ValueError, match="shadow of image 0 is nan"):
        apply_in_tiles(chain, composite, mask, torch.tensor([0, 0, 0, 0, 0, torch.nan]))
    with pytest.raises(ValueError, match=r"brightness of image 0 is 3\.0"):
        apply_in_tiles(chain, composite, mask, {"brightness": 3})
    with pytest.raises(ValueError, match="no argument is called 'gamma'"):
        apply_in_tiles(chain, composite, mask, {"gamma": 1})
    for number in (0, -1, MOST_PIXELS + 1):
        with pytest.raises(ValueError, match=f"tile_pixels is {number}; 1 to 33554432 is accepted"):
            apply_in_tiles(chain, composite, mask, {}, tile_pixels=number)


# Devices


def test_devices_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda k: f"card {k}")
    assert find_device("auto") == torch.device("cuda")
    assert find_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(
        SynthharmError, match=r"'cuda:2' cannot be had: .*there is cpu, cuda:0 \(card 0\), cuda:1 "
    ):
        find_device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpu", "cpu:1", "cuda:x", "meta", "CPU", "cuda:-1", "xpu"])
def test_other_devices_are_refused(name: str) -> None:
    with pytest.raises(SynthharmError, match=f"'{name}' is unknown; accepted are auto, cpu, cuda, cuda:N and mps"):
        find_device(name)


def test_a_device_that_is_not_there_says_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for name in ("cuda", "mps"):
        with pytest.raises(SynthharmError, match=f"'{name}' cannot be had: .*; there is cpu$"):
            find_device(name)
    composite, mask = make_photo("noise", (4, 5), 0), np.full((4, 5), 255, np.uint8)
    with pytest.raises(SynthharmError, match="'cuda' cannot be had"):
        apply_in_tiles(FilterChain.paper(), composite, mask, {}, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_levels_and_nearly_the_same_arguments() -> None:
    chain, composite, mask = (
        FilterChain.paper(),
        make_photo("ramps", (200, 300), 2),
        make_region("soft", (200, 300), 0),
    )
    row = torch.tensor([0.2, 0.1, 0.2, -0.1, -0.3, 0.3], dtype=torch.float64)
    made = apply_in_tiles(chain, composite, mask, row, device="cuda", tile_pixels=1000)
    check_levels(made, exact_levels(chain, composite, mask, row), mask, composite, 1e-5)
    harmonizer = make_harmonizer()
    here = predict(harmonizer, composite, mask)
    torch.testing.assert_close(predict(harmonizer.cuda(), composite, mask), here, rtol=0, atol=1e-3)
    assert harmonize_image(harmonizer, composite, mask).image.shape == composite.shape


def test_the_scenes_are_what_the_laws_need() -> None:
    """A network that says the same of every image, or neutral things, would pass whatever is wrong."""
    harmonizer = make_harmonizer()
    assert harmonizer.config == HarmonizerConfig(
        "test_efficientnet", ("brightness", "contrast", "shadow"), size=64
    )
    rows = [
        predict(harmonizer, make_photo("ramps", (60, 90), seed), make_region("corner", (60, 90), seed))
        for seed in range(4)
    ]
    assert float(torch.stack(rows).std(dim=0).min()) > 1e-3
    assert float(torch.stack(rows).abs().min()) > 1e-3
