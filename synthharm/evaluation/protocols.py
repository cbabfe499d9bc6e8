"""The protocols under which harmonization is scored: figures of one never compare with those of another.

They differ from the evaluators that they are named after where those do not agree among themselves. iSSAM's own
gives the method the soft resized mask, weights the foreground by it, and takes PSNR's peak from the real image,
which is 255 for nearly every photo; here masks are binarised and the peak is 255. Harmonizer's own dithers soft
masks, and its SSIM has a window of 7 x 7; here the measures are those of `synthharm.metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from synthharm.errors import Unusable
from synthharm.evaluation.methods import Chained, Method, Output, resize
from synthharm.masks import THRESHOLD, binarize
from synthharm.metrics import Measures, Perceptual, measure

Size = tuple[int, int]
Levels = NDArray[np.uint8]


@dataclass(frozen=True)
class Protocol:
    """How a method's result is compared with the real image.

    Args:
        name: as figures are labelled.
        size: height and width at which images are compared; None for their own.
        resize: "bilinear", between the nearest pixels as OpenCV does it, or "pil", Pillow's bilinear, which
            averages over what a pixel covers. Masks are binarised at one half: bilinear ones when they are
            resized, Pillow's before, which then go to the nearest pixel.
        arguments_from: what the method sees: the "resized" composite, or the "full" one. In the latter case a
            method that finds arguments has them applied to the resized composite; the result of any other is
            rounded and then resized.
        background: whether the result's background is the "composite"'s, whose error counts, or the "real" one.
        peak: of PSNR: "255", or the range of the values of the "prediction".

    Example:
        >>> PROTOCOLS["issam"].at(None).size is None, PROTOCOLS["issam"].at((128, 192)).size
        (True, (128, 192))
    """

    name: str
    size: Size | None
    resize: Literal["bilinear", "pil"]
    arguments_from: Literal["resized", "full"]
    background: Literal["composite", "real"]
    peak: Literal["255", "prediction"]

    def at(self, size: int | Size | None) -> Protocol:
        """The same protocol at another size, (height, width) or the side of a square; None for full size.

        Raises:
            ValueError: a size below 1.
        """
        sides = (size, size) if isinstance(size, int) else size
        if sides is not None and min(sides) < 1:
            raise ValueError(f"size is {size}; 1 or more a side is accepted, or None for full size")
        return replace(self, size=sides)

    @property
    def described(self) -> str:
        """A sentence for tables.

        Example:
            >>> print(PROTOCOLS["issam"].described)
            issam: composite, mask and real image are resized to 256 x 256 bilinearly without antialiasing; the
            method runs on these; errors in the background count; PSNR's peak is 255.
        """
        background = "errors in the background count"
        if self.background == "real":
            background = "the background is replaced by the real one"
        peak = "255" if self.peak == "255" else "the largest less the smallest value of the prediction"
        return f"{self._running('composite, mask and real image')}; {background}; PSNR's peak is {peak}."

    @property
    def described_without_real(self) -> str:
        """A sentence for tables of pairs without a real image.

        Example:
            >>> print(PROTOCOLS["issam"].at(None).described_without_real)
            issam: the method runs at full size; the result's colours where the mask is above 0, weighted by it,
            are compared with those where it is 0.
        """
        compared = "the result's colours where the mask is above 0, weighted by it, are compared with those where"
        return f"{self._running('composite and mask')}; {compared} it is 0."

    def _running(self, images: str) -> str:
        """What is resized, and what the method sees."""
        if self.size is None:
            return f"{self.name}: the method runs at full size"
        size = f"{self.size[1]} x {self.size[0]}"
        how = "bilinearly without antialiasing" if self.resize == "bilinear" else "by Pillow's bilinear filter"
        if self.arguments_from == "resized":
            return f"{self.name}: {images} are resized to {size} {how}; the method runs on these"
        return (
            f"{self.name}: the method sees the full image, and its arguments are applied to the composite at "
            f"{size} (a method without arguments has its rounded result resized); all is resized {how}"
        )


@dataclass(frozen=True)
class Result:
    """What a method made of a composite under a protocol, and the mask by which that is measured.

    Attributes:
        method: its name.
        output: at the protocol's size, before its background is replaced.
        mask: uint8 (H, W) at that size; the foreground is where it is 128 or more.
    """

    method: str
    output: Output
    mask: Levels


PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("issam", (256, 256), "bilinear", "resized", "composite", "255"),
        Protocol("harmonizer", (256, 256), "pil", "full", "composite", "prediction"),
        Protocol("ground-truth-background", (256, 256), "bilinear", "resized", "real", "255"),
    )
}


def score(
    protocol: Protocol,
    method: Method,
    composite: Levels,
    mask: Levels,
    real: Levels,
    perceptual: Perceptual | None = None,
    known: Mapping[str, float] | None = None,
) -> tuple[Measures, Output]:
    """Run a method on one composite, and measure its result, under a protocol.

    At full size the method gets the mask as it is, soft edges included; the foreground of the measures is where
    it is 128 or more. The result is measured unrounded.

    Args:
        protocol: how.
        method: what harmonizes.
        composite: uint8 RGB (H, W, 3).
        mask: uint8 (H, W), 0..255.
        real: uint8 RGB (H, W, 3).
        perceptual: distance of a prediction and a real image, for `Measures.lpips`.
        known: the true arguments by name, where the data has them.

    Returns:
        The measures, and what the method gave at the protocol's size, before its background is replaced.

    Raises:
        Unusable: no foreground is left at the protocol's size, the result is of one value where its range is
            the peak, or the method can do nothing with this composite.
        ValueError: other types, sizes that differ, or a prediction that is not finite.

    Example:
        >>> from synthharm.evaluation.methods import Composite
        >>> real = np.random.default_rng(0).integers(0, 200, (32, 32, 3), np.uint8)
        >>> mask = np.zeros((32, 32), np.uint8)
        >>> mask[8:24, 8:24] = 255
        >>> composite = np.where(mask[..., None] > 0, real + np.uint8(10), real)
        >>> measures, _ = score(PROTOCOLS["issam"].at(None), Composite(), composite, mask, real)
        >>> measures.mse, measures.fmse
        (25.0, 100.0)
    """
    _check(mask, {"composite": composite, "real image": real})
    result = run_method(protocol, method, composite, mask, known)
    return measure_result(protocol, result, real, perceptual), result.output


def run_method(
    protocol: Protocol, method: Method, composite: Levels, mask: Levels, known: Mapping[str, float] | None = None
) -> Result:
    """Run a method on one composite under a protocol; no real image is needed for that.

    Args:
        protocol: how.
        method: what harmonizes.
        composite: uint8 RGB (H, W, 3).
        mask: uint8 (H, W), 0..255.
        known: the true arguments by name, where the data has them.

    Raises:
        Unusable: no foreground is left at the protocol's size, or the method can do nothing with this composite.
        ValueError: other types, sizes that differ, or a prediction that is not finite.
    """
    _check(mask, {"composite": composite})
    seen = _resize_mask(protocol, mask)
    if protocol.size is None or protocol.arguments_from == "resized":
        output = method.run(_resize(protocol, composite), seen, known)
        _check_finite(output)
        return Result(method.name, output, seen)
    output = method.run(composite, mask, known)
    _check_finite(output)
    if output.arguments is not None and isinstance(method, Chained):
        output = method.apply(_resize(protocol, composite), seen, output.arguments)
    else:
        rounded = np.rint(np.clip(output.image, 0, 255)).astype(np.uint8)
        output = replace(output, image=_resize(protocol, rounded).astype(np.float32))
    return Result(method.name, output, seen)


def measure_result(
    protocol: Protocol, result: Result, real: Levels, perceptual: Perceptual | None = None
) -> Measures:
    """Measure what a method made of a composite against the real image.

    Args:
        protocol: under which it ran.
        result: of `run_method`.
        real: uint8 RGB (H, W, 3), of the composite's own size.
        perceptual: see `score`.

    Raises:
        Unusable: the result is of one value where its range is the peak.
        ValueError: what `measure` does not accept.
    """
    target, foreground = _resize(protocol, real), result.mask >= THRESHOLD
    prediction: NDArray[Any] = result.output.image
    if protocol.background == "real":
        prediction = np.where(foreground[..., None], prediction, target)
    peak = 255.0
    if protocol.peak == "prediction":
        peak = float(prediction.max()) - float(prediction.min())
        if peak == 0:
            raise Unusable(result.method, "one value", "PSNR's peak is the range of the prediction, which is 0")
    return measure(prediction, target, foreground, peak=peak, perceptual=perceptual)


def _resize(protocol: Protocol, image: Levels) -> Levels:
    if protocol.size is None:
        return image
    if protocol.resize == "bilinear":
        return resize(image, protocol.size)
    height, width = protocol.size
    return np.array(PIL.Image.fromarray(image).resize((width, height), PIL.Image.Resampling.BILINEAR))


def _resize_mask(protocol: Protocol, mask: Levels) -> Levels:
    """A mask as the protocol's images have it, checked for a foreground."""
    seen = mask
    if protocol.size is not None and protocol.resize == "bilinear":
        seen = binarize(resize(mask, protocol.size))
    elif protocol.size is not None:
        height, width = protocol.size
        image = PIL.Image.fromarray(binarize(mask))
        seen = np.array(image.resize((width, height), PIL.Image.Resampling.NEAREST))
    if not (seen >= THRESHOLD).any():
        before = f"{int((mask >= THRESHOLD).sum())} pixels of {mask.shape[1]} x {mask.shape[0]} reach {THRESHOLD}"
        detail = f"{before}, and none at {seen.shape[1]} x {seen.shape[0]}"
        raise Unusable("the mask", "empty mask", detail if protocol.size else before)
    return seen


def _check(mask: Levels, images: Mapping[str, Levels]) -> None:
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"the mask is {mask.dtype} {mask.shape}; uint8 (H, W) is accepted")
    shape = (*mask.shape, 3)
    for name, found in images.items():
        if found.dtype != np.uint8 or found.shape != shape:
            raise ValueError(f"the {name} is {found.dtype} {found.shape}; uint8 {shape} is accepted by its mask")


def _check_finite(output: Output) -> None:
    wrong = [f"{name} is {value}" for name, value in (output.arguments or {}).items() if not math.isfinite(value)]
    if not wrong and not np.isfinite(output.image).all():
        wrong = ["its image has values that are not finite numbers"]
    if wrong:
        raise ValueError(f"the prediction is not finite: {', '.join(wrong)}")
