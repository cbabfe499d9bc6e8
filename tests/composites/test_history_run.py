"""Histories run in order, the same every time, and labels stay where the picture is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthharm.composites.history.run import Saved, run_history
from synthharm.composites.history.saving import decode, encode
from synthharm.composites.history.steps import Blur, Crop, Filters, Jpeg, Noise, Png, Resize, Step, Webp

INTERPOLATIONS = ("area", "linear", "cubic", "lanczos")
Label = NDArray[np.uint8]


def painted(height: int, width: int, seed: int, count: int = 3) -> Label:
    """Regions 1 to `count`: ellipses that may lie over each other."""
    rng, ids = np.random.default_rng(seed), np.zeros((height, width), np.uint8)
    for number in range(1, count + 1):
        centre = int(rng.integers(0, width)), int(rng.integers(0, height))
        axes = int(rng.integers(1, max(2, width // 3))), int(rng.integers(1, max(2, height // 3)))
        cv2.ellipse(ids, centre, axes, float(rng.uniform(0, 180)), 0, 360, number, -1)
    return ids


def mask_of(ids: Label) -> Label:
    return np.where(ids > 0, np.uint8(255), np.uint8(0))


def grey(values: Label) -> Label:
    return np.repeat(values[:, :, None], 3, axis=2)


sides = st.integers(8, 70)
seeds = st.integers(0, 10_000)


@st.composite
def geometries(draw: st.DrawFn, height: int, width: int) -> list[Step]:
    """Resizes and crops, in any order."""
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            new_height, new_width = draw(st.integers(8, height)), draw(st.integers(8, width))
            top, left = draw(st.integers(0, height - new_height)), draw(st.integers(0, width - new_width))
            steps.append(Crop(left, top, new_width, new_height))
        else:
            new_height, new_width = draw(sides), draw(sides)
            steps.append(Resize(new_width, new_height, draw(st.sampled_from(INTERPOLATIONS))))
        height, width = new_height, new_width
    return steps


@given(sides, sides, seeds, st.data())
def test_a_mask_marks_exactly_what_has_an_id(height: int, width: int, seed: int, data: st.DataObject) -> None:
    ids = painted(height, width, seed)
    steps = data.draw(geometries(height, width))
    labels = run_history(grey(ids), {"regions": ids, "mask": mask_of(ids)}, [*steps, Png()]).labels
    np.testing.assert_array_equal(labels["mask"], mask_of(labels["regions"]))


@given(sides, sides, st.lists(st.integers(0, 255), max_size=5), seeds, sides, sides)
def test_a_resize_loses_no_id_and_makes_none(
    height: int, width: int, values: list[int], seed: int, new_height: int, new_width: int
) -> None:
    ids = np.random.default_rng(seed).choice(np.array([0, *values], np.uint8), (height, width))
    steps = [Resize(new_width, new_height), Png()]
    after = run_history(grey(ids), {"regions": ids}, steps).labels["regions"]
    assert after.dtype == np.uint8
    assert set(np.unique(after)) - {0} == set(np.unique(ids)) - {0}


@given(sides, sides, seeds, sides, sides)
def test_single_pixels_are_not_lost(height: int, width: int, seed: int, new_height: int, new_width: int) -> None:
    ids = np.zeros((height, width), np.uint8)
    places = np.random.default_rng(seed).choice(height * width, 20, replace=False)
    ids.ravel()[places] = np.arange(1, 21)
    labels = {"regions": ids, "mask": mask_of(ids)}
    after = run_history(grey(ids), labels, [Resize(new_width, new_height), Png()]).labels
    assert set(np.unique(after["regions"])) - {0} == set(range(1, 21))
    np.testing.assert_array_equal(after["mask"], mask_of(after["regions"]))


def test_a_lost_id_takes_the_pixel_that_it_covers_most() -> None:
    ids = np.ones((32, 32), np.uint8)
    ids[13:15, 21] = 2
    after = run_history(grey(ids), {"regions": ids}, [Resize(8, 8), Png()]).labels["regions"]
    assert np.argwhere(after == 2).tolist() == [[3, 5]]


def test_half_of_a_pixel_is_enough_and_the_larger_part_names_it() -> None:
    ids = np.zeros((16, 16), np.uint8)
    ids[0:2, 0:1] = 3  # half of a pixel
    ids[0:1, 2:3] = 4  # a quarter
    ids[4:6, 4:6] = ((5, 6), (6, 0))  # three quarters, most of them 6
    ids[8:10, 6:10] = ((4, 4, 5, 5), (4, 4, 5, 5))
    after = run_history(grey(ids), {"regions": ids}, [Resize(8, 8), Png()]).labels["regions"]
    expected = np.zeros((8, 8), np.uint8)
    expected[0, 0], expected[2, 2], expected[4, 3:5] = 3, 6, (4, 5)
    np.testing.assert_array_equal(after, expected)


def rim(mask: Label) -> NDArray[np.bool_]:
    """Pixels within one of the mask's edge, and where the mask meets the picture's."""
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(
        cv2.dilate(mask, kernel) != cv2.erode(mask, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    )


@given(st.integers(24, 70), st.integers(24, 70), seeds, st.data())
def test_labels_stay_where_the_picture_is(height: int, width: int, seed: int, data: st.DataObject) -> None:
    ids = np.zeros((height, width), np.uint8)
    top, left = (int(v) for v in np.random.default_rng(seed).integers(0, (height - 12, width - 12)))
    ids[top : top + 12, left : left + 12] = 1
    mask, step = mask_of(ids), data.draw(st.sampled_from(INTERPOLATIONS))
    new = data.draw(st.integers(height // 2, 90)), data.draw(st.integers(width // 2, 90))
    inner = data.draw(st.integers(0, new[1] - 8)), data.draw(st.integers(0, new[0] - 8))
    steps = [Resize(new[1], new[0], step), Crop(*inner, new[1] - inner[0], new[0] - inner[1]), Png()]
    saved = run_history(grey(mask), {"mask": mask, "alpha": mask}, steps)
    seen = np.where(saved.image[:, :, 0] >= 128, np.uint8(255), np.uint8(0))
    label = saved.labels["mask"]
    # The rim of the whole picture: a crop may have left the outside of it away.
    whole = run_history(grey(mask), {"mask": mask}, [steps[0], Png()]).labels["mask"]
    assert not (seen != label)[~rim(whole)[inner[1] :, inner[0] :]].any()
    if step == "area":
        clear = np.abs(saved.image[:, :, 0] - 127.5) > 1
        np.testing.assert_array_equal(label[clear], seen[clear])
        np.testing.assert_array_equal(saved.labels["alpha"], saved.image[:, :, 0])


@given(sides, sides, seeds, st.data())
def test_a_crop_is_exact(height: int, width: int, seed: int, data: st.DataObject) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    labels = {"mask": mask_of(image[:, :, 0] // 128), "alpha": image[:, :, 1].copy()}
    h, w = data.draw(st.integers(8, height)), data.draw(st.integers(8, width))
    y, x = data.draw(st.integers(0, height - h)), data.draw(st.integers(0, width - w))
    saved = run_history(image, labels, [Crop(x, y, w, h), Png()])
    np.testing.assert_array_equal(saved.image, image[y : y + h, x : x + w])
    for name, label in labels.items():
        np.testing.assert_array_equal(saved.labels[name], label[y : y + h, x : x + w])


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_a_resize_to_the_same_size_changes_nothing(interpolation: str) -> None:
    ids = painted(40, 50, 3)
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    labels = {"regions": ids, "alpha": image[:, :, 0].copy()}
    saved = run_history(image, labels, [Resize(50, 40, interpolation), Png()])  # type: ignore[arg-type]
    np.testing.assert_array_equal(saved.image, image)
    for name, label in labels.items():
        np.testing.assert_array_equal(saved.labels[name], label)


def test_area_takes_means() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    small = run_history(image, {}, [Resize(16, 16), Png()]).image
    means = image.reshape(16, 2, 16, 3, 3).mean(axis=(1, 3))
    assert np.abs(small - means).max() <= 0.5001


def test_area_also_where_one_side_grows() -> None:
    column = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[:, None], 8, axis=1)
    resized = run_history(grey(column), {}, [Resize(16, 8), Png()]).image
    np.testing.assert_array_equal(resized[:, :, 0], np.repeat(np.arange(5, 160, 20)[:, None], 16, axis=1))


@given(seeds, st.floats(0.5, 10))
def test_noise_is_its_seeds_and_no_other(seed: int, sigma: float) -> None:
    image = np.full((70, 40, 3), 128, np.uint8)

    def noisy(number: int) -> NDArray[np.uint8]:
        return run_history(image, {}, [Noise(sigma, number), Png()]).image

    np.testing.assert_array_equal(noisy(seed), noisy(seed))
    assert (noisy(seed) != noisy(seed + 1)).any()


def test_noise_is_gaussian_of_its_sigma_whole_rows_or_not() -> None:
    image = np.full((300, 200, 3), 128, np.uint8)
    difference = run_history(image, {}, [Noise(6.0, 5), Png()]).image.astype(float) - 128
    assert abs(difference.mean()) < 0.1
    assert abs(difference.std() - np.hypot(6, 12**-0.5)) < 0.1
    # The draw is that of the whole picture at once, whatever is done to draw it in parts.
    drawn = np.random.Generator(np.random.Philox(5)).standard_normal((300, 200, 3))
    np.testing.assert_array_equal(difference, np.rint(128 + 6 * drawn) - 128)


def test_no_noise_changes_nothing_and_much_is_clipped() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    np.testing.assert_array_equal(run_history(image, {}, [Noise(0.0, 1), Png()]).image, image)
    loud = run_history(image, {}, [Noise(1e4, 1), Png()]).image
    assert np.isin(loud, (0, 255)).mean() > 0.9


def test_a_blur_keeps_the_flat_and_spreads_a_point_evenly() -> None:
    flat = np.full((20, 20, 3), 77, np.uint8)
    np.testing.assert_array_equal(run_history(flat, {}, [Blur(2.0), Png()]).image, flat)
    point = np.zeros((21, 21, 3), np.uint8)
    point[10, 10] = 255
    spread = run_history(point, {}, [Blur(1.0), Png()]).image[:, :, 0].astype(float)
    np.testing.assert_array_equal(spread, spread[::-1])
    np.testing.assert_array_equal(spread, spread.T)
    assert abs(spread[10, 10] - 255 / (2 * np.pi)) < 2


def test_filters_act_on_the_whole_picture() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    steps: list[Step] = [Filters(("brightness",), {"brightness": -0.5}), Png()]
    np.testing.assert_array_equal(run_history(image, {}, steps).image, image // 2)


def test_the_arguments_of_filters_go_by_name() -> None:
    image = np.random.default_rng(1).integers(60, 180, (16, 16, 3), np.uint8)
    names = ("contrast", "brightness")
    one = Filters(names, {"contrast": 0.3, "brightness": -0.2})
    other = Filters(names, {"brightness": -0.2, "contrast": 0.3})
    swapped = Filters(names, {"brightness": 0.3, "contrast": -0.2})
    first, second, third = (run_history(image, {}, [step, Png()]).image for step in (one, other, swapped))
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


def test_saves_in_between_are_decoded_again() -> None:
    image = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    steps: list[Step] = [Jpeg(quality=60), Crop(4, 4, 16, 16), Webp(70), Jpeg(quality=90)]
    once = decode(encode(image, Jpeg(quality=60)))[4:20, 4:20]
    twice = decode(encode(np.ascontiguousarray(once), Webp(70)))
    saved = run_history(image, {}, steps)
    assert saved.data == encode(twice, Jpeg(quality=90))
    np.testing.assert_array_equal(saved.image, decode(saved.data))


def test_a_history_is_the_same_every_time_and_writes_into_nothing_it_is_given() -> None:
    image = np.random.default_rng(3).integers(0, 256, (40, 40, 3), np.uint8)
    ids = painted(40, 40, 1)
    labels = {"regions": ids, "mask": mask_of(ids), "alpha": image[:, :, 0].copy()}
    kept = image.copy(), {name: label.copy() for name, label in labels.items()}
    steps = [Resize(30, 33, "lanczos"), Noise(2.0, 7), Blur(0.7), Crop(1, 2, 24, 24), Jpeg(quality=70)]

    def run() -> Saved:
        return run_history(image, labels, steps)

    first, second = run(), run()
    assert first.data == second.data
    assert list(first.labels) == list(labels)
    for name in labels:
        np.testing.assert_array_equal(first.labels[name], second.labels[name])
        np.testing.assert_array_equal(labels[name], kept[1][name])
    np.testing.assert_array_equal(image, kept[0])


def test_kinds_say_which_labels_are_soft() -> None:
    ramp = np.repeat(np.arange(16, dtype=np.uint8)[None] * 16, 16, axis=0)
    steps = [Resize(8, 8), Png()]
    means = np.repeat((np.arange(8, dtype=np.uint8) * 32 + 8)[None], 8, axis=0)
    soft = run_history(grey(ramp), {"opacity": ramp}, steps, {"opacity": "soft"}).labels["opacity"]
    np.testing.assert_array_equal(soft, means)
    ids = run_history(grey(ramp), {"opacity": ramp}, steps).labels["opacity"]
    assert set(np.unique(ids)) <= set(np.unique(ramp))
    with pytest.raises(ValueError, match="the label 'a' is of kind 'hard'; 'ids' and 'soft' are accepted"):
        run_history(grey(ramp), {"a": ramp}, steps, {"a": "hard"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "the last step is missing; a save is accepted"),
        ([Jpeg(quality=90), Blur(1.0)], r"the last step is Blur\(sigma=1.0\); a save is accepted"),
        ([Resize(7, 20), Png()], "a resize to 7 x 20 pixels; sides of 8 pixels and more"),
        ([Crop(0, 0, 8, 7), Png()], "a crop of 8 x 7 pixels; sides of 8 pixels and more"),
        (
            [Crop(9, 0, 8, 8), Png()],
            "a crop of columns 9 to 17 and rows 0 to 8; accepted are columns within 0 to 16",
        ),
        ([Crop(-1, 0, 8, 8), Png()], "a crop of columns -1 to 7"),
        ([Crop(0, 17, 8, 8), Png()], "rows 17 to 25; .* rows within 0 to 24"),
        ([Resize(8, 8, "nearest"), Png()], "interpolation is 'nearest'; accepted are area, linear"),  # type: ignore[arg-type]
        ([Noise(-1.0, 0), Png()], "noise's sigma is -1.0"),
        ([Noise(float("nan"), 0), Png()], "noise's sigma is nan"),
        ([Noise(1.0, -1), Png()], "noise's seed is -1"),
        ([Blur(0.0), Png()], "blur's sigma is 0.0"),
        ([Filters(("brightness",), {}), Png()], "arguments for nothing; accepted are exactly brightness"),
        ([Filters(("brightness",), {"brightness": 0.1, "tint": 1.0}), Png()], "arguments for brightness, tint"),
        (["jpeg", Png()], "'jpeg' is no step of a history"),
    ],
)
def test_what_cannot_be_run_is_refused(steps: list[Step], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_history(np.zeros((24, 16, 3), np.uint8), {}, steps)


@pytest.mark.parametrize("label", [np.zeros((16, 24), np.uint8), np.zeros((24, 16), np.bool_)])
def test_labels_of_another_size_or_type_are_refused(label: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"the label 'mask' is .*; uint8 \(24, 16\) as the image is accepted"):
        run_history(np.zeros((24, 16, 3), np.uint8), {"mask": label}, [Png()])


def test_more_regions_than_pixels_are_refused() -> None:
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    with pytest.raises(ValueError, match=r"no pixel is left for region \d+ in 8 x 8 pixels"):
        run_history(grey(ids), {"regions": ids}, [Resize(8, 8), Png()])


def test_a_real_photo_goes_through_everything(bundled: Path) -> None:
    photo = decode(next(iter(sorted((bundled).rglob("*.jpg")))).read_bytes())
    ids = painted(*photo.shape[:2], 5)
    steps: list[Step] = [Jpeg(quality=95), Resize(301, 203), Noise(1.0, 3), Blur(0.5), Jpeg(quality=80), Webp(75)]
    saved = run_history(photo, {"regions": ids, "mask": mask_of(ids)}, steps)
    assert saved.image.shape == (203, 301, 3)
    np.testing.assert_array_equal(saved.labels["mask"], mask_of(saved.labels["regions"]))
    small = cv2.resize(photo, (301, 203), interpolation=cv2.INTER_AREA)
    assert np.abs(saved.image.astype(float) - small).mean() < 8
