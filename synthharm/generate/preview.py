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
from synthharm.recipe import AnyRecipe, Recipe, as_recipe
from synthharm.report import TITLES, Row, contact_sheet
from synthharm.sources import Reject
from synthharm.storage import as_path

SHEET_COMPRESSION = 9  # a sheet is made once, and kept

MOST_ARGUMENTS = 6  # in a caption


def make_preview(
    recipe: AnyRecipe | str | Path, count: int, output: str | Path, *, overrides: Sequence[str] = ()
) -> int:
    """Write a PNG of the first `count` samples of a recipe's dataset.

    Of a harmonization dataset it shows real, mask, composite, harmonized back; of a splicing dataset the samples
    that something was done to: target, mask, composite, and the edit from near. The samples are those that
    `generate` would make, and what is shown is read back from their encoded files.

    Returns:
        How many samples are on the sheet: fewer where regions cannot be used.

    Raises:
        SynthharmError: the recipe is wrong, the data is not there, or no sample could be made.
    """
    if count < 1:
        raise SynthharmError(f"preview is {count}; 1 or more is accepted")
    checked = as_recipe(recipe, overrides)
    count = min(count, checked.samples)
    with tempfile.TemporaryDirectory(prefix="synthharm-") as folder, one_thread():
        rows, rejects, titles = _make_rows(checked, count, Path(folder))
    if not rows:
        listed = "".join(f"\n  {reject.name}: {reject.detail}" for reject in rejects[:5])
        raise SynthharmError(f"no sample could be made; rejected, among others:{listed}")
    title = f"{len(rows)} of {checked.samples} samples, seed {checked.seed}, {checked.encoding.format}"
    sheet = contact_sheet(rows, title, titles)
    write_atomically(as_path(output), encode_png(sheet, SHEET_COMPRESSION))
    return len(rows)


def _make_rows(recipe: AnyRecipe, count: int, folder: Path) -> tuple[list[Row], list[Reject], Sequence[str]]:
    """The rows of a preview, what was rejected on the way, and what the rows' pictures are."""
    if isinstance(recipe, Recipe):
        maker = Maker.of(Plan.make(recipe, folder))
        made = [maker.make(number) for number in range(count)]
        rejects = [reject for _, rejected in made for reject in rejected]
        return [_row(maker, sample) for sample, _ in made if sample is not None], rejects, TITLES
    from synthharm.generate.splicing import previewing
    from synthharm.generate.splicing.making import SplicingMaker
    from synthharm.generate.splicing.plan import SplicingPlan

    rows, rejects = previewing.preview_rows(SplicingMaker.of(SplicingPlan.make(recipe, folder)), count)
    return rows, rejects, previewing.TITLES


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
