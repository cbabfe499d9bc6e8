"""The passes of compiled chains, each against the few lines of NumPy that say what it does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from synthharm.filters import FilterChain
from synthharm.filters.fused import Scene, apply_image, apply_region, passes, soft_edges, solver, steps
from synthharm.filters.fused.lowering import Steps, alike
from synthharm.filters.fused.scene import Entries, evenly
from synthharm.filters.fused.stages import Stages

SIZES = ((1, 1), (5, 8), (12, 7), (31, 40))


def scene(size: tuple[int, int], seed: int, kind: type = np.uint8) -> Scene:
    """Noise, and a mask with soft edges whose region does not reach all borders."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, np.iinfo(kind).max + 1, (*size, 3), kind)
    mask = np.where(rng.random(size) < 0.4, rng.choice([255, 255, 90], size), 0).astype(np.uint8)
    mask[: size[0] // 4] = 0
    mask[size[0] // 2, size[1] // 2] = 255
    return Scene(image, mask)


def histograms(levels: NDArray, size: int, weights: NDArray | None = None) -> NDArray:
    return np.array([np.bincount(row, weights, size) for row in levels.reshape(3, -1)])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_region_is_taken_out_of_its_image_in_row_order(size: tuple[int, int], kind: type) -> None:
    made = scene(size, 1, kind)
    inside = made.mask > 0
    rows, columns = np.nonzero(inside)
    assert made.box == (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
    assert (made.inside, made.soft) == (len(rows), bool((made.mask[inside] < 255).any()))
    np.testing.assert_array_equal(made.pixels, made.image[inside].T)
    np.testing.assert_array_equal(made.places, [columns, rows])
    np.testing.assert_array_equal(made.alphas, made.mask[inside] / 255)
    outside = made.background(pixelwise=True).values
    np.testing.assert_array_equal(outside, made.image[~inside].T / made.levels)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_back_lies_where_it_was_taken(size: tuple[int, int]) -> None:
    made = scene(size, 2)
    values = np.random.default_rng(3).random((3, made.inside))
    written = made.image_with(values)
    expected = made.image.copy()
    expected[made.mask > 0] = np.floor(values.T * 255 + 0.5)
    np.testing.assert_array_equal(written, expected)
    np.testing.assert_array_equal(made.image_with(made.pixels), made.image)
    deep = made.image_with(Scene.round(values, 65535))
    expected = made.image.astype(np.uint16) * 257
    expected[made.mask > 0] = np.floor(values.T * 65535 + 0.5)
    np.testing.assert_array_equal(deep, expected)


@pytest.mark.parametrize("size", SIZES)
def test_histograms_count_each_pixel_once(size: tuple[int, int]) -> None:
    made = scene(size, 4)
    inside = made.mask > 0
    whole = histograms(np.moveaxis(made.image, -1, 0), 256)
    region = histograms(made.image[inside].T, 256)
    weighted = histograms(made.image[inside].T, 256, made.mask[inside] / 255)
    np.testing.assert_array_equal(made.histogram, whole)
    np.testing.assert_array_equal(made.everything().weights, whole)
    np.testing.assert_array_equal(made.background_histogram, whole - region)
    np.testing.assert_array_equal(made.background(pixelwise=False).weights, whole - region)
    by_histogram = made.foreground(pixelwise=False, weighted=True, positions=False)
    np.testing.assert_allclose(by_histogram.weights, weighted, atol=1e-12)
    np.testing.assert_array_equal(by_histogram.values, np.tile(np.arange(256) / 255, (3, 1)))
    np.testing.assert_allclose(by_histogram.total, (made.mask[inside] / 255).sum(), atol=1e-9)
    again = made.with_pixels(255 - made.pixels)
    np.testing.assert_array_equal(again.histogram, whole - region + region[:, ::-1])
    np.testing.assert_array_equal(again.background_histogram, whole - region)


def test_a_region_counts_as_much_as_its_mask_says() -> None:
    made = scene((12, 9), 5)
    inside = made.mask > 0
    pixels = made.foreground(pixelwise=True, weighted=True, positions=True)
    np.testing.assert_array_equal(pixels.values, made.image[inside].T / 255)
    np.testing.assert_array_equal(pixels.weights, np.tile(made.mask[inside] / 255, (3, 1)))
    np.testing.assert_array_equal(pixels.positions, made.positions)
    alike = made.foreground(pixelwise=True, weighted=False, positions=False)
    np.testing.assert_array_equal(alike.total, [inside.sum()] * 3)
    assert alike.positions.shape == (2, 0)
    solid = made.solid_pixels(positions=True)
    whole = made.mask[inside] == 255
    assert 0 < whole.sum() < len(whole)
    np.testing.assert_array_equal(solid.values, made.image[inside][whole].T / 255)
    np.testing.assert_array_equal(solid.positions, made.positions[:, whole])
    assert solid.total.tolist() == [whole.sum()] * 3
    assert Entries(np.zeros((3, 7)), weight=0.5).total.tolist() == [3.5] * 3


def test_positions_go_from_the_regions_middle_to_its_ends() -> None:
    """On its longer side to -1 and 1 at the outer borders of its outermost pixels."""
    mask = np.zeros((9, 20), np.uint8)
    mask[2:6, 3:13] = 255
    made = Scene(np.zeros((9, 20, 3), np.uint8), mask)
    columns, rows = np.meshgrid(np.arange(10), np.arange(4))
    np.testing.assert_allclose(made.positions[0], (columns.ravel() + 0.5) / 5 - 1, atol=1e-15)
    np.testing.assert_allclose(made.positions[1], (rows.ravel() + 0.5 - 2) / 5, atol=1e-15)


@pytest.mark.parametrize(("total", "size"), [(10, 5), (7, 7), (3, 9), (1000, 13), (1, 1), (0, 4)])
def test_a_sample_is_spread_evenly(total: int, size: int) -> None:
    """Each of as many equal parts gives the one in its middle."""
    taken = min(total, size)
    assert evenly(total, size).tolist() == [(2 * i + 1) * total // (2 * taken) for i in range(taken)]


def test_a_sample_of_the_background_counts_as_all_of_it() -> None:
    made = scene((31, 40), 6)
    outside = made.image[made.mask == 0]
    for size in (50, 10**6):
        found = made.background_sample(size)
        np.testing.assert_array_equal(found.values, outside[evenly(len(outside), size)].T / 255)
        np.testing.assert_allclose(found.total, len(outside))
    whole = Scene(made.image, np.full((31, 40), 255, np.uint8)).background_sample(50)
    assert (whole.values.shape, whole.total.tolist()) == ((3, 0), [0, 0, 0])


def test_narrow_bins_keep_counts_and_sums() -> None:
    values = np.random.default_rng(7).random((3, 500))
    values[:, :2] = [0.0, 1.0]
    counts, sums = passes.bin_values(values)
    bins = np.minimum((values * 1024).astype(int), 1023)
    np.testing.assert_array_equal(counts, histograms(bins, 1024))
    expected = [np.bincount(b, v, 1024) for b, v in zip(bins, values, strict=True)]
    np.testing.assert_allclose(sums, expected, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 3])
def test_tables_are_read_on_the_line_between_their_entries(rows: int) -> None:
    rng = np.random.default_rng(8)
    table = rng.random((rows, passes.INTERVALS + 2)).astype(np.float32)
    grid = rng.integers(0, passes.INTERVALS, (3, 60)) / np.float32(passes.INTERVALS)
    values = (grid + rng.choice([0, 0.25, 0.75], (3, 60)) / passes.INTERVALS).astype(np.float32)
    values[:, 0] = 1
    bounds = np.array([[0.2, 0.8], [-1.0, 0.5], [0.4, 2.0]])
    excess = np.zeros((3, 60), np.float32)
    read, count = values.copy(), 50
    passes.look_up(table, bounds, read, excess, count)
    places = np.arange(passes.INTERVALS + 1) / passes.INTERVALS
    for c in range(3):
        expected = np.interp(values[c, :count], places, table[c if rows == 3 else 0, :-1])
        np.testing.assert_allclose(read[c, :count], expected, atol=1e-6)
        outside = (values[c] < bounds[c, 0].astype(np.float32)) | (values[c] > bounds[c, 1].astype(np.float32))
        np.testing.assert_array_equal(excess[c, :count], outside[:count])
    np.testing.assert_array_equal(read[:, count:], values[:, count:])
    assert not excess[:, count:].any()


@pytest.mark.parametrize("kept", ["all", "some", "none"])
@pytest.mark.parametrize("levels", [255, 65535])
def test_what_a_composite_comes_to_is_measured_on_all_pixels(kept: str, levels: int) -> None:
    rng = np.random.default_rng(9)
    real = rng.integers(0, 256, (3, 41), np.uint8)
    composite = rng.integers(0, levels + 1, (3, 41), np.uint8 if levels == 255 else np.uint16)
    harmonized = rng.random((3, 41))
    recoverable = {"all": np.ones(41, np.bool_), "none": np.zeros(41, np.bool_), "some": rng.random(41) < 0.7}[
        kept
    ]
    found = passes.measure(real, composite, harmonized, recoverable, 255, levels)
    wanted, made = real / 255, composite / levels
    squares = ((harmonized - wanted) ** 2)[:, recoverable]
    assert found[0] == pytest.approx(1 - recoverable.mean())
    assert found[1] == pytest.approx(squares.mean() if recoverable.any() else 0)
    assert found[2] == pytest.approx(((made - wanted) ** 2).mean() * 255**2)
    np.testing.assert_allclose(found[3:6], made.mean(axis=1))
    np.testing.assert_allclose(found[6:], made.std(axis=1), atol=1e-9)


def test_one_level_has_no_deviation() -> None:
    for level in range(0, 256, 5):
        flat = np.full((3, 7), level, np.uint8)
        found = passes.measure(flat, flat, flat / 255, np.ones(7, np.bool_), 255, 255)
        np.testing.assert_allclose(found[6:], 0, atol=1e-7)
        assert found[:3].tolist() == [0, pytest.approx(0, abs=1e-30), 0]


@pytest.mark.parametrize("tolerance", [0.02, 1.0, -1.0])
def test_a_sample_is_judged_as_all_pixels_are(tolerance: float) -> None:
    rng = np.random.default_rng(10)
    real, composite = rng.random((2, 3, 37))
    alphas = np.where(rng.random(37) < 0.5, 1.0, rng.random(37))
    off = rng.random((3, 37)) * 0.04
    kinds, numbers = np.array([steps.AFFINE]), np.zeros((1, 3, steps.NUMBERS))
    numbers[0, :, 0], numbers[0, :, 1] = [0.5, 0.7, 0.9], [0.1, 0.2, 0.0]
    found = solver.judge(real, alphas, composite, off, np.zeros((2, 37)), kinds, numbers, tolerance)
    kept = off.max(axis=0) <= tolerance
    blended = (composite * numbers[0, :, :1] + numbers[0, :, 1:2]) * alphas + composite * (1 - alphas)
    assert found[0] == pytest.approx(1 - kept.mean())
    assert found[1] == pytest.approx(((blended - real) ** 2)[:, kept].mean() if kept.any() else 0)
    assert found[2] == pytest.approx(((composite - real) ** 2).mean() * 255**2)
    np.testing.assert_allclose(found[3:6], composite.mean(axis=1))
    np.testing.assert_allclose(found[6:], composite.std(axis=1))


def test_three_equations_are_solved() -> None:
    rng = np.random.default_rng(11)
    for _ in range(20):
        slopes, value = rng.normal(size=(3, 3)), rng.normal(size=3)
        np.testing.assert_allclose(
            soft_edges.newton_change(slopes, value), np.linalg.solve(slopes, value), rtol=1e-6
        )
    assert soft_edges.newton_change(np.ones((3, 3)), np.ones(3)).tolist() == [0, 0, 0]


def test_a_step_says_how_far_outside_it_went_and_touches_what_it_is_asked_to() -> None:
    values = np.array([[0.1, 0.5, 0.9, 0.7]] * 3)
    excess = np.zeros((3, 4))
    excess[1] = 0.3
    numbers = np.zeros((2, 3, steps.NUMBERS))
    numbers[0, :, 0], numbers[0, :, 1] = 3.0, -1.0  # to -0.7, 0.5, 1.7
    numbers[1, :, 0], numbers[1, :, 1] = 0.5, 0.0
    steps.run_steps(np.array([steps.AFFINE] * 2), numbers, values, np.zeros((2, 0)), excess, 3)
    np.testing.assert_allclose(values, [[0, 0.25, 0.5, 0.7]] * 3)
    expected = np.array([[0.7, 0, 0.7, 0]] * 3)
    expected[1] = [0.7, 0.3, 0.7, 0.3]
    np.testing.assert_allclose(excess, expected)


def test_a_table_is_clamped_exactly_where_its_steps_are() -> None:
    """The bounds of a table between levels, found by bisection, are where the formula leaves [0, 1]."""
    power, line = alike(steps.POWER, 0.5), alike(steps.AFFINE, 2.0, -0.5)
    made = Stages.of(Steps.of([power, line], ["power", "line"]), 255, exact=False, begin=False)
    assert made.tables.shape == (1, passes.INTERVALS + 2)
    np.testing.assert_allclose(made.bounds, [[[0.0625, 0.5625]] * 3], atol=1e-5)
    grid = np.arange(passes.INTERVALS + 1) / passes.INTERVALS
    np.testing.assert_allclose(made.tables[0, :-1], np.clip(2 * np.sqrt(grid) - 0.5, 0, 1), atol=1e-4)
    values = np.linspace(0, 1, 2000, dtype=np.float32)
    bad = np.zeros(2000, np.bool_)
    made.go_on(np.tile(values, (3, 1)), np.zeros((2, 0)), bad)
    expected = (values < 0.0625) | (values > 0.5625)
    assert (bad != expected).sum() <= 1


@pytest.mark.parametrize("size", [(1, 1), (5, 8), (31, 40)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("names", [("gamma",), ("hue", "shading")])
def test_an_image_gets_its_region_blended_and_rounded(
    names: tuple[str, ...], kind: type, size: tuple[int, int]
) -> None:
    """By spans of what lies inside the mask, from image to image, as by way of the region's pixels."""
    chain, made = FilterChain(names), scene(size, 12, kind)
    values = [0.3, 0.2, -0.1, 0.1][: len(chain.parameters)]
    written, region = apply_image(chain, made, values), apply_region(chain, made, values)
    inside = made.mask > 0
    np.testing.assert_array_equal(written[~inside], made.image[~inside])
    np.testing.assert_allclose(written[inside].T, region * made.levels, rtol=0, atol=0.5 + 1e-6)
    assert written.dtype == kind


def test_regions_longer_than_a_block_are_written_whole() -> None:
    """Also where a block ends within a span, and where one ends with it."""
    chain, rng = FilterChain(["gamma"]), np.random.default_rng(13)
    image, mask = rng.integers(0, 256, (5, 1100, 3), np.uint8), np.zeros((5, 1100), np.uint8)
    mask[0, :1024] = mask[1, 3:1090] = mask[3, 7:300] = mask[4, 1000:] = 255
    made = Scene(image, mask)
    expected = image.copy()
    expected[mask > 0] = np.floor(apply_region(chain, made, [0.2]).T * 255 + 0.5)
    np.testing.assert_array_equal(apply_image(chain, made, [0.2]), expected)
