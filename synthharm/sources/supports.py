"""Where objects of a category stand in photos, learned from the regions of a source."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError, Unusable
from synthharm.files import parse_json, write_atomically
from synthharm.sources.entries import Source
from synthharm.sources.index import Index
from synthharm.sources.reading import load_region

BORDER = 2  # pixels: a region that comes as near to its photo's border is taken to be cut off by it
_DIGITS = 4
_CHUNK = 32  # regions that a worker is given at a time


@dataclass(frozen=True, eq=False)
class Supports:
    """Boxes around whole objects by category.

    Attributes:
        rows: by category, float64 (n, 4): centre x, bottom y, width, height, as shares of the photo's width and
            height, in 0..1, rounded to 0.0001. The bottom is where an object stands.
    """

    rows: Mapping[str, NDArray[np.float64]]

    def boxes(self, category: str | None) -> NDArray[np.float64]:
        """The boxes of a category, (n, 4); none of one that was not learned.

        Example:
            >>> Supports({}).boxes("dog").shape
            (0, 4)
        """
        return self.rows.get(category or "", np.empty((0, 4)))

    def save(self, path: Path) -> None:
        """Write them as JSON, whole or not at all; the same boxes make the same bytes."""
        lines = (
            f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(np.round(self.rows[name], _DIGITS).tolist())}"
            for name in sorted(self.rows)
        )
        write_atomically(Path(path), ("{\n" + ",\n".join(lines) + "\n}\n").encode())

    @classmethod
    def load(cls, path: Path) -> Supports:
        """Read what `save` wrote.

        Raises:
            SynthharmError: the file is missing, no JSON or holds something else than boxes of shares.
        """
        try:
            stored = parse_json(Path(path).read_bytes())
            rows = {name: np.array(boxes, np.float64).reshape(-1, 4) for name, boxes in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise SynthharmError(f"supports: {path} cannot be read: {error}") from error
        for name, boxes in rows.items():
            if not ((boxes >= 0) & (boxes <= 1)).all():
                raise SynthharmError(f"supports: {path}: {name} has a value outside 0..1")
        return cls(rows)


def learn_supports(source: Source, index: Index, *, most: int = 200, seed: int = 0, jobs: int = 1) -> Supports:
    """Measure up to `most` regions of every category, drawn from the index, in `jobs` processes.

    Left out are regions without a category, those that come within 2 pixels of the photo's border, being cut off
    by it, and those that cannot be read.

    Returns:
        The boxes of each category, in the order of their regions; the same for any number of jobs.

    Raises:
        ValueError: fewer than one region or job.
    """
    if most < 1 or jobs < 1:
        raise ValueError(f"most is {most} and jobs {jobs}; accepted are numbers from 1 on")
    drawn = {category: _draw(index.regions_of(category), most, seed, category) for category in _categories(index)}
    # In the order of the regions, and so of the photos: what is read together lies together.
    numbers = np.sort(np.concatenate([np.empty(0, np.int64), *drawn.values()]))
    boxes = dict(zip(numbers.tolist(), _boxes(source, index, numbers, jobs), strict=True))
    rows: dict[str, NDArray[np.float64]] = {}
    for category, regions in drawn.items():
        found = [box for number in regions.tolist() if (box := boxes[number]) is not None]
        if found:
            rows[category] = np.array(found, np.float64).round(_DIGITS)
    return Supports(rows)


def regions_of_photo(index: Index, number: int) -> NDArray[np.int64]:
    """The numbers of all regions of photo `number`, ascending.

    The index lists regions in the order of their photos, so they are found by halving, and little of it is read.

    Raises:
        IndexError: the index has no such photo.
    """
    if not 0 <= number < index.photos:
        raise IndexError(f"photo {number}; this index has {index.photos}")
    batches = range(index._regions.num_record_batches)
    first = bisect_left(batches, number, key=lambda batch: _photos(index, batch)[-1])
    last = bisect_right(batches, number, key=lambda batch: _photos(index, batch)[0])
    # All batches but the last are of one length.
    start = first * len(_photos(index, 0))
    photos = np.concatenate([_photos(index, batch) for batch in range(first, last)])
    low, high = np.searchsorted(photos, [number, number + 1])
    return np.arange(start + low, start + high, dtype=np.int64)


def _photos(index: Index, batch: int) -> NDArray[np.int64]:
    photos: NDArray[np.int64] = index._regions.get_batch(batch).column("photo").to_numpy()
    return photos


def _categories(index: Index) -> list[str]:
    found: set[str] = set()
    for batch in range(index._regions.num_record_batches):
        found.update(index._regions.get_batch(batch).column("category").unique().to_pylist())
    return sorted(found - {None})


def _draw(numbers: NDArray[np.int64], most: int, seed: int, category: str) -> NDArray[np.int64]:
    """At most so many of a category's regions, ascending; the draw is the category's own."""
    if len(numbers) <= most:
        return numbers
    stream = int.from_bytes(hashlib.sha256(f"supports {seed} {category}".encode()).digest()[:16], "big")
    return np.sort(np.random.default_rng(stream).choice(numbers, most, replace=False))


_Box = tuple[float, float, float, float]


def _boxes(source: Source, index: Index, numbers: NDArray[np.int64], jobs: int) -> Iterator[_Box | None]:
    chunks = [numbers[start : start + _CHUNK].tolist() for start in range(0, len(numbers), _CHUNK)]
    found: Iterable[list[_Box | None]]
    if jobs == 1:
        found = (_measure(source, index, chunk) for chunk in chunks)
    else:
        from joblib import Parallel, delayed

        parallel = Parallel(n_jobs=jobs, backend="loky", return_as="generator", batch_size=1)
        found = parallel(delayed(_measure)(source, index, chunk) for chunk in chunks)
    for boxes in found:
        yield from boxes


def _measure(source: Source, index: Index, numbers: list[int]) -> list[_Box | None]:
    """The box of each region, None of those that are left out."""
    boxes: list[_Box | None] = []
    for number in numbers:
        try:
            _, mask = load_region(source, index, number, soft=False)
        except Unusable:
            boxes.append(None)
        else:
            boxes.append(box_of(mask))
    return boxes


def box_of(mask: NDArray[np.uint8]) -> _Box | None:
    """The box around a mask (H, W) of 0 and 255 as a row of `Supports`; None where it comes to the border."""
    height, width = mask.shape
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    (top, bottom), (left, right) = ((int(line[0]), int(line[-1]) + 1) for line in (rows, columns))
    if min(top, left, height - bottom, width - right) < BORDER:
        return None
    return (left + right) / 2 / width, bottom / height, (right - left) / width, (bottom - top) / height
