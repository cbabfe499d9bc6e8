"""A good split gets a certificate that holds; a leak, or a certificate that was changed anywhere, is found."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthharm.errors import SynthharmError
from synthharm.generate.certificate import verify_certificate, write_certificate
from synthharm.writers.forensics.record import SplicingRecord

Hashes = dict[str, tuple[int, int]]
FAR = [random.Random(n).getrandbits(64) for n in range(80)]  # some thirty bits from one another


def sha(number: int) -> str:
    return f"{number * 7919 % 1000:064x}"  # not in the order of the photos


def record(sample: int, split: str, *photos: int) -> SplicingRecord:
    empty: dict[str, Any] = {}
    return SplicingRecord(
        sample,
        "splice",
        split,
        0,
        empty,
        [{"sha256": sha(n)} for n in photos],
        [],
        [],
        [],
        empty,
        {},
        empty,
        {},
        {},
    )


def giving(records: list[SplicingRecord]) -> Callable[[], Iterator[SplicingRecord]]:
    return lambda: iter(records)


def hashes_of(photos: int) -> Hashes:
    """Photos 0 and 1 are near-duplicates, 2 is near the mirror image of 3; all others are far apart."""
    hashes = {n: (FAR[2 * n], FAR[2 * n + 1]) for n in range(photos)}
    hashes[1] = (hashes[0][0] ^ 0b1111, hashes[1][1])
    hashes[2] = (hashes[3][1] ^ 0b11, hashes[2][1])
    return {sha(n): both for n, both in hashes.items()}


RECORDS = [
    record(0, "train", 0, 4),
    record(1, "train", 1, 5),
    record(2, "train", 4),
    record(3, "test", 2, 6),
    record(4, "test", 3),
    record(5, "val", 7),
    record(6, "val", 8, 9),
    record(7, "val", 9, 7),
]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_certificate(tmp_path / "c.json", giving(RECORDS), hashes_of(10), 8)
    return tmp_path / "c.json"


def problems(path: Path, records: list[SplicingRecord] = RECORDS) -> list[str]:
    return list(verify_certificate(path, giving(records)))


def test_a_good_certificate_has_no_problem(written: Path) -> None:
    assert problems(written) == []
    content = json.loads(written.read_bytes())
    assert content["splits"] == {
        "test": {"photos": 3, "components": 1, "samples": 2},
        "train": {"photos": 4, "components": 1, "samples": 3},
        "val": {"photos": 3, "components": 1, "samples": 3},
    }
    assert [one["sha256"] for one in content["photos"]] == sorted(map(sha, range(10)))
    first = content["photos"][0]
    assert first == {
        "sha256": sha(0),
        "phash": f"{FAR[0]:016x}",
        "mirrored": f"{FAR[1]:016x}",
        "split": "train",
        "component": 0,
    }


def test_the_bytes_do_not_depend_on_the_order_of_the_records(written: Path, tmp_path: Path) -> None:
    write_certificate(tmp_path / "d.json", giving(RECORDS[::-1]), dict(reversed(hashes_of(11).items())), 8)
    assert (tmp_path / "d.json").read_bytes() == written.read_bytes()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (record(9, "val", 4), (sha(4), "sample 0 in train", "sample 9 in val", "are one photo")),
        (record(9, "test", 8), (sha(8), "sample 6 in val", "sample 9 in test", "are one photo")),
        (record(9, "val", 3), (sha(3), "in test", "sample 9 in val", "near-duplicates")),
    ],
)
def test_a_photo_in_two_splits_is_a_leak(written: Path, more: SplicingRecord, named: tuple[str, ...]) -> None:
    records = [*RECORDS, more]
    leaks = [line for line in problems(written, records) if "two splits" in line]
    assert len(leaks) == 1
    assert all(word in leaks[0] for word in named)
    with pytest.raises(SynthharmError, match="a component is in two splits"):
        write_certificate(written, giving(records), hashes_of(10), 8)


@pytest.mark.parametrize(("sample", "pair"), [(1, (0, 1)), (4, (2, 3))])
def test_near_duplicates_in_two_splits_are_a_leak(written: Path, sample: int, pair: tuple[int, int]) -> None:
    records = [dataclasses.replace(one, split="val") if one.sample == sample else one for one in RECORDS]
    leaks = [line for line in problems(written, records) if "two splits" in line]
    assert len(leaks) == 1
    assert all(sha(n) in leaks[0] for n in pair)
    assert "are near-duplicates" in leaks[0]
    write_certificate(written, giving(records), hashes_of(10), 1)  # of what counts as near, the certificate tells
    assert problems(written, records) == []


def test_a_leak_far_down_a_chain_is_found(tmp_path: Path) -> None:
    hashes = {sha(n): (FAR[2 * n], FAR[2 * n + 1]) for n in range(31)}
    chain = [record(n, "train" if n < 29 else "test", n, n + 1) for n in range(30)]
    with pytest.raises(
        SynthharmError, match=f"photo {sha(29)} of sample 28 in train .* sample 29 in test are one"
    ):
        write_certificate(tmp_path / "c.json", giving(chain), hashes, 8)
    assert not list(tmp_path.iterdir())


def test_a_photo_without_hashes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match=f"photo {sha(9)} has no hashes"):
        write_certificate(tmp_path / "c.json", giving(RECORDS), hashes_of(9), 8)


SPLITS = st.sampled_from(["train", "val", "test"])


@settings(max_examples=60)
@given(st.lists(st.tuples(SPLITS, st.lists(st.integers(0, 4), min_size=1, max_size=3)), min_size=1), st.data())
def test_any_change_of_a_split_is_found(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, list[int]]], data: st.DataObject
) -> None:
    # Each split draws from five photos of its own, of which in train two are near-duplicates.
    base = {"train": 0, "val": 5, "test": 10}
    records = [record(n, split, *(base[split] + p for p in photos)) for n, (split, photos) in enumerate(drawn)]
    hashes = {sha(n): (FAR[2 * n], FAR[2 * n + 1]) for n in range(15)}
    hashes[sha(1)] = hashes[sha(0)]
    path = tmp_path_factory.mktemp("certificate") / "c.json"
    write_certificate(path, giving(records), hashes, 8)
    assert problems(path, records) == []
    sample, split = data.draw(st.integers(0, len(records) - 1)), data.draw(SPLITS)
    changed = [dataclasses.replace(one, split=split) if one.sample == sample else one for one in records]
    assert bool(problems(path, changed)) == (split != records[sample].split)
    content = json.loads(path.read_bytes())
    one = data.draw(st.sampled_from(content["photos"]))
    differs = one["split"] != split
    one["split"] = split
    path.write_text(json.dumps(content))
    assert any(one["sha256"] in line for line in problems(path, records)) == differs


def change(path: Path, how: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_bytes())
    how(content)
    path.write_text(json.dumps(content))


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a photo is gone": (lambda c: c["photos"].pop(3), "is missing"),
    "a photo too many": (
        lambda c: c["photos"].append(c["photos"][0] | {"sha256": "ab"}),
        "photo ab is listed, and no sample uses it",
    ),
    "a photo twice": (lambda c: c["photos"].append(c["photos"][0]), "is listed twice"),
    "another component": (lambda c: c["photos"][2].update(component=99), "is listed in component 99, not"),
    "another count": (lambda c: c["splits"]["val"].update(components=2), "split val is said to have"),
    "a split too many": (lambda c: c["splits"].update(more={}), "split more is said to have {}; found None"),
    "a split is gone": (lambda c: c["splits"].pop("val"), "split val is said to have None"),
    "a short hash": (lambda c: c["photos"][0].update(phash="12"), "accepted are 16 hex digits each"),
    "no hash": (lambda c: c["photos"][0].pop("mirrored"), "no certificate that can be read"),
    "a hash that joins": (
        lambda c: c["photos"][0].update(phash=next(p["phash"] for p in c["photos"] if p["split"] == "val")),
        "are near-duplicates: a component is in two splits",
    ),
    "another method": (lambda c: c.update(method="by eye"), "the method is 'by eye'"),
    "no distance": (lambda c: c.update(distance=None), "distance None"),
    "another thing": (lambda c: c.update(photos=3), "no certificate that can be read"),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_changed_certificate_is_found(written: Path, name: str) -> None:
    how, said = CHANGES[name]
    change(written, how)
    assert any(said in line for line in problems(written)), problems(written)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"null"])
def test_what_cannot_be_read_is_one_problem(written: Path, content: bytes) -> None:
    written.write_bytes(content)
    assert [line.startswith("c.json: is no certificate that can be read") for line in problems(written)] == [True]
    written.unlink()
    assert len(problems(written)) == 1


def test_a_record_without_its_photos_is_one_problem(written: Path) -> None:
    broken = dataclasses.replace(RECORDS[0], photos=[{}])
    assert problems(written, [broken]) == ["sample 0: its photos cannot be read: KeyError('sha256')"]


def test_a_leak_is_told_where_the_split_changes_first(tmp_path: Path) -> None:
    """Sample 1 is the first of another split, and joined to sample 0 through sample 2, of a third one."""
    chain = [record(0, "train", 0, 1), record(1, "test", 2, 3), record(2, "val", 1, 2)]
    hashes = {sha(n): (FAR[2 * n], FAR[2 * n + 1]) for n in range(4)}
    told = f"photo {sha(1)} of sample 0 in train and photo {sha(1)} of sample 2 in val are one photo"
    with pytest.raises(SynthharmError, match=told):
        write_certificate(tmp_path / "c.json", giving(chain), hashes, 8)
