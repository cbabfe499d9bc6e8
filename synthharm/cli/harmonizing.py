"""The command that harmonizes images and videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthharm.cli.ending import fail
from synthharm.errors import SynthharmError

if TYPE_CHECKING:
    from synthharm.harmonizer import Harmonizer
    from synthharm.harmonizer.images import HarmonizedFiles

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
FORMATS = ("png", "jpeg")


def harmonize(
    checkpoint: Annotated[
        str, typer.Argument(help="A folder that training or importing wrote, or a hub's owner/name.")
    ],
    inputs: Annotated[
        list[Path] | None, typer.Argument(help="Composites: images, folders of them, or a video.")
    ] = None,
    *,
    mask: Annotated[
        Path, typer.Option(help="The mask, or a folder of masks; a mask video or folder for a video.")
    ],
    output: Annotated[Path, typer.Option(help="The file or folder to write.")],
    edit: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Set an argument by hand.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    format: Annotated[
        str | None, typer.Option(help="Of images: png or jpeg; by default as --output says.")
    ] = None,
    quality: Annotated[int, typer.Option(help="Of JPEG images, 1 to 100.")] = 95,
    frames: Annotated[bool, typer.Option("--frames", help="A folder given is the frames of one video.")] = False,
    foreground: Annotated[Path | None, typer.Option(help="A video to be laid over --background.")] = None,
    background: Annotated[Path | None, typer.Option(help="The video or image behind --foreground.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second, where frames are images.")] = None,
    smoothing: Annotated[float, typer.Option(help="Of a video's arguments, in seconds.")] = 0.5,
    scene_cuts: Annotated[bool, typer.Option(help="Whether smoothing stops at cuts.")] = True,
) -> None:
    """Harmonize images or a video with a trained network, each image at its own size, with any edits by hand."""
    given = inputs or []
    try:
        is_video = frames or foreground is not None or any(path.suffix.lower() in VIDEOS for path in given)
        _check_options(given, is_video, foreground, background, format)
        harmonizer, edits = _load(checkpoint, device), read_edits(edit or ())
        if is_video:
            _check_edits(harmonizer, edits)
            from synthharm.harmonizer.video import harmonize_video

            summary = harmonize_video(
                harmonizer,
                output,
                mask,
                given[0] if given else None,
                foreground,
                background,
                smoothing=smoothing,
                scene_cuts=scene_cuts,
                frame_rate=fps,
                edits=edits,
            )
            typer.echo(_describe_video(summary))
            return
        _check_edits(harmonizer, edits)
        files = _harmonize_files(harmonizer, given, mask, output, edits, format, quality, checkpoint)
    except (SynthharmError, OSError) as error:
        fail(error)
    _print_arguments(harmonizer, files, edits)
    for reject in files.rejected:
        typer.secho(str(reject), err=True, fg="yellow")
    typer.echo(f"{output}: {len(files.done)} harmonized; {len(files.rejected)} rejected")
    if not files.done:
        raise typer.Exit(1)


def read_edits(words: Iterable[str]) -> dict[str, float]:
    """Edits as they are written on the command line.

    Raises:
        SynthharmError: what is not NAME=VALUE with a number, or a name that comes twice.

    Example:
        >>> read_edits(["contrast=0.1", "white_balance.tint=-0.2"])
        {'contrast': 0.1, 'white_balance.tint': -0.2}
    """
    edits: dict[str, float] = {}
    for word in words:
        name, _, value = word.partition("=")
        name = name.strip()
        try:
            number = float(value)
        except ValueError as error:
            raise SynthharmError(f"--edit {word!r}: NAME=VALUE with a number is accepted") from error
        if name in edits:
            raise SynthharmError(f"--edit {name}: is given twice")
        edits[name] = number
    return edits


def _check_options(
    given: Sequence[Path], is_video: bool, foreground: Path | None, background: Path | None, format: str | None
) -> None:
    if format is not None and (format not in FORMATS or is_video):
        raise SynthharmError(f"--format {format}: is not accepted; png and jpeg are, for images")
    if (foreground is None) != (background is None):
        raise SynthharmError("--foreground and --background: one is given without the other")
    if foreground is not None and given:
        raise SynthharmError(
            f"{given[0]}: is given beside --foreground and --background; one or the other is accepted"
        )
    if foreground is None and not given:
        raise SynthharmError("no composite is given; images, folders of them, or a video are accepted")
    if is_video and len(given) > 1:
        raise SynthharmError(
            f"{len(given)} inputs are given, {given[1]} among them; one video at a time is accepted"
        )


def _load(checkpoint: str, device: str) -> Harmonizer:
    from synthharm.harmonizer import Harmonizer
    from synthharm.harmonizer.devices import find_device

    place = find_device(device)
    return Harmonizer.from_pretrained(checkpoint).to(place)


def _check_edits(harmonizer: Harmonizer, edits: Mapping[str, float]) -> None:
    from synthharm.harmonizer.full_size import check_edits

    try:
        check_edits(harmonizer.chain, edits)
    except ValueError as error:
        raise SynthharmError(f"--edit: {error}") from error


def _harmonize_files(
    harmonizer: Harmonizer,
    given: Sequence[Path],
    mask: Path,
    output: Path,
    edits: Mapping[str, float],
    format: str | None,
    quality: int,
    checkpoint: str,
) -> HarmonizedFiles:
    from synthharm.harmonizer.images import harmonize_files
    from synthharm.sources import decode_photo

    chosen: Any = format
    name = Path(checkpoint).resolve().name if Path(checkpoint).is_dir() else checkpoint
    settings = {"format": chosen, "quality": quality, "checkpoint": name}
    return harmonize_files(harmonizer, given, mask, output, edits, decode=decode_photo, **settings)


def _print_arguments(harmonizer: Harmonizer, files: HarmonizedFiles, edits: Mapping[str, float]) -> None:
    """The arguments of one image, or of many their median and range; on more the record has them."""
    from statistics import median

    from rich.console import Console
    from rich.table import Table

    if not files.done:
        return
    several = len(files.done) > 1
    table = Table("argument", *(("predicted: lowest", "median", "highest") if several else ("predicted",)), "used")
    for name in harmonizer.chain.columns:
        found = [file.predicted[name] for file in files.done]
        numbers = (min(found), median(found), max(found)) if several else (found[0],)
        used = f"{edits[name]:g} (edited)" if name in edits else "as predicted"
        table.add_row(name, *(f"{number:+.4f}" for number in numbers), used)
    Console().print(table)


def _describe_video(summary: Any) -> str:
    flicker = ", ".join(f"{name} {value:.3f}" for name, value in summary.flicker.items())
    place = getattr(summary, "path", None) or summary.folder
    cuts = len(summary.cuts)
    text = f"{place}: {summary.frames} frames at {float(summary.frame_rate):g} per second; {cuts} scene cuts"
    return f"{text}; flicker: {flicker}" if flicker else text
