"""Frames are read as they were stored, in their order and at their times, or refused by name."""

from __future__ import annotations

import itertools
import struct
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_clips import discs, drifting, picture, write_frames, write_video

from synthharm.errors import SynthharmError
from synthharm.harmonizer.video.reading import FrameFolder, Still, VideoFile, clean_mask, open_frames

NTSC = Fraction(30000, 1001)


def times(path: Path) -> list[Fraction | None]:
    return [frame.time for frame in VideoFile.of(path).read("image")]


def test_lossless_videos_and_folders_give_their_frames(tmp_path: Path) -> None:
    frames = drifting(5)
    video = list(open_frames(write_video(tmp_path / "a.mkv", frames)).read("image"))
    folder = list(open_frames(write_frames(tmp_path / "b", frames, first=98)).read("image"))
    assert [frame.stem for frame in video] == [f"{k:05d}" for k in range(5)]
    assert [frame.stem for frame in folder] == ["frame_098", "frame_099", "frame_100", "frame_101", "frame_102"]
    for found in (video, folder):
        assert all(np.array_equal(frame.pixels, given) for frame, given in zip(found, frames, strict=True))


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 1, 100):
        cv2.imwrite(str(tmp_path / f"a{number}.png"), picture())
    (tmp_path / "notes.txt").write_text("")
    folder = FrameFolder.of(tmp_path)
    assert [file.name for file in folder.files] == ["a1.png", "a9.png", "a10.png", "a100.png"]
    assert folder.numbers == [0, 8, 9, 99]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".mov"])
@pytest.mark.parametrize("rate", [Fraction(25), NTSC, Fraction(24000, 1001)])
def test_frames_come_exactly_at_their_rate(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    path = write_video(tmp_path / f"a{suffix}", drifting(7), rate, sound="aac", start=Fraction(3, 25))
    found = times(path)
    assert VideoFile.of(path).rate == rate
    start = round(Fraction(3, 25) * rate) / rate
    # Files count their start in milliseconds. In .ts it is anywhere, and what begins first begins at 0.
    assert abs(found[0] - start) < 0.001 or (suffix == ".ts" and 0 <= found[0] < start)  # type: ignore
    assert [time - found[0] for time in found] == [number / rate for number in range(7)]  # type: ignore[operator]


def test_uneven_times_are_kept(tmp_path: Path) -> None:
    uneven = [Fraction(t, 1000) for t in (0, 40, 140, 150, 400, 1000)]
    for suffix in (".mp4", ".mkv"):
        path = write_video(tmp_path / f"a{suffix}", drifting(6), times=uneven, tick=Fraction(1, 1000))
        assert times(path) == uneven


def test_one_image_stands_for_all(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), picture()[..., ::-1])
    still = open_frames(tmp_path / "a.png", still=True)
    assert isinstance(still, Still)
    assert all(np.array_equal(frame.pixels, picture()) for frame in itertools.islice(still.read("image"), 3))


@pytest.mark.parametrize("height", [64, 720])
@pytest.mark.parametrize("tag", [1, 5, 2])
def test_colours_are_read_by_the_matrix_that_is_tagged(tmp_path: Path, height: int, tag: int) -> None:
    patches = np.random.default_rng(0).integers(16, 240, (4, 4, 3), np.uint8)
    image = np.kron(patches, np.ones((height // 4, height // 4, 1), np.uint8))
    # The colours are written by BT.709. What says so, or is tall and says nothing, gives them back.
    path = write_video(tmp_path / "a.mp4", [image], colorspace=tag, color_range=1)
    pixels = next(VideoFile.of(path).read("image")).pixels
    middle = slice(height // 8, None, height // 4)
    error = np.abs(pixels[middle, middle].astype(int) - patches).max()
    assert (error <= 4) == (tag == 1 or (tag == 2 and height == 720))


def test_a_turned_video_is_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [picture()], sample_aspect_ratio=Fraction(16, 15))
    assert VideoFile.of(path).aspect == Fraction(16, 15)
    data = path.read_bytes()
    plain = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 32 << 16, 0, 1 << 30)  # shown turned clockwise
    place = data.index(plain, data.index(b"tkhd"))
    before = next(VideoFile.of(path).read("image")).pixels
    path.write_bytes(data[:place] + turned + data[place + 36 :])
    assert np.array_equal(next(VideoFile.of(path).read("image")).pixels, np.rot90(before, -1))
    assert VideoFile.of(path).aspect == Fraction(15, 16)  # pixels that lay are turned with the picture


# Masks


def test_lossless_masks_are_alpha_as_they_are(tmp_path: Path) -> None:
    masks = discs(3)
    found = list(open_frames(write_frames(tmp_path / "a", masks)).read("mask"))
    assert all(np.array_equal(frame.pixels, mask) for frame, mask in zip(found, masks, strict=True))
    assert len(np.unique(found[0].pixels)) > 5


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a"])
def test_compressed_masks_have_no_noise_where_they_end(tmp_path: Path, name: str) -> None:
    masks = discs(4)
    path = write_frames(tmp_path / name, masks, ".jpg") if name == "a" else write_video(tmp_path / name, masks)
    for frame, mask in zip(open_frames(path).read("mask"), masks, strict=True):
        solid = cv2.erode(mask, np.ones((5, 5), np.uint8)) == 255
        far = cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0
        assert (frame.pixels[solid] == 255).all()
        assert (frame.pixels[far] == 0).all()
        assert np.abs(frame.pixels.astype(int) - clean_mask(mask)).max() <= 40


def test_coloured_masks_are_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", drifting(2))
    with pytest.raises(SynthharmError, match=r"a\.mp4: frame 0 of a mask is coloured: channels differ by \d+"):
        list(open_frames(path).read("mask"))
    folder = write_frames(tmp_path / "b", drifting(2))
    with pytest.raises(SynthharmError, match=r"frame_000\.png: bad mask: is coloured"):
        list(open_frames(folder).read("mask"))


# Refusals


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.9])
def test_a_video_that_breaks_off_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0)
    frames = [noise.integers(0, 256, (32, 48, 3), np.uint8) for _ in range(30)]
    options = {"movflags": "+faststart"} if suffix == ".mp4" else {}
    path = write_video(tmp_path / f"a{suffix}", frames, codec="libx264", pix_fmt="yuv420p", options=options)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(SynthharmError, match=rf"a\{suffix}: (frame \d+ |breaks off after frame \d+)"):
        list(VideoFile.of(path).read("image"))


def test_a_damaged_frame_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    frames = [noise.integers(0, 256, (32, 48, 3), np.uint8) for _ in range(30)]
    path = write_video(tmp_path / "a.mp4", frames, options={"movflags": "+faststart"})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = noise.bytes(3000)
    path.write_bytes(bytes(data))
    with pytest.raises(SynthharmError, match=r"a\.mp4: frame \d+ (cannot be decoded|is damaged)"):
        list(VideoFile.of(path).read("image"))


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video at all")
    (tmp_path / "empty").mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), picture())
    for name, message in (
        ("a.mp4", "cannot be opened as a video"),
        ("b.mp4", "is not there; a video file or a folder of numbered frames is accepted"),
        ("empty", r"holds no frames; files with \.avif, .*\.jpg, .*\.webp are accepted"),
        ("a.png", "is one image"),
    ):
        with pytest.raises(SynthharmError, match=f"{name}: {message}"):
            open_frames(tmp_path / name)


def test_hdr_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", drifting(2), color_trc=16, color_primaries=9, colorspace=9)
    with pytest.raises(SynthharmError, match=r"a\.mp4: is HDR, PQ"):
        open_frames(path)


@pytest.mark.parametrize("names", [("1.png", "01.png"), ("a_7.png", "b_007.jpg"), ("1.png", "2.png", "x1.png")])
def test_two_frames_of_one_number_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        cv2.imwrite(str(tmp_path / name), picture())
    with pytest.raises(SynthharmError, match="have the same number; one of them is accepted"):
        open_frames(tmp_path)


@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".WEBP"])
def test_frames_may_be_images_of_any_format(tmp_path: Path, suffix: str) -> None:
    folder, masks = (
        write_frames(tmp_path / "a", drifting(3), suffix),
        write_frames(tmp_path / "m", discs(3), suffix),
    )
    found = [frame.pixels for frame in open_frames(folder).read("image")]
    alphas = [frame.pixels for frame in open_frames(masks).read("mask")]
    if suffix != ".WEBP":
        assert all(np.array_equal(pixels, frame) for pixels, frame in zip(found, drifting(3), strict=True))
        assert all(np.array_equal(alpha, mask) for alpha, mask in zip(alphas, discs(3), strict=True))
    assert len(found) == len(alphas) == 3


def test_folders_with_doubtful_frames_are_refused(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "a", drifting(2))
    cv2.imwrite(str(folder / "frame_001.jpg"), picture())
    with pytest.raises(SynthharmError, match=r"frame_001\.jpg and frame_001\.png have the same number"):
        open_frames(folder)
    (folder / "frame_001.jpg").rename(folder / "poster.jpg")
    with pytest.raises(SynthharmError, match=r"poster\.jpg has no number"):
        open_frames(folder)
    (folder / "poster.jpg").unlink()
    cv2.imwrite(str(folder / "frame_001.png"), np.dstack([picture(), np.full((32, 48), 99, np.uint8)]))
    with pytest.raises(SynthharmError, match=r"frame_001\.png: is transparent in places, down to 99 of 255"):
        list(open_frames(folder).read("image"))
    (folder / "frame_001.png").write_bytes((folder / "frame_000.png").read_bytes()[:200])
    with pytest.raises(SynthharmError, match=r"frame_001\.png: truncated"):
        list(open_frames(folder).read("image"))
