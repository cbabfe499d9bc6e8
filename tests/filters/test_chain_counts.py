"""Images given by fewer pixels than they have: `counts` says how many each one stands for."""

from __future__ import annotations

import pytest
import torch
from filter_cases import PLACELESS, arguments, chains, images, law, make_images, make_masks, masks
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthharm.filters import PAPER, FilterChain
from synthharm.filters.pixels import Pixels

LEVELS = torch.arange(256, dtype=torch.float64) / 255


def with_histogram(real: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One 8-bit image as its foreground pixels and the histograms of its background: pixels, mask and counts."""
    foreground = mask[0, 0] > 0
    inside = real[0][:, foreground]
    outside = (real[0][:, ~foreground] * 255).round().long()
    histogram = torch.stack([torch.bincount(channel, minlength=256) for channel in outside]).double()
    pixels = torch.cat([inside, LEVELS.expand(3, 256)], dim=1)[None, :, None]
    alphas = torch.cat([mask[0, 0][foreground], torch.zeros(256)])[None, None, None]
    return pixels, alphas.double(), torch.cat([torch.ones_like(inside), histogram], dim=1)[None, :, None]


def may_take_a_histogram(chain: FilterChain) -> bool:
    """Whether no filter mixes channels before the last one that needs means."""
    needing = [i for i, f in enumerate(chain.filters) if f.needs_means]
    return not any(f.mixes_channels for f in chain.filters[: max(needing, default=0)])


def bytes_in_midtones(seed: int, height: int, width: int) -> Tensor:
    return (make_images("midtones", (1, 3, height, width), seed) * 255).round() / 255


@settings(law, max_examples=30)
@given(st.data())
def test_a_background_may_be_given_by_its_histogram(data: st.DataObject) -> None:
    chain = data.draw(chains(PLACELESS))
    assume(may_take_a_histogram(chain))
    real = bytes_in_midtones(data.draw(st.integers(0, 999)), data.draw(st.integers(1, 9)), 7)
    mask = data.draw(masks(real, kinds=["binary", "one pixel", "soft"]))
    assume(bool((mask > 0).any()))
    values = data.draw(arguments(chain.parameters, real, share=0.3))
    pixels, alphas, counts = with_histogram(real, mask)
    whole, listed = chain.invert(real, mask, values), chain.invert(pixels, alphas, values, counts)
    foreground = mask[0, 0] > 0
    size = int(foreground.sum())
    torch.testing.assert_close(
        listed.composites[0, :, 0, :size], whole.composites[0][:, foreground], rtol=0, atol=1e-9
    )
    assert torch.equal(listed.recoverable[0, 0, 0, :size], whole.recoverable[0, 0][foreground])
    forward, forward_listed = (
        chain.apply(real, mask, values)[0][:, foreground],
        chain.apply(pixels, alphas, values, counts)[0, :, 0, :size],
    )
    torch.testing.assert_close(forward_listed, forward, rtol=0, atol=1e-12)


@settings(law, max_examples=30)
@given(st.data())
def test_a_count_is_that_many_pixels(data: st.DataObject) -> None:
    chain = data.draw(chains(PLACELESS))
    real = data.draw(images(kinds=["midtones"], most=1))
    mask = data.draw(masks(real, kinds=["all", "binary", "one pixel", "soft"]))
    values = data.draw(arguments(chain.parameters, real, share=0.3))
    flat, alphas = real.reshape(1, 3, 1, -1), mask.reshape(1, 1, 1, -1)
    size = flat.shape[-1]
    counts = torch.tensor(data.draw(st.lists(st.integers(0, 4), min_size=size, max_size=size)))
    assume(bool((counts > 0).any()))
    assume(chain.statistics == "image" or float((counts * alphas).sum()) > 0)
    repeated = torch.repeat_interleave(torch.arange(size), counts)
    counted = chain.invert(flat, alphas, values, counts[None, None, None].to(real.dtype))
    long = chain.invert(flat[..., repeated], alphas[..., repeated], values)
    atol = 2e-5 if real.dtype == torch.float32 else 1e-9
    torch.testing.assert_close(counted.composites[..., repeated], long.composites, rtol=0, atol=atol)


def test_a_draw_sees_counts_as_pixels() -> None:
    """With a background histogram the same generator draws the same arguments as with the whole image."""
    chain = FilterChain.paper()
    for seed in range(6):
        real = (make_images("any", (1, 3, 16, 16), seed) * 0.7 * 255).round() / 255
        mask = make_masks("binary", real, seed)
        pixels, alphas, counts = with_histogram(real, mask)
        whole = chain.draw(real, mask, generator=torch.Generator().manual_seed(seed))
        listed = chain.draw(pixels, alphas, generator=torch.Generator().manual_seed(seed), counts=counts)
        torch.testing.assert_close(listed.values, whole.values)
        assert torch.equal(listed.attempts, whole.attempts)


@pytest.mark.parametrize("lost", [True, False])
def test_pixels_that_count_for_much_decide_what_a_draw_may_cost(lost: bool) -> None:
    """A white pixel in a grey foreground cannot be darkened to: is it half of it, or next to nothing?"""
    chain = FilterChain(["brightness"])
    real = torch.full((1, 3, 1, 1001), 0.4, dtype=torch.float64)
    real[..., 0] = 1
    counts = torch.ones(1, 1, 1, 1001, dtype=torch.float64)
    counts[..., 0] = 1000 if lost else 1
    mask = torch.ones_like(counts)
    drawn = [
        float(chain.draw(real, mask, generator=torch.Generator().manual_seed(s), counts=counts)["brightness"])
        for s in range(12)
    ]
    assert (min(drawn) < -0.1) is not lost
    assert max(drawn) > 0.1


def test_counts_of_whole_numbers_are_accepted_as_they_are() -> None:
    """Histograms are counted in integers."""
    chain = FilterChain(PAPER)
    real = bytes_in_midtones(3, 40, 60)
    mask = make_masks("binary", real, seed=3)
    pixels, alphas, counts = with_histogram(real, mask)
    values = chain.arguments(temperature=0.1, contrast=-0.2)
    floats = chain.invert(pixels, alphas, values, counts).composites
    integers = chain.invert(pixels, alphas, values, counts.long()).composites
    torch.testing.assert_close(integers, floats, rtol=0, atol=1e-9)


def test_whole_numbers_serve_as_counts_of_a_sample() -> None:
    """100 pixels that count 1 each, of which 64 are taken, stand for 100 and not for 64."""
    images, masks = torch.rand(1, 3, 100, 1, dtype=torch.float64), torch.ones(1, 1, 100, 1, dtype=torch.float64)
    counts = torch.ones(1, 1, 100, 1, dtype=torch.int64)
    sample = Pixels.of(images, masks, counts, None).sample(64)
    assert float(sample.counts.sum()) == pytest.approx(100)
