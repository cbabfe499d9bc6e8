"""What tells photos apart and near-duplicates together: checksum and perceptual hash of each photo."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from synthharm.errors import SynthharmError, Unusable
from synthharm.files import atomic_file
from synthharm.sources.entries import Reject, Source
from synthharm.sources.index import Index
from synthharm.sources.measure import reject
from synthharm.sources.reading import read_listed

_CHUNK = 64  # photos that a worker is given at a time
_TYPES = {"sha256": "S64", "phash": "<u8", "mirrored": "<u8", "usable": "|b1", "sizes": "<i4"}
_DIGEST = "digest"
_YEAR = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can say


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """Fingerprints of N photos, in the order of their index.

    Attributes:
        sha256: (N,) S64: of the file, in hex; empty where the photo is unusable.
        phash: (N,) uint64: the perceptual hash of 64 bits.
        mirrored: (N,) uint64: that of the photo's mirror image, left and right exchanged.
        usable: (N,) bool: whether the photo could be decoded.
        sizes: (N, 2) int32: height and width in pixels; 0 where the photo is unusable.
    """

    sha256: NDArray[np.bytes_]
    phash: NDArray[np.uint64]
    mirrored: NDArray[np.uint64]
    usable: NDArray[np.bool_]
    sizes: NDArray[np.int32]

    def __post_init__(self) -> None:
        for field in fields(self):
            array, shape = getattr(self, field.name), (len(self.sha256),) + (2,) * (field.name == "sizes")
            if array.dtype != np.dtype(_TYPES[field.name]) or array.shape != shape:
                raise ValueError(
                    f"{field.name} is {array.dtype} {array.shape}; accepted is {_TYPES[field.name]} {shape}"
                )

    def __len__(self) -> int:
        return len(self.sha256)

    @property
    def digest(self) -> str:
        """sha256 in hex over everything in it."""
        digest = hashlib.sha256()
        for name, type in _TYPES.items():
            digest.update(np.ascontiguousarray(getattr(self, name), dtype=type).data)
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write them into one .npz file, whole or not at all; the same fingerprints make the same bytes."""
        arrays = {name: getattr(self, name).astype(type) for name, type in _TYPES.items()}
        arrays[_DIGEST] = np.array(self.digest, "S64")
        with atomic_file(Path(path)) as file, zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy", date_time=_YEAR)
                entry.create_system = 3  # else it says which system wrote it
                piece = io.BytesIO()
                np.save(piece, array, allow_pickle=False)
                archive.writestr(entry, piece.getvalue())

    @classmethod
    def load(cls, path: Path) -> Fingerprints:
        """Read what `save` wrote.

        Raises:
            SynthharmError: the file is missing, damaged or holds something else.
        """
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                found = cls(**{name: stored[name] for name in _TYPES})
                digest = stored[_DIGEST].item().decode()
        except (
            OSError,
            EOFError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            zipfile.BadZipFile,
        ) as error:
            raise SynthharmError(f"fingerprints: {path} cannot be read: {error}") from error
        if digest != found.digest:
            raise SynthharmError(f"fingerprints: {path} says digest {digest}; its content has {found.digest}")
        return found


def hash_photo(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    """The perceptual hashes, 64 bits each, of a photo uint8 (H, W, 3) and of its mirror image.

    A bit says whether one of the 8 x 8 lowest frequencies of the cosine transform of the photo, grey and scaled
    to 32 x 32 pixels, lies above their median (`imagehash.phash`; the method is Neal Krawetz's, "Looks Like It",
    2011). The first row's first bit is the highest. Half of the bits being above the median, two hashes of
    photos that are not flat differ in an even number of bits.

    Example:
        >>> bright_below = np.repeat(np.arange(0, 240, 5, np.uint8), 48 * 3).reshape(48, 48, 3)
        >>> photo, mirrored = hash_photo(bright_below)
        >>> photo == mirrored
        True
    """
    import imagehash

    grey = Image.fromarray(pixels).convert("L")
    first, second = (imagehash.phash(image).hash.ravel() for image in (grey, ImageOps.mirror(grey)))
    return tuple(int.from_bytes(np.packbits(bits).tobytes(), "big") for bits in (first, second))  # type: ignore[return-value]


def fingerprint_photos(source: Source, index: Index, jobs: int = 1) -> tuple[Fingerprints, list[Reject]]:
    """Decode every photo of an index, in `jobs` processes, and take its fingerprint.

    Returns:
        The fingerprints, the same for any number of jobs, and a Reject for each photo that cannot be read.

    Raises:
        ValueError: fewer than one job.
    """
    if jobs < 1:
        raise ValueError(f"jobs is {jobs}; accepted is a number from 1 on")
    sha256, hashes = np.zeros(index.photos, "S64"), np.zeros((index.photos, 2), np.uint64)
    usable, sizes = np.zeros(index.photos, np.bool_), np.zeros((index.photos, 2), np.int32)
    rejects = []
    number = 0
    for chunk in _chunks(source, index, jobs):
        for found in chunk:
            if isinstance(found, Reject):
                rejects.append(found)
            else:
                usable[number] = True
                sha256[number], hashes[number], sizes[number] = found
            number += 1
    phash, mirrored = np.ascontiguousarray(hashes.T)
    return Fingerprints(sha256, phash, mirrored, usable, sizes), rejects


_Found = tuple[str, tuple[int, int], tuple[int, int]]  # checksum, hashes, size


def _chunks(source: Source, index: Index, jobs: int) -> Iterator[list[_Found | Reject]]:
    """What is found of the photos, in their order, a chunk at a time."""
    ranges = [range(start, min(start + _CHUNK, index.photos)) for start in range(0, index.photos, _CHUNK)]
    if jobs == 1:
        yield from (_fingerprint(source, index, numbers) for numbers in ranges)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, backend="loky", return_as="generator", batch_size=1)
    yield from parallel(delayed(_fingerprint)(source, index, numbers) for numbers in ranges)


def _fingerprint(source: Source, index: Index, numbers: range) -> list[_Found | Reject]:
    found: list[_Found | Reject] = []
    for number in numbers:
        try:
            photo = read_listed(source, index, number)
        except Unusable as error:
            found.append(reject(error))
        else:
            height, width = photo.pixels.shape[:2]
            found.append((photo.sha256, hash_photo(photo.pixels), (height, width)))
    return found
