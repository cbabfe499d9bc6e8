"""A few pixels and a histogram give what the whole image gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import as_tensors, draw_mask, draw_photo, harmonize_whole

from synthharm.composites.foreground import Foreground
from synthharm.composites.harmonizing import harmonize
from synthharm.filters import FilterChain

CHAINS = (
    ["temperature", "brightness", "contrast", "saturation", "highlight", "shadow"],
    ["saturation", "temperature", "contrast"],  # mixes channels before the means are taken
    ["contrast", "saturation", "temperature"],  # and between them
    ["contrast", "temperature"],
    ["shadow", "contrast"],
    ["saturation", "highlight"],  # no means at all
)
chains = st.builds(FilterChain, st.sampled_from(CHAINS), st.sampled_from(["image", "foreground"]))
seeds = st.integers(0, 10**6)


def arguments_of(chain: FilterChain, seed: int) -> np.ndarray:
    spans = np.array([p.span for p in chain.parameters])
    return np.random.default_rng(seed).uniform(-0.6, 0.6, len(spans)) * spans


def whole(columns: torch.Tensor, inside: np.ndarray) -> np.ndarray:
    return columns[0].permute(1, 2, 0).numpy()[inside]


@settings(deadline=None, max_examples=40)
@given(chains, seeds, st.booleans(), st.booleans())
def test_harmonizing_agrees_with_the_whole_image(chain: FilterChain, seed: int, soft: bool, deep: bool) -> None:
    image, mask = draw_photo(seed), draw_mask(seed, soft=soft)
    if deep:
        noise = np.random.default_rng(seed).integers(0, 200, image.shape)
        image = (image.astype(np.uint16) * 256 + noise).astype(np.uint16)
    values = arguments_of(chain, seed)
    expected = harmonize_whole(image, mask, chain, values)[mask > 0]
    np.testing.assert_allclose(harmonize(image, mask, chain, values), expected, atol=1e-10, rtol=0)


@settings(deadline=None, max_examples=25)
@given(chains, seeds, st.integers(0, 4).map(lambda n: n == 4))
def test_the_composite_agrees_with_the_whole_images(chain: FilterChain, seed: int, soft: bool) -> None:
    image, mask = draw_photo(seed, low=70, high=180), draw_mask(seed, soft=soft)
    values = torch.from_numpy(arguments_of(chain, seed))[None]
    compact = Foreground.of(image, mask, chain)
    found = chain.invert(compact.images, compact.masks, values, compact.counts)
    expected = chain.invert(*as_tensors(image, mask), values)
    inside = mask > 0
    recoverable = expected.recoverable[0, 0].numpy()[inside]
    if recoverable.all():  # elsewhere the nearest composite is given, which only has to be near
        np.testing.assert_allclose(
            compact.pixels(found.composites), whole(expected.composites, inside), atol=1e-7, rtol=0
        )
        assert found.recoverable[0, 0, : inside.sum(), 0].all()


@settings(deadline=None)
@given(st.sampled_from(CHAINS), seeds, st.booleans())
def test_every_pixel_is_counted_once(filters: list[str], seed: int, soft: bool) -> None:
    image, mask = draw_photo(seed), draw_mask(seed, soft=soft)
    compact = Foreground.of(image, mask, FilterChain(filters))
    count = int((mask > 0).sum())
    assert compact.levels == 255
    np.testing.assert_array_equal(compact.inside, mask > 0)
    assert (compact.counts.sum(dim=(0, 2, 3)) == mask.size).all()
    sums = (compact.counts * compact.images).sum(dim=(0, 2, 3)).numpy()
    np.testing.assert_allclose(sums, image.sum(axis=(0, 1)) / 255)
    assert (compact.masks[0, 0, :count, 0].numpy() == mask[mask > 0] / 255).all()
    assert not compact.masks[0, 0, count:].any()
    np.testing.assert_array_equal(compact.pixels(compact.images), image[mask > 0] / 255)


@pytest.mark.parametrize(
    ("filters", "few"), [(f, f not in (CHAINS[1], CHAINS[2])) for f in CHAINS], ids=[",".join(f) for f in CHAINS]
)
def test_a_histogram_stands_for_the_background_where_it_can(filters: list[str], few: bool) -> None:
    image, mask = draw_photo(1, (60, 80)), draw_mask(1, (60, 80))
    compact = Foreground.of(image, mask, FilterChain(filters))
    background = compact.images.shape[2] - int((mask > 0).sum())
    assert background == (256 if few else int((mask == 0).sum()))


@pytest.mark.parametrize("filters", CHAINS, ids=",".join)
def test_the_whole_image_may_be_foreground(filters: list[str]) -> None:
    image, mask, chain = draw_photo(2), np.full((30, 38), 255, np.uint8), FilterChain(filters)
    values = arguments_of(chain, 2)
    expected = harmonize_whole(image, mask, chain, values).reshape(-1, 3)
    np.testing.assert_allclose(harmonize(image, mask, chain, values), expected, atol=1e-10, rtol=0)
