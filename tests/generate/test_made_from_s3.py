"""Samples made of photos behind an address are those made of the same photos on this machine, to the byte."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from s3_server import upload_folder
from small_datasets import tree, write_photos, write_recipe
from splicing_datasets import parsed, recipe_of, write_source

from synthharm.generate.plan import Plan
from synthharm.generate.sample import Maker
from synthharm.generate.source_key import source_key
from synthharm.generate.splicing.making import SplicingMaker
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.recipe import load_recipe

# What of an index tells which files it was made of.
STAMPED = ("index.json", "photo_stamps.arrow", "mask_stamps.arrow")


def content(folder: Path) -> dict[str, str]:
    return {name: sha256 for name, sha256 in tree(folder).items() if name not in STAMPED}


def made(maker: Any, first: int, end: int) -> list[Any]:
    return [
        (sample.record.to_json(), sample.files) for samples, _ in maker.between(first, end) for sample in samples
    ]


def test_retouched_photos(tmp_path: Path, s3: str) -> None:
    data = write_photos(tmp_path / "data")
    upload_folder(data, f"{s3}/photos")
    file = write_recipe(tmp_path / "recipe.yaml", data)
    here: Any = load_recipe(file)
    there: Any = load_recipe(file, [f"data={s3}/photos"])
    assert there.data == f"{s3}/photos"
    local = Maker.of(Plan.make(here, tmp_path / "here"))
    remote = Maker.of(Plan.make(there, tmp_path / "there"))
    assert remote.plan.digest == local.plan.digest
    assert content(tmp_path / "there") == content(tmp_path / "here")
    assert made(remote, 0, 4) == made(local, 0, 4)
    assert source_key(there) == source_key(there) != source_key(here)


def test_spliced_photos(tmp_path: Path, s3: str) -> None:
    data = write_source(tmp_path / "data")
    upload_folder(data, f"{s3}/photos")
    tables = {"camera_tables": str(data / "cameras.json")}
    local = SplicingMaker.of(SplicingPlan.make(parsed(recipe_of(data, **tables)), tmp_path / "here"))
    there = parsed(recipe_of(f"{s3}/photos", **tables))
    remote = SplicingMaker.of(SplicingPlan.make(there, tmp_path / "there"))
    assert remote.plan.digest == local.plan.digest
    assert content(tmp_path / "there") == content(tmp_path / "here")
    assert made(pickle.loads(pickle.dumps(remote)), 0, 10) == made(local, 0, 10)
