"""A record reads back to the bit, and nothing else is one."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthharm.writers import Record

numbers = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
mappings = st.dictionaries(st.text(), plain, max_size=3)
records = st.builds(
    Record,
    sample=st.integers(0),
    kind=st.text(),
    split=st.text(),
    seed=st.integers(0, 2**63 - 1),
    source=mappings,
    region=mappings,
    chain=mappings,
    arguments=st.dictionaries(st.text(), numbers, max_size=6),
    draw=mappings,
    measured=st.dictionaries(st.text(), numbers, max_size=4),
    encoder=mappings,
    files=st.dictionaries(st.text(), mappings, max_size=2),
    versions=st.dictionaries(st.text(), st.text(), max_size=3),
)


@settings(deadline=None)
@given(records)
def test_a_record_reads_back_to_the_bit_from_one_line(record: Record) -> None:
    line = record.to_json()
    assert "\n" not in line
    assert Record.from_json(line) == record
    assert Record.from_json(line).to_json() == line


@settings(deadline=None)
@given(records, st.sampled_from([f.name for f in fields(Record)]))
def test_fields_must_be_a_records(record: Record, name: str) -> None:
    data: dict[str, Any] = json.loads(record.to_json())
    with pytest.raises(ValueError, match="found"):
        Record.from_json(json.dumps(data | {"other": 1}))
    del data[name]
    with pytest.raises(ValueError, match=name):
        Record.from_json(json.dumps(data))


@pytest.mark.parametrize("line", ["", "{", "[]", "3", "null", "{}", '"sample"'])
def test_what_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Record.from_json(line)


def test_what_is_no_number_cannot_be_written() -> None:
    empty: dict[str, Any] = {f.name: {} for f in fields(Record)}
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            Record(**empty | {"measured": {"foreground_mse": value}}).to_json()


@pytest.mark.parametrize(
    "path", ["", ".", "/", "..", "../a.png", "a/../../b.png", "/dev/zero", "a\0b", "d/" * 2000, 7]
)
def test_a_file_elsewhere_than_in_the_datasets_folder_is_refused(path: object) -> None:
    """Of a path that leads to a folder, a file would be written beside it."""
    files = {"image": {"path": "images/1.png", "sha256": "", "bytes": 1}}
    data: dict[str, Any] = {f.name: {} for f in fields(Record)} | {"files": files}
    assert Record.from_json(json.dumps(data)).files == files
    files["image"]["path"] = path
    with pytest.raises(ValueError, match="is not within the dataset's folder"):
        Record.from_json(json.dumps(data))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_refused(number: str) -> None:
    data: dict[str, Any] = {f.name: {} for f in fields(Record)} | {"seed": "here"}
    with pytest.raises(ValueError, match="JSON"):
        Record.from_json(json.dumps(data).replace('"here"', number))
