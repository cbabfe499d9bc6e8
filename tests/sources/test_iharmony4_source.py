"""iHarmony4's lists of composites give each real photo and mask once, in the split that lists it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import IHarmony4Source, PhotoEntry, RegionEntry, Reject


def make(root: Path, subset: str, train: str | None, test: str | None) -> None:
    folder = root / subset
    for name in ("real_images", "masks", "composite_images"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for split, text in (("train", train), ("test", test)):
        if text is None:
            continue
        (folder / f"{subset}_{split}.txt").write_bytes(text.encode())
        for line in text.split():
            image, foreground, _ = Path(line.replace("\\", "/")).stem.rsplit("_", 2)
            Image.new("RGB", (4, 3), (9, 9, 9)).save(folder / "real_images" / f"{image}.jpg")
            mask = Image.new("L", (4, 3))
            mask.paste(255, (0, 0, 1, 3))
            mask.save(folder / "masks" / f"{image}_{foreground}.png")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    lines = "c1_2_1.jpg\r\n\r\nc1_2_2.jpg\r\nHCOCO/composite_images/c1_3_1.jpg\r\ncomposite_images\\c_5_4_1.jpg"
    make(tmp_path, "HCOCO", lines, "c9_1_1.jpg\n\n")
    make(tmp_path, "HFlickr", "f1_1_1.jpg\n", "f2_1_1.jpg\nf1_1_2.jpg\n")
    (tmp_path / "IHD_train.txt").write_text("")
    return tmp_path


def listed(source: IHarmony4Source, measure: bool = False) -> tuple[list[Any], list[Any], list[Reject]]:
    photos: list[PhotoEntry] = []
    regions, rejects = [], []
    for entry in source.entries(measure):
        if isinstance(entry, PhotoEntry):
            photos.append(entry)
        elif isinstance(entry, RegionEntry):
            assert entry.photo == len(photos) - 1
            regions.append((photos[-1].key, entry.id, entry.mask, entry.share))
        elif isinstance(entry, Reject):
            rejects.append(entry)
    return [(one.key, one.split) for one in photos], regions, rejects


def test_each_real_photo_and_mask_once(data: Path) -> None:
    photos, regions, rejects = listed(IHarmony4Source(data))
    assert photos == [
        ("HCOCO/real_images/c1.jpg", "train"),
        ("HCOCO/real_images/c_5.jpg", "train"),
        ("HFlickr/real_images/f1.jpg", "train"),
    ]
    assert regions == [
        ("HCOCO/real_images/c1.jpg", "2", "HCOCO/masks/c1_2.png", None),
        ("HCOCO/real_images/c1.jpg", "3", "HCOCO/masks/c1_3.png", None),
        ("HCOCO/real_images/c_5.jpg", "4", "HCOCO/masks/c_5_4.png", None),
        ("HFlickr/real_images/f1.jpg", "1", "HFlickr/masks/f1_1.png", None),
    ]
    assert rejects == []


@pytest.mark.parametrize("split", ["test", "all"])
def test_a_photo_of_both_lists_is_rejected_for_test(data: Path, split: Any) -> None:
    photos, _, rejects = listed(IHarmony4Source(data, split=split))
    tested = [key for key, listed_in in photos if listed_in == "test"]
    assert tested == ["HCOCO/real_images/c9.jpg", "HFlickr/real_images/f2.jpg"]
    assert len(photos) == (2 if split == "test" else 5)
    assert [(one.name, one.reason) for one in rejects] == [("HFlickr/real_images/f1.jpg", "bad entry")]


def test_subsets_and_reading(data: Path) -> None:
    source = IHarmony4Source(data, subsets=("HFlickr",))
    photo, region = source.entries(measure=True)
    assert isinstance(photo, PhotoEntry)
    assert isinstance(region, RegionEntry)
    assert (photo.width, photo.height, region.share) == (4, 3, 0.25)
    assert source.read_photo(photo).pixels.shape == (3, 4, 3)
    assert source.read_mask(photo, region, (3, 4)).sum() == 3 * 255
    with pytest.raises(Unusable, match="mask size"):
        source.read_mask(photo, region, (4, 3))


def test_another_extension_and_missing_files(tmp_path: Path) -> None:
    make(tmp_path, "S", "a_1_1.jpg\nb_1_1.jpg\n", None)
    real = tmp_path / "S" / "real_images"
    (real / "a.jpg").rename(real / "a.png")
    (real / "b.jpg").unlink()
    photos, _, rejects = listed(IHarmony4Source(tmp_path))
    assert [key for key, _ in photos] == ["S/real_images/a.png", "S/real_images/b.jpg"]
    photos, _, rejects = listed(IHarmony4Source(tmp_path), measure=True)
    assert [key for key, _ in photos] == ["S/real_images/a.png"]
    assert [(one.name, one.reason) for one in rejects] == [("S/real_images/b.jpg", "missing")]


def test_lines_that_are_no_composite(tmp_path: Path) -> None:
    make(tmp_path, "S", "a_1_1.jpg\n", None)
    (tmp_path / "S" / "S_train.txt").write_text("a_1_1.jpg\nb_1.jpg\n_1_1.jpg\nplain\n")
    photos, _, rejects = listed(IHarmony4Source(tmp_path))
    assert len(photos) == 1
    assert [(one.name, one.reason) for one in rejects] == [
        (f"S/S_train.txt line {n}", "bad entry") for n in (2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"split": "val"}, "val"),
        ({"subsets": ("HDay",)}, "HDay.*HCOCO"),
        ({"data": "gone"}, "gone"),
        ({"data": "HCOCO"}, "no folder <subset>"),
        ({"split": "test", "subsets": ("Half",)}, r"Half_test\.txt"),
    ],
)
def test_settings_that_are_refused(data: Path, settings: dict[str, Any], words: str) -> None:
    make(data, "Half", "h_1_1.jpg\n", None)
    where = data / settings.pop("data", ".")
    with pytest.raises(SynthharmError, match=words):
        list(IHarmony4Source(where, **settings).entries(measure=False))
