"""Runs on real photos as they come from cameras, from COCO, and from a dataset in iHarmony4's layout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from small_datasets import write_recipe

from synthharm.generate import check_dataset, generate
from synthharm.generate.dataset import Dataset

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height as a viewer shows the photo, from its header alone."""
    with Image.open(path) as image:
        turned = image.getexif().get(0x0112, 1) >= 5
        return image.size[::-1] if turned else image.size


@pytest.mark.slow
def test_camera_jpegs_as_a_folder_of_photos(shared: Path, tmp_path: Path) -> None:
    photos = sorted((shared / "photos" / "camera_jpegs").glob("*.jpg"))
    assert len(photos) == 63
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for path in photos:
        shutil.copy(path, tmp_path / "images" / path.name)
        width, height = upright_size(path)
        mask = np.zeros((height, width), np.uint8)
        cv2.ellipse(mask, (width // 2, height // 2), (width // 4, height // 5), 0, 0, 360, 255, -1)
        cv2.imwrite(str(tmp_path / "masks" / f"{path.stem}.png"), mask)
    recipe = write_recipe(tmp_path / "recipe.yaml", tmp_path, samples=63, shard=8, encoding={"format": "png"})
    summary = generate(recipe, tmp_path / "dataset", jobs=2)
    rejects = [json.loads(line) for line in (tmp_path / "dataset" / "rejects.jsonl").read_text().splitlines()]
    assert [(r["name"], r["reason"]) for r in rejects] == [("images/corrupted.jpg", "truncated")]
    assert summary.numbers["samples"] == 63
    assert list(check_dataset(tmp_path / "dataset")) == []
    records = list(Dataset(tmp_path / "dataset").records())
    assert {Path(r.source["photo"]).name for r in records} == {p.name for p in photos} - {"corrupted.jpg"}
    for record in records:
        path = tmp_path / record.source["photo"]
        assert (record.source["width"], record.source["height"]) == upright_size(path)
        assert record.measured["recoverable"] >= 0.995
        assert record.measured["recovery_psnr"] >= 35
        if not record.source["encoding"].get("icc"):
            with Image.open(path) as image:
                expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
            real = cv2.imread(str(tmp_path / "dataset" / record.files["real"]["path"]))[..., ::-1]
            assert (real == expected).all(), record.source["photo"]


@pytest.mark.slow
def test_coco_photos_come_back(shared: Path, tmp_path: Path) -> None:
    overrides = [f"data={shared / 'photos' / 'coco'}", "samples=120", "shard=20"]
    generate(RECIPES / "retouch_coco.yaml", tmp_path / "dataset", jobs=2, overrides=overrides)
    assert list(check_dataset(tmp_path / "dataset")) == []
    records = list(Dataset(tmp_path / "dataset").records())
    quality = [r.measured["recovery_psnr"] for r in records]
    areas = np.array([r.region["area"] for r in records])
    recoverable = np.array([r.measured["recoverable"] for r in records])
    assert len(records) == 120
    assert np.median(quality) >= 45
    assert min(quality) >= 35
    assert recoverable.min() >= 0.995
    assert (recoverable * areas).sum() / areas.sum() >= 0.995


@pytest.mark.slow
def test_a_dataset_in_the_layout_of_iharmony4_is_a_source(tmp_path: Path) -> None:
    overrides = ["samples=30", "encoding.format=jpeg", "writer={format: iharmony4, subset: HSynth}"]
    generate(RECIPES / "quickstart.yaml", tmp_path / "first", overrides=overrides)
    overrides = [f"data={tmp_path / 'first'}", "samples=20", "writer.subset=HSecond"]
    generate(RECIPES / "augment_iharmony4.yaml", tmp_path / "second", overrides=overrides)
    first, second = (list(Dataset(tmp_path / name).records()) for name in ("first", "second"))
    assert list(check_dataset(tmp_path / "second")) == []
    train = {Path(r.files["real"]["path"]).name for r in first if r.split == "train"}
    assert {Path(r.source["photo"]).name for r in second} <= train
    assert {r.split for r in second} == {"train"}
    regions = {(Path(r.files["real"]["path"]).stem, r.region["id"]) for r in first if r.split == "train"}
    assert {(Path(r.source["photo"]).stem, r.region["id"]) for r in second} <= regions
