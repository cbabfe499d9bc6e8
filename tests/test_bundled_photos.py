"""What holds for the photos that ship with the project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

# pycocotools hands numpy arrays over in a way that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LICENCES = {4, 7}  # CC BY, and no known copyright restrictions: COCO's ids that allow passing a photo on
MOST_BYTES = 2_800_000


@pytest.fixture(scope="module")
def instances(bundled: Path) -> dict[str, Any]:
    """The bundled annotation file."""
    loaded: dict[str, Any] = json.loads((bundled / "instances.json").read_text())
    return loaded


def decode(segmentation: Any, height: int, width: int) -> NDArray[np.uint8]:
    """A COCO segmentation of any form, by the reference decoder."""
    from pycocotools import mask as coco_mask

    if isinstance(segmentation, list):
        runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        runs = coco_mask.frPyObjects(segmentation, height, width)
    else:
        runs = segmentation
    decoded: NDArray[np.uint8] = coco_mask.decode(runs)
    return decoded


def form(segmentation: Any) -> str:
    """Which of COCO's three forms a segmentation has."""
    if isinstance(segmentation, list):
        return "polygons"
    return "uncompressed" if isinstance(segmentation["counts"], list) else "compressed"


def test_the_photos_stay_small_enough_to_clone(bundled: Path) -> None:
    total = sum(path.stat().st_size for path in bundled.rglob("*") if path.is_file())
    assert 0 < total <= MOST_BYTES


def test_the_files_are_exactly_the_listed_photos(bundled: Path, instances: dict[str, Any]) -> None:
    names = [image["file_name"] for image in instances["images"]]
    assert 12 <= len(names) <= 20
    assert sorted(names) == sorted(path.name for path in (bundled / "images").iterdir())


def test_every_photo_is_a_colour_jpeg_of_the_listed_size(bundled: Path, instances: dict[str, Any]) -> None:
    for image in instances["images"]:
        with Image.open(bundled / "images" / image["file_name"]) as photo:
            photo.load()
            assert (photo.format, photo.mode) == ("JPEG", "RGB"), image["file_name"]
            assert photo.size == (image["width"], image["height"]), image["file_name"]


def test_every_licence_allows_passing_the_photo_on(instances: dict[str, Any]) -> None:
    used = {image["license"] for image in instances["images"]}
    assert used <= LICENCES
    assert {licence["id"] for licence in instances["licenses"]} == used


def test_every_photo_is_attributed(bundled: Path, instances: dict[str, Any]) -> None:
    licences = {licence["id"]: licence["url"].split("://")[1] for licence in instances["licenses"]}
    lines = (bundled / "ATTRIBUTION.md").read_text().splitlines()
    for image in instances["images"]:
        rows = [line for line in lines if f"](images/{image['file_name']})" in line]
        assert len(rows) == 1, image["file_name"]
        for link in (licences[image["license"]], image["flickr_url"], image["coco_url"]):
            assert f"{link})" in rows[0], f"{image['file_name']}: {link}"


def test_every_region_is_a_visible_part_of_its_photo(instances: dict[str, Any]) -> None:
    images = {image["id"]: image for image in instances["images"]}
    for annotation in instances["annotations"]:
        image = images[annotation["image_id"]]
        mask = decode(annotation["segmentation"], image["height"], image["width"])
        assert mask.shape == (image["height"], image["width"]), annotation["id"]
        assert 0.015 <= mask.mean() <= 0.45, annotation["id"]
        assert mask.sum() == pytest.approx(annotation["area"], rel=0.02), annotation["id"]
        assert annotation["iscrowd"] == 0, annotation["id"]


def test_every_photo_has_one_to_four_regions(instances: dict[str, Any]) -> None:
    photos = [annotation["image_id"] for annotation in instances["annotations"]]
    assert set(photos) == {image["id"] for image in instances["images"]}
    assert all(photos.count(photo) <= 4 for photo in set(photos))


def test_ids_are_unique_and_categories_are_those_used(instances: dict[str, Any]) -> None:
    for kind in ("images", "annotations", "categories", "licenses"):
        ids = [entry["id"] for entry in instances[kind]]
        assert len(ids) == len(set(ids)), kind
    used = {annotation["category_id"] for annotation in instances["annotations"]}
    assert used == {category["id"] for category in instances["categories"]}


def test_all_three_forms_of_segmentation_are_shipped(instances: dict[str, Any]) -> None:
    forms = {form(annotation["segmentation"]) for annotation in instances["annotations"]}
    assert forms == {"polygons", "compressed", "uncompressed"}


def test_photos_and_outlines_are_those_of_coco(bundled: Path, instances: dict[str, Any], shared: Path) -> None:
    coco = shared / "photos" / "coco"
    originals = json.loads((coco / "instances.json").read_text())
    outlines = {annotation["id"]: annotation for annotation in originals["annotations"]}
    licences = {image["id"]: image["license"] for image in originals["images"]}
    images = {image["id"]: image for image in instances["images"]}
    for image in images.values():
        assert image["license"] == licences[image["id"]]
        name = image["file_name"]
        assert (bundled / "images" / name).read_bytes() == (coco / "images" / name).read_bytes(), name
    for annotation in instances["annotations"]:
        image, original = images[annotation["image_id"]], outlines[annotation["id"]]
        assert original["image_id"] == annotation["image_id"]
        ours, theirs = (
            decode(entry["segmentation"], image["height"], image["width"]) for entry in (annotation, original)
        )
        np.testing.assert_array_equal(ours, theirs, err_msg=str(annotation["id"]))
