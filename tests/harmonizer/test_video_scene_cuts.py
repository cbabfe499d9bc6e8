"""Cuts between shots are found, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from video_clips import drifting, picture

from synthharm.harmonizer.video.scene_cuts import mark_cuts

Frame = NDArray[np.uint8]


def cuts(frames: Sequence[Frame]) -> list[int]:
    marked = list(mark_cuts(frames, lambda frame: frame))
    assert len(marked) == len(frames)
    assert all(frame is given for (frame, _), given in zip(marked, frames, strict=True))
    return [number for number, (_, cut) in enumerate(marked) if cut]


def real(bundled: Path, number: int) -> Frame:
    photos = sorted(path for path in bundled.rglob("*.jpg"))
    return np.asarray(cv2.resize(cv2.imread(str(photos[number]))[..., ::-1], (320, 240)), np.uint8)


def faded(one: Frame, other: Frame, count: int) -> list[Frame]:
    shares = [(k + 1) / (count + 1) for k in range(count)]
    mixed = [np.rint(one * (1 - share) + other.astype(float) * share) for share in shares]
    return [one] * 4 + [np.asarray(frame, np.uint8) for frame in mixed] + [other] * 4


@settings(max_examples=25)
@given(first=st.integers(1, 8), second=st.integers(3, 8), third=st.integers(1, 8), seed=st.integers(0, 1000))
def test_cuts_are_where_shots_meet(first: int, second: int, third: int, seed: int) -> None:
    shots = [drifting(n, 3 * seed + k, 64, 96) for k, n in enumerate((first, second, third))]
    for k, level in enumerate((0.3, 1.0, 0.55)):  # pictures of chance may share their colours
        shots[k] = [np.asarray(frame * level, np.uint8) for frame in shots[k]]
    assert cuts([frame for shot in shots for frame in shot]) == [first, first + second]


def test_cuts_between_photos_are_found(bundled: Path) -> None:
    photos = [real(bundled, number) for number in range(4)]
    assert cuts([photo for photo in photos for _ in range(5)]) == [5, 10, 15]


def test_a_cut_through_one_mixed_frame_is_found(bundled: Path) -> None:
    assert len(cuts(faded(real(bundled, 0), real(bundled, 1), 1))) in (1, 2)


def test_a_still_camera_has_none(bundled: Path) -> None:
    photo = real(bundled, 0).astype(int)
    noise = np.random.default_rng(0)
    assert (
        cuts([np.clip(photo + noise.normal(0, 5, photo.shape), 0, 255).astype(np.uint8) for _ in range(12)]) == []
    )


def test_neither_pixels_nor_colours_that_change_alone_are_one(bundled: Path) -> None:
    photo = real(bundled, 0)
    assert cuts([photo] * 5 + [np.ascontiguousarray(photo[:, ::-1])] * 5) == []
    grey = np.full_like(photo, 100)
    assert cuts([grey] * 5 + [grey + np.uint8(9)] * 5) == []
    assert cuts([grey] * 5 + [grey + np.uint8(30)] * 5) == [5]


@pytest.mark.parametrize("step", [1, 4, 16])
def test_a_camera_that_pans_has_none(bundled: Path, step: int) -> None:
    photo = real(bundled, 2)
    places = [step * k for k in range(min(12, 120 // step))]
    still = [photo[:, :200]] * 4
    assert (
        cuts(still + [photo[:, x : x + 200] for x in places] + [photo[:, places[-1] : places[-1] + 200]] * 4) == []
    )


@pytest.mark.parametrize("count", [4, 8, 25])
@pytest.mark.parametrize("into", ["black", "white", "another"])
def test_fades_and_dissolves_have_none(bundled: Path, into: str, count: int) -> None:
    photo = real(bundled, 0)
    other = {"black": np.zeros_like(photo), "white": np.full_like(photo, 255), "another": real(bundled, 1)}[into]
    assert cuts(faded(photo, other, count)) == []
    assert cuts(faded(other, photo, count)) == []


@pytest.mark.parametrize("count", [1, 2])
def test_a_flash_is_none(bundled: Path, count: int) -> None:
    photo = real(bundled, 0)
    flash = np.asarray(255 - (255 - photo.astype(int)) // 8, np.uint8)
    assert cuts([photo] * 6 + [flash] * count + [photo] * 6) == []
    assert cuts([photo] * 6 + [flash] * 3 + [photo] * 6) == [6, 9]


def test_one_frame_has_none() -> None:
    assert cuts([picture()]) == []
    assert cuts([]) == []


def test_frames_are_held_back_only_until_three_more_have_come() -> None:
    taken = 0

    def frames() -> object:
        nonlocal taken
        for frame in drifting(10):
            taken += 1
            yield frame

    for number, _ in enumerate(mark_cuts(frames(), lambda frame: frame)):  # type: ignore[call-overload]
        assert taken == min(number + 4, 10)


def test_a_real_video_has_none(shared: Path) -> None:
    paths = sorted((shared / "photos" / "video_blackswan" / "JPEGImages").glob("*.jpg"))
    assert len(paths) == 50
    assert cuts([cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4)[..., ::-1] for path in paths]) == []
