"""A video is harmonized as its frames are, with arguments that follow the predictions and start anew at cuts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from video_clips import (
    constant,
    discs,
    drifting,
    picture,
    read_frames,
    read_video,
    sound_of,
    times_of,
    write_frames,
    write_video,
)

from synthharm.errors import SynthharmError
from synthharm.harmonizer import Harmonizer
from synthharm.harmonizer.full_size import harmonize_image
from synthharm.harmonizer.video import VideoSummary, harmonize_video
from synthharm.harmonizer.video.harmonizing import exact_rate
from synthharm.harmonizer.video.summary import Spread

Frame = NDArray[np.uint8]


@pytest.fixture(scope="module")
def harmonizer() -> Harmonizer:
    return constant(brightness=-0.25, contrast=0.5)


@pytest.fixture
def predicting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[float]], None]:
    """Makes the network predict a brightness for each frame that has a mask, in their order."""

    def set_predictions(values: Sequence[float]) -> None:
        given = iter(values)
        monkeypatch.setattr(
            "synthharm.harmonizer.video.harmonizing.predict",
            lambda harmonizer, composite, mask: torch.tensor([next(given)]),
        )

    return set_predictions


def lines(output: Path) -> list[dict[str, Any]]:
    path = output / "arguments.jsonl" if output.is_dir() else output.with_name(f"{output.name}.arguments.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def levels(output: Path) -> list[float]:
    return [line["used"]["brightness"] if line["used"] else math.nan for line in lines(output)]


def flat(count: int, level: int = 120) -> list[Frame]:
    return [np.full((32, 48, 3), level, np.uint8)] * count


# What comes out


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
@pytest.mark.parametrize("video", [True, False])
def test_constant_predictions_give_every_frame_as_if_alone(
    tmp_path: Path, harmonizer: Harmonizer, smoothing: float, video: bool
) -> None:
    frames, masks = drifting(8), discs(8)
    composite = write_video(tmp_path / "c.mkv", frames) if video else write_frames(tmp_path / "c", frames)
    mask = write_frames(tmp_path / "m", masks)
    summary = harmonize_video(harmonizer, tmp_path / "out", mask, composite, smoothing=smoothing)
    found = read_frames(tmp_path / "out")
    for number, (frame, alpha) in enumerate(zip(frames, masks, strict=True)):
        alone = harmonize_image(harmonizer, frame, alpha)
        assert np.array_equal(found[number], alone.image)
        assert np.array_equal(found[number][alpha == 0], frame[alpha == 0])
        assert not np.array_equal(found[number], frame)
        line = lines(tmp_path / "out")[number]
        assert line == {
            "frame": number,
            "time": number / 25,
            "predicted": alone.predicted,
            "used": alone.arguments,
            "cut": False,
        }
    assert summary.path == tmp_path / "out"
    assert (summary.frames, summary.frame_rate, summary.cuts, summary.empty) == (8, 25, (), 0)
    assert summary.flicker["smoothed"] == summary.flicker["unsmoothed"]


def test_frames_of_a_folder_keep_their_names(tmp_path: Path, harmonizer: Harmonizer) -> None:
    composite = write_frames(tmp_path / "c", drifting(2), ".jpg", first=99)
    harmonize_video(harmonizer, tmp_path / "out", write_frames(tmp_path / "m", discs(2)), composite)
    names = ["arguments.jsonl", "frame_099.png", "frame_100.png", "summary.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_rate_count_and_sound_are_kept(tmp_path: Path, harmonizer: Harmonizer, name: str) -> None:
    rate = Fraction(30000, 1001)
    composite = write_video(tmp_path / "c.mp4", drifting(20), rate, sound="aac")
    mask = write_video(tmp_path / "m.mp4", discs(20), rate)
    summary = harmonize_video(harmonizer, tmp_path / name, mask, composite)
    assert (summary.frames, summary.frame_rate) == (20, rate)
    found = times_of(tmp_path / name)
    assert len(found) == 20
    if name == "out.mp4":
        assert found == [number / rate for number in range(20)]
    given = sound_of(composite)
    assert len(given) > 10
    assert [data for _, data in sound_of(tmp_path / name)] == [data for _, data in given]
    stored = json.loads((tmp_path / f"{name}.summary.json").read_text())
    assert (stored["frames"], stored["frame_rate"], stored["smoothing"]) == (20, "30000/1001", 0.5)
    assert len(lines(tmp_path / name)) == 20
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_outside_a_compressed_mask_the_frames_stay(tmp_path: Path, harmonizer: Harmonizer) -> None:
    frames, masks = drifting(6), discs(6)
    mask = write_video(tmp_path / "m.mp4", masks)
    harmonize_video(harmonizer, tmp_path / "out", mask, write_video(tmp_path / "c.mkv", frames))
    for found, frame, alpha in zip(read_frames(tmp_path / "out"), frames, masks, strict=True):
        far = cv2.dilate(alpha, np.ones((5, 5), np.uint8)) == 0
        assert np.array_equal(found[far], frame[far])


def test_foreground_and_background_are_blended_once(tmp_path: Path) -> None:
    neutral = constant(brightness=0.0)
    over, under, masks = drifting(4, seed=1), picture(seed=2), discs(4)
    cv2.imwrite(str(tmp_path / "b.png"), under[..., ::-1])
    inputs = {
        "mask": write_frames(tmp_path / "m", masks),
        "foreground": write_video(tmp_path / "f.mkv", over, 12, sound="flac"),
        "background": tmp_path / "b.png",
    }
    for name in ("out", "out.mkv"):
        summary = harmonize_video(neutral, tmp_path / name, **inputs)
        assert (summary.frames, summary.frame_rate) == (4, 12)
    for found, frame, mask in zip(read_frames(tmp_path / "out"), over, masks, strict=True):
        alpha = mask[..., None] / 255
        assert np.array_equal(found, np.rint(frame * alpha + under * (1 - alpha)))
    assert len(sound_of(tmp_path / "out.mkv")) == len(sound_of(tmp_path / "f.mkv")) > 0


# Arguments in time


def test_arguments_follow_a_step_in_time(tmp_path: Path, predicting: Callable[[Sequence[float]], None]) -> None:
    predicting([0.0] + [-0.5] * 10)
    composite, mask = write_frames(tmp_path / "c", flat(11)), write_frames(tmp_path / "m", discs(11))
    summary = harmonize_video(
        constant(brightness=0.0), tmp_path / "out", mask, composite, smoothing=0.2, frame_rate=50
    )
    expected = [-0.5 * (1 - math.exp(-number / 50 / 0.2)) for number in range(11)]
    assert levels(tmp_path / "out") == pytest.approx(expected, abs=1e-9)
    assert levels(tmp_path / "out")[10] == pytest.approx(-0.5 * (1 - math.exp(-1)), abs=1e-9)
    middle = [frame[16, 20, 0] for frame in read_frames(tmp_path / "out")]
    assert middle == [round(120 * (1 + value)) for value in expected]
    assert summary.flicker["smoothed"] < summary.flicker["unsmoothed"] / 4


def test_smoothing_goes_by_the_times_of_uneven_frames(
    tmp_path: Path, predicting: Callable[[Sequence[float]], None]
) -> None:
    predicting([0.0, -0.5, -0.5, -0.5])
    times = [Fraction(t, 1000) for t in (0, 100, 150, 600)]
    composite = write_video(tmp_path / "c.mp4", flat(4), times=times, tick=Fraction(1, 1000))
    mask = write_frames(tmp_path / "m", discs(4))
    harmonize_video(constant(brightness=0.0), tmp_path / "out.mp4", mask, composite, smoothing=0.3)
    expected = [-0.5 * (1 - math.exp(-float(time) / 0.3)) for time in times]
    assert levels(tmp_path / "out.mp4") == pytest.approx(expected, abs=1e-9)
    assert times_of(tmp_path / "out.mp4") == times


@pytest.mark.parametrize("looked_for", [True, False])
def test_arguments_start_anew_at_a_cut(
    tmp_path: Path, predicting: Callable[[Sequence[float]], None], looked_for: bool
) -> None:
    predicting([0.0] * 5 + [-0.5] * 5)
    composite = write_frames(tmp_path / "c", flat(5, 40) + flat(5, 200))
    mask = write_frames(tmp_path / "m", discs(10))
    network = constant(brightness=0.0)
    summary = harmonize_video(network, tmp_path / "out", mask, composite, scene_cuts=looked_for)
    used = levels(tmp_path / "out")
    assert summary.cuts == ((5,) if looked_for else ())
    assert [line["cut"] for line in lines(tmp_path / "out")] == [looked_for and k == 5 for k in range(10)]
    assert used[:5] == [0.0] * 5
    assert used[5:] == [-0.5] * 5 if looked_for else -0.1 < used[5] < 0
    assert (summary.flicker["unsmoothed"] < 1e-9) == looked_for


def test_frames_without_a_mask_pass_and_start_anew(
    tmp_path: Path, predicting: Callable[[Sequence[float]], None]
) -> None:
    predicting([0.0, -0.5, -0.5])
    frames, masks = drifting(5), discs(5)
    masks[1], masks[2] = np.zeros_like(masks[1]), np.zeros_like(masks[2])
    inputs = write_frames(tmp_path / "m", masks), write_frames(tmp_path / "c", frames)
    summary = harmonize_video(constant(brightness=0.0), tmp_path / "out", *inputs)
    found = read_frames(tmp_path / "out")
    assert summary.empty == 2
    assert all(np.array_equal(found[k], frames[k]) for k in (1, 2))
    assert levels(tmp_path / "out") == pytest.approx([0, math.nan, math.nan, -0.5, -0.5], nan_ok=True)
    assert [line["predicted"] is None for line in lines(tmp_path / "out")] == [False, True, True, False, False]
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["flicker"]["smoothed"] is None


def test_edits_take_the_place_of_what_was_smoothed(tmp_path: Path, harmonizer: Harmonizer) -> None:
    inputs = write_frames(tmp_path / "m", discs(3)), write_frames(tmp_path / "c", drifting(3))
    harmonize_video(harmonizer, tmp_path / "out", *inputs, edits={"contrast": -1})
    for line in lines(tmp_path / "out"):
        assert line["used"] == {"brightness": line["predicted"]["brightness"], "contrast": -1}
        assert line["predicted"]["contrast"] == pytest.approx(0.5)
    expected = harmonize_image(harmonizer, drifting(3)[2], discs(3)[2], {"contrast": -1}).image
    assert np.array_equal(read_frames(tmp_path / "out")[2], expected)
    with pytest.raises(ValueError, match="contrast is 7; shadow is no argument"):
        harmonize_video(harmonizer, tmp_path / "no", *inputs, edits={"contrast": 7, "shadow": 0})


def test_the_summary_says_what_the_video_was_made_with(
    tmp_path: Path, predicting: Callable[[Sequence[float]], None]
) -> None:
    predicting([0.0, -0.5, -0.25])
    masks = discs(4)
    masks[2] = np.zeros_like(masks[2])
    inputs = write_frames(tmp_path / "m", masks), write_frames(tmp_path / "c", drifting(4))
    summary = harmonize_video(constant(brightness=0.0), tmp_path / "out", *inputs, smoothing=0, checkpoint="mine")
    assert summary.arguments["predicted"] == {"brightness": Spread(-0.5, -0.25, 0.0)} == summary.arguments["used"]
    stored = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert stored["arguments"]["used"] == {"brightness": {"lowest": -0.5, "median": -0.25, "highest": 0.0}}
    told = {
        "checkpoint": "mine",
        "filters": ["brightness"],
        "statistics": "image",
        "smoothing": 0,
        "sound": "none",
    }
    assert told.items() <= stored.items()


@pytest.mark.parametrize(("name", "said"), [("out", "left out"), ("out.mp4", "copied")])
def test_what_became_of_the_sound_is_told(tmp_path: Path, harmonizer: Harmonizer, name: str, said: str) -> None:
    composite = write_video(tmp_path / "c.mp4", drifting(2), sound="aac")
    mask = write_frames(tmp_path / "m", discs(2))
    assert harmonize_video(harmonizer, tmp_path / name, mask, composite).sound == said


def test_the_same_video_gives_the_same_bytes(tmp_path: Path, harmonizer: Harmonizer) -> None:
    inputs = write_frames(tmp_path / "m", discs(6)), write_frames(tmp_path / "c", drifting(6))
    for place in ("one", "two"):
        harmonize_video(harmonizer, tmp_path / place / "out.mp4", *inputs)
    for name in ("out.mp4", "out.mp4.arguments.jsonl", "out.mp4.summary.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


# Refusals


def refused(tmp_path: Path, harmonizer: Harmonizer, mask: Path, composite: Path, message: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    for name in ("out", "out.mp4"):
        with pytest.raises(SynthharmError, match=message):
            harmonize_video(harmonizer, tmp_path / name, mask, composite)
    assert sorted(tmp_path.rglob("*")) == before


def test_other_sizes_are_refused_with_the_frame(tmp_path: Path, harmonizer: Harmonizer) -> None:
    frames = drifting(3)
    composite = write_frames(tmp_path / "c", frames)
    mask = write_frames(tmp_path / "m", [*discs(2), discs(1, 32, 50)[0]])
    message = r"frame 2: .*frame_002\.png \(composite\) has 48 x 32, .*frame_002\.png \(mask\) has 50 x 32"
    refused(tmp_path, harmonizer, mask, composite, message)
    odd = write_frames(tmp_path / "odd", [*frames[:2], picture(40, 48)])
    masks = write_frames(tmp_path / "masks", [*discs(2), discs(1, 40)[0]])
    refused(tmp_path, harmonizer, masks, odd, r"frame 2: .*has 48 x 40.*first composite\) has 48 x 32")


def test_other_counts_are_refused_with_both(tmp_path: Path, harmonizer: Harmonizer) -> None:
    frames = write_video(tmp_path / "c.mkv", drifting(5))
    for name, count in (("fewer", 3), ("more", 9)):
        mask = write_frames(tmp_path / name, discs(count))
        message = (
            rf"frame {min(count, 5)} is not in all inputs: composite .*c\.mkv has 5, mask .* has {count} frames"
        )
        refused(tmp_path, harmonizer, mask, frames, message)
    folder = write_frames(tmp_path / "c", drifting(5))
    refused(tmp_path, harmonizer, tmp_path / "fewer", folder, "composite .* has 5 frames, mask .* has 3")
    gap = write_frames(tmp_path / "gap", discs(6))
    (gap / "frame_002.png").unlink()
    message = r"frame 2 is frame_002\.png of the composite but frame_003\.png of the mask"
    refused(tmp_path, harmonizer, gap, folder, message)


def test_a_mask_that_is_empty_throughout_is_refused(tmp_path: Path, harmonizer: Harmonizer) -> None:
    mask = write_frames(tmp_path / "m", [np.zeros((32, 48), np.uint8)] * 3)
    composite = write_frames(tmp_path / "c", drifting(3))
    refused(tmp_path, harmonizer, mask, composite, "mask .*m: is empty in all 3 frames")


def test_other_arguments_are_refused(tmp_path: Path, harmonizer: Harmonizer) -> None:
    mask, folder = write_frames(tmp_path / "m", discs(3)), write_frames(tmp_path / "c", drifting(3))
    video, out = write_video(tmp_path / "c.mkv", drifting(3)), tmp_path / "out"
    with pytest.raises(ValueError, match="given are none; composite, or foreground and background, is accepted"):
        harmonize_video(harmonizer, out, mask)
    with pytest.raises(ValueError, match="given are composite, background"):
        harmonize_video(harmonizer, out, mask, folder, background=folder)
    with pytest.raises(SynthharmError, match=r"frame_rate is 30, but .*c\.mkv has 25 frames per second"):
        harmonize_video(harmonizer, out, mask, video, frame_rate=30)
    for smoothing in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"smoothing is {smoothing}"):
            harmonize_video(harmonizer, out, mask, folder, smoothing=smoothing)
    for overwrite in (False, True):
        with pytest.raises(SynthharmError, match="is an input; another path is accepted"):
            harmonize_video(harmonizer, video, mask, video, overwrite=overwrite)
    with pytest.raises(ValueError, match="in training mode"):
        harmonize_video(constant(brightness=0.0).train(), out, mask, folder)
    assert not out.exists()


@pytest.mark.parametrize("rate", [0, -1, math.nan, math.inf, 1001])
def test_rates_that_are_none_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=f"frame_rate is {rate}; a number above 0"):
        exact_rate(rate)


@pytest.mark.parametrize(
    ("rate", "exact"),
    [(59.94, "60000/1001"), (23.98, "24000/1001"), (24.0, "24"), (12.5, "25/2"), (0.1, "1/10"), (29.9, "299/10")],
)
def test_rates_are_the_fractions_that_are_meant(rate: float, exact: str) -> None:
    assert exact_rate(rate) == Fraction(exact)


def test_what_is_seen_is_harmonized(tmp_path: Path) -> None:
    """A video of a dark foreground, made brighter: what a player shows is what was computed, up to compression."""
    frames, masks = flat(5, 100), discs(5)
    inputs = write_frames(tmp_path / "m", masks), write_frames(tmp_path / "c", frames)
    summary = harmonize_video(constant(brightness=-0.5), tmp_path / "out.mp4", *inputs)
    assert isinstance(summary, VideoSummary)
    for frame in read_video(tmp_path / "out.mp4"):
        assert np.abs(frame[16, 18:22].astype(int) - 50).max() <= 3
        assert np.abs(frame[:4].astype(int) - 100).max() <= 3
