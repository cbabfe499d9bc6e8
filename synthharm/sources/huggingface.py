"""Photos and masks in two image columns of a Hugging Face dataset: one region a row."""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError, Unusable
from synthharm.imagefile import MAX_PIXELS
from synthharm.masks import check_mask, decode_mask
from synthharm.sources.entries import Entry, Photo, PhotoEntry, RegionEntry, Reject
from synthharm.sources.measure import measure_photo, measure_regions, reject
from synthharm.sources.photo import read_photo

_BATCH = 1000  # rows looked at together while listing
_STREAMED_BATCH = 16  # rows held at a time while caching: these carry their images


@dataclass(frozen=True)
class HuggingFaceSource:
    """The rows of a dataset, each a photo with one mask.

    The images are taken as the bytes that the dataset stores, or read from the path where it stores none (which
    must lie within `data` or within the library's cache). A photo's key is its row, "row-00000012".

    Args:
        data: a folder made by `save_to_disk`, another folder or a .parquet file that `load_dataset` reads, or the
            id of a dataset on the Hub.
        split: the split; a dataset saved without splits, or a single file, counts as whichever is asked for.
        image: the column of the photos.
        mask: the column of the masks.
        stream: whether rows are read over the network once, in order, and only those up to `limit` kept in an
            Arrow file below `cache`, which later runs use again. What `save_to_disk` made is used where it lies.
        limit: how many rows are used at most; None for all.
        cache: the folder for what is downloaded or converted; None for the library's own.
        category: the column of the categories, text or class labels, if any.
        max_pixels: the most pixels a photo or mask may have.
    """

    mask_files: ClassVar[bool] = False

    data: str
    split: str = "train"
    image: str = "image"
    mask: str = "mask"
    stream: bool = False
    limit: int | None = None
    cache: Path | None = None
    category: str | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise SynthharmError(f"hugging face: limit is {self.limit}; accepted is 1 or more, or none")

    def entries(self, measure: bool) -> Iterator[Entry]:
        """List the rows in order.

        Raises:
            SynthharmError: no such dataset, split or column, or a column without images.
        """
        rows = _open(self)
        number = 0
        for row, has_photo, has_mask, category in self._heads(rows):
            photo = PhotoEntry(f"row-{row:08d}", licence=rows.info.license or None)
            if not (has_photo and has_mask):
                column = self.mask if has_photo else self.image
                yield Reject(photo.key, "no mask" if has_photo else "no photo", f"nothing in column {column!r}")
                continue
            region = RegionEntry(number, "1", str(row), category)
            if measure:
                try:
                    data = io.BytesIO(self._bytes(photo.key, self.image))
                    photo = measure_photo(photo, data, self.max_pixels)
                except Unusable as error:
                    yield reject(error)
                    continue
            yield photo
            number += 1
            yield from measure_regions(self, photo, [region]) if measure else [region]

    def read_photo(self, photo: PhotoEntry) -> Photo:
        """Decode a photo. Raises Unusable."""
        return read_photo(self._bytes(photo.key, self.image), photo, self.max_pixels)

    def read_mask(self, photo: PhotoEntry, region: RegionEntry, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Decode a mask, uint8 (H, W) of `size`. Raises Unusable."""
        name = f"{photo.key}: {self.mask}"
        mask = decode_mask(self._bytes(photo.key, self.mask), name, max_pixels=self.max_pixels)
        check_mask(mask, size, name)
        return mask

    def stamps(self) -> None:
        """Nothing tells of rows whether they are still the same."""
        return

    def stamp(self, file: str) -> str | None:
        """See `stamps`."""
        return None

    def signature(self, measure: bool) -> str | None:
        """A dataset of the hub may change, and what was loaded of it says nothing of that."""
        return None

    def _heads(self, rows: Any) -> Iterator[tuple[int, bool, bool, str | None]]:
        """Of each row: its number, whether it has a photo and a mask, and its category."""
        label: Any = rows.features[self.category] if self.category else None
        count = len(rows) if self.limit is None else min(self.limit, len(rows))
        for start in range(0, count, _BATCH):
            table = rows.with_format("arrow")[start : min(start + _BATCH, count)]
            photos, masks = (table[column].is_valid().to_pylist() for column in (self.image, self.mask))
            names = table[self.category].to_pylist() if self.category else [None] * len(photos)
            for offset, (photo, mask, name) in enumerate(zip(photos, masks, names, strict=True)):
                if name is not None and hasattr(label, "int2str"):
                    name = label.int2str(name) if name >= 0 else None  # -1 stands for an unknown class
                yield start + offset, photo, mask, None if name is None else str(name)

    def _bytes(self, key: str, column: str) -> bytes:
        value = _column(self, column)[int(key.removeprefix("row-"))][column]
        return _stored_bytes(self, value, f"{key}: {column}")


@functools.lru_cache(maxsize=8)
def _open(source: HuggingFaceSource) -> Any:
    """The dataset with its image columns undecoded; opened once by each process."""
    from datasets import Image

    with _quietly():
        rows = _load_cached_stream(source) if source.stream and not _is_saved(source.data) else _load(source)
        _check_columns(source, rows)
        for column in (source.image, source.mask):
            rows = rows.cast_column(column, Image(decode=False))
        return rows.select_columns(_columns(source))


def _columns(source: HuggingFaceSource) -> list[str]:
    return [column for column in (source.image, source.mask, source.category) if column is not None]


@functools.lru_cache(maxsize=16)
def _column(source: HuggingFaceSource, column: str) -> Any:
    return _open(source).select_columns([column])


def _is_saved(data: str) -> bool:
    return any((Path(data) / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _load(source: HuggingFaceSource) -> Any:
    """A Dataset, or an IterableDataset with `stream`."""
    import datasets

    where: dict[str, Any] = {"split": source.split, "streaming": source.stream}
    if source.cache is not None:
        where["cache_dir"] = str(source.cache)
    path = Path(source.data)
    try:
        if _is_saved(source.data):
            return _choose_split(datasets.load_from_disk(source.data), source)
        if path.is_file() and path.suffix == ".parquet":
            return datasets.load_dataset("parquet", data_files={source.split: str(path)}, **where)
        if path.is_dir() or _may_be_hub_id(source.data):
            return datasets.load_dataset(source.data, **where)
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        problem = f"cannot be loaded: {error}"
    else:
        problem = "is not there"
    raise SynthharmError(
        f"hugging face: {source.data!r}, split {source.split!r}, {problem}; accepted are a folder or .parquet file"
        " on this machine, and the id of a dataset on the Hub while that can be reached"
    )


def _may_be_hub_id(data: str) -> bool:
    return not Path(data).exists() and not data.startswith((".", "/", "~")) and data.count("/") <= 1


def _choose_split(saved: Any, source: HuggingFaceSource) -> Any:
    import datasets

    if isinstance(saved, datasets.DatasetDict):
        if source.split not in saved:
            raise ValueError(f"its splits are {sorted(saved)}")
        return saved[source.split]
    if saved.split is not None and str(saved.split) != source.split:
        raise ValueError(f"it is split {str(saved.split)!r}")
    return saved


def _check_columns(source: HuggingFaceSource, rows: Any) -> None:
    if rows.features is None:
        raise SynthharmError(
            f"hugging face: {source.data!r} does not say which columns it has, so cannot be streamed"
        )
    for column in _columns(source):
        if column not in rows.features:
            found = f"it has {sorted(rows.features)}"
            raise SynthharmError(f"hugging face: {source.data!r} has no column {column!r}; {found}")
    for column in (source.image, source.mask):
        if not _holds_images(rows.features[column]):
            detail = f"column {column!r} of {source.data!r} holds {rows.features[column]}"
            raise SynthharmError(f"hugging face: {detail}; accepted are images, their bytes, or paths")


def _holds_images(feature: Any) -> bool:
    import datasets

    if isinstance(feature, dict):  # as the library itself stores an image, but not declared as one
        return {"bytes", "path"} >= set(feature) and bool(feature)
    kinds = ("binary", "large_binary", "string", "large_string")
    return isinstance(feature, datasets.Image) or getattr(feature, "dtype", None) in kinds


def _load_cached_stream(source: HuggingFaceSource) -> Any:
    import datasets

    folder = Path(source.cache or datasets.config.HF_DATASETS_CACHE) / "synthharm"
    path = folder / f"{_cache_name(source)}.arrow"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            _write_stream(source, part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return datasets.Dataset.from_file(str(path))


def _cache_name(source: HuggingFaceSource) -> str:
    """The same in every process that has the same source; another when files on this machine change."""
    path = Path(source.data)
    files = sorted(path.rglob("*") if path.is_dir() else [path]) if path.exists() else []
    stamps = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    parts = [source.data, source.split, source.image, source.mask, source.category, source.limit, stamps]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _write_stream(source: HuggingFaceSource, path: Path) -> None:
    import datasets
    import pyarrow as pa

    stream = _load(source)
    _check_columns(source, stream)
    features = {column: datasets.Image(decode=False) for column in (source.image, source.mask)}
    for column, feature in features.items():
        stream = stream.cast_column(column, feature)
    if source.category is not None:
        features[source.category] = stream.features[source.category]
    schema = datasets.Features(features).arrow_schema
    rows = itertools.islice(stream.select_columns(list(features)), source.limit)
    try:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            while batch := list(itertools.islice(rows, _STREAMED_BATCH)):
                for row in batch:
                    for column in (source.image, source.mask):
                        row[column] = _with_bytes(source, row[column])
                writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))
    # NotImplementedError is how the library refuses formats that it cannot stream.
    except (OSError, ValueError, TypeError, NotImplementedError, datasets.exceptions.DatasetsError) as error:
        raise SynthharmError(f"hugging face: {source.data!r} broke off while streamed: {error}") from error


def _with_bytes(source: HuggingFaceSource, value: dict[str, Any] | None) -> dict[str, Any] | None:
    """A streamed image with its bytes; one that cannot be had is left as it is, and is reported when asked for."""
    if value is None or value["bytes"] is not None:
        return value
    path = str(value["path"])
    try:
        if path.split("::")[-1].startswith(("hf://", "https://", "http://")):
            from datasets.utils.file_utils import xopen

            with xopen(path, "rb") as file:
                return {"bytes": file.read(), "path": path}
        return {"bytes": _stored_bytes(source, value, path), "path": path}
    except (OSError, Unusable):
        return value


def _stored_bytes(source: HuggingFaceSource, value: dict[str, Any], name: str) -> bytes:
    """The bytes in an image column's value, or of the file that it names within the folders that are allowed."""
    if value["bytes"] is not None:
        return bytes(value["bytes"])
    if value["path"] is None:
        raise Unusable(name, "missing", "neither bytes nor a path")
    import datasets
    from huggingface_hub.constants import HF_HUB_CACHE

    data = Path(source.data)
    local = [data if data.is_dir() else data.parent] if data.exists() else []
    caches = [source.cache, datasets.config.HF_DATASETS_CACHE, datasets.config.HF_CACHE_HOME, HF_HUB_CACHE]
    path = Path(*local, str(value["path"])).resolve()
    if not any(path.is_relative_to(Path(root).resolve()) for root in (*local, *filter(None, caches))):
        allowed = f"accepted are files within {source.data} or the library's cache"
        raise Unusable(name, "outside", f"no bytes but the path {value['path']!r}; {allowed}")
    try:
        return path.read_bytes()
    except OSError as error:
        detail = f"no bytes but the path {value['path']!r}, which cannot be read: {error.strerror}"
        raise Unusable(name, "missing", detail) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the libraries' progress bars, which are settings of the whole process and put back afterwards."""
    import datasets
    import huggingface_hub.utils

    shown = [one for one in (datasets, huggingface_hub.utils) if not one.are_progress_bars_disabled()]
    for one in shown:
        one.disable_progress_bars()
    try:
        yield
    finally:
        for one in shown:
            one.enable_progress_bars()
