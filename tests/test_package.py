"""What the package offers at its door, and that it opens at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

import synthharm


def run(code: str) -> str:
    """What an interpreter of its own prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_nothing_slow() -> None:
    slow = "{'torch', 'torchvision', 'numpy', 'cv2', 'datasets', 'PIL', 'numba'}"
    assert run(f"import sys, synthharm, synthharm.cli; print(sorted({slow} & sys.modules.keys()))") == "[]\n"


def test_arrays_and_tensors_need_no_torchvision() -> None:
    code = """
import sys
sys.modules["torchvision"] = None
import numpy as np, torch
from synthharm import RandomComposite
photo, mask = np.full((8, 8, 3), (90, 120, 60), np.uint8), np.full((8, 8), 255, np.uint8)
print(RandomComposite()(image=photo, mask=mask)["image"].shape, end=" ")
print(tuple(RandomComposite()(torch.rand(1, 3, 8, 8), torch.ones(1, 8, 8)).image.shape))
"""
    assert run(code) == "(8, 8, 3) (1, 3, 8, 8)\n"


def test_what_is_offered_is_what_the_rooms_offer() -> None:
    from synthharm.composites import RandomComposite
    from synthharm.filters import FilterChain

    assert synthharm.RandomComposite is RandomComposite
    assert synthharm.FilterChain is FilterChain
    assert set(synthharm.__all__) <= set(dir(synthharm))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'synthharm' has no attribute 'Generate'"):
        synthharm.Generate  # noqa: B018
    assert not hasattr(synthharm, "nothing")
