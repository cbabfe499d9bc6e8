"""A dataset in a format, with everything that belongs to it, there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from synthharm.errors import SynthharmError
from synthharm.files import json_text, parse_json, remove_folder, sync_folders, write_synced
from synthharm.storage import filesystem, is_remote
from synthharm.writers.checksums import Checksums, walk
from synthharm.writers.forensics.card import write_card
from synthharm.writers.forensics.croissant import CROISSANT, write_croissant
from synthharm.writers.forensics.item import About, Format, Item, Items, Stored
from synthharm.writers.forensics.loading import SNIPPETS
from synthharm.writers.forensics.overview import Adding, Overview
from synthharm.writers.forensics.records import RECORDS
from synthharm.writers.sorting import Sorter
from synthharm.yamlfile import dump_yaml

RECIPE, SUMMARY, MARK, SUMS = "recipe.yaml", "dataset.json", "format.json", "SHA256SUMS"
COMMAND = "# synthharm generate recipe.yaml --set data=FOLDER --output FOLDER\n"
MARK_VERSION = 1
SENT = 256  # files that are sent at a time


def export(form: Format, items: Items, output: Path, about: About, pictures: bool = True) -> None:
    """Write a dataset in a format, its card, descriptions and checksums, aside, and give it its name at the end.

    Behind an address a folder has no name to be given: there the dataset is written on this machine first, and
    then sent file by file, its checksums last.

    Args:
        form: the format.
        items: the samples; they are gone through once.
        output: the folder: not there yet, or empty.
        about: the dataset as a whole.
        pictures: whether the card has pictures; that of records alone has none.

    Raises:
        SynthharmError: the folder is not empty, another run is writing it, or the samples do not fit the format.
    """
    output = output.absolute()
    _check_free(output)
    if is_remote(output):
        with TemporaryDirectory() as here:
            aside = Path(here) / "dataset"
            aside.mkdir()
            _write(form, items, aside, about, pictures)
            _send(aside, output)
        return
    aside = output.with_name(f".{output.name}.part")
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        aside.mkdir()
    except FileExistsError:
        detail = "another run is writing there, or was stopped; then remove it"
        raise SynthharmError(f"{aside}: is there already: {detail}") from None
    try:
        _sync(aside, _write(form, items, aside, about, pictures))
        aside.rename(output)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    sync_folders([output.parent])


def detect_format(folder: Path) -> str:
    """The name of the format that a folder written by `export` holds.

    Raises:
        SynthharmError: it holds none that is known.
    """
    path = folder / MARK
    try:
        mark = parse_json(path.read_bytes())
    except FileNotFoundError:
        raise SynthharmError(f"{path}: is not there; a folder with a dataset in a known format has it") from None
    except (OSError, ValueError) as error:
        raise SynthharmError(f"{path}: cannot be read: {error}") from error
    name = mark.get("format") if isinstance(mark, dict) else None
    if not isinstance(name, str) or name not in SNIPPETS or mark.get("version") != MARK_VERSION:
        accepted = f"one of {', '.join(SNIPPETS)} in version {MARK_VERSION}"
        raise SynthharmError(f"{path}: says {mark!r}; accepted is {accepted}")
    return name


def _check_free(output: Path) -> None:
    if is_remote(output):
        if next(walk(output), None) is not None:
            raise SynthharmError(f"{output}: is not empty; accepted is a folder that is not there yet, or empty")
        return
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise SynthharmError(f"{output}: is no folder; accepted is one that is not there yet, or empty")
    if output.is_dir() and any(output.iterdir()):
        raise SynthharmError(f"{output}: is not empty; accepted is a folder that is not there yet, or empty")


def _write(form: Format, items: Items, folder: Path, about: About, pictures: bool) -> list[str]:
    """Write a dataset with all that goes with it, in one pass; gives the files that are no sample's."""
    adding = Adding()
    with Sorter(folder.parent) as rows:
        sums = Checksums(rows)

        def watched() -> Iterator[Item]:
            for item in items():
                adding.add(item)
                record = item.record
                files = {
                    role: _Noted(stored, folder, sums, str(record.files[role]["sha256"]))
                    if role in record.files
                    else stored
                    for role, stored in item.files.items()
                }
                yield Item(record, files)

        form.write(watched, folder, about)
        _describe(form.name, adding.numbers(), folder, about, pictures and form.name != RECORDS, sums)
        return [*sums.others, SUMS]


@dataclass(frozen=True)
class _Noted:
    """A file whose checksum is noted where it is put."""

    stored: Stored
    folder: Path
    sums: Checksums
    sha256: str

    def read(self) -> bytes:
        """See `Stored`."""
        return self.stored.read()

    def place(self, path: Path) -> None:
        """See `Stored`."""
        self.stored.place(path)
        self.sums.note(path.relative_to(self.folder).as_posix(), self.sha256)


def _describe(form: str, numbers: Overview, folder: Path, about: About, pictures: bool, sums: Checksums) -> None:
    """Write what goes with the samples: recipe, numbers, card, attributions, description and checksums."""
    write_synced(folder / RECIPE, (COMMAND + dump_yaml(about.recipe)).encode())
    for name, content in about.beside.items():
        write_synced(folder / name, content)
    write_synced(folder / SUMMARY, json_text(about.summary))
    write_synced(folder / MARK, json_text({"format": form, "version": MARK_VERSION}))
    write_card(folder, form, numbers, about, pictures)
    sums.read_others(folder)
    write_croissant(folder, form, numbers, about, sums)
    sums.read(folder, CROISSANT)
    with (folder / SUMS).open("wb") as file:
        sums.write(file)


def _sync(folder: Path, others: Sequence[str]) -> None:
    """Flush every folder to the disk, and all files but samples': those were flushed when they were made."""
    for path in others:
        descriptor = os.open(folder / path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    sync_folders(Path(parent) for parent, _, _ in os.walk(folder))


def _send(folder: Path, output: Path) -> None:
    """Send a folder's files to where they belong, the checksums last, several at a time."""
    system, name = filesystem(output)
    try:
        paths = (path for path in walk(folder) if path != SUMS)
        while batch := list(islice(paths, SENT)):
            system.put([str(folder / path) for path in batch], [f"{name}/{path}" for path in batch])
        system.put_file(str(folder / SUMS), f"{name}/{SUMS}")
    except BaseException:
        remove_folder(output)
        raise
