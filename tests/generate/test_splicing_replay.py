"""A sample comes back from its record and the sources to the byte, or what stands in the way is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_datasets import tree
from splicing_datasets import Made, parsed, recipe_of, samples_of

from synthharm.errors import SynthharmError
from synthharm.generate.replaying import read_records, replay, replay_all
from synthharm.writers.forensics.record import KINDS, SplicingRecord


@pytest.fixture(scope="session")
def by_kind(splicing: Made) -> dict[str, SplicingRecord]:
    return {record.kind: record for record in samples_of(splicing.full())}


@pytest.fixture
def moved(splicing: Made, tmp_path: Path) -> Path:
    """A copy of the source, to spoil."""
    return shutil.copytree(splicing.source, tmp_path / "moved")


# The same bytes


def test_every_sample_comes_back_to_the_byte(splicing: Made, tmp_path: Path) -> None:
    folder, count = splicing.full(), 0
    for replayed in replay_all(folder, str(splicing.source), output=tmp_path / "again"):
        assert replayed.differences == (), replayed.record.sample
        count += 1
    assert count == 40
    made, again = tree(folder), tree(tmp_path / "again")
    assert again == {path: made[path] for path in again}
    assert set(again) == {file["path"] for record in samples_of(folder) for file in record.files.values()}


def test_png_comes_back_too(splicing: Made) -> None:
    assert not any(one.differences for one in replay_all(splicing.plain(), str(splicing.source)))


def test_a_record_alone_is_enough(
    splicing: Made, moved: Path, tmp_path: Path, by_kind: dict[str, SplicingRecord]
) -> None:
    """With its photos, wherever they lie, and a recipe that says no more than how to read them."""
    record = by_kind["harmonized_splice"]
    used = {photo["photo"] for photo in record.photos}
    for path in (moved / "images").iterdir():
        if f"images/{path.name}" not in used:
            path.unlink()
    (moved / "instances.json").unlink()
    path = tmp_path / "record.json"
    path.write_text(record.to_json())
    other = {"samples": 1, "data": ".", "source": {"format": "coco"}, "kinds": {"authentic": 1.0}}
    (tmp_path / "recipe.yaml").write_text(json.dumps(other))
    (replayed,) = replay_all(path, str(moved))
    assert replayed.differences == ()
    assert len(replayed.files) == len(record.files)


def test_samples_are_found_by_number(splicing: Made) -> None:
    for path in (splicing.full(), splicing.full() / "records" / "00001.jsonl"):
        (replayed,) = replay_all(path, str(splicing.source), sample=12)
        assert replayed.record.sample == 12
    with pytest.raises(SynthharmError, match="there is no record of sample 99"):
        list(replay_all(splicing.full(), str(splicing.source), sample=99))


def test_other_bytes_are_said(splicing: Made, by_kind: dict[str, SplicingRecord]) -> None:
    record = by_kind["splice"]
    files = {role: dict(file) for role, file in record.files.items()}
    files["mask"]["sha256"] = "0" * 64
    (line,) = replay(replace(record, files=files), splicing.recipe).differences
    assert line == (
        f"sample {record.sample}: mask: sha256 is {record.files['mask']['sha256']}; recorded was {'0' * 64}"
    )
    files["source_9"] = files.pop("mask")
    lines = replay(replace(record, files=files), splicing.recipe).differences
    assert [line.split(": ")[1] for line in lines] == ["mask", "source_9"]


def test_other_versions_are_said(splicing: Made, by_kind: dict[str, SplicingRecord]) -> None:
    record = by_kind["authentic"]
    versions = record.versions | {"numpy": "0.1", "other": "2"}
    replayed = replay(replace(record, versions=versions), splicing.recipe)
    assert not replayed.differences
    assert replayed.versions == (
        f"sample {record.sample}: made with numpy 0.1; here is {record.versions['numpy']}",
        f"sample {record.sample}: made with other 2; here is None",
    )


def test_an_edit_that_differs_makes_other_bytes(splicing: Made, by_kind: dict[str, SplicingRecord]) -> None:
    for kind, name in (("splice", "placement"), ("removal", "dilation"), ("retouch", "feather")):
        edits = json.loads(json.dumps(by_kind[kind].edits))
        if name == "placement":
            edits[0]["placement"]["x"] += 4
        else:
            edits[0][name] += 2
        assert replay(replace(by_kind[kind], edits=edits), splicing.recipe).differences


# What stands in the way


@pytest.mark.parametrize("which", [0, 1])
def test_a_photo_that_changed_is_refused_by_name(
    moved: Path, by_kind: dict[str, SplicingRecord], which: int
) -> None:
    record = by_kind["splice"]
    key = record.photos[which]["photo"]
    Image.fromarray(np.zeros((128, 160, 3), np.uint8)).save(moved / key)
    with pytest.raises(SynthharmError, match=rf"{key}: has changed: sha256 is .*; the record was made from "):
        replay(record, parsed(recipe_of(moved)))


@pytest.mark.parametrize("spoil", ["missing", "empty"])
def test_a_photo_that_cannot_be_read_is_refused_by_name(
    moved: Path, by_kind: dict[str, SplicingRecord], spoil: str
) -> None:
    record = by_kind["authentic"]
    path = moved / record.photos[0]["photo"]
    path.unlink() if spoil == "missing" else path.write_bytes(b"")
    with pytest.raises(SynthharmError, match=rf"sample {record.sample}: {record.photos[0]['photo']}: "):
        replay(record, parsed(recipe_of(moved)))


def put(*keys: Any) -> Callable[[dict[str, Any]], None]:
    """What sets the last of the keys, one below the other, to the value at the end; DROP removes it."""
    *path, last, value = keys

    def change(record: dict[str, Any]) -> None:
        place: Any = record
        for key in path:
            place = place[key]
        if value is DROP:
            del place[last]
        else:
            place[last] = value

    return change


DROP = object()
IMPOSSIBLE: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "an unknown edit": ("splice", put("edits", 0, "edit", "swap")),
    "an edit with another field": ("splice", put("edits", 0, "other", 1)),
    "an edit without its region": ("splice", put("edits", 0, "region", DROP)),
    "edits that are none": ("splice", put("edits", 5)),
    "an edit that is a number": ("splice", put("edits", [3])),
    "a text for a number": ("splice", put("edits", 0, "placement", "x", "left")),
    "a place off the picture": ("splice", put("edits", 0, "placement", "x", -5000.0)),
    "no scale": ("splice", put("edits", 0, "placement", "scale", 0.0)),
    "a placement without end": ("splice", put("edits", 0, "placement", "y", float("inf"))),
    "an erosion of all": ("splice", put("edits", 0, "cut", "erosion", 500.0)),
    "an unknown blending": ("splice", put("edits", 0, "blending", "glue")),
    "a photo that is not there": ("splice", put("edits", 0, "region", "photo", 7)),
    "a mask that is none": ("splice", put("edits", 0, "region", "mask", "no polygon")),
    "unknown filters": ("retouch", put("edits", 0, "colour", "filters", ["glitter"])),
    "other arguments": ("retouch", put("edits", 0, "colour", "arguments", {"hue": 0.5})),
    "arguments that are no numbers": ("retouch", put("edits", 0, "colour", "arguments", "brightness", "much")),
    "no dilation": ("removal", put("edits", 0, "dilation", -1)),
    "a removal of all": ("removal", put("edits", 0, "dilation", 400)),
    "photos that are none": ("authentic", put("photos", [])),
    "a photo without a name": ("authentic", put("photos", 0, "photo", DROP)),
    "a photo whose name is a number": ("authentic", put("photos", 0, "photo", 4)),
    "a photo without its checksum": ("authentic", put("photos", 0, "sha256", DROP)),
    "a licence that is a number": ("authentic", put("photos", 0, "licence", 5)),
    "a licence that is a list": ("splice", put("photos", 1, "licence", ["CC BY 2.0"])),
    "no history": ("authentic", put("history", [])),
    "a history that is a text": ("authentic", put("history", "none")),
    "a history without a save": ("authentic", put("history", [{"step": "blur", "sigma": 1.0}])),
    "an unknown step": ("authentic", put("history", 0, {"step": "fax"})),
    "a crop beyond the picture": (
        "authentic",
        put("history", [{"step": "crop", "left": 0, "top": 0, "width": 999, "height": 9}, {"step": "png"}]),
    ),
    "a size that is none": (
        "authentic",
        put("history", [{"step": "resize", "width": 0, "height": 9}, {"step": "png"}]),
    ),
    "a size that no picture has": (
        "authentic",
        put("history", [{"step": "resize", "width": 10**30, "height": 9}, {"step": "png"}]),
    ),
    "a quality of nothing": ("authentic", put("history", -1, {"step": "jpeg", "quality": 0})),
    "tables that are none": ("authentic", put("history", -1, {"step": "jpeg", "tables": [[1], [2]]})),
    "a unit that is none": ("authentic", put("unit", None)),
    "a unit without a type": ("authentic", put("unit", "type", DROP)),
    "an image that is none": ("authentic", put("image", [])),
    "a boundary that is a text": ("splice", put("image", "boundary", "wide")),
    "a boundary below nothing": ("splice", put("image", "boundary", -1.0)),
    "a boundary that no recipe has": ("splice", put("image", "boundary", 50.5)),
    "files that are none": ("authentic", put("files", None)),
    "files that are a list": ("authentic", put("files", [1])),
    "a file that is a number": ("authentic", put("files", "image", 5)),
    "a file without its checksum": ("splice", put("files", "mask", "sha256", DROP)),
    "versions that are none": ("authentic", put("versions", None)),
    "versions that are a list": ("authentic", put("versions", ["numpy 2"])),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_a_record_that_cannot_be_run_is_refused(
    splicing: Made, by_kind: dict[str, SplicingRecord], name: str
) -> None:
    kind, spoil = IMPOSSIBLE[name]
    data = json.loads(by_kind[kind].to_json())
    spoil(data)
    with pytest.raises(SynthharmError, match=f"sample {data['sample']}: "):
        replay(SplicingRecord(**data), splicing.recipe)


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("line", ["", "no JSON", "5", "[]", "{}", '{"sample": 1}', "null"])
def test_a_line_that_is_no_record_is_refused(
    by_kind: dict[str, SplicingRecord], tmp_path: Path, line: str
) -> None:
    path = write_lines(tmp_path / "records.jsonl", [by_kind["splice"].to_json(), line])
    with pytest.raises(SynthharmError, match=r"records\.jsonl: line 2: "):
        list(read_records(path, None))


def test_a_record_with_other_fields_is_refused(by_kind: dict[str, SplicingRecord], tmp_path: Path) -> None:
    known = asdict(by_kind["splice"])
    fewer = {name: value for name, value in known.items() if name != "edits"}
    for number, fields in enumerate((known | {"colour": 1}, fewer)):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(fields))
        with pytest.raises(SynthharmError, match=r"a record .*has the fields"):
            list(read_records(path, None))


@pytest.mark.parametrize("mark", ["\u2028", "\u0085", "\u2029"])
def test_names_may_have_any_character(by_kind: dict[str, SplicingRecord], tmp_path: Path, mark: str) -> None:
    """Lines end at line feeds alone: in JSON other marks that some take for ends of lines stand as they are."""
    record = by_kind["splice"]
    photos = [photo | {"attribution": f"A.{mark}B."} for photo in record.photos]
    lines = [replace(record, photos=photos).to_json(), record.to_json()]
    found = list(read_records(write_lines(tmp_path / "records.jsonl", lines), None))
    assert [one.photos for one in found] == [photos, record.photos]


def test_what_is_not_there_is_said(splicing: Made, tmp_path: Path) -> None:
    data = str(splicing.source)
    with pytest.raises(SynthharmError, match=r"no recipe\.yaml is beside it; name one with --recipe"):
        list(replay_all(tmp_path, data))
    shutil.copy(splicing.full() / "recipe.yaml", tmp_path)
    shutil.copy(splicing.full() / "tables.json", tmp_path)
    for path, why in ((tmp_path, "there is no record"), (tmp_path / "a.jsonl", "cannot be read")):
        with pytest.raises(SynthharmError, match=why):
            list(replay_all(path, data))
    with pytest.raises(SynthharmError, match="is not a folder"):
        list(replay_all(splicing.full(), str(tmp_path / "nowhere"), sample=0))


def test_the_recipe_of_another_kind_of_dataset_is_refused(splicing: Made, tmp_path: Path) -> None:
    recipe = {"samples": 1, "data": ".", "source": {"format": "folder"}, "writer": {"format": "folder"}}
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    with pytest.raises(SynthharmError, match="sample 0: the record is of another kind of dataset than the recipe"):
        list(replay_all(splicing.full(), str(splicing.source), recipe=tmp_path / "recipe.yaml"))


def test_all_kinds_were_tried(by_kind: dict[str, SplicingRecord]) -> None:
    assert set(by_kind) == set(KINDS)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("files", "image", "path"), "/dev/zero"),
        (("files", "mask", "path"), "../mask.png"),
        (("files", "alpha", "path"), "."),
        (("history", -1, "quality"), [7]),
        (("regions", 0, "category"), {}),
        (("photos", 0, "licence"), 7),
        (("licence", "attribution"), "me"),
        (("image", "width"), "wide"),
        (("unit", "history"), []),
    ],
)
def test_a_record_whose_parts_are_of_another_type_is_refused(
    by_kind: dict[str, SplicingRecord], keys: tuple[Any, ...], value: object
) -> None:
    record = json.loads(by_kind["splice"].to_json())
    assert SplicingRecord.from_json(json.dumps(record)) == by_kind["splice"]
    put(*keys, value)(record)
    with pytest.raises(ValueError, match=f"sample {record['sample']}: "):
        SplicingRecord.from_json(json.dumps(record))
