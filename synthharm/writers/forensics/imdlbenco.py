"""The format `imdlbenco`: what the datasets of IMDL-BenCo read.

`ManiDataset` takes a split's folder and pairs the sorted files of Tp with those of Gt; `JsonDataset` takes a list
of pairs, whose paths it opens as they are, so they are absolute. Authentic images are "Negative" in the list and
have no mask: a black one would count as manipulated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthharm.files import atomic_file, parse_json
from synthharm.storage import as_path, is_remote
from synthharm.writers.forensics.item import About, Item, Items
from synthharm.writers.forensics.listed import check_splits, extra, json_array, read_items, suffix, write_items
from synthharm.writers.forensics.record import SplicingRecord


@dataclass(frozen=True)
class ImdlBencoFormat:
    """Images in <split>/Tp and <split>/Au, masks in <split>/Gt, and a list <split>.json.

    Args:
        root: the folder that the lists' paths begin with: where the dataset will lie in the end. None is the
            folder that it is written into.
    """

    root: Path | None = None
    name: str = "imdlbenco"

    def write(self, items: Items, folder: Path, about: About) -> None:
        """See `Format`."""
        check_splits(about.splits)
        root = (self.root or folder).absolute()
        with ExitStack() as stack:
            lists = {s: stack.enter_context(_pairs(folder / _list(s))) for s in about.splits}
            for split in about.splits:
                for name in ("Tp", "Gt", "Au"):  # the loader wants its folders even where they are empty
                    (folder / split / name).mkdir(parents=True)

            def note(item: Item) -> None:
                record = item.record
                mask = str(root / _place(record, "mask")) if record.manipulated else "Negative"
                lists[record.split]([str(root / _place(record, "image")), mask])

            write_items(items, folder, about.splits, _place, note)

    def read(self, folder: Path) -> Iterator[Item]:
        """See `Format`."""
        return read_items(folder, self.name, _place, lambda split: [_list(split)])


def wrong_lists(folder: Path) -> Iterator[str]:
    """Whether the lists of a dataset in this format name its own files: a line for each that does not."""
    for path in sorted(folder.glob("*.json")):
        if not (folder / path.stem).is_dir():
            continue  # it is no list
        try:
            elsewhere = sum(not _is_within(name, folder) for name in _named(path))
        except (OSError, ValueError, TypeError) as error:
            yield f"{path.name}: cannot be read: {error!r}"
            continue
        if elsewhere:
            detail = "was the dataset moved? then convert it again, for its loader wants absolute paths"
            yield f"{path.name}: names {elsewhere} files that are not in this folder: {detail}"


def _named(path: Path) -> Iterator[str]:
    """The files that a list names. It has a pair a line, as `json_array` writes it, or all in one."""
    with path.open("rb") as file:
        for line in file:
            if (entry := line.strip().removesuffix(b",")) not in (b"", b"[", b"]"):
                found = parse_json(entry)
                pairs = found if all(isinstance(pair, list) for pair in found) else [found]
                yield from (name for pair in pairs for name in pair if name != "Negative")


def _is_within(name: str, folder: Path) -> bool:
    if is_remote(folder):
        return name.startswith(f"{folder}/") and as_path(name).is_file()
    path = Path(name)
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def _list(split: str) -> str:
    return f"{split}.json"


@contextmanager
def _pairs(path: Path) -> Iterator[Callable[[Any], None]]:
    with atomic_file(path) as file:
        with json_array(file) as add:
            yield add
        file.write(b"\n")


def _place(record: SplicingRecord, role: str) -> str:
    if role == "image":
        return f"{record.split}/{'Tp' if record.manipulated else 'Au'}/{record.name}{suffix(record, role)}"
    if role == "mask":
        return f"{record.split}/Gt/{record.name}{suffix(record, role)}"
    return extra(record, role)
