"""A small source of photos with objects of several categories, and splicing recipes over it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from PIL import Image

from synthharm.composites.history.tables import CameraTables, write_tables
from synthharm.composites.history.verifying import quality_tables
from synthharm.generate import generate
from synthharm.generate.dataset import Dataset
from synthharm.generate.splicing.stored import records
from synthharm.recipe import SplicingRecipe, parse_recipe
from synthharm.writers.forensics.record import SplicingRecord

WIDTH, HEIGHT = 160, 128
PHOTOS = 12
CATEGORIES = ("bird", "cup", "dog")
LICENCES = (
    {"id": 1, "name": "Attribution License", "url": "http://creativecommons.org/licenses/by/2.0/"},
    {"id": 2, "name": "Attribution-NoDerivs License", "url": "http://creativecommons.org/licenses/by-nd/2.0/"},
    {"id": 3, "name": "All rights reserved"},
)
TWIN, NO_DERIVATIVES, RESERVED = "twin.jpg", "photo03.png", "photo07.png"
PLACES = ((38, 40), (118, 44), (76, 92))  # of the objects' middles


def write_source(root: Path) -> Path:
    """Photos with three elliptic objects each as COCO has them.

    `TWIN` is photo00 saved as JPEG; `NO_DERIVATIVES` may not be edited, and so not be used, and `RESERVED` is
    under a licence that the recipe does not accept.
    """
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(PHOTOS):
        name = f"photo{number:02d}.png"
        photo, objects = _draw(number)
        Image.fromarray(photo).save(root / "images" / name)
        licence = {NO_DERIVATIVES: 2, RESERVED: 3}.get(name, 1)
        images.append(_image(number, name, licence))
        annotations += [_annotation(3 * number + place, number, one) for place, one in enumerate(objects)]
        if number == 0:
            Image.fromarray(photo).save(root / "images" / TWIN, quality=80)
            images.append(_image(PHOTOS, TWIN, 1))
            annotations += [_annotation(3 * PHOTOS + place, PHOTOS, one) for place, one in enumerate(objects)]
    categories = [{"id": place, "name": name} for place, name in enumerate(CATEGORIES)]
    file = {"images": images, "annotations": annotations, "categories": categories, "licenses": list(LICENCES)}
    (root / "instances.json").write_text(json.dumps(file))
    tables = [
        CameraTables("ACME One", quality_tables(91), "4:2:2"),
        CameraTables("ACME Two", quality_tables(83)[::-1], "4:2:0"),
    ]
    write_tables(root / "cameras.json", tables)
    return root


def recipe_of(source: str | Path, **changes: Any) -> dict[str, Any]:
    """A recipe with all kinds of samples, families, grids and steps, with top-level keys changed."""
    recipe: dict[str, Any] = {
        "samples": 40,
        "seed": 3,
        "data": str(source),
        "source": {"format": "coco"},
        "licences": {"accept": ["CC BY*"]},
        "kinds": {
            "authentic": 0.35,
            "retouch": 0.075,
            "splice": 0.275,
            "harmonized_splice": 0.1,
            "copy_move": 0.1,
            "removal": 0.1,
        },
        "regions": [1, 2],
        "placement": {"rotation": 10, "scale": [0.8, 1.2]},
        "blending": {"alpha": 0.6, "multiband": 0.2, "poisson": 0.1, "mixed": 0.1},
        "removal": {"dilation": [1, 3], "largest": 0.2},
        "chain": {"filters": ["brightness", "contrast", "saturation"]},
        "families": 0.2,
        "grids": {
            "share": 0.2,
            "colour": ["as_is", "reinhard"],
            "feather": [0, 2],
            "scale": [0.8, 1],
            "quality": [50, 90],
        },
        "history": [
            {"name": "as composed", "share": 0.3},
            {"name": "edited", "share": 0.2, "steps": [
                {"step": "filters", "strength": 0.4}, {"step": "resize", "factor": [0.7, 1.2]}]},
            {"name": "saved twice", "share": 0.2, "steps": [
                {"step": "jpeg", "quality": [60, 95], "cameras": 0.5}, {"step": "crop", "keep": [0.85, 1]}]},
            {"name": "shared", "share": 0.15, "steps": [
                {"step": "preset", "networks": ["facebook", "telegram", "whatsapp"]}]},
            {"name": "degraded", "share": 0.15, "steps": [
                {"step": "blur", "sigma": [0.3, 0.8]},
                {"step": "noise", "sigma": [1, 4]},
                {"step": "webp", "quality": [60, 90]}]},
        ],
        "encoding": {"format": "jpeg", "quality": [70, 97], "cameras": 0.3},
        "camera_tables": f"{source}/cameras.json",
        "split": {"train": 0.6, "test": 0.4},
        "shard": 10,
    }  # fmt: skip
    return recipe | changes


def plain_recipe_of(source: str | Path, **changes: Any) -> dict[str, Any]:
    """A recipe of which nothing but the edits can change a picture: no history, and PNG."""
    plain = {
        "samples": 12,
        "kinds": {"authentic": 0.25, "splice": 0.25, "copy_move": 0.5},
        "regions": [1, 1],
        "families": 0.0,
        "grids": None,
        "history": [{"name": "none", "share": 1}],
        "encoding": {"format": "png"},
        "camera_tables": None,
        "placement": {"support": "anywhere", "scale": [1, 1], "rotation": 0, "flip": 0},
        "edges": {"alpha": {"mask": 1}, "erosion": [0, 0], "feather": [0, 0]},
        "blending": {"alpha": 1},
        "colour": {"as_is": 1},
    }
    return recipe_of(source, **(plain | changes))


def parsed(recipe: dict[str, Any]) -> SplicingRecipe:
    found = parse_recipe(json.dumps(recipe))
    assert isinstance(found, SplicingRecipe)
    return found


def make_dataset(recipe: dict[str, Any], folder: Path, jobs: int = 1) -> Path:
    path = folder.with_name(f"{folder.name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(recipe))
    generate(path, folder, jobs=jobs)
    return folder


def samples_of(folder: Path) -> list[SplicingRecord]:
    return list(records(Dataset(folder)))


def read_label(folder: Path, record: SplicingRecord, role: str) -> np.ndarray:
    with Image.open(folder / record.files[role]["path"]) as file:
        return np.array(file)


def _image(number: int, name: str, licence: int) -> dict[str, Any]:
    described = {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT, "license": licence}
    return described | {"photographer": f"P. Author {number}"}


def _annotation(number: int, photo: int, one: tuple[int, np.ndarray]) -> dict[str, Any]:
    category, outline = one
    area = float(cv2.contourArea(outline.astype(np.float32)))
    polygon = [outline.ravel().astype(float).tolist()]
    return {"id": number, "image_id": photo, "category_id": category, "segmentation": polygon, "area": area}


def _draw(number: int) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """A photo, and each object's category and outline."""
    random = np.random.default_rng(100 + number)
    photo = _texture(random, (5, 6), 60, 200)
    objects = []
    for place, (x, y) in enumerate(PLACES):
        axes = (int(random.integers(14, 22)), int(random.integers(13, 19)))
        middle = (x + int(random.integers(-6, 7)), y + int(random.integers(-6, 7)))
        outline = cv2.ellipse2Poly(middle, axes, int(random.integers(0, 180)), 0, 360, 10)[:-1]
        inside = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(inside, [outline], 255)
        photo = np.where(inside[..., None] > 0, _texture(random, (9, 11), 20, 235), photo)
        objects.append(((number + place) % len(CATEGORIES), outline))
    return photo, objects


def _texture(random: np.random.Generator, cells: tuple[int, int], low: int, high: int) -> np.ndarray:
    coarse = random.uniform(low, high, (*cells, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return (smooth + random.normal(0, 3, smooth.shape)).clip(0, 255).round().astype(np.uint8)


class Made:
    """Datasets over one source, each made when first asked for, and once for all tests of a process."""

    def __init__(self, root: Path) -> None:
        self.root, self._source = root, write_source(root / "source")

    @property
    def source(self) -> Path:
        return self._source

    @property
    def recipe(self) -> SplicingRecipe:
        """Says where the source is."""
        return parsed(recipe_of(self.source))

    def full(self) -> Path:
        """All kinds, with two formats beside."""
        return self.made("full", recipe_of(self.source, writers=[{"format": "coco"}, {"format": "huggingface"}]))

    def plain(self) -> Path:
        """Edits alone, in PNG."""
        return self.made("plain", plain_recipe_of(self.source))

    def made(self, name: str, recipe: dict[str, Any]) -> Path:
        """Any other, known by its name."""
        folder = self.root / name
        return folder if folder.exists() else make_dataset(recipe, folder)


@cache
def datasets_below(folder: Path) -> Made:
    """The datasets of a test process, below its folder: files of tests share them."""
    return Made(folder / "splicing")
