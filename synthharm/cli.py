"""The command line: one thin command each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from synthharm.errors import SynthharmError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Datasets of composites whose true answer is known."
)

Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override the recipe.")]


@app.command()
def generate(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    output: Annotated[Path | None, typer.Option(help="The dataset's folder, or the preview's PNG.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes to work in.")] = 1,
    preview: Annotated[int | None, typer.Option(help="Only a contact sheet of this many samples.")] = None,
    overrides: Overrides = None,
) -> None:
    """Make the dataset of a recipe, or go on where an earlier run left off."""
    from synthharm.generate import generate as run
    from synthharm.generate import make_preview

    try:
        if preview is not None:
            sheet = output or Path("preview.png")
            count = make_preview(recipe, preview, sheet, overrides=overrides or ())
            typer.echo(f"{sheet}: {count} samples")
            return
        if output is None:
            raise SynthharmError("--output: is missing; the folder of the dataset to make or to go on with")
        summary = run(recipe, output, jobs=jobs, overrides=overrides or ())
    except (SynthharmError, OSError) as error:
        _fail(error)
    typer.echo(f"{summary.folder}: {_describe(summary.numbers)}")
    if summary.missing:
        _fail(f"{summary.missing} samples could not be made: see rejects.jsonl")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="A finished dataset.")],
    most: Annotated[int, typer.Option(help="Problems to list at most.")] = 100,
) -> None:
    """Check every file of a dataset against its checksum and record. The exit status is 1 if anything is wrong."""
    from synthharm.generate import check_dataset

    found = 0
    try:
        for problem in check_dataset(folder):
            found += 1
            if found <= most:
                typer.echo(problem)
    except (SynthharmError, OSError) as error:
        _fail(error)
    if found:
        _fail(f"{folder}: {found} problem{'s' * (found > 1)}")
    typer.echo(f"{folder}: nothing wrong")


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from synthharm.recipe import recipe_schema

    typer.echo(json.dumps(recipe_schema(), indent=1))


def _describe(numbers: dict[str, object]) -> str:
    splits, rejects, measured = numbers["splits"], numbers["rejects"], numbers["measured"]
    assert isinstance(splits, dict)
    assert isinstance(rejects, dict)
    assert isinstance(measured, dict)
    text = f"{numbers['samples']} samples of {numbers['photos']} photos"
    text += f" ({', '.join(f'{count} {name}' for name, count in splits.items())})"
    if measured:
        psnr = measured["recovery_psnr"]
        text += f"; harmonized back to {psnr['median']:.1f} dB (median; lowest {psnr['lowest']:.1f})"
    if rejects:
        text += f"; rejected: {', '.join(f'{count} {reason}' for reason, count in rejects.items())}"
    return text


def _fail(message: object) -> None:
    typer.secho(str(message), err=True, fg="red")
    raise typer.Exit(1)
