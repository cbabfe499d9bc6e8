"""Runs: the same bytes however they are made, continued where they stopped, and refused where they would mix."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from small_datasets import tree, write_photos, write_recipe

from synthharm.errors import SynthharmError
from synthharm.generate import check_dataset, generate, make_preview, run
from synthharm.generate.dataset import Dataset
from synthharm.generate.plan import Plan, choose_split
from synthharm.generate.running.stopping import Stop
from synthharm.generate.sample import Maker
from synthharm.recipe import load_recipe


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def recipe(photos: Path) -> Path:
    return write_recipe(photos / "recipe.yaml", photos)


@pytest.fixture(scope="module")
def made(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "dataset"
    assert generate(recipe, folder).missing == 0
    return folder


def test_a_dataset_is_what_its_recipe_says(made: Path) -> None:
    records = list(Dataset(made).records())
    assert [r.sample for r in records] == list(range(12))
    assert {r.split for r in records} == {"train", "test"}
    assert list(check_dataset(made)) == []
    for record in records:
        assert record.measured["recoverable"] >= 0.995
        assert record.measured["recovery_psnr"] >= 35
        assert record.measured["foreground_mse"] > 0


def test_regions_take_turns(made: Path) -> None:
    photos = [r.source["photo"] for r in Dataset(made).records()]
    assert len(set(photos[:5])) == 5
    assert len(set(photos[5:10])) == 5


def test_two_jobs_make_the_same_bytes(made: Path, recipe: Path, tmp_path: Path) -> None:
    generate(recipe, tmp_path / "two", jobs=2)
    assert tree(tmp_path / "two") == tree(made)


@pytest.mark.slow
def test_four_jobs_make_the_same_bytes(made: Path, recipe: Path, tmp_path: Path) -> None:
    generate(recipe, tmp_path / "four", jobs=4)
    assert tree(tmp_path / "four") == tree(made)


def test_place_and_working_directory_leave_no_trace(
    made: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "elsewhere" / "photos"
    shutil.copytree(photos, moved)
    write_recipe(moved / "recipe.yaml", Path("."))
    monkeypatch.chdir(tmp_path)
    generate("elsewhere/photos/recipe.yaml", "dataset")
    assert tree(tmp_path / "dataset") == tree(made)


def test_shards_are_a_matter_of_work_only(made: Path, recipe: Path, tmp_path: Path) -> None:
    generate(recipe, tmp_path / "other", overrides=["shard=12"])
    images = {name: digest for name, digest in tree(made).items() if name.endswith(".png")}
    assert {name: digest for name, digest in tree(tmp_path / "other").items() if name.endswith(".png")} == images


def test_a_sample_depends_on_nothing_made_before(made: Path, recipe: Path, tmp_path: Path) -> None:
    maker = Maker.of(Plan.make(load_recipe(recipe), tmp_path))
    sample, _ = maker.make(7)
    assert sample is not None
    for path, data in sample.files.items():
        assert (made / path).read_bytes() == data


def test_another_seed_makes_other_composites(made: Path, recipe: Path, tmp_path: Path) -> None:
    generate(recipe, tmp_path / "seed", overrides=["seed=6"])
    assert tree(tmp_path / "seed")["images/000000.png"] != tree(made)["images/000000.png"]


def test_a_finished_dataset_is_left_alone(made: Path, recipe: Path) -> None:
    before = tree(made)
    assert generate(recipe, made).continued == 4
    assert tree(made) == before


def test_a_run_continues_where_the_last_stopped(
    made: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, stopped_at = tmp_path / "dataset", 7
    make = Maker.make

    def stop(self: Maker, number: int) -> object:
        if number == stopped_at:
            raise KeyboardInterrupt
        return make(self, number)

    monkeypatch.setattr(Maker, "make", stop)
    with pytest.raises(KeyboardInterrupt):
        generate(recipe, folder)
    with pytest.raises(SynthharmError, match="not finished"):
        list(check_dataset(folder))
    monkeypatch.undo()
    assert generate(recipe, folder).continued == 2
    assert tree(folder) == tree(made)


def test_another_recipe_into_the_same_folder_is_refused(made: Path, recipe: Path) -> None:
    with pytest.raises(SynthharmError, match=r"seed: 5 in the folder, 9 now") as caught:
        generate(recipe, made, overrides=["seed=9", "encoding.compression=3"])
    assert "encoding.compression: 1 in the folder, 3 now" in str(caught.value)


def test_other_versions_of_the_libraries_are_refused(
    made: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthharm.generate.dataset.library_versions", lambda: {"torch": "0.1"})
    with pytest.raises(SynthharmError, match=r"versions\.torch: .* in the folder, '0\.1' now"):
        generate(recipe, made)


def test_a_folder_of_other_files_is_refused(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(SynthharmError, match="not a dataset"):
        generate(recipe, tmp_path)
    assert tree(tmp_path).keys() == {"thesis.tex"}


def test_a_second_run_at_the_same_time_is_refused(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    with Dataset(folder).claimed(load_recipe(recipe)), pytest.raises(SynthharmError, match="another run"):
        generate(recipe, folder)


def test_changed_sources_are_refused(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    recipe, folder = write_recipe(tmp_path / "recipe.yaml", tmp_path / "photos"), tmp_path / "dataset"

    def stop(self: Maker, number: int) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(Maker, "make", stop)
    with pytest.raises(KeyboardInterrupt):
        generate(recipe, folder)
    monkeypatch.undo()
    (tmp_path / "photos" / "images" / "photo0.png").unlink()
    with pytest.raises(SynthharmError, match="other sources"):
        generate(recipe, folder)


def test_what_cannot_be_used_is_listed_and_the_run_goes_on(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(photos, root)
    whole = (root / "images" / "photo0.png").read_bytes()
    (root / "images" / "photo0.png").write_bytes(whole[: len(whole) // 2])
    (root / "images" / "photo1.png").write_text("not a picture at all")
    cv2.imwrite(str(root / "masks" / "photo2.png"), np.zeros((96, 96), np.uint8))
    cv2.imwrite(str(root / "masks" / "photo3.png"), np.full((50, 96), 255, np.uint8))
    cv2.imwrite(str(root / "images" / "alone.png"), np.full((96, 96, 3), 90, np.uint8))
    cv2.imwrite(str(root / "images" / "black.png"), np.zeros((96, 96, 3), np.uint8))
    cv2.imwrite(str(root / "masks" / "black.png"), np.full((96, 96), 255, np.uint8))
    recipe = write_recipe(root / "recipe.yaml", root, split={"train": 1.0})
    summary = generate(recipe, tmp_path / "dataset")
    assert summary.missing == 0
    rejects = [json.loads(line) for line in (tmp_path / "dataset" / "rejects.jsonl").read_text().splitlines()]
    assert {(r["name"], r["reason"]) for r in rejects} == {
        ("images/photo0.png", "truncated"),
        ("images/photo1.png", "not an image"),
        ("images/photo2.png", "empty mask"),
        ("images/photo3.png", "mask size"),
        ("images/alone.png", "no mask"),
        ("images/black.png", "unchanged"),
    }
    assert {r.source["photo"] for r in Dataset(tmp_path / "dataset").records()} == {"images/photo4.png"}
    assert list(check_dataset(tmp_path / "dataset")) == []


def test_a_sample_without_any_usable_region_is_given_up(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(photos, root)
    for path in (root / "images").iterdir():
        path.write_text("not a picture at all")
    recipe = write_recipe(root / "recipe.yaml", root, samples=2)
    summary = generate(recipe, tmp_path / "dataset")
    assert summary.missing == 2
    assert summary.numbers["rejects"] == {"no region": 2, "not an image": 5}


def test_no_region_at_all_is_an_error(photos: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", photos, select={"area_share": [0.9, 1.0]})
    with pytest.raises(SynthharmError, match=r"no region that the recipe selects; left out: 5 by area share"):
        generate(recipe, tmp_path / "dataset")


@pytest.mark.parametrize("split", [{"train": 0.6, "test": 0.4}, {"a": 0.2, "b": 0.2, "c": 0.6}, {"all": 1.0}])
def test_splits_have_their_shares_of_the_photos(split: dict[str, float]) -> None:
    found = [choose_split(split, 3, hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()) for n in range(4000)]
    for name, share in split.items():
        assert found.count(name) / 4000 == pytest.approx(share, abs=0.03)
    assert set(found) == set(split)


@pytest.mark.parametrize(
    ("changes", "suffix"),
    [
        ({"encoding": {"format": "jpeg", "quality": 90}}, ".jpg"),
        ({"encoding": {"format": "png16"}}, ".png"),
        ({"composite": {"kind": "retouch", "feather": 3.0}}, ".png"),
        ({"chain": {"filters": ["saturation", "contrast"], "statistics": "foreground"}}, ".png"),
    ],
)
def test_every_option_makes_a_dataset_that_checks(
    photos: Path, tmp_path: Path, changes: dict[str, object], suffix: str
) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", photos, samples=3, **changes)
    generate(recipe, tmp_path / "dataset")
    records = list(Dataset(tmp_path / "dataset").records())
    assert [Path(r.files["image"]["path"]).suffix for r in records] == [suffix] * 3
    assert list(check_dataset(tmp_path / "dataset")) == []
    if suffix == ".png":
        assert min(r.measured["recovery_psnr"] for r in records) >= 35


def test_a_preview_needs_no_dataset(recipe: Path, tmp_path: Path) -> None:
    assert make_preview(recipe, 3, tmp_path / "sheet.png") == 3
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape[1] > sheet.shape[0] > 300


def test_a_preview_may_be_of_one_sample_and_not_of_none(recipe: Path, tmp_path: Path) -> None:
    assert make_preview(recipe, 1, tmp_path / "sheet.png") == 1
    with pytest.raises(SynthharmError, match="preview is 0; 1 or more is accepted"):
        make_preview(recipe, 0, tmp_path / "sheet.png")


def test_a_stop_is_patient_only_while_shards_are_made(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, seen = Stop(), dict[str, bool]()

    def noting(name: str, function: Any) -> Any:
        def called(*arguments: Any) -> Any:
            seen[name] = stop.patient
            return function(*arguments)

        return called

    for name in ("open_plan", "run_jobs", "finish_dataset"):
        monkeypatch.setattr(run, name, noting(name, getattr(run, name)))
    generate(recipe, tmp_path / "dataset", stop=stop)
    assert seen == {"open_plan": False, "run_jobs": True, "finish_dataset": False}


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_below_one_are_refused(recipe: Path, tmp_path: Path, jobs: int) -> None:
    with pytest.raises(SynthharmError, match="jobs is"):
        generate(recipe, tmp_path / "dataset", jobs=jobs)


@pytest.mark.parametrize("stream", [False, True])
def test_a_hugging_face_dataset_is_a_source(photos: Path, tmp_path: Path, stream: bool) -> None:
    from datasets import Dataset as HuggingFaceDataset
    from datasets import Features, Image

    names = [f"photo{number}.png" for number in range(3)]
    columns = {
        column: [{"bytes": (photos / folder / name).read_bytes(), "path": None} for name in names]
        for column, folder in (("picture", "images"), ("object", "masks"))
    }
    features = Features({"picture": Image(), "object": Image()})
    table = HuggingFaceDataset.from_dict(columns, features=features)
    (tmp_path / "table").mkdir()
    table.to_parquet(str(tmp_path / "table" / "train-00000-of-00001.parquet"))
    source = {"format": "huggingface", "image": "picture", "mask": "object", "stream": stream}
    recipe = write_recipe(tmp_path / "recipe.yaml", tmp_path / "table", samples=3, source=source)
    numbers = generate(recipe, tmp_path / "dataset").numbers
    assert numbers["photos"] == 3
    assert numbers["finished_with"]["pyarrow"] == version("pyarrow")
    assert list(check_dataset(tmp_path / "dataset")) == []
    reals = {cv2.imread(str(path)).tobytes() for path in (tmp_path / "dataset" / "reals").iterdir()}
    assert reals == {cv2.imread(str(photos / "images" / name)).tobytes() for name in names}


def test_a_photo_without_colour_stays_without(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    shutil.copytree(photos, root)
    for path in (root / "images").iterdir():
        cv2.imwrite(str(path), cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2GRAY))
    generate(write_recipe(root / "recipe.yaml", root, samples=4), tmp_path / "dataset")
    for path in (tmp_path / "dataset" / "images").iterdir():
        image = cv2.imread(str(path)).astype(int)
        assert np.ptp(image, axis=2).max() == 0
