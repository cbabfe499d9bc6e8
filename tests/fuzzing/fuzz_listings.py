"""COCO instances files with polygons and run lengths, spoilt by what they say and as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_bytes import Random, mutate_bytes
from fuzz_feeding import MOST_PIXELS, generate, put, read_source, why
from fuzz_place import Guard, Place
from fuzz_seeds import HEIGHT, WIDTH, disc, encoded, photo
from fuzz_values import ESCAPES, json_bytes, mutate_value, near

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import CocoSource


def prepare(root: Path) -> Listings:
    """The kind, tried on what is sound."""
    place = Place(root)
    place.make({".png": encoded(photo(seed=9), "PNG"), ".json": json.dumps(listing()).encode()})
    return Listings(place)


def runs(mask: np.ndarray) -> list[int]:
    """A mask's run lengths down the columns, background first."""
    flat = mask.T.ravel() > 0
    bounds = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), flat.size]
    lengths = np.diff(bounds).tolist()
    return [0, *lengths] if flat[0] else lengths


def compressed(mask: np.ndarray) -> str:
    """The same as COCO's text."""
    from pycocotools import mask as coco

    return str(coco.encode(np.asfortranarray((mask > 0).astype(np.uint8)))["counts"].decode())


def listing() -> dict[str, Any]:
    """An instances file of two photos, with every kind of segmentation."""
    box, size = [10.0, 8.0, 40.5, 8.0, 40.5, 39.5, 10.0, 39.5], [HEIGHT, WIDTH]
    shapes: list[Any] = [
        [box],
        [box, [2, 2, 9, 2, 9, 9]],
        {"size": size, "counts": runs(disc())},
        {"size": size, "counts": compressed(disc())},
    ]
    annotations = [
        {"id": 10 * image + number, "image_id": image, "category_id": 1, "segmentation": shape, "area": 900.5,
         "iscrowd": 0, "bbox": [10, 8, 30, 31]}
        for image in (1, 2)
        for number, shape in enumerate(shapes)
    ]  # fmt: skip
    url = "http://images.example.org/train/two.png"
    return {
        "images": [
            {"id": 1, "file_name": "one.png", "width": WIDTH, "height": HEIGHT, "license": 1},
            {"id": 2, "coco_url": url, "flickr_url": url, "license": 2},
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "thing"}],
        "licenses": [{"id": 1, "name": "Attribution", "url": "http://example.org"}, {"id": 2, "name": "None"}],
    }


class Listings:
    """Cases of instances files. Links lead out of the folder of photos; what is behind them would be accepted."""

    def __init__(self, place: Place) -> None:
        self.place, self.guard = place, Guard(place)
        secret = str(place.outside / "secret.png")
        self.escapes = (*ESCAPES, secret, f"images/{secret}", "../../outside/secret.png")
        self._lay(json.dumps(listing()).encode())
        assert self._read(measure=True) == "accepted"
        generate(place, self.guard, {"format": "coco"})
        self.guard.awake = True

    def run(self, random: Random) -> str:
        self._lay(self._spoilt(random))
        try:
            if random.random() < 0.03:
                return generate(self.place, self.guard, {"format": "coco"})
            return self._read(measure=bool(random.random() < 0.5))
        except (SynthharmError, Unusable) as error:
            return why(error)

    def _read(self, measure: bool) -> str:
        return read_source(CocoSource(self.place.data, max_pixels=MOST_PIXELS), self.place, self.guard, measure)

    def _lay(self, text: bytes) -> None:
        self.place.clear()
        images = self.place.data / "images"
        images.mkdir()
        put(images / "one.png", encoded(photo(), "PNG"))
        put(images / "two.png", encoded(photo(seed=2), "PNG"))
        (images / "link.png").symlink_to(self.place.outside / "secret.png")
        (images / "linked").symlink_to(self.place.outside)
        (images / "ring.png").symlink_to("ring.png")
        (self.place.data / "instances.json").write_bytes(text)

    def _spoilt(self, random: Random) -> bytes:
        """An instances file: one of its values, its segmentations, its names, or its text."""
        whole, kind = listing(), random.random()
        if kind < 0.15:
            return mutate_bytes(random, json.dumps(whole).encode(), [json.dumps(whole, indent=1).encode()])
        if kind < 0.45:
            return json_bytes(random, mutate_value(random, whole, self.escapes))
        if kind < 0.6:
            image = whole["images"][int(random.integers(2))]
            name = self.escapes[int(random.integers(len(self.escapes)))]
            image[str(random.choice(["file_name", "file_name", "coco_url"]))] = name
            return json_bytes(random, whole)
        entry = whole["annotations"][int(random.integers(len(whole["annotations"])))]
        entry["segmentation"] = self._shape(random, entry["segmentation"])
        return json_bytes(random, whole)

    def _shape(self, random: Random, shape: Any) -> Any:
        if random.random() < 0.4:
            return mutate_value(random, shape)
        if isinstance(shape, list):
            points = shape[int(random.integers(len(shape)))]
            extremes = (-1e9, 1e9, 1e300, -0.0, 1e-300, WIDTH, 2 * WIDTH, -WIDTH, WIDTH + 0.5, 2**31, 2**63)
            for _ in range(int(random.integers(1, 5))):
                place = int(random.integers(len(points)))
                far = extremes[int(random.integers(len(extremes)))]
                points[place] = far if random.random() < 0.5 else near(random, points[place])
            return shape
        if isinstance(shape["counts"], str):
            letters = [chr(int(random.integers(32, 127))) for _ in range(int(random.integers(1, 40)))]
            at = int(random.integers(len(shape["counts"])))
            shape["counts"] = shape["counts"][:at] + "".join(letters) + shape["counts"][at:]
            return shape
        counts = shape["counts"]
        at = int(random.integers(len(counts)))
        huge = (2**31, 2**40, 2**40 + 1, 2**62, 2**63, -1, 0, WIDTH * HEIGHT)
        counts[at] = huge[int(random.integers(len(huge)))] if random.random() < 0.5 else near(random, counts[at])
        return shape
