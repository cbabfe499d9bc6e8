"""Making a sample again from its record and the sources alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from synthharm.composites.history.steps import Save, Step
from synthharm.composites.manipulation.edits import Edit
from synthharm.errors import SynthharmError, Unusable
from synthharm.files import write_atomically
from synthharm.generate.dataset import RECIPE
from synthharm.generate.sample import library_versions
from synthharm.generate.sections import open_source
from synthharm.generate.splicing.draft import Draft
from synthharm.generate.splicing.layout import Member, UnitKind
from synthharm.generate.splicing.sample import Origin, SplicingSample, finish_sample
from synthharm.generate.threads import one_thread
from synthharm.masks import binarize
from synthharm.recipe import SplicingRecipe, load_recipe
from synthharm.sources import Photo, PhotoEntry, RegionEntry, Source
from synthharm.writers.forensics.record import SplicingRecord


@dataclass(frozen=True)
class Replayed:
    """A sample as it was made again.

    Args:
        record: as it was read.
        files: the bytes made again, by path.
        differences: what is not as the record says, a line each; empty where every byte is.
    """

    record: SplicingRecord
    files: dict[str, bytes]
    differences: tuple[str, ...]


def replay_all(
    path: Path, data: str, *, sample: int | None = None, output: Path | None = None, recipe: Path | None = None
) -> Iterator[Replayed]:
    """Make samples again, one after the other.

    Args:
        path: of a record, of many, or of a dataset's folder.
        data: the data root that they were made from.
        sample: the number of the only one wanted, or None for all.
        output: where to write their files, at their places in the dataset; or None.
        recipe: of the dataset; looked for beside the records where it is None.

    Raises:
        SynthharmError: as `replay`, or there are no records or no recipe.
    """
    path = Path(path)
    known = load_recipe(recipe or _recipe_beside(path), [f"data={data}"])
    if not isinstance(known, SplicingRecipe):
        raise SynthharmError(f"recipe {recipe}: has no kinds; that of a splicing dataset is accepted")
    with one_thread():
        for record in read_records(path, sample):
            replayed = replay(record, known)
            if output is not None:
                for place, content in replayed.files.items():
                    write_atomically(output / place, content)
            yield replayed


def _recipe_beside(path: Path) -> Path:
    folders = [path] if path.is_dir() else [path.parent, path.parent.parent]
    for folder in folders:
        if (folder / RECIPE).is_file():
            return folder / RECIPE
    raise SynthharmError(f"{path}: no {RECIPE} is beside it; name one with --recipe")


def replay(record: SplicingRecord, recipe: SplicingRecipe) -> Replayed:
    """Make a sample again.

    Args:
        record: of the sample.
        recipe: says where its sources are; nothing else of it is used.

    Raises:
        SynthharmError: a source is not there or has changed, or the record does not say what can be run.
    """
    place = f"sample {record.sample}"
    try:
        source = open_source(recipe)
        photos = [_read_photo(source, described) for described in record.photos]
        edits = [msgspec.convert(edit, Edit) for edit in record.edits]
        steps = [msgspec.convert(step, Step) for step in record.history[:-1]]
        save: Save = msgspec.convert(record.history[-1], Save)
        draft = _draft(source, photos, edits)
        made = finish_sample(_origin(record), draft, steps, save, float(record.image["boundary"]))
    except Unusable as error:
        raise SynthharmError(f"{place}: {error}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise SynthharmError(f"{place}: its record cannot be run: {error!r}") from error
    return Replayed(record, made.files, tuple(_differences(record, made)))


def _read_photo(source: Source, described: dict[str, str]) -> Photo:
    entry = PhotoEntry(described["photo"], licence=described["licence"], attribution=described["attribution"])
    photo = source.read_photo(entry)
    if photo.sha256 != described["sha256"]:
        detail = f"sha256 is {photo.sha256}; the record was made from {described['sha256']}"
        raise SynthharmError(f"{photo.key}: has changed: {detail}")
    return photo


def _draft(source: Source, photos: list[Photo], edits: list[Edit]) -> Draft:
    draft = Draft(tuple(photos), tuple(range(len(photos))), (), (), Draft.of(photos[0], 0).done)
    for edit in edits:
        region = edit.region
        photo = photos[region.photo]
        size = (photo.pixels.shape[0], photo.pixels.shape[1])
        entry = RegionEntry(region.photo, region.id, region.mask, region.category)
        mask = source.read_mask(PhotoEntry(photo.key), entry, size)
        draft = draft.with_edit(edit, binarize(mask))
    return draft


def _origin(record: SplicingRecord) -> Origin:
    unit = record.unit
    member = Member(record.kind, unit["role"], unit["value"])
    kind = UnitKind(unit["type"], (member,), unit["factor"])
    return Origin(
        record.sample, unit["number"], unit["attempt"], kind, member, record.split, record.seed, unit["history"]
    )


def _differences(record: SplicingRecord, made: SplicingSample) -> Iterator[str]:
    for role in sorted(record.files.keys() | made.record.files.keys()):
        wanted, found = record.files.get(role), made.record.files.get(role)
        if wanted is None or found is None or wanted["sha256"] != found["sha256"]:
            sums = [None if one is None else one["sha256"] for one in (found, wanted)]
            yield f"sample {record.sample}: {role}: sha256 is {sums[0]}; recorded was {sums[1]}"
    here = library_versions()
    for name in sorted(record.versions.keys() | here.keys()):
        if record.versions.get(name) != here.get(name):
            yield f"sample {record.sample}: made with {name} {record.versions.get(name)}; here is {here.get(name)}"


def read_records(path: Path, sample: int | None) -> Iterator[SplicingRecord]:
    """Records from a file of one (JSON) or of many (JSON lines), or from a dataset's folder.

    Args:
        path: of the file or folder.
        sample: the number of the only one wanted, or None for all.

    Raises:
        SynthharmError: nothing is there, a line is no record, or no record is of that sample.
    """
    files = sorted((path / "records").glob("*.jsonl")) if path.is_dir() else [path]
    found = 0
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SynthharmError(f"record {file}: cannot be read: {error}") from error
        for number, line in enumerate(text.splitlines() if file.suffix == ".jsonl" else [text], 1):
            try:
                record = SplicingRecord.from_json(line)
            except ValueError as error:
                raise SynthharmError(f"record {file}: line {number}: {error}") from error
            if sample is None or record.sample == sample:
                found += 1
                yield record
    if not found:
        wanted = "record" if sample is None else f"record of sample {sample}"
        raise SynthharmError(f"record {path}: there is no {wanted}")
