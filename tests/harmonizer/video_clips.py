"""Tiny videos with sound, and folders of frames, for the tests of harmonizing videos."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.harmonizer import Harmonizer, HarmonizerConfig

Frame = NDArray[np.uint8]
SHARP = {"libx264": {"crf": "6"}, "libx265": {"x265-params": "log-level=none"}}


def picture(height: int = 32, width: int = 48, seed: int = 0) -> Frame:
    """A smooth picture of many colours."""
    coarse = np.random.default_rng(seed).integers(30, 226, (4, 5, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def drifting(count: int, seed: int = 0, height: int = 32, width: int = 48, step: int = 1) -> list[Frame]:
    """A camera that moves `step` pixels a frame over a picture."""
    whole = picture(height, width + step * count, seed)
    return [np.ascontiguousarray(whole[:, step * k : step * k + width]) for k in range(count)]


def discs(count: int, height: int = 32, width: int = 48) -> list[Frame]:
    """Masks of a disc that moves, with a soft rim."""
    row, column = np.mgrid[:height, :width]
    return [
        np.asarray(np.clip(255 * (9 - np.hypot(row - height / 2, column - 16 - k)), 0, 255), np.uint8)
        for k in range(count)
    ]


def write_frames(folder: Path, frames: Sequence[Frame], suffix: str = ".png", first: int = 0) -> Path:
    """A folder of numbered frames."""
    folder.mkdir()
    for number, frame in enumerate(frames, first):
        stored = frame if frame.ndim == 2 else frame[..., ::-1]
        assert cv2.imwrite(str(folder / f"frame_{number:03d}{suffix}"), stored)
    return folder


def write_video(
    path: Path,
    frames: Sequence[Frame],
    rate: Fraction | int = 25,
    *,
    times: Sequence[Fraction] | None = None,
    sound: str | None = None,
    start: Fraction = Fraction(0),
    **settings: Any,
) -> Path:
    """A video file: lossless RGB in .mkv, unless `settings` name another codec, and H.264 otherwise.

    Settings are those of the codec's context: pix_fmt, color_trc, ...; `tick` is the unit of timestamps.
    """
    codec = settings.pop("codec", "ffv1" if path.suffix == ".mkv" else "libx264")
    tick = settings.pop("tick", 1 / Fraction(rate))
    with av.open(str(path), "w", options=settings.pop("options", {"fflags": "+bitexact"})) as container:
        stream = container.add_stream(codec, rate=rate, options=SHARP.get(codec, {}))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = settings.pop("pix_fmt", "bgr0" if codec == "ffv1" else "yuv420p")
        stream.codec_context.time_base = stream.time_base = tick
        for name, value in settings.items():
            setattr(stream.codec_context, name, value)
        heard = container.add_stream(sound, rate=48000, layout="mono") if sound else None
        for number, frame in enumerate(frames):
            rgb = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
            encoded = av.VideoFrame.from_ndarray(rgb, "rgb24")
            if codec != "ffv1":
                encoded = encoded.reformat(format=stream.pix_fmt, dst_colorspace="ITU709", dst_color_range="MPEG")
            time = number / Fraction(rate) if times is None else times[number]
            encoded.pts, encoded.time_base = round((start + time) / tick), tick
            container.mux(stream.encode(encoded))
        container.mux(stream.encode())
        if heard is not None:
            _add_sound(container, heard, len(frames) / Fraction(rate), start)
    return path


def _add_sound(container: Any, stream: Any, seconds: Fraction, start: Fraction) -> None:
    noise = np.random.default_rng(0)
    packed = stream.codec_context.format.name if stream.codec_context.format else "fltp"
    for number in range(int(seconds * 48000) // 1024 + 1):
        samples: NDArray[Any] = noise.normal(scale=0.1, size=(1, 1024)).astype(np.float32)
        if "u8" in packed:
            samples = np.asarray(samples * 127 + 128, np.uint8)
        elif "flt" not in packed:
            depth = np.dtype(np.int32 if "32" in packed else np.int16)
            samples = np.asarray(samples * 2**15, np.int16).astype(depth) << (8 * depth.itemsize - 16)
        frame = av.AudioFrame.from_ndarray(samples, packed, "mono")
        frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
        frame.pts = number * 1024 + round(start * 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def read_video(path: Path) -> list[Frame]:
    """The frames of a video file in RGB."""
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]


def read_frames(folder: Path) -> list[Frame]:
    """The PNG frames of a folder in RGB."""
    return [cv2.imread(str(path))[..., ::-1] for path in sorted(folder.glob("*.png"))]


def times_of(path: Path) -> list[Fraction]:
    """When the frames of a video file are shown, in seconds."""
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def sound_of(path: Path) -> list[tuple[Fraction, bytes]]:
    """The packets of a video file's sound: when they are heard, and their bytes."""
    with av.open(str(path)) as container:
        packets = container.demux(audio=0)
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in packets if packet.dts is not None]


def constant(**values: float) -> Harmonizer:
    """A network that predicts the same arguments for whatever it sees."""
    import torch

    harmonizer = Harmonizer(
        HarmonizerConfig("mobilenetv3_small_050", tuple(values), size=32, cascade=False)
    ).eval()
    with torch.no_grad():
        harmonizer.regressor.weight.zero_()
        harmonizer.regressor.bias.copy_(torch.tensor(list(values.values())) - harmonizer.neutral)
    return harmonizer
