"""The format `huggingface`, as it reads itself back and as Hugging Face's datasets library reads it."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import forensic_items as small
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthharm.errors import SynthharmError
from synthharm.files import all_files
from synthharm.writers.forensics import parquet
from synthharm.writers.forensics.card import write_card
from synthharm.writers.forensics.item import Item
from synthharm.writers.forensics.overview import overview
from synthharm.writers.forensics.parquet import HuggingFaceFormat
from synthharm.writers.forensics.record import KINDS

SAMPLES = small.items(24)


def write(folder: Path, rows: int = 3, samples: list[Item] = SAMPLES) -> Path:
    folder.mkdir(exist_ok=True)
    HuggingFaceFormat(rows).write(lambda: iter(samples), folder, small.about())
    return folder


@pytest.mark.parametrize(("rows", "files"), [(1, 8), (3, 3), (8, 1), (500, 1)])
def test_what_is_read_is_what_was_written(tmp_path: Path, rows: int, files: int) -> None:
    back = list(HuggingFaceFormat().read(write(tmp_path, rows)))
    assert [item.record for item in back] == [item.record for item in SAMPLES]
    assert [small.read_all(item) for item in back] == [small.read_all(item) for item in SAMPLES]
    names = [f"data/{split}-{n:05d}-of-{files:05d}.parquet" for split in small.SPLITS for n in range(files)]
    assert all_files(tmp_path) == sorted(names)


def test_row_groups_stay_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 2)
    path = write(tmp_path, 7) / "data" / "train-00000-of-00002.parquet"
    rows = pq.ParquetFile(path).metadata
    assert [rows.row_group(n).num_rows for n in range(rows.num_row_groups)] == [2, 2, 2, 1]
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)
    (tmp_path / "b").mkdir()
    path = write(tmp_path / "b", 7) / "data" / "train-00000-of-00002.parquet"
    assert pq.ParquetFile(path).metadata.num_row_groups == 7


def test_the_bytes_do_not_depend_on_when_or_where(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert all_files(first) == all_files(second)
    for path in all_files(first):
        assert (first / path).read_bytes() == (second / path).read_bytes()


@pytest.mark.parametrize("by_card", [False, True])
def test_the_datasets_library_gives_the_same_bytes(tmp_path: Path, by_card: bool) -> None:
    folder, cache = write(tmp_path / "dataset"), str(tmp_path / "cache")
    if by_card:
        write_card(folder, "huggingface", overview(lambda: iter(SAMPLES)), small.about())
        loaded = datasets.load_dataset(str(folder), cache_dir=cache)
    else:
        files = {split: str(folder / "data" / f"{split}-*.parquet") for split in small.SPLITS}
        loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=cache)
    assert list(loaded) == list(small.SPLITS)
    for split, rows in loaded.items():
        assert rows.features == parquet.features()
        assert rows.features["mask"].mode == "L"
        assert rows.features["label"].names == ["authentic", "manipulated"]
        assert rows.features["kind"].names == list(KINDS)
        for role in ("image", "mask", "alpha", "boundary", "regions"):
            rows = rows.cast_column(role, datasets.Image(decode=False))
        rows = rows.cast_column(
            "sources", datasets.List({"id": datasets.Value("int64"), "image": datasets.Image(decode=False)})
        )
        wanted = [item for item in SAMPLES if item.record.split == split]
        for row, item in zip(rows, wanted, strict=True):
            stored = {
                role: row[role]["bytes"] for role in ("image", "mask", "alpha", "boundary", "regions") if row[role]
            }
            stored |= {f"source_{source['id']}": source["image"]["bytes"] for source in row["sources"]}
            assert stored == small.read_all(item)
            assert (row["label"], KINDS[row["kind"]]) == (int(item.record.manipulated), item.record.kind)
            assert (row["sample"], row["licence"]) == (item.record.sample, item.record.licence["name"])
            assert json.loads(row["record"]) == json.loads(item.record.to_json())


def test_masks_decode_to_0_and_255(tmp_path: Path) -> None:
    files = str(write(tmp_path / "dataset") / "data" / "train-*.parquet")
    rows = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))["train"]
    by_number = {item.record.sample: item for item in SAMPLES}
    for row in rows:
        item = by_number[row["sample"]]
        assert (row["mask"] is None) == (not item.record.manipulated)
        if row["mask"] is not None:
            assert row["mask"].mode == "L"
            assert set(np.unique(row["mask"])) == {0, 255}
            assert np.array_equal(np.asarray(row["mask"]), small.pixels(item, "mask"))
            assert row["image"].size == row["mask"].size


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    last = folder / "data" / "train-00002-of-00003.parquet"
    whole = last.read_bytes()
    last.write_bytes(whole[:-5])
    with pytest.raises(SynthharmError, match="train-00002-of-00003"):
        list(HuggingFaceFormat().read(folder))
    last.write_bytes(whole)
    rows = pq.read_table(last).to_pylist()
    rows[1]["image"]["bytes"] += b"!"
    pq.write_table(pa.Table.from_pylist(rows, parquet.features().arrow_schema), last)
    with pytest.raises(SynthharmError, match="the image is not the one its record names"):
        list(HuggingFaceFormat().read(folder))
    last.unlink()
    with pytest.raises(SynthharmError, match="split train not all files"):
        list(HuggingFaceFormat().read(folder))
    with pytest.raises(SynthharmError, match="is not there"):
        list(HuggingFaceFormat().read(tmp_path / "nothing"))


def test_a_sample_of_no_split_is_refused(tmp_path: Path) -> None:
    about = small.about()
    with pytest.raises(SynthharmError, match="its split is 'validation'; the dataset has train, test"):
        HuggingFaceFormat().write(
            lambda: iter(SAMPLES), tmp_path, type(about)("a", ("train", "test"), about.recipe, about.summary)
        )
    with pytest.raises(ValueError, match="rows is 0"):
        HuggingFaceFormat(0)
