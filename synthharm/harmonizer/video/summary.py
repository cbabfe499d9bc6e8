"""What is said about a video that was harmonized."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synthharm.harmonizer.video.flicker import finite

Sound = Literal["copied", "left out", "none"]


@dataclass(frozen=True)
class Spread:
    """What an argument was over the frames of a video, those with an empty mask aside."""

    lowest: float
    median: float
    highest: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Spread:
        """Of the values (T,) of one argument.

        Example:
            >>> Spread.of(np.array([0.25, 0.0, 1.0]))
            Spread(lowest=0.0, median=0.25, highest=1.0)
        """
        return cls(float(values.min()), float(np.median(values)), float(values.max()))


@dataclass(frozen=True)
class VideoSummary:
    """What harmonizing a video came to.

    Args:
        path: the video file or the folder of frames that was written.
        frames: how many it has.
        frame_rate: frames per second, the average where the rate varies.
        cuts: the numbers of the frames that begin a new shot, from 0; the first frame is not among them.
        empty: how many frames have an empty mask, and are the composite's own.
        sound: "copied", "left out" (of a folder of frames, which cannot hold it), or "none" in the inputs.
        arguments: by "predicted" and "used", the spread of each argument by its name.
        flicker: "unsmoothed", "smoothed" and "composite", in levels of 255 (see `Flicker`).
        argument_changes: by "predicted" and "used", the root mean square of each argument's change from frame to
            frame; cuts do not count.
    """

    path: Path
    frames: int
    frame_rate: Fraction
    cuts: tuple[int, ...]
    empty: int
    sound: Sound
    arguments: Mapping[str, Mapping[str, Spread]]
    flicker: Mapping[str, float]
    argument_changes: Mapping[str, Mapping[str, float]]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values, without the path; null stands for what could not be measured."""
        return {
            "frames": self.frames,
            "frame_rate": str(self.frame_rate),
            "cuts": list(self.cuts),
            "empty": self.empty,
            "sound": self.sound,
            "arguments": {
                kind: {name: asdict(spread) for name, spread in spreads.items()}
                for kind, spreads in self.arguments.items()
            },
            "flicker": finite(self.flicker),
            "argument_changes": {kind: finite(changes) for kind, changes in self.argument_changes.items()},
        }
