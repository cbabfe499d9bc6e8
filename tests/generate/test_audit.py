"""A planted shortcut is found by name; a dataset without one raises no warning."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from synthharm.errors import SynthharmError
from synthharm.generate.audit import (
    FEWEST,
    LIMIT,
    _chunks,
    _jpeg_segments,
    _judge,
    _variance,
    audit,
    audit_features,
    features,
)
from synthharm.generate.judged import MOST, Choice, Judged

Rows = list[dict[str, float]]


def record(sample: int, kind: str = "authentic", unit: int | None = None, photo: str | None = None) -> Judged:
    return Judged(sample, kind, sample if unit is None else unit, str(sample) if photo is None else photo)


def picture(rng: np.random.Generator, width: int = 48, height: int = 40) -> NDArray[np.uint8]:
    coarse = rng.uniform(20, 235, (5, 5, 3)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).round().astype(np.uint8)


def encoded(image: NDArray[np.uint8], form: str = "JPEG", **settings: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, form, **settings)
    return file.getvalue()


def pairs(count: int, **changes: Any) -> Iterator[tuple[Judged, bytes]]:
    """Authentic and manipulated in turn, each of another photo; `changes` are how the manipulated are saved."""
    rng = np.random.default_rng(7)
    sizes = {"width": changes.pop("width", 48)}
    for sample in range(count):
        manipulated = sample % 2 == 1
        saved = {"quality": int(rng.integers(70, 96))} | (changes if manipulated else {})
        image = picture(rng, **(sizes if manipulated else {}))
        yield record(sample, "splice" if manipulated else "authentic"), encoded(image, **saved)


def noise(count: int, columns: int = 20, seed: int = 0) -> Rows:
    table = np.random.default_rng(seed).normal(size=(count, columns))
    return [{f"feature_{k}": float(value) for k, value in enumerate(row)} for row in table]


# Features


@settings(max_examples=25)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    form=st.sampled_from(["JPEG", "PNG", "WEBP"]),
    seed=st.integers(0, 99),
)
def test_size_and_file_are_as_they_are(width: int, height: int, form: str, seed: int) -> None:
    data = encoded(picture(np.random.default_rng(seed), width, height), form)
    found = features(0, data)
    assert (found["width"], found["height"], found["pixels"]) == (width, height, width * height)
    assert found["aspect_ratio"] == width / height
    assert (found["width_multiple_of_8"], found["height_multiple_of_8"]) == (width % 8 == 0, height % 8 == 0)
    assert (found["file_bytes"], found["bytes_per_pixel"]) == (len(data), len(data) / (width * height))
    assert [found[f"format_{name}"] for name in ("jpeg", "png", "webp")] == [
        form == name for name in ("JPEG", "PNG", "WEBP")
    ]
    assert set(found) == set(features(1, encoded(np.zeros((9, 9, 3), np.uint8))))
    assert all(isinstance(value, float) and np.isfinite(value) for value in found.values())


@settings(max_examples=15)
@given(quality=st.integers(1, 100), subsampling=st.integers(0, 2), progressive=st.booleans())
def test_what_a_jpeg_was_saved_with_is_seen(quality: int, subsampling: int, progressive: bool) -> None:
    data = encoded(
        picture(np.random.default_rng(0)), quality=quality, subsampling=subsampling, progressive=progressive
    )
    found = features(0, data)
    assert (found["subsampling"], found["progressive"]) == (subsampling, progressive)
    with Image.open(io.BytesIO(data)) as image:
        tables = image.quantization  # type: ignore[attr-defined]
    for number, name in enumerate(("luminance_table", "chrominance_table")):
        assert found[f"{name}_mean"] == sum(tables[number]) / 64
        assert (found[f"{name}_first"], found[f"{name}_second"]) == tuple(tables[number][:2])


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_metadata_is_counted_to_the_byte(form: str) -> None:
    image = picture(np.random.default_rng(0))
    exif = Image.Exif()
    exif[0x010E] = "a description of some length"
    plain, said = encoded(image, form), encoded(image, form, exif=exif)
    without, found = features(0, plain), features(0, said)
    assert without["metadata_bytes"] == (18 if form == "JPEG" else 0)  # JFIF's segment
    assert found["segments"] > without["segments"]
    added = found["metadata_bytes"] - without["metadata_bytes"]
    extended = 18 if form == "WEBP" else 0  # a WebP file with metadata has a larger header, which holds none
    assert added == len(said) - len(plain) - extended > 0


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_colours_are_measured(form: str) -> None:
    image = np.full((32, 32, 3), (200, 100, 50), np.uint8)
    image[:, 16:] = (100, 100, 150)
    found = features(0, encoded(image, form, **({"quality": 100} if form == "JPEG" else {})))
    means = [found[f"{name}_mean"] for name in ("red", "green", "blue")]
    deviations = [found[f"{name}_deviation"] for name in ("red", "green", "blue")]
    np.testing.assert_allclose(means, [150, 100, 100], atol=1.5)
    np.testing.assert_allclose(deviations, [50, 0, 50], atol=1.5)


def test_the_segments_of_a_jpeg_are_read_past_what_has_no_length() -> None:
    """Start of image; padding; a marker alone; a restart marker; a comment of three bytes; the scan."""
    data = b"\xff\xd8" + b"\xff\xff\xff\x01" + b"\xff\xd0" + b"\xff\xfe\x00\x05abc" + b"\xff\xda\x00\x02"
    found = [(marker, size) for marker, size, _ in _jpeg_segments(data)]
    assert found == [(0x01, 2), (0xD0, 2), (0xFE, 7)]
    assert [metadata for *_, metadata in _jpeg_segments(data)] == [False, False, True]


def test_application_segments_and_comments_are_metadata_and_the_last_may_be_bare() -> None:
    markers = (0xDF, 0xE0, 0xEF, 0xF0, 0xFD, 0xFE)
    data = b"\xff\xd8" + b"".join(bytes((0xFF, marker, 0, 2)) for marker in markers)
    assert _jpeg_segments(data) == [(marker, 4, marker in (0xE0, 0xEF, 0xFE)) for marker in markers]


def test_chunks_of_odd_length_have_a_byte_more_in_webp_and_none_in_png() -> None:
    webp = b"RIFF\0\0\0\0WEBP" + b"EXIF\x03\0\0\0abc\0" + b"VP8 \x02\0\0\0ab"
    assert [(name, size) for name, size, _ in _chunks("WEBP", webp)] == [(b"EXIF", 12), (b"VP8 ", 10)]
    png = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x03tEXtabc\0\0\0\0" + b"\0\0\0\0IEND\0\0\0\0"
    assert [(name, size) for name, size, _ in _chunks("PNG", png)] == [(b"tEXt", 15), (b"IEND", 12)]
    assert [metadata for *_, metadata in _chunks("PNG", png)] == [True, False]


def test_a_grey_jpeg_has_features() -> None:
    found = features(0, encoded(np.full((16, 16), 90, np.uint8)))
    assert (found["red_mean"], found["chrominance_table_mean"], found["subsampling"]) == (90, 0, 0)


@pytest.mark.parametrize("data", [b"", b"no image", encoded(np.zeros((40, 40, 3), np.uint8))[:300]])
def test_what_is_no_image_is_refused_by_its_sample(data: bytes) -> None:
    with pytest.raises(SynthharmError, match=r"sample 000031: .* JPEG, PNG, WEBP are accepted"):
        features(31, data)


# The audit


@pytest.mark.parametrize(
    ("change", "feature"),
    [
        ({"quality": 60}, "luminance_table_mean"),
        ({"width": 56}, "pixels"),
        ({"subsampling": 0}, "subsampling"),
        ({"progressive": True}, "progressive"),
        ({"comment": b"edited"}, "metadata_bytes"),
    ],
)
def test_a_planted_shortcut_is_found_and_named(change: dict[str, Any], feature: str) -> None:
    found = audit(pairs(80, **change))
    assert found.features[feature] > 0.9
    assert all(area > 0.9 for area in found.auc.values())
    assert found.kinds["splice"] > 0.9
    for name in (feature, "gradient_boosting", "logistic_regression", "splice"):
        assert any(sentence.startswith(f"{name} ") for sentence in found.warning)
    assert found.features["aspect_ratio" if feature != "pixels" else "red_mean"] < 0.7


def test_files_without_a_shortcut_pass() -> None:
    found = audit(pairs(400))
    assert found.samples == {"authentic": 200, "splice": 200}
    assert found.warning == ()
    areas = [*found.auc.values(), *found.kinds.values(), *found.features.values()]
    assert max(areas) <= LIMIT
    assert set(found.auc) == {"logistic_regression", "gradient_boosting"}


@pytest.mark.parametrize("seed", range(2))
def test_numbers_that_mean_nothing_stay_near_chance(seed: int) -> None:
    records = [record(sample, ("authentic", "retouch")[sample % 2]) for sample in range(200)]
    found = audit_features(records, noise(200, columns=8, seed=seed))
    for name, area in found.auc.items():
        assert abs(area - 0.5) < 4 * found.errors["auc"][name]


def test_a_shortcut_of_one_kind_is_found_for_that_kind() -> None:
    kinds = ("authentic", "splice", "copy_move", "removal")
    records = [record(sample, kinds[sample % 4]) for sample in range(200)]
    rows = noise(200, columns=6)
    for at, row in zip(records, rows, strict=True):
        row["feature_3"] += 4 * (at.kind == "copy_move")
    found = audit_features(records, rows)
    assert found.kinds["copy_move"] > 0.9
    assert max(found.kinds["splice"], found.kinds["removal"]) < 0.65
    assert list(found.kinds) == ["splice", "copy_move", "removal"]


def test_two_features_that_tell_only_together_are_found_by_boosting() -> None:
    records = [record(sample, ("authentic", "splice")[sample % 2]) for sample in range(300)]
    rows = noise(300, columns=3)
    for at, row in zip(records, rows, strict=True):
        if (row["feature_0"] * row["feature_1"] > 0) != at.manipulated:
            row["feature_0"] *= -1
    found = audit_features(records, rows)
    assert max(found.features.values()) < LIMIT < 0.8 < found.auc["gradient_boosting"]
    assert [sentence.split()[0] for sentence in found.warning] == ["gradient_boosting", "splice"]


@pytest.mark.parametrize("joined", ["photo", "unit"])
def test_what_a_photo_looks_like_is_no_shortcut(joined: str) -> None:
    """Photos have labels of their own by chance; only who trains on a photo's other samples could know them."""
    rng = np.random.default_rng(1)
    records, rows = [], []
    for photo in range(30):
        kind, look = ("authentic", "splice")[photo % 2], rng.normal(size=6)
        for _ in range(6):
            records.append(record(len(records), kind, **{joined: photo}))  # type: ignore[arg-type]
            values = look + rng.normal(0, 0.05, 6)
            rows.append({f"feature_{k}": float(value) for k, value in enumerate(values)})
    apart = [record(at.sample, at.kind) for at in records]
    assert audit_features(apart, rows).auc["gradient_boosting"] > 0.95
    assert audit_features(records, rows).auc["gradient_boosting"] < 0.75


def test_samples_that_all_hang_together_are_not_judged() -> None:
    records = [record(sample, ("authentic", "splice")[sample % 2], unit=(sample + 1) // 2) for sample in range(80)]
    chained = [record(at.sample, at.kind, at.unit, str(at.sample // 2)) for at in records]
    found = audit_features(chained, noise(80))
    assert (found.auc, found.kinds) == ({}, {})
    assert [sentence.split(":")[0] for sentence in found.warning if "cannot be judged" in sentence] == [
        "logistic_regression",
        "gradient_boosting",
        "splice",
    ]


@pytest.mark.parametrize(("authentic", "manipulated"), [(0, 0), (FEWEST - 1, 100), (100, FEWEST - 1)])
def test_too_few_samples_are_not_judged(authentic: int, manipulated: int) -> None:
    kinds = ["authentic"] * authentic + ["splice"] * manipulated
    rows = [row | {"told": float(kind == "splice")} for kind, row in zip(kinds, noise(len(kinds)), strict=True)]
    found = audit_features([record(sample, kind) for sample, kind in enumerate(kinds)], rows)
    assert (found.auc, found.kinds, found.features) == ({}, {}, {})
    (sentence,) = found.warning
    assert sentence.startswith(f"too few to judge: {manipulated} manipulated and {authentic} authentic")


@pytest.mark.parametrize(("authentic", "manipulated"), [(20, 21), (21, 20)])
def test_twenty_samples_of_a_class_are_judged(authentic: int, manipulated: int) -> None:
    kinds = ["authentic"] * authentic + ["splice"] * manipulated
    found = audit_features([record(sample, kind) for sample, kind in enumerate(kinds)], noise(len(kinds)))
    assert set(found.auc) == {"logistic_regression", "gradient_boosting"}
    assert list(found.kinds) == ["splice"]


def test_a_kind_with_too_few_samples_is_not_judged_while_the_others_are() -> None:
    kinds = ["authentic"] * 50 + ["splice"] * 50 + ["removal"] * (FEWEST - 1)
    found = audit_features([record(sample, kind) for sample, kind in enumerate(kinds)], noise(len(kinds)))
    assert list(found.kinds) == ["splice"]
    assert any(f"{FEWEST - 1} removal" in sentence for sentence in found.warning)


def test_the_standard_error_is_hanley_and_mcneils() -> None:
    """Their paper's example: 51 abnormal and 58 normal images, area .893, standard error .032."""
    values = [1.0] * 33 + [2.0] * 6 + [3.0] * 6 + [4.0] * 11 + [5.0] * 2  # normal, by rating
    values += [1.0] * 3 + [2.0] * 2 + [3.0] * 2 + [4.0] * 11 + [5.0] * 33
    kinds = ["authentic"] * 58 + ["splice"] * 51
    rows = [{"rating": value} for value in values]
    found = audit_features([record(sample, kind) for sample, kind in enumerate(kinds)], rows)
    assert found.features["rating"] == 0.8932
    assert found.errors["features"]["rating"] == 0.0325


def test_of_folds_the_weighted_mean_is_judged_and_its_standard_error() -> None:
    """A fold weighs as many pairs as it compares."""
    rng = np.random.default_rng(3)
    labels = rng.random(200) < 0.4
    table = (rng.normal(size=200) + labels)[:, None]
    folds = rng.integers(0, 3, 200)
    found = _judge("logistic_regression", table, labels, folds)
    assert found is not None
    areas, weights, variances = [], [], []
    for fold in range(3):
        tested, values = labels[folds == fold], table[folds == fold, 0]
        above = values[tested][:, None] > values[~tested]  # one feature, which a fit does not turn around
        areas.append(above.mean())
        weights.append(above.size)
        variances.append(_variance(areas[-1], tested))
    shares = np.array(weights) / sum(weights)
    assert found == (pytest.approx(shares @ areas), pytest.approx(shares**2 @ variances))


def test_a_fold_that_lacks_a_class_is_left_out() -> None:
    labels, table = np.arange(60) % 2 == 0, np.arange(60.0)[:, None] % 2
    folds = np.where(labels, 0, 1)
    assert _judge("logistic_regression", table, labels, folds) is None
    folds[40:] = 2
    assert _judge("logistic_regression", table, labels, folds) == (1.0, 0.0)


def test_the_same_files_give_the_same_audit() -> None:
    first, second = audit(pairs(50, quality=75)), audit(pairs(50, quality=75))
    assert first == second
    assert json.loads(json.dumps(first.as_json(), allow_nan=False)) == first.as_json()
    assert first.as_json()["limit"] == LIMIT


# Which samples are judged


@settings(max_examples=40)
@given(st.lists(st.integers(1, 4), max_size=40), st.integers(1, 30))
def test_whole_units_are_chosen_as_far_as_there_is_room(sizes: list[int], most: int) -> None:
    units = [Judged(number, "splice", unit, "") for unit, size in enumerate(sizes) for number in range(size)]
    samples = [Judged(number, one.kind, one.unit, "") for number, one in enumerate(units)]
    choice = Choice(most)
    for one in samples:
        choice.add(one)
    chosen = choice.chosen()
    assert choice.total == len(samples)
    assert len(chosen) <= most
    assert chosen == [one for one in samples if one.unit in {other.unit for other in chosen}]
    if len(samples) <= most:
        assert chosen == samples
    else:
        assert len(chosen) > most - 4  # the next unit is too large


def test_the_choice_does_not_depend_on_the_order() -> None:
    samples = [Judged(number, "splice", number // 3, "") for number in range(300)]
    chosen = []
    for order in (samples, [one for unit in range(99, -1, -1) for one in samples[3 * unit : 3 * unit + 3]]):
        choice = Choice(31)
        for one in order:
            choice.add(one)
        chosen.append(choice.chosen())
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 30


def test_an_audit_of_a_part_says_so_and_one_of_all_does_not() -> None:
    part, whole = audit(pairs(50), total=70), audit(pairs(50), total=50)
    assert part.as_json()["judged"] == {
        "samples": 50,
        "of": 70,
        "chosen": "whole units, by the sha256 of their numbers",
    }
    assert "judged" not in whole.as_json()
    assert whole == audit(pairs(50))
    assert MOST >= 10_000
