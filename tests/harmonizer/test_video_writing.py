"""What is written is what was given, with its times and its sound, and it is there whole or not at all."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from video_clips import drifting, picture, read_frames, sound_of, times_of, write_video

from synthharm.errors import SynthharmError
from synthharm.harmonizer.video.reading import VideoFile
from synthharm.harmonizer.video.writing import Clock, Output, check_output, open_output

Frame = NDArray[np.uint8]
RATE = Fraction(25)


def write(output: Path, frames: list[Frame], audio: VideoFile | None = None) -> None:
    size = (frames[0].shape[0], frames[0].shape[1])
    with open_output(output, size, Clock.of(audio, RATE), audio, audio) as opened:
        for number, frame in enumerate(frames):
            opened.write(frame, number / RATE, 1 / RATE, f"{number:05d}")
        with opened.beside("notes.txt") as file:
            file.write(b"beside")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    ("height", "width", "layout"), [(32, 48, "yuv420p"), (33, 48, "yuv444p"), (31, 47, "yuv444p")]
)
def test_videos_of_any_size_keep_their_colours(
    tmp_path: Path, suffix: str, height: int, width: int, layout: str
) -> None:
    frames = drifting(6, height=height, width=width)
    path = tmp_path / f"a{suffix}"
    write(path, frames)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.pix_fmt, context.width, context.height) == (layout, width, height)
        tags = (context.color_range, context.colorspace, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1, 1)
        assert stream.average_rate == RATE
    found = [frame.pixels for frame in VideoFile.of(path).read("image")]
    assert len(found) == 6
    errors = np.array(found).astype(int) - np.array(frames)
    assert np.abs(errors).mean() < (6 if layout == "yuv420p" else 3)
    assert abs(errors.mean(axis=(0, 1, 2)) @ (0.2126, 0.7152, 0.0722)) < 0.2  # nothing grows darker or brighter
    assert (tmp_path / f"a{suffix}.notes.txt").read_bytes() == b"beside"


def test_folders_of_frames_are_exact(tmp_path: Path) -> None:
    frames = drifting(3)
    write(tmp_path / "a", frames)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "00000.png",
        "00001.png",
        "00002.png",
        "notes.txt",
    ]
    assert all(np.array_equal(a, b) for a, b in zip(read_frames(tmp_path / "a"), frames, strict=True))


def test_frames_are_on_the_disk_before_the_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        if not (tmp_path / "a").exists():
            synced.append(os.fstat(descriptor).st_ino)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write(tmp_path / "a", drifting(2))
    assert {path.stat().st_ino for path in (tmp_path / "a").iterdir()} <= set(synced)
    assert len(list((tmp_path / "a").iterdir())) == 3


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    source = VideoFile.of(write_video(tmp_path / "source.mp4", drifting(8), sound="aac"))
    written = []
    for place in ("one", "two"):
        write(tmp_path / place / name, drifting(8), source)
        written.append((tmp_path / place / name).read_bytes())
    assert written[0] == written[1]


def test_the_number_of_threads_is_not_the_machines(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", drifting(2, height=400, width=64))
    settings = re.search(rb"x264 .* threads=(\d+)", (tmp_path / "a.mp4").read_bytes())  # x264 notes them
    assert settings is not None
    assert settings[1] == b"4"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a"])
def test_what_breaks_off_leaves_nothing(tmp_path: Path, name: str) -> None:
    def broken(opened: Output) -> None:
        opened.write(picture(), Fraction(0), 1 / RATE, "00000")
        with opened.beside("notes.txt") as file:
            file.write(b"beside")
        raise SynthharmError("a frame is damaged")

    with (
        pytest.raises(SynthharmError, match="a frame is damaged"),
        open_output(tmp_path / name, (32, 48), Clock.of(None, RATE), None, None) as opened,
    ):
        broken(opened)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sound", ["aac", "libmp3lame", "flac", "libopus", "pcm_s16le"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_is_copied_packet_by_packet(tmp_path: Path, sound: str, suffix: str) -> None:
    frames = drifting(25)
    path = write_video(tmp_path / "source.mkv", frames, sound=sound)
    write(tmp_path / f"a{suffix}", frames, VideoFile.of(path))
    given, found = sound_of(path), sound_of(tmp_path / f"a{suffix}")
    assert len(given) > 10
    assert b"".join(data for _, data in found) == b"".join(data for _, data in given)
    if sound != "pcm_s16le":  # which has no packets of its own
        assert [data for _, data in found] == [data for _, data in given]
        late = [float(a - b) for (a, _), (b, _) in zip(found, given, strict=True)]
        assert max(late) - min(late) < 0.0015  # Matroska counts milliseconds
    assert times_of(tmp_path / f"a{suffix}") == times_of(path)


def test_streams_that_start_late_stay_in_step(tmp_path: Path) -> None:
    path = write_video(tmp_path / "source.ts", drifting(25), sound="mp2", start=Fraction(2))
    source = VideoFile.of(path)
    assert source.origin > 1
    write(tmp_path / "a.mp4", drifting(25), source)
    given, found = sound_of(path), sound_of(tmp_path / "a.mp4")
    assert [data for _, data in found] == [data for _, data in given]
    for (before, _), (after, _) in zip(given, found, strict=True):
        assert abs(float(before - source.origin - after)) < 1e-4


def test_tags_of_the_source_are_taken_over(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "source.mp4",
        drifting(4),
        color_primaries=6,
        color_trc=6,
        colorspace=6,
        sample_aspect_ratio=Fraction(16, 15),
    )
    source = VideoFile.of(path)
    with open_output(tmp_path / "a.mp4", (32, 48), Clock.of(source, RATE), source, None) as opened:
        opened.write(picture(), Fraction(0), 1 / RATE, "")
    written = VideoFile.of(tmp_path / "a.mp4")
    assert (written.primaries, written.transfer, written.aspect) == (6, 6, Fraction(16, 15))


# Refusals


def test_outputs_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SynthharmError, match=r"a\.avi: no video is written as \.avi; \.mp4, \.mov, \.mkv are accepted"
    ):
        check_output(tmp_path / "a.avi", None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "1.png").write_bytes(b"")
    with pytest.raises(SynthharmError, match="full: is there already; a new or empty folder is accepted"):
        check_output(tmp_path / "full", None)
    (tmp_path / "b.mp4").mkdir()
    with pytest.raises(SynthharmError, match=r"b\.mp4: is a folder"):
        check_output(tmp_path / "b.mp4", None)


@pytest.mark.parametrize("name", ["a.mp4", "a.mp4.arguments.jsonl", "a.mp4.summary.json"])
def test_a_video_that_is_there_stays_unless_overwriting_is_asked_for(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(
        SynthharmError, match=f"{name}: is there already; accepted are another output, or overwrite"
    ):
        check_output(tmp_path / "a.mp4", None)
    check_output(tmp_path / "a.mp4", None, overwrite=True)


def test_sound_that_a_container_cannot_hold_is_refused_with_those_that_can(tmp_path: Path) -> None:
    source = VideoFile.of(write_video(tmp_path / "source.mkv", drifting(25), sound="wavpack"))
    with pytest.raises(
        SynthharmError, match=r"a\.mp4: \.mp4 cannot hold the sound of .*source\.mkv, which is wavpack; .* \.mkv"
    ):
        check_output(tmp_path / "a.mp4", source)
    check_output(tmp_path / "a.mkv", source)
    check_output(tmp_path / "a", source)
