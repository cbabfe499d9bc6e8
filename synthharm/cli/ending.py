"""What commands have in common: overrides of a recipe, and how they end when something is wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override the recipe.")]


def fail(message: object) -> NoReturn:
    """Say on standard error what is wrong, and end with the exit status 1."""
    typer.secho(str(message), err=True, fg="red")
    raise typer.Exit(1)


def log_line(message: str) -> str:
    """A message as a line of a log in JSON.

    Example:
        >>> print(log_line("stopped"))
        {"time": "...", "message": "stopped"}
    """
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": moment, "message": message})
