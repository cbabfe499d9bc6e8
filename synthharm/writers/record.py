"""The record of a sample: everything that was done, as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from synthharm.files import parse_json

LONGEST_PATH = 1000  # characters, far more than any layout takes


@dataclass(frozen=True)
class Record:
    """What a sample was made from and how, enough to make it again, and what was measured on it.

    Args:
        sample: its number in the dataset.
        kind: "retouch".
        split: the split its photo is in.
        seed: of the generator that drew its arguments.
        source: photo (key), sha256, width, height, licence, attribution, encoding as the file was found.
        region: id, mask (what the source finds it by), category, area in pixels, share of the photo, box
            [x, y, width, height], soft, feather.
        chain: filters in order, statistics.
        arguments: by column: they harmonize the composite.
        draw: mode, attempts, kept (share of the drawn arguments' size that was kept), wanted_mse (the foreground
            MSE that was aimed at, or null), reference (whose colours were fitted to, if any), computed
            ("compiled", or "reference" and why).
        measured: recoverable (share of the foreground); foreground_mse before encoding; recovery_psnr and
            recovery_mse of the file as written, read back and harmonized, over the recoverable foreground.
        encoder: format and settings.
        files: by role (image, mask, real): path from the dataset's folder, sha256, bytes.
        versions: of the libraries that made it.
    """

    sample: int
    kind: str
    split: str
    seed: int
    source: dict[str, Any]
    region: dict[str, Any]
    chain: dict[str, Any]
    arguments: dict[str, float]
    draw: dict[str, Any]
    measured: dict[str, float]
    encoder: dict[str, Any]
    files: dict[str, dict[str, Any]]
    versions: dict[str, str]

    def to_json(self) -> str:
        """One line of JSON; floats are written so that they read back to the bit."""
        return json.dumps({name: getattr(self, name) for name in _NAMES}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> Record:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not JSON, other fields than a record's, or a file elsewhere than in the dataset's folder.
        """
        record = cls(**read_fields(line, _NAMES))
        for file in record.files.values() if isinstance(record.files, dict) else ():
            if isinstance(file, dict) and "path" in file and not is_within(file["path"]):
                raise ValueError(f"the path {file['path']!r} is not within the dataset's folder")
        return record


_NAMES = tuple(field.name for field in fields(Record))


def read_fields(line: str | bytes, names: Sequence[str]) -> dict[str, Any]:
    """The fields of a record from its line. Raises ValueError where they are not just those named."""
    try:
        data = msgspec.json.decode(line)
    except (ValueError, RecursionError):  # what it refuses Python may read, or call by name
        data = parse_json(line)
        json.dumps(data, allow_nan=False)  # for what is not a number cannot be written again
    if not isinstance(data, dict) or data.keys() != set(names):
        found = sorted(data) if isinstance(data, dict) else data
        raise ValueError(f"a record has the fields {sorted(names)}; found {found}")
    return data


def is_within(place: object) -> bool:
    """Whether a record's path names a file within its dataset's folder.

    Example:
        >>> is_within("images/1.png"), is_within("../1.png"), is_within("/dev/zero"), is_within(".")
        (True, False, False, False)
    """
    if not isinstance(place, str) or len(place) > LONGEST_PATH or "\0" in place:
        return False
    path = PurePosixPath(place)
    return bool(path.name) and ".." not in path.parts and not path.is_absolute() and not Path(place).is_absolute()
