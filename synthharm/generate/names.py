"""Names for files: readable, unique, and safe on any system and in any list."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

LONGEST = 64
_CLEAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")


def clean_name(text: str) -> str:
    """`text` if it is letters, digits, dots and hyphens; else what is left of it and the start of its sha256.

    Underscores go too: they part the names of iHarmony4.

    Example:
        >>> clean_name("000000000025"), clean_name("my photo_1")
        ('000000000025', 'my-photo-1-3bcf27b74b55e4eb')
    """
    if _CLEAN.fullmatch(text) and len(text) <= LONGEST:
        return text
    return _with_hash(text, text)


def write_photo_names(keys: Iterable[str], path: Path) -> None:
    """Write the names of photos, by number, as an array of bytes (a .npy file that can be memory-mapped).

    A photo is named after its file; where two files would share a name, all of them carry a hash of their key.
    """
    listed = list(keys)
    stems = [_stem(key) for key in listed]
    names = [clean_name(stem) for stem in stems]
    turn = 0
    while len(often := Counter(name.lower() for name in names)) < len(names):
        turn += 1  # more than one only where a file is called what a hash made of another
        names = [
            name if often[name.lower()] == 1 else _with_hash(stem, f"{key}{chr(0) * turn}")
            for name, stem, key in zip(names, stems, listed, strict=True)
        ]
    np.save(path, np.array([name.encode() for name in names], dtype=f"S{LONGEST}"))


def _stem(key: str) -> str:
    name = key.rpartition("/")[2]
    if not name.strip(".") or name[-1] == ".":
        return PurePosixPath(key).stem
    return name.rpartition(".")[0] or name  # as above, in a fifth of the time


def _with_hash(text: str, hashed: str) -> str:
    digest = hashlib.sha256(hashed.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    kept = re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[: LONGEST - len(digest) - 1]
    return f"{kept or 'x'}-{digest}"
