"""A preview: a few samples of a recipe on a contact sheet, without a dataset."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from synthharm.composites import harmonize
from synthharm.composites.encoding import decode_image, encode_png
from synthharm.errors import SynthharmError
from synthharm.files import write_atomically
from synthharm.filters import FilterChain
from synthharm.generate.plan import Plan
from synthharm.generate.sample import Maker, Sample
from synthharm.generate.threads import one_thread
from synthharm.recipe import Recipe, as_recipe
from synthharm.report import Row, contact_sheet

SHEET_COMPRESSION = 9  # a sheet is made once, and kept

MOST_ARGUMENTS = 6  # in a caption


def make_preview(
    recipe: Recipe | str | Path, count: int, output: str | Path, *, overrides: Sequence[str] = ()
) -> int:
    """Write a PNG of the first `count` samples of a recipe's dataset: real, mask, composite, harmonized back.

    The samples are those that `generate` would make, and what is shown is read back from their encoded files.

    Returns:
        How many samples are on the sheet: fewer where regions cannot be used.

    Raises:
        SynthharmError: the recipe is wrong, the data is not there, or no sample could be made.
    """
    if count < 1:
        raise SynthharmError(f"preview is {count}; 1 or more is accepted")
    recipe = as_recipe(recipe, overrides)
    count = min(count, recipe.samples)
    with tempfile.TemporaryDirectory(prefix="synthharm-") as folder:
        maker = Maker.of(Plan.make(recipe, Path(folder)))
        with one_thread():
            made = [maker.make(number) for number in range(count)]
    samples = [sample for sample, _ in made if sample is not None]
    if not samples:
        rejects = "".join(f"\n  {r.name}: {r.detail}" for _, rejected in made for r in rejected[:2])
        raise SynthharmError(f"no sample could be made; rejected, among others:{rejects}")
    rows = [_row(maker, sample) for sample in samples]
    title = f"{len(rows)} of {recipe.samples} samples, seed {recipe.seed}, {maker.encoder.format}"
    sheet = contact_sheet(rows, title)
    write_atomically(Path(output), encode_png(sheet, SHEET_COMPRESSION))
    return len(rows)


def _row(maker: Maker, sample: Sample) -> Row:
    record, composite = sample.record, sample.composite
    image = decode_image(sample.files[record.files["image"]["path"]])
    values = composite.arguments.values[0].double().numpy()
    shown = image if image.dtype == np.uint8 else np.rint(image / 257).astype(np.uint8)
    harmonized = shown.copy()
    harmonized[composite.mask > 0] = np.rint(harmonize(image, composite.mask, maker.chain, values) * 255)
    measured = f"fMSE {record.measured['foreground_mse']:.0f}, back to {record.measured['recovery_psnr']:.1f} dB"
    mask = np.repeat(composite.mask[:, :, None], 3, axis=2)
    arguments = _describe_arguments(maker.chain, record.arguments)
    return Row((composite.real, mask, shown, harmonized), f"{measured}   {arguments}")


def _describe_arguments(chain: FilterChain, arguments: Mapping[str, float]) -> str:
    """The arguments that are farthest from neutral, as a share of their spans, and how many more there are."""

    def share(column: str) -> float:
        parameter = chain.parameters[chain.columns.index(column)]
        offset = abs(arguments[column] - parameter.neutral)
        return offset / (chain.spans.get(column, parameter.span) or parameter.span)

    farthest = sorted(arguments, key=share, reverse=True)[:MOST_ARGUMENTS]
    named = [f"{column} {arguments[column]:+.3f}" for column in farthest]
    left = len(arguments) - len(farthest)
    return "  ".join([*named, f"and {left} more"] if left else named)
