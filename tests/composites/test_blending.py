"""However a layer is blended in, what it does not cover keeps its bytes, and what is there already stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import draw_mask, draw_photo

from synthharm.composites.manipulation.blending import blend
from synthharm.composites.manipulation.edits import Blending
from synthharm.composites.manipulation.placing import Layer

SIZE = (30, 38)
WAYS: tuple[Blending, ...] = ("alpha", "poisson", "mixed", "multiband")
ways = pytest.mark.parametrize("how", WAYS)
windows = st.tuples(st.integers(0, 20), st.integers(0, 24), st.integers(1, 30), st.integers(1, 38)).map(
    lambda w: (slice(w[0], min(SIZE[0], w[0] + w[2])), slice(w[1], min(SIZE[1], w[1] + w[3])))
)
seeds = st.integers(0, 10**6)


def layer_of(colours: np.ndarray, alpha: np.ndarray, window: tuple[slice, slice]) -> Layer:
    return Layer(colours[window].copy(), alpha[window].copy(), window[1].start, window[0].start)


def whole(colours: np.ndarray, alpha: np.ndarray) -> Layer:
    return Layer(colours, alpha, 0, 0)


@ways
@settings(max_examples=25)
@given(seed=seeds, window=windows, soft=st.booleans(), full=st.booleans())
def test_what_is_not_covered_keeps_its_bytes(
    how: Blending, seed: int, window: tuple[slice, slice], soft: bool, full: bool
) -> None:
    target, alpha = draw_photo(seed), draw_mask(seed, soft=soft)
    if full:
        alpha[:] = 255
    layer = layer_of(draw_photo(seed + 1), alpha, window)
    before = target.copy()
    found = blend(target, layer, how)
    covered = np.zeros(SIZE, np.bool_)
    covered[window] = alpha[window] > 0
    np.testing.assert_array_equal(found[~covered], before[~covered])
    np.testing.assert_array_equal(target, before)
    assert (found.dtype, found.shape) == (np.uint8, target.shape)
    np.testing.assert_array_equal(found, blend(target, layer, how))


@ways
@settings(max_examples=25)
@given(seed=seeds, window=windows, soft=st.booleans(), full=st.booleans())
def test_the_targets_own_pixels_change_nothing(
    how: Blending, seed: int, window: tuple[slice, slice], soft: bool, full: bool
) -> None:
    target, alpha = draw_photo(seed), draw_mask(seed, soft=soft)
    if full:
        alpha[:] = 255
    np.testing.assert_array_equal(blend(target, layer_of(target, alpha, window), how), target)


@given(seeds)
def test_alpha_mixes_and_rounds_once(seed: int) -> None:
    target, own, alpha = draw_photo(seed), draw_photo(seed + 1), draw_mask(seed, soft=True)
    share = alpha[..., None] / 255
    expected = share * own + (1 - share) * target
    found = blend(target, whole(own, alpha), "alpha")
    assert np.abs(found - expected).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("how", ["poisson", "mixed"])
@pytest.mark.parametrize("shift", [20, -20])
def test_gradients_know_no_brightness(how: Blending, shift: int) -> None:
    """A layer that is the target but for its brightness leaves no trace, by one pixel's shift or otherwise."""
    target = draw_photo(4, low=70, high=180)
    for alpha in (draw_mask(4), np.pad(np.full((12, 38), 255, np.uint8), ((18, 0), (0, 0)))):
        layer = whole((target.astype(int) + shift).astype(np.uint8), alpha)
        assert np.abs(blend(target, layer, how).astype(int) - target).max() <= 1


@settings(max_examples=20)
@given(seeds, st.booleans(), st.booleans())
def test_poisson_solves_its_equations(seed: int, mixed: bool, tight: bool) -> None:
    rng = np.random.default_rng(seed)
    size = (7, 8)
    target, own = (rng.integers(90, 160, (*size, 3), np.uint8) for _ in range(2))
    alpha = np.where(rng.random(size) < 0.7, 255, 0).astype(np.uint8)
    if not alpha.any() or alpha.all():
        return
    numbers = {place: i for i, place in enumerate(zip(*np.nonzero(alpha), strict=True))}
    matrix, right = np.zeros((len(numbers),) * 2), np.zeros((len(numbers), 3))
    for (row, column), i in numbers.items():
        for other in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if not (0 <= other[0] < size[0] and 0 <= other[1] < size[1]):
                continue
            gradient = own[row, column].astype(float) - own[other]
            beneath = target[row, column].astype(float) - target[other]
            if mixed and (beneath**2).sum() > (gradient**2).sum():
                gradient = beneath
            matrix[i, i] += 1
            right[i] += gradient
            if other in numbers:
                matrix[i, numbers[other]] -= 1
            else:
                right[i] += target[other]
    expected = target.astype(float)
    expected[alpha > 0] = np.linalg.solve(matrix, right)
    found = blend(target, whole(own, alpha), "mixed" if mixed else "poisson")
    assert np.abs(found - expected.clip(0, 255)).max() <= 0.52


def test_a_large_region_is_solved_as_well() -> None:
    rows, columns = np.indices((200, 220))
    inside = ((rows - 100) ** 2 + (columns - 110) ** 2 < 95**2) & (
        (rows - 100) ** 2 + (columns - 130) ** 2 > 30**2
    )
    # What is harmonic around the region is what a flat layer becomes within it.
    harmonic = 128 + 100 * ((columns - 110) / 110 * (rows - 100) / 100)
    target = np.repeat(harmonic[..., None], 3, axis=2).round().astype(np.uint8)
    covered = np.where(inside[..., None], np.uint8(0), target)
    layer = whole(np.full(target.shape, 90, np.uint8), np.where(inside, np.uint8(255), np.uint8(0)))
    found = blend(covered, layer, "poisson")
    assert np.abs(found.astype(float) - harmonic[..., None]).max() < 1.2


def test_an_object_stands_out_from_its_surroundings_as_it_did() -> None:
    alpha = draw_mask(2)
    own = np.where(alpha[..., None] > 0, np.uint8(90), np.uint8(60))
    own = np.broadcast_to(own, (*SIZE, 3)).copy()
    found = blend(np.full((*SIZE, 3), 150, np.uint8), whole(own, alpha), "poisson")
    np.testing.assert_array_equal(found[alpha > 0], 180)


@pytest.mark.parametrize("how", ["alpha", "multiband"])
def test_what_surrounds_a_region_is_not_seen(how: Blending) -> None:
    size = (90, 100)
    target, own, alpha = draw_photo(1, size), draw_photo(2, size), np.zeros(size, np.uint8)
    alpha[10:80, 12:85] = 255  # deep enough for several bands
    black = np.where(alpha[..., None] > 0, own, np.uint8(0))
    np.testing.assert_array_equal(blend(target, whole(black, alpha), how), blend(target, whole(own, alpha), how))


def test_bands_go_over_from_the_rim_inwards() -> None:
    target, own = np.full((80, 80, 3), 60, np.uint8), np.full((80, 80, 3), 200, np.uint8)
    alpha = np.zeros((80, 80), np.uint8)
    alpha[8:72, 8:72] = 255
    found = blend(target, whole(own, alpha), "multiband")[40, :, 0].astype(int)
    assert found[40] == 200
    assert 60 < found[8] < 110  # where plain mixing steps by 140
    assert (np.diff(found[7:40]) >= 0).all()
    np.testing.assert_array_equal(found, found[::-1])
    # At the border of the target nothing goes over.
    edge = blend(target, Layer(own[:, :40], np.full((80, 40), 255, np.uint8), 0, 0), "multiband")
    assert edge[40, 0, 0] == 200
    assert edge[0, 10, 0] == 200
    assert edge[40, 39, 0] < 110


@ways
def test_a_layer_may_cover_all_or_one_pixel(how: Blending) -> None:
    target, own = draw_photo(1), draw_photo(2)
    np.testing.assert_array_equal(blend(target, whole(own, np.full(SIZE, 255, np.uint8)), how), own)
    one = Layer(own[:1, :1], np.full((1, 1), 255, np.uint8), 37, 29)
    assert (blend(target, one, how) != target).any(axis=2).sum() <= 1


@pytest.mark.parametrize(("left", "top"), [(-1, 0), (0, -1), (1, 0), (0, 1)])
def test_a_layer_beyond_its_target_is_refused(left: int, top: int) -> None:
    layer = Layer(draw_photo(1), draw_mask(1), left, top)
    with pytest.raises(
        ValueError, match=r"a layer of \(30, 38\) at row .* is not within its target of \(30, 38\)"
    ):
        blend(draw_photo(2), layer, "alpha")


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="blending is 'screen'; accepted are alpha, poisson, mixed, multiband"):
        blend(draw_photo(2), whole(draw_photo(1), draw_mask(1)), "screen")  # type: ignore[arg-type]
