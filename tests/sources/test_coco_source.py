"""What a COCO file says becomes regions with pycocotools' masks; what it says wrongly is rejected by name."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import CocoSource, PhotoEntry, RegionEntry, Reject, Select, build_index, load_region
from synthharm.sources.segmentation import area, rasterize

H, W = 20, 30
SQUARE = [[2, 3, 12, 3, 12, 9, 2, 9]]


def decoded(runs: dict[str, Any]) -> np.ndarray:
    with warnings.catch_warnings():  # pycocotools lags behind NumPy
        warnings.simplefilter("ignore")
        return coco.decode(runs)


def runs_of(mask: np.ndarray, compressed: bool) -> dict[str, Any]:
    """COCO's two encodings of a 0/1 mask; the plain one is written out here independently."""
    if compressed:
        runs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
        return {"size": list(runs["size"]), "counts": runs["counts"].decode()}
    counts, value = [0], 0
    for pixel in mask.ravel(order="F"):
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"size": list(mask.shape), "counts": counts}


def annotation(id: Any, image: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": id, "image_id": image, "category_id": 7, "segmentation": SQUARE, "area": 60, "iscrowd": 0} | more


def write(root: Path, **changes: Any) -> CocoSource:
    content = {
        "licenses": [{"id": 4, "name": "Attribution", "url": "https://example.org/by"}],
        "categories": [{"id": 7, "name": "dog"}, {"id": 8, "name": "cat"}],
        "images": [{"id": 1, "file_name": "a.png", "width": W, "height": H, "license": 4}],
        "annotations": [annotation(11)],
    } | changes
    (root / "images").mkdir(exist_ok=True)
    Image.new("RGB", (W, H), (1, 2, 3)).save(root / "images" / "a.png")
    (root / "instances.json").write_text(json.dumps(content))
    return CocoSource(root)


def listed(source: CocoSource, measure: bool = False) -> tuple[list[PhotoEntry], list[RegionEntry], list[Reject]]:
    entries = list(source.entries(measure))
    kinds = (PhotoEntry, RegionEntry, Reject)
    return tuple([one for one in entries if isinstance(one, kind)] for kind in kinds)  # type: ignore[return-value]


@settings(deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))), st.booleans())
def test_run_lengths_give_their_mask_back(mask: np.ndarray, compressed: bool) -> None:
    text = json.dumps(runs_of(mask, compressed))
    np.testing.assert_array_equal(rasterize(text, mask.shape, "a"), mask * 255)
    assert area(text, mask.shape, "a") == mask.sum()


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-9, W + 9), st.floats(-9, H + 9)), min_size=3, max_size=9),
        min_size=1,
        max_size=3,
    )
)
def test_polygons_are_drawn_as_pycocotools_draws_them(polygons: list[list[tuple[float, float]]]) -> None:
    flat = [[value for point in polygon for value in point] for polygon in polygons]
    expected = decoded(coco.merge(coco.frPyObjects(flat, H, W))) * 255
    np.testing.assert_array_equal(rasterize(json.dumps(flat), (H, W), "a"), expected)


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 700)
)
TEXTS = st.one_of(st.text(max_size=40), st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=40))
JSON = st.recursive(st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS), lambda inner: st.lists(inner, max_size=7))
RUNS = st.fixed_dictionaries(
    {
        "size": st.one_of(st.just([H, W]), st.lists(NUMBERS, max_size=3)),
        "counts": st.one_of(TEXTS, st.lists(NUMBERS, max_size=7), JSON),
    }
)


@settings(deadline=None, max_examples=500)
@given(st.one_of(JSON, RUNS, st.lists(st.lists(NUMBERS, max_size=9), max_size=3)))
def test_no_segmentation_does_worse_than_be_refused(segmentation: Any) -> None:
    text = json.dumps(segmentation)
    for work in (lambda: rasterize(text, (H, W), "a").shape, lambda: area(text, (H, W), "a")):
        try:
            result = work()
        except Unusable as error:
            result = error.reason
        assert result in ((H, W), "bad mask", "mask size") or isinstance(result, float)


@settings(deadline=None, max_examples=300)
@given(
    arrays(np.bool_, (H, W)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(48, 111)), min_size=1, max_size=3),
)
def test_damaged_compressed_text_is_refused_or_reads_as_in_c(
    mask: np.ndarray, edits: list[tuple[int, int]]
) -> None:
    runs = runs_of(mask, compressed=True)
    text = list(runs["counts"])
    for place, code in edits:
        text[place % len(text)] = chr(code)
    runs["counts"] = "".join(text)
    try:
        found = rasterize(json.dumps(runs), (H, W), "a")
    except Unusable as error:
        assert error.reason == "bad mask"  # noqa: PT017 - either way is right
    else:
        np.testing.assert_array_equal(found, decoded(runs) * 255)


@pytest.mark.parametrize(
    ("segmentation", "reason", "words"),
    [
        ([], "bad mask", "no polygon"),
        ([[1, 2, 3, 4]], "bad mask", "4 numbers"),
        ([[1, 2, 3, 4, 5, 6, 7]], "bad mask", "7 numbers"),
        ([[0, 0, 1e9, 0, 1, 1]], "bad mask", "1000000000"),
        ([[0, 0, W, H, 0, 1] * 50_000], "bad mask", "long"),
        ({"size": [W, H], "counts": [W * H]}, "mask size", "20 x 30"),
        ({"size": [H, W], "counts": [W * H, 1]}, "bad mask", "601"),
        ({"size": [H, W], "counts": [-1, W * H + 1]}, "bad mask", "counts"),
        ({"size": [H, W], "counts": "\u00e9"}, "bad mask", "character"),
        ({"size": [H, W], "counts": "hooooooooooo0"}, "bad mask", "digits"),
        ({"size": [H, W], "counts": "o"}, "bad mask", "break off"),
        (None, "bad mask", "neither"),
        ("text", "bad mask", "neither"),
    ],
)
def test_segmentations_that_are_refused(segmentation: Any, reason: str, words: str) -> None:
    with pytest.raises(Unusable, match=words) as caught:
        rasterize(json.dumps(segmentation), (H, W), "a")
    assert caught.value.reason == reason


def test_what_is_listed(tmp_path: Path) -> None:
    image = {"id": 1, "file_name": "a.png", "width": W, "height": H, "license": 4, "flickr_url": "https://f.org/1"}
    source = write(
        tmp_path,
        images=[image | {"photographer": "Ann"}],
        annotations=[annotation(11), annotation("x", area=None)],
    )
    photos, regions, rejects = listed(source)
    assert photos == [
        PhotoEntry("images/a.png", W, H, "Attribution (https://example.org/by)", "Ann (https://f.org/1)")
    ]
    assert [(one.photo, one.id, one.category, one.share) for one in regions] == [
        (0, "11", "dog", 60 / (W * H)),
        (0, "x", "dog", 60 / (W * H)),
    ]
    assert rejects == []
    photo = source.read_photo(photos[0])
    assert photo.licence == photos[0].licence
    np.testing.assert_array_equal(photo.pixels, np.full((H, W, 3), (1, 2, 3)))
    assert source.read_mask(photos[0], regions[0], (H, W)).sum() == 60 * 255
    with pytest.raises(Unusable, match="mask size"):
        source.read_mask(photos[0], regions[0], (W, H))


def test_malformed_entries_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = {"id": 1, "file_name": "a.png", "width": W, "height": H}
    images = [
        good,
        {"id": 2, "file_name": 5},
        good | {"file_name": "b.png"},
        good | {"id": 3},
        {"file_name": "c.png"},
        {"id": 4},
        {"id": 5, "file_name": "d.png", "width": 0, "height": 4},
        "nothing",
    ]
    annotations = [
        annotation(11),
        annotation(11),
        annotation(12, image=99),
        annotation(13, category_id=99),
        annotation(14, area=-1),
        annotation(15, area="much"),
        annotation(16, area=None, segmentation=[[1]]),
        {"id": 17, "image_id": 1},
        {"id": 18},
        17,
    ]
    photos, regions, rejects = listed(write(tmp_path, images=images, annotations=annotations))
    assert [one.key for one in photos] == ["images/a.png"]
    assert [one.id for one in regions] == ["11"]
    expected = {
        *((name, "bad entry") for name in ("image 1", "image 2", "image 3", "images[4]", "image 4", "image 5")),
        *((f"annotation {id}", "bad entry") for id in (11, 13, 14, 15, 17, 18)),
        ("images[7]", "bad entry"),
        ("annotation 12", "no photo"),
        ("annotation 16", "bad mask"),
        ("annotations[9]", "bad entry"),
    }
    assert {(one.name, one.reason) for one in rejects} == expected
    assert len(rejects) == len(expected)


def test_crowds_only_when_asked_for(tmp_path: Path) -> None:
    source = write(tmp_path, annotations=[annotation(1), annotation(2, iscrowd=1)])
    assert [one.id for one in listed(source)[1]] == ["1"]
    assert [one.id for one in listed(CocoSource(tmp_path, crowds=True))[1]] == ["1", "2"]


def test_annotations_are_gathered_by_photo_in_any_order(tmp_path: Path) -> None:
    images = [{"id": id, "file_name": f"{id}.png", "width": W, "height": H} for id in ("b", 2, "a")]
    order = ["a", 2, "b", "a", "b", 2, "a"]
    _, regions, _ = listed(
        write(tmp_path, images=images, annotations=[annotation(k, owner) for k, owner in enumerate(order)])
    )
    assert [(one.photo, one.id) for one in regions] == [
        (photo, str(k))
        for photo, owner in enumerate(("b", 2, "a"))
        for k, other in enumerate(order)
        if other == owner
    ]


def test_lvis_photos_are_found_by_their_address(tmp_path: Path) -> None:
    url = "http://images.example.org/{}/a.png"
    images = [
        {"id": k, "coco_url": url.format(f), "width": W, "height": H} for k, f in enumerate(("train", "val"))
    ]
    (tmp_path / "images" / "train").mkdir(parents=True)
    (tmp_path / "images" / "train" / "a.png").write_bytes(b"")
    photos, _, _ = listed(write(tmp_path, images=images, annotations=[]))
    assert [one.key for one in photos] == ["images/train/a.png", "images/a.png"]
    assert photos[0].attribution == url.format("train")


def test_sizes_are_measured_only_where_the_file_lacks_them(tmp_path: Path) -> None:
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "gone.png"}]
    source = write(tmp_path, images=images, annotations=[annotation(1), annotation(2, 2)])
    photos, regions, _ = listed(source)
    assert (photos[0].width, regions[0].share) == (None, None)
    photos, regions, rejects = listed(source, measure=True)
    assert [(one.width, one.height) for one in photos] == [(W, H)]
    assert [one.share for one in regions] == [60 / (W * H)]
    assert [(one.name, one.reason) for one in rejects] == [("images/gone.png", "missing")]


def test_where_a_photo_may_be(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    Image.new("RGB", (W, H)).save(tmp_path / "secret.png")
    names = ["../../secret.png", str(tmp_path / "secret.png"), "gone.png"]
    images = [{"id": k, "file_name": name, "width": W, "height": H} for k, name in enumerate(names)]
    source = write(tmp_path / "data", images=images)
    reasons = []
    for photo in listed(source)[0]:
        with pytest.raises(Unusable) as caught:
            source.read_photo(photo)
        reasons.append(caught.value.reason)
    assert reasons == ["outside", "outside", "missing"]
    with pytest.raises(SynthharmError, match="images"):
        CocoSource(tmp_path, images="../images")


@pytest.mark.parametrize(
    "content", [None, "", "not json", "[]", '{"images": []}', '{"images": [}', '{"images": 3}']
)
def test_a_file_that_is_no_instances_file(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "instances.json").write_text(content)
    with pytest.raises(SynthharmError, match=r"instances\.json"):
        list(CocoSource(tmp_path).entries(measure=False))


def test_real_photos_and_objects(shared: Path, tmp_path: Path) -> None:
    source = CocoSource(shared / "photos" / "coco", crowds=True)
    index = build_index(source, tmp_path, select=Select())
    original = json.loads((shared / "photos" / "coco" / "instances.json").read_text())
    assert index.regions == len(original["annotations"]) == 1367
    assert index.rejects == []
    by_id = {str(one["id"]): one for one in original["annotations"]}
    kinds: Counter[str] = Counter()
    for number in range(0, index.regions, 9):
        region = index.region(number)
        segmentation = by_id[region.id]["segmentation"]
        photo, mask = load_region(source, index, number, soft=False)
        runs = segmentation
        if isinstance(segmentation, list):
            runs = coco.merge(coco.frPyObjects(segmentation, *mask.shape))
        elif isinstance(segmentation["counts"], list):
            runs = coco.frPyObjects(segmentation, *mask.shape)
        kinds[type(segmentation).__name__] += 1
        np.testing.assert_array_equal(mask, decoded(runs) * 255)
        assert photo.licence is not None
        assert photo.attribution is not None
        assert region.share == pytest.approx(np.mean(mask) / 255, abs=0.03)
    assert min(kinds["list"], kinds["dict"]) > 10
