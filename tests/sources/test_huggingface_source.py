"""A dataset's rows are read the same, byte for byte, whichever way the dataset is stored."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import HuggingFaceSource, PhotoEntry, RegionEntry, Reject, Select, build_index, load_region

ROWS = 5


def encoded(level: int, form: str, size: tuple[int, int] = (16, 8)) -> bytes:
    image = Image.new("L" if form == "PNG" else "RGB", size)
    image.paste(255 if form == "PNG" else (level, 90, 40), (0, 0, size[0] // 2, size[1]))
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


PHOTOS = [encoded(20 * k, "JPEG") for k in range(ROWS)]
MASK = encoded(255, "PNG")


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    datasets.disable_progress_bars()


def table(**changes: Any) -> Any:
    import datasets

    columns = {
        "image": [{"bytes": data, "path": None} for data in PHOTOS],
        "mask": [{"bytes": MASK, "path": None}] * ROWS,
        "kind": [0, 1, 0, -1, 1],
        "name": ["dog", "cat", "dog", None, "cat"],
    } | changes
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "mask": datasets.Image(mode="L"),
            "kind": datasets.ClassLabel(names=["dog", "cat"]),
            "name": datasets.Value("string"),
        }
    )
    return datasets.Dataset.from_dict(columns, features=features)


def store(root: Path, way: str) -> HuggingFaceSource:
    import datasets

    rows = table()
    if way == "saved":
        rows.save_to_disk(str(root / "saved"))
    elif way == "saved splits":
        datasets.DatasetDict({"train": rows, "val": rows.select([0])}).save_to_disk(str(root / way))
    elif way in ("parquet", "parquet streamed"):
        rows.to_parquet(str(root / way / "train-00000-of-00001.parquet"))
    elif way == "parquet file":
        rows.to_parquet(str(root / "any.parquet"))
        way = "any.parquet"
    elif way == "plain columns":  # written by something that knows nothing of this library
        import pyarrow as pa
        import pyarrow.parquet as pq

        (root / way).mkdir()
        columns = {"image": PHOTOS, "mask": [MASK] * ROWS, "name": table()["name"][:]}
        pq.write_table(pa.table(columns), root / way / "train.parquet")
    elif way in ("image folder", "image folder streamed"):
        (root / way).mkdir()
        lines = []
        for k, (photo, name) in enumerate(zip(PHOTOS, table()["name"][:], strict=True)):
            (root / way / f"{k}.jpg").write_bytes(photo)
            (root / way / f"{k}.mask.png").write_bytes(MASK)
            lines.append(json.dumps({"file_name": f"{k}.jpg", "mask_file_name": f"{k}.mask.png", "name": name}))
        (root / way / "metadata.jsonl").write_text("\n".join(lines))
    return HuggingFaceSource(str(root / way), stream="streamed" in way, category="name")


def entries(source: HuggingFaceSource, measure: bool = False) -> list[Any]:
    return list(source.entries(measure))


def digests(source: HuggingFaceSource) -> list[str]:
    return [source.read_photo(one).sha256 for one in entries(source) if isinstance(one, PhotoEntry)]


WAYS = ["saved", "saved splits", "parquet", "parquet file", "parquet streamed", "plain columns"]
WAYS += ["image folder", "image folder streamed"]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_storing_gives_the_same_rows(tmp_path: Path, way: str) -> None:
    source = store(tmp_path, way)
    found = entries(source, measure=True)
    photos, regions = found[0::2], found[1::2]
    assert photos == [PhotoEntry(f"row-{k:08d}", width=16, height=8) for k in range(ROWS)]
    names = ["dog", "cat", "dog", None, "cat"]
    assert regions == [RegionEntry(k, "1", str(k), names[k], 0.5) for k in range(ROWS)]
    assert digests(source) == [hashlib.sha256(data).hexdigest() for data in PHOTOS]
    mask = source.read_mask(photos[3], regions[3], (8, 16))
    assert (mask[:, :8] == 255).all()
    assert (mask[:, 8:] == 0).all()


def test_class_labels_are_named(tmp_path: Path) -> None:
    table().save_to_disk(str(tmp_path / "a"))
    found = entries(HuggingFaceSource(str(tmp_path / "a"), category="kind"))
    assert [one.category for one in found[1::2]] == ["dog", "cat", "dog", None, "cat"]


@pytest.mark.parametrize("stream", [False, True])
def test_limit(tmp_path: Path, stream: bool) -> None:
    source = store(tmp_path, "parquet")
    limited = HuggingFaceSource(source.data, stream=stream, limit=2)
    assert digests(limited) == digests(source)[:2]


def test_a_stream_is_read_once_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    made = store(tmp_path, "parquet streamed")
    source = HuggingFaceSource(made.data, stream=True, cache=tmp_path / "mine")
    expected = digests(source)
    (cached,) = (tmp_path / "mine" / "synthharm").iterdir()
    copy = pickle.loads(pickle.dumps(source))
    photos = [one for one in entries(copy) if isinstance(one, PhotoEntry)]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        read = pool.map(HuggingFaceSource.read_photo, [copy] * len(photos), photos)
        assert [photo.sha256 for photo in read] == expected
    assert list((tmp_path / "mine" / "synthharm").iterdir()) == [cached]

    from synthharm.sources import huggingface

    huggingface._open.cache_clear()
    huggingface._column.cache_clear()
    monkeypatch.setattr(datasets, "load_dataset", None)  # whoever streams again now fails
    assert digests(source) == expected


def test_a_stream_of_changed_files_is_read_anew(tmp_path: Path) -> None:
    from synthharm.sources import huggingface

    made = store(tmp_path, "parquet streamed")
    assert len(digests(made)) == ROWS
    table().select([4]).to_parquet(f"{made.data}/train-00000-of-00001.parquet")
    huggingface._open.cache_clear()
    huggingface._column.cache_clear()
    assert digests(made) == [hashlib.sha256(PHOTOS[4]).hexdigest()]


def test_rows_without_photo_or_mask(tmp_path: Path) -> None:
    images = [{"bytes": data, "path": None} for data in PHOTOS]
    masks: list[Any] = [{"bytes": MASK, "path": None}] * ROWS
    images[0], masks[1] = None, None  # type: ignore[call-overload]
    images[2] = {"bytes": b"no image", "path": None}
    masks[3] = {"bytes": encoded(255, "PNG", (8, 16)), "path": None}
    table(image=images, mask=masks).save_to_disk(str(tmp_path / "a"))
    found = entries(HuggingFaceSource(str(tmp_path / "a")), measure=True)
    assert [(one.name, one.reason) for one in found if isinstance(one, Reject)] == [
        ("row-00000000", "no photo"),
        ("row-00000001", "no mask"),
        ("row-00000002", "not an image"),
        ("row-00000003", "mask size"),
    ]
    assert [(one.photo, one.mask) for one in found if isinstance(one, RegionEntry)] == [(1, "4")]


def test_paths_are_read_within_the_data_folder_only(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = tmp_path / "data"
    data.mkdir()
    for folder in (data, tmp_path):
        (folder / "a.jpg").write_bytes(PHOTOS[1])
    (data / "link.jpg").symlink_to(tmp_path / "a.jpg")
    paths = ["a.jpg", str(data / "a.jpg"), "../a.jpg", str(tmp_path / "a.jpg"), "link.jpg", "gone.jpg"]
    values = [{"bytes": None, "path": path} for path in paths]
    columns = {"image": values, "mask": [MASK] * len(paths)}
    pq.write_table(pa.table(columns), data / "train.parquet")
    for stream in (False, True):
        source = HuggingFaceSource(str(data / "train.parquet"), stream=stream)
        reasons = []
        for photo in (one for one in entries(source) if isinstance(one, PhotoEntry)):
            try:
                source.read_photo(photo)
            except Unusable as error:
                reasons.append(error.reason)
            else:
                reasons.append("fine")
        assert reasons == ["fine", "fine", "outside", "outside", "outside", "missing"]


def test_through_an_index(tmp_path: Path) -> None:
    source = store(tmp_path, "saved")
    index = build_index(source, tmp_path / "index", select=Select(categories=("cat",)))
    assert (index.photos, index.regions, index.excluded) == (2, 2, {"category": 3})
    photo, mask = load_region(source, index, 1, soft=False)
    assert photo.sha256 == hashlib.sha256(PHOTOS[4]).hexdigest()
    assert mask.shape == photo.pixels.shape[:2]


def test_the_licence_of_the_dataset(tmp_path: Path) -> None:
    rows = table()
    rows.info.license = "cc0-1.0"
    rows.save_to_disk(str(tmp_path / "a"))
    assert entries(HuggingFaceSource(str(tmp_path / "a")))[0].licence == "cc0-1.0"


@pytest.mark.parametrize("way", ["parquet", "parquet streamed", "saved splits"])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image": "img"}, r"no column 'img'.*\['image', 'kind', 'mask', 'name'\]"),
        ({"mask": "msk"}, "'msk'"),
        ({"category": "cls"}, "'cls'"),
        ({"split": "nope"}, "'nope'.*train"),
        ({"image": "kind"}, "'kind'.*accepted are images"),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, way: str, settings: dict[str, str], words: str) -> None:
    made = store(tmp_path, way)
    with pytest.raises(SynthharmError, match=words):
        entries(HuggingFaceSource(made.data, stream=made.stream, **settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", ["someone/something", "something", "./gone", "/gone/for/good", "a/b/c", "x.csv"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, stream: bool) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a,b\n")
    with pytest.raises(SynthharmError, match="accepted are a folder"):
        entries(HuggingFaceSource(data, stream=stream))


def test_limit_is_positive() -> None:
    with pytest.raises(SynthharmError, match="limit is 0"):
        HuggingFaceSource("a", limit=0)


@pytest.mark.parametrize("shown", [False, True])
def test_progress_bars_are_neither_shown_nor_changed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], shown: bool
) -> None:
    import datasets

    source = store(tmp_path, "parquet")
    if shown:
        datasets.enable_progress_bars()
    capfd.readouterr()
    entries(source)
    assert "%" not in capfd.readouterr().err
    assert datasets.are_progress_bars_disabled() is not shown


def test_pixels_are_this_projects_own(tmp_path: Path) -> None:
    source = store(tmp_path, "saved")
    photo = entries(source)[0]
    expected = np.array(Image.open(io.BytesIO(PHOTOS[0])))
    np.testing.assert_array_equal(source.read_photo(photo).pixels, expected)
