"""What networks and filters run on."""

from __future__ import annotations

import torch

from synthharm.errors import SynthharmError


def find_device(name: str) -> torch.device:
    """The device that a name stands for.

    Args:
        name: "auto" (the first CUDA device, and the CPU where there is none), "cpu", "cuda", "cuda:1", "mps".

    Raises:
        SynthharmError: another name, or a device that is not there.

    Example:
        >>> find_device("cpu")
        device(type='cpu')
        >>> find_device("gpu")
        Traceback (most recent call last):
        synthharm.errors.SynthharmError: the device 'gpu' is unknown; accepted are auto, cpu, cuda, ...
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    there = f"there is {', '.join(_devices())}"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps") or (device.type != "cuda" and device.index):
        raise SynthharmError(
            f"the device {name!r} is unknown; accepted are auto, cpu, cuda, cuda:N and mps; {there}"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        why = (
            "torch was built without CUDA" if torch.version.cuda is None else f"{torch.cuda.device_count()} found"
        )
        raise SynthharmError(f"the device {name!r} cannot be had: {why}; {there}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SynthharmError(f"the device {name!r} cannot be had: torch finds no Metal; {there}")
    return device


def _devices() -> list[str]:
    found = ["cpu", *(f"cuda:{k} ({torch.cuda.get_device_name(k)})" for k in range(torch.cuda.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found
