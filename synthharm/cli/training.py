"""The command that trains."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from synthharm.cli.ending import Overrides, fail
from synthharm.errors import SynthharmError


def train(
    recipe: Annotated[Path, typer.Argument(help="The training recipe, a YAML file.")],
    output: Annotated[Path, typer.Option(help="The training's folder: new, or one to go on with.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    overrides: Overrides = None,
) -> None:
    """Train a Harmonizer, or go on where an earlier run left off."""
    from synthharm.training import train as run

    try:
        training = run(recipe, output, overrides=overrides or (), device=device, progress=sys.stderr.isatty())
    except (SynthharmError, OSError) as error:
        fail(error)
    if int(os.environ.get("RANK", "0")):
        return  # the first of several processes says it
    for name, figures in training.validation.items():
        untouched = f"{figures['composite_fmse']:.1f} ({figures['composite_psnr']:.2f} dB) of the composites"
        reached = f"fMSE {figures['fmse']:.1f} (PSNR {figures['psnr']:.2f} dB)"
        typer.echo(f"{name}: {reached} against {untouched}; better on {figures['better']:.0%} of them")
    rejected = f"; {training.rejected} rejected, see training.jsonl" if training.rejected else ""
    typer.echo(f"{training.folder}: {training.steps} steps; best after {training.best_step}{rejected}")
