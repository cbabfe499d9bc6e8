"""Composites with their masks and real images, from whatever layout of folders they lie in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError, Unusable
from synthharm.filters import FilterChain
from synthharm.filters.pixels import Statistics
from synthharm.generate import Dataset
from synthharm.imagefile import EXTENSIONS, decode, reduce_depth
from synthharm.masks import check_mask, decode_mask
from synthharm.sources import read_file

COMPOSITES, MASKS, REALS = ("comp", "composites"), ("mask", "masks"), ("image", "images", "real", "reals")
ACCEPTED = (
    "accepted are a dataset of synthharm, iHarmony4's layout (IHD_<split>.txt, or <subset>/<subset>_<split>.txt), "
    "and the folders comp or composites, mask or masks, and for real images image or images"
)
_ROOT_LIST = re.compile(r"IHD_(?P<split>[A-Za-z0-9]+)\.txt")
_SUBSET_LIST = re.compile(r"(?P<subset>.+)_(?P<split>[A-Za-z0-9]+)\.txt")


@dataclass(frozen=True)
class Pair:
    """A composite, and what it should look like where that is known.

    Attributes:
        name: the composite's path from the set's folder, unique in the set.
        subset: "HCOCO" in iHarmony4's layout, the kind of a sample of a splicing dataset, "" where there is none.
        composite: uint8 RGB (H, W, 3).
        mask: uint8 (H, W), alpha: 255 where the foreground is.
        real: uint8 RGB (H, W, 3), or None where no real image is known.
        chain: the filters that harmonize the composite, or None where that is not known.
        arguments: by column, the ones with which they do; None where `chain` is.
    """

    name: str
    subset: str
    composite: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    real: NDArray[np.uint8] | None
    chain: FilterChain | None
    arguments: dict[str, float] | None


@dataclass(frozen=True)
class Entry:
    """A pair that is listed and not read yet: paths from the set's folder, and what is known of it.

    Attributes:
        name: see `Pair`.
        subset: see `Pair`.
        composite: the path of its file.
        mask: the path of its file.
        real: the path of its file, or None.
        filters: the names of the chain's filters, or None where it is not known.
        statistics: of the chain.
        arguments: in the order of the chain's columns.
        problem: why nothing can be read, which `Pairs` says when it is asked for the pair; else "".
    """

    name: str
    subset: str
    composite: str
    mask: str
    real: str | None = None
    filters: tuple[str, ...] | None = None
    statistics: Statistics = "image"
    arguments: tuple[float, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Pairs:
    """A sequence of pairs that are read when they are asked for; it can be pickled, and sent to workers.

    Attributes:
        root: the folder that they lie in.
        entries: what is read, in order.
        splits: the names of all splits that the folder has, sorted, whichever the pairs are of; () without any.
    """

    root: Path
    entries: tuple[Entry, ...]
    splits: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, place: int) -> Pair:
        """Read a pair. Values are taken as stored: colour profiles are not applied, and alpha is dropped.

        Images of 16 bits, as datasets in the format png16 have them, are rounded to the nearest of 256 levels.

        Raises:
            Unusable: a file is missing, broken, outside the folder, or not of the composite's size, or the mask
                has no foreground; it names the file.
            IndexError: there is no such pair.
        """
        entry = self.entries[place]
        if entry.problem:
            raise Unusable(entry.name, "bad entry", entry.problem)
        composite = _read_image(self.root, entry.composite)
        mask = decode_mask(read_file(self.root, entry.mask), entry.mask)
        check_mask(mask, composite.shape[:2], entry.mask)
        real = None if entry.real is None else _read_image(self.root, entry.real)
        if real is not None and real.shape != composite.shape:
            found, wanted = (f"{image.shape[1]} x {image.shape[0]}" for image in (real, composite))
            raise Unusable(entry.real or "", "real size", f"{found} pixels; its composite has {wanted}")
        chain, arguments = None, None
        if entry.filters is not None:
            chain = _chain(entry.filters, entry.statistics)
            arguments = dict(zip(chain.columns, entry.arguments, strict=True))
        return Pair(entry.name, entry.subset, composite, mask, real, chain, arguments)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each pair, in order."""
        return tuple(entry.name for entry in self.entries)

    @property
    def subsets(self) -> tuple[str, ...]:
        """The different subsets, sorted; ("",) where there are none."""
        return tuple(sorted({entry.subset for entry in self.entries}))

    @property
    def chains(self) -> tuple[FilterChain, ...]:
        """The different chains whose arguments are known, in the order of the pairs."""
        known = dict.fromkeys((one.filters, one.statistics) for one in self.entries if one.filters is not None)
        return tuple(_chain(filters, statistics) for filters, statistics in known if filters is not None)

    def spread(self, count: int) -> Pairs:
        """At most `count` of the pairs, evenly spread over them, in their order.

        Raises:
            ValueError: a count below 1.

        Example:
            >>> pairs = Pairs(Path(), tuple(Entry(name, "", name, name) for name in "abcdefgh"))
            >>> pairs.spread(3).names
            ('a', 'c', 'f')
        """
        if count < 1:
            raise ValueError(f"count is {count}; 1 or more is accepted")
        if count >= len(self):
            return self
        return replace(self, entries=tuple(self.entries[i * len(self) // count] for i in range(count)))


def open_pairs(folder: str | Path, split: str | None = None) -> Pairs:
    """List the composites of a folder with their masks and real images; no image is opened.

    Accepted are:

    - a dataset of synthharm in either layout, whose records know the true arguments; of a splicing dataset the
      samples that something was done to, with their alpha, and without real images;
    - iHarmony4's layout: `IHD_<split>.txt` with paths, or `<subset>/<subset>_<split>.txt` with names, of
      composites `<subset>/composite_images/<image>_<foreground>_<k>.jpg`, whose masks are
      `masks/<image>_<foreground>.png` and real images `real_images/<image>.jpg` (with other suffixes where that
      is what exists); or one subset's folder;
    - folders `comp`, `mask` and `image` (or `composites`, `masks`, `images`) whose files have the same names, with
      the same suffix or another one;
    - such folders without real images.

    A composite that is listed twice is one pair.

    Args:
        folder: where they lie.
        split: which of the splits; None for all of them.

    Raises:
        SynthharmError: another layout, an unknown split, or nothing is listed.
    """
    root = Path(folder)
    if not root.is_dir():
        raise SynthharmError(f"{folder}: is not a folder; {ACCEPTED}")
    splits: Sequence[str] = ()
    if Dataset(root).begun:
        listed, splits = _of_dataset(Dataset(root), split)
    elif lists := _lists(root):
        splits = sorted({name for _, name, _ in lists})
        chosen = _choose(root, split, splits)
        listed = [entry for path, name, place in lists if name in chosen for entry in _of_list(root, path, place)]
    else:
        listed = _of_folders(root, split)
    entries = tuple({entry.name: entry for entry in reversed(listed)}.values())[::-1]
    if not entries:
        raise SynthharmError(f"{folder}: lists no composite" + (f" in the split {split!r}" if split else ""))
    return Pairs(root, entries, tuple(splits))


@cache
def _chain(filters: tuple[str, ...], statistics: Statistics) -> FilterChain:
    return FilterChain(filters, statistics)


def _read_image(root: Path, path: str) -> NDArray[np.uint8]:
    file = decode(read_file(root, path), path)
    if file.deep is None:
        return np.array(file.image.convert("RGB"))
    deep = file.deep if file.deep.ndim == 3 else np.repeat(file.deep[..., None], 3, axis=2)
    return reduce_depth(deep[..., :3])


def _choose(root: Path, split: str | None, splits: Sequence[str]) -> Sequence[str]:
    if split is None:
        return splits
    if split not in splits:
        raise SynthharmError(f"{root}: has no split {split!r}; there are {', '.join(splits) or 'none'}")
    return [split]


def _of_dataset(dataset: Dataset, split: str | None) -> tuple[list[Entry], list[str]]:
    """The entries of a split, or of all, and the names of all splits."""
    splicing = "kinds" in dataset.recipe
    listed = []
    try:
        for name, entry in _of_splicing_records(dataset) if splicing else _of_records(dataset):
            listed.append((name, entry))
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise SynthharmError(f"{dataset.folder}: one of its records is not as a record is: {error!r}") from error
    splits = sorted({name for name, _ in listed})
    chosen = _choose(dataset.folder, split, splits)
    return [entry for name, entry in listed if name in chosen], splits


def _of_records(dataset: Dataset) -> Iterator[tuple[str, Entry]]:
    for record in dataset.records():
        paths = {role: str(record.files[role]["path"]) for role in ("image", "mask", "real")}
        filters, statistics = tuple(record.chain["filters"]), record.chain["statistics"]
        arguments = tuple(float(record.arguments[column]) for column in _chain(filters, statistics).columns)
        place = PurePosixPath(paths["image"]).parts
        entry = Entry(
            name=paths["image"],
            subset=place[0] if len(place) > 2 else "",  # the layout iharmony4 has one
            composite=paths["image"],
            mask=paths["mask"],
            real=paths["real"],
            filters=filters,
            statistics=statistics,
            arguments=arguments,
        )
        yield record.split, entry


def _of_splicing_records(dataset: Dataset) -> Iterator[tuple[str, Entry]]:
    from synthharm.generate.splicing.stored import records

    for record in records(dataset):
        if record.manipulated:
            image, alpha = str(record.files["image"]["path"]), str(record.files["alpha"]["path"])
            yield record.split, Entry(name=image, subset=record.kind, composite=image, mask=alpha)


def _lists(root: Path) -> list[tuple[Path, str, str | None]]:
    """iHarmony4's lists: each with its split and the folder its names are in, None where it has paths."""
    at_root = [(path, found["split"], None) for path, found in _matching(root, _ROOT_LIST)]
    if at_root:
        return list(at_root)
    if (root / "composite_images").is_dir():
        return [(path, found["split"], ".") for path, found in _matching(root, _SUBSET_LIST)]
    return [
        (path, found["split"], folder.name)
        for folder in sorted(path for path in root.iterdir() if path.is_dir())
        for path, found in _matching(folder, _SUBSET_LIST)
        if found["subset"] == folder.name
    ]


def _matching(folder: Path, pattern: re.Pattern[str]) -> list[tuple[Path, re.Match[str]]]:
    found = ((path, pattern.fullmatch(path.name)) for path in sorted(folder.iterdir()) if path.is_file())
    return [(path, match) for path, match in found if match]


def _of_list(root: Path, path: Path, place: str | None) -> Iterator[Entry]:
    """The composites of one of iHarmony4's lists; a line that names none is an entry that says so."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SynthharmError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    known: dict[PurePosixPath, dict[str, list[str]]] = {}
    found = _SUBSET_LIST.fullmatch(path.name)
    for number, line in enumerate(lines, 1):
        text = line.strip().replace("\\", "/")
        if not text:
            continue
        composite = PurePosixPath(text)
        if place is not None:
            composite = PurePosixPath(place, "composite_images", composite.name)
        parts = composite.stem.rsplit("_", 2)
        if not (len(parts) == 3 and all(parts) and len(composite.parts) > 1) or ".." in composite.parts:
            problem = f"{text!r}; accepted is <subset>/composite_images/<image>_<foreground>_<k>.<suffix>"
            name = f"{path.relative_to(root).as_posix()} line {number}"
            yield Entry(name, "", "", "", problem=problem)
            continue
        image, foreground, _ = parts
        above = composite.parent.parent
        mask, twice = _beside(root, known, above / "masks", f"{image}_{foreground}", ".png")
        real, again = _beside(root, known, above / "real_images", image, ".jpg")
        subset = found["subset"] if place == "." and found else above.name
        name = composite.as_posix()
        yield Entry(name, subset, name, mask, real, problem=twice or again)


def _beside(
    root: Path, known: dict[PurePosixPath, dict[str, list[str]]], folder: PurePosixPath, stem: str, suffix: str
) -> tuple[str, str]:
    """The path of a folder's file with a stem, and why it cannot be told, if so.

    Args:
        root: the set's folder.
        known: what folders were listed already; added to.
        folder: from the root.
        stem: of the file.
        suffix: which is taken before any other; the path has it too where there is no file at all.
    """
    if folder not in known:
        files = known[folder] = {}
        below = root / folder
        for name in sorted(path.name for path in below.iterdir()) if below.is_dir() else []:
            if PurePosixPath(name).suffix.lower() in EXTENSIONS:
                files.setdefault(PurePosixPath(name).stem, []).append(name)
    names = known[folder].get(stem, [])
    if len(names) == 1 or f"{stem}{suffix}" in names:
        return str(folder / (names[0] if len(names) == 1 else f"{stem}{suffix}")), ""
    problem = f"{folder} has {' and '.join(names)}; accepted is one of them" if names else ""
    return str(folder / f"{stem}{suffix}"), problem


def _of_folders(root: Path, split: str | None) -> list[Entry]:
    below = {path.name for path in root.iterdir() if path.is_dir()}
    chosen: list[str | None] = []
    for what, names in (("composites", COMPOSITES), ("masks", MASKS), ("real images", REALS)):
        there = [name for name in names if name in below]
        if len(there) > 1:
            raise SynthharmError(f"{root}: has {' and '.join(there)}, both for {what}; accepted is one of them")
        chosen.append(there[0] if there else None)
    composites, masks, reals = chosen
    if composites is None or masks is None:
        found = sorted(path.name + "/" * path.is_dir() for path in root.iterdir())
        shown = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
        raise SynthharmError(f"{root}: is in no layout that is known; {ACCEPTED}; found {shown or 'nothing'}")
    if split is not None:
        raise SynthharmError(f"{root}: folders of composites have no splits; got {split!r}, accepted is none")
    known: dict[PurePosixPath, dict[str, list[str]]] = {}
    listed = []
    for file in sorted(PurePosixPath(path.name) for path in (root / composites).iterdir()):
        if file.suffix.lower() not in EXTENSIONS:
            continue
        mask, problem = _beside(root, known, PurePosixPath(masks), file.stem, file.suffix)
        real = None
        if reals is not None:
            real, again = _beside(root, known, PurePosixPath(reals), file.stem, file.suffix)
            problem = problem or again
        name = f"{composites}/{file}"
        listed.append(Entry(name, "", name, mask, real, problem=problem))
    return listed
