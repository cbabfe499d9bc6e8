"""What commands have in common: overrides of a recipe, and how they end when something is wrong."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

Overrides = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override the recipe.")]


def fail(message: object) -> NoReturn:
    """Say on standard error what is wrong, and end with the exit status 1."""
    typer.secho(str(message), err=True, fg="red")
    raise typer.Exit(1)
