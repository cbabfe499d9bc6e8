"""A good dataset passes its check; what is spoilt in files, labels, records or formats is found and named."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from splicing_datasets import Made, plain_recipe_of, read_label, samples_of
from splicing_spoiling import own, pasted, put_file, put_label, put_record
from spoiling import SUMS, problems, put_sums, sums_of

from synthharm.composites.encoding import encode_png
from synthharm.errors import SynthharmError
from synthharm.generate import check_dataset
from synthharm.generate.check import check_shortcuts
from synthharm.writers.forensics.record import SplicingRecord

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def copy(splicing: Made, tmp_path: Path) -> Path:
    return shutil.copytree(splicing.full(), tmp_path / "copy")


# Good ones


@pytest.mark.parametrize("name", ["full", "plain"])
def test_a_good_dataset_has_no_problem(splicing: Made, name: str) -> None:
    assert problems(getattr(splicing, name)()) == []


def test_the_helpers_of_these_tests_change_nothing_by_themselves(copy: Path) -> None:
    record = pasted(copy)
    for role in record.files:
        put_file(copy, record, role, (copy / record.files[role]["path"]).read_bytes())
    put_label(copy, "mask", lambda label: None)
    assert own(problems(copy)) == []


# Files


@pytest.mark.parametrize("role", ["image", "mask", "alpha", "boundary", "regions", "source_1"])
def test_a_changed_file_is_found(copy: Path, role: str) -> None:
    path = pasted(copy).files[role]["path"]
    data = bytearray((copy / path).read_bytes())
    data[-20] ^= 4
    (copy / path).write_bytes(data)
    assert f"{path}: its sha256 is not the one in {SUMS}" in problems(copy)
    put_sums(copy)
    assert any(line.startswith(f"sample {pasted(copy).sample}: {path}: ") for line in problems(copy))


@pytest.mark.parametrize("role", ["image", "mask", "source_1"])
def test_a_file_that_breaks_off_or_is_missing_is_found(copy: Path, role: str) -> None:
    path = pasted(copy).files[role]["path"]
    (copy / path).write_bytes((copy / path).read_bytes()[:30])
    assert f"{path}: its sha256 is not the one in {SUMS}" in problems(copy)
    put_sums(copy)
    assert any(path in line for line in own(problems(copy)))
    (copy / path).unlink()
    assert f"{path}: is listed in {SUMS} and missing" in problems(copy)


def test_every_missing_or_changed_file_is_found(copy: Path) -> None:
    """Some of what describes the whole, and a label."""
    record = pasted(copy)
    names = ["recipe.yaml", "tables.json", "audit.json", "README.md", "records/00000.jsonl", "metadata.parquet"]
    assert set(names) < set(sums_of(copy))
    for name in [*names, record.files["boundary"]["path"]]:
        kept = (copy / name).read_bytes()
        (copy / name).write_bytes(b"\xff" + kept)
        assert f"{name}: its sha256 is not the one in {SUMS}" in problems(copy)
        (copy / name).unlink()
        assert f"{name}: is listed in {SUMS} and missing" in problems(copy)
        (copy / name).write_bytes(kept)
    assert problems(copy) == []


@pytest.mark.parametrize("name", ["images/extra.jpg", ".hidden", "records/99999.jsonl", "deep/er/file"])
def test_an_extra_file_is_found(copy: Path, name: str) -> None:
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    (copy / name).touch()
    assert f"{name}: is not listed in {SUMS}" in problems(copy)


# Labels and records that do not agree, with all checksums right


def flip(label: np.ndarray) -> None:
    label[0, 0] ^= 255


def set_where(value: int, to: int) -> Callable[[np.ndarray], None]:
    def change(label: np.ndarray) -> None:
        label[label == value] = to

    return change


LABELS: dict[str, tuple[str, Callable[[np.ndarray], None], str]] = {
    "a pixel of the mask": ("mask", flip, "mask: is not where the regions are"),
    "a mask of ones": ("mask", set_where(255, 1), "mask: has values other than 0 and 255"),
    "a pixel of the boundary": ("boundary", flip, "boundary: is not the band around the mask's edge"),
    "a region of another number": ("regions", set_where(1, 7), "regions: are "),
    "an alpha of nothing": ("alpha", set_where(255, 0), "alpha: "),
    "an alpha beyond the mask": ("alpha", flip, "alpha: "),
    "a source with other values": ("source_1", set_where(255, 9), "source_1: "),
    "a source of nothing": ("source_1", set_where(255, 0), "source_1: "),
}


@pytest.mark.parametrize("name", LABELS)
def test_a_label_that_belongs_to_no_other_is_found(copy: Path, name: str) -> None:
    role, change, said = LABELS[name]
    put_label(copy, role, change)
    place = f"sample {pasted(copy).sample}: {said}"
    assert any(line.startswith(place) for line in problems(copy)), own(problems(copy))


@pytest.mark.parametrize("role", ["mask", "alpha", "boundary", "regions", "source_1"])
@pytest.mark.parametrize("how", ["another size", "in colour"])
def test_a_label_of_another_form_is_found(copy: Path, role: str, how: str) -> None:
    record = pasted(copy)
    label = read_label(copy, record, role)
    changed = label[:-1] if how == "another size" else np.repeat(label[:, :, None], 3, axis=2)
    put_file(copy, record, role, encode_png(np.ascontiguousarray(changed)))
    found = own(problems(copy))
    assert any(line.startswith(f"sample {record.sample}: ") for line in found), found


def saved_again(folder: Path, record: SplicingRecord, cut: int = 0, **settings: Any) -> bytes:
    """The image, saved with its own tables and subsampling but for what is said; `cut` columns less."""
    file = io.BytesIO()
    with Image.open(folder / record.files["image"]["path"]) as image:
        tables = image.quantization  # type: ignore[attr-defined]
        own = {"format": "JPEG", "qtables": tables, "subsampling": record.history[-1]["subsampling"]}
        image.crop((0, 0, image.width - cut, image.height)).save(file, **own | settings)
    return file.getvalue()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"qtables": None, "quality": 31}, "of the luminance table is"),
        ({"subsampling": "4:1:1"}, "the subsampling is"),
        ({"progressive": True}, "the file is progressive; the step says baseline"),
        ({"format": "PNG"}, "the format is png; the step says jpeg"),
        ({"cut": 8}, "the size is"),
    ],
)
def test_an_image_that_was_saved_otherwise_is_found(copy: Path, settings: dict[str, Any], said: str) -> None:
    record = pasted(copy)
    if "subsampling" in settings:
        other = {"4:2:0": "4:4:4", "4:4:4": "4:2:2", "4:2:2": "4:2:0"}[record.history[-1]["subsampling"]]
        settings = {"subsampling": other}
    put_file(copy, record, "image", saved_again(copy, record, **settings))
    place, found = f"sample {record.sample}: {record.files['image']['path']}: ", own(problems(copy))
    assert any(line.startswith(place) and said in line for line in found), found


def test_an_image_that_was_saved_alike_is_not(copy: Path) -> None:
    record = pasted(copy)
    put_file(copy, record, "image", saved_again(copy, record))
    assert own(problems(copy)) == []


RECORDS: dict[str, tuple[Change, str]] = {
    "the area of the mask": (lambda r: r["image"].update(area=r["image"]["area"] + 1), "mask: covers"),
    "the area of a region": (lambda r: r["regions"][0].update(area=1), "region 1: its area are not those of"),
    "the number of a region": (lambda r: r["regions"][0].update(id=9), "regions: are"),
    "a region more": (lambda r: r["regions"].append(r["regions"][0] | {"id": 9}), "regions: are"),
    "an unknown kind": (lambda r: r.update(kind="forgery"), "kind is 'forgery'"),
    "authentic": (lambda r: r.update(kind="authentic"), "has the labels"),
    "the width of the boundary": (lambda r: r["image"].update(boundary=5.0), "boundary: is not the band"),
    "the quality of the save": (
        lambda r: r["history"][-1].update(quality=3, tables=None),
        "of the luminance table",
    ),
    "the size of the image": (lambda r: r["image"].update(width=999), "the size is"),
    "a change outside": (lambda r: r["measured"].update(outside=3.0), "changes of 3.0 levels outside the mask"),
    "the checksum of a file": (lambda r: r["files"]["mask"].update(sha256="0"), "is not the file that the record"),
    "a file's bytes": (lambda r: r["files"]["image"].update(bytes=1), "is not the file that the record"),
    "a file that is not there": (lambda r: r["files"]["mask"].update(path="masks/x.png"), "masks/x.png: "),
    "no mask": (lambda r: r["files"].pop("mask"), "has the labels"),
    "no history": (lambda r: r.update(history=[]), "its record is not as a record is"),
    "an unknown save": (lambda r: r["history"].append({"step": "fax"}), "its record is not as a record is"),
    "no image": (lambda r: r.update(image=None), "is not a record"),
    "files that are none": (lambda r: r.update(files=5), "is not a record"),
    # What the record says of its labels and edits besides:
    "another kind": (lambda r: r.update(kind="removal"), ""),
    "no source": (lambda r: r["files"].pop("source_1"), ""),
    "the share of the mask": (lambda r: r["image"].update(share=0.9), ""),
    "the share of a region": (lambda r: r["regions"][0].update(share=0.9), ""),
    "the box of a region": (lambda r: r["regions"][0].update(box=[0, 0, 2, 2]), ""),
    "the category of a region": (lambda r: r["regions"][0].update(category="unicorn"), ""),
    "an edit more": (lambda r: r["edits"].append(r["edits"][0]), ""),
    "an edit that is none": (lambda r: r["edits"][0].update(edit="swap"), ""),
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_changed_record_is_found(copy: Path, name: str) -> None:
    change, said = RECORDS[name]
    sample = pasted(copy).sample
    put_record(copy, sample, change)
    found = own(problems(copy))
    named = [line for line in found if line.startswith(f"sample {sample}: ") or "is not a record" in line]
    assert any(said in line for line in named), found


def test_a_sample_in_another_split_is_found(copy: Path) -> None:
    record = pasted(copy)
    other = {"train": "test", "test": "train"}[record.split]
    put_record(copy, record.sample, lambda one: one.update(split=other))
    found = own(problems(copy))
    assert any("a component is in two splits" in line for line in found), found


def test_a_line_that_is_no_record_is_found(copy: Path) -> None:
    path = copy / "records" / "00001.jsonl"
    path.write_text(path.read_text() + "{}\n")
    put_sums(copy)
    assert any(line.startswith("records/00001.jsonl: line ") for line in own(problems(copy)))


def test_a_sample_that_is_there_twice_is_found(copy: Path) -> None:
    path = copy / "records" / "00000.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines, lines[-1]]))
    put_sums(copy)
    assert any("comes after sample" in line for line in own(problems(copy)))


def test_a_sample_that_was_taken_out_is_found(copy: Path) -> None:
    record = samples_of(copy)[-1]
    path = sorted((copy / "records").iterdir())[-1]
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    for file in record.files.values():
        (copy / file["path"]).unlink()
    sums = (copy / SUMS).read_text().splitlines(keepends=True)
    paths = tuple(f"  {file['path']}\n" for file in record.files.values())
    (copy / SUMS).write_text("".join(line for line in sums if not line.endswith(paths)))
    put_sums(copy)
    found = own(problems(copy))
    assert any(line.startswith("certificate.json: split ") for line in found), found


# The whole


def change_json(path: Path, change: Change) -> None:
    data = json.loads(path.read_bytes())
    change(data)
    path.write_text(json.dumps(data))


CERTIFICATES: dict[str, tuple[Change, str]] = {
    "another split": (lambda c: c["photos"][0].update(split="val"), "is listed in val"),
    "a photo less": (lambda c: c["photos"].pop(), "is missing"),
    "another component": (lambda c: c["photos"][0].update(component=77), "is listed in component 77"),
    "other counts": (lambda c: c["splits"]["train"].update(samples=1), "split train is said to have"),
    "another method": (lambda c: c.update(method="by hand"), "is no certificate that can be read"),
    "hashes that join splits": (
        lambda c: [photo.update(phash="0" * 16) for photo in c["photos"]],
        "near-duplicates: a component is in two splits",
    ),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_changed_certificate_is_found(copy: Path, name: str) -> None:
    change, said = CERTIFICATES[name]
    change_json(copy / "certificate.json", change)
    put_sums(copy)
    assert any(said in line for line in own(problems(copy))), own(problems(copy))


def test_a_summary_of_other_samples_is_found(copy: Path) -> None:
    change_json(copy / "dataset.json", lambda summary: summary.update(samples=41))
    put_sums(copy)
    assert any("dataset.json" in line for line in own(problems(copy)))


def test_a_table_of_other_samples_is_found(splicing: Made, copy: Path) -> None:
    shutil.copyfile(splicing.plain() / "metadata.parquet", copy / "metadata.parquet")
    put_sums(copy)
    assert any("metadata.parquet" in line for line in own(problems(copy)))


# Formats


@pytest.mark.parametrize("name", ["coco", "huggingface"])
def test_every_changed_missing_or_extra_file_of_a_format_is_found(copy: Path, name: str) -> None:
    folder = copy / "formats" / name
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    kinds = {
        path.relative_to(folder).parent / path.suffix: path for path in files
    }  # one of each folder and suffix
    for path in kinds.values():
        place, kept = path.relative_to(folder).as_posix(), path.read_bytes()
        if place == SUMS:
            continue
        path.unlink()
        path.write_bytes(b"\0" + kept[1:])  # a file of its own: others are linked to the dataset's
        assert f"formats/{name}/{place}: its sha256 is not the one in {SUMS}" in problems(copy), place
        path.unlink()
        assert f"formats/{name}/{place}: is listed in {SUMS} and missing" in problems(copy), place
        path.write_bytes(kept)
    (folder / "extra").touch()
    assert problems(copy) == [f"formats/{name}/extra: is not listed in {SUMS}"]


def test_a_format_without_its_checksums_is_found(copy: Path) -> None:
    (copy / "formats" / "coco" / SUMS).unlink()
    assert any(line.startswith("formats/coco") and SUMS in line for line in problems(copy))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_no_format_is_found_among_formats(copy: Path, kind: str) -> None:
    path = copy / "formats" / "stray"
    path.touch() if kind == "file" else path.mkdir()
    assert any(line.startswith("formats/stray") for line in problems(copy))


def test_a_format_that_the_recipe_asks_for_and_is_missing_is_found(copy: Path) -> None:
    shutil.rmtree(copy / "formats" / "coco")
    assert any("formats/coco" in line for line in problems(copy))


def test_a_format_of_other_samples_is_found(splicing: Made, copy: Path) -> None:
    from synthharm.generate.splicing.converting import convert_dataset

    shutil.rmtree(copy / "formats" / "coco")
    convert_dataset(splicing.plain(), "coco", copy / "formats" / "coco")
    found = problems(copy)
    assert "formats/coco: sample 0 is missing, or has another record" in found


# Shortcuts, and what is no dataset


def test_shortcuts_are_measured(splicing: Made) -> None:
    changes = {"samples": 44, "kinds": {"authentic": 0.5, "copy_move": 0.5}, "regions": [1, 1]}
    folder = splicing.made("many", plain_recipe_of(splicing.source, **changes))
    found = check_shortcuts(folder)
    assert found is not None
    assert found.as_json() == json.loads((folder / "audit.json").read_bytes())
    assert found.auc
    assert all(0 <= area <= 1 for area in found.auc.values())
    assert found.samples == {"authentic": 22, "copy_move": 22}


def test_too_few_samples_are_said(splicing: Made) -> None:
    found = check_shortcuts(splicing.plain())
    assert found is not None
    assert found.auc == {}
    assert "too few to judge" in found.warning[0]


def test_what_is_not_finished_is_refused(copy: Path) -> None:
    (copy / SUMS).unlink()
    for check in (check_dataset, check_shortcuts):
        with pytest.raises(SynthharmError, match=f"is not finished: {SUMS} is missing"):
            check(copy)


def test_the_check_changes_nothing(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    problems(copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "change", [lambda one: np.repeat(one[:, :, None], 3, axis=2), lambda one: one.astype(np.uint16)]
)
def test_a_label_of_another_kind_of_picture_is_found(
    copy: Path, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    record = pasted(copy)
    put_file(copy, record, "mask", encode_png(change(read_label(copy, record, "mask"))))
    wrong = f"sample {record.sample}: {record.files['mask']['path']}: is not an 8-bit grey label"
    assert wrong in own(problems(copy))
