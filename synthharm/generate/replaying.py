"""Making samples again from their records and the sources alone, and saying where a byte differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from synthharm.composites import Encoder, undo
from synthharm.composites.encoding import encode_png
from synthharm.errors import SynthharmError, Unusable
from synthharm.files import parse_json, sha256, write_atomically
from synthharm.filters import FilterChain
from synthharm.generate.dataset import RECIPE
from synthharm.generate.sample import library_versions
from synthharm.generate.sections import open_source
from synthharm.generate.threads import one_thread
from synthharm.masks import binarize, feather
from synthharm.recipe import AnyRecipe, Recipe, load_recipe
from synthharm.sources import Photo, PhotoEntry, RegionEntry, Source
from synthharm.storage import as_path, is_remote
from synthharm.writers import Record
from synthharm.writers.forensics import SplicingRecord

AnyRecord = Record | SplicingRecord


@dataclass(frozen=True)
class Replayed:
    """A sample as it was made again.

    Args:
        record: as it was read.
        files: the bytes made again, by path from the dataset's folder.
        differences: the files that are not as the record says, a line each; empty where every byte is.
        versions: the libraries that are not those that made the sample, a line each.
    """

    record: AnyRecord
    files: dict[str, bytes]
    differences: tuple[str, ...]
    versions: tuple[str, ...]


def replay_all(
    path: str | Path,
    data: str,
    *,
    sample: int | None = None,
    output: str | Path | None = None,
    recipe: str | Path | None = None,
) -> Iterator[Replayed]:
    """Make samples again, one after the other.

    Args:
        path: of a record (JSON), of many (JSON lines), or of a dataset's folder.
        data: the data root that they were made from.
        sample: the number of the only one wanted, or None for all.
        output: the folder or address to write their files to, at their places in the dataset; or None.
        recipe: of the dataset; looked for beside the records where it is None.

    Raises:
        SynthharmError: as `replay`, or there are no records or no recipe.
    """
    path = as_path(path)
    known = _load(as_path(recipe) if recipe else _recipe_beside(path), data)
    with one_thread():
        for record in read_records(path, sample):
            replayed = replay(record, known)
            if output is not None:
                _write(replayed, as_path(output))
            yield replayed


def replay(record: AnyRecord, recipe: AnyRecipe) -> Replayed:
    """Make a sample again.

    Args:
        record: of the sample.
        recipe: says where its sources are; nothing else of it is used.

    Raises:
        SynthharmError: a source is not there or has changed, or the record does not say what can be run.
    """
    place = f"sample {record.sample}"
    if isinstance(record, Record) != isinstance(recipe, Recipe):
        raise SynthharmError(f"{place}: the record is of another kind of dataset than the recipe")
    try:
        source = open_source(recipe)
        if isinstance(record, Record):
            made = _retouched(record, source)
        else:
            from synthharm.generate.splicing.replaying import spliced

            made = spliced(record, source)
        paths = {role: str(file["path"]) for role, file in record.files.items()}
        differences, versions = tuple(_differences(record, made)), tuple(_other_versions(record))
    except Unusable as error:
        raise SynthharmError(f"{place}: {error}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SynthharmError(f"{place}: its record cannot be run: {error!r}") from error
    files = {paths[role]: data for role, data in made.items() if role in paths}
    return Replayed(record, files, differences, versions)


def read_photo(source: Source, described: Mapping[str, Any]) -> Photo:
    """The photo that a record describes.

    Raises:
        SynthharmError: it has changed since.
        Unusable: it cannot be read.
    """
    entry = PhotoEntry(described["photo"], licence=described["licence"], attribution=described["attribution"])
    photo = source.read_photo(entry)
    if photo.sha256 != described["sha256"]:
        detail = f"sha256 is {photo.sha256}; the record was made from {described['sha256']}"
        raise SynthharmError(f"{photo.key}: has changed: {detail}")
    return photo


def read_records(path: Path, sample: int | None) -> Iterator[AnyRecord]:
    """Records from a file of one (JSON) or of many (JSON lines), or from a dataset's folder.

    Args:
        path: of the file or folder.
        sample: the number of the only one wanted, or None for all.

    Raises:
        SynthharmError: nothing is there, a line is no record, or no record is of that sample.
    """
    files = (
        sorted((path / "records").glob("*.jsonl"), key=lambda file: (len(file.name), file.name))
        if path.is_dir()
        else [path]
    )
    found = 0
    for file in files:
        for number, line in enumerate(_lines(file), 1):
            try:
                record = _parse(line)
            except ValueError as error:
                raise SynthharmError(f"record {file}: line {number}: {error}") from error
            if sample is None or record.sample == sample:
                found += 1
                yield record
    if not found:
        wanted = "record" if sample is None else f"record of sample {sample}"
        raise SynthharmError(f"record {path}: there is no {wanted}")


def _lines(file: Path) -> Iterator[bytes]:
    """The records in a file: its lines, or all of it. Raises SynthharmError where it cannot be read."""
    try:
        with file.open("rb") as stored:
            yield from stored if file.suffix == ".jsonl" else [stored.read()]
    except OSError as error:
        raise SynthharmError(f"record {file}: cannot be read: {error}") from error


def _parse(line: bytes) -> AnyRecord:
    found = parse_json(line.decode())
    spliced = isinstance(found, dict) and "edits" in found
    return SplicingRecord.from_json(line) if spliced else Record.from_json(line)


def _recipe_beside(path: Path) -> Path:
    for folder in [path] if path.is_dir() else [path.parent, path.parent.parent]:
        if (folder / RECIPE).is_file():
            return folder / RECIPE
    raise SynthharmError(f"{path}: no {RECIPE} is beside it; name one with --recipe")


def _load(path: Path, data: str) -> AnyRecipe:
    """A recipe; one behind an address is copied to this machine, without what it names beside itself."""
    if not is_remote(path):
        return load_recipe(path, [f"data={data}"])
    with TemporaryDirectory() as here:
        copy = Path(here) / RECIPE
        try:
            copy.write_bytes(path.read_bytes())
        except OSError as error:
            raise SynthharmError(f"recipe {path}: cannot be read: {error}") from error
        return load_recipe(copy, [f"data={data}"])


def _write(replayed: Replayed, output: Path) -> None:
    for place, content in replayed.files.items():
        try:
            write_atomically(_within(output, place), content)
        except (OSError, ValueError) as error:  # a name that no file can have, or that is a folder's
            raise SynthharmError(
                f"sample {replayed.record.sample}: {place!r} cannot be written: {error}"
            ) from error


def _within(output: Path, place: str) -> Path:
    """Where a file goes, which a record must not put anywhere else."""
    path = Path(place)
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise SynthharmError(f"record: the path {place!r} is not within the dataset's folder")
    return output / path


def _retouched(record: Record, source: Source) -> dict[str, bytes]:
    """The files of a retouched photo, by role."""
    photo, region = read_photo(source, record.source), record.region
    size = (photo.pixels.shape[0], photo.pixels.shape[1])
    entry = RegionEntry(0, region["id"], region["mask"], region["category"])
    mask = source.read_mask(PhotoEntry(photo.key), entry, size)
    if not region["soft"]:
        mask = binarize(mask)
    if region["feather"]:
        mask = feather(mask, region["feather"])
    chain = FilterChain(record.chain["filters"], record.chain["statistics"])
    encoder = Encoder(**record.encoder)
    values = [record.arguments[column] for column in chain.columns]
    composite = undo(photo.pixels, mask, chain, values, encoder.levels)
    return {"image": encoder.encode(composite), "mask": encode_png(mask), "real": encoder.encode(photo.pixels)}


def _differences(record: AnyRecord, made: Mapping[str, bytes]) -> Iterator[str]:
    for role in sorted(record.files.keys() | made.keys()):
        found = sha256(made[role]) if role in made else None
        wanted = record.files[role]["sha256"] if role in record.files else None
        if found != wanted:
            yield f"sample {record.sample}: {role}: sha256 is {found}; recorded was {wanted}"


def _other_versions(record: AnyRecord) -> Iterator[str]:
    here = library_versions()
    for name in sorted(record.versions.keys() | here.keys()):
        if record.versions.get(name) != here.get(name):
            yield f"sample {record.sample}: made with {name} {record.versions.get(name)}; here is {here.get(name)}"
