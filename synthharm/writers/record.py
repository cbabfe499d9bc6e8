"""The record of a sample: everything that was done, as plain JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from synthharm.files import parse_json


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
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> Record:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not JSON, or other fields than a record's.
        """
        return cls(**read_fields(line, [field.name for field in fields(cls)]))


def read_fields(line: str | bytes, names: Sequence[str]) -> dict[str, Any]:
    """The fields of a record from its line. Raises ValueError where they are not just those named."""
    data = parse_json(line)
    if not isinstance(data, dict) or set(data) != set(names):
        found = sorted(data) if isinstance(data, dict) else data
        raise ValueError(f"a record has the fields {sorted(names)}; found {found}")
    return data
