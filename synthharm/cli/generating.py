"""The commands that make a dataset, and say how far one has come."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthharm.cli.ending import Overrides, fail, log_line
from synthharm.errors import SynthharmError

if TYPE_CHECKING:
    from synthharm.generate.running.watch import View

INTERRUPTED = 130  # the exit status of what Ctrl-C ended


def generate(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    output: Annotated[
        str | None, typer.Option(help="The dataset's folder or address (s3://...), or the preview's PNG.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(help="Processes of this machine; with --address, those that list the sources.")
    ] = 1,
    engine: Annotated[str, typer.Option(help="What works: local, or dask.")] = "local",
    address: Annotated[str | None, typer.Option(help="Of a Dask scheduler that runs: tcp://host:8786.")] = None,
    rank: Annotated[int, typer.Option(help="Which of several processes this one is, from 0.")] = 0,
    world_size: Annotated[int, typer.Option(help="How many processes share the dataset's shards.")] = 1,
    log: Annotated[str, typer.Option(help="What is shown: auto, bar, text, json or none.")] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be made, and how long by all jobs of all ranks.")
    ] = False,
    preview: Annotated[
        int | None, typer.Option(help="Only a contact sheet of this many samples, made in one process.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Make the dataset of a recipe, or go on where an earlier run left off."""
    try:
        options = {"jobs": jobs, "engine": engine, "address": address, "rank": rank, "world_size": world_size}
        views = _check(log, options, dry_run, preview is not None)
        if preview is not None:
            _preview(recipe, preview, output or "preview.png", overrides or [])
        elif output is None:
            raise SynthharmError("--output: is missing; the folder of the dataset to make or to go on with")
        elif dry_run:
            from synthharm.generate.estimate import estimate

            for line in estimate(recipe, output, jobs=jobs, overrides=overrides or ()).lines(jobs, world_size):
                typer.echo(line)
        else:
            _generate(recipe, output, views, overrides or [], options, _Voice(log == "json"))
    except (SynthharmError, OSError) as error:
        if log == "json":
            _Voice(True).say(str(error))
            raise typer.Exit(1) from None
        fail(error)


def status(
    folder: Annotated[str, typer.Argument(help="A dataset's folder or address, finished or not.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say how far a dataset has come."""
    from synthharm.generate.running.status import read_status, seconds_now

    try:
        found = read_status(folder)
    except (SynthharmError, OSError) as error:
        fail(error)
    if as_json:
        typer.echo(json.dumps(found.as_json(), indent=1))
        return
    for line in found.lines(seconds_now()):
        typer.echo(line)


def _check(log: str, options: dict[str, Any], dry_run: bool, preview: bool) -> list[View]:
    """Refuse what no way of the command accepts, or what the one that is wanted does not use; gives the views.

    Raises:
        SynthharmError: there is such an option.
    """
    from synthharm.generate.running.engine import Engine
    from synthharm.generate.running.part import Part
    from synthharm.generate.running.views import open_views

    engine = Engine(options["engine"], options["jobs"], options["address"])
    part = Part(options["rank"], options["world_size"])
    unused = {"--address": engine.address is not None}
    if preview:
        others = {"--jobs": engine.jobs != 1, "--engine": engine.name != "local", "--world-size": not part.whole}
        _refuse_unused("--preview", {"--dry-run": dry_run, **others, **unused}, "it is made here, in one process")
    elif dry_run:
        _refuse_unused("--dry-run", unused, "no cluster is asked how many workers it has, so say it by --jobs")
    return open_views(log, sys.stderr)


def _refuse_unused(way: str, options: dict[str, bool], why: str) -> None:
    if given := [option for option, is_given in options.items() if is_given]:
        raise SynthharmError(f"{way}: does not go with {', '.join(given)}: {why}")


@dataclass(frozen=True)
class _Voice:
    """What a run says on standard error beside its log, in the log's own form."""

    as_json: bool

    def say(self, message: str) -> None:
        typer.echo(log_line(message) if self.as_json else message, err=True)

    def say_stopping(self) -> None:
        # Within a signal's handler: the stream may be gone, or be written to at this moment.
        with contextlib.suppress(OSError, RuntimeError):
            self.say("stopping when the shards in hand are done; Ctrl-C again stops at once")


def _generate(
    recipe: Path,
    output: str,
    views: list[View],
    overrides: list[str],
    options: dict[str, Any],
    voice: _Voice,
) -> None:
    from synthharm.generate import generate as run
    from synthharm.generate.run import Stopped
    from synthharm.generate.running.stopping import stoppable

    try:
        with stoppable(voice.say_stopping) as stop:
            summary = run(recipe, output, overrides=overrides, views=views, stop=stop, **options)
    except Stopped as stopped:
        voice.say(str(stopped))
        raise typer.Exit(INTERRUPTED) from None
    except KeyboardInterrupt:
        voice.say("interrupted; the same command goes on with what is done")
        raise typer.Exit(INTERRUPTED) from None
    if not summary.numbers:
        left = f"; {summary.left} shards are left to the other ranks" if summary.left else ""
        typer.echo(f"{summary.folder}: this rank's shards are done{left}")
        return
    typer.echo(f"{summary.folder}: {_describe(summary.numbers)}")
    if summary.missing:
        raise SynthharmError(f"{summary.missing} samples could not be made: see rejects.jsonl")


def _preview(recipe: Path, count: int, sheet: str, overrides: list[str]) -> None:
    from synthharm.generate import make_preview

    made = make_preview(recipe, count, sheet, overrides=overrides)
    typer.echo(f"{sheet}: {made} samples")


def _describe(numbers: dict[str, object]) -> str:
    splits, rejects, measured = numbers["splits"], numbers["rejects"], numbers["measured"]
    assert isinstance(splits, dict)
    assert isinstance(rejects, dict)
    assert isinstance(measured, dict)
    text = f"{numbers['samples']} samples of {numbers['photos']} photos"
    text += f" ({', '.join(f'{count} {name}' for name, count in splits.items())})"
    if "recovery_psnr" in measured:
        psnr = measured["recovery_psnr"]
        text += f"; harmonized back to {psnr['median']:.1f} dB (median; lowest {psnr['lowest']:.1f})"
    if isinstance(kinds := numbers.get("kinds"), dict):
        text += f"; {', '.join(f'{count} {name}' for name, count in kinds.items())}"
    if rejects:
        text += f"; rejected: {', '.join(f'{count} {reason}' for reason, count in rejects.items())}"
    return text
