"""What the tests of the filters may use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from filter_cases import PhotoRegion
from PIL import Image
from torch import Tensor

PHOTO_SIDE = 96  # pixels: large enough to be a photo, small enough for hundreds of passes


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors gain nothing from threads, and sums in one order make runs alike."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def photo_regions(bundled: Path) -> list[PhotoRegion]:
    """The bundled photos made small, one for each annotated region: float64 images and binary masks."""
    from pycocotools import mask as coco_mask

    instances = json.loads((bundled / "instances.json").read_text())
    listed = {image["id"]: image for image in instances["images"]}
    regions = []
    for annotation in instances["annotations"]:
        image = listed[annotation["image_id"]]
        runs = annotation["segmentation"]
        if isinstance(runs, list):
            runs = coco_mask.merge(coco_mask.frPyObjects(runs, image["height"], image["width"]))
        elif isinstance(runs["counts"], list):
            runs = coco_mask.frPyObjects(runs, image["height"], image["width"])
        with Image.open(bundled / "images" / image["file_name"]) as photo:
            photo.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
            mask = Image.fromarray(coco_mask.decode(runs) * 255).resize(photo.size, Image.Resampling.NEAREST)
            regions.append(PhotoRegion(annotation["id"], _tensor(photo), _tensor(mask)))
    return regions


def _tensor(image: Image.Image) -> Tensor:
    pixels = np.atleast_3d(np.asarray(image, dtype=np.float64)) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]
