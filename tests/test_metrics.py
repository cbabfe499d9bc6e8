"""The measures against formulas written out by hand, and against scikit-image."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from synthharm import metrics
from synthharm.metrics import MOST_PSNR, Measures, measure, mse, psnr, ssim_map

levels = st.floats(0, 255)
pairs = array_shapes(min_dims=1, max_dims=3, max_side=6).flatmap(
    lambda shape: st.tuples(arrays(np.float64, shape, elements=levels), arrays(np.float64, shape, elements=levels))
)
errors = st.floats(0, 255**2)


@settings(deadline=None)
@given(pairs)
def test_mse_is_the_mean_of_the_squares(pair: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = pair
    squares = [(a - b) ** 2 for a, b in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True)]
    assert mse(first, second) == pytest.approx(math.fsum(squares) / len(squares), rel=1e-12)
    assert mse(first, second) == mse(second, first)
    assert mse(first, first) == 0


@settings(deadline=None)
@given(st.floats(1e-9, 255**2), st.floats(0.1, 1e4))
def test_psnr_is_ten_times_the_logarithm_of_the_ratio(error: float, peak: float) -> None:
    found = psnr(error, peak)
    assert found == pytest.approx(min(20 * math.log10(peak) - 10 * math.log10(error), MOST_PSNR), abs=1e-9)
    if found < MOST_PSNR:
        assert error * 10 ** (found / 10) == pytest.approx(peak**2)


@settings(deadline=None)
@given(errors, errors)
def test_less_error_is_more_psnr(first: float, second: float) -> None:
    low, high = sorted((first, second))
    assert psnr(low) >= psnr(high)
    if psnr(high) < MOST_PSNR - 0.1 and low < 0.99 * high:
        assert psnr(low) > psnr(high)


@settings(deadline=None)
@given(errors)
def test_halving_an_error_adds_three_decibels(error: float) -> None:
    assert psnr(error / 2) == pytest.approx(min(psnr(error) + 10 * math.log10(2), MOST_PSNR), abs=1e-9)


def test_psnr_ends_at_what_arithmetic_can_tell() -> None:
    assert MOST_PSNR == 150
    assert [psnr(e) for e in (0.0, 5e-324, 1e-200, 1e-11)] == [150] * 4
    assert psnr(255**2) == 0
    assert psnr(4 * 255**2) == pytest.approx(-6.0206, abs=1e-4)
    assert psnr(1.0, peak=1.0) == 0


def test_nothing_differs_from_nothing() -> None:
    assert mse(np.zeros((0, 3)), np.zeros((0, 3))) == 0


@pytest.mark.parametrize("error", [-1.0, -1e-300, math.nan])
def test_what_is_no_error_is_refused(error: float) -> None:
    with pytest.raises(ValueError, match=f"{error}; 0 or more"):
        psnr(error)


@pytest.mark.parametrize("shape", [(2, 1), (1, 3), (3,), (2, 3, 1)])
def test_other_shapes_are_refused_even_where_numpy_would_stretch_them(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\).* differ"):
        mse(np.zeros((2, 3)), np.zeros(shape))


# Two images


def pair_of(photo: Path, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A real photo, a prediction of it that is off in one half and noisy, and a mask that touches the border."""
    real = np.asarray(Image.open(photo))
    mask = np.zeros(real.shape[:2], np.bool_)
    mask[: len(mask) // 3, 40:200] = True
    noise = np.random.default_rng(len(photo.name)).normal(0, 6, real.shape)
    prediction = np.clip(np.where(mask[..., None], real * 0.7 + 20, real) + noise, 0, 255)
    return prediction.round().astype(np.uint8) if kind == "uint8" else prediction.astype(kind), real, mask


PHOTOS = ("000000000030.jpg", "000000000127.jpg", "000000007281.jpg")


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("name", PHOTOS)
def test_measures_are_those_of_scikit_image(bundled: Path, name: str, kind: str) -> None:
    from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

    prediction, real, mask = pair_of(bundled / "images" / name, kind)
    found = measure(prediction, real, mask, peak=200.0)
    given, wanted = prediction.astype(np.float64), real.astype(np.float64)
    similar, whole = structural_similarity(
        given,
        wanted,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    assert found.mse == pytest.approx(mean_squared_error(given, wanted), rel=1e-12)
    assert found.fmse == pytest.approx(mean_squared_error(given[mask], wanted[mask]), rel=1e-12)
    assert found.psnr == pytest.approx(peak_signal_noise_ratio(wanted, given, data_range=200), abs=1e-9)
    assert found.fpsnr == pytest.approx(
        peak_signal_noise_ratio(wanted[mask], given[mask], data_range=200), abs=1e-9
    )
    assert found.ssim == pytest.approx(similar, abs=1e-9)
    assert found.fssim == pytest.approx(whole[mask].mean(), abs=1e-9)
    np.testing.assert_allclose(ssim_map(prediction, real), whole, atol=1e-9)
    assert found.lpips is None


def similarity_at(first: np.ndarray, second: np.ndarray, row: int, column: int) -> float:
    """SSIM of one channel around one pixel, window and moments written out; mirrored at the borders."""
    weights, ones, others = [], [], []
    for down in range(-5, 6):
        for right in range(-5, 6):
            y, x = row + down, column + right
            y = -1 - y if y < 0 else (2 * len(first) - 1 - y if y >= len(first) else y)
            x = -1 - x if x < 0 else (2 * first.shape[1] - 1 - x if x >= first.shape[1] else x)
            weights.append(math.exp(-(down**2 + right**2) / (2 * 1.5**2)))
            ones.append(float(first[y, x]))
            others.append(float(second[y, x]))
    total = sum(weights)

    def mean(values: list[float]) -> float:
        return sum(w * v for w, v in zip(weights, values, strict=True)) / total

    one, other = mean(ones), mean(others)
    spread = mean([(v - one) ** 2 for v in ones]) + mean([(v - other) ** 2 for v in others])
    shared = mean([(a - one) * (b - other) for a, b in zip(ones, others, strict=True)])
    small, smaller = 2.55**2, 7.65**2
    return (2 * one * other + small) * (2 * shared + smaller) / ((one**2 + other**2 + small) * (spread + smaller))


def test_measures_are_the_formulas_written_out() -> None:
    rng = np.random.default_rng(3)
    real = rng.integers(0, 256, (13, 17, 3), np.uint8)
    prediction = np.clip(real + rng.normal(0, 30, real.shape), 0, 255)
    mask = np.zeros((13, 17), np.bool_)
    mask[0:4, 2:9] = mask[12, 16] = True
    squares, inside, similar, similar_inside, central = [], [], [], [], []
    for row in range(13):
        for column in range(17):
            for channel in range(3):
                square = (float(prediction[row, column, channel]) - float(real[row, column, channel])) ** 2
                around = similarity_at(prediction[..., channel], real[..., channel], row, column)
                squares.append(square)
                similar.append(around)
                if mask[row, column]:
                    inside.append(square)
                    similar_inside.append(around)
                if 5 <= row < 8 and 5 <= column < 12:
                    central.append(around)
    error, foreground = sum(squares) / len(squares), sum(inside) / len(inside)
    expected = Measures(
        mse=error,
        fmse=foreground,
        psnr=20 * math.log10(255) - 10 * math.log10(error),
        fpsnr=20 * math.log10(255) - 10 * math.log10(foreground),
        ssim=sum(central) / len(central),
        fssim=sum(similar_inside) / len(similar_inside),
    )
    found = measure(prediction, real, mask)
    for name in ("mse", "fmse", "psnr", "fpsnr", "ssim", "fssim"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-9), name
    np.testing.assert_allclose(ssim_map(prediction, real).ravel(), similar, atol=1e-9)


@settings(max_examples=30)
@given(st.integers(11, 70), st.integers(11, 30), st.integers(1, 60), st.integers(0, 10**6))
def test_it_does_not_matter_how_many_rows_are_worked_on_at_a_time(
    height: int, width: int, rows: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.uniform(0, 255, (2, height, width, 3))
    mask = rng.random((height, width)) < 0.3
    mask[-1, -1] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "BAND", 10**9)
        whole, together = ssim_map(first, second), measure(first, second, mask)
        patch.setattr(metrics, "BAND", rows * width)
        np.testing.assert_allclose(ssim_map(first, second), whole, rtol=0, atol=1e-12)
        found = measure(first, second, mask)
    for name in ("mse", "fmse", "psnr", "fpsnr", "ssim", "fssim"):
        assert getattr(found, name) == pytest.approx(getattr(together, name), rel=1e-12, abs=1e-12), name


def test_equal_images_have_no_error() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    mask = np.ones((20, 30), np.bool_)
    found = measure(image, image, mask)
    assert (found.mse, found.fmse, found.psnr, found.fpsnr) == (0, 0, 150, 150)
    assert found.ssim == pytest.approx(1)
    assert found.fssim == pytest.approx(1)


def test_an_error_outside_the_foreground_is_in_the_whole_alone() -> None:
    real = np.random.default_rng(0).integers(0, 200, (40, 40, 3), np.uint8)
    mask = np.zeros((40, 40), np.bool_)
    mask[20:, 20:] = True
    prediction = real.copy()
    prediction[:5, :5] += 40  # farther from the foreground than a window reaches
    found = measure(prediction, real, mask)
    assert found.fmse == 0
    assert found.fssim == pytest.approx(1)
    assert found.mse == pytest.approx(1600 * 25 / 1600)


def test_floats_are_not_rounded() -> None:
    real, mask = np.full((16, 16, 3), 100, np.uint8), np.ones((16, 16), np.bool_)
    assert measure(real.astype(np.float32) + 0.25, real, mask).mse == 0.0625


def test_the_perceptual_distance_is_of_prediction_and_real() -> None:
    real, mask = np.full((16, 16, 3), 100, np.uint8), np.ones((16, 16), np.bool_)
    found = measure(real + np.uint8(7), real, mask, perceptual=lambda p, r: np.float32(p.max() - r.max()))
    assert found.lpips == 7
    assert type(found.lpips) is float
    assert measure(real, real, mask, perceptual=lambda p, r: None).lpips is None


IMAGE, EVERYWHERE = np.zeros((12, 14, 3), np.uint8), np.ones((12, 14), np.bool_)


@pytest.mark.parametrize(
    ("prediction", "real", "mask", "peak", "said"),
    [
        (IMAGE[:, :13], IMAGE, EVERYWHERE, 255, r"\(12, 13, 3\) and \(12, 14, 3\); equal ones"),
        (IMAGE[..., 0], IMAGE[..., 0], EVERYWHERE, 255, r"equal ones \(H, W, 3\)"),
        (IMAGE.astype(np.int64), IMAGE, EVERYWHERE, 255, "an image is int64; uint8 and floats"),
        (IMAGE, IMAGE, EVERYWHERE[1:], 255, r"bool \(11, 14\); bool \(12, 14\) is accepted"),
        (IMAGE, IMAGE, EVERYWHERE.astype(np.uint8), 255, r"the mask is uint8"),
        (IMAGE, IMAGE, ~EVERYWHERE, 255, "False everywhere; a foreground of at least one pixel"),
        (IMAGE, IMAGE, EVERYWHERE, 0, "peak is 0; above 0"),
        (IMAGE[:10], IMAGE[:10], EVERYWHERE[:10], 255, "14 x 10 pixels; 11 a side or more"),
        (IMAGE[:, :10], IMAGE[:, :10], EVERYWHERE[:, :10], 255, "10 x 12 pixels; 11 a side or more"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    prediction: np.ndarray, real: np.ndarray, mask: np.ndarray, peak: float, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        measure(prediction, real, mask, peak=peak)


def test_a_peak_below_1_is_accepted() -> None:
    real = np.full((12, 14, 3), 0.5)
    assert measure(real + 0.1, real, EVERYWHERE, peak=1.0).psnr == pytest.approx(20)
    assert measure(real + 0.1, real, EVERYWHERE, peak=0.5).psnr == pytest.approx(20 - 20 * math.log10(2))


@pytest.mark.parametrize(
    ("size", "rows"),
    [
        ((1000, 1024), [512, 488]),  # half a million pixels at a time
        ((700, 2048), [256, 256, 188]),
        ((11, 2**15), [11]),
        ((50, 2**17), [20, 20, 10]),  # and of a wide image as many rows as two windows reach beyond a row
    ],
)
def test_large_images_are_worked_on_by_parts(
    size: tuple[int, int], rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large an image is, what is held of it in floats is not."""
    held = []

    def similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        held.append(len(first))
        return np.broadcast_to(np.float64(1), first.shape)

    monkeypatch.setattr(metrics, "_similarity", similarity)
    image = np.broadcast_to(np.uint8(7), (*size, 3))
    bands = [band.rows for band in metrics._bands(image, image)]
    assert [band.stop - band.start for band in bands] == rows
    assert [band.start for band in bands] == [sum(rows[:i]) for i in range(len(rows))]
    assert max(held) <= max(rows) + 10
