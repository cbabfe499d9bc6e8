"""Harmonizing a video: one prediction per frame, smoothed in time, applied to the frame it belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError
from synthharm.files import json_text
from synthharm.harmonizer.full_size import apply_in_tiles, check_edits, name_arguments, predict
from synthharm.harmonizer.video.flicker import Flicker
from synthharm.harmonizer.video.scene_cuts import mark_cuts
from synthharm.harmonizer.video.scenes import Inputs, Scene, open_inputs
from synthharm.harmonizer.video.smoothing import check_time_constant, follow
from synthharm.harmonizer.video.summary import Sound, Spread, VideoSummary
from synthharm.harmonizer.video.writing import ARGUMENTS, SUMMARY, Clock, check_output, open_output

if TYPE_CHECKING:
    from synthharm.harmonizer.network import Harmonizer

FRAME_RATE = 25.0  # of folders of frames


def harmonize_video(
    harmonizer: Harmonizer,
    output: Path,
    mask: Path,
    composite: Path | None = None,
    foreground: Path | None = None,
    background: Path | None = None,
    *,
    smoothing: float = 0.5,
    scene_cuts: bool = True,
    frame_rate: float | None = None,
    edits: Mapping[str, float] | None = None,
    checkpoint: str | None = None,
    overwrite: bool = False,
) -> VideoSummary:
    """Harmonize the foreground of a video, frame by frame, with arguments that do not flicker.

    Arguments are predicted for each frame and follow the predictions with a time constant (see `follow`). They
    start anew at a scene cut (see `mark_cuts`) and after frames whose mask is empty, which stay as they are.
    Frames are read, harmonized and written one after another: no video is ever in memory.

    Each input is a video file or a folder of numbered images. Frames belong together by their order. Masks are
    alpha; in those of videos and lossy files such as JPEG values up to 16 count as 0 and from 239 on as 255 (see
    `clean_mask`), so that pixels outside stay. Videos that name no colour matrix are read as BT.709 from 720 lines
    on, otherwise as BT.601.

    What is written: the video, and beside it `<output>.arguments.jsonl` (for each frame its number, time,
    predicted and used arguments, null where the mask is empty, and whether a cut begins with it) and
    `<output>.summary.json` (what is returned, and the settings); in a folder they are called arguments.jsonl and
    summary.json. See `open_output` for how videos are encoded.

    Args:
        harmonizer: the network, in evaluation mode; frames are worked on where it is.
        output: a video file (.mp4, .mov, .mkv), or without a suffix a new or empty folder of PNG frames, named as
            the composite's or the foreground's frames are (00000, 00001, ... for videos). Timestamps are those of
            the first video among composite, foreground, background and mask. The sound of the first with sound,
            the mask aside, is copied into a video file, and is left out of a folder.
        mask: grey frames, 255 = foreground.
        composite: the frames to harmonize; or
        foreground: frames, and
        background: frames or one image, which the mask blends.
        smoothing: the time constant in seconds, 0 for none.
        scene_cuts: whether they are looked for.
        frame_rate: frames per second of folders, by default 25; 29.97 and its like mean 30000/1001. Where any
            input is a video, it gives the rate, and None is accepted.
        edits: arguments by name that take the place of smoothed ones.
        checkpoint: what the summary's file calls the network.
        overwrite: whether a video file, and the two beside it, may take the place of files that are there.

    Raises:
        ValueError: other arguments than these.
        SynthharmError: files that cannot be read or written, an output that is there or is an input, a frame rate
            beside a video's own, frames and masks of different sizes or counts, or masks that are empty
            throughout; the message names the file and the frame.
    """
    check_time_constant(smoothing)
    if harmonizer.training:
        raise ValueError("the harmonizer is in training mode; one in evaluation mode (eval()) is accepted")
    changed = check_edits(harmonizer.chain, edits)
    inputs = open_inputs(mask, composite, foreground, background)
    if output.resolve() in [path.resolve() for path in inputs.paths]:
        raise SynthharmError(f"output {output}: is an input; another path is accepted")
    rate = _rate(inputs, frame_rate)
    check_output(output, inputs.heard if output.suffix else None, overwrite=overwrite)
    run = _Run(harmonizer, smoothing, changed)
    config = harmonizer.config
    settings = {
        "checkpoint": checkpoint,
        "filters": list(config.filters),
        "statistics": config.statistics,
        "smoothing": smoothing,
        "scene_cuts": scene_cuts,
        "edits": changed,
    }
    return _write(run, inputs, rate, output, settings)


def _write(run: _Run, inputs: Inputs, rate: Fraction, output: Path, settings: Mapping[str, Any]) -> VideoSummary:
    """Harmonize every scene, and write the frames and what is noted beside them."""
    timed_by, audio = inputs.timed_by, inputs.heard if output.suffix else None
    scenes = inputs.read(rate)
    first = next(scenes)
    height, width = first.mask.shape
    with open_output(output, (height, width), Clock.of(timed_by, rate), timed_by, audio) as opened:
        with opened.beside(ARGUMENTS) as log:
            for scene, cut in _marked(chain([first], scenes), bool(settings["scene_cuts"])):
                frame = run.harmonize(scene, cut)
                opened.write(frame.pixels, scene.time, scene.duration, scene.stem)
                log.write((json.dumps(frame.line) + "\n").encode())
        summary = run.summary(output, rate, inputs)
        with opened.beside(SUMMARY) as file:
            file.write(json_text(summary.as_json() | dict(settings)))
    return summary


def exact_rate(rate: float) -> Fraction:
    """A frame rate as the fraction that is meant: 29.97 stands for 30000/1001.

    Raises:
        ValueError: not a number above 0 and up to 1000.

    Example:
        >>> exact_rate(29.97), exact_rate(23.976), exact_rate(12.5)
        (Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25, 2))
    """
    if not 0 < rate <= 1000:
        raise ValueError(f"frame_rate is {rate}; a number above 0 and up to 1000 is accepted")
    whole = round(rate * 1.001)
    slowed = Fraction(whole * 1000, 1001)
    if rate != round(rate) and abs(float(slowed) - rate) < 0.005:
        return slowed
    return Fraction(rate).limit_denominator(10_000)


@dataclass(frozen=True)
class _Frame:
    """A harmonized frame, and what is noted of it."""

    pixels: NDArray[np.uint8]
    line: dict[str, Any]


class _Run:
    """What harmonizing one frame leaves behind for the next, and for the summary."""

    def __init__(self, harmonizer: Harmonizer, smoothing: float, edits: dict[str, float]) -> None:
        self._harmonizer, self._smoothing, self._edits = harmonizer, smoothing, edits
        self._before: NDArray[np.float64] | None = None  # smoothed arguments of the last frame
        self._time = Fraction(0)
        self._flicker = Flicker(harmonizer.chain)
        self._frames, self._empty = 0, 0
        self._cuts: list[int] = []
        self._arguments: list[NDArray[np.float64]] = []  # of each frame (2, K): predicted and used

    def harmonize(self, scene: Scene, cut: bool) -> _Frame:
        """The next frame."""
        self._frames += 1
        if cut:
            self._cuts.append(scene.number)
        line: dict[str, Any] = {"frame": scene.number, "time": float(scene.time), "predicted": None, "used": None}
        if not scene.mask.any():
            self._empty += 1
            self._before = None
            self._flicker.skip()
            return _Frame(scene.composite, line | {"cut": cut})
        columns, network = self._harmonizer.chain.columns, self._harmonizer
        named = name_arguments(network.chain, predict(network, scene.composite, scene.mask))
        predicted = np.array(list(named.values()))
        seconds = float(scene.time - self._time)
        self._before = follow(None if cut else self._before, predicted, seconds, self._smoothing)
        self._time = scene.time
        used = dict(zip(columns, self._before.tolist(), strict=True)) | self._edits
        arguments = np.array(list(used.values()))
        self._arguments.append(np.stack([predicted, arguments]))
        self._flicker.add(scene.composite, scene.mask, predicted, arguments, start=cut)
        device = str(network.neutral.device)
        pixels = apply_in_tiles(network.chain, scene.composite, scene.mask, used, device=device)
        return _Frame(pixels, line | {"predicted": named, "used": used, "cut": cut})

    def summary(self, path: Path, rate: Fraction, inputs: Inputs) -> VideoSummary:
        """What the video came to.

        Raises:
            SynthharmError: no frame had a mask.
        """
        if self._empty == self._frames:
            raise SynthharmError(
                f"mask {inputs.mask.path}: is empty in all {self._frames} frames; a foreground is accepted"
            )
        found = np.stack(self._arguments, axis=-1)  # (2, K, T)
        columns = self._harmonizer.chain.columns
        sound: Sound = "none" if inputs.heard is None else "copied" if path.suffix else "left out"
        return VideoSummary(
            path,
            self._frames,
            rate,
            tuple(self._cuts),
            self._empty,
            sound,
            {
                kind: {name: Spread.of(values) for name, values in zip(columns, rows, strict=True)}
                for kind, rows in zip(("predicted", "used"), found, strict=True)
            },
            self._flicker.figures(),
            self._flicker.argument_changes(),
        )


def _marked(scenes: Iterable[Scene], scene_cuts: bool) -> Iterator[tuple[Scene, bool]]:
    if scene_cuts:
        return mark_cuts(scenes, lambda scene: scene.composite)
    return ((scene, False) for scene in scenes)


def _rate(inputs: Inputs, frame_rate: float | None) -> Fraction:
    if inputs.timed_by is None:
        return exact_rate(FRAME_RATE if frame_rate is None else frame_rate)
    if frame_rate is not None:
        timed_by = inputs.timed_by
        raise SynthharmError(
            f"frame_rate is {frame_rate}, but {timed_by.path} has {timed_by.rate} frames per second of its own; "
            f"accepted is None, or folders of frames alone"
        )
    return inputs.timed_by.rate
