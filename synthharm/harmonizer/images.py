"""Harmonizing image files: one, or folders of them, each with its mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from synthharm.errors import SynthharmError, Unusable
from synthharm.files import json_text, parse_json, write_atomically
from synthharm.harmonizer.full_size import TILE_PIXELS, Harmonized, check_edits, harmonize_image
from synthharm.harmonizer.network import Harmonizer
from synthharm.harmonizer.outputs import SUFFIXES, Format, check_new_file, encode
from synthharm.harmonizer.tiles import Image, Mask
from synthharm.imagefile import EXTENSIONS
from synthharm.masks import check_mask, decode_mask

Decode = Callable[[bytes, str], tuple[Image, dict[str, Any]]]

FORMATS: dict[str, Format] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
MASK_ENDING = "_mask"  # of the name of a mask that lies beside other files
RECORD = "arguments.json"
QUALITY = 95  # of JPEG


@dataclass(frozen=True)
class HarmonizedFile:
    """A file that was harmonized.

    Args:
        source: the composite's file.
        mask: its mask's.
        path: what was written.
        arguments: those it was harmonized with, by name.
        predicted: those the network predicted.
        encoding: how the composite was stored (see `synthharm.imagefile.decode`).
    """

    source: Path
    mask: Path
    path: Path
    arguments: dict[str, float]
    predicted: dict[str, float]
    encoding: dict[str, Any]


@dataclass(frozen=True)
class HarmonizedFiles:
    """What a run over files came to.

    Args:
        done: the files that were harmonized, in order.
        rejected: those that were not, and why.
        record: the JSON file with the arguments; None where nothing was harmonized.
    """

    done: tuple[HarmonizedFile, ...]
    rejected: tuple[Unusable, ...]
    record: Path | None


def harmonize_files(
    harmonizer: Harmonizer,
    inputs: Sequence[Path],
    mask: Path,
    output: Path,
    edits: Mapping[str, float] | None = None,
    *,
    decode: Decode,
    format: Format | None = None,
    quality: int | None = None,
    checkpoint: str = "",
    overwrite: bool = False,
    tile_pixels: int = TILE_PIXELS,
) -> HarmonizedFiles:
    """Harmonize image files, and write beside them with which arguments.

    A file that cannot be used is listed with its reason, and the run goes on. What is written is 8-bit sRGB,
    upright, and whole or not there at all. The record, arguments.json in a folder and <name>.arguments.json beside
    a file, is written where a run is stopped too, of what was done by then. Nothing that is there is overwritten
    unless `overwrite` says so; the record then keeps, as "earlier", what an earlier one says of other images.

    Args:
        harmonizer: the network, in evaluation mode, on any device.
        inputs: image files, and folders whose image files are taken (not those of folders in them, nor those whose
            names begin with a dot).
        mask: the one input's mask; or a folder with one for each, named as the image, or so with "_mask" behind.
        output: a file (.png, .jpg, .jpeg) for one image; else a folder, in which files are named as the inputs.
        edits: arguments by name that take the place of what is predicted.
        decode: how a photo's bytes and name become RGB (H, W, 3) and its encoding, as
            `synthharm.sources.decode_photo` does it.
        format: "png" or "jpeg"; by default as the output's name says, and PNG in a folder.
        quality: of JPEG, 1 to 100, by default 95; PNG has none, and None is accepted.
        checkpoint: what the record calls the network.
        overwrite: whether images and the record may take the place of files that are there. Inputs and masks
            stay in any case.
        tile_pixels: see `apply_in_tiles`.

    Raises:
        SynthharmError: inputs or masks that are not there, outputs that are there already, that would overwrite an
            input, a mask or each other, or a network whose predictions are not numbers.
        ValueError: edits that the chain does not take.
    """
    edits = check_edits(harmonizer.chain, edits)
    sources = list_images(inputs, mask)
    paths, chosen = _outputs(sources, inputs, output, format)
    store = partial(encode, format=chosen, quality=_quality(quality, chosen))
    tasks = _plan(sources, mask, paths)
    record = output.with_name(f"{output.stem}.{RECORD}") if _is_file(output) else output / RECORD
    for path in (*(task.path for task in tasks if isinstance(task, _Task)), record):
        check_new_file(path, overwrite=overwrite)
    earlier = _earlier(record)
    done: list[HarmonizedFile] = []
    rejected: list[Unusable] = []
    try:
        for task in tasks:
            try:
                if isinstance(task, Unusable):
                    raise task
                composite, alphas, encoding = task.read(decode)
            except Unusable as error:
                rejected.append(error)
                continue
            harmonized = _harmonize(task.source, harmonizer, composite, alphas, edits, tile_pixels)
            write_atomically(task.path, store(harmonized.image))
            done.append(task.done(harmonized, encoding))
    finally:
        if done:
            said = _record(harmonizer, done, rejected, checkpoint)
            write_atomically(record, json_text(said | _kept(earlier, done)))
    return HarmonizedFiles(tuple(done), tuple(rejected), record if done else None)


def list_images(inputs: Sequence[Path], mask: Path) -> list[Path]:
    """The image files that inputs name, folders' in the order of their names; masks among them are left out.

    Raises:
        SynthharmError: an input or the mask is not there, a folder without images, or one mask for many images.
    """
    if not mask.exists():
        raise SynthharmError(f"{mask}: is no mask and no folder of masks: it does not exist")
    found: list[Path] = []
    for place in inputs:
        if place.is_dir():
            files = _images_in(place)
            names = {p.stem for p in files}
            beside = mask.is_dir() and mask.samefile(place)
            files = [
                p
                for p in files
                if not (mask.is_file() and p.samefile(mask))
                and not (beside and p.stem.endswith(MASK_ENDING) and p.stem.removesuffix(MASK_ENDING) in names)
            ]
            if not files:
                raise SynthharmError(f"{place}: has no images; accepted are {', '.join(sorted(EXTENSIONS))}")
            found += files
        elif place.is_file():
            found.append(place)
        else:
            raise SynthharmError(f"{place}: is no image and no folder of images: it does not exist")
    if len(found) > 1 and not mask.is_dir():
        raise SynthharmError(f"{mask}: is one mask for {len(found)} images; a folder of masks is accepted")
    return found


def find_masks(sources: Sequence[Path], mask: Path) -> list[Path | Unusable]:
    """The mask of each image: `mask` itself, or in that folder the file of its name, or so with "_mask" behind.

    In place of a mask, where there is none stands Unusable "no mask", and where there are several, "bad mask".
    """
    if not mask.is_dir():
        return [mask] * len(sources)
    there: dict[str, list[Path]] = {}
    for path in _images_in(mask):
        there.setdefault(path.stem, []).append(path)
    found: list[Path | Unusable] = []
    for source in sources:
        names = (source.stem, source.stem + MASK_ENDING)
        fitting = [path for name in names for path in there.get(name, ()) if not path.samefile(source)]
        if len(fitting) > 1:
            listed = ", ".join(sorted(path.name for path in fitting))
            found.append(Unusable(source.name, "bad mask", f"may be any of {listed}"))
        elif fitting:
            found.append(fitting[0])
        else:
            detail = f"{mask.name} has neither {names[0]} nor {names[1]} of an image format"
            found.append(Unusable(source.name, "no mask", detail))
    return found


@dataclass(frozen=True)
class _Task:
    """An image that is to be harmonized: its file, its mask's, and what will be written."""

    source: Path
    mask: Path
    path: Path

    def read(self, decode: Decode) -> tuple[Image, Mask, dict[str, Any]]:
        """The composite, its mask and how it was stored. Raises Unusable."""
        composite, encoding = decode(_read(self.source), self.source.name)
        alphas = decode_mask(_read(self.mask), self.mask.name)
        check_mask(alphas, composite.shape[:2], self.mask.name)
        return composite, alphas, encoding

    def done(self, harmonized: Harmonized, encoding: dict[str, Any]) -> HarmonizedFile:
        """What is noted once it is written."""
        found = harmonized.arguments, harmonized.predicted
        return HarmonizedFile(self.source, self.mask, self.path, *found, encoding)


def _plan(sources: Sequence[Path], mask: Path, paths: Sequence[Path]) -> list[_Task | Unusable]:
    """What is to be done for each image, or why nothing can be.

    Raises:
        SynthharmError: an output that is an input or a mask.
    """
    masks = find_masks(sources, mask)
    inputs = {_identity(path) for path in (*sources, *masks) if isinstance(path, Path)}
    for path in paths:
        if path.exists() and _identity(path) in inputs:
            raise SynthharmError(f"{path}: is an input and would be overwritten; another output is accepted")
    return [
        found if isinstance(found, Unusable) else _Task(source, found, path)
        for source, found, path in zip(sources, masks, paths, strict=True)
    ]


def _identity(path: Path) -> tuple[int, int]:
    """What a file is known by, whatever its path."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _images_in(folder: Path) -> list[Path]:
    """The image files of a folder by name, without those whose names begin with a dot."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()
    )


def _harmonize(
    source: Path,
    harmonizer: Harmonizer,
    composite: Image,
    mask: Mask,
    edits: Mapping[str, float],
    tile_pixels: int,
) -> Harmonized:
    try:
        return harmonize_image(harmonizer, composite, mask, edits, tile_pixels=tile_pixels)
    except SynthharmError as error:
        raise SynthharmError(f"{source}: {error}") from error


def _is_file(output: Path) -> bool:
    """Whether an output's name is that of a file, and not of a folder."""
    return output.suffix.lower() in EXTENSIONS and not output.is_dir()


def _outputs(
    sources: Sequence[Path], inputs: Sequence[Path], output: Path, format: Format | None
) -> tuple[list[Path], Format]:
    """Where each image is written, and in which format."""
    if _is_file(output):
        named = FORMATS.get(output.suffix.lower())
        if named is None or (format is not None and format != named):
            raise SynthharmError(
                f"{output}: cannot be written as {format or output.suffix}; "
                f"accepted are .png for png, and .jpg and .jpeg for jpeg"
            )
        if len(sources) > 1 or inputs[0].is_dir():
            raise SynthharmError(f"{output}: is a file, for folders or several images a folder is accepted")
        return [output], named
    if output.is_file():
        raise SynthharmError(
            f"{output}: is a file; accepted are a folder, and files that end with .png, .jpg, .jpeg"
        )
    chosen: Format = format or "png"
    paths = [output / f"{source.stem}{SUFFIXES[chosen]}" for source in sources]
    first: dict[Path, Path] = {}
    for source, path in zip(sources, paths, strict=True):
        if path in first:
            raise SynthharmError(f"{first[path]} and {source} would both be written to {path}")
        first[path] = source
    return paths, chosen


def _quality(quality: int | None, format: Format) -> int:
    if quality is not None and not 1 <= quality <= 100:
        raise SynthharmError(f"quality is {quality}; 1 to 100 is accepted")
    if quality is not None and format == "png":
        raise SynthharmError(f"quality is {quality}, which PNG does not have; accepted are none, or JPEG")
    return QUALITY if quality is None else quality


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(path.name, "missing", f"cannot be read: {error.strerror}") from error


def _record(
    harmonizer: Harmonizer, done: Sequence[HarmonizedFile], rejected: Sequence[Unusable], checkpoint: str
) -> dict[str, Any]:
    """What the record says; files by their names alone."""
    return {
        "checkpoint": checkpoint,
        "filters": list(harmonizer.config.filters),
        "statistics": harmonizer.config.statistics,
        "images": [
            {
                "image": file.path.name,
                "composite": file.source.name,
                "mask": file.mask.name,
                "encoding": file.encoding,
                "predicted": file.predicted,
                "used": file.arguments,
            }
            for file in done
        ],
        "rejected": [{"name": e.name, "reason": e.reason, "detail": e.detail} for e in rejected],
    }


def _earlier(record: Path) -> list[dict[str, Any]]:
    """What a record that is there says of each run that it knows, the last one first.

    Raises:
        SynthharmError: it is none.
    """
    if not record.exists():
        return []
    try:
        last = parse_json(record.read_bytes())
        runs = [last, *last.pop("earlier", [])]
        _ = [entry["image"] for run in runs for entry in run["images"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SynthharmError(f"{record}: is no record of harmonized images; another output is accepted") from error
    return runs


def _kept(earlier: Sequence[dict[str, Any]], done: Sequence[HarmonizedFile]) -> dict[str, Any]:
    """What earlier runs said of images that were not written anew."""
    written = {file.path.name for file in done}
    left = [run | {"images": [e for e in run["images"] if e["image"] not in written]} for run in earlier]
    kept = [run for run in left if run["images"]]
    return {"earlier": kept} if kept else {}
