"""Frames of a video, one after another: from a video file, a folder of numbered images, or one image for all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError, Unusable
from synthharm.imagefile import EXTENSIONS, decode, reduce_depth
from synthharm.masks import decode_mask

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

Kind = Literal["image", "mask"]

LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".avif")
NOISE = 16  # what compression leaves in a mask where it was 0 or 255
COLOURED = 64  # by how much the channels of a mask may differ: compressed colour is coarse at edges
HIGH_DEFINITION = 720  # lines from which on a video that does not name its matrix is taken for BT.709
STREAMED = ("mpegts", "mpeg")  # formats whose clock runs from anywhere
BT709, UNNAMED = 1, 2  # matrix, primaries and transfer, as H.273 numbers them
HDR = {16: "PQ (SMPTE ST 2084)", 18: "HLG (ARIB STD-B67)"}


@dataclass(frozen=True)
class Frame:
    """One frame.

    Args:
        name: what errors call it.
        stem: what a file of it is called, without a suffix.
        pixels: uint8, RGB (H, W, 3) or of a mask (H, W).
        time: seconds from the start, and how long it is shown; None where files do not say.
        duration: the same.
    """

    name: str
    stem: str
    pixels: NDArray[np.uint8]
    time: Fraction | None = None
    duration: Fraction | None = None


@dataclass(frozen=True)
class FrameFolder:
    """A folder of numbered frames, in the order of their numbers.

    Raises:
        SynthharmError: no frame in it, one without a number, or two of the same number (01.png and 1.png too).
    """

    path: Path
    files: tuple[Path, ...]

    @classmethod
    def of(cls, path: Path) -> FrameFolder:
        """Look into a folder: image files are its frames, whatever else is there is not looked at."""
        found = [f for f in path.iterdir() if f.suffix.lower() in EXTENSIONS and not f.name.startswith(".")]
        files = sorted(found, key=lambda file: (_natural(file.stem), file.name))
        if not files:
            accepted = ", ".join(sorted(EXTENSIONS))
            raise SynthharmError(f"{path}: holds no frames; files with {accepted} are accepted")
        if unnumbered := [file.name for file in files if not re.search(r"\d", file.stem)]:
            raise SynthharmError(f"{path}: {unnumbered[0]} has no number; names such as 00012.png are accepted")
        folder, first = cls(path, tuple(files)), dict[int, Path]()
        for number, file in zip(folder.numbers, files, strict=True):
            if (other := first.setdefault(number, file)) != file:
                raise SynthharmError(
                    f"{path}: {other.name} and {file.name} have the same number; one of them is accepted"
                )
        return folder

    @property
    def numbers(self) -> list[int]:
        """The number in each file's name, the last where there are several, from 0 for the first file on."""
        found = [int(re.findall(r"\d+", file.stem)[-1]) for file in self.files]
        return [number - found[0] for number in found]

    def read(self, kind: Kind) -> Iterator[Frame]:
        """The frames, decoded one by one."""
        for file in self.files:
            yield Frame(str(file), file.stem, _read_image(file, kind))


@dataclass(frozen=True)
class Still:
    """One image that stands for every frame."""

    path: Path

    def read(self, kind: Kind) -> Iterator[Frame]:
        """The same frame without end."""
        frame = Frame(str(self.path), self.path.stem, _read_image(self.path, kind))
        while True:
            yield frame


@dataclass(frozen=True)
class VideoFile:
    """A video file: its first video stream and what is needed to write one like it.

    Args:
        path: the file.
        rate: frames per second, the average where the rate varies.
        tick: the unit of its timestamps in seconds.
        origin: what its streams' timestamps start from, in seconds: those of transport streams start anywhere.
        exact: whether frames come at the rate to the tick, so that the rate gives times that are finer than it.
        end: when the last frame ends by what the file says, in seconds as its timestamps count; None where it
            does not say.
        aspect: width to height of a pixel once frames are upright; None where not named.
        primaries: of its colours, as H.273 numbers them; BT.709 where not named.
        transfer: the same for the transfer characteristics.
        audio: the codec of each audio stream.
    """

    path: Path
    rate: Fraction
    tick: Fraction
    origin: Fraction
    exact: bool
    end: Fraction | None
    aspect: Fraction | None
    primaries: int
    transfer: int
    audio: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> VideoFile:
        """Read what a file says of itself.

        Raises:
            SynthharmError: it is no video, has no frame rate, or is HDR.
        """
        with _opened(path) as container:
            stream = _stream(container, path)
            rate, tick = stream.average_rate, stream.time_base
            if not rate or not tick:
                raise SynthharmError(f"{path}: has no frame rate; a video whose frames are timed is accepted")
            context = stream.codec_context
            if context.color_trc in HDR:
                raise SynthharmError(
                    f"{path}: is HDR, {HDR[context.color_trc]}; standard dynamic range is accepted"
                )
            return cls(
                path,
                Fraction(rate),
                Fraction(tick),
                _origin(stream, *container.streams.audio) if container.format.name in STREAMED else Fraction(0),
                stream.base_rate == rate and (1 / rate / tick).denominator > 1,
                _stated_end(stream),
                _aspect(container, stream),
                _named(context.color_primaries),
                _named(context.color_trc),
                tuple(s.codec_context.codec.canonical_name for s in container.streams.audio),
            )

    def read(self, kind: Kind) -> Iterator[Frame]:
        """The frames, decoded one by one and turned upright.

        Raises:
            SynthharmError: it breaks off or is damaged; the message names the file and the frame.
        """
        import av

        number, first, last, end = 0, 0, None, None
        with _opened(self.path) as container:
            stream = _stream(container, self.path)
            stream.thread_type = "AUTO"
            frames = container.decode(stream)
            while True:
                name = f"{self.path}: frame {number}"
                try:
                    decoded = next(frames, None)
                except av.error.FFmpegError as error:
                    raise SynthharmError(f"{name} cannot be decoded: {error.strerror}") from error
                if decoded is None:
                    break
                if decoded.is_corrupt:
                    raise SynthharmError(f"{name} is damaged")
                if decoded.pts is None or (last is not None and decoded.pts <= last):
                    raise SynthharmError(
                        f"{name} has the timestamp {decoded.pts}, after {last}; later is accepted"
                    )
                last = decoded.pts
                first = first if number else last
                duration = decoded.duration * self.tick if decoded.duration else 1 / self.rate
                end = last * self.tick + duration
                pixels = _pixels(decoded, kind, name)
                yield Frame(name, f"{number:05d}", pixels, self._time(first, last), duration)
                number += 1
        self._check_end(number, end)

    def _time(self, first: int, here: int) -> Fraction:
        since = (here - first) * self.tick
        by_rate = round(since * self.rate) / self.rate
        since = by_rate if self.exact and abs(by_rate - since) <= self.tick else since
        return first * self.tick - self.origin + since

    def _check_end(self, count: int, end: Fraction | None) -> None:
        if end is None:
            raise SynthharmError(f"{self.path}: has no frames")
        if self.end is not None and end + Fraction(3, 2) / self.rate < self.end:
            stated, found = (f"{float(value):.3f} s" for value in (self.end, end))
            raise SynthharmError(
                f"{self.path}: breaks off after frame {count - 1}, at {found}; by its header it lasts to {stated}"
            )


Frames = FrameFolder | VideoFile | Still


def open_frames(path: Path, *, still: bool = False) -> Frames:
    """Find out what frames are to be read from.

    Args:
        path: a video file, a folder of numbered frames or, where `still` allows it, an image.
        still: whether one image may stand for all frames.

    Raises:
        SynthharmError: nothing is there, or what is there is none of these.
    """
    if path.is_dir():
        return FrameFolder.of(path)
    if not path.is_file():
        raise SynthharmError(f"{path}: is not there; a video file or a folder of numbered frames is accepted")
    if path.suffix.lower() in EXTENSIONS:
        if still:
            return Still(path)
        raise SynthharmError(f"{path}: is one image; a video file or a folder of numbered frames is accepted")
    return VideoFile.of(path)


def clean_mask(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mask without the noise that compression leaves: up to 16 becomes 0, from 239 on 255, the rest stays.

    Example:
        >>> clean_mask(np.array([[3, 16, 17, 128, 238, 239, 252]], np.uint8))
        array([[  0,   0,  17, 128, 238, 255, 255]], dtype=uint8)
    """
    ended = np.where(mask <= NOISE, np.uint8(0), mask)
    return np.where(ended >= 255 - NOISE, np.uint8(255), ended)


def _exact_conversion() -> int:
    """How 4:2:0 is converted to RGB: the faster ways do not round, and darken by a level."""
    from av.video.reformatter import Interpolation as Way

    return int(Way.BICUBIC | Way.ACCURATE_RND | Way.FULL_CHR_H_INT | Way.FULL_CHR_H_INP)


def _natural(stem: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", stem)]


def _read_image(path: Path, kind: Kind) -> NDArray[np.uint8]:
    try:
        data = path.read_bytes()
        if kind == "mask":
            mask = decode_mask(data, str(path))
            return clean_mask(mask) if path.suffix.lower() in LOSSY else mask
        file = decode(data, str(path))
    except OSError as error:
        raise SynthharmError(f"{path}: cannot be read: {error.strerror}") from error
    except Unusable as error:
        raise SynthharmError(str(error)) from error
    pixels = np.asarray(file.image.convert("RGBA")) if file.deep is None else reduce_depth(file.deep)
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    if pixels.shape[2] == 4 and (opacity := int(pixels[..., 3].min())) < 255:
        raise SynthharmError(f"{path}: is transparent in places, down to {opacity} of 255; opaque is accepted")
    return np.ascontiguousarray(pixels[..., :3])


def _opened(path: Path) -> InputContainer:
    import av

    try:
        return av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        raise SynthharmError(f"{path}: cannot be opened as a video: {error.strerror}") from error


def _stream(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        raise SynthharmError(f"{path}: holds no video; a file with a video stream is accepted")
    return container.streams.video[0]


def _origin(*streams: Stream) -> Fraction:
    """Where the first of some streams starts, and 0 where one starts there or before."""
    starts = [(s.start_time or 0) * (s.time_base or Fraction(0)) for s in streams]
    return max(Fraction(0), min(starts))


def _stated_end(stream: VideoStream) -> Fraction | None:
    if stream.duration and stream.time_base:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    # Matroska says it in a tag of the stream, as hours:minutes:seconds.
    clock = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    return sum((Fraction(p) * 60 ** (2 - k) for k, p in enumerate(clock.groups())), Fraction(0)) if clock else None


def _aspect(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Width to height of a pixel of frames that are turned upright. Frames alone say how they are turned."""
    import av

    stored = stream.codec_context.sample_aspect_ratio
    if not stored:
        return None
    try:
        frame = None if stored == 1 else next(container.decode(stream), None)
    except av.error.FFmpegError:
        frame = None  # which reading will name
    lying = frame is not None and round(frame.rotation / 90) % 2 == 1
    return 1 / Fraction(stored) if lying else Fraction(stored)


def _named(number: int) -> int:
    return BT709 if number in (0, UNNAMED) else int(number)


def _pixels(decoded: Any, kind: Kind, name: str) -> NDArray[np.uint8]:
    high = decoded.height >= HIGH_DEFINITION and decoded.colorspace == UNNAMED
    matrix = {"src_colorspace": "ITU709"} if high else {}
    rgb = decoded.to_ndarray(format="rgb24", interpolation=_exact_conversion(), **matrix)
    rgb = np.ascontiguousarray(np.rot90(rgb, round(decoded.rotation / 90) % 4))
    return rgb if kind == "image" else _grey(rgb, name)


def _grey(rgb: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    spread = int((rgb.max(axis=2) - rgb.min(axis=2)).max())
    if spread > COLOURED:
        raise SynthharmError(f"{name} of a mask is coloured: channels differ by {spread}; grey is accepted")
    return clean_mask(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8))
