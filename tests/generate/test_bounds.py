"""What is just accepted, and what just is not: bounds are where they are said to be."""

from __future__ import annotations

import secrets
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synthharm.composites.manipulation import Region, Removal
from synthharm.errors import Unusable
from synthharm.generate import sample as retouching
from synthharm.generate.judged import Choice, Judged
from synthharm.generate.preview import _describe_arguments
from synthharm.generate.running.claims import Taken, claims, nothing
from synthharm.generate.sample import Maker
from synthharm.generate.splicing.drawing import _alike
from synthharm.generate.splicing.histories import _crop, _draw_step
from synthharm.generate.splicing.making import SplicingMaker
from synthharm.generate.splicing.positions import NoFit
from synthharm.generate.splicing.regions import Regions, rim_of
from synthharm.generate.splicing.sample import _describe_regions, _measure
from synthharm.recipe import histories
from synthharm.storage import as_path

SIDE = 48


def drawn(change: np.ndarray, regions: np.ndarray) -> Any:
    """A draft of one removal that changed a grey picture so."""
    target = np.full((SIDE, SIDE, 3), 100, np.uint8)
    return SimpleNamespace(
        edits=(Removal(Region(0, "7", "m")),),
        done=SimpleNamespace(image=(target + change).astype(np.uint8), regions=regions),
        photos=(SimpleNamespace(pixels=target),),
        share=0.1,
    )


@pytest.mark.parametrize(("pixels", "accepted"), [(15, False), (16, True)])
def test_a_region_has_sixteen_pixels_in_the_end(pixels: int, accepted: bool) -> None:
    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids.flat[:pixels] = 1
    draft = drawn(np.zeros((SIDE, SIDE, 3)), ids)
    if accepted:
        assert [one["area"] for one in _describe_regions(draft, ids, "photo")] == [16]
        return
    with pytest.raises(Unusable, match="region 7 has 15 pixels in the end; 16 and more are accepted"):
        _describe_regions(draft, ids, "photo")


@pytest.mark.parametrize(("pixels", "accepted"), [(99, False), (100, True)])
def test_a_manipulation_changes_a_region_by_one_level_at_least(pixels: int, accepted: bool) -> None:
    """In the mean of squares: a hundred pixels, so many of which changed by one level."""
    regions, change = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE, 3))
    regions.flat[:100] = 1
    change.reshape(-1, 3)[:pixels] = 1
    if accepted:
        assert _measure(drawn(change, regions), "photo")["foreground_mse"] == 1
        return
    with pytest.raises(Unusable, match=r"region 7 differs by an MSE of 0\.990; 1\.0 is accepted"):
        _measure(drawn(change, regions), "photo")


def test_where_the_mask_is_all_of_the_picture_nothing_lies_outside() -> None:
    change, regions = np.full((SIDE, SIDE, 3), 9), np.ones((SIDE, SIDE), np.uint8)
    assert _measure(drawn(change, regions), "photo")["outside"] == 0
    regions[3, 4] = 0
    with pytest.raises(Unusable, match="pixels outside the mask changed by up to 9 levels"):
        _measure(drawn(change, regions), "photo")


def picture(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask of boxes: top, bottom, left, right."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = 255
    return mask


def regions_where(cut_off: bool = False, **changes: Any) -> Any:
    """Regions of a plan that has no more than is asked for here."""
    plan = SimpleNamespace(recipe=SimpleNamespace(placement=SimpleNamespace(cut_off=cut_off)), **changes)
    return Regions(plan, SimpleNamespace(), np.random.default_rng(0))  # type: ignore[arg-type]


def test_a_pasted_region_is_in_one_piece() -> None:
    """But for a twentieth of it."""
    large = (2, 21, 2, 22)  # 380 pixels
    assert regions_where()._whole(picture(large))
    assert regions_where()._whole(picture(large, (30, 34, 30, 35)))  # 20 of 400
    assert not regions_where()._whole(picture(large, (30, 33, 30, 37)))  # 21 of 401


def test_a_pasted_region_is_not_cut_off_unless_that_is_allowed() -> None:
    assert not regions_where()._whole(picture((0, 20, 2, 22)))
    assert regions_where(cut_off=True)._whole(picture((0, 20, 2, 22)))


def test_a_rim_is_three_pixels_wide() -> None:
    mask = picture((20, 30, 20, 30))
    assert np.array_equal(rim_of(mask), (picture((17, 33, 17, 33)) > 0) & (mask == 0))


@pytest.mark.parametrize(("touched", "free"), [(23, True), (24, False)])
def test_other_objects_touch_a_seventh_of_a_donors_rim_at_most(
    touched: int, free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To be exact, 15 percent, here of 156 pixels. What lies elsewhere is no matter."""
    mask, other = picture((20, 30, 20, 30)), picture((40, 48, 0, 48))
    assert np.count_nonzero(rim_of(mask)) == 156
    other[np.nonzero(rim_of(mask))[0][:touched], np.nonzero(rim_of(mask))[1][:touched]] = 255
    index = SimpleNamespace(region=lambda number: SimpleNamespace(photo=0))
    module = "synthharm.generate.splicing.regions"
    monkeypatch.setattr(f"{module}.regions_of_photo", lambda *_: [3, 4])
    monkeypatch.setattr(f"{module}.read_listed_mask", lambda *a: {3: mask, 4: other}[a[2]])
    assert regions_where(index=index)._stands_free(3, mask) == free


@pytest.mark.parametrize(("apart", "alike"), [(30, True), (31, False)])
def test_gradients_are_blended_where_surroundings_are_thirty_levels_apart_at_most(apart: int, alike: bool) -> None:
    """In any channel; without any surroundings nothing is blended."""
    one = np.full((9, 3), 100, np.uint8)
    for channel in range(3):
        other = one.copy()
        other[:, channel] += np.uint8(apart)
        assert _alike(one, other) == _alike(other, one) == alike
    assert not _alike(one[:0], one)
    assert not _alike(one, one[:0])


def test_a_unit_is_given_up_after_a_hundred_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = list[int]()

    def attempt(self: Any, unit: int, number: int) -> Any:
        attempts.append(number)
        raise NoFit("nothing fits")

    monkeypatch.setattr(SplicingMaker, "_attempt", attempt)
    layout = SimpleNamespace(starts=[40], kind=lambda unit: SimpleNamespace(members=[1, 2]))
    made, rejects = SplicingMaker(SimpleNamespace(layout=layout), None, None).make(0)  # type: ignore[arg-type]
    assert attempts == list(range(100))
    assert made == []
    assert [one.name for one in rejects] == ["sample 40", "sample 41"]
    assert {one.detail for one in rejects} == {"each of 100 draws led nowhere; the last: nothing fits"}


def test_a_sample_is_given_up_after_fifty_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = list[int]()

    def attempt(self: Any, sample: int, number: int) -> Any:
        attempts.append(number)
        raise Unusable("a.png", "truncated", "it ends early")

    monkeypatch.setattr(Maker, "_attempt", attempt)
    made, rejects = Maker.make(object.__new__(Maker), 7)
    assert made is None
    assert attempts == list(range(50)) == list(range(retouching.ATTEMPTS))
    assert len(rejects) == 51
    assert (rejects[-1].name, rejects[-1].detail) == ("sample 7", "each of the 50 regions tried was rejected")


@pytest.mark.parametrize(("side", "expected"), [(640, 64), (65, 64), (64, 64), (50, 50)])
def test_no_history_makes_a_side_shorter_than_64_pixels(side: int, expected: int) -> None:
    step = histories.ResizeStep(step="resize", factor=(0.1, 0.1), interpolation=["area"])
    (found,) = _draw_step(step, (), np.random.default_rng(0), (side, 500))
    assert (found.height, found.width) == (expected, 64)  # type: ignore[union-attr]
    section: Any = SimpleNamespace(keep=(0.1, 0.1))
    crop = _crop(section, np.array([0.5, 0.5, 0.0, 0.0, 0.0]), (side, 500))
    assert (crop.height, crop.width) == (min(expected, side), 64)


def test_a_cropped_picture_does_not_begin_on_the_grid_of_jpegs_blocks() -> None:
    section: Any = SimpleNamespace(keep=(0.5, 1.0))
    random = np.random.default_rng(5)
    for _ in range(400):
        size = tuple(int(side) for side in random.integers(72, 200, 2))
        crop = _crop(section, random.random(5), size)
        assert crop.left % 8 or crop.top % 8
        assert 0 <= crop.left <= size[1] - crop.width
        assert 0 <= crop.top <= size[0] - crop.height
        assert min(crop.width, crop.height) >= 64


def test_no_more_than_thirty_thousand_samples_are_judged() -> None:
    choice = Choice()
    for sample in range(30_010):
        choice.add(Judged(sample, "splice", sample, ""))
    assert (len(choice.chosen()), choice.total) == (30_000, 30_010)


def test_a_caption_names_six_arguments() -> None:
    """Those that are farthest from neutral."""
    columns = [f"a{number}" for number in range(8)]
    parameters = [SimpleNamespace(neutral=0.0, span=0.5) for _ in columns]
    chain: Any = SimpleNamespace(columns=columns, parameters=parameters, spans={})
    arguments = {column: 0.01 * number for number, column in enumerate(columns)}
    said = _describe_arguments(chain, arguments)
    assert said.split("  ") == [*(f"a{n} +0.0{n}0" for n in range(7, 1, -1)), "and 2 more"]
    assert "more" not in _describe_arguments(chain, dict(list(arguments.items())[:6]))


def test_a_lease_ends_within_a_minute() -> None:
    folder = as_path(f"memory://bounds/{secrets.token_hex(8)}")
    with (
        claims(folder).hold("run", against=nothing),
        pytest.raises(Taken, match="the claim ends by itself within 60 seconds"),
        claims(folder).hold("run", against=nothing),
    ):
        pass
