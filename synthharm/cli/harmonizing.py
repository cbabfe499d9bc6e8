"""The command that harmonizes images and videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from synthharm.cli.ending import fail
from synthharm.errors import SynthharmError

if TYPE_CHECKING:
    from synthharm.harmonizer import Harmonizer
    from synthharm.harmonizer.images import HarmonizedFiles
    from synthharm.harmonizer.video import VideoSummary

# What makes a file a video. The reader goes by what is inside.
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv")
FORMATS = ("png", "jpeg")
PREDICTED = ("predicted: lowest", "median", "highest")
OPTIONS = {
    "format": "--format",
    "quality": "--quality",
    "smoothing": "--smoothing",
    "scene_cuts": "--scene-cuts",
    "frame_rate": "--fps",
}


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
    quality: Annotated[int | None, typer.Option(help="Of JPEG images, 1 to 100; by default 95.")] = None,
    frames: Annotated[bool, typer.Option("--frames", help="A folder given is the frames of one video.")] = False,
    foreground: Annotated[Path | None, typer.Option(help="A video to be laid over --background.")] = None,
    background: Annotated[Path | None, typer.Option(help="The video or image behind --foreground.")] = None,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second, where frames are images; by default 25.")
    ] = None,
    smoothing: Annotated[
        float | None, typer.Option(help="Of a video's arguments, in seconds; by default 0.5.")
    ] = None,
    scene_cuts: Annotated[
        bool | None, typer.Option(help="Whether a video's smoothing stops at cuts, as it does by default.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace output files that are there.")] = False,
) -> None:
    """Harmonize images or a video with a trained network, each image at its own size, with any edits by hand."""
    of_images = {"format": format, "quality": quality}
    of_videos = {"smoothing": smoothing, "scene_cuts": scene_cuts, "frame_rate": fps}
    scene = _Given(tuple(inputs or ()), mask, output, foreground, background, frames, overwrite)
    try:
        scene.check()
        settings = _settings(scene, of_images, of_videos)
        harmonizer, edits = _load(checkpoint, device), read_edits(edit or ())
        _check_edits(harmonizer, edits)
        name = Path(checkpoint).resolve().name if Path(checkpoint).is_dir() else checkpoint
        work = _harmonize_video if scene.is_video else _harmonize_files
        work(harmonizer, scene, edits, name, settings)
    except (SynthharmError, OSError) as error:
        fail(error)


@dataclass(frozen=True)
class _Given:
    """What is to be harmonized, and where it goes."""

    inputs: tuple[Path, ...]
    mask: Path
    output: Path
    foreground: Path | None
    background: Path | None
    frames: bool
    overwrite: bool

    @property
    def is_video(self) -> bool:
        """Whether it is a video, as a file, as layers or as a folder of frames; or else images."""
        named = any(path.suffix.lower() in VIDEOS for path in self.inputs)
        return self.frames or self.foreground is not None or named

    def check(self) -> None:
        """Refuse what does not go together."""
        given = self.inputs
        if (self.foreground is None) != (self.background is None):
            raise SynthharmError("--foreground and --background: one is given without the other")
        if self.foreground is not None and given:
            raise SynthharmError(
                f"{given[0]}: is given beside --foreground and --background; one or the other is accepted"
            )
        if self.foreground is None and not given:
            raise SynthharmError("no composite is given; images, folders of them, or a video are accepted")
        if self.is_video and len(given) > 1:
            raise SynthharmError(
                f"{len(given)} inputs are given, {given[1]} among them; one video at a time is accepted"
            )
        if self.frames and not (given and given[0].suffix.lower() not in VIDEOS):
            raise SynthharmError("--frames: is of a folder of frames, and a video is given")


def _settings(given: _Given, of_images: Mapping[str, Any], of_videos: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, where they have an effect.

    Raises:
        SynthharmError: an option of videos beside images or the other way round, or a value that is not accepted.
    """
    format, smoothing, rate = of_images["format"], of_videos["smoothing"], of_videos["frame_rate"]
    if format is not None and (format not in FORMATS or given.is_video):
        raise SynthharmError(f"--format {format}: is not accepted; png and jpeg are, for images")
    chosen, others = (of_videos, of_images) if given.is_video else (of_images, of_videos)
    for name, value in others.items():
        if value is not None:
            what = "images, and a video is" if given.is_video else "videos, and images are"
            raise SynthharmError(f"{OPTIONS[name]}: is of {what} given")
    if given.is_video and (smoothing is not None or rate is not None):
        from synthharm.harmonizer.video.harmonizing import exact_rate
        from synthharm.harmonizer.video.smoothing import check_time_constant

        checks = (("--smoothing", check_time_constant, smoothing), ("--fps", exact_rate, rate))
        for name, check, value in checks:
            try:
                if value is not None:
                    check(value)
            except ValueError as error:
                raise SynthharmError(f"{name}: {error}") from error
    return {name: value for name, value in chosen.items() if value is not None}


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
    harmonizer: Harmonizer, given: _Given, edits: Mapping[str, float], name: str, settings: Mapping[str, Any]
) -> None:
    from synthharm.harmonizer.images import harmonize_files
    from synthharm.sources import decode_photo

    files = harmonize_files(
        harmonizer,
        given.inputs,
        given.mask,
        given.output,
        edits,
        decode=decode_photo,
        checkpoint=name,
        overwrite=given.overwrite,
        **settings,
    )
    _print_arguments(harmonizer, files, edits)
    for reject in files.rejected:
        typer.secho(str(reject), err=True, fg="yellow")
    typer.echo(f"{given.output}: {len(files.done)} harmonized; {len(files.rejected)} rejected")
    if not files.done:
        raise typer.Exit(1)


def _harmonize_video(
    harmonizer: Harmonizer, given: _Given, edits: Mapping[str, float], name: str, settings: Mapping[str, Any]
) -> None:
    from synthharm.harmonizer.video import harmonize_video

    summary = harmonize_video(
        harmonizer,
        given.output,
        given.mask,
        given.inputs[0] if given.inputs else None,
        given.foreground,
        given.background,
        edits=edits,
        checkpoint=name,
        overwrite=given.overwrite,
        **settings,
    )
    _print_spreads(summary, edits)
    typer.echo(_describe_video(summary))


def _print_arguments(harmonizer: Harmonizer, files: HarmonizedFiles, edits: Mapping[str, float]) -> None:
    """The arguments of one image, or of many their median and range; on more the record has them."""
    from statistics import median

    if not files.done:
        return
    several = len(files.done) > 1
    rows = []
    for name in harmonizer.chain.columns:
        found = [file.predicted[name] for file in files.done]
        numbers = (min(found), median(found), max(found)) if several else (found[0],)
        rows.append((name, numbers, _edited(edits, name) or "as predicted"))
    _print_table(PREDICTED if several else ("predicted",), rows)


def _print_spreads(summary: VideoSummary, edits: Mapping[str, float]) -> None:
    """The median and range of a video's predicted arguments, and the range of those it was harmonized with."""
    used = summary.arguments["used"]
    _print_table(
        PREDICTED,
        [
            (
                name,
                (found.lowest, found.median, found.highest),
                _edited(edits, name) or f"{used[name].lowest:+.4f} to {used[name].highest:+.4f}",
            )
            for name, found in summary.arguments["predicted"].items()
        ],
    )


def _edited(edits: Mapping[str, float], name: str) -> str:
    return f"{edits[name]:g} (edited)" if name in edits else ""


def _print_table(titles: Sequence[str], rows: Iterable[tuple[str, Sequence[float], str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("argument", *titles, "used")
    for name, numbers, used in rows:
        table.add_row(name, *(f"{number:+.4f}" for number in numbers), used)
    Console().print(table)


def _describe_video(summary: VideoSummary) -> str:
    """What is said of a video; figures that could not be measured are left out."""
    from math import isnan

    figures = {name: value for name, value in summary.flicker.items() if not isnan(value)}
    rate, cuts = float(summary.frame_rate), len(summary.cuts)
    counted = "1 scene cut" if cuts == 1 else f"{cuts} scene cuts"
    text = f"{summary.path}: {summary.frames} frames at {rate:g} per second; {counted}"
    if figures:
        text += "; flicker: " + ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    if summary.sound == "left out":
        text += "\nThe sound is left out: a folder of frames cannot hold it"
    return text
