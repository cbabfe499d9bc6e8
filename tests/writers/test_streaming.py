"""What is too much for the memory is sorted, summed up and listed as if it were there at once."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
import pytest
from forensic_items import items
from hypothesis import given, settings
from hypothesis import strategies as st

from synthharm.files import all_files
from synthharm.writers import sorting
from synthharm.writers.checksums import Checksums, walk
from synthharm.writers.forensics.record import SplicingRecord, _read
from synthharm.writers.sorting import Sorter
from synthharm.writers.spread import Spread, middle_of

rows = st.tuples(st.text(), st.integers(), st.text(alphabet="ab\x00\n\ud800"))
numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None, max_examples=60)
@given(st.lists(rows, max_size=40), st.integers(1, 9), st.integers(2, 4))
def test_rows_come_in_order_however_few_are_held(drawn: list[tuple[str, int, str]], most: int, runs: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "RUNS", runs)
        patch.setattr(sorting, "_CHUNK", 3)
        with Sorter(most=most) as sorter:
            for row in drawn:
                sorter.add(row)
            assert list(sorter) == sorted(drawn)
            assert list(sorter) == sorted(drawn)
            assert len(sorter._held) <= most
            assert all(len(tier) < runs for tier in sorter._tiers)


@pytest.mark.parametrize("count", [10, 100, 1000])
def test_rows_are_written_as_often_as_there_are_tiers(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0

    def counting(rows: list[object], file: object) -> None:
        nonlocal written
        written += len(rows)
        dump(rows, file)

    dump = sorting.marshal.dump
    monkeypatch.setattr(sorting, "RUNS", 10)
    monkeypatch.setattr(sorting.marshal, "dump", counting)
    with Sorter(most=1) as sorter:
        for number in range(count):
            sorter.add((number,))
        assert len(list(sorter)) == count
    assert written == count * (len(str(count)))


@settings(deadline=None, max_examples=60)
@given(st.lists(numbers.map(lambda v: v + 0.0), min_size=1, max_size=60), st.integers(1, 70))
def test_lowest_median_and_highest_are_exact(values: list[float], held: int) -> None:
    spread = Spread(held=held)
    for value in values:
        spread.add(value)
    with np.errstate(over="ignore"):
        expected = {"lowest": min(values), "median": median(values), "highest": max(values)}
    assert spread.as_json() == expected
    assert [value for chunk in spread.chunks() for value in chunk] == values
    assert len(spread) == len(values)


def test_no_numbers_have_no_median() -> None:
    assert Spread().as_json() == {}
    with pytest.raises(ValueError, match="median of no numbers"):
        _ = Spread().median


@given(st.lists(st.integers(-5, 5), min_size=1))
def test_the_median_of_counts_is_that_of_what_was_counted(values: list[int]) -> None:
    assert middle_of(Counter(values)) == median(values)


@pytest.mark.parametrize("without", [(), ("a",), ("a/b",), ("a/b", "c")])
def test_walking_finds_what_listing_does(tmp_path: Path, without: tuple[str, ...]) -> None:
    for name in ("a/1.png", "a/b/2.png", "a/b/x.txt", "c/3", "4", ".hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "nowhere").symlink_to(tmp_path / "z")
    assert sorted(walk(tmp_path, without)) == all_files(tmp_path, without)
    assert list(walk(tmp_path / "none")) == []


def test_checksums_are_those_of_all_files_and_samples_are_not_read(tmp_path: Path) -> None:
    for name in ("images/000001.png", "images/list.json", "maps/000001.png", "README.md", "formats/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    with Sorter() as found, (tmp_path / "SUMS").open("w+b") as file:
        sums = Checksums(found)
        sums.note("images/000001.png", "from the record")
        sums.read_others(tmp_path, {"formats"}, {"SUMS"})
        sums.write(file)
        file.seek(0)
        lines = file.read().decode().splitlines()
    others = ("README.md", "images/list.json", "maps/000001.png")
    expected = {name: hashlib.sha256(name.encode()).hexdigest() for name in others}
    expected["images/000001.png"] = "from the record"
    assert lines == [f"{expected[name]}  {name}" for name in sorted(expected)]
    assert sums.pictures == {("images", ".png"), ("maps", ".png")}
    assert sorted(sums.others) == ["README.md", "images/list.json"]


RECORD = json.loads(items(2)[1].record.to_json())
values = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def outcome(read: object, line: bytes) -> object:
    try:
        return read(line)  # type: ignore[operator]
    except ValueError as error:
        return str(error)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from([*RECORD, "more"]), values, st.booleans())
def test_the_fast_way_reads_what_the_slow_one_does(key: str, value: object, escaped: bool) -> None:
    line = json.dumps(RECORD | {key: value}, ensure_ascii=escaped).encode(errors="surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        fast = outcome(SplicingRecord.from_json, line)
        patch.setattr("synthharm.writers.forensics.record._DECODER", msgspec.json.Decoder(int))
        patch.setattr(
            "synthharm.writers.record.msgspec.json.decode", lambda line: json.loads(b"{" if line else b"")
        )
        assert fast == outcome(SplicingRecord.from_json, line)
    assert outcome(_read, b"[" * 100_000) == "nested too deeply to be read"
