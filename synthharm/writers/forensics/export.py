"""A dataset in a format, with everything that belongs to it, there whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from synthharm.errors import SynthharmError
from synthharm.files import all_files, json_text, parse_json, sha256_file, sync_folders, write_synced
from synthharm.writers.forensics.card import write_card
from synthharm.writers.forensics.croissant import CROISSANT, write_croissant
from synthharm.writers.forensics.item import About, Format, Items
from synthharm.writers.forensics.loading import SNIPPETS
from synthharm.writers.forensics.overview import overview
from synthharm.writers.forensics.records import RECORDS
from synthharm.yamlfile import dump_yaml

RECIPE, SUMMARY, MARK, SUMS = "recipe.yaml", "dataset.json", "format.json", "SHA256SUMS"
COMMAND = "# synthharm generate recipe.yaml --set data=FOLDER --output FOLDER\n"
MARK_VERSION = 1


def export(form: Format, items: Items, output: Path, about: About, pictures: bool = True) -> None:
    """Write a dataset in a format, its card, descriptions and checksums, aside, and give it its name at the end.

    Args:
        form: the format.
        items: the samples.
        output: the folder: not there yet, or empty.
        about: the dataset as a whole.
        pictures: whether the card has pictures; that of records alone has none.

    Raises:
        SynthharmError: the folder is not empty, another run is writing it, or the samples do not fit the format.
    """
    output = output.absolute()
    _check_free(output)
    aside = output.with_name(f".{output.name}.part")
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        aside.mkdir()
    except FileExistsError:
        detail = "another run is writing there, or was stopped; then remove it"
        raise SynthharmError(f"{aside}: is there already: {detail}") from None
    try:
        form.write(items, aside, about)
        _describe(form.name, items, aside, about, pictures and form.name != RECORDS)
        _sync(aside)
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
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        raise SynthharmError(f"{output}: is no folder; accepted is one that is not there yet, or empty")
    if output.is_dir() and any(output.iterdir()):
        raise SynthharmError(f"{output}: is not empty; accepted is a folder that is not there yet, or empty")


def _describe(form: str, items: Items, folder: Path, about: About, pictures: bool) -> None:
    """Write what goes with the samples: recipe, numbers, card, attributions, description and checksums."""
    numbers = overview(items)
    write_synced(folder / RECIPE, (COMMAND + dump_yaml(about.recipe)).encode())
    for name, content in about.beside.items():
        write_synced(folder / name, content)
    write_synced(folder / SUMMARY, json_text(about.summary))
    write_synced(folder / MARK, json_text({"format": form, "version": MARK_VERSION}))
    write_card(folder, form, numbers, about, pictures)
    sums = {path: sha256_file(folder / path) for path in all_files(folder)}
    write_croissant(folder, form, numbers, about, sums)
    sums[CROISSANT] = sha256_file(folder / CROISSANT)
    with (folder / SUMS).open("wb") as file:
        file.writelines(f"{sums[path]}  {path}\n".encode() for path in sorted(sums))


def _sync(folder: Path) -> None:
    """Flush every file and every folder to the disk."""
    folders = {folder}
    for path in all_files(folder):
        descriptor = os.open(folder / path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        folders.update(parent for parent in (folder / path).parents if parent.is_relative_to(folder))
    sync_folders(sorted(folders))
