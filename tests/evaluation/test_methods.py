"""What methods change, what they leave, and the bounds on either side of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import as_tensors, draw_mask, draw_photo
from torch import nn

from synthharm.composites import retouch, undo
from synthharm.composites.manipulation.colour_transfer import reinhard
from synthharm.errors import SynthharmError, Unusable
from synthharm.evaluation import methods
from synthharm.evaluation.baselines import match_histograms
from synthharm.evaluation.methods import (
    Chained,
    Composite,
    Histogram,
    Lifted,
    Method,
    Network,
    Oracle,
    Output,
    Reinhard,
    resize,
)
from synthharm.filters import FilterChain
from synthharm.harmonizer import Harmonizer, HarmonizerConfig

seeds = st.integers(0, 10**6)
CHAIN = FilterChain.paper()


def network(filters: tuple[str, ...] | None = None, seed: int = 0) -> Harmonizer:
    """One with random weights, whose arguments are well away from neutral and differ by image."""
    torch.manual_seed(seed)
    config = HarmonizerConfig("test_efficientnet", filters or CHAIN_NAMES, size=64)
    harmonizer = Harmonizer(config)
    for module in harmonizer.regressor.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.3)
    return harmonizer


CHAIN_NAMES = tuple(f.name for f in CHAIN.filters)


@dataclass(frozen=True)
class Spy:
    """A method that notes what it was given, and answers with a change of its own."""

    change: Callable[[np.ndarray], np.ndarray]
    seen: list[tuple[np.ndarray, np.ndarray, Mapping[str, float] | None]] = field(default_factory=list)
    name: str = "spy"

    def run(self, composite: np.ndarray, mask: np.ndarray, known: Mapping[str, float] | None) -> Output:
        self.seen.append((composite, mask, known))
        image = composite.astype(np.float32)
        image[mask > 0] = self.change(image[mask > 0])
        return Output(image, {"gain": 2.0})


def all_methods() -> list[Method]:
    return [
        Composite(),
        Reinhard(),
        Histogram(),
        Oracle(CHAIN),
        Network(network()),
        Lifted(Reinhard(), 2, size=32),
        Lifted(Network(network()), 3, size=32),
    ]


KNOWN = {name: 0.2 * (-1) ** place for place, name in enumerate(CHAIN.columns)}


# Every method


@pytest.mark.parametrize("method", all_methods(), ids=lambda method: method.name)
@pytest.mark.parametrize("soft", [False, True])
def test_outside_the_mask_nothing_changes(method: Method, soft: bool) -> None:
    for seed in range(4):
        photo, mask = draw_photo(seed), draw_mask(seed, soft=soft)
        before = photo.copy()
        output = method.run(photo, mask, KNOWN)
        assert output.image.dtype == np.float32
        assert output.image.shape == photo.shape
        np.testing.assert_array_equal(output.image[mask == 0], photo[mask == 0])
        np.testing.assert_array_equal(photo, before)
        assert output.image.min() >= 0
        assert output.image.max() <= 255
        changed = np.abs(output.image - photo)[mask > 0].max()
        assert (changed == 0) == (method.name == "composite")


@pytest.mark.parametrize("method", all_methods(), ids=lambda method: method.name)
def test_the_same_input_gives_the_same_bytes(method: Method) -> None:
    photo, mask = draw_photo(3), draw_mask(3, soft=True)
    first, second = (method.run(photo, mask, KNOWN) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.arguments == second.arguments


def test_methods_have_the_names_of_tables() -> None:
    assert [method.name for method in all_methods()] == [
        "composite",
        "reinhard",
        "histogram",
        "oracle",
        "harmonizer",
        "reinhard + PCM2",
        "harmonizer + PCM3",
    ]
    assert [isinstance(method, Chained) for method in all_methods()] == [False] * 3 + [True] * 2 + [False] * 2


# Without learning


@pytest.mark.parametrize("soft", [False, True])
def test_the_baselines_look_at_all_of_the_background(soft: bool) -> None:
    photo, mask = draw_photo(5), draw_mask(5, soft=soft)
    np.testing.assert_array_equal(Reinhard().run(photo, mask, None).image, reinhard(photo, mask, mask == 0))
    expected = match_histograms(photo, mask).astype(np.float32)
    np.testing.assert_array_equal(Histogram().run(photo, mask, None).image, expected)


@pytest.mark.parametrize("method", [Reinhard(), Histogram(), Lifted(Reinhard(), 2)], ids=lambda m: m.name)
def test_where_there_is_no_background_there_is_nothing_to_take_on(method: Method) -> None:
    with pytest.raises(Unusable, match=r"(reinhard|histogram): no background: the mask is above 0 everywhere"):
        method.run(draw_photo(1), np.full((30, 38), 1 if method.name == "histogram" else 255, np.uint8), None)


# The oracle


@settings(max_examples=15)
@given(seeds, st.booleans())
def test_the_oracle_brings_the_real_image_back(seed: int, soft: bool) -> None:
    made = retouch(draw_photo(seed), draw_mask(seed, soft=soft), CHAIN, torch.Generator().manual_seed(seed))
    known = made.arguments.as_dicts()[0]
    output = Oracle(CHAIN).run(made.image, made.mask, known)
    errors = np.square(output.image - made.real)[made.recoverable]
    assert float(errors.mean()) == pytest.approx(made.recovery.mse, rel=1e-3, abs=1e-6)
    assert made.recovery.psnr > 30
    assert output.arguments == known


@pytest.mark.parametrize("known", [{}, {"brightness": 0.1}, {**KNOWN, "exposure": 0.1}])
def test_arguments_of_another_chain_stop_the_oracle(known: dict[str, float]) -> None:
    with pytest.raises(SynthharmError, match="those of the chain are accepted: temperature, brightness"):
        Oracle(CHAIN).run(draw_photo(1), draw_mask(1), known)


def test_without_arguments_the_oracle_knows_nothing() -> None:
    with pytest.raises(Unusable, match="oracle: no arguments: the true arguments are not known"):
        Oracle(CHAIN).run(draw_photo(1), draw_mask(1), None)


# The network


@pytest.mark.parametrize("filters", [CHAIN_NAMES, ("exposure", "white_balance")])
def test_the_network_is_harmonize_on_tensors(filters: tuple[str, ...]) -> None:
    photo, mask = draw_photo(2), draw_mask(2, soft=True)
    harmonizer = network(filters)
    method = Network(harmonizer)
    output = method.run(photo, mask, None)
    images, masks = as_tensors(photo, mask)
    with torch.no_grad():
        expected, arguments = harmonizer.harmonize(images.float(), masks.float())
    np.testing.assert_allclose(output.image, expected[0].permute(1, 2, 0).numpy() * 255, atol=1e-4)
    assert output.arguments is not None
    assert tuple(output.arguments) == harmonizer.chain.columns
    assert list(output.arguments.values()) == pytest.approx(arguments[0].tolist())
    assert max(map(abs, output.arguments.values())) > 0.01
    assert output.chain == harmonizer.chain


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_prediction_that_is_not_finite_is_refused_and_not_clamped(value: float) -> None:
    harmonizer = network()
    biases = [module.bias for module in harmonizer.regressor.modules() if isinstance(module, nn.Linear)]
    biases[-1].data.fill_(value)
    with pytest.raises(SynthharmError, match="predicts no finite number for"):
        Network(harmonizer).run(draw_photo(1), draw_mask(1), None)


def test_its_arguments_applied_again_give_its_image() -> None:
    photo, mask = draw_photo(2), draw_mask(2, soft=True)
    method = Network(network())
    output = method.run(photo, mask, None)
    assert output.arguments is not None
    again = method.apply(photo, mask, output.arguments)
    np.testing.assert_allclose(again.image, output.image, atol=0.01)
    assert again.arguments == output.arguments
    other = method.apply(photo, mask, dict.fromkeys(output.arguments, 0.0))
    np.testing.assert_allclose(other.image, photo, atol=0.01)


def test_a_network_is_in_evaluation_mode_and_keeps_no_gradients() -> None:
    harmonizer = network().train()
    method = Network(harmonizer, name="mine")
    assert method.name == "mine"
    assert not harmonizer.training
    statistics = [b.clone() for b in harmonizer.buffers()]
    method.run(draw_photo(1), draw_mask(1), None)
    assert all(torch.equal(a, b) for a, b in zip(statistics, harmonizer.buffers(), strict=True))
    assert all(parameter.grad is None for parameter in harmonizer.parameters())


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_a_device_that_is_not_here_is_refused(name: str) -> None:
    with pytest.raises(SynthharmError, match=f"the device '{name}' "):
        Network(network(), device=name)


# Lifted


@settings(max_examples=20)
@given(seeds, st.booleans(), st.sampled_from([2, 3]))
def test_a_polynomial_change_is_carried_over_exactly(seed: int, soft: bool, order: int) -> None:
    photo = draw_photo(seed, (90, 110), 60, 180)
    mask = draw_mask(seed, (90, 110), soft=soft)
    mask[40:60, 40:60] = 255

    def change(colours: np.ndarray) -> np.ndarray:
        values = colours.astype(np.float64) / 255
        return (0.1 + 0.5 * values + 0.2 * values[:, [1, 2, 0]] * values) * 255

    spy = Spy(change)
    output = Lifted(spy, order, size=48).run(photo, mask, KNOWN)
    alpha = mask[..., None] / 255
    mapped = change(photo.reshape(-1, 3)).reshape(photo.shape)
    np.testing.assert_allclose(output.image, photo + alpha * (mapped - photo), atol=0.05)
    assert output.arguments == {"gain": 2.0}
    small, small_mask, known = spy.seen[0]
    np.testing.assert_array_equal(small, resize(photo, (48, 48)))
    np.testing.assert_array_equal(small_mask, np.where(resize(mask, (48, 48)) >= 128, 255, 0))
    assert known is KNOWN


@settings(max_examples=20)
@given(seeds, st.sampled_from([2, 3]))
def test_what_is_not_changed_at_low_resolution_is_not_changed(seed: int, order: int) -> None:
    photo, mask = draw_photo(seed), draw_mask(seed, soft=True)
    mask[10:20, 10:20] = 255
    np.testing.assert_array_equal(Lifted(Composite(), order, size=16).run(photo, mask, None).image, photo)


def test_a_lifted_oracle_comes_near_the_real_image() -> None:
    real, mask = draw_photo(7, (120, 150), 60, 190), np.zeros((120, 150), np.uint8)
    mask[30:90, 40:110] = 255
    known = dict(zip(CHAIN.columns, [0.1, -0.2, 0.2, 0.1, 0.1, -0.1], strict=True))
    composite = undo(real, mask, CHAIN, list(known.values()))
    errors = {
        order: float(
            np.square(Lifted(Oracle(CHAIN), order, size=64).run(composite, mask, known).image - real)[
                mask > 0
            ].mean()
        )
        for order in (2, 3)
    }
    untouched = float(np.square(composite.astype(float) - real)[mask > 0].mean())
    assert errors[3] < errors[2] < untouched / 20
    assert errors[3] < 5
    assert Lifted(Oracle(CHAIN), 2, size=64).run(composite, mask, known).chain == CHAIN


def test_a_lifted_result_is_clipped() -> None:
    photo, mask = draw_photo(4), draw_mask(4)
    mask[10:20, 10:20] = 255
    for gain, bound in ((10.0, 255), (-10.0, 0)):
        output = Lifted(Spy(lambda colours, gain=gain: colours * gain), 2, size=32).run(photo, mask, None)
        np.testing.assert_array_equal(output.image[mask > 0], bound)


def test_blocks_of_pixels_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    photo, mask = draw_photo(4), draw_mask(4, soft=True)
    mask[10:20, 10:20] = 255
    method = Lifted(Reinhard(), 3, size=32)
    whole = method.run(photo, mask, None).image
    monkeypatch.setattr(methods, "BLOCK", 11)
    np.testing.assert_allclose(method.run(photo, mask, None).image, whole, atol=1e-4)


def test_a_mask_that_is_gone_at_low_resolution_cannot_be_lifted() -> None:
    mask = np.zeros((90, 110), np.uint8)
    mask[0, 0] = 255
    with pytest.raises(Unusable, match=r"composite \+ PCM2: empty mask: no foreground is left of it at 8 x 8"):
        Lifted(Composite(), 2, size=8).run(draw_photo(1, (90, 110)), mask, None)


@pytest.mark.parametrize(
    ("order", "size", "said"), [(1, 256, "order is 1; 2 or 3"), (4, 256, "order is 4"), (2, 0, "size is 0; 1 or")]
)
def test_what_cannot_be_lifted_is_refused(order: int, size: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Lifted(Composite(), order, size)


# Resizing


@settings(max_examples=30)
@given(seeds, st.integers(1, 50), st.integers(1, 50))
def test_resizing_is_bilinear_between_pixel_centres_without_antialiasing(
    seed: int, height: int, width: int
) -> None:
    photo = draw_photo(seed)
    found = resize(photo, (height, width))
    places = [
        np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        for new, old in ((height, photo.shape[0]), (width, photo.shape[1]))
    ]
    values = photo.astype(np.float64)
    for axis, place in enumerate(places):
        low = np.floor(place).astype(int)
        high = np.minimum(low + 1, values.shape[axis] - 1)
        part = (place - low).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        values = np.take(values, low, axis) * (1 - part) + np.take(values, high, axis) * part
    assert np.abs(found - values).max() <= 1


def test_the_same_size_gives_the_same_bytes() -> None:
    photo = draw_photo(1)
    np.testing.assert_array_equal(resize(photo, (30, 38)), photo)
