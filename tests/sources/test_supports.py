"""Boxes are those of whole objects, measured on their masks; a photo's regions are found by halving."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from unstamped import Unstamped

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import CocoSource, Index, Photo, PhotoEntry, RegionEntry, Select, build_index
from synthharm.sources import index as index_module
from synthharm.sources.supports import Supports, learn_supports, regions_of_photo

HEIGHT, WIDTH = 50, 80


@dataclass(frozen=True)
class Boxes(Unstamped):
    """Photos of one size with regions that are boxes: each is "top bottom left right", the mask's ends."""

    photos: tuple[tuple[tuple[str | None, str], ...], ...]

    def entries(self, measure: bool) -> Iterator[Any]:
        for number, regions in enumerate(self.photos):
            yield PhotoEntry(f"{number}.jpg")
            for place, (category, box) in enumerate(regions):
                yield RegionEntry(number, f"{place}", box, category)

    def read_photo(self, photo: PhotoEntry) -> Photo:
        return Photo(np.zeros((HEIGHT, WIDTH, 3), np.uint8), photo.key, "0" * 64)

    def read_mask(self, photo: PhotoEntry, region: RegionEntry, size: tuple[int, int]) -> NDArray[np.uint8]:
        if region.mask == "gone":
            raise Unusable(photo.key, "missing", "no such file")
        top, bottom, left, right = map(int, region.mask.split())
        mask = np.zeros(size, np.uint8)
        mask[top:bottom, left:right] = 255
        return mask


def listed(source: Boxes, path: Path) -> tuple[Boxes, Index]:
    return source, build_index(source, path, select=Select())


def test_a_box_is_centre_bottom_width_height(tmp_path: Path) -> None:
    source, index = listed(Boxes(((("dog", "10 30 20 40"), ("cat", "2 48 2 78")),)), tmp_path)
    found = learn_supports(source, index)
    assert found.boxes("dog").tolist() == [[30 / 80, 30 / 50, 20 / 80, 20 / 50]]
    assert found.boxes("cat").tolist() == [[0.5, 0.96, 0.95, 0.92]]
    assert found.boxes("cow").shape == found.boxes(None).shape == (0, 4)


@pytest.mark.parametrize("box", ["1 30 20 40", "10 49 20 40", "10 30 1 40", "10 30 20 79", "gone"])
def test_what_is_cut_off_or_unusable_is_left_out(tmp_path: Path, box: str) -> None:
    source, index = listed(Boxes(((("dog", box), (None, "10 30 20 40"), ("cat", "10 30 20 40")),)), tmp_path)
    assert set(learn_supports(source, index).rows) == {"cat"}


@pytest.fixture
def many(tmp_path: Path) -> tuple[Boxes, Index]:
    rng = np.random.default_rng(1)

    def region() -> tuple[str, str]:
        top, left = rng.integers(0, 20, 2)
        return ("dog", "cat", "épée")[rng.integers(3)], f"{top} {top + rng.integers(1, 30)} {left} {left + 30}"

    return listed(Boxes(tuple(tuple(region() for _ in range(4)) for _ in range(50))), tmp_path / "index")


def test_the_draw_is_the_seeds_and_no_more_than_asked(many: tuple[Boxes, Index]) -> None:
    everything = learn_supports(*many, most=1000)
    some = [learn_supports(*many, most=9, seed=seed) for seed in (1, 1, 2)]
    for category in ("dog", "cat", "épée"):
        whole = {tuple(box) for box in everything.boxes(category)}
        assert all(0 < len(one.boxes(category)) <= 9 for one in some)
        assert all({tuple(box) for box in one.boxes(category)} <= whole for one in some)
        assert some[0].boxes(category).tolist() == some[1].boxes(category).tolist()
    assert any(some[0].boxes(c).tolist() != some[2].boxes(c).tolist() for c in everything.rows)


def test_any_number_of_jobs_finds_the_same(tmp_path: Path) -> None:
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "a.png")
    rng = np.random.default_rng(2)
    ends = [(int(x), int(y)) for x, y in rng.integers(0, 30, (70, 2))]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 3, "name": "dog"}],
        "annotations": [
            {
                "id": n,
                "image_id": 1,
                "category_id": 3,
                "segmentation": [[x, y, x + 9, y, x + 9, y + 9]],
                "area": 40,
            }
            for n, (x, y) in enumerate(ends)
        ],
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))
    source = CocoSource(tmp_path, images=".")
    index = build_index(source, tmp_path / "index", select=Select())
    one, two = (learn_supports(source, index, most=69, jobs=jobs).boxes("dog") for jobs in (1, 2))
    assert len(one) > 40
    assert one.tolist() == two.tolist()


def test_what_is_saved_reads_back_and_is_the_same_file(many: tuple[Boxes, Index], tmp_path: Path) -> None:
    found = learn_supports(*many)
    found.save(tmp_path / "a.json")
    again = Supports.load(tmp_path / "a.json")
    assert {name: boxes.tolist() for name, boxes in again.rows.items()} == {
        name: boxes.tolist() for name, boxes in found.rows.items()
    }
    Supports(dict(sorted(again.rows.items(), reverse=True))).save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    Supports({}).save(tmp_path / "c.json")
    assert not Supports.load(tmp_path / "c.json").rows


@pytest.mark.parametrize(
    "text", [None, "", "[]", "3", '{"dog": 3}', '{"dog": [[1, 2, 3]]}', '{"dog": [[0, 0, 0, 2]]}', '{"dog": "x"}']
)
def test_another_file_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SynthharmError, match=r"a\.json"):
        Supports.load(path)


@pytest.mark.parametrize("wrong", [{"most": 0}, {"jobs": 0}])
def test_wrong_numbers_are_refused(many: tuple[Boxes, Index], wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="accepted are numbers from 1 on"):
        learn_supports(*many, **wrong)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=12), st.integers(1, 5))
def test_the_regions_of_a_photo_are_those_that_name_it(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], batch: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "_BATCH", batch)
        photos = tuple((("dog", "1 2 3 4"),) * count for count in counts)
        index = listed(Boxes(photos), tmp_path_factory.mktemp("index"))[1]
        for number in range(index.photos):
            expected = [place for place in range(index.regions) if index.region(place).photo == number]
            assert regions_of_photo(index, number).tolist() == expected
        for number in (-1, index.photos):
            with pytest.raises(IndexError, match=f"photo {number}; this index has {index.photos}"):
                regions_of_photo(index, number)
