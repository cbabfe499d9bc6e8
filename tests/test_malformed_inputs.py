"""Malformed inputs end in a reject with a reason or an error that names the thing: no traceback, nothing lost."""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from malformed_images import HEIGHT as SMALL_HEIGHT
from malformed_images import WIDTH as SMALL_WIDTH
from malformed_images import encoded, image_cases, mask_cases, picture
from malformed_json import (
    HEIGHT,
    TRIANGLE,
    WIDTH,
    EntryCase,
    annotation_cases,
    camera_tables,
    coco_files,
    image_entry_cases,
    record_faults,
    record_texts,
)
from malformed_recipes import (
    RETOUCH,
    SPLICING,
    SPOILT_DATASETS,
    SPOILT_FORMATS,
    override_cases,
    recipe_cases,
    write_coco,
    write_recipe,
)
from typer.testing import CliRunner

from synthharm.cli import app
from synthharm.generate import generate
from synthharm.sources import REASONS

Rejects = dict[str, list[dict[str, str]]]  # by name

# What ends a draw and says nothing of the input: of a thing that is usable it may be said.
OF_DRAWS = {"no region", "unchanged", "unrecoverable", "no reference", "not composed"}


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def ended(result: Result) -> None:
    """A command that did not crash."""
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert "Traceback" not in result.output


def refused(result: Result, *words: str) -> None:
    """A command that ended with status 1, said what is wrong, and did not crash."""
    ended(result)
    assert result.exit_code == 1, result.output
    for word in words:
        assert word in result.output, result.output


def rejects_of(root: Path, data: Path, **changes: Any) -> Rejects:
    """What a run over a source rejects, by name; the run itself must end well, and say where nothing lies."""
    summary = generate(write_recipe(root / "recipe.yaml", data, **changes), root / "out")
    assert summary.missing == 0
    lines = (root / "out" / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    found: Rejects = defaultdict(list)
    for line in lines:
        reject = json.loads(line)
        assert reject["reason"] in REASONS
        assert reject["detail"]
        found[reject["name"]].append(reject)
    return found


def said(rejects: Rejects, name: str) -> set[str]:
    """The reasons that are given for a thing itself, and not for what became of it in a draw."""
    return {
        reject["reason"]
        for reject in rejects.get(name, [])
        if reject["reason"] not in OF_DRAWS and not re.search("in the end|in any region", reject["detail"])
    }


def check_fate(rejects: Rejects, name: str, fate: frozenset[str]) -> None:
    """That a thing was rejected for one of some reasons, or, where there are none, was not rejected."""
    reasons = said(rejects, name)
    if fate:
        assert reasons, f"{name!r} is lost without a reason"
    assert reasons <= fate, rejects[name]


# Images


IMAGES = {case.file: case for case in image_cases()}


@pytest.fixture(scope="module")
def image_rejects(tmp_path_factory: pytest.TempPathFactory) -> Rejects:
    root = tmp_path_factory.mktemp("images")
    data = root / "data"
    (data / "images").mkdir(parents=True)
    images, regions = [], []
    for number, case in enumerate(IMAGES.values(), 100):
        case.put(data / "images" / case.file)
        corner = [0, 0, case.side, 0, case.side, case.side, 0, case.side]
        images.append(json.dumps({"id": number, "file_name": case.file}))
        regions.append(
            json.dumps({"id": number, "image_id": number, "category_id": 1, "segmentation": [corner], "area": 9})
        )
    return rejects_of(root, write_coco(data, images, regions))


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_rejected_with_a_reason_or_usable(image_rejects: Rejects, name: str) -> None:
    check_fate(image_rejects, f"images/{name}", IMAGES[name].fate)


def test_what_is_said_of_images_names_no_place_of_this_machine(
    image_rejects: Rejects, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = str(tmp_path_factory.getbasetemp())
    assert [r for some in image_rejects.values() for r in some if base in r["detail"]] == []


# Masks


MASKS = {case.stem: case for case in mask_cases()}


def rejects_of_masks(root: Path, **changes: Any) -> Rejects:
    """What a run over all masks rejects."""
    data = root / "data"
    for folder in ("images", "masks"):
        (data / folder).mkdir(parents=True)
    for number, case in enumerate(MASKS.values()):
        if case.photo:
            photo = picture(SMALL_WIDTH, SMALL_HEIGHT, seed=number)
            (data / "images" / f"{case.stem}.png").write_bytes(encoded(photo, "PNG"))
        for name, mask in case.masks.items():
            (data / "masks" / name).write_bytes(mask)
    return rejects_of(root, data, source={"format": "folder", "mask_name": "{stem}_*"}, **changes)


@pytest.fixture(scope="module")
def mask_rejects(tmp_path_factory: pytest.TempPathFactory) -> Rejects:
    """With a limit that all keep to: masks are measured when they are listed, and so each is opened."""
    return rejects_of_masks(tmp_path_factory.mktemp("masks"), select={"side": [1, 1000]})


@pytest.mark.parametrize("stem", MASKS)
def test_a_mask_is_rejected_with_a_reason_or_usable(mask_rejects: Rejects, stem: str) -> None:
    case = MASKS[stem]
    photo = f"images/{stem}.png"
    for name in {photo, *(f"masks/{mask}" for mask in case.masks), *case.fate}:
        check_fate(mask_rejects, name, case.fate.get(name, frozenset()))


def test_nothing_else_is_said_of_masks(mask_rejects: Rejects) -> None:
    named = {name for name in mask_rejects if said(mask_rejects, name)}
    assert named <= {name for case in MASKS.values() for name in case.fate}


def test_no_mask_is_lost_where_nothing_is_selected(tmp_path: Path) -> None:
    rejects = rejects_of_masks(tmp_path)
    assert [name for case in MASKS.values() for name in case.fate if not said(rejects, name)] == []


# Annotations


def numbered(cases: list[EntryCase], start: int) -> dict[str, tuple[str, frozenset[str]]]:
    """By case: the name that its reject must have, with the place in the file where it has no id."""
    kind = "images" if start == 3 else "annotations"
    return {
        case.name: ((case.rejected or f"{kind}[{{place}}]").replace("{place}", str(place)), case.fate)
        for place, case in enumerate(cases, start)
    }


ANNOTATIONS, IMAGE_ENTRIES = annotation_cases(), image_entry_cases()
NAMED_ANNOTATIONS, NAMED_IMAGES = numbered(ANNOTATIONS, 6), numbered(IMAGE_ENTRIES, 3)


@pytest.fixture(scope="module")
def annotation_rejects(tmp_path_factory: pytest.TempPathFactory) -> Rejects:
    root = tmp_path_factory.mktemp("annotations")
    data = write_coco(root / "data", annotations=[case.text for case in ANNOTATIONS])
    rejects = rejects_of(root, data)
    # One that a draw comes upon is rejected under its photo's name, and its own is in the detail.
    for reject in [reject for some in rejects.values() for reject in some]:
        if found := re.match(r"region \S+: (annotation [^:]+): ", reject["detail"]):
            rejects[found[1]].append(reject)
    return rejects


@pytest.fixture(scope="module")
def image_entry_rejects(tmp_path_factory: pytest.TempPathFactory) -> Rejects:
    root = tmp_path_factory.mktemp("entries")
    (root / "data" / "images" / "folder").mkdir(parents=True)
    (root / "data" / "above.png").write_bytes(encoded(picture(), "PNG"))
    regions = []
    for number in range(2000, 2000 + len(IMAGE_ENTRIES)):
        photo = encoded(picture(WIDTH, HEIGHT, seed=number), "PNG")
        (root / "data" / "images" / f"copy {number}.png").write_bytes(photo)
        region = {"id": number, "image_id": number, "category_id": 1, "segmentation": TRIANGLE}
        regions.append(json.dumps(region))
    data = write_coco(root / "data", [case.text for case in IMAGE_ENTRIES], regions)
    return rejects_of(root, data)


@pytest.mark.parametrize("name", NAMED_ANNOTATIONS)
def test_an_annotation_is_rejected_with_a_reason_or_usable(annotation_rejects: Rejects, name: str) -> None:
    check_fate(annotation_rejects, *NAMED_ANNOTATIONS[name])


@pytest.mark.parametrize("name", NAMED_IMAGES)
def test_an_image_of_a_listing_is_rejected_with_a_reason_or_usable(
    image_entry_rejects: Rejects, name: str
) -> None:
    check_fate(image_entry_rejects, *NAMED_IMAGES[name])


@pytest.mark.parametrize("name", FILES := coco_files())
def test_what_is_no_instances_file_is_named(tmp_path: Path, name: str) -> None:
    write_coco(tmp_path / "data")
    (tmp_path / "data" / "instances.json").write_bytes(FILES[name])
    result = run("generate", write_recipe(tmp_path / "r.yaml", tmp_path / "data"), "--output", tmp_path / "out")
    refused(result, str(tmp_path / "data"))
    assert not (tmp_path / "out" / "plan.json").exists()


# Recipes


RECIPES = recipe_cases()


@pytest.fixture(scope="module")
def beside_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good source in it, so that nothing but a recipe can be at fault."""
    root = tmp_path_factory.mktemp("recipes")
    write_coco(root / "data")
    return root


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_refused_by_what_is_wrong_in_it(beside_data: Path, tmp_path: Path, name: str) -> None:
    text, word = RECIPES[name]
    (beside_data / "recipe.yaml").write_bytes(text)
    refused(run("generate", beside_data / "recipe.yaml", "--output", tmp_path / "out"), word)
    assert not (tmp_path / "out" / "plan.json").exists()


@pytest.mark.parametrize("override", OVERRIDES := override_cases())
def test_an_override_is_refused_by_what_is_wrong_in_it(beside_data: Path, tmp_path: Path, override: str) -> None:
    (beside_data / "recipe.yaml").write_text(json.dumps(SPLICING))
    words = ("generate", beside_data / "recipe.yaml", "--output", tmp_path / "out", "--set", override)
    refused(run(*words), OVERRIDES[override])
    assert not (tmp_path / "out" / "plan.json").exists()


@pytest.mark.parametrize("recipe", [SPLICING, RETOUCH], ids=["splicing", "retouch"])
def test_what_the_recipes_are_changed_from_can_be_run(
    beside_data: Path, tmp_path: Path, recipe: dict[str, Any]
) -> None:
    (beside_data / "recipe.yaml").write_text(json.dumps(recipe | {"samples": 1}))
    result = run("generate", beside_data / "recipe.yaml", "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output


# Cameras' tables


@pytest.mark.parametrize("name", CAMERAS := camera_tables())
def test_tables_of_cameras_are_refused_by_what_is_wrong_in_them(tmp_path: Path, name: str) -> None:
    (tmp_path / "cameras.json").write_bytes(CAMERAS[name])
    recipe = write_recipe(
        tmp_path / "r.yaml",
        write_coco(tmp_path / "data"),
        encoding={"format": "jpeg", "cameras": 0.5},
        camera_tables="cameras.json",
    )
    refused(run("generate", recipe, "--output", tmp_path / "out"), "cameras.json")


def test_files_without_tables_are_named(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for case in IMAGES.values():
        case.put(tmp_path / "photos" / case.file)
    result = run("tables", tmp_path / "photos", "--output", tmp_path / "tables.json")
    refused(result, str(tmp_path / "photos"), "no photo in it")
    refused(run("tables", tmp_path / "nowhere", "--output", tmp_path / "tables.json"), "nowhere")
    assert not (tmp_path / "tables.json").exists()


# Records and datasets


ALL_FORMATS = ("imdlbenco", "coco", "huggingface", "imagefolder", "webdataset", "catnet", "mmsegmentation")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source in `data`, a good dataset of it in `out`, and a splice's record."""
    root = tmp_path_factory.mktemp("made")
    writers = [{"format": name} for name in ALL_FORMATS]
    kinds = {"authentic": 0.5, "splice": 0.5}
    recipe = write_recipe(root / "recipe.yaml", write_coco(root / "data"), writers=writers, kinds=kinds)
    assert run("generate", recipe, "--output", root / "out").exit_code == 0
    return root


def splice_of(made: Path) -> str:
    """The record of the dataset's first splice."""
    lines = (made / "out" / "records" / "00000.jsonl").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if json.loads(line)["kind"] == "splice")


def replayed(made: Path, record: Path) -> Result:
    return run("replay", record, "--data", made / "data", "--recipe", made / "out" / "recipe.yaml")


def test_the_record_and_dataset_that_are_spoilt_are_good(made: Path, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(splice_of(made), encoding="utf-8")
    assert replayed(made, tmp_path / "record.json").exit_code == 0
    assert run("check", made / "out").exit_code == 0
    for name in ALL_FORMATS:
        folder = made / "out" / "formats" / name
        assert run("convert", folder, "--to", "folder", "--output", tmp_path / name).exit_code == 0


NOT_REPLAYED = {"kind unknown", "kind a list", "sample negative"}  # they change no byte; `check` says them


@pytest.mark.parametrize("name", RECORDS := record_faults())
def test_a_spoilt_record_is_refused(made: Path, tmp_path: Path, name: str) -> None:
    record = json.loads(splice_of(made))
    RECORDS[name](record)
    (tmp_path / "record.json").write_text(json.dumps(record), encoding="utf-8")
    result = replayed(made, tmp_path / "record.json")
    if name in NOT_REPLAYED:
        ended(result)
    else:
        refused(result, "images/good.png" if name == "photo another" else "sample")


@pytest.mark.parametrize("name", RECORDS)
def test_a_dataset_with_a_spoilt_record_is_not_right(made: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(made / "out", tmp_path / "out")
    path = tmp_path / "out" / "records" / "00000.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    RECORDS[name](next(record for record in lines if record["kind"] == "splice"))
    path.write_text("".join(f"{json.dumps(record)}\n" for record in lines), encoding="utf-8")
    refused(run("check", tmp_path / "out"), "records/00000.jsonl")
    # To convert is not to check: what no format looks at goes through as it is, and nothing may crash on it.
    ended(run("convert", tmp_path / "out", "--to", "coco", "--output", tmp_path / "coco"))


@pytest.mark.parametrize("name", record_texts("{}"))
def test_what_is_no_record_is_refused(made: Path, tmp_path: Path, name: str) -> None:
    text = record_texts(splice_of(made))[name]
    (tmp_path / "one.json").write_bytes(text)
    refused(replayed(made, tmp_path / "one.json"), "one.json")
    shutil.copytree(made / "out", tmp_path / "out")
    (tmp_path / "out" / "records" / "00000.jsonl").write_bytes(text)
    refused(run("check", tmp_path / "out"), "records/00000.jsonl")


@pytest.mark.parametrize("name", SPOILT_DATASETS)
def test_a_spoilt_dataset_is_not_right(made: Path, tmp_path: Path, name: str) -> None:
    spoil, word = SPOILT_DATASETS[name]
    shutil.copytree(made / "out", tmp_path / "out")
    spoil(tmp_path / "out")
    refused(run("check", tmp_path / "out"), word)


@pytest.mark.parametrize("name", SPOILT_FORMATS)
def test_a_spoilt_format_is_not_converted(made: Path, tmp_path: Path, name: str) -> None:
    form, spoil, word = SPOILT_FORMATS[name]
    shutil.copytree(made / "out" / "formats" / form, tmp_path / form)
    spoil(tmp_path / form)
    refused(run("convert", tmp_path / form, "--to", "folder", "--output", tmp_path / "out"), word)
    assert not (tmp_path / "out").exists()


def test_the_cases_are_as_many_as_are_promised() -> None:
    inputs = [IMAGES, MASKS, NAMED_ANNOTATIONS, NAMED_IMAGES, FILES, RECIPES, OVERRIDES, CAMERAS]
    assert sum(map(len, [*inputs, RECORDS, record_texts("{}"), SPOILT_DATASETS, SPOILT_FORMATS])) >= 600
    assert len(NAMED_ANNOTATIONS) == len(ANNOTATIONS)  # no name is there twice
    assert len(NAMED_IMAGES) == len(IMAGE_ENTRIES)
