"""The curve of sRGB: from encoded values to amounts of light, and back."""

from __future__ import annotations

from torch import Tensor, where

KNEE = 0.04045  # below this encoded value the curve is a line
SLOPE = 12.92  # of that line, from light to encoded values
OFFSET = 0.055
EXPONENT = 2.4


def to_linear(encoded: Tensor) -> Tensor:
    """The amount of light that an encoded sRGB value stands for, 0 to 1 for 0 to 1.

    Formula: v / 12.92 up to v = 0.04045, and ((v + 0.055) / 1.055)^2.4 above. Below 0 the line goes on, above 1
    the power. Any shape; finite gradients everywhere.

    Source: IEC 61966-2-1 (sRGB).

    Example:
        >>> import torch
        >>> to_linear(torch.tensor([0.0, 0.5, 1.0]))
        tensor([0.0000, 0.2140, 1.0000])
    """
    power = ((encoded.clamp(min=KNEE) + OFFSET) / (1 + OFFSET)) ** EXPONENT
    return where(encoded <= KNEE, encoded / SLOPE, power)


def to_srgb(light: Tensor) -> Tensor:
    """Undo `to_linear`: the encoded sRGB value that stands for an amount of light.

    The line ends where `to_linear` has it end, at 0.04045 / 12.92, so that one undoes the other to rounding.

    Example:
        >>> import torch
        >>> to_srgb(torch.tensor([0.0, 0.2140, 1.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    knee = KNEE / SLOPE
    power = (1 + OFFSET) * light.clamp(min=knee) ** (1 / EXPONENT) - OFFSET
    return where(light <= knee, light * SLOPE, power)
