"""What the samples of families and grids have in common, and that a dataset where they have not is found out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from splicing_datasets import Made, make_dataset, parsed, plain_recipe_of, samples_of
from typer.testing import CliRunner

from synthharm.cli import app
from synthharm.composites.history import Png, read_tables
from synthharm.composites.manipulation import Colour, Region, Removal, Retouch
from synthharm.errors import SynthharmError, Unusable
from synthharm.generate import check_dataset
from synthharm.generate.splicing.draft import Draft
from synthharm.generate.splicing.layout import Layout, Member, UnitKind
from synthharm.generate.splicing.sample import Origin, finish_sample
from synthharm.generate.splicing.unit_check import wrong_units
from synthharm.sources import Photo
from synthharm.writers.forensics import SplicingRecord


@pytest.fixture(scope="module")
def records(splicing: Made) -> list[SplicingRecord]:
    return samples_of(splicing.full())


def problems(records: list[SplicingRecord]) -> list[str]:
    return list(wrong_units(lambda: iter(records)))


def member(records: list[SplicingRecord], type: str, **wanted: Any) -> int:
    """The place of the first sample in such a unit."""
    return next(
        place
        for place, record in enumerate(records)
        if record.unit["type"] == type and all(record.unit[key] == value for key, value in wanted.items())
    )


def test_units_as_they_are_made_are_right(records: list[SplicingRecord]) -> None:
    assert {record.unit["type"] for record in records} == {"single", "family", "grid"}
    assert problems(records) == []


def moved(record: SplicingRecord) -> SplicingRecord:
    edit = record.edits[0]
    place = edit["placement"] | {"y": edit["placement"]["y"] + 1}
    return replace(record, edits=[edit | {"placement": place}, *record.edits[1:]])


FAMILY: dict[str, tuple[str, Callable[[SplicingRecord], SplicingRecord], str]] = {
    "moved": ("splice", moved, "differ in more than colours"),
    "history": (
        "target",
        lambda r: replace(r, history=[{"step": "png", "compression": 1}]),
        "several histories",
    ),
    "its name": ("donor", lambda r: replace(r, unit=r.unit | {"history": "other"}), "histories of several names"),
    "split": ("donor", lambda r: replace(r, split="other"), "are in several splits"),
    "target": (
        "target",
        lambda r: replace(r, photos=[r.photos[0] | {"photo": "other"}]),
        "are not of one target",
    ),
    "donor": ("donor", lambda r: replace(r, photos=[r.photos[0] | {"photo": "other"}]), "is none of the splice's"),
    "role": ("donor", lambda r: replace(r, unit=r.unit | {"role": "target"}), "are a family of"),
}


@pytest.mark.parametrize("name", FAMILY)
def test_a_family_of_another_kind_is_found(records: list[SplicingRecord], name: str) -> None:
    role, change, said = FAMILY[name]
    place = member(records, "family", role=role)
    changed = [*records[:place], change(records[place]), *records[place + 1 :]]
    assert any(said in line for line in problems(changed)), problems(changed)


@pytest.mark.parametrize("factor", ["colour", "feather", "scale", "quality"])
def test_a_grid_that_varies_more_is_found(records: list[SplicingRecord], factor: str) -> None:
    place = member(records, "grid", factor=factor)
    changed = [*records[:place], moved(records[place]), *records[place + 1 :]]
    assert any(f"differ in more than {factor}" in line for line in problems(changed)), problems(changed)
    other = replace(records[place], history=[{"step": "blur", "sigma": 1.0}, records[place].history[-1]])
    changed = [*records[:place], other, *records[place + 1 :]]
    assert any("several histories" in line for line in problems(changed)), problems(changed)


def test_the_splice_of_a_family_is_raw(records: list[SplicingRecord]) -> None:
    splices = [record for record in records if record.unit["role"] == "splice"]
    assert splices
    assert {edit["colour"]["mode"] for record in splices for edit in record.edits} == {"as_is"}


def test_what_a_copy_lies_on_is_not_its_source(splicing: Made) -> None:
    copies = [record for record in samples_of(splicing.full()) if record.kind == "copy_move"]
    assert copies
    for record in copies:
        regions = cv2.imread(str(splicing.full() / record.files["regions"]["path"]), cv2.IMREAD_UNCHANGED)
        for role in record.files:
            if role.startswith("source_"):
                source = cv2.imread(str(splicing.full() / record.files[role]["path"]), cv2.IMREAD_UNCHANGED)
                assert not (source[regions > 0] > 0).any()


def test_a_region_that_changes_nothing_is_refused_beside_one_that_does() -> None:
    """Neutral arguments leave a region as it was; the one beside it must not hide that."""
    wall = np.full((96, 96, 3), 120, np.uint8)
    wall[:, 48:] = np.random.default_rng(0).integers(0, 255, (96, 48, 3), np.uint8)
    flat, noisy = np.zeros((2, 96, 96), np.uint8)
    flat[40:56, 12:28], noisy[40:56, 66:82] = 255, 255
    draft = Draft.of(Photo(wall, "wall.png", "0" * 64), 0)
    changed = draft.with_edit(Removal(Region(0, "noisy", "")), noisy)
    neutral = Colour("harmonizer", ("brightness",), "image", {"brightness": 0.0})
    both = changed.with_edit(Retouch(Region(0, "flat", ""), neutral), flat)
    unit = UnitKind("single", (Member("removal"),))
    origin = Origin(0, 0, 0, unit, unit.members[0], "train", 0, "none")
    assert finish_sample(origin, changed, [], Png(), 2).record.measured["foreground_mse"] > 1
    with pytest.raises(Unusable, match="region flat differs by an MSE of 0"):
        finish_sample(origin, both, [], Png(), 2)


def test_a_category_that_no_region_has_is_refused(splicing: Made, tmp_path: Path) -> None:
    recipe = plain_recipe_of(splicing.source, kinds={"splice": 1.0}, quotas={"category": {"unicorn": 1.0}})
    with pytest.raises(SynthharmError, match=r"no region is of category 'unicorn'; there are bird"):
        make_dataset(recipe, tmp_path / "made")


def test_of_one_sample_all_is_reached(splicing: Made, tmp_path: Path) -> None:
    changes = {"samples": 1, "kinds": {"splice": 1.0}, "quotas": {"category": {"dog": 1.0}}}
    folder = make_dataset(plain_recipe_of(splicing.source, **changes), tmp_path / "made")
    quotas = json.loads((folder / "dataset.json").read_text())["quotas"]
    assert quotas["kinds"]["splice"] == quotas["category"]["dog"] == {"wanted": 1.0, "reached": 1.0}


def test_photos_too_small_for_a_history_end_no_run(splicing: Made, tmp_path: Path) -> None:
    """One of seven pixels is rejected, by name, where its turn comes."""
    source = tmp_path / "source"
    shutil.copytree(splicing.source, source)
    tiny = np.random.default_rng(0).integers(0, 255, (7, 7, 3), np.uint8)
    data = (source / "instances.json").read_text()
    instances = json.loads(data)
    photo = instances["images"][0] | {"id": 900, "file_name": "tiny.png", "width": 7, "height": 7}
    region = instances["annotations"][0] | {"id": 900, "image_id": 900, "segmentation": [[1, 1, 6, 1, 6, 6, 1, 6]]}
    region |= {"area": 25, "bbox": [1, 1, 5, 5]}
    (source / "instances.json").write_text(json.dumps(instances | {"images": [photo], "annotations": [region]}))
    cv2.imwrite(str(source / "images" / "tiny.png"), tiny)
    step = {"step": "preset", "networks": ["facebook"]}
    history = [{"name": "shared", "share": 1.0, "steps": [step]}]
    recipe = plain_recipe_of(source, samples=1, kinds={"authentic": 1.0}, history=history, quotas={})
    make_dataset(recipe, tmp_path / "made")
    rejects = [json.loads(line) for line in (tmp_path / "made" / "rejects.jsonl").read_text().splitlines()]
    assert {"images/tiny.png", "sample 0"} <= {one["name"] for one in rejects}


def test_lists_of_a_dataset_that_was_moved_are_found(splicing: Made, tmp_path: Path) -> None:
    recipe = plain_recipe_of(
        splicing.source, samples=2, kinds={"authentic": 0.5, "splice": 0.5}, writers=[{"format": "imdlbenco"}]
    )
    make_dataset(recipe, tmp_path / "made")
    assert list(check_dataset(tmp_path / "made")) == []
    (tmp_path / "made").rename(tmp_path / "moved")
    found = list(check_dataset(tmp_path / "moved"))
    assert found
    assert all("was the dataset moved? then convert it again" in line for line in found), found


def test_grids_of_harmonized_splices_count_as_those() -> None:
    kinds = {"authentic": 0.2, "splice": 0.4, "harmonized_splice": 0.4}
    grids = {"share": 0.4, "colour": ["as_is", "reinhard"]}
    layout = Layout.of(parsed(plain_recipe_of("source", samples=20, kinds=kinds, grids=grids)))
    made = [layout.kind(unit) for unit in range(len(layout.codes))]
    assert sum(unit.type == "grid" for unit in made) == 4
    names = [one.kind for unit in made for one in unit.members]
    assert {name: names.count(name) for name in kinds} == {"authentic": 4, "splice": 8, "harmonized_splice": 8}


def test_the_commands_replay_and_convert_what_was_made(splicing: Made, tmp_path: Path) -> None:
    made, run = splicing.plain(), CliRunner().invoke
    first = samples_of(made)[0]
    one = ["--data", str(splicing.source), "--sample", "0"]
    replayed = run(app, ["replay", str(made), *one, "--output", str(tmp_path)])
    assert (replayed.exit_code, replayed.output) == (0, "1 samples made again; 1 the same to the byte\n")
    for file in first.files.values():
        assert (tmp_path / file["path"]).read_bytes() == (made / file["path"]).read_bytes()
    converted = run(app, ["convert", str(made), "--to", "records", "--output", str(tmp_path / "records only")])
    assert converted.exit_code == 0, converted.output
    again = run(app, ["replay", str(tmp_path / "records only"), *one])
    assert (again.exit_code, again.output) == (0, replayed.output)


def test_the_command_tables_is_read_by_a_recipe(tmp_path: Path) -> None:
    photo = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model 1"
    Image.fromarray(photo).save(tmp_path / "a.jpg", quality=83, subsampling="4:2:0", exif=exif)
    (tmp_path / "b.txt").write_text("no photo")
    done = CliRunner().invoke(app, ["tables", str(tmp_path), "--output", str(tmp_path / "tables.json")])
    assert done.exit_code == 0, done.output
    (camera,) = read_tables(tmp_path / "tables.json")
    assert camera.name == "Maker Model 1"
    assert "1 pairs of tables; 1 files left out" in done.output
