"""Harmonizing image files: one, or folders of them, each with its mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from synthharm.errors import SynthharmError, Unusable
from synthharm.files import json_text, write_atomically
from synthharm.harmonizer.full_size import TILE_PIXELS, Image, check_edits, harmonize_image
from synthharm.harmonizer.network import Harmonizer
from synthharm.masks import check_mask, decode_mask

Format = Literal["png", "jpeg"]
Decode = Callable[[bytes, str], tuple[Image, dict[str, Any]]]

FORMATS: dict[str, Format] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
SUFFIXES: dict[Format, str] = {"png": ".png", "jpeg": ".jpg"}
READ = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".gif", ".ppm", ".mpo")
MASK_ENDING = "_mask"  # of the name of a mask that lies beside other files
RECORD = "arguments.json"
PNG_COMPRESSION = 3


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
    quality: int = 95,
    checkpoint: str = "",
    tile_pixels: int = TILE_PIXELS,
) -> HarmonizedFiles:
    """Harmonize image files, and write beside them with which arguments.

    A file that cannot be used is listed with its reason, and the run goes on. What is written is 8-bit sRGB,
    upright, and whole or not there at all.

    Args:
        harmonizer: the network, in evaluation mode, on any device.
        inputs: image files, and folders whose image files are taken (not those of folders in them).
        mask: the one input's mask; or a folder with one for each, named as the image, or so with "_mask" behind.
        output: a file (.png, .jpg, .jpeg) for one image; else a folder, in which files are named as the inputs.
        edits: arguments by name that take the place of what is predicted.
        decode: how a photo's bytes and name become RGB (H, W, 3) and its encoding, as
            `synthharm.sources.decode_photo` does it.
        format: "png" or "jpeg"; by default as the output's name says, and PNG in a folder.
        quality: of JPEG, 1 to 100.
        checkpoint: what the record calls the network.
        tile_pixels: see `apply_in_tiles`.

    Raises:
        SynthharmError: inputs or masks that are not there, outputs that would overwrite an input, a mask or each
            other, or a network whose predictions are not numbers.
        ValueError: edits that the chain does not take.
    """
    edits = check_edits(harmonizer.chain, edits)
    if not 1 <= quality <= 100:
        raise SynthharmError(f"quality is {quality}; 1 to 100 is accepted")
    sources = list_images(inputs, mask)
    paths, chosen = _outputs(sources, inputs, output, format)
    done, rejected = [], []
    for source, path in zip(sources, paths, strict=True):
        try:
            found = find_mask(source, mask)
            _check_target(path, [*sources, found])
            composite, encoding = decode(_read(source), source.name)
            alphas = decode_mask(_read(found), found.name)
            check_mask(alphas, composite.shape[:2], found.name)
        except Unusable as error:
            rejected.append(error)
            continue
        harmonized = harmonize_image(harmonizer, composite, alphas, edits, tile_pixels=tile_pixels)
        write_atomically(path, encode(harmonized.image, chosen, quality))
        done.append(HarmonizedFile(source, found, path, harmonized.arguments, harmonized.predicted, encoding))
    record = None
    if done:
        record = output.with_name(f"{output.stem}.{RECORD}") if _is_file(output) else output / RECORD
        write_atomically(record, json_text(_record(harmonizer, done, rejected, checkpoint)))
    return HarmonizedFiles(tuple(done), tuple(rejected), record)


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
            files = sorted(p for p in place.iterdir() if p.suffix.lower() in READ and p.is_file())
            names = {p.stem for p in files}
            beside = mask.is_dir() and mask.samefile(place)
            files = [
                p
                for p in files
                if not (mask.is_file() and p.samefile(mask))
                and not (beside and p.stem.endswith(MASK_ENDING) and p.stem.removesuffix(MASK_ENDING) in names)
            ]
            if not files:
                raise SynthharmError(f"{place}: has no images; accepted are {', '.join(READ)}")
            found += files
        elif place.is_file():
            found.append(place)
        else:
            raise SynthharmError(f"{place}: is no image and no folder of images: it does not exist")
    if len(found) > 1 and not mask.is_dir():
        raise SynthharmError(f"{mask}: is one mask for {len(found)} images; a folder of masks is accepted")
    return found


def find_mask(source: Path, mask: Path) -> Path:
    """The mask of an image: `mask` itself, or in that folder the file of its name, or so with "_mask" behind.

    Raises:
        Unusable: "no mask" where there is none, and "bad mask" where there are several.
    """
    if not mask.is_dir():
        return mask
    names = (source.stem, source.stem + MASK_ENDING)
    found = sorted(
        path
        for path in mask.iterdir()
        if path.stem in names and path.suffix.lower() in READ and path.is_file() and not path.samefile(source)
    )
    if not found:
        raise Unusable(
            source.name, "no mask", f"{mask.name} has neither {names[0]} nor {names[1]} of an image format"
        )
    if len(found) > 1:
        raise Unusable(source.name, "bad mask", f"may be any of {', '.join(path.name for path in found)}")
    return found[0]


def encode(image: Image, format: Format, quality: int = 95) -> bytes:
    """An RGB image (H, W, 3) as the bytes of a PNG, or of a JPEG whose colours have the full resolution.

    Example:
        >>> import numpy as np
        >>> encode(np.zeros((4, 4, 3), np.uint8), "png")[1:4]
        b'PNG'
    """
    import cv2

    settings = [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION]
    if format == "jpeg":
        sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    stored: Any = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(SUFFIXES[format], stored, settings)
    if not done:
        raise SynthharmError(
            f"an image of {image.shape[1]} x {image.shape[0]} pixels cannot be stored as {format}"
        )
    encoded: bytes = data.tobytes()
    return encoded


def _is_file(output: Path) -> bool:
    """Whether an output's name is that of a file, and not of a folder."""
    return output.suffix.lower() in (*FORMATS, *READ) and not output.is_dir()


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
    for number, path in enumerate(paths):
        if path in paths[:number]:
            first = sources[paths.index(path)]
            raise SynthharmError(f"{first} and {sources[number]} would both be written to {path}")
    for path in paths:
        _check_target(path, sources)
    return paths, chosen


def _check_target(path: Path, inputs: Sequence[Path]) -> None:
    """Refuse to overwrite an input or a mask."""
    for given in inputs if path.exists() else ():
        if given.exists() and path.samefile(given):
            raise SynthharmError(f"{path}: is an input and would be overwritten; another output is accepted")


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
