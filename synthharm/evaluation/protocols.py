"""The protocols under which harmonization is scored: figures of one never compare with those of another.

They differ from the evaluators that they are named after where those do not agree among themselves. iSSAM's own
gives the method the soft resized mask, weights the foreground by it, and takes PSNR's peak from the real image,
which is 255 for nearly every photo; here masks are binarised and the peak is 255. Harmonizer's own dithers soft
masks, and its SSIM has a window of 7 x 7; here the measures are those of `synthharm.metrics`.
"""

from __future__ import annotations

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
        where = "the method runs at full size"
        if self.size is not None:
            size = f"{self.size[1]} x {self.size[0]}"
            how = "bilinearly without antialiasing" if self.resize == "bilinear" else "by Pillow's bilinear filter"
            where = f"composite, mask and real image are resized to {size} {how}; the method runs on these"
            if self.arguments_from == "full":
                where = (
                    f"the method sees the full image, and its arguments are applied to the composite at {size} (a "
                    f"method without arguments has its rounded result resized); all is resized {how}"
                )
        background = "errors in the background count"
        if self.background == "real":
            background = "the background is replaced by the real one"
        peak = "255" if self.peak == "255" else "the largest less the smallest value of the prediction"
        return f"{self.name}: {where}; {background}; PSNR's peak is {peak}."


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
        ValueError: other types, or sizes that differ.

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
    _check(composite, mask, real)
    if protocol.arguments_from == "full":
        output, seen, target = _from_full(protocol, method, composite, mask, real, known)
    else:
        seen, target = _resize_mask(protocol, mask), _resize(protocol, real)
        output = method.run(_resize(protocol, composite), seen, known)
    foreground = seen >= THRESHOLD
    prediction: NDArray[Any] = output.image
    if protocol.background == "real":
        prediction = np.where(foreground[..., None], prediction, target)
    peak = 255.0
    if protocol.peak == "prediction":
        peak = float(prediction.max()) - float(prediction.min())
        if peak == 0:
            raise Unusable(method.name, "one value", "PSNR's peak is the range of the prediction, which is 0")
    return measure(prediction, target, foreground, peak=peak, perceptual=perceptual), output


def _from_full(
    protocol: Protocol,
    method: Method,
    composite: Levels,
    mask: Levels,
    real: Levels,
    known: Mapping[str, float] | None,
) -> tuple[Output, Levels, Levels]:
    """Output, mask and real image at the protocol's size, of a method that sees the full image."""
    seen = _resize_mask(protocol, mask)
    output = method.run(composite, mask, known)
    if protocol.size is None:
        return output, seen, real
    if output.arguments is not None and isinstance(method, Chained):
        output = method.apply(_resize(protocol, composite), seen, output.arguments)
    else:
        rounded = np.rint(np.clip(output.image, 0, 255)).astype(np.uint8)
        output = replace(output, image=_resize(protocol, rounded).astype(np.float32))
    return output, seen, _resize(protocol, real)


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


def _check(composite: Levels, mask: Levels, real: Levels) -> None:
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"the mask is {mask.dtype} {mask.shape}; uint8 (H, W) is accepted")
    shape = (*mask.shape, 3)
    for name, found in (("composite", composite), ("real image", real)):
        if found.dtype != np.uint8 or found.shape != shape:
            raise ValueError(f"the {name} is {found.dtype} {found.shape}; uint8 {shape} is accepted by its mask")
