"""The commands about datasets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from synthharm.cli.ending import fail
from synthharm.errors import SynthharmError
from synthharm.storage import storage_errors


def check(
    folder: Annotated[str, typer.Argument(help="A finished dataset: its folder or address (s3://...).")],
    most: Annotated[int, typer.Option(help="Problems to list at most.")] = 100,
) -> None:
    """Check every file of a dataset against its checksum and record. The exit status is 1 if anything is wrong."""
    from synthharm.generate import check_dataset, check_shortcuts

    found = 0
    try:
        with storage_errors():
            for problem in check_dataset(folder):
                found += 1
                if found <= most:
                    typer.echo(problem)
            shortcuts = None if found else check_shortcuts(folder)
    except (SynthharmError, OSError) as error:
        fail(error)
    if found:
        fail(f"{folder}: {found} problem{'s' * (found > 1)}")
    typer.echo(f"{folder}: nothing wrong")
    if shortcuts is not None:
        areas = ", ".join(f"{name.replace('_', ' ')} {area:.3f}" for name, area in shortcuts.auc.items())
        typer.echo(f"shortcuts, area under the ROC curve (chance is 0.5): {areas or 'not judged'}")
        for warning in shortcuts.warning:
            typer.secho(f"warning: {warning}", fg="yellow")


def convert(
    folder: Annotated[str, typer.Argument(help="A splicing dataset, in any of the formats: folder or address.")],
    to: Annotated[str, typer.Option(help="The format: imdlbenco, coco, huggingface, webdataset, ...")],
    output: Annotated[str, typer.Option(help="The folder or address to write: new or empty.")],
) -> None:
    """Write a splicing dataset in another format. The bytes of its images do not change."""
    from synthharm.generate.splicing.converting import convert_dataset

    try:
        with storage_errors():
            count = convert_dataset(folder, to, output)
    except (SynthharmError, OSError) as error:
        fail(error)
    typer.echo(f"{output}: {count} samples as {to}")


def replay(
    record: Annotated[str, typer.Argument(help="A record (JSON), records (JSON lines), or a dataset's folder.")],
    data: Annotated[str, typer.Option(help="The data root that it was made from.")],
    sample: Annotated[int | None, typer.Option(help="The only sample wanted, by its number.")] = None,
    output: Annotated[str | None, typer.Option(help="A folder or address to write the files into.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="The dataset's recipe.yaml, where it is not beside.")] = None,
) -> None:
    """Make samples again from their records and the sources. The exit status is 1 if a byte differs."""
    from synthharm.generate.replaying import replay_all

    made, differing = 0, 0
    try:
        with storage_errors():
            for replayed in replay_all(record, data, sample=sample, output=output, recipe=recipe):
                made += 1
                differing += bool(replayed.differences)
                for line in (*replayed.differences, *replayed.versions):
                    typer.echo(line)
    except (SynthharmError, OSError) as error:
        fail(error)
    typer.echo(f"{made} samples made again; {made - differing} the same to the byte")
    if differing:
        raise typer.Exit(1)


def tables(
    folder: Annotated[Path, typer.Argument(help="A folder of JPEG photos, straight from cameras.")],
    output: Annotated[Path, typer.Option(help="The JSON file to write.")],
) -> None:
    """Collect the quantization tables of cameras, for `camera_tables` in recipes."""
    from synthharm.composites.history import collect_tables, write_tables

    try:
        if not folder.is_dir():
            raise SynthharmError(f"{folder}: is not a folder")
        found, rejects = collect_tables(folder)
        if not found:
            raise SynthharmError(f"{folder}: no photo in it has tables that can be used")
        write_tables(output, found)
    except (SynthharmError, OSError) as error:
        fail(error)
    for reject in rejects:
        typer.echo(str(reject))
    typer.echo(f"{output}: {len(found)} pairs of tables; {len(rejects)} files left out")


def schema(
    training: Annotated[bool, typer.Option("--training", help="Of training recipes instead.")] = False,
) -> None:
    """Print the JSON Schema of recipes, for editors."""
    from synthharm.recipe import recipe_schema, training_schema

    typer.echo(json.dumps(training_schema() if training else recipe_schema(), indent=1))
