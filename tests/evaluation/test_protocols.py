"""What a protocol resizes, replaces and relates errors to; and where protocols agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scenes import draw_mask, draw_photo

from synthharm.composites import undo
from synthharm.errors import Unusable
from synthharm.evaluation import protocols
from synthharm.evaluation.methods import Composite, Method, Network, Oracle, Output, Reinhard, resize
from synthharm.evaluation.protocols import PROTOCOLS, Protocol, measure_result, run_method, score
from synthharm.filters import FilterChain
from synthharm.harmonizer import Harmonizer, HarmonizerConfig
from synthharm.metrics import measure

seeds = st.integers(0, 10**6)
CHAIN = FilterChain.paper()
KNOWN = dict(zip(CHAIN.columns, [0.1, -0.2, 0.2, 0.1, 0.1, -0.1], strict=True))
ISSAM, HARMONIZER, REAL_BACKGROUND = PROTOCOLS.values()
SIZE = (90, 110)


@dataclass(frozen=True)
class Darker:
    """A method without a chain, whose result lies between levels; it notes what it was given."""

    seen: list[tuple[np.ndarray, np.ndarray, Mapping[str, float] | None]] = field(default_factory=list)
    name: str = "darker"

    def run(self, composite: np.ndarray, mask: np.ndarray, known: Mapping[str, float] | None) -> Output:
        self.seen.append((composite, mask, known))
        alpha = mask[..., None].astype(np.float32) / 255
        return Output(composite * (1 - np.float32(0.123) * alpha))


@dataclass(frozen=True)
class Noted:
    """An oracle that notes what it was given."""

    inner: Oracle = field(default_factory=lambda: Oracle(CHAIN))
    ran: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    applied: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    name: str = "noted"

    def run(self, composite: np.ndarray, mask: np.ndarray, known: Mapping[str, float] | None) -> Output:
        self.ran.append((composite, mask))
        return self.inner.run(composite, mask, known)

    def apply(self, composite: np.ndarray, mask: np.ndarray, arguments: Mapping[str, float]) -> Output:
        self.applied.append((composite, mask))
        return self.inner.apply(composite, mask, arguments)


def triple(seed: int, soft: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Composite, mask and real image, of which background and foreground differ."""
    real, mask = draw_photo(seed, SIZE, 60, 190), draw_mask(seed, SIZE, soft=soft)
    mask[35:65, 40:75] = 255
    composite = undo(real, mask, CHAIN, list(KNOWN.values()))
    noise = np.random.default_rng(seed).integers(0, 4, real.shape).astype(np.uint8)
    return np.where(mask[..., None] == 0, composite + noise, composite), mask, real


def network() -> Network:
    torch.manual_seed(0)
    return Network(Harmonizer(HarmonizerConfig("test_efficientnet", size=64)))


def pil(image: np.ndarray, size: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), how))


# What there is


def test_the_protocols_are_the_three_of_the_field_at_256() -> None:
    assert {
        name: (p.name, p.size, p.resize, p.arguments_from, p.background, p.peak) for name, p in PROTOCOLS.items()
    } == {
        "issam": ("issam", (256, 256), "bilinear", "resized", "composite", "255"),
        "harmonizer": ("harmonizer", (256, 256), "pil", "full", "composite", "prediction"),
        "ground-truth-background": ("ground-truth-background", (256, 256), "bilinear", "resized", "real", "255"),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda p: p.name)
def test_another_size_is_the_same_protocol(protocol: Protocol) -> None:
    assert protocol.at(64) == replace(protocol, size=(64, 64))
    assert protocol.at((48, 64)) == replace(protocol, size=(48, 64))
    assert protocol.at(None) == replace(protocol, size=None)
    assert protocol.at(None).at(256) == protocol
    for size in (0, (3, 0), -1):
        with pytest.raises(ValueError, match="1 or more a side"):
            protocol.at(size)


def test_each_is_described_in_a_sentence_of_its_own() -> None:
    said = {p.at(size).described for p in PROTOCOLS.values() for size in (256, (48, 64), None)}
    assert len(said) == 9
    for sentence in said:
        assert sentence.endswith(".")
        assert "\n" not in sentence
    assert "64 x 48" in ISSAM.at((48, 64)).described
    assert "full size" in ISSAM.at(None).described


@pytest.mark.parametrize("size", [256, None])
def test_without_a_real_image_the_sentence_speaks_of_none(size: int | None) -> None:
    for protocol in PROTOCOLS.values():
        sentence = protocol.at(size).described_without_real
        assert sentence.startswith(f"{protocol.name}: ")
        assert not any(word in sentence for word in ("real", "PSNR", "error"))
        assert ("256 x 256" in sentence) == (size is not None)


# What each one does


@settings(max_examples=8)
@given(seeds, st.booleans())
def test_issam_resizes_first_and_counts_the_background(seed: int, soft: bool) -> None:
    composite, mask, real = triple(seed, soft)
    method = Darker()
    found, output = score(ISSAM.at((40, 56)), method, composite, mask, real, known=KNOWN)
    small, small_real = resize(composite, (40, 56)), resize(real, (40, 56))
    small_mask = resize(mask, (40, 56)) >= 128
    prediction = np.where(small_mask[..., None], small * np.float32(1 - 0.123), small)
    expected = measure(prediction, small_real, small_mask)
    assert found.mse == pytest.approx(expected.mse, rel=1e-5)
    assert found.fmse == pytest.approx(expected.fmse, rel=1e-5)
    assert found.psnr == pytest.approx(expected.psnr, rel=1e-5)
    assert found.ssim == pytest.approx(expected.ssim, rel=1e-5)
    np.testing.assert_allclose(output.image, prediction, atol=1e-3)
    seen, seen_mask, known = method.seen[0]
    np.testing.assert_array_equal(seen, small)
    np.testing.assert_array_equal(seen_mask, small_mask * np.uint8(255))
    assert known is KNOWN


@settings(max_examples=8)
@given(seeds)
def test_the_real_background_leaves_the_foreground_alone(seed: int) -> None:
    composite, mask, real = triple(seed)
    plain, shown = score(ISSAM.at(64), Darker(), composite, mask, real)
    found, output = score(REAL_BACKGROUND.at(64), Darker(), composite, mask, real)
    share = (resize(mask, (64, 64)) >= 128).mean()
    assert found.fmse == plain.fmse
    assert found.fpsnr == plain.fpsnr
    assert found.mse == pytest.approx(plain.fmse * share)
    assert found.mse < plain.mse
    assert found.psnr > plain.psnr
    np.testing.assert_array_equal(output.image, shown.image)


@settings(max_examples=8)
@given(seeds, st.booleans())
def test_harmonizers_arguments_are_of_the_full_image_and_applied_to_the_small_one(seed: int, soft: bool) -> None:
    composite, mask, real = triple(seed, soft)
    method = Noted()
    found, output = score(HARMONIZER.at((40, 56)), method, composite, mask, real, known=KNOWN)
    small, small_real = (pil(image, (40, 56), Image.Resampling.BILINEAR) for image in (composite, real))
    small_mask = pil(np.where(mask >= 128, np.uint8(255), np.uint8(0)), (40, 56), Image.Resampling.NEAREST)
    expected = Oracle(CHAIN).run(small, small_mask, KNOWN)
    np.testing.assert_array_equal(output.image, expected.image)
    peak = float(expected.image.max()) - float(expected.image.min())
    assert found == measure(expected.image, small_real, small_mask > 0, peak=peak)
    assert found != measure(expected.image, small_real, small_mask > 0)
    for calls, image, region in ((method.ran, composite, mask), (method.applied, small, small_mask)):
        assert len(calls) == 1
        np.testing.assert_array_equal(calls[0][0], image)
        np.testing.assert_array_equal(calls[0][1], region)


@settings(max_examples=8)
@given(seeds)
def test_harmonizer_rounds_and_resizes_what_has_no_arguments(seed: int) -> None:
    composite, mask, real = triple(seed)
    method = Darker()
    found, output = score(HARMONIZER.at((40, 56)), method, composite, mask, real)
    full = np.rint(Darker().run(composite, mask, None).image).astype(np.uint8)
    small, small_real = (pil(image, (40, 56), Image.Resampling.BILINEAR) for image in (full, real))
    small_mask = pil(mask, (40, 56), Image.Resampling.NEAREST) > 0
    np.testing.assert_array_equal(output.image, small)
    assert found == measure(small, small_real, small_mask, peak=float(small.max()) - float(small.min()))
    np.testing.assert_array_equal(method.seen[0][0], composite)


def test_a_network_under_harmonizer_sees_the_full_image() -> None:
    composite, mask, real = triple(1)
    method = network()
    full = method.run(composite, mask, None)
    for protocol, same in ((HARMONIZER, True), (ISSAM, False)):
        _, output = score(protocol.at(48), method, composite, mask, real)
        assert output.image.shape == (48, 48, 3)
        assert (output.arguments == full.arguments) == same


@settings(max_examples=10)
@given(seeds, st.booleans())
def test_the_arguments_bring_the_real_image_back_under_any_protocol(seed: int, soft: bool) -> None:
    composite, mask, real = triple(seed, soft)
    for protocol in PROTOCOLS.values():
        full, _ = score(protocol.at(None), Oracle(CHAIN), composite, mask, real, known=KNOWN)
        assert full.fmse < 1
        small, _ = score(protocol.at(80), Oracle(CHAIN), composite, mask, real, known=KNOWN)
        untouched, _ = score(protocol.at(80), Composite(), composite, mask, real)
        assert small.fmse < untouched.fmse / 5


# Where they agree


@pytest.mark.parametrize(
    "method", [Composite(), Reinhard(), Oracle(CHAIN), Darker(), network()], ids=lambda m: m.name
)
@pytest.mark.parametrize("soft", [False, True])
def test_at_full_size_all_agree_on_the_foreground(method: Method, soft: bool) -> None:
    composite, mask, real = triple(3, soft)
    found = [score(p.at(None), method, composite, mask, real, known=KNOWN)[0] for p in PROTOCOLS.values()]
    assert found[0].fmse == found[1].fmse == found[2].fmse
    assert found[0].mse == found[1].mse > found[2].mse
    assert found[1].psnr < found[0].psnr < found[2].psnr


@settings(max_examples=8)
@given(seeds)
def test_where_the_background_is_the_real_one_it_makes_no_difference(seed: int) -> None:
    composite, mask, real = triple(seed)
    composite = np.where(mask[..., None] > 0, composite, real)
    one, other = (score(p.at(None), Darker(), composite, mask, real)[0] for p in (ISSAM, REAL_BACKGROUND))
    assert one == other
    # Resized, too, where no pixel mixes foreground and background: each becomes a block of nine.
    big = tuple(np.repeat(np.repeat(image, 3, axis=0), 3, axis=1) for image in (composite, mask, real))
    one, other = (score(p.at(SIZE), Darker(), *big)[0] for p in (ISSAM, REAL_BACKGROUND))
    assert one == other


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda p: p.name)
def test_the_images_own_size_is_full_size(protocol: Protocol) -> None:
    composite, mask, real = triple(4)
    own, _ = score(protocol.at(SIZE), Oracle(CHAIN), composite, mask, real, known=KNOWN)
    full, _ = score(protocol.at(None), Oracle(CHAIN), composite, mask, real, known=KNOWN)
    assert own == full


def test_at_full_size_soft_edges_are_kept_and_half_is_foreground() -> None:
    composite, mask, real = triple(5, soft=True)
    assert ((mask > 0) & (mask < 255)).any()
    for protocol in PROTOCOLS.values():
        method = Darker()
        found, output = score(protocol.at(None), method, composite, mask, real)
        np.testing.assert_array_equal(method.seen[0][1], mask)
        expected = np.square(output.image.astype(np.float64) - real)[mask >= 128].mean()
        assert found.fmse == pytest.approx(expected)


def test_the_perceptual_distance_is_of_what_is_measured() -> None:
    composite, mask, real = triple(6)
    for protocol in PROTOCOLS.values():
        shapes: list[tuple[int, ...]] = []

        def distance(prediction: np.ndarray, target: np.ndarray, shapes: list[tuple[int, ...]] = shapes) -> float:
            shapes.extend([prediction.shape, target.shape])
            return float(np.abs(prediction - target.astype(float)).max())

        found, _ = score(protocol.at(40), Composite(), composite, mask, real, distance)
        assert shapes == [(40, 40, 3)] * 2
        assert found.lpips is not None
        assert found.lpips > 0
        assert score(protocol.at(40), Composite(), composite, mask, real)[0].lpips is None


def test_the_mask_of_a_result_is_the_one_it_was_measured_by() -> None:
    composite, mask, real = triple(7, soft=True)
    for protocol in (one.at(size) for one in PROTOCOLS.values() for size in (40, None)):
        result = run_method(protocol, Darker(), composite, mask)
        foreground = result.mask >= 128
        assert foreground.shape == result.output.image.shape[:2]
        found = measure_result(protocol, result, real)
        assert found == score(protocol, Darker(), composite, mask, real)[0]
        target = real if protocol.size is None else protocols._resize(protocol, real)
        error = np.square(result.output.image.astype(np.float64) - target)[foreground].mean()
        assert found.fmse == pytest.approx(error)


# What cannot be scored


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_result_that_is_not_finite_is_refused(value: float) -> None:
    composite, mask, _ = triple(1)

    @dataclass(frozen=True)
    class Broken:
        arguments: dict[str, float] | None
        name: str = "broken"

        def run(self, image: np.ndarray, region: np.ndarray, known: Mapping[str, float] | None) -> Output:
            return Output(image * np.float32(1 if self.arguments else value), self.arguments)

    for protocol in (ISSAM.at(40), HARMONIZER.at(40), ISSAM.at(None)):
        with pytest.raises(ValueError, match="the prediction is not finite: its image has"):
            run_method(protocol, Broken(None), composite, mask)
        with pytest.raises(ValueError, match=f"not finite: hue is {value}$"):
            run_method(protocol, Broken({"gain": 1.0, "hue": value}), composite, mask)


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=lambda p: p.name)
def test_a_mask_that_is_gone_is_unusable(protocol: Protocol) -> None:
    composite, mask, real = triple(1)
    mask = np.zeros_like(mask)
    with pytest.raises(Unusable, match=r"the mask: empty mask: 0 pixels of 110 x 90 reach 128$"):
        score(protocol.at(None), Composite(), composite, mask, real)
    mask[0, 0] = 255
    with pytest.raises(Unusable, match="empty mask: 1 pixels of 110 x 90 reach 128, and none at 12 x 11"):
        score(protocol.at((11, 12)), Composite(), composite, mask, real)
    score(protocol.at(None), Composite(), composite, mask, real)


def test_a_prediction_of_one_value_has_no_range() -> None:
    flat, mask = np.full((*SIZE, 3), 90, np.uint8), draw_mask(1, SIZE)
    with pytest.raises(Unusable, match="composite: one value: PSNR's peak is the range of the prediction"):
        score(HARMONIZER.at(None), Composite(), flat, mask, flat)
    assert score(ISSAM.at(None), Composite(), flat, mask, flat)[0].psnr == 150


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (0, lambda a: a[1:], r"the composite is uint8 \(89, 110, 3\); uint8 \(90, 110, 3\)"),
        (0, lambda a: a.astype(np.float32), "the composite is float32"),
        (1, lambda a: a[..., None], r"the mask is uint8 \(90, 110, 1\); uint8 \(H, W\)"),
        (1, lambda a: a > 0, "the mask is bool"),
        (2, lambda a: a[..., 0], r"the real image is uint8 \(90, 110\)"),
    ],
)
def test_what_is_no_triple_is_refused(place: int, change: Callable[[np.ndarray], np.ndarray], said: str) -> None:
    given_ = list(triple(1))
    given_[place] = change(given_[place])
    with pytest.raises(ValueError, match=said):
        score(ISSAM, Composite(), *given_)
