"""A good dataset passes its check; a file that is spoilt, missing or too much is found and named."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from spoiling import SUMS, problems, put_image, put_records, records_of, sums_of

from synthharm.errors import SynthharmError
from synthharm.generate import check_dataset

LAYOUTS = ("png", "png16", "jpeg", "soft", "iharmony4")


# Good ones


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_good_dataset_has_no_problem(dataset_in: Callable[[str], Path], layout: str) -> None:
    assert problems(dataset_in(layout)) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sha256sum_reads_the_sums(dataset_in: Callable[[str], Path], layout: str) -> None:
    folder = dataset_in(layout)
    assert sums_of(folder) == {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != SUMS
    }


def test_the_helpers_of_these_tests_change_nothing_by_themselves(copy: Path) -> None:
    for record in records_of(copy)[:2]:
        for file in record.files.values():
            put_image(copy, file["path"], lambda pixels: pixels)
    put_records(copy, lambda record: None)
    assert problems(copy) == []


# Files


@pytest.mark.parametrize("role", ["image", "mask", "real"])
@pytest.mark.parametrize("place", [0, 20, 0.5, -1])
def test_a_flipped_bit_is_found(copy: Path, role: str, place: float) -> None:
    path = records_of(copy)[3].files[role]["path"]
    data = bytearray((copy / path).read_bytes())
    data[int(place * len(data)) if isinstance(place, float) else place] ^= 4
    (copy / path).write_bytes(data)
    found = problems(copy)
    assert f"{path}: its sha256 is not the one in {SUMS}" in found
    assert all(path in problem for problem in found)


@pytest.mark.parametrize("role", ["image", "mask", "real"])
@pytest.mark.parametrize("size", [0, 1, 40, 200])
def test_a_file_that_breaks_off_is_found(copy: Path, role: str, size: int) -> None:
    path = records_of(copy)[1].files[role]["path"]
    (copy / path).write_bytes((copy / path).read_bytes()[:size])
    assert f"{path}: its sha256 is not the one in {SUMS}" in problems(copy)


@pytest.mark.parametrize("layout", ["png", "iharmony4"])
def test_every_missing_file_is_found(copy_of: Callable[[str], Path], layout: str) -> None:
    folder = copy_of(layout)
    for name in sums_of(folder):
        if name == "plan.json":
            continue  # without it the folder is no dataset
        kept = (folder / name).read_bytes()
        (folder / name).unlink()
        assert f"{name}: is listed in {SUMS} and missing" in problems(folder)
        (folder / name).write_bytes(kept)
    assert problems(folder) == []


@pytest.mark.parametrize("layout", ["png", "iharmony4"])
def test_every_changed_file_is_found(copy_of: Callable[[str], Path], layout: str) -> None:
    folder = copy_of(layout)
    for name in sums_of(folder):
        kept = (folder / name).read_bytes()
        if name != "plan.json":
            for content in (b"", b"\x00\xff\xfe" + kept, kept[: len(kept) // 2], kept + b"\xff"):
                if content == kept:
                    continue
                (folder / name).write_bytes(content)
                assert f"{name}: its sha256 is not the one in {SUMS}" in problems(folder), (name, content[:20])
        (folder / name).write_bytes(kept)


def test_a_changed_plan_is_found_or_refused(copy: Path) -> None:
    plan = json.loads((copy / "plan.json").read_bytes())
    for recipe in (5, None, {}, {"samples": "x"}, plan["recipe"] | {"shard": 1}, plan["recipe"] | {"other": 1}):
        (copy / "plan.json").write_text(json.dumps(plan | {"recipe": recipe}))
        try:
            assert any(problem.startswith("plan.json: ") for problem in problems(copy))
        except SynthharmError as error:
            assert "plan.json" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "name", ["images/extra.png", "notes.txt", ".hidden", "records/99999.jsonl", "new/deep/file"]
)
def test_an_extra_file_is_found(copy: Path, name: str) -> None:
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    (copy / name).touch()
    assert f"{name}: is not listed in {SUMS}" in problems(copy)


def test_a_link_is_an_extra_file(copy: Path, tmp_path: Path) -> None:
    (copy / "nowhere").symlink_to(tmp_path / "nowhere")
    assert f"nowhere: is not listed in {SUMS}" in problems(copy)


def test_one_file_in_the_place_of_another_is_found(copy: Path) -> None:
    files = records_of(copy)[0].files
    paths = [file["path"] for file in files.values()]
    for here in paths:
        kept = (copy / here).read_bytes()
        for there in paths:
            if there != here:
                shutil.copyfile(copy / there, copy / here)
                assert f"{here}: its sha256 is not the one in {SUMS}" in problems(copy)
        (copy / here).write_bytes(kept)


# Checksums


def test_a_checksum_that_is_missing_twice_or_no_checksum_is_found(copy: Path) -> None:
    whole = (copy / SUMS).read_text().splitlines(keepends=True)
    place = next(i for i, line in enumerate(whole) if "images/000002" in line)
    (copy / SUMS).write_text("".join(whole[:place] + whole[place + 1 :]))
    assert problems(copy) == [f"images/000002.png: is not listed in {SUMS}"]
    (copy / SUMS).write_text("".join([*whole, whole[place]]))
    assert any(p.startswith(f"{SUMS}: line {len(whole) + 1} is there twice") for p in problems(copy))
    (copy / SUMS).write_text("".join([*whole, "no checksum\n"]))
    assert any(p.startswith(f"{SUMS}: line {len(whole) + 1} is not a checksum and a name") for p in problems(copy))
    (copy / SUMS).write_text("")
    assert len([p for p in problems(copy) if "is not listed" in p]) == len(whole)


# What is no finished dataset


def test_what_is_no_dataset_is_refused_at_once(tmp_path: Path, copy: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(SynthharmError, match="is not a dataset of synthharm"):
            check_dataset(folder)
    (copy / SUMS).unlink()
    with pytest.raises(SynthharmError, match=f"is not finished: {SUMS} is missing"):
        check_dataset(copy)
    for content in (b"", b"[]", b"\xff", b"{}", b"3"):
        (copy / "plan.json").write_bytes(content)
        with pytest.raises(SynthharmError, match=r"plan\.json"):
            check_dataset(copy)


def test_the_check_changes_nothing(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    (copy / "images" / "extra").touch()
    problems(copy)
    (copy / "images" / "extra").unlink()
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_records_are_frozen(dataset_in: Callable[[str], Path]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        records_of(dataset_in("png"))[0].sample = 3  # type: ignore[misc]
