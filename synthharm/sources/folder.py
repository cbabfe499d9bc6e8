"""Photos in a folder with a mask file for each region of theirs, paired by name."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError
from synthharm.imagefile import EXTENSIONS, MAX_PIXELS
from synthharm.masks import check_mask, decode_mask
from synthharm.sources.entries import Entry, Photo, PhotoEntry, RegionEntry, Reject
from synthharm.sources.listing import file_stamp, file_stamps, remote_files, signature_of
from synthharm.sources.measure import list_files
from synthharm.sources.photo import check_folder, read_file, read_photo
from synthharm.storage import as_path, is_remote


@dataclass(frozen=True)
class MaskName:
    """How a mask's name follows from its photo's: `{stem}` once, around it text and wildcards (`*`, `?`, `[a]`).

    An extension at the end, as in `{stem}_mask.png`, accepts no other; without one, any image's will do.

    Example:
        >>> MaskName.parse("{stem}_*").regions("a_b_1", {"a", "a_b"})
        [('a_b', '1'), ('a', 'b_1')]
    """

    before: re.Pattern[str]
    after: re.Pattern[str]
    extension: str | None

    @classmethod
    def parse(cls, template: str) -> MaskName:
        extension = PurePosixPath(template).suffix.lower()
        stem = template[: -len(extension)] if extension in EXTENSIONS else template
        before, placeholder, after = stem.partition("{stem}")
        if not placeholder or "{stem}" in after or "/" in template or "\\" in template:
            raise SynthharmError(
                f"folder: mask_name is {template!r}; accepted is a file name with {{stem}} in it once, such as"
                " '{stem}', '{stem}_mask.png' or '{stem}_*'"
            )
        return cls(_pattern(before), _pattern(after), extension if extension in EXTENSIONS else None)

    def regions(self, mask: str, stems: set[str]) -> list[tuple[str, str]]:
        """The (photo stem, region id) pairs that a mask's stem can stand for, the longest photo stem first."""
        places = range(len(mask) + 1)
        befores = [(i, match.groups()) for i in places if (match := self.before.fullmatch(mask[:i]))]
        afters = [(i, match.groups()) for i in places if (match := self.after.fullmatch(mask[i:]))]
        found = [
            (mask[start:end], "_".join(filter(None, left + right)) or "1")
            for start, left in befores
            for end, right in afters
            if mask[start:end] in stems
        ]
        return sorted(found, key=lambda pair: -len(pair[0]))


@dataclass(frozen=True)
class FolderSource:
    """Photos below `data/images`, each with one or more masks below `data/masks`.

    A mask belongs to the photo in the same subfolder whose stem (file name without extension) makes its name by
    `mask_name`; where several do, to the one with the longest stem. A region's id is what the wildcards matched,
    or "1". Both folders may be the same, and then a file that is another's mask is no photo. Names that begin
    with a dot are left out, as are files with other extensions than `imagefile.EXTENSIONS`, in any case. The order
    is that of the photos' paths as code points, whatever the file system or locale.

    Args:
        data: the root; photos and masks are named by their paths from it.
        images: the folder of the photos within it, "." for the root itself; subfolders included.
        masks: the folder of the masks within it.
        mask_name: a mask's stem, or its whole name, in terms of its photo's `{stem}` (see `MaskName`).
        licence: the licence of all photos, if known.
        attribution: to whom all photos are to be attributed, if known.
        max_pixels: the most pixels a file may have.
    """

    mask_files: ClassVar[bool] = True

    data: Path
    images: str = "images"
    masks: str = "masks"
    mask_name: str = "{stem}"
    licence: str | None = None
    attribution: str | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        check_folder("folder: images", self.images)
        check_folder("folder: masks", self.masks)
        pattern = MaskName.parse(self.mask_name)
        if self._shared and not pattern.extension and pattern.regions("a", {"a"}):
            raise SynthharmError(
                f"folder: with images and masks both in {self.images!r}, mask_name {self.mask_name!r} makes every"
                " photo its own mask; accepted is one that tells them apart, such as '{stem}_mask' or '{stem}.png'"
            )

    @property
    def _shared(self) -> bool:
        return PurePosixPath(self.images) == PurePosixPath(self.masks)

    def entries(self, measure: bool) -> Iterator[Entry]:
        """List photos by path, each with its masks by id. Raises SynthharmError where a folder is missing."""
        return list_files(self, as_path(self.data), self._pairs(), measure, self.max_pixels)

    def read_photo(self, photo: PhotoEntry) -> Photo:
        """Decode a photo. Raises Unusable."""
        return read_photo(read_file(as_path(self.data), photo.key), photo, self.max_pixels)

    def read_mask(self, photo: PhotoEntry, region: RegionEntry, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Decode a mask, uint8 (H, W) of `size`. Raises Unusable."""
        mask = decode_mask(read_file(as_path(self.data), region.mask), region.mask, max_pixels=self.max_pixels)
        check_mask(mask, size, region.mask)
        return mask

    def stamps(self) -> Mapping[str, str]:
        """See `Source`."""
        root = as_path(self.data)
        return {**file_stamps(root, self.masks), **file_stamps(root, self.images)}

    def stamp(self, file: str) -> str | None:
        """See `Source`."""
        return file_stamp(as_path(self.data), file)

    def signature(self, measure: bool) -> str:
        """See `Source`: photos and masks are listed by walking."""
        root = as_path(self.data)
        folders = [self.images] if self._shared else [self.images, self.masks]
        links = [] if is_remote(root) else [_walk(root, folder)[1] for folder in folders]
        more = [measure, [[reject.name for reject in found] for found in links]]
        return signature_of(self, [], [file_stamps(root, folder) for folder in folders], more)

    def _pairs(self) -> Iterator[tuple[PhotoEntry, list[tuple[str, str]]] | Reject]:
        images, rejects = _walk(as_path(self.data), self.images)
        masks, more = (images, []) if self._shared else _walk(as_path(self.data), self.masks)
        if not self._shared and PurePosixPath(self.masks).is_relative_to(self.images):
            images = sorted(set(images) - set(masks))
        elif not self._shared:
            masks = sorted(set(masks) - set(images))
        yield from rejects + more
        photos, regions, problems = self._pair(images, masks)
        for key in photos:
            if regions[key]:
                entry = PhotoEntry(key, licence=self.licence, attribution=self.attribution)
                yield entry, sorted(regions[key].items())
            else:
                yield Reject(key, "no mask", f"no file in {self.masks} has its name by {self.mask_name!r}")
        yield from problems

    def _pair(
        self, images: list[str], masks: list[str]
    ) -> tuple[list[str], dict[str, dict[str, str]], list[Reject]]:
        """Photo keys in order, the masks of each by region id, and what fits nowhere."""
        name = MaskName.parse(self.mask_name)
        photos: dict[tuple[str, str], str] = {}  # (subfolder, stem) to key
        stems: dict[str, set[str]] = defaultdict(set)
        regions: dict[str, dict[str, str]] = defaultdict(dict)
        rejects = []

        def add_photo(key: str) -> None:
            place = _place(key, self.images)
            if place in photos:
                rejects.append(Reject(key, "bad entry", f"has the same stem as {photos[place]}"))
            else:
                photos[place] = key
                stems[place[0]].add(place[1])

        def add_mask(key: str) -> bool:
            folder, stem = _place(key, self.masks)
            if name.extension not in (None, PurePosixPath(key).suffix.lower()):
                return False
            for owner, id in name.regions(stem, stems[folder])[:1]:
                known = regions[photos[folder, owner]].setdefault(id, key)
                if known != key:
                    rejects.append(Reject(key, "bad entry", f"the same region as {known}: {id!r} of {owner!r}"))
                return True
            return False

        if self._shared:
            # Shorter stems first, so that whether a file is a photo is known before any mask of it comes.
            def rank(key: str) -> tuple[int, bool, str]:
                path = PurePosixPath(key)
                return len(path.stem), path.suffix.lower() == name.extension, key

            for key in sorted(images, key=rank):
                if not add_mask(key):
                    add_photo(key)
        else:
            for key in images:
                add_photo(key)
            for key in masks:
                if not add_mask(key):
                    detail = f"no photo in {self.images} gives it its name by {self.mask_name!r}"
                    rejects.append(Reject(key, "no photo", detail))
        return sorted(photos.values()), regions, sorted(rejects, key=lambda one: one.name)


def _place(key: str, folder: str) -> tuple[str, str]:
    path = PurePosixPath(key).relative_to(PurePosixPath(folder))
    return path.parent.as_posix(), path.stem


def _walk(root: Path, folder: str) -> tuple[list[str], list[Reject]]:
    """The image files below a folder, by path from the root in code-point order."""
    if is_remote(root):
        return _walk_remote(root, folder)
    if not (root / folder).is_dir():
        raise SynthharmError(f"folder: {root / folder} is not a folder")
    keys, rejects = [], []

    def fail(error: OSError) -> None:
        raise SynthharmError(f"folder: {error.filename} cannot be listed: {error.strerror}") from error

    for parent, folders, names in os.walk(root / folder, onerror=fail):
        place = PurePosixPath(folder, *Path(parent).relative_to(root / folder).parts)
        for name in folders:
            if os.path.islink(os.path.join(parent, name)):
                detail = "a folder that is a symbolic link is not entered"
                rejects.append(Reject(_printable((place / name).as_posix()), "outside", detail))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith(".") or PurePosixPath(name).suffix.lower() not in EXTENSIONS:
                continue
            key = (place / name).as_posix()
            if key == _printable(key):
                keys.append(key)
            else:
                rejects.append(Reject(_printable(key), "bad entry", "a file name that is not valid Unicode"))
    return sorted(keys), sorted(rejects, key=lambda one: one.name)


def _walk_remote(root: Path, folder: str) -> tuple[list[str], list[Reject]]:
    keys, rejects, place = [], [], PurePosixPath(folder)
    found = [key for key, _ in remote_files(root, folder)]
    if not found:
        raise SynthharmError(f"folder: {root / folder} is not a folder")
    for key in found:
        path = PurePosixPath(key)
        hidden = any(part.startswith(".") for part in path.relative_to(place).parts)
        if path.as_posix() != key or ".." in path.parts:
            rejects.append(Reject(key, "bad entry", "a name that is no path"))
        elif not hidden and path.suffix.lower() in EXTENSIONS:
            keys.append(key)
    return sorted(keys), rejects


def _printable(key: str) -> str:
    return key.encode("utf-8", "backslashreplace").decode()


def _pattern(text: str) -> re.Pattern[str]:
    """A shell-style pattern as a regular expression with a group for each wildcard."""
    pieces = re.split(r"(\*|\?|\[!?[^]]+\])", text)
    translated = []
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            translated.append(re.escape(piece))
        elif piece.startswith("["):
            inside = piece[1:-1].replace("\\", r"\\").replace("^", r"\^")
            translated.append("([" + re.sub("^!", "^", inside) + "])")
        else:
            translated.append("(.*)" if piece == "*" else "(.)")
    return re.compile("".join(translated), re.DOTALL)
