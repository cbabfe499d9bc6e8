"""The same bytes however a run goes, and samples that are what their records and the recipe say."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from small_datasets import tree
from splicing_datasets import (
    Made,
    make_dataset,
    plain_recipe_of,
    recipe_of,
    samples_of,
)

from synthharm.errors import SynthharmError
from synthharm.generate import generate
from synthharm.generate import run as run_module
from synthharm.generate.splicing.layout import apportion
from synthharm.writers.forensics.record import SplicingRecord

SMALL: dict[str, Any] = {"samples": 16, "shard": 5, "families": 0.25, "grids": None}


@pytest.fixture(scope="session")
def full(splicing: Made) -> Path:
    return splicing.full()


@pytest.fixture(scope="session")
def records(full: Path) -> list[SplicingRecord]:
    return samples_of(full)


@pytest.fixture(scope="session")
def small(splicing: Made) -> Path:
    return make_dataset(recipe_of(splicing.source, **SMALL), splicing.root / "small")


# The same bytes


def without_shards(folder: Path) -> dict[str, str]:
    """Files by sha256, but for those that say how many samples a shard has."""
    told = ("records/", "plan.json", "recipe.yaml", "SHA256SUMS", "croissant.json", "README.md")
    return {path: checksum for path, checksum in tree(folder).items() if not path.startswith(told)}


def test_two_jobs_over_a_source_in_another_place_make_the_same_bytes(
    splicing: Made, small: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(splicing.source, tmp_path / "moved")
    other = make_dataset(recipe_of(moved, **SMALL), tmp_path / "deep" / "er", jobs=2)
    assert tree(other) == tree(small)


@pytest.mark.parametrize("shard", [1, 7])
def test_shards_of_other_sizes_hold_the_same_samples(
    splicing: Made, small: Path, tmp_path: Path, shard: int
) -> None:
    other = make_dataset(recipe_of(splicing.source, **SMALL | {"shard": shard}), tmp_path / "other")
    assert without_shards(other) == without_shards(small)
    assert samples_of(other) == samples_of(small)


@pytest.mark.parametrize("lost", [[0, 3]])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    splicing: Made, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: list[int]
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    folder, recipe = tmp_path / "stopped", recipe_of(splicing.source, **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "finish_dataset", stop)
        with pytest.raises(KeyboardInterrupt):
            make_dataset(recipe, folder)
    for shard in lost:
        (folder / "records" / f"{shard:05d}.jsonl").unlink()
    (folder / "formats").mkdir()  # as of a run that was stopped while it finished
    (folder / "formats" / "half").touch()
    summary = generate(tmp_path / "stopped.yaml", folder)
    assert summary.continued == 4 - len(lost)
    assert tree(folder) == tree(small)


def test_a_finished_dataset_is_left_as_it_is(splicing: Made, small: Path) -> None:
    before = tree(small)
    summary = generate(small.with_name("small.yaml"), small)
    assert (summary.continued, summary.missing) == (4, 0)
    assert tree(small) == before


def test_a_folder_of_another_recipe_is_refused(splicing: Made, small: Path, tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match=r"seed: 3 in the folder, 4 now"):
        generate(small.with_name("small.yaml"), small, overrides=["seed=4"])


def test_another_seed_makes_other_samples(splicing: Made, small: Path, tmp_path: Path) -> None:
    other = make_dataset(recipe_of(splicing.source, **SMALL | {"seed": 4}), tmp_path / "other")
    assert [r.edits for r in samples_of(other)] != [r.edits for r in samples_of(small)]


def test_nothing_says_where_it_was_made(splicing: Made, full: Path) -> None:
    root = str(splicing.root).encode()
    for path in full.rglob("*"):
        if path.is_file():
            assert root not in path.read_bytes(), path


# What was asked for


def test_every_kind_is_there_in_its_share(splicing: Made, full: Path, records: list[SplicingRecord]) -> None:
    recipe = recipe_of(splicing.source)
    assert [record.sample for record in records] == list(range(recipe["samples"]))
    counts = Counter(record.kind for record in records)
    wanted = dict(zip(recipe["kinds"], apportion(list(recipe["kinds"].values()), 40), strict=True))
    assert counts == wanted
    summary = json.loads((full / "dataset.json").read_bytes())
    assert summary["kinds"] == counts
    assert summary["finished_with"]["scikit-learn"] == version("scikit-learn")
    assert {kind: one["reached"] for kind, one in summary["quotas"]["kinds"].items()} == {
        kind: count / 40 for kind, count in counts.items()
    }


def test_kinds_are_what_was_done(records: list[SplicingRecord]) -> None:
    for record in records:
        done = [edit["edit"] for edit in record.edits]
        photos = [edit["region"]["photo"] for edit in record.edits]
        assert bool(done) == record.manipulated
        match record.kind:
            case "authentic":
                assert not record.regions
                assert set(record.files) == {"image"}
            case "retouch":
                assert set(done) == {"retouch"}
            case "removal":
                assert set(done) == {"removal"}
            case "copy_move":
                assert (set(done), set(photos)) == ({"paste"}, {0})
            case "splice" | "harmonized_splice":
                assert set(done) == {"paste"}
                assert 0 not in photos
                modes = {edit["colour"]["mode"] for edit in record.edits}
                harmonizing = {"reference", "reinhard"}
                assert modes <= (harmonizing if record.kind == "harmonized_splice" else {"as_is", "chain"})
        assert len(record.photos) == (1 + len({photo for photo in photos if photo}) if record.manipulated else 1)


def test_area_quotas_are_kept(splicing: Made, tmp_path: Path) -> None:
    quotas = [{"range": [0.02, 0.05], "share": 0.5}, {"range": [0.06, 0.3], "share": 0.5}]
    recipe = plain_recipe_of(
        splicing.source,
        kinds={"splice": 1.0},
        quotas={"area": quotas, "category": {"dog": 0.5}},
        placement={"support": "anywhere"},
    )
    found = samples_of(make_dataset(recipe, tmp_path / "quotas"))
    shares = [record.image["share"] for record in found]
    assert len(shares) == 12
    for quota in quotas:
        low, high = quota["range"]  # type: ignore[misc]
        assert sum(low <= share <= high for share in shares) == 6
    assert sum(record.regions[0]["category"] == "dog" for record in found) >= 6


@pytest.mark.parametrize("kind", ["splice", "copy_move", "retouch"])
def test_several_regions_within_a_small_area_come_to_an_end(splicing: Made, tmp_path: Path, kind: str) -> None:
    """Where the first regions cover all that they may, no others are added."""
    recipe = plain_recipe_of(
        splicing.source,
        samples=6,
        kinds={kind: 1.0},
        regions=[2, 2],
        edges={"feather": [0, 2]},
        placement={"support": "anywhere", "rotation": 20},
        quotas={"area": [{"range": [0.02, 0.045], "share": 1}]},
    )
    for record in samples_of(make_dataset(recipe, tmp_path / "made")):
        assert 0.02 <= record.image["share"] <= 0.045


# Sources that do not give what is asked for


def test_a_source_that_no_photo_may_be_used_of_is_refused(splicing: Made, tmp_path: Path) -> None:
    recipe = plain_recipe_of(splicing.source, licences={"accept": ["CC0*"]})
    with pytest.raises(SynthharmError, match="has no region that the recipe can use"):
        make_dataset(recipe, tmp_path / "made")
    assert not (tmp_path / "made").exists() or not any((tmp_path / "made").iterdir())


@pytest.mark.slow
def test_what_cannot_be_drawn_is_missing_and_said(splicing: Made, tmp_path: Path) -> None:
    """No region can be as large: units are given up whole, and their samples listed."""
    recipe = plain_recipe_of(
        splicing.source,
        samples=4,
        kinds={"authentic": 0.5, "splice": 0.5},
        quotas={"area": [{"range": [0.9, 0.95], "share": 1.0}]},
    )
    (tmp_path / "made.yaml").write_text(json.dumps(recipe))
    summary = generate(tmp_path / "made.yaml", tmp_path / "made")
    found = samples_of(tmp_path / "made")
    assert [record.kind for record in found] == ["authentic"] * 2
    assert summary.missing == 2
    lost = {json.loads(line)["name"] for line in (tmp_path / "made" / "rejects.jsonl").read_text().splitlines()}
    assert {f"sample {n}" for n in set(range(4)) - {record.sample for record in found}} <= lost
