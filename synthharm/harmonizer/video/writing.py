"""Writing a harmonized video: a video file with the sound of its source, or a folder of PNG frames."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError
from synthharm.files import atomic_file, sync_folders, write_synced
from synthharm.harmonizer.outputs import check_new_file, check_new_folder, encode
from synthharm.harmonizer.video.reading import BT709, VideoFile

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
ARGUMENTS, SUMMARY = BESIDE = ("arguments.jsonl", "summary.json")  # what goes with a video
CRF = "14"  # x264's constant quality: hardly told from the source
THREADS = 4  # x264's bytes depend on their number
LIMITED = 1  # range: 16..235
LARGEST_CLOCK = 1 << 31  # ticks per second that containers can note
BITEXACT = {"fflags": "+bitexact"}  # Matroska draws random numbers otherwise


@dataclass(frozen=True)
class Clock:
    """When frames are shown.

    Args:
        rate: frames per second, the average where it varies.
        tick: the unit of timestamps in seconds; every time is a multiple of it.
    """

    rate: Fraction
    tick: Fraction

    @classmethod
    def of(cls, source: VideoFile | None, rate: Fraction) -> Clock:
        """The clock of a video file, fine enough for its rate too; without one, one tick is one frame."""
        if source is None:
            return cls(rate, 1 / rate)
        ticks = math.lcm(source.tick.denominator, rate.numerator) if source.exact else source.tick.denominator
        return cls(rate, Fraction(1, ticks) if ticks < LARGEST_CLOCK else source.tick)


@dataclass(frozen=True)
class Output:
    """What frames are written to.

    Args:
        write: takes a frame: its pixels RGB (H, W, 3) uint8, its time and duration in seconds, and the stem of its
            file's name.
        beside: opens a file that goes with the video, by its name, for writing.
    """

    write: Callable[[NDArray[np.uint8], Fraction, Fraction, str], None]
    beside: Callable[[str], AbstractContextManager[IO[bytes]]]


def check_output(output: Path, audio: VideoFile | None, *, overwrite: bool = False) -> None:
    """Refuse, before any work is done, an output that cannot be written.

    Args:
        output: a video file by its suffix or, without one, a folder.
        audio: whose sound goes into a video file; None for none.
        overwrite: whether a video file, and what is written beside it, may take the place of another.

    Raises:
        SynthharmError: an unknown suffix, a file that is there, a folder that is not empty, no encoder, or sound
            that the container cannot hold; the message names codec and containers.
    """
    if not output.suffix:
        check_new_folder(output)
        return
    import av

    if output.suffix.lower() not in CONTAINERS:
        raise SynthharmError(
            f"{output}: no video is written as {output.suffix}; {', '.join(CONTAINERS)} are accepted, "
            f"or a name without a suffix for a folder of PNG frames"
        )
    for path in (output, *(_beside(output, name) for name in BESIDE)):
        check_new_file(path, overwrite=overwrite)
    if "libx264" not in av.codecs_available:
        raise SynthharmError("PyAV was built without libx264, which writes videos; a folder of frames is accepted")
    for codec in audio.audio if audio is not None else ():
        if codec not in _codecs(output.suffix.lower()):
            holding = [suffix for suffix in CONTAINERS if codec in _codecs(suffix)]
            raise SynthharmError(
                f"{output}: {output.suffix} cannot hold the sound of {audio and audio.path}, which is {codec}; "
                f"accepted for it are {', '.join(holding) or 'none of the containers here; a folder of frames is'}"
            )


@contextmanager
def open_output(
    output: Path, size: tuple[int, int], clock: Clock, source: VideoFile | None, audio: VideoFile | None
) -> Iterator[Output]:
    """Write a video aside; when the block ends well it takes its name.

    A video file is H.264 in limited range and BT.709, with constant quality (crf 14): 4:2:0, as every player takes
    it, or 4:4:4 where a side is odd, which 4:2:0 cannot have. Primaries and transfer are tagged as in the source.
    The packets of sound are copied. The same frames give the same bytes with the same libraries.

    Args:
        output: a video file by its suffix or, without one, a folder.
        size: (H, W) of the frames.
        clock: when they are shown.
        source: the video file whose tags are taken over; None for BT.709's.
        audio: the video file whose sound is taken over; None for none.
    """
    if output.suffix:
        with _video_output(output, size, clock, source, audio) as opened:
            yield opened
    else:
        with _folder_output(output) as opened:
            yield opened


@contextmanager
def _folder_output(output: Path) -> Iterator[Output]:
    output.parent.mkdir(parents=True, exist_ok=True)
    aside = output.with_name(f".{output.name}.{os.getpid()}.part")
    aside.mkdir()

    def write(pixels: NDArray[np.uint8], time: Fraction, duration: Fraction, stem: str) -> None:
        write_synced(aside / f"{stem}.png", encode(pixels, "png"))

    try:
        yield Output(write, lambda name: atomic_file(aside / name))
        sync_folders([aside])
        aside.replace(output)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    sync_folders([output.parent])


@contextmanager
def _video_output(
    output: Path, size: tuple[int, int], clock: Clock, source: VideoFile | None, audio: VideoFile | None
) -> Iterator[Output]:
    import av

    options = BITEXACT | ({} if output.suffix.lower() == ".mkv" else {"movflags": "+faststart"})
    try:
        # The muxer opens the file by its name once more. Files beside it take their names when it is whole too.
        with ExitStack() as whole:
            file = whole.enter_context(atomic_file(output))

            def beside(name: str) -> AbstractContextManager[IO[bytes]]:
                return nullcontext(whole.enter_context(atomic_file(_beside(output, name))))

            with ExitStack() as stack:
                container = av.open(file.name, "w", format=CONTAINERS[output.suffix.lower()], options=options)
                stack.enter_context(closing(container))
                stream = _video_stream(container, size, clock, source)
                sound = _Sound.of(container, stack, audio) if audio is not None and audio.audio else None

                def write(pixels: NDArray[np.uint8], time: Fraction, duration: Fraction, stem: str) -> None:
                    if sound is not None:
                        sound.copy_to(time)
                    container.mux(stream.encode(_encodable(pixels, stream, clock, time, duration)))

                yield Output(write, beside)
                container.mux(stream.encode())
                if sound is not None:
                    sound.copy_to(None)
    except av.error.FFmpegError as error:
        codecs = f" with sound in {', '.join(audio.audio)}" if audio is not None and audio.audio else ""
        raise SynthharmError(f"{output}: the video{codecs} cannot be written: {error.strerror}") from error


def _beside(output: Path, name: str) -> Path:
    return output.with_name(f"{output.name}.{name}")


def _video_stream(
    container: OutputContainer, size: tuple[int, int], clock: Clock, source: VideoFile | None
) -> VideoStream:
    stream: Any = container.add_stream("libx264", rate=clock.rate, options={"crf": CRF})
    stream.height, stream.width = size
    stream.pix_fmt = "yuv420p" if size[0] % 2 == size[1] % 2 == 0 else "yuv444p"
    stream.time_base = clock.tick
    context = stream.codec_context
    context.time_base = clock.tick
    context.thread_count = THREADS
    context.color_range, context.colorspace = LIMITED, BT709
    context.color_primaries = BT709 if source is None else source.primaries
    context.color_trc = BT709 if source is None else source.transfer
    if source is not None and source.aspect:
        context.sample_aspect_ratio = source.aspect
    video: VideoStream = stream
    return video


def _encodable(
    pixels: NDArray[np.uint8], stream: VideoStream, clock: Clock, time: Fraction, duration: Fraction
) -> Any:
    import av

    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame = frame.reformat(
        format=stream.pix_fmt,
        dst_colorspace="ITU709",
        src_color_range="JPEG",
        dst_color_range="MPEG",
    )
    frame.time_base = clock.tick
    frame.pts, frame.duration = round(time / clock.tick), round(duration / clock.tick)
    return frame


class _Sound:
    """The packets of a video's audio streams on their way into another container, in step with its frames."""

    def __init__(
        self,
        source: VideoFile,
        container: OutputContainer,
        packets: Iterator[tuple[Fraction, Packet[AudioStream]]],
    ):
        self._source, self._container, self._packets = source, container, packets
        self._next = next(packets, None)

    @classmethod
    def of(cls, container: OutputContainer, stack: ExitStack, source: VideoFile) -> _Sound:
        import av

        opened: InputContainer = stack.enter_context(av.open(str(source.path)))
        streams: dict[int, AudioStream] = {
            stream.index: container.add_stream_from_template(stream) for stream in opened.streams.audio
        }
        return cls(source, container, _packets(opened, streams, source))

    def copy_to(self, time: Fraction | None) -> None:
        """Copy what is heard up to a time in seconds, or all that is left."""
        import av

        while self._next is not None and (time is None or self._next[0] <= time):
            self._container.mux(self._next[1])
            try:
                self._next = next(self._packets, None)
            except av.error.FFmpegError as error:
                message = f"{self._source.path}: its sound cannot be read: {error.strerror}"
                raise SynthharmError(message) from error


def _packets(
    opened: InputContainer, streams: dict[int, AudioStream], source: VideoFile
) -> Iterator[tuple[Fraction, Packet[AudioStream]]]:
    for packet in opened.demux(opened.streams.audio):
        if packet.dts is None:
            continue  # what demuxing ends with, which holds nothing
        base = packet.time_base
        shift = round(source.origin / base)
        packet.dts -= shift
        packet.pts = None if packet.pts is None else packet.pts - shift
        time = packet.dts * base
        packet.stream = streams[packet.stream.index]
        yield time, packet


def _codecs(suffix: str) -> set[str]:
    import io

    import av

    with av.open(io.BytesIO(), "w", format=CONTAINERS[suffix]) as container:
        return set(container.supported_codecs)
