"""What the compiled chain gives, against the reference: any chain, any 8-bit image, to the grey level."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from filter_cases import TONE, arguments, chains, law
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from synthharm.filters import FILTERS, PAPER, FilterChain, Inverse, Limits, Span
from synthharm.filters.fused import (
    NotCompiled,
    Scene,
    apply_image,
    apply_region,
    compiling,
    disharmonize,
    passes,
    plan,
    solver,
    steps,
    undo_region,
    why_not_compiled,
)
from synthharm.filters.fused.stages import FEWEST_FOR_TABLES

Image = NDArray[np.uint8]

SMALL = (23, 31)
LARGE = (96, 128)  # as a whole a region that is worth tables
COMPILED = tuple(name for name in FILTERS if why_not_compiled(FilterChain([name])) is None)


def photo(kind: str, size: tuple[int, int], seed: int) -> Image:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    ramp = np.linspace(0, 255, size[1])[None, :, None] + rng.integers(-20, 20, (*size, 3))
    made = {
        "noise": noise,
        "midtones": noise // 4 + 96,
        "ramps": ramp.clip(0, 255).astype(np.uint8),
        "dark": noise // 8,
        "light": 255 - noise // 8,
        "grey": np.repeat(noise[:, :, :1], 3, axis=2),
        "black and white": (noise // 128) * np.uint8(255),
    }
    return made[kind]


def region(kind: str, size: tuple[int, int], seed: int) -> Image:
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    if kind == "all":
        mask[:] = 255
    elif kind == "pixel":
        mask[seed % size[0], seed % size[1]] = 255
    elif kind == "corner":
        mask[: size[0] // 2, size[1] // 3 :] = 255
    else:
        mask[rng.random(size) < 0.4] = 255
        mask[0, 0] = 255
    if kind == "feathered":
        mask = cv2.GaussianBlur(region("corner", size, seed), (9, 9), 3)
    if kind == "soft":
        mask[mask > 0] = rng.integers(1, 256, int((mask > 0).sum()))
    return mask


def as_tensors(image: Image, mask: Image, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    real = torch.from_numpy(image.astype(np.float64) / 255).permute(2, 0, 1)[None]
    return real, torch.from_numpy(mask / 255)[None, None], values


def inside(images: Tensor, mask: Image) -> NDArray[np.float64]:
    pixels: NDArray[np.float64] = images[0].numpy()[:, mask > 0]
    return pixels


def check_levels(made: NDArray[np.floating], expected: NDArray[np.float64]) -> None:
    """To one grey level everywhere, and to none in 99 % of the pixels; half-way between levels either is right."""
    rounded, wanted = np.floor(made * 255.0 + 0.5), expected * 255
    assert np.abs(rounded - wanted).max() <= 1
    other = np.abs(rounded - wanted).max(axis=0) > 0.5 + 1e-4
    assert other.mean() <= max(0.01, 1.5 / len(other))


def check_recoverable(recoverable: NDArray[np.bool_], inverse: Inverse, chain: FilterChain, case: tuple) -> None:
    """Where the two disagree, harmonizing what the reference found misses by next to nothing."""
    real, mask, values = case
    error = (chain.apply(inverse.composites, mask, values) - real).abs().amax(dim=1)[0].numpy()
    there = mask[0, 0].numpy() > 0
    differ = recoverable != inverse.recoverable[0, 0].numpy()[there]
    assert differ.mean() <= 0.02
    assert error[there][differ & recoverable].max(initial=0) <= 0.2 / 255


sizes = st.sampled_from([SMALL, LARGE])
kinds = st.sampled_from(["noise", "midtones", "ramps", "dark", "light", "grey", "black and white"])
compiled_chains = chains(COMPILED)


def test_every_filter_of_the_project_is_compiled() -> None:
    assert set(COMPILED) == set(FILTERS)


@settings(law, max_examples=60)
@given(st.data())
def test_compiled_harmonizing_equals_the_reference(data: st.DataObject) -> None:
    chain, size, seed = data.draw(compiled_chains), data.draw(sizes), data.draw(st.integers(0, 999))
    image = photo(data.draw(kinds), size, seed)
    mask = region(data.draw(st.sampled_from(["all", "pixel", "corner", "scattered", "soft"])), size, seed)
    values = data.draw(arguments(chain.parameters, torch.zeros(1, dtype=torch.float64)))
    real, alphas, row = as_tensors(image, mask, values)
    expected = chain.apply(real, alphas, row)
    check_levels(apply_region(chain, Scene(image, mask), row[0].tolist()), inside(expected, mask))


@settings(law, max_examples=60)
@given(st.data())
def test_compiled_inverses_equal_the_reference(data: st.DataObject) -> None:
    chain, size, seed = data.draw(compiled_chains), data.draw(sizes), data.draw(st.integers(0, 999))
    image = photo(data.draw(kinds), size, seed)
    mask = region(data.draw(st.sampled_from(["all", "pixel", "corner", "scattered"])), size, seed)
    share = data.draw(st.sampled_from([0.3, 1.0]))
    values = data.draw(arguments(chain.parameters, torch.zeros(1, dtype=torch.float64), share=share))
    case = as_tensors(image, mask, values)
    try:
        undone = undo_region(chain, Scene(image, mask), values[0].tolist())
    except NotCompiled:  # the reference finds no means either, or takes its longer way to them
        return
    inverse = chain.invert(*case)
    check_levels(undone.values, inside(inverse.composites, mask))
    check_recoverable(undone.recoverable, inverse, chain, case)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("side", [-1.0, -0.4, 0.4, 1.0])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_each_filter_by_itself(name: str, side: float, size: tuple[int, int]) -> None:
    chain = FilterChain([name])
    image, mask = photo("ramps", size, 3), region("all", size, 3)
    values = torch.tensor([[p.neutral + side * p.span for p in chain.parameters]], dtype=torch.float64)
    case = as_tensors(image, mask, values)
    inverse = chain.invert(*case)
    undone = undo_region(chain, Scene(image, mask), values[0].tolist())
    check_levels(undone.values, inside(inverse.composites, mask))
    check_recoverable(undone.recoverable, inverse, chain, case)
    check_levels(apply_region(chain, Scene(image, mask), values[0].tolist()), inside(chain.apply(*case), mask))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_neutral_arguments_leave_every_byte(size: tuple[int, int]) -> None:
    chain = FilterChain(tuple(FILTERS))
    image, mask = photo("noise", size, 1), region("all", size, 1)
    neutral = [p.neutral for p in chain.parameters]
    for values in (
        apply_region(chain, Scene(image, mask), neutral),
        undo_region(chain, Scene(image, mask), neutral),
    ):
        values = getattr(values, "values", values)
        assert (np.floor(values * 255 + 0.5) == image[mask > 0].T).all()


def test_tables_are_used_where_they_pay() -> None:
    chain, values = FilterChain.paper(), [0.1, -0.1, -0.1, 0.1, 0.1, -0.1]
    assert LARGE[0] * LARGE[1] >= FEWEST_FOR_TABLES > SMALL[0] * SMALL[1]
    large = undo_region(chain, Scene(photo("midtones", LARGE, 1), region("all", LARGE, 1)), values)
    assert large.values.dtype == np.float32
    assert large.described[0] == "table of 256 levels: shadow, highlight"
    small = undo_region(chain, Scene(photo("midtones", SMALL, 1), region("all", SMALL, 1)), values)
    assert small.values.dtype == np.float64


def test_deep_composites_are_found_to_sixteen_bits() -> None:
    chain, values = FilterChain(PAPER), torch.tensor([[0.1, -0.1, -0.1, 0.1, 0.1, -0.1]], dtype=torch.float64)
    image, mask = photo("midtones", LARGE, 2), region("all", LARGE, 2)
    expected = inside(chain.invert(*as_tensors(image, mask, values)).composites, mask)
    undone = undo_region(chain, Scene(image, mask), values[0].tolist(), levels=65535)
    assert np.abs(undone.values - expected).max() < 1e-6
    deep = np.floor(photo("midtones", LARGE, 2).astype(np.float64) * 257).astype(np.uint16)
    harmonized = apply_region(chain, Scene(deep, mask), values[0].tolist())
    assert np.abs(harmonized - inside(chain.apply(*as_tensors(image, mask, values)), mask)).max() < 1e-6


@settings(law, max_examples=20)
@given(st.data())
def test_composites_at_soft_edges_are_harmonized_to_the_real_image(data: st.DataObject) -> None:
    """There may be more than one: what counts is that the reference brings back what is called recoverable."""
    chain, size, seed = data.draw(compiled_chains), data.draw(sizes), data.draw(st.integers(0, 999))
    image = photo(data.draw(kinds), size, seed)
    mask = region(data.draw(st.sampled_from(["soft", "feathered"])), size, seed)
    values = data.draw(arguments(chain.parameters, torch.zeros(1, dtype=torch.float64), share=0.5))
    try:
        undone = undo_region(chain, Scene(image, mask), values[0].tolist())
    except NotCompiled:
        return
    assert undone.described[-1] == "soft edges: pixel by pixel"
    real, alphas, row = as_tensors(image, mask, values)
    composite = real.clone()
    composite[0, :, torch.from_numpy(mask > 0)] = torch.from_numpy(undone.values.astype(np.float64))
    error = inside((chain.apply(composite, alphas, row) - real).abs(), mask).max(axis=0)
    assert error[undone.recoverable].max(initial=0) <= 0.2 / 255
    inverse = chain.invert(real, alphas, row)
    check_recoverable(undone.recoverable, inverse, chain, (real, alphas, row))


@pytest.mark.parametrize("statistics", ["image", "foreground"])
def test_compiled_soft_edges_equal_the_reference(statistics: str) -> None:
    chain = FilterChain(PAPER, statistics)  # type: ignore[arg-type]
    for size in (SMALL, LARGE):
        image, mask = photo("midtones", size, 6), region("feathered", size, 6)
        values = torch.tensor([[0.08, -0.1, -0.12, 0.15, 0.1, -0.1]], dtype=torch.float64)
        inverse = chain.invert(*as_tensors(image, mask, values))
        undone = undo_region(chain, Scene(image, mask), values[0].tolist())
        check_levels(undone.values, inside(inverse.composites, mask))
        assert (undone.recoverable == inverse.recoverable[0, 0].numpy()[mask > 0]).all()


def test_what_has_no_compiled_form_says_so() -> None:
    scene = Scene(photo("midtones", SMALL, 1), region("all", SMALL, 1))
    with pytest.raises(NotCompiled, match="'tone' has no compiled form"):
        apply_region(FilterChain([TONE]), scene, [1.1, 0.0])
    own = FilterChain([type(TONE)("brightness", TONE.apply, TONE.invert, TONE.parameters)])
    assert why_not_compiled(own) == "the filter 'brightness' has no compiled form"


def test_arguments_that_a_chain_does_not_take_are_named() -> None:
    scene = Scene(photo("midtones", SMALL, 1), region("all", SMALL, 1))
    for function in (apply_region, apply_image, undo_region):
        with pytest.raises(ValueError, match="2 arguments; 1 are accepted: contrast"):
            function(FilterChain(["contrast"]), scene, [0.1, 0.2])
        with pytest.raises(ValueError, match=r"contrast of image 0 is 5\.0; -1\.0 to 1\.0 is accepted"):
            function(FilterChain(["contrast"]), scene, [5.0])
        with pytest.raises(ValueError, match="contrast of image 0 is nan"):
            function(FilterChain(["contrast"]), scene, [float("nan")])
    deep = Scene(photo("midtones", SMALL, 1).astype(np.uint16) * 257, region("all", SMALL, 1))
    with pytest.raises(ValueError, match="levels is 255; 255 or 65535, and not below"):
        disharmonize(FilterChain.paper(), deep, torch.Generator(), Limits(), Span())
    with pytest.raises(ValueError, match="8-bit levels do not fit"):
        deep.image_with(scene.pixels)


def test_from_image_to_image_gives_the_rounded_region() -> None:
    chain, values = FilterChain(["exposure", "shading", "contrast"]), [0.3, 0.2, -0.1, 0.1, 0.1]
    for size, kind in ((SMALL, "feathered"), (LARGE, "scattered"), (LARGE, "feathered"), (LARGE, "all")):
        image, mask = photo("ramps", size, 7), region(kind, size, 7)
        scene = Scene(image, mask)
        made = apply_image(chain, scene, values).astype(int)
        assert (made[mask == 0] == image[mask == 0]).all()
        difference = np.abs(made - scene.image_with(apply_region(chain, scene, values)))
        assert difference.max() <= 1  # the two blend soft edges in float32 and float64
        assert (difference > 0).mean() < 1e-3


def test_what_is_kept_compiled_goes_by_all_sources() -> None:
    """A function's own file says nothing of the functions that were compiled into it."""
    for function in (steps.run_steps, passes.render, solver.solve):
        assert function._cache._cache_file._source_stamp[1] == compiling.DIGEST
    sources = {path.name for path in compiling.SOURCES}
    assert sources >= {"steps.py", "passes.py", "solver.py", "soft_edges.py", "filter.py", "linear_light.py"}


@pytest.mark.parametrize(
    ("image", "mask", "words"),
    [
        (
            np.zeros((4, 4), np.uint8),
            np.full((4, 4), 255, np.uint8),
            r"uint8 \(4, 4\); uint8 or uint16 \(H, W, 3\)",
        ),
        (np.zeros((4, 4, 3)), np.full((4, 4), 255, np.uint8), "the image is float64"),
        (np.zeros((4, 4, 3), np.uint8), np.full((4, 5), 255, np.uint8), r"the mask is uint8 \(4, 5\)"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), "the mask is empty"),
    ],
)
def test_what_is_no_scene_is_named(image: Image, mask: Image, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Scene(image, mask)


def test_more_threads_change_no_bit() -> None:
    chain = FilterChain(tuple(FILTERS))
    image, mask = photo("ramps", LARGE, 4), region("all", LARGE, 4)
    values = [p.neutral + 0.3 * p.span for p in chain.parameters]
    before = cv2.getNumThreads(), torch.get_num_threads()
    found = []
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        torch.set_num_threads(threads)
        found.append(undo_region(chain, Scene(image, mask), values).values)
    cv2.setNumThreads(before[0])
    torch.set_num_threads(before[1])
    assert (found[0] == found[1]).all()


def test_pixels_are_counted_one_by_one_where_histograms_do_not_suffice() -> None:
    """Where channels mix before the means are taken, and more pixels than are held as floats at a time."""
    chain = FilterChain(["saturation", "contrast", "shading", "hue", "temperature"])
    assert plan.pixelwise(chain) == (True, True)
    image, mask = photo("ramps", LARGE, 5), region("corner", LARGE, 5)
    assert (mask > 0).sum() > 2 * solver.BLOCK
    values = torch.tensor([[0.2, -0.2, 0.3, -0.1, 0.2, 0.05, 0.1]], dtype=torch.float64)
    case = as_tensors(image, mask, values)
    undone = undo_region(chain, Scene(image, mask), values[0].tolist())
    check_levels(undone.values, inside(chain.invert(*case).composites, mask))
    check_levels(apply_region(chain, Scene(image, mask), values[0].tolist()), inside(chain.apply(*case), mask))
