"""What records, tables and lists say is checked, also where every checksum was made to agree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_datasets import SIDE, write_photos, write_recipe
from spoiling import SUMS, TABLE, problems, put_records, put_sums, records_of

from synthharm.generate import Dataset, generate
from synthharm.writers import FolderWriter, IHarmony4Writer

# Records


def test_an_edited_record_is_found(copy: Path) -> None:
    path = copy / "records" / "00001.jsonl"
    lines = path.read_text().splitlines()
    record = json.loads(lines[0])
    record["arguments"]["shadow"] += 1e-9
    path.write_text("\n".join([json.dumps(record), *lines[1:]]) + "\n")
    found = problems(copy)
    assert f"records/00001.jsonl: its sha256 is not the one in {SUMS}" in found
    assert f"{TABLE}: the row of sample 4 is not what its record says" in found
    put_sums(copy)
    assert problems(copy) == [f"{TABLE}: the row of sample 4 is not what its record says"]


def without(*keys: str) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        for key in keys[:-1]:
            record = record[key]
        del record[keys[-1]]

    return change


def with_(value: Any, *keys: str) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        for key in keys[:-1]:
            record = record[key]
        record[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("files"),
        without("files", "mask"),
        without("files", "image", "bytes"),
        without("files", "real", "path"),
        without("region", "area"),
        without("region", "soft"),
        without("source", "height"),
        without("source", "sha256"),
        with_(3, "files"),
        with_([1], "sample"),
        with_(None, "region"),
        with_("x", "source"),
        with_({}, "source"),
        with_(7, "files", "mask", "path"),
        with_("../x", "files", "mask", "path"),
        with_("", "files", "mask", "path"),
        with_("images", "files", "mask", "path"),
        with_("a\x00b", "files", "mask", "path"),
    ],
)
def test_a_record_of_another_shape_is_a_problem_and_no_crash(
    copy: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    path = copy / "records" / "00000.jsonl"
    data = [json.loads(line) for line in path.read_text().splitlines()]
    change(data[1])
    path.write_text("".join(f"{json.dumps(record)}\n" for record in data))
    put_sums(copy)
    assert problems(copy)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_spoilt_byte_anywhere_in_the_records_is_found(
    dataset_in: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    copy = tmp_path_factory.getbasetemp() / "spoilt_records"
    if not copy.exists():
        shutil.copytree(dataset_in("png"), copy)
    path = copy / "records" / "00000.jsonl"
    data = bytearray((dataset_in("png") / "records" / "00000.jsonl").read_bytes())
    data[place % len(data)] ^= change
    path.write_bytes(data)
    assert f"records/00000.jsonl: its sha256 is not the one in {SUMS}" in problems(copy)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (("region", "area"), 17, "pixels; 17 recorded"),
        (
            ("source", "height"),
            SIDE + 1,
            f"is ({SIDE}, {SIDE}); ({SIDE + 1}, {SIDE}) (height, width) was recorded",
        ),
        (("source", "width"), SIDE + 1, f"is ({SIDE}, {SIDE}); ({SIDE}, {SIDE + 1}) (height, width) was recorded"),
        (("files", "real", "bytes"), 17, "is not the file that the record describes"),
        (("files", "image", "sha256"), "0" * 64, "is not the file that the record describes"),
    ],
)
def test_a_record_that_does_not_describe_its_files_is_found(
    copy: Path, key: tuple[str, ...], value: Any, said: str
) -> None:
    def change(record: dict[str, Any]) -> None:
        if record["sample"] == 2:
            with_(value, *key)(record)

    put_records(copy, change)
    found = [p for p in problems(copy) if said in p]
    assert len(found) == 1
    assert found[0].startswith("sample 2: ")


def test_two_records_of_one_sample_are_found(copy: Path) -> None:
    path = copy / "records" / "00001.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[-1]]))
    FolderWriter().finish(copy, Dataset(copy).records)
    put_sums(copy)
    assert "sample 5: has two records" in problems(copy)


def test_two_samples_with_one_image_are_found(copy: Path) -> None:
    first, second = records_of(copy)[:2]

    def change(record: dict[str, Any]) -> None:
        if record["sample"] == second.sample:
            record["files"] = first.files
            record["region"]["area"] = first.region["area"]

    put_records(copy, change)
    assert f"{first.files['image']['path']}: two samples have different files of that name" in problems(copy)


def test_a_name_for_two_files_is_found(copy: Path) -> None:
    first, second = records_of(copy)[:2]

    def change(record: dict[str, Any]) -> None:
        if record["sample"] == second.sample:
            record["files"]["mask"]["path"] = first.files["mask"]["path"]

    put_records(copy, change)
    assert f"{first.files['mask']['path']}: two samples have different files of that name" in problems(copy)


def test_a_record_less_is_found(copy: Path) -> None:
    path = copy / "records" / "00001.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    FolderWriter().finish(copy, Dataset(copy).records)
    put_sums(copy)
    assert problems(copy) == ["dataset.json: says 6 samples, and there are 5 records"]


def test_a_summary_that_says_nothing_is_found(copy: Path) -> None:
    for content in (b"", b"[]", b"{}", b"\xff", b'{"samples": 7}'):
        (copy / "dataset.json").write_bytes(content)
        put_sums(copy)
        (problem,) = problems(copy)
        assert problem.startswith("dataset.json: ")


@pytest.mark.parametrize("layout", ["png", "iharmony4"])
def test_a_photo_in_two_splits_is_found(copy_of: Callable[[str], Path], layout: str) -> None:
    folder = copy_of(layout)
    last = records_of(folder)[-1]
    first = next(r for r in records_of(folder) if r.source["photo"] == last.source["photo"])
    assert first.sample != last.sample
    other = {"train": "test", "test": "train"}[first.split]

    def change(record: dict[str, Any]) -> None:
        if record["sample"] == last.sample:
            record["split"] = other
            record["source"]["photo"] = "another name of it"

    put_records(folder, change, IHarmony4Writer() if layout == "iharmony4" else None)
    photo = first.source["photo"]
    assert problems(folder) == [
        f"another name of it: is in {other}, and {photo}, the same photo, in {first.split}"
    ]


def test_a_photo_that_the_source_has_twice_stays_in_one_split(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 4)
    for number in range(4):
        for kind in ("images", "masks"):
            shutil.copyfile(photos / kind / f"photo{number}.png", photos / kind / f"again{number}.png")
    recipe = write_recipe(tmp_path / "r.yaml", photos, samples=8, split={"train": 0.5, "test": 0.5}, shard=8)
    generate(recipe, tmp_path / "out")
    assert problems(tmp_path / "out") == []


# What lists them


def test_a_changed_row_is_found(copy: Path) -> None:
    table = pq.read_table(copy / TABLE)
    rows = table.to_pylist()
    rows[3]["argument_contrast"] += 1e-12
    pq.write_table(pa.Table.from_pylist(rows, table.schema), copy / TABLE)
    assert problems(copy) == [
        f"{TABLE}: its sha256 is not the one in {SUMS}",
        f"{TABLE}: the row of sample 3 is not what its record says",
    ]
    pq.write_table(table.slice(1), copy / TABLE)
    put_sums(copy)
    assert f"{TABLE}: 5 rows, which is not one per record" in problems(copy)


@pytest.mark.parametrize("name", ["IHD_train.txt", "HSynth/HSynth_train.txt"])
def test_a_line_less_in_a_list_is_found(copy_of: Callable[[str], Path], name: str) -> None:
    folder = copy_of("iharmony4")
    lines = (folder / name).read_text().splitlines(keepends=True)
    (folder / name).write_text("".join(lines[:-1]))
    put_sums(folder)
    (problem,) = problems(folder)
    assert problem.startswith(f"{name}: ")
