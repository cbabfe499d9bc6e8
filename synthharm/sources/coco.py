"""Photos and objects of an instances file in COCO's format, LVIS included."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import ClassVar
from urllib.parse import unquote, urlsplit

import msgspec
import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError, Unusable
from synthharm.imagefile import MAX_PIXELS
from synthharm.sources.entries import Entry, Photo, PhotoEntry, RegionEntry, Reject
from synthharm.sources.listing import file_stamp, file_stamps, signature_of
from synthharm.sources.measure import measure_file, measure_regions, reject
from synthharm.sources.photo import check_folder, read_file, read_photo
from synthharm.sources.segmentation import area, rasterize
from synthharm.storage import as_path, is_address, is_remote, storage_errors

Id = int | str
_PIECE = 1 << 24  # bytes of a remote file that are copied at a time


class _File(msgspec.Struct):
    # Each image and annotation is kept as its own piece of the text: one that is malformed spoils no other.
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[msgspec.Raw] = []
    licenses: list[msgspec.Raw] = []


class _Image(msgspec.Struct):
    id: Id
    width: int | None = None
    height: int | None = None
    file_name: str | None = None
    coco_url: str | None = None
    flickr_url: str | None = None
    license: Id | None = None
    photographer: str | None = None
    attribution: str | None = None


class _Named(msgspec.Struct):
    id: Id


class _Owner(msgspec.Struct):
    image_id: Id


class _Annotation(msgspec.Struct):
    id: Id
    image_id: Id
    segmentation: msgspec.Raw
    category_id: Id | None = None
    area: float | None = None
    iscrowd: int = 0


class _Category(msgspec.Struct):
    id: Id
    name: str


class _Licence(msgspec.Struct):
    id: Id
    name: str
    url: str | None = None


@dataclass(frozen=True)
class CocoSource:
    """The objects of a COCO instances file as regions of its photos.

    A photo's key is `<images>/<file_name>`. Where an image has no file name, as in LVIS, the last two parts of its
    coco_url's path ("train2017/000000000025.jpg") are tried below `images`, then the last alone. Its licence is
    "name (url)" of the licence it refers to, its attribution the photographer or attribution field where there is
    one, with flickr_url or else coco_url. A region's id is its annotation's, its category the category's name, its
    share the annotated area (or the segmentation's, where none is given) by the photo's.

    Args:
        data: the root; photos are named by their paths from it.
        annotations: the instances file, by its path from the root, an absolute one or an address.
        images: the folder of the photos within the root.
        crowds: whether regions that stand for a crowd of objects are listed too.
        max_pixels: the most pixels a photo may have.
    """

    mask_files: ClassVar[bool] = False

    data: Path
    annotations: str = "instances.json"
    images: str = "images"
    crowds: bool = False
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        check_folder("coco: images", self.images)

    def entries(self, measure: bool) -> Iterator[Entry]:
        """List photos in the file's order, each with its regions in theirs.

        Raises:
            SynthharmError: the file is missing, not JSON, or not an instances file.
        """
        file = _load(self._annotations)
        tables = _Tables.of(file, str(self._annotations))
        photos, rejects = _photos(self, file, tables)
        yield from rejects
        owners, rejects = _owners(file, photos)
        yield from rejects
        yield from self._list(file, list(photos.values()), owners, tables, measure)

    def read_photo(self, photo: PhotoEntry) -> Photo:
        """Decode a photo. Raises Unusable."""
        return read_photo(read_file(as_path(self.data), photo.key), photo, self.max_pixels)

    def read_mask(self, photo: PhotoEntry, region: RegionEntry, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Draw a region, uint8 (H, W) of `size`. Raises Unusable, also for a photo of another size than listed."""
        name = f"annotation {region.id}"
        if photo.width is not None and (photo.height, photo.width) != size:
            detail = f"annotated on {photo.width} x {photo.height} pixels; the photo has {size[1]} x {size[0]}"
            raise Unusable(name, "mask size", detail)
        return rasterize(region.mask, size, name)

    def stamps(self) -> Mapping[str, str]:
        """See `Source`."""
        return file_stamps(as_path(self.data), self.images)

    def stamp(self, file: str) -> str | None:
        """See `Source`."""
        return file_stamp(as_path(self.data), file)

    def signature(self, measure: bool) -> str:
        """See `Source`."""
        return signature_of(self, [self._annotations], [self.stamps()], measure)

    @property
    def _annotations(self) -> Path:
        own = is_address(self.annotations) or Path(self.annotations).is_absolute()
        return as_path(self.annotations) if own else as_path(self.data) / self.annotations

    def _list(
        self, file: _File, photos: list[PhotoEntry], owners: NDArray[np.int64], tables: _Tables, measure: bool
    ) -> Iterator[Entry]:
        """Photos with their regions; `owners` has each annotation's photo by number, or -1."""
        order = np.argsort(owners, kind="stable")
        bounds = np.searchsorted(owners[order], np.arange(len(photos) + 1))
        seen: set[Id] = set()
        number = 0
        for index, photo in enumerate(photos):
            places = order[bounds[index] : bounds[index + 1]]
            found = [self._region(file, int(place), number, photo, tables, seen) for place in places]
            yield from (one for one in found if isinstance(one, Reject))
            regions = [one for one in found if isinstance(one, RegionEntry)]
            unknown_size = photo.width is None
            if measure and unknown_size:
                try:
                    photo = measure_file(photo, as_path(self.data), self.max_pixels)
                except Unusable as error:
                    yield reject(error)
                    continue
            yield photo
            number += 1
            yield from measure_regions(self, photo, regions) if measure and unknown_size else regions

    def _region(
        self, file: _File, place: int, number: int, photo: PhotoEntry, tables: _Tables, seen: set[Id]
    ) -> RegionEntry | Reject | None:
        """The region of the annotation at a place, of photo `number`; None for a crowd that is not wanted."""
        raw = file.annotations[place]
        try:
            entry = msgspec.json.decode(raw, type=_Annotation)
            segmentation = bytes(entry.segmentation).decode()
        except ValueError as error:
            return Reject(_name("annotation", raw, place), "bad entry", str(error))
        name = f"annotation {entry.id}"
        if entry.id in seen:
            return Reject(name, "bad entry", "an id that an annotation before it has")
        seen.add(entry.id)
        if entry.iscrowd and not self.crowds:
            return None
        if tables.categories and entry.category_id not in tables.categories:
            detail = f"category_id {entry.category_id!r} is not in the file's table of categories"
            return Reject(name, "bad entry", detail)
        share = None
        if photo.width is not None and photo.height is not None:
            try:
                size = (photo.height, photo.width)
                drawn = area(segmentation, size, name)  # which finds what is wrong with it
            except Unusable as error:
                return reject(error)
            pixels = drawn if entry.area is None else entry.area
            if pixels < 0:
                return Reject(name, "bad entry", f"an area of {pixels}")
            if drawn <= 0:
                return Reject(name, "empty mask", f"its segmentation has an area of {drawn} within the photo")
            share = min(pixels / (photo.width * photo.height), 1.0)
        category = None if entry.category_id is None else tables.categories.get(entry.category_id)
        return RegionEntry(number, str(entry.id), segmentation, category, share)


@dataclass(frozen=True)
class _Tables:
    categories: dict[Id, str]
    licences: dict[Id, str]

    @classmethod
    def of(cls, file: _File, path: str) -> _Tables:
        try:
            categories = [msgspec.json.decode(raw, type=_Category) for raw in file.categories]
            licences = [msgspec.json.decode(raw, type=_Licence) for raw in file.licenses]
        except ValueError as error:
            raise SynthharmError(f"coco: {path}: a malformed category or licence: {error}") from error
        return cls(
            {one.id: one.name for one in categories},
            {one.id: f"{one.name} ({one.url})" if one.url else one.name for one in licences},
        )

    def licence(self, image: _Image) -> str | None:
        if image.license is None:
            return None
        return self.licences.get(image.license, f"id {image.license}, which the file does not explain")


def _load(path: Path) -> _File:
    try:
        # Mapped and not read: a file of a gigabyte costs address space, and its pieces are views of it. A copy
        # without a name is mapped: where a mapped file is cut short, the system ends the process.
        with storage_errors(), tempfile.TemporaryFile() as copy, path.open("rb") as file:
            shutil.copyfileobj(file, copy, _PIECE)
            copy.flush()
            text = mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)
        return msgspec.json.decode(memoryview(text), type=_File)
    except (OSError, ValueError, RecursionError) as error:
        raise SynthharmError(f"coco: {path} is not a readable instances file: {error}") from error


def _photos(source: CocoSource, file: _File, tables: _Tables) -> tuple[dict[Id, PhotoEntry], list[Reject]]:
    """Photos by image id, in the file's order."""
    photos: dict[Id, PhotoEntry] = {}
    keys: set[str] = set()
    rejects = []
    is_there = _presence(source)
    for place, raw in enumerate(file.images):
        try:
            entry = msgspec.json.decode(raw, type=_Image)
            key = _key(source, entry, is_there)
        except ValueError as error:
            rejects.append(Reject(_name("image", raw, place), "bad entry", str(error)))
            continue
        if entry.id in photos or key in keys:
            known = f"id {entry.id!r}" if entry.id in photos else f"file {key}"
            rejects.append(Reject(f"image {entry.id}", "bad entry", f"an image before it has {known}"))
            continue
        keys.add(key)
        photos[entry.id] = PhotoEntry(key, entry.width, entry.height, tables.licence(entry), _attribution(entry))
    return photos, rejects


def _owners(file: _File, photos: dict[Id, PhotoEntry]) -> tuple[NDArray[np.int64], list[Reject]]:
    """Each annotation's photo by number, -1 for those that have none."""
    numbers = {id: number for number, id in enumerate(photos)}
    owners = np.full(len(file.annotations), -1, dtype=np.int64)
    rejects = []
    for place, raw in enumerate(file.annotations):
        try:
            image = msgspec.json.decode(raw, type=_Owner).image_id
        except ValueError as error:
            rejects.append(Reject(_name("annotation", raw, place), "bad entry", str(error)))
            continue
        if image in numbers:
            owners[place] = numbers[image]
        else:
            detail = f"its image_id {image!r} is not among the usable images"
            rejects.append(Reject(_name("annotation", raw, place), "no photo", detail))
    return owners, rejects


def _key(source: CocoSource, entry: _Image, is_there: Callable[[PurePosixPath], bool]) -> str:
    sides = (entry.width, entry.height)
    if sides != (None, None) and not all(side is not None and 0 < side < 2**31 for side in sides):
        raise ValueError(f"width {entry.width} and height {entry.height}; accepted are 1 to {2**31 - 1} pixels")
    images = PurePosixPath(source.images)
    if entry.file_name:
        return (images / entry.file_name).as_posix()
    parts = PurePosixPath(unquote(urlsplit(entry.coco_url or "").path)).parts
    if not parts:
        raise ValueError("neither file_name nor coco_url says where the photo is")
    nested = images.joinpath(*parts[-2:])
    if len(parts) > 2 and is_there(nested):
        return nested.as_posix()
    return (images / parts[-1]).as_posix()


def _presence(source: CocoSource) -> Callable[[PurePosixPath], bool]:
    """What tells whether a photo's file is there; of a remote folder one listing, made when it is first asked."""
    root = as_path(source.data)
    if not is_remote(root):
        return lambda path: os.path.isfile(root / path)
    listed = cache(source.stamps)
    return lambda path: path.as_posix() in listed()


def _attribution(entry: _Image) -> str | None:
    person = entry.photographer or entry.attribution
    url = entry.flickr_url or entry.coco_url or None
    return f"{person} ({url})" if person and url else person or url


def _name(kind: str, raw: msgspec.Raw, place: int) -> str:
    """What to call an entry that may be malformed: by its id where it has one, else by its place in the file."""
    try:
        return f"{kind} {msgspec.json.decode(raw, type=_Named).id}"
    except ValueError:
        return f"{kind}s[{place}]"
