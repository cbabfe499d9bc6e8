"""The command line: one thin command each, in a file by what it is about."""

from __future__ import annotations

import typer

from synthharm.cli import datasets, evaluating, generating, harmonizing, networks, training

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Datasets of composites whose true answer is known, and the Harmonizer that learns from them.",
)

COMMANDS = (
    generating.generate,
    generating.status,
    datasets.check,
    datasets.convert,
    datasets.replay,
    datasets.tables,
    datasets.schema,
    training.train,
    evaluating.evaluate,
    harmonizing.harmonize,
    networks.import_checkpoint,
    networks.export,
)
for _command in COMMANDS:
    app.command()(_command)
