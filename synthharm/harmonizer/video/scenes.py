"""Scenes: the frames of composite and mask, or of foreground, background and mask, that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError
from synthharm.harmonizer.video.reading import Frame, FrameFolder, Frames, VideoFile, open_frames


@dataclass(frozen=True)
class Scene:
    """One frame to harmonize.

    Args:
        number: from 0.
        stem: what a file of it is called, without a suffix.
        composite: RGB (H, W, 3) uint8.
        mask: alpha (H, W) uint8.
        time: seconds from the start.
        duration: seconds.
    """

    number: int
    stem: str
    composite: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    time: Fraction
    duration: Fraction


@dataclass(frozen=True)
class Inputs:
    """Where scenes come from.

    Args:
        pictures: the composite, or foreground and background, by their names.
        mask: the alpha.
    """

    pictures: dict[str, Frames]
    mask: Frames

    @property
    def all(self) -> dict[str, Frames]:
        """Every input by its name, the mask last."""
        return self.pictures | {"mask": self.mask}

    @property
    def paths(self) -> list[Path]:
        """Where every input lies."""
        return [frames.path for frames in self.all.values()]

    @property
    def timed_by(self) -> VideoFile | None:
        """The video whose timestamps count: the first there is."""
        return next((frames for frames in self.all.values() if isinstance(frames, VideoFile)), None)

    @property
    def heard(self) -> VideoFile | None:
        """The video whose sound counts: the first that has any, the mask aside."""
        videos = (frames for frames in self.pictures.values() if isinstance(frames, VideoFile))
        return next((video for video in videos if video.audio), None)

    def read(self, rate: Fraction) -> Iterator[Scene]:
        """The scenes, one by one.

        Args:
            rate: frames per second where no input is a video.

        Raises:
            SynthharmError: frames of different sizes or counts, and what reading raises.
        """
        timed_by = self.timed_by
        names, number = list(self.all), 0
        first: dict[str, Frame] = {}
        readers = [frames.read("mask" if name == "mask" else "image") for name, frames in self.all.items()]
        while True:
            frames = [next(reader, None) for reader in readers]
            there = [frame for frame in frames if frame is not None]
            if len(there) < len(frames):
                self._check_ends(frames, readers, number)
                return
            by_name = dict(zip(names, there, strict=True))
            first = first or by_name
            _check_sizes(by_name | {f"first {names[0]}": first[names[0]]}, number)
            timing = next(
                (f for f, source in zip(there, self.all.values(), strict=True) if source is timed_by), None
            )
            time, duration = (None, None) if timing is None else (timing.time, timing.duration)
            yield Scene(
                number,
                there[0].stem,
                _composite(by_name),
                by_name["mask"].pixels,
                number / rate if time is None else time,
                1 / rate if duration is None else duration,
            )
            number += 1

    def _check_ends(self, frames: list[Frame | None], readers: list[Iterator[Frame]], number: int) -> None:
        """All must end together; a still has no end."""
        counts = {}
        for (name, source), frame, reader in zip(self.all.items(), frames, readers, strict=True):
            if isinstance(source, (FrameFolder, VideoFile)):
                counts[f"{name} {source.path}"] = number + (frame is not None) + sum(1 for _ in reader)
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise SynthharmError(
                f"frame {number} is not in all inputs: {listed} frames; the same count is accepted"
            )


def open_inputs(mask: Path, composite: Path | None, foreground: Path | None, background: Path | None) -> Inputs:
    """Find out what is to be read.

    Raises:
        ValueError: neither a composite nor a foreground with a background, or both.
        SynthharmError: files that are not there or are no frames; folders whose numbers or counts differ.
    """
    given = {"composite": composite, "foreground": foreground, "background": background}
    named = {name: path for name, path in given.items() if path is not None}
    if list(named) not in (["composite"], ["foreground", "background"]):
        raise ValueError(
            f"given are {', '.join(named) or 'none'}; composite, or foreground and background, is accepted"
        )
    pictures = {name: open_frames(path, still=name == "background") for name, path in named.items()}
    inputs = Inputs(pictures, open_frames(mask))
    folders = [(name, frames) for name, frames in inputs.all.items() if isinstance(frames, FrameFolder)]
    for name, folder in folders[1:]:
        _check_folders(*folders[0], name, folder)
    return inputs


def _check_folders(name: str, folder: FrameFolder, other_name: str, other: FrameFolder) -> None:
    if len(folder.files) != len(other.files):
        raise SynthharmError(
            f"{name} {folder.path} has {len(folder.files)} frames, "
            f"{other_name} {other.path} has {len(other.files)}; the same count is accepted"
        )
    for number, (one, two) in enumerate(zip(folder.numbers, other.numbers, strict=True)):
        if one != two:
            raise SynthharmError(
                f"frame {number} is {folder.files[number].name} of the {name} but {other.files[number].name} of "
                f"the {other_name}, counted from {folder.files[0].name} and {other.files[0].name}; "
                f"frames of the same numbers are accepted"
            )


def _check_sizes(frames: dict[str, Frame], number: int) -> None:
    sizes = {name: frame.pixels.shape[:2] for name, frame in frames.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{frames[name].name} ({name}) has {w} x {h}" for name, (h, w) in sizes.items())
        raise SynthharmError(f"frame {number}: {listed} pixels; the same size is accepted")


def _composite(frames: dict[str, Frame]) -> NDArray[np.uint8]:
    if "composite" in frames:
        return frames["composite"].pixels
    alpha = frames["mask"].pixels[..., None].astype(np.uint16)
    over = frames["foreground"].pixels * alpha
    under = frames["background"].pixels * (255 - alpha)
    # At most 255 * 255, so 16 bits hold the sum and the half that rounds it.
    return ((over + under + 127) // 255).astype(np.uint8)
