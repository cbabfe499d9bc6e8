"""Compiling functions with numba, and keeping what comes out for later processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

# No reordering of sums: results must not depend on how long a machine's vectors are.
SETTINGS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"nnan", "nsz"}}

HERE = Path(__file__).resolve().parent
SOURCES = (*sorted(HERE.glob("*.py")), HERE.parent / "filter.py", HERE.parent / "linear_light.py")
DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called.

    What comes out is kept beside the source, or in the user's cache, and used as long as no source here changes:
    by itself numba looks at the function's own file, and not at those of the functions that it calls. Where it
    cannot be kept, each process compiles for itself.
    """
    try:
        kept = njit(cache=True, **SETTINGS)(function)
        file = kept._cache._cache_file
        file._source_stamp = (file._source_stamp, DIGEST)
    except (AttributeError, RuntimeError):  # another numba, or no folder that can be written
        return njit(**SETTINGS)(function)
    return kept
