"""The commands about networks: reading what others published, and writing for others to run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthharm.cli.ending import fail
from synthharm.errors import SynthharmError


def import_checkpoint(
    file: Annotated[Path, typer.Argument(help="A checkpoint (.pth) of the published implementation.")],
    output: Annotated[Path, typer.Option(help="The folder to write: new or empty.")],
) -> None:
    """Turn a published checkpoint into a folder that `harmonize` and training can start from."""
    from synthharm.harmonizer import import_checkpoint as read
    from synthharm.harmonizer.outputs import check_new_folder

    try:
        check_new_folder(output)
        harmonizer = read(file)
        harmonizer.save_pretrained(output)
    except (SynthharmError, OSError) as error:
        fail(error)
    count = sum(parameter.numel() for parameter in harmonizer.parameters())
    typer.echo(
        f"{output}: {harmonizer.config.encoder}, {count:,} parameters; {', '.join(harmonizer.chain.columns)}"
    )


def export(
    checkpoint: Annotated[
        str, typer.Argument(help="A folder that training or importing wrote, or a hub's owner/name.")
    ],
    output: Annotated[Path, typer.Option(help="The folder to write: new or empty.")],
) -> None:
    """Write a network as ONNX files, for programs that run without Python, and check them against torch."""
    from synthharm.harmonizer import Harmonizer
    from synthharm.harmonizer.export import export_onnx
    from synthharm.harmonizer.outputs import check_new_folder

    try:
        check_new_folder(output)
        found = export_onnx(Harmonizer.from_pretrained(checkpoint), output)
    except (SynthharmError, OSError) as error:
        fail(error)
    typer.echo(
        f"{output}: arguments.onnx and chain.onnx; the largest difference from torch is "
        f"{found.arguments:.1e} in arguments and {found.images:.1e} in images"
    )
