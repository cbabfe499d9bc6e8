"""What holds for chains of filters and their inverse."""

from __future__ import annotations

import math

import plain_filters
import pytest
import torch
from filter_cases import (
    MASK_KINDS,
    PLACELESS,
    TONE,
    PhotoRegion,
    accepted_arguments,
    arguments,
    chains,
    error_in_decibels,
    images,
    law,
    make_images,
    make_masks,
    masks,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthharm.filters import PAPER, FilterChain, Inverse

# What the chain promises of a recoverable pixel.
RECOVERED = {torch.float32: 5e-4, torch.float64: 1e-5}
ALIKE = {torch.float32: 2e-5, torch.float64: 1e-9}  # means found to 2e-7 and 1e-12, times the filters' slopes

both_statistics = pytest.mark.parametrize("statistics", ["image", "foreground"])


def check_promises(chain: FilterChain, real: Tensor, mask: Tensor, values: Tensor, inverse: Inverse) -> None:
    """What holds of every inverse, whatever could be recovered."""
    composites, recoverable = inverse.composites, inverse.recoverable
    assert composites.shape == real.shape
    assert composites.dtype == real.dtype
    assert recoverable.shape == mask.shape
    assert recoverable.dtype == torch.bool
    assert bool(((composites >= 0) & (composites <= 1)).all()), "composites leave [0, 1]"
    outside = (mask == 0).expand_as(real)
    assert torch.equal(composites[outside], real[outside]), "changed outside the mask"
    assert not bool(recoverable[mask == 0].any()), "recoverable outside the mask"
    error = (chain.apply(composites, mask, values) - real).abs()
    within = (error <= RECOVERED[real.dtype]).all(dim=1, keepdim=True)
    assert torch.equal(recoverable, within & (mask > 0)), "recoverable does not say what harmonizing brings back"
    unchanged = chain.apply(composites, mask, values)[outside]
    assert torch.equal(unchanged, real[outside]), "harmonizing changes the outside"


@law
@given(st.data())
def test_every_inverse_keeps_its_promises(data: st.DataObject) -> None:
    chain = data.draw(chains())
    real = data.draw(images())
    mask = data.draw(masks(real))
    values = data.draw(arguments(chain.parameters, real))
    check_promises(chain, real, mask, values, chain.invert(real, mask, values))


@law
@given(st.data())
def test_every_inverse_keeps_its_promises_for_all_accepted_arguments(data: st.DataObject) -> None:
    chain = data.draw(chains())
    real = data.draw(images())
    mask = data.draw(masks(real))
    values = data.draw(accepted_arguments(chain.parameters, real))
    check_promises(chain, real, mask, values, chain.invert(real, mask, values))


@settings(law, max_examples=8)
@given(st.data())
def test_every_inverse_keeps_its_promises_at_soft_masks(data: st.DataObject) -> None:
    chain = data.draw(chains())
    real = data.draw(images(most=2))
    mask = data.draw(masks(real, kinds=["soft"]))
    values = data.draw(arguments(chain.parameters, real))
    check_promises(chain, real, mask, values, chain.invert(real, mask, values))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("colours", ["any", "primaries", "white"])
@pytest.mark.parametrize("kind", ["binary", "soft"])
@pytest.mark.parametrize("order", [("brightness",), ("saturation", "shadow"), PAPER], ids="-".join)
def test_recording_gradients_changes_no_result(
    kind: str, order: tuple[str, ...], colours: str, dtype: torch.dtype
) -> None:
    """Not even where no composite leads to the real image."""
    chain = FilterChain(order)
    real = make_images(colours, (1, 3, 2, 3), seed=8).to(dtype)
    mask = make_masks(kind, real, seed=8)
    values = torch.full((1, len(order)), -0.4, dtype=dtype)
    plain = chain.invert(real, mask, values)
    recorded = chain.invert(real, mask, values.requires_grad_())
    assert recorded.composites.requires_grad
    composites = recorded.composites.detach()
    assert torch.equal(recorded.recoverable, plain.recoverable)
    torch.testing.assert_close(composites, plain.composites, rtol=0, atol=1e-5)
    assert bool(((composites >= 0) & (composites <= 1)).all()), "composites leave [0, 1]"


@pytest.mark.parametrize("kind", ["binary", "soft"])
def test_inverting_works_in_inference_mode(kind: str) -> None:
    chain = FilterChain.paper()
    real = make_images("midtones", (1, 3, 3, 3), seed=9)
    mask = make_masks(kind, real, seed=9)
    values = chain.arguments(temperature=0.1, contrast=-0.1)
    expected = chain.invert(real, mask, values)
    with torch.inference_mode():
        inverse = chain.invert(real, mask, values)
    assert torch.equal(inverse.recoverable, expected.recoverable)
    torch.testing.assert_close(inverse.composites, expected.composites, rtol=0, atol=1e-9)


@both_statistics
@pytest.mark.parametrize("kind", [*MASK_KINDS, "soft"])
@settings(law, max_examples=12)
@given(data=st.data())
def test_where_nothing_clips_everything_comes_back(statistics: str, kind: str, data: st.DataObject) -> None:
    chain = FilterChain(data.draw(chains()).filters, statistics)
    real = data.draw(images(kinds=["midtones"], dtypes=[torch.float64]))
    mask = data.draw(masks(real, kinds=[kind]))
    values = data.draw(arguments(chain.parameters, real, share=0.3))
    inverse = chain.invert(real, mask, values)
    assert torch.equal(inverse.recoverable, mask > 0)
    harmonized = chain.apply(inverse.composites, mask, values)
    assert error_in_decibels(harmonized, real, mask > 0) >= 120
    check_promises(chain, real, mask, values, inverse)


@settings(law, max_examples=20)
@given(st.data())
def test_what_harmonizing_made_is_undone(data: st.DataObject) -> None:
    """The other way round: from a composite to its harmonized image and back, which has one answer in midtones."""
    chain = data.draw(chains())
    composite = data.draw(images(kinds=["midtones"]))
    mask = data.draw(masks(composite))
    values = data.draw(arguments(chain.parameters, composite, share=0.3))
    inverse = chain.invert(chain.apply(composite, mask, values), mask, values)
    torch.testing.assert_close(inverse.composites, composite, rtol=0, atol=10 * ALIKE[composite.dtype])


@law
@given(st.data())
def test_recoverable_agrees_with_undoing_by_hand(data: st.DataObject) -> None:
    """Pixel by pixel in plain Python: where undoing leads out of [0, 1] and by how much, given the means found."""
    chain = data.draw(chains(names=PAPER))
    real = data.draw(images(kinds=["any", "bytes", "midtones"], dtypes=[torch.float64], most=1))
    mask = data.draw(masks(real, kinds=["all", "binary", "one pixel"]))
    values = data.draw(arguments(chain.parameters, real))
    inverse = chain.invert(real, mask, values)

    names = [f.name for f in chain.filters]
    row = values[0].tolist()
    reals, composites = (
        [(r, g, b) for r, g, b in image[0].flatten(1).T.tolist()] for image in (real, inverse.composites)
    )
    inside = mask[0, 0].flatten().tolist()
    weights = inside if chain.statistics == "foreground" else [1.0] * len(inside)
    _, means = plain_filters.harmonize(names, composites, row, weights)
    for colour, alpha, recovered in zip(reals, inside, inverse.recoverable.flatten().tolist(), strict=True):
        worst = plain_filters.worst_excursion(names, colour, row, means)
        if alpha and not math.isnan(worst) and worst < -0.01:
            assert recovered, f"{colour} stays {-worst:.3f} inside [0, 1] and is called lost"
        if alpha and (math.isnan(worst) or worst > 0.03):
            assert not recovered, f"{colour} leaves [0, 1] by {worst:.3f} and is called recoverable"


@law
@given(st.data())
def test_a_batch_is_a_loop(data: st.DataObject) -> None:
    chain = data.draw(chains())
    real = data.draw(images(kinds=["midtones"]))
    mask = data.draw(masks(real, kinds=["all", "binary", "empty", "one pixel"]))
    values = data.draw(arguments(chain.parameters, real, share=0.3))
    together = chain.invert(real, mask, values)
    harmonized = chain.apply(real, mask, values)
    for i in range(len(real)):
        one = slice(i, i + 1)
        alone = chain.invert(real[one], mask[one], values[one])
        torch.testing.assert_close(together.composites[one], alone.composites, rtol=0, atol=ALIKE[real.dtype])
        assert torch.equal(together.recoverable[one], alone.recoverable)
        torch.testing.assert_close(
            harmonized[one], chain.apply(real[one], mask[one], values[one]), rtol=0, atol=1e-6
        )


@law
@given(st.data())
def test_pixels_may_come_in_any_order(data: st.DataObject) -> None:
    chain = data.draw(chains(PLACELESS))
    real = data.draw(images(kinds=["midtones"]))
    mask = data.draw(masks(real))
    values = data.draw(arguments(chain.parameters, real, share=0.3))
    turned = chain.invert(real.flip(2, 3), mask.flip(2, 3), values)
    straight = chain.invert(real, mask, values)
    torch.testing.assert_close(turned.composites.flip(2, 3), straight.composites, rtol=0, atol=ALIKE[real.dtype])


@law
@given(st.data())
def test_each_step_is_the_chain_so_far(data: st.DataObject) -> None:
    chain = data.draw(chains())
    composite = data.draw(images())
    mask = data.draw(masks(composite, kinds=[*MASK_KINDS, "soft"]))
    values = data.draw(arguments(chain.parameters, composite))
    steps = list(chain.steps(composite, mask, values))
    assert len(steps) == len(chain.filters)
    assert torch.equal(steps[-1], chain.apply(composite, mask, values))
    for k, step in enumerate(steps, 1):
        shorter = FilterChain(chain.filters[:k], chain.statistics)
        assert torch.equal(step, shorter.apply(composite, mask, values[:, : len(shorter.columns)]))


@settings(law, max_examples=20)
@given(st.data())
def test_apply_is_the_published_chain_in_plain_python(data: st.DataObject) -> None:
    chain = data.draw(chains(names=PAPER))
    composite = data.draw(images(dtypes=[torch.float64], most=1))
    mask = data.draw(masks(composite, kinds=["binary", "soft"]))
    values = data.draw(arguments(chain.parameters, composite))
    colours = [(r, g, b) for r, g, b in composite[0].flatten(1).T.tolist()]
    alphas = mask[0, 0].flatten().tolist()
    weights = alphas if chain.statistics == "foreground" else [1.0] * len(alphas)
    names = [f.name for f in chain.filters]
    harmonized, _ = plain_filters.harmonize(names, colours, values[0].tolist(), weights)
    expected = torch.tensor(harmonized, dtype=torch.float64).T.reshape(composite.shape)
    expected = expected * mask + composite * (1 - mask)
    torch.testing.assert_close(chain.apply(composite, mask, values), expected, rtol=0, atol=1e-4)


@both_statistics
def test_neutral_arguments_invert_to_the_real_image(statistics: str, photo_regions: list[PhotoRegion]) -> None:
    chain = FilterChain.paper(statistics)
    for region in photo_regions[:4]:
        inverse = chain.invert(region.image, region.mask, chain.arguments())
        assert torch.equal((inverse.composites * 255).round(), (region.image * 255).round())
        assert torch.equal(inverse.recoverable, region.mask > 0)


@both_statistics
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_photos_come_back(statistics: str, dtype: torch.dtype, photo_regions: list[PhotoRegion]) -> None:
    """Arguments that darken, flatten and grey the result brighten nothing out of the gamut on the way back."""
    chain = FilterChain.paper(statistics)
    values = chain.arguments(temperature=0.05, contrast=0.2, saturation=0.3, highlight=-0.3, shadow=0.1)
    for region in photo_regions:
        real, mask = region.image.to(dtype), region.mask.to(dtype)
        inverse = chain.invert(real, mask, values)
        harmonized = chain.apply(inverse.composites, mask, values)
        least = 60 if dtype == torch.float32 else 100
        assert error_in_decibels(harmonized, real, inverse.recoverable) >= least, region.id
        assert float(inverse.recoverable.sum() / mask.sum()) > 0.5, region.id
        changed = error_in_decibels(inverse.composites, real, mask)
        assert changed < 35, "the arguments hardly change the region"


def test_running_the_filters_backwards_is_no_inverse(photo_regions: list[PhotoRegion]) -> None:
    """What is commonly done instead: the forward filters, last one first, with the negated arguments."""
    chain, backwards = FilterChain.paper(), FilterChain(PAPER[::-1])
    values = chain.arguments(temperature=0.1, brightness=0.2, contrast=0.2, saturation=0.3, highlight=0.2)
    for region in photo_regions[:6]:
        naive = backwards.apply(region.image, region.mask, -values.values.flip(1))
        inverse = chain.invert(region.image, region.mask, values)
        ours, theirs = (
            error_in_decibels(chain.apply(c, region.mask, values), region.image, inverse.recoverable)
            for c in (inverse.composites, naive)
        )
        assert ours >= 100
        assert theirs <= 40


def test_means_of_the_background_are_those_after_its_clipping() -> None:
    """A background that brightness burns out enters contrast's mean tone as what is left of it."""
    real = make_images("midtones", (1, 3, 6, 6), seed=1)
    mask = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    mask[..., :2] = 1
    real = torch.where(mask > 0, real, make_images("light", (1, 3, 6, 6), seed=2))
    chain = FilterChain(["brightness", "contrast"])
    values = chain.arguments(brightness=0.3, contrast=-0.2)
    inverse = chain.invert(real, mask, values)
    assert torch.equal(inverse.recoverable, mask > 0)
    burnt = (inverse.composites / (1 - 0.3 + 1e-6)).clamp(0, 1)
    tone = burnt.mean()
    torch.testing.assert_close((burnt * 0.8 + tone * 0.2)[:, :, :, :2], real[:, :, :, :2], rtol=0, atol=1e-9)


@both_statistics
def test_the_foregrounds_own_means_ignore_the_background(statistics: str) -> None:
    real = make_images("midtones", (1, 3, 4, 4), seed=1)
    mask = make_masks("binary", real, seed=1)
    other = torch.where(mask > 0, real, make_images("any", (1, 3, 4, 4), seed=2))
    chain = FilterChain.paper(statistics)
    values = chain.arguments(temperature=0.1, contrast=-0.2)
    found, changed = (chain.invert(image, mask, values).composites * mask for image in (real, other))
    same = torch.allclose(found, changed, rtol=0, atol=1e-9)
    assert same is (statistics == "foreground")


def test_a_filter_of_ones_own_takes_its_place_in_a_chain() -> None:
    """Two parameters, one of which is neutral at 1."""
    chain = FilterChain(["contrast", TONE, "shadow"])
    assert chain.columns == ("contrast", "tone.gain", "tone.offset", "shadow")
    real = make_images("midtones", (2, 3, 5, 5), seed=7)
    mask = make_masks("binary", real, seed=7)
    values = torch.tensor([[-0.2, 1.2, -0.1, 0.1], [0.1, 0.9, 0.1, -0.2]], dtype=torch.float64)
    inverse = chain.invert(real, mask, values)
    assert torch.equal(inverse.recoverable, mask > 0)
    assert error_in_decibels(chain.apply(inverse.composites, mask, values), real, mask) >= 120
    neutral = chain.arguments()
    assert neutral.values.tolist() == [[0.0, 1.0, 0.0, 0.0]]
    torch.testing.assert_close(
        FilterChain([TONE]).apply(real, torch.ones_like(mask), values[:, 1:3]),
        real * torch.tensor([1.2, 0.9])[:, None, None, None] + torch.tensor([-0.1, 0.1])[:, None, None, None],
    )


@pytest.mark.parametrize("chosen", [PAPER, PAPER[::-1], ("contrast", "temperature")])
def test_single_colour_images_are_solved(chosen: tuple[str, ...]) -> None:
    """Constant images leave the joint solve no contrast to go by."""
    chain = FilterChain(chosen)
    real = torch.full((1, 3, 3, 3), 0.5, dtype=torch.float64)
    mask = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    values = torch.full((1, len(chosen)), 0.1, dtype=torch.float64)
    inverse = chain.invert(real, mask, values)
    assert bool(inverse.recoverable.all())
    assert error_in_decibels(chain.apply(inverse.composites, mask, values), real, mask) >= 120
