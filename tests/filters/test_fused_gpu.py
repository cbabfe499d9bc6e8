"""What the chain compiled for a GPU gives, against the reference: any chain, any batch, to the grey level.

Without a GPU the kernels run in Triton's interpreter, which has to be chosen before Triton is imported: this file
then runs once more, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filter_cases import TONE, arguments, chains, law, make_images, make_masks
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthharm.filters import FILTERS, Filter, FilterChain, Inverse
from synthharm.filters.fused import NotCompiled, gpu
from synthharm.filters.fused.gpu.lowering import lower_batch

pytest.importorskip("triton", reason="needs Triton, which comes with torch on Linux")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
on_device = pytest.mark.skipif(
    not (INTERPRETED or torch.cuda.is_available()),
    reason="needs a CUDA device; without one `test_all_laws_hold_in_the_interpreter` runs this",
)

SIZES = ((1, 1), (5, 7), (23, 31))  # of one block each, and of two of which one is not full
HARD = ("all", "binary", "empty", "one pixel")
KINDS = ("bytes", "dark", "grey", "light", "midtones", "one channel", "primaries")
PAPER_ROWS = [[0.1, -0.1, 0.1, 0.2, -0.1, 0.1], [0.0] * 6, [-0.1, 0.1, -0.2, -0.2, 0.1, -0.1]]


@pytest.mark.skipif(INTERPRETED, reason="this is the process that it starts")
@pytest.mark.slow
def test_all_laws_hold_in_the_interpreter() -> None:
    names = {"PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"}
    environment = {k: v for k, v in os.environ.items() if k not in names} | {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def batch(kind: str, mask: str, size: tuple[int, int], images: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images and masks, float32, of 8-bit levels."""
    made = make_images(kind, (images, 3, *size), seed)
    return (made * 255).round().div(255).float(), make_masks(mask, made, seed).float()


def reference(chain: FilterChain, images: Tensor, masks: Tensor, values: Tensor) -> tuple[Tensor, Inverse]:
    case = images.double(), masks.double(), values.float()
    return chain.apply(*case), chain.invert(*case)


def check_levels(made: Tensor, expected: Tensor, where: Tensor) -> None:
    """To one grey level everywhere, and to none in 99 % of the pixels; half-way between levels either is right."""
    inside = (where > 0)[:, 0]
    rounded = (made.cpu().double() * 255 + 0.5).floor().movedim(1, -1)[inside]
    error = (rounded - expected.movedim(1, -1)[inside] * 255).abs().amax(dim=1)
    assert not len(error) or error.max() <= 1.5 + 1e-4
    assert (error > 0.5 + 1e-3).sum() <= max(0.01 * len(error), 1)


def check_recoverable(found: Tensor, inverse: Inverse, chain: FilterChain, case: tuple[Tensor, ...]) -> None:
    """Where the two disagree, harmonizing what the reference found misses by next to nothing."""
    images, masks, values = case
    again = chain.apply(inverse.composites, masks.double(), values.float())
    error = (again - images).abs().amax(dim=1, keepdim=True)
    differ = found.cpu() != inverse.recoverable
    assert differ.sum() <= max(0.02 * (masks > 0).sum(), 1)
    assert error[differ & found.cpu()].max() <= 0.2 / 255 if (differ & found.cpu()).any() else True


def check_outside(made: Tensor, images: Tensor, masks: Tensor) -> None:
    outside = (masks == 0).expand(images.shape)
    assert torch.equal(made.cpu()[outside], images[outside])


def on(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.to(DEVICE) for t in tensors)


@on_device
@settings(law, max_examples=15)
@given(st.data())
def test_harmonizing_equals_the_reference(data: st.DataObject) -> None:
    chain, seed = data.draw(chains()), data.draw(st.integers(0, 999))
    mask = data.draw(st.sampled_from([*HARD, "soft"]))
    images, masks = batch(data.draw(st.sampled_from(KINDS)), mask, data.draw(st.sampled_from(SIZES)), 2, seed)
    values = data.draw(arguments(chain.parameters, torch.zeros(2, dtype=torch.float64)))
    made = gpu.apply_batch(chain, *on(images, masks), values)
    check_levels(made, chain.apply(images.double(), masks.double(), values.float()), torch.ones_like(masks))
    check_outside(made, images, masks)


@on_device
@settings(law, max_examples=12)
@given(st.data())
def test_inverses_equal_the_reference(data: st.DataObject) -> None:
    chain, seed = data.draw(chains()), data.draw(st.integers(0, 999))
    mask = data.draw(st.sampled_from(HARD))
    images, masks = batch(data.draw(st.sampled_from(KINDS)), mask, data.draw(st.sampled_from(SIZES)), 2, seed)
    share = data.draw(st.sampled_from([0.3, 1.0]))
    values = data.draw(arguments(chain.parameters, torch.zeros(2, dtype=torch.float64), share=share))
    try:
        inverse = gpu.invert_batch(chain, *on(images, masks), values)
    except NotCompiled:  # the reference finds no means either, or takes its longer way to them
        return
    expected = reference(chain, images, masks, values)[1]
    check_levels(inverse.composites, expected.composites, masks)
    check_recoverable(inverse.recoverable, expected, chain, (images, masks, values))
    check_outside(inverse.composites, images, masks)


@on_device
@pytest.mark.parametrize("statistics", ["image", "foreground"])
@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_by_itself(name: str, statistics: str) -> None:
    """With both signs in one batch, and an image that is left as it is."""
    chain = FilterChain([name], statistics)
    images, masks = batch("bytes", "binary", (19, 28), 3, 5)
    rows = [[p.neutral + side * p.span for p in chain.parameters] for side in (0.8, 0.0, -0.6)]
    values = torch.tensor(rows, dtype=torch.float64)
    harmonized, expected = reference(chain, images, masks, values)
    made, inverse = (
        gpu.apply_batch(chain, *on(images, masks), values),
        gpu.invert_batch(chain, *on(images, masks), values),
    )
    check_levels(made, harmonized, masks)
    check_levels(inverse.composites, expected.composites, masks)
    check_recoverable(inverse.recoverable, expected, chain, (images, masks, values))
    for found in (made, inverse.composites):
        check_outside(found, images, masks)
        assert torch.equal(found.cpu()[1], images[1])
    assert torch.equal(inverse.recoverable.cpu()[1], masks[1] > 0)


@on_device
def test_neutral_arguments_leave_every_bit() -> None:
    chain = FilterChain(tuple(FILTERS))
    images, masks = torch.rand(2, 3, 9, 11), torch.ones(2, 1, 9, 11)
    neutral = torch.tensor([[p.neutral for p in chain.parameters]] * 2)
    assert torch.equal(gpu.apply_batch(chain, *on(images, masks), neutral).cpu(), images)
    inverse = gpu.invert_batch(chain, *on(images, masks), neutral)
    assert torch.equal(inverse.composites.cpu(), images)
    assert inverse.recoverable.all()


@on_device
def test_levels_are_read_and_rounded() -> None:
    """8-bit images give the nearest levels of what floats give; all 256 of them come back as they were."""
    chain, values = FilterChain(["contrast", "gamma"]), torch.tensor([[-0.2, 0.3], [0.0, 0.0]])
    floats, masks = batch("midtones", "binary", (16, 16), 2, 2)
    floats[1] = (torch.arange(256).reshape(1, 16, 16) / 255).expand(3, 16, 16)
    levels, region = (floats * 255).round().to(torch.uint8), (masks * 255).to(torch.uint8)
    made = gpu.apply_batch(chain, *on(levels, region), values)
    inverse = gpu.invert_batch(chain, *on(levels, region), values)
    assert made.dtype == inverse.composites.dtype == torch.uint8
    as_floats = (
        gpu.apply_batch(chain, *on(floats, masks), values),
        gpu.invert_batch(chain, *on(floats, masks), values),
    )
    for found, wanted in ((made, as_floats[0]), (inverse.composites, as_floats[1].composites)):
        assert (found.float() - wanted * 255).abs().max() <= 0.5 + 1e-3
        assert torch.equal(found.cpu()[1], levels[1])
        check_outside(found, levels, region)
    assert torch.equal(inverse.recoverable, as_floats[1].recoverable)


@on_device
def test_any_layout_and_any_place_of_arguments_gives_the_same_bits() -> None:
    chain, values = FilterChain(["hue", "contrast", "shading"]), torch.rand(2, 5) * 0.1 - 0.05
    images, masks = on(*batch("midtones", "binary", (12, 17), 2, 3))
    turned = (
        images.transpose(2, 3).contiguous().transpose(2, 3),
        masks.transpose(2, 3).contiguous().transpose(2, 3),
    )
    assert not turned[0].is_contiguous()
    plain = gpu.apply_batch(chain, images, masks, values)
    assert torch.equal(gpu.apply_batch(chain, *turned, values), plain)
    assert torch.equal(gpu.apply_batch(chain, images, masks, values.to(DEVICE)), plain)
    lowered = lower_batch(chain, values, DEVICE)
    assert torch.equal(gpu.apply_batch(chain, images, masks, lowered), plain)
    assert torch.equal(gpu.apply_batch(chain, images, masks, lowered), plain)  # once more with the same
    found = gpu.invert_batch(chain, images, masks, values)
    again = gpu.invert_batch(chain, *turned, lower_batch(chain, values, DEVICE, inverse=True))
    assert torch.equal(again.composites, found.composites)
    assert torch.equal(again.recoverable, found.recoverable)


@on_device
@pytest.mark.parametrize("statistics", ["image", "foreground"])
def test_means_that_begin_with_a_few_blocks_end_the_same(statistics: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where the region lies in none of these blocks."""
    from synthharm.filters.fused.gpu import passes as gpu_passes

    chain, values = FilterChain(["contrast", "gamma"], statistics), torch.tensor([[-0.2, 0.1]] * 2)
    images, masks = batch("midtones", "binary", (16, 24), 2, 4)
    masks[1] = 0
    masks[1, 0, 15, 20:] = 1
    whole = gpu.invert_batch(chain, *on(images, masks), values)
    monkeypatch.setattr(gpu_passes, "BLOCK", 64)
    monkeypatch.setattr(gpu_passes, "COARSE_STEPS", 3)
    monkeypatch.setattr(gpu_passes, "COARSE_BLOCKS", 2)
    begun = gpu.invert_batch(chain, *on(images, masks), values)
    assert (begun.composites - whole.composites).abs().max() <= 2e-6
    check_levels(begun.composites, reference(chain, images, masks, values)[1].composites, masks)


@on_device
def test_sums_over_many_blocks_are_complete() -> None:
    from synthharm.filters.fused.gpu import kernels as gpu_kernels

    chain, values = FilterChain(["contrast"]), torch.tensor([[-0.5], [0.3]])
    lowered, blocks = lower_batch(chain, values, DEVICE), 601
    partials = torch.rand(2, 8, blocks, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    means = torch.zeros(2, 8, dtype=torch.float64, device=DEVICE)
    given = partials, means, lowered.numbers, lowered.needing, lowered.strengths, blocks, lowered.length, 0
    gpu_kernels.take_means[(2,)](*given, COUNT=1, enable_fp_fusion=True)
    sums = partials.double().sum(dim=2)
    torch.testing.assert_close(means[:, :3], sums[:, :3] / sums[:, 7:], rtol=0, atol=1e-12)
    assert lowered.numbers[0, 1, :, 0].tolist() == [0.5] * 3


@on_device
@pytest.mark.parametrize(
    ("chain", "cast", "words"),
    [
        (FilterChain([TONE]), torch.Tensor.float, "the filter 'tone' has no compiled form"),
        (FilterChain(["shadow"]), torch.Tensor.double, "the images are float64; float32 and uint8"),
        (FilterChain(["shadow"]), lambda t: t.clone().requires_grad_(), "gradients are asked for"),
    ],
)
def test_what_has_no_compiled_form_is_done_by_the_reference(chain: FilterChain, cast, words: str) -> None:
    images, masks = on(cast(torch.full((1, 3, 4, 4), 0.4)), cast(torch.ones(1, 1, 4, 4)))
    values = torch.tensor([[p.neutral + p.span / 2 for p in chain.parameters]])
    with pytest.raises(NotCompiled, match=words):
        gpu.apply_batch(chain, images, masks, values)
    with pytest.raises(NotCompiled, match=words):
        gpu.invert_batch(chain, images, masks, values)
    made, reason = gpu.apply_or_reference(chain, images, masks, values)
    inverse, inverse_reason = gpu.invert_or_reference(chain, images, masks, values)
    assert words in str(reason)
    assert reason == inverse_reason
    assert torch.equal(made, chain.apply(images, masks, values))
    assert torch.equal(inverse.composites, chain.invert(images, masks, values).composites)


@on_device
@pytest.mark.parametrize("kind", [torch.float32, torch.uint8])
def test_soft_edges_are_undone_by_the_reference(kind: torch.dtype) -> None:
    chain, values = FilterChain(["saturation", "gamma"]), torch.tensor([[0.1, -0.1], [-0.1, 0.1]])
    floats, alphas = batch("midtones", "soft", (5, 6), 2, 7)
    alphas = (alphas * 255).round() / 255
    wanted = chain.invert(floats, alphas, values)
    images, masks = (
        (floats, alphas) if kind == torch.float32 else ((t * 255).round().to(kind) for t in (floats, alphas))
    )
    images, masks = on(images, masks)
    assert gpu.why_not_on_gpu(chain, images, masks) == "soft edges are solved pixel by pixel"
    with pytest.raises(NotCompiled, match="soft edges"):
        gpu.invert_batch(chain, images, masks, values)
    inverse, reason = gpu.invert_or_reference(chain, images, masks, values)
    assert reason == "soft edges are solved pixel by pixel"
    assert inverse.composites.dtype == kind
    found = inverse.composites.cpu().float() / (255 if kind == torch.uint8 else 1)
    assert (found - wanted.composites).abs().max() <= (0.502 / 255 if kind == torch.uint8 else 1e-5)


@on_device
def test_images_whose_means_are_not_found_are_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from synthharm.filters.fused.gpu import passes as gpu_passes

    chain, values = FilterChain.paper(), torch.tensor(PAPER_ROWS)
    images, masks = batch("midtones", "binary", (5, 6), 3, 8)
    masks[1] = 0  # all of this image is known, and its means are found at once
    monkeypatch.setattr(gpu_passes, "STEPS", 2)
    monkeypatch.setattr(gpu_passes, "TOLERANCES", (1e-7,))
    with pytest.raises(NotCompiled, match="could not be solved for: images 0, 2"):
        gpu.invert_batch(chain, *on(images, masks), values)
    inverse, reason = gpu.invert_or_reference(chain, *on(images, masks), values)
    assert reason == "the means could not be solved for: images 0, 2"
    expected = chain.invert(images, masks, values)
    assert (inverse.composites.cpu() - expected.composites).abs().max() <= 1e-6
    assert torch.equal(inverse.recoverable.cpu(), expected.recoverable)


@on_device
def test_what_is_read_of_images_found_at_once_holds_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from synthharm.filters.fused.gpu.passes import Solve

    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)  # room that is not set then holds NaN
    try:
        solve = Solve.of(3, torch.device(DEVICE), inverse=True)
        assert torch.empty(3).isnan().all()
    finally:
        torch.use_deterministic_algorithms(before)
    for numbers in (solve.means, solve.values, solve.moves, solve.inverses):
        assert numbers.isfinite().all()


@on_device
def test_what_no_chain_takes_is_refused_by_name() -> None:
    chain, other = FilterChain(["shadow"]), FilterChain(["gamma"])
    images, masks, values = *on(torch.rand(2, 3, 4, 4), torch.ones(2, 1, 4, 4)), torch.zeros(2, 1)
    with pytest.raises(ValueError, match=r"masks have shape \(2, 1, 4, 5\)"):
        gpu.apply_batch(chain, images, torch.ones(2, 1, 4, 5, device=DEVICE), values)
    with pytest.raises(ValueError, match=r"masks are torch.uint8 .* torch.float32 .* is accepted"):
        gpu.apply_batch(chain, images, masks.to(torch.uint8), values)
    with pytest.raises(ValueError, match=r"arguments have shape \(1, 1\)"):
        gpu.apply_batch(chain, images, masks, values[:1])
    with pytest.raises(ValueError, match=r"shadow of image 1 is 2.0; -1.0 to 1.0 is accepted"):
        gpu.invert_batch(chain, images, masks, torch.tensor([[0.0], [2.0]]))
    for lowered in (lower_batch(other, values, DEVICE), lower_batch(chain, values, DEVICE, inverse=True)):
        with pytest.raises(
            ValueError, match="the lowered batch is of another chain, direction or number of images"
        ):
            gpu.apply_batch(chain, images, masks, lowered)


def test_a_plan_says_what_is_run() -> None:
    chain, values = FilterChain.paper(), torch.tensor(PAPER_ROWS)
    assert lower_batch(chain, values, torch.device("cpu")).described == (
        "add up at the input of temperature",
        "add up at the input of contrast",
        "run temperature, brightness, contrast, saturation, highlight, shadow",
    )
    values[:, 0] = values[:, 5] = 0  # neutral for all images
    assert lower_batch(chain, values, torch.device("cpu"), inverse=True).described == (
        "solve for the means at the input of contrast",
        "undo highlight, saturation, contrast, brightness",
    )


def test_a_filter_without_an_inverse_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from synthharm.filters.fused import lowering

    one_way: Filter = replace(FILTERS["gamma"], invert=None)
    monkeypatch.setattr(lowering, "FILTERS", {**FILTERS, "gamma": one_way})
    with pytest.raises(ValueError, match="'gamma' has no inverse"):
        lower_batch(FilterChain([one_way]), torch.tensor([[0.1]]), torch.device("cpu"), inverse=True)


@pytest.mark.skipif(INTERPRETED, reason="the interpreter takes any device")
def test_tensors_elsewhere_than_on_a_gpu_are_done_by_the_reference() -> None:
    chain, values = FilterChain(["shadow"]), torch.tensor([[0.2]])
    images, masks = torch.rand(1, 3, 4, 4), torch.ones(1, 1, 4, 4)
    made, reason = gpu.apply_or_reference(chain, images, masks, values)
    assert reason == "the images are on the device 'cpu', and it takes 'cuda'"
    assert torch.equal(made, chain.apply(images, masks, values))
