"""Validation: the same samples every time, harmonized and compared with their real images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from synthharm.errors import SynthharmError
from synthharm.harmonizer import Harmonizer
from synthharm.metrics import psnr
from synthharm.recipe import LiveStream, StoredStream
from synthharm.training.batches import Batch, Part, finish_part
from synthharm.training.losses import argument_errors
from synthharm.training.samples import Samples

PANELS = 4  # samples in TensorBoard's pictures


@dataclass(frozen=True)
class HeldOut:
    """The samples of one stream that are validated on, as parts of the batches that they are looked at in."""

    section: LiveStream | StoredStream
    parts: tuple[Part, ...]


def hold(section: LiveStream | StoredStream, samples: Samples, count: int) -> HeldOut:
    """The first samples of a stream, not augmented. They stay in memory."""
    made = [samples.sample(place, False) for place in range(count)]
    return HeldOut(section, tuple(Part.of(made[i : i + section.batch]) for i in range(0, count, section.batch)))


def validate(harmonizer: Harmonizer, held: Mapping[str, HeldOut]) -> tuple[dict[str, dict[str, float]], Tensor]:
    """What the harmonizer makes of the held-out samples.

    Args:
        harmonizer: in evaluation mode, where it is.
        held: the samples by stream.

    Returns:
        By stream, means over its samples on 0..255 at the network's size: `fmse`, `mse`, `psnr` and `fpsnr` of the
        harmonized images, `composite_fmse` and `composite_psnr` of the untouched ones, `better`, the share of
        samples whose fMSE fell, and `arguments`, the error in spans where they are known. And a picture
        (3, H, W): composite, mask, harmonized and real of the first samples.
    """
    figures: dict[str, dict[str, float]] = {}
    rows: list[Tensor] = []
    device = next(harmonizer.parameters()).device
    for name, stream in held.items():
        found: list[dict[str, Tensor]] = []
        for part in stream.parts:
            batch = finish_part(part, stream.section, harmonizer.chain, device)
            images, arguments = _harmonize(harmonizer, batch)
            found.append(_measured(images, arguments, batch, harmonizer))
            if len(rows) < PANELS:
                rows += _panels(images, batch)[: PANELS - len(rows)]
        columns = {key: torch.cat([one[key] for one in found]) for key in found[0]}
        known = columns.pop("arguments")
        figures[name] = {key: float(values.double().mean()) for key, values in columns.items()}
        known = known[~known.isnan()]
        if len(known):
            figures[name]["arguments"] = float(known.double().mean())
    return figures, torch.cat(rows, dim=1)


def _harmonize(harmonizer: Harmonizer, batch: Batch) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        predicted = harmonizer(batch.composites, batch.masks)
        if not bool(predicted.isfinite().all()):
            raise SynthharmError("validation: what the network predicts is not finite; the last state is kept")
        arguments = torch.clamp(predicted, harmonizer.low, harmonizer.high)
        return harmonizer.chain.apply(batch.composites, batch.masks, arguments), arguments


def mean_fmse(figures: Mapping[str, Mapping[str, float]]) -> float:
    """What checkpoints are compared by: the mean of the streams' foreground MSEs."""
    return sum(values["fmse"] for values in figures.values()) / len(figures)


def _measured(images: Tensor, arguments: Tensor, batch: Batch, harmonizer: Harmonizer) -> dict[str, Tensor]:
    harmonized = _errors(images, batch)
    untouched = _errors(batch.composites, batch)
    error = argument_errors(arguments, batch.arguments, harmonizer.chain)
    return {
        "fmse": harmonized[1],
        "mse": harmonized[0],
        "psnr": _decibels(harmonized[0]),
        "fpsnr": _decibels(harmonized[1]),
        "composite_fmse": untouched[1],
        "composite_psnr": _decibels(untouched[0]),
        "better": (harmonized[1] < untouched[1]).double(),
        "arguments": torch.where(batch.known, error, math.nan).cpu(),
    }


def _errors(images: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """The mean squared errors (N,) on 0..255 over the whole image and over the region."""
    squares = ((images - batch.reals) * 255).double().square()
    inside = batch.masks.double()
    whole = squares.mean(dim=(1, 2, 3))
    region = (squares * inside).sum(dim=(1, 2, 3)) / (3 * inside.sum(dim=(1, 2, 3)))
    return whole.cpu(), region.cpu()


def _decibels(errors: Tensor) -> Tensor:
    return torch.tensor([psnr(value) if math.isfinite(value) else math.nan for value in errors.tolist()])


def _panels(images: Tensor, batch: Batch) -> Sequence[Tensor]:
    """A row of pictures for each sample, (3, S, 4 S)."""
    shown = (batch.composites, batch.masks.expand_as(images), images, batch.reals)
    return list(torch.cat([picture.cpu() for picture in shown], dim=3))
