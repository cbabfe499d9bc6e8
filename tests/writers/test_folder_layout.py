"""The layout `folder`, as its table and as the Hugging Face loader reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthharm.composites import decode_image
from synthharm.files import sha256
from synthharm.generate import Dataset, generate
from synthharm.writers import FolderWriter, Record
from synthharm.writers import folder as layout
from synthharm.writers.folder import TABLE

FILTERS = ["temperature", "brightness", "contrast", "saturation", "highlight", "shadow"]


@pytest.fixture(scope="module", params=["png", "jpeg"])
def dataset(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("folder") / "dataset"
    recipe = Path(__file__).resolve().parents[2] / "recipes" / "quickstart.yaml"
    overrides = ["samples=7", "shard=3", "select.side=[1, 640]", "split={train: 0.5, test: 0.5}"]
    generate(recipe, folder, overrides=[*overrides, f"encoding.format={request.param}"])
    return Dataset(folder)


def test_the_rows_are_the_records(dataset: Dataset) -> None:
    rows, records = pq.read_table(dataset.folder / TABLE).to_pylist(), list(dataset.records())
    assert [row["sample"] for row in rows] == [record.sample for record in records] == list(range(7))
    for row, record in zip(rows, records, strict=True):
        assert [row[f"{kind}file_name"] for kind in ("", "mask_", "real_")] == [
            record.files[role]["path"] for role in ("image", "mask", "real")
        ]
        assert {name: row[f"argument_{name}"] for name in FILTERS} == record.arguments
        assert {name: row[name] for name in record.measured} == record.measured
        assert row["filters"] == record.chain["filters"] == FILTERS
        for column, value in {
            "kind": "retouch",
            "split": record.split,
            "photo": record.source["photo"],
            "photo_sha256": record.source["sha256"],
            "licence": record.source["licence"],
            "attribution": record.source["attribution"],
            "region": record.region["id"],
            "category": record.region["category"],
            "area_share": record.region["share"],
            "statistics": "image",
            "kept": record.draw["kept"],
            "seed": record.seed,
        }.items():
            assert row[column] == value, column


def test_the_writer_finds_nothing_wrong_with_it(dataset: Dataset) -> None:
    assert list(FolderWriter().check(dataset.folder, dataset.records)) == []


def test_the_hugging_face_loader_reads_it(dataset: Dataset, tmp_path: Path) -> None:
    import datasets

    loaded = datasets.load_dataset("imagefolder", data_dir=str(dataset.folder), cache_dir=str(tmp_path))
    assert list(loaded) == ["train"]
    rows, records = loaded["train"], list(dataset.records())
    assert len(rows) == len(records)
    columns = {"image": "image", "mask": "mask", "real": "real"}
    assert all(isinstance(rows.features[c], datasets.Image) for c in columns)
    for column in columns:
        rows = rows.cast_column(column, datasets.Image(decode=False))
    by_number = {row["sample"]: row for row in rows}
    for record in records:
        row = by_number[record.sample]
        for column, role in columns.items():
            data = row[column]["bytes"] or Path(row[column]["path"]).read_bytes()
            assert sha256(data) == record.files[role]["sha256"]
        assert {name: row[f"argument_{name}"] for name in FILTERS} == record.arguments
        assert row["split"] == record.split


def test_the_loaders_images_are_the_written_ones(dataset: Dataset, tmp_path: Path) -> None:
    import datasets

    row = datasets.load_dataset("imagefolder", data_dir=str(dataset.folder), cache_dir=str(tmp_path))["train"][0]
    record = next(r for r in dataset.records() if r.sample == row["sample"])
    for role in ("image", "mask", "real"):
        written = decode_image((dataset.folder / record.files[role]["path"]).read_bytes())
        difference = np.abs(np.asarray(row[role]).astype(int) - written)
        assert difference.max() <= (3 if record.encoder["format"] == "jpeg" and role != "mask" else 0)


def record_of(number: int, **changes: Any) -> Record:
    fields: dict[str, Any] = {
        "sample": number,
        "kind": "retouch",
        "split": "train",
        "seed": number * 7,
        "source": {"photo": f"{number}.jpg", "sha256": "0", "licence": None, "attribution": None},
        "region": {"id": "1", "category": None, "share": 0.25},
        "chain": {"filters": ["shadow", "curve"], "statistics": "image"},
        "arguments": {"shadow": 0.5, "curve.low": -number / 7},
        "draw": {"attempts": 1, "kept": 1.0},
        "measured": {"recoverable": 1.0},
        "encoder": {},
        "files": {role: {"path": f"{role}s/{number}.png"} for role in ("image", "mask", "real")},
        "versions": {},
    }
    return Record(**fields | changes)


@pytest.mark.parametrize("count", [0, 1, 50, 101])
def test_any_number_of_records_makes_a_table(tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "ROWS", 50)
    records = [record_of(n) for n in range(count)]
    FolderWriter().finish(tmp_path, lambda: iter(records))
    table = pq.ParquetFile(tmp_path / TABLE)
    assert table.metadata.num_rows == count
    assert table.metadata.num_row_groups == -(-count // 50)
    rows = table.read().to_pylist()
    assert [row["file_name"] for row in rows] == [f"images/{n}.png" for n in range(count)]
    assert [row["argument_curve_low"] for row in rows] == [-n / 7 for n in range(count)]
    assert list(FolderWriter().check(tmp_path, lambda: iter(records))) == []
    assert [p.name for p in tmp_path.iterdir()] == [TABLE]


def test_what_may_be_missing_has_its_type_all_the_same(tmp_path: Path) -> None:
    later = record_of(1, region={"id": "2", "category": "dog", "share": 0.5})
    FolderWriter().finish(tmp_path, lambda: iter([record_of(0), later]))
    schema = pq.read_schema(tmp_path / TABLE)
    for name in ("licence", "attribution", "category", "photo", "split"):
        assert schema.field(name).type == pa.string()
    for name in ("argument_shadow", "argument_curve_low", "recoverable", "kept", "area_share"):
        assert schema.field(name).type == pa.float64()
    assert pq.read_table(tmp_path / TABLE)["category"].to_pylist() == [None, "dog"]


@pytest.mark.parametrize("records", [[0], [0, 1, 2, 3], [0, 2, 1], [0, 1, 3], []], ids=str)
def test_other_rows_than_the_records_are_a_problem(tmp_path: Path, records: list[int]) -> None:
    FolderWriter().finish(tmp_path, lambda: (record_of(n) for n in range(3)))
    assert list(FolderWriter().check(tmp_path, lambda: (record_of(n) for n in records)))


def test_a_changed_row_is_named(tmp_path: Path) -> None:
    FolderWriter().finish(tmp_path, lambda: (record_of(n) for n in range(3)))
    changed = [record_of(0), record_of(1, arguments={"shadow": 0.5000001, "curve.low": -1 / 7}), record_of(2)]
    assert list(FolderWriter().check(tmp_path, lambda: iter(changed))) == [
        f"{TABLE}: the row of sample 1 is not what its record says"
    ]


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_spoilt_table_is_a_problem_and_no_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "spoilt_table"
    if not folder.exists():
        folder.mkdir()
        FolderWriter().finish(folder, lambda: (record_of(n) for n in range(3)))
        (folder / "whole").write_bytes((folder / TABLE).read_bytes())
    content = bytearray((folder / "whole").read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    (folder / TABLE).write_bytes(content)
    for problem in FolderWriter().check(folder, lambda: (record_of(n) for n in range(3))):
        assert problem.startswith(f"{TABLE}: ")


def test_a_missing_table_is_a_problem(tmp_path: Path) -> None:
    (problem,) = FolderWriter().check(tmp_path, lambda: iter([record_of(0)]))
    assert problem.startswith(f"{TABLE}: cannot be read")


def test_the_description_says_what_the_columns_are(dataset: Dataset) -> None:
    names = set(pq.read_schema(dataset.folder / TABLE).names)
    summary = json.loads((dataset.folder / "dataset.json").read_bytes())
    assert set(summary["measured"]) <= names
