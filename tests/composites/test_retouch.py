"""A retouch is the photo outside its mask, and its arguments bring the photo back inside."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import as_tensors, draw_mask, draw_photo, harmonize_whole, psnr_of

from synthharm.composites import Composite, decode_image, harmonize, measure_recovery, retouch
from synthharm.composites.encoding import Encoder
from synthharm.filters import Difficulty, FilterChain, Gamut, Limits, Span
from synthharm.filters.drawing import Strategy

CHAINS = (
    ["temperature", "brightness", "contrast", "saturation", "highlight", "shadow"],
    ["saturation", "temperature", "contrast"],
    ["brightness"],
)
chains = st.builds(FilterChain, st.sampled_from(CHAINS), st.sampled_from(["image", "foreground"]))
seeds = st.integers(0, 10**6)


def made(
    chain: FilterChain, seed: int, soft: bool = False, limits: Limits | None = None, **photo: int
) -> Composite:
    generator = torch.Generator().manual_seed(seed)
    return retouch(draw_photo(seed, **photo), draw_mask(seed, soft=soft), chain, generator, limits)


def values_of(composite: Composite) -> np.ndarray:
    return composite.arguments.values[0].double().numpy()


@settings(deadline=None, max_examples=20)
@given(chains, seeds, st.sampled_from([255, 65535]), st.sampled_from([30.0, 35.0, 42.0]))
def test_a_retouch_is_undone_by_its_arguments(chain: FilterChain, seed: int, levels: int, recovery: float) -> None:
    limits = Limits(unrecoverable=0.01, recovery=recovery, levels=levels)
    check_retouch(made(chain, seed, limits=limits), draw_photo(seed), draw_mask(seed), chain, limits)


@pytest.mark.parametrize("statistics", ["image", "foreground"])
@pytest.mark.parametrize("levels", [255, 65535])
def test_a_soft_retouch_is_undone_by_its_arguments(statistics: Any, levels: int) -> None:
    chain, limits = FilterChain.paper(statistics), Limits(levels=levels)
    composite = made(chain, 8, soft=True, limits=limits)
    check_retouch(composite, draw_photo(8), draw_mask(8, soft=True), chain, limits)


def check_retouch(
    composite: Composite, real: np.ndarray, mask: np.ndarray, chain: FilterChain, limits: Limits
) -> None:
    inside = mask > 0

    # Outside the mask it is the photo.
    assert composite.image.dtype == (np.uint8 if limits.levels == 255 else np.uint16)
    scale = limits.levels // 255
    np.testing.assert_array_equal(composite.image[~inside], real[~inside].astype(composite.image.dtype) * scale)
    np.testing.assert_array_equal(composite.real, real)
    np.testing.assert_array_equal(composite.mask, mask)

    # Harmonizing the whole image, as the published way does, gives the photo again.
    harmonized = harmonize_whole(composite.image, composite.mask, chain, values_of(composite)) * 255
    assert not (composite.recoverable & ~inside).any()
    assert composite.recoverable.sum() >= (1 - limits.unrecoverable) * inside.sum()
    assert composite.recoverable_share == composite.recoverable.sum() / inside.sum()
    back = composite.recoverable
    assert psnr_of(harmonized[back], real[back]) >= limits.recovery - 1e-6

    # What is said of it is so.
    error = np.mean((composite.image[inside] / scale - real[inside].astype(float)) ** 2)
    assert composite.foreground_mse == pytest.approx(error, rel=1e-12)
    measured = measure_recovery(composite.image, composite.mask, real, back, chain, values_of(composite))
    assert measured.mse == pytest.approx(np.mean((harmonized[back] - real[back]) ** 2), rel=1e-6)
    assert measured.psnr == pytest.approx(psnr_of(harmonized[back], real[back]), abs=1e-5)


@settings(deadline=None, max_examples=12)
@given(chains, seeds)
def test_the_pixels_are_those_of_the_exact_inverse(chain: FilterChain, seed: int) -> None:
    composite = made(chain, seed, low=70, high=180)
    inverse = chain.invert(*as_tensors(composite.real, composite.mask), composite.arguments)
    exact = inverse.composites[0].permute(1, 2, 0).numpy() * 255
    back = inverse.recoverable[0, 0].numpy()
    np.testing.assert_array_equal(composite.recoverable, back)
    assert np.abs(composite.image[back] - exact[back]).max() <= 0.5 + 1e-4  # rounded to the nearest


@pytest.mark.parametrize("filters", CHAINS, ids=",".join)
def test_pixels_that_do_not_come_back_are_marked(filters: list[str]) -> None:
    chain, lost, limits = FilterChain(filters), 0, Limits(unrecoverable=0.9, recovery=0)
    for seed in range(5):
        composite = made(chain, seed, limits=limits, low=-60, high=330)  # much of it is black or white
        inverse = chain.invert(*as_tensors(composite.real, composite.mask), composite.arguments)
        np.testing.assert_array_equal(composite.recoverable, inverse.recoverable[0, 0].numpy())
        inside, share = composite.mask > 0, composite.recoverable_share
        assert share == composite.recoverable[inside].mean()
        lost += int((inside & ~composite.recoverable).sum())
    assert lost > 10


@settings(deadline=None, max_examples=10)
@given(chains, seeds)
def test_16_bits_bring_back_more_than_8(chain: FilterChain, seed: int) -> None:
    found = {}
    for levels in (255, 65535):
        composite = made(chain, seed, limits=Limits(recovery=0, levels=levels), low=70, high=180)
        found[levels] = (
            values_of(composite),
            measure_recovery(
                composite.image, composite.mask, composite.real, composite.recoverable, chain, values_of(composite)
            ),
        )
    np.testing.assert_array_equal(found[255][0], found[65535][0])
    assert found[65535][1].psnr > found[255][1].psnr + 20


@settings(deadline=None, max_examples=10)
@given(chains, seeds)
def test_the_same_seed_makes_the_same_and_another_another(chain: FilterChain, seed: int) -> None:
    photo, mask = draw_photo(seed), draw_mask(seed)
    before = photo.copy(), mask.copy()
    first, second, other = (
        retouch(photo, mask, chain, torch.Generator().manual_seed(s)) for s in (seed, seed, seed + 1)
    )
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(values_of(first), values_of(second))
    assert (values_of(first) != values_of(other)).any()
    np.testing.assert_array_equal(photo, before[0])
    np.testing.assert_array_equal(mask, before[1])
    assert not np.shares_memory(first.image, photo)


def test_no_limits_are_the_usual_ones() -> None:
    chain = FilterChain.paper()
    np.testing.assert_array_equal(made(chain, 3).image, made(chain, 3, limits=Limits()).image)
    assert made(chain, 3).image.dtype == np.uint8


def test_one_pixel_and_the_whole_photo_are_regions() -> None:
    chain, photo = FilterChain.paper(), draw_photo(5)
    for rows, columns in ((slice(7, 8), slice(9, 10)), (slice(None), slice(None))):
        mask = np.zeros(photo.shape[:2], np.uint8)
        mask[rows, columns] = 255
        composite = retouch(photo, mask, chain, torch.Generator().manual_seed(1))
        assert (composite.image[mask == 0] == photo[mask == 0]).all()
        assert (composite.image[mask > 0] != photo[mask > 0]).any()


def test_a_region_that_nothing_reversible_changes_stays() -> None:
    photo = np.zeros((12, 12, 3), np.uint8)
    photo[::2] = 255
    mask = np.zeros((12, 12), np.uint8)
    mask[3:9, 3:9] = 255
    composite = retouch(photo, mask, FilterChain(["brightness"]), torch.Generator().manual_seed(1))
    assert composite.foreground_mse == 0 or composite.recoverable_share >= 0.995


@pytest.mark.parametrize(
    ("photo", "mask", "said"),
    [
        (np.zeros((8, 8), np.uint8), None, r"the photo is uint8 \(8, 8\)"),
        (np.zeros((8, 8, 4), np.uint8), None, r"the photo is uint8 \(8, 8, 4\)"),
        (np.zeros((8, 8, 3), np.uint16), None, "the photo is uint16"),
        (np.zeros((8, 8, 3), np.float64), None, "the photo is float64"),
        (None, np.ones((8, 9), np.uint8), r"the mask is uint8 \(8, 9\); uint8 \(8, 8\) is accepted"),
        (None, np.ones((8, 8, 1), np.uint8), r"the mask is uint8 \(8, 8, 1\)"),
        (None, np.ones((8, 8), bool), "the mask is bool"),
        (None, np.zeros((8, 8), np.uint8), "the mask is empty"),
    ],
)
def test_other_photos_and_masks_are_refused(photo: np.ndarray | None, mask: np.ndarray | None, said: str) -> None:
    photo = np.full((8, 8, 3), 100, np.uint8) if photo is None else photo
    mask = np.full((8, 8), 255, np.uint8) if mask is None else mask
    with pytest.raises(ValueError, match=said):
        retouch(photo, mask, FilterChain.paper(), torch.Generator())


def test_other_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="levels is 1023; 255 or 65535 is accepted"):
        made(FilterChain.paper(), 1, limits=Limits(levels=1023))


# Harmonizing and measuring


def test_brightness_by_hand() -> None:
    photo, mask = draw_photo(4), draw_mask(4)
    back = harmonize(photo, mask, FilterChain(["brightness"]), np.array([-0.25]))
    np.testing.assert_allclose(back, photo[mask > 0] / 255 * 0.75, atol=1e-12)


def test_only_the_recoverable_foreground_is_judged() -> None:
    mask = draw_mask(6)
    photo, inside = draw_photo(6), mask > 0
    wrong = photo.copy()
    first = np.argwhere(inside)[0]
    wrong[tuple(first)] ^= 128
    judged = inside.copy()
    chain, neutral = FilterChain(["brightness"]), np.array([0.0])
    error = measure_recovery(photo, mask, wrong, judged, chain, neutral).mse
    assert error == pytest.approx(128**2 / inside.sum(), rel=1e-3)
    judged[tuple(first)] = False
    assert measure_recovery(photo, mask, wrong, judged, chain, neutral).psnr > 120
    wrong[~inside] = 0  # what is outside the mask counts for nothing
    assert measure_recovery(photo, mask, wrong, judged, chain, neutral).psnr > 120


@settings(deadline=None, max_examples=10)
@given(seeds)
def test_what_was_encoded_is_what_is_measured(seed: int) -> None:
    chain = FilterChain.paper()
    composite = made(chain, seed)
    arguments = composite.mask, composite.real, composite.recoverable, chain, values_of(composite)
    encoded = {f: decode_image(Encoder(f).encode(composite.image)) for f in ("png", "jpeg")}  # type: ignore[arg-type]
    lossless = measure_recovery(encoded["png"], *arguments)
    assert lossless == measure_recovery(composite.image, *arguments)
    assert lossless.psnr > measure_recovery(encoded["jpeg"], *arguments).psnr


def test_a_composite_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        made(FilterChain.paper(), 1).image = np.zeros(1)  # type: ignore[misc]


@pytest.mark.parametrize("strategy", [Gamut(), Difficulty(), Span()], ids=lambda s: type(s).__name__)
def test_photos_without_colour_are_drawn_for_in_every_way(strategy: Strategy) -> None:
    """Arguments that would tint them have no span at all."""
    photo = np.repeat(np.random.default_rng(1).integers(60, 190, (24, 24, 1), np.uint8), 3, axis=2)
    mask = np.zeros((24, 24), np.uint8)
    mask[6:20, 4:18] = 255
    composite = retouch(photo, mask, FilterChain.paper(), torch.Generator().manual_seed(3), strategy=strategy)
    assert float(composite.arguments["temperature"]) == 0
    assert (np.ptp(composite.image.astype(int), axis=2) <= 1).all()
    assert composite.computed == "compiled"


def test_recovery_is_no_number_where_nothing_is_recoverable() -> None:
    photo = np.zeros((8, 8, 3), np.uint8)
    photo[:4], photo[4:] = 255, 0
    mask = np.full((8, 8), 255, np.uint8)
    chain = FilterChain(["contrast"], spans={"contrast": 0.9})
    limits = Limits(unrecoverable=1, recovery=0)
    for seed in range(8):
        composite = retouch(photo, mask, chain, torch.Generator().manual_seed(seed), limits)
        assert np.isnan(composite.recovery.psnr) == (not composite.recoverable.any())
        if not composite.recoverable.any():
            return
    raise AssertionError("each draw was recoverable")
