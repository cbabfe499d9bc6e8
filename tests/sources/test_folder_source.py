"""Photos and masks are paired by name alone, each mask with one photo, in an order that nothing else decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import FolderSource, PhotoEntry, RegionEntry, Reject
from synthharm.sources.folder import MaskName


def make(root: Path, *names: str, size: tuple[int, int] = (4, 3), filled: bool = True) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("L", size)
        if filled:
            image.paste(255, (0, 0, 2, size[1]))
        image.save(path)


def listed(source: FolderSource, measure: bool = False) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """The masks by region id of each photo in order, and the reason for each rejected file."""
    photos: list[PhotoEntry] = []
    regions: dict[str, dict[str, str]] = {}
    rejects: dict[str, str] = {}
    for entry in source.entries(measure):
        if isinstance(entry, PhotoEntry):
            photos.append(entry)
            regions[entry.key] = {}
        elif isinstance(entry, RegionEntry):
            assert entry.photo == len(photos) - 1
            regions[photos[-1].key][entry.id] = entry.mask
        elif isinstance(entry, Reject):
            rejects[entry.name] = entry.reason
    return regions, rejects


def test_pairs_by_stem_within_subfolders(tmp_path: Path) -> None:
    make(tmp_path, "images/b.JPG", "images/a.png", "images/sub/a.tif", "images/alone.jpg", "images/.hidden.jpg")
    make(tmp_path, "masks/a.png", "masks/b.bmp", "masks/sub/a.png", "masks/other.png", "masks/sub/b.png")
    (tmp_path / "images" / "notes.txt").write_text("no photo")
    regions, rejects = listed(FolderSource(tmp_path))
    assert regions == {
        "images/a.png": {"1": "masks/a.png"},
        "images/b.JPG": {"1": "masks/b.bmp"},
        "images/sub/a.tif": {"1": "masks/sub/a.png"},
    }
    assert list(regions) == sorted(regions)
    assert rejects == {"images/alone.jpg": "no mask", "masks/other.png": "no photo", "masks/sub/b.png": "no photo"}


def test_wildcards_name_the_regions_and_the_longest_stem_wins(tmp_path: Path) -> None:
    make(tmp_path, "images/a.jpg", "images/a_b.jpg")
    make(tmp_path, "masks/a_1.png", "masks/a_dog.png", "masks/a_b_1.png", "masks/a_b.png")
    regions, rejects = listed(FolderSource(tmp_path, mask_name="{stem}_*"))
    assert regions == {
        "images/a.jpg": {"1": "masks/a_1.png", "b": "masks/a_b.png", "dog": "masks/a_dog.png"},
        "images/a_b.jpg": {"1": "masks/a_b_1.png"},
    }
    assert rejects == {}


def test_masks_beside_their_photos_are_no_photos(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "a_mask.png", "b.jpg", "c_mask.png", "x/a_mask.png", "x/a_mask_mask.png")
    regions, rejects = listed(FolderSource(tmp_path, images=".", masks=".", mask_name="{stem}_mask"))
    assert regions == {"a.jpg": {"1": "a_mask.png"}, "x/a_mask.png": {"1": "x/a_mask_mask.png"}}
    assert rejects == {"b.jpg": "no mask", "c_mask.png": "no mask"}


def test_an_extension_in_mask_name_is_the_only_one(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "a.png", "b.jpg", "b.bmp", "c.png")
    regions, rejects = listed(FolderSource(tmp_path, images=".", masks=".", mask_name="{stem}.PNG"))
    assert regions == {"a.jpg": {"1": "a.png"}}
    assert rejects == {"b.bmp": "no mask", "b.jpg": "bad entry", "c.png": "no mask"}


@pytest.mark.parametrize(("images", "masks"), [(".", "masks"), ("masks/images", "masks")])
def test_one_folder_within_the_other(tmp_path: Path, images: str, masks: str) -> None:
    make(tmp_path, f"{images}/a.jpg", f"{masks}/a.png")
    regions, rejects = listed(FolderSource(tmp_path, images=images, masks=masks))
    assert list(regions.values()) == [{"1": "masks/a.png"}]
    assert rejects == {}


def test_what_is_ambiguous_is_rejected(tmp_path: Path) -> None:
    make(tmp_path, "images/a.jpg", "images/a.png", "masks/a.bmp", "masks/a.png")
    regions, rejects = listed(FolderSource(tmp_path))
    assert regions == {"images/a.jpg": {"1": "masks/a.bmp"}}
    assert rejects == {"images/a.png": "bad entry", "masks/a.png": "bad entry"}


def test_a_masks_name_may_sort_before_its_photos(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "a-mask.png")
    regions, rejects = listed(FolderSource(tmp_path, images=".", masks=".", mask_name="{stem}-mask"))
    assert (regions, rejects) == ({"a.jpg": {"1": "a-mask.png"}}, {})


@pytest.mark.parametrize(
    ("template", "mask"), [("*_{stem}", "a_a_a"), ("{stem}_*", "a_a_a"), ("*{stem}*", "xa_ax")]
)
def test_the_longest_stem_comes_first(template: str, mask: str) -> None:
    assert next(stem for stem, _ in MaskName.parse(template).regions(mask, {"a", "a_a"})) == "a_a"


NAMES = st.text("ab_", min_size=1, max_size=4)


@given(
    st.sets(NAMES, max_size=6),
    NAMES,
    st.sampled_from(["{stem}", "{stem}_*", "*_{stem}", "{stem}?", "a{stem}[ab]"]),
)
def test_a_match_makes_the_masks_name(stems: set[str], mask: str, template: str) -> None:
    found = MaskName.parse(template).regions(mask, stems)
    lengths = [len(stem) for stem, _ in found]
    assert lengths == sorted(lengths, reverse=True)
    for stem, id in found:
        assert stem in stems
        wild = {"{stem}": "", "{stem}_*": f"_{id}", "{stem}?": id, "a{stem}[ab]": id}.get(template)
        whole = (
            f"{id}_{stem}" if template == "*_{stem}" else ("a" * template.startswith("a")) + stem + (wild or "")
        )
        assert mask == whole or id == "1"
    literal = {"{stem}": mask, "{stem}?": mask[:-1]}.get(template)
    assert literal is None or (literal in stems) == bool(found)


def test_measured(tmp_path: Path) -> None:
    make(tmp_path, "images/a.png", "images/b.png", "images/c.png", "images/d.png", "masks/a.png", "masks/c.png")
    make(tmp_path, "masks/b.png", size=(3, 4))
    make(tmp_path, "masks/d.png", filled=False)
    (tmp_path / "images" / "c.png").write_bytes(b"no image")
    entries = list(FolderSource(tmp_path).entries(measure=True))
    assert entries[:2] == [
        PhotoEntry("images/a.png", width=4, height=3),
        RegionEntry(0, "1", "masks/a.png", share=0.5),
    ]
    rejects = [(one.name, one.reason) for one in entries if isinstance(one, Reject)]
    assert rejects == [
        ("images/b.png", "mask size"),
        ("images/c.png", "not an image"),
        ("images/d.png", "empty mask"),
    ]
    assert "masks/d.png" in next(one.detail for one in entries if isinstance(one, Reject) and "d.png" in one.name)


def test_a_photo_carries_what_the_recipe_says_of_it(tmp_path: Path) -> None:
    make(tmp_path, "images/a.png", "masks/a.png")
    source = FolderSource(tmp_path, licence="CC0-1.0", attribution="Ann")
    photo, region = source.entries(measure=False)
    assert isinstance(photo, PhotoEntry)
    assert isinstance(region, RegionEntry)
    read = source.read_photo(photo)
    assert (read.key, read.licence, read.attribution) == ("images/a.png", "CC0-1.0", "Ann")
    assert len(read.sha256) == 64
    assert source.read_mask(photo, region, (3, 4))[0].tolist() == [255, 255, 0, 0]
    with pytest.raises(Unusable, match="mask size"):
        source.read_mask(photo, region, (4, 3))


def test_links_out_of_the_data_folder(tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "other"
    make(data, "images/a.png", "masks/a.png", "masks/b.png")
    make(other, "b.png")
    (data / "images" / "b.png").symlink_to(other / "b.png")
    (data / "images" / "linked").symlink_to(other)
    source = FolderSource(data)
    regions, rejects = listed(source)
    assert list(regions) == ["images/a.png", "images/b.png"]
    assert rejects == {"images/linked": "outside"}
    with pytest.raises(Unusable, match="outside"):
        source.read_photo(PhotoEntry("images/b.png"))


def test_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    make(tmp_path, "images/a.png", "masks/a.png")
    try:
        (tmp_path / "images").joinpath("b\udcff.png").write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    assert listed(FolderSource(tmp_path))[1] == {"images/b\\udcff.png": "bad entry"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mask_name": "mask"}, "mask_name"),
        ({"mask_name": "{stem}/{stem}"}, "mask_name"),
        ({"images": ".", "masks": "."}, "its own mask"),
        ({"images": "x", "masks": "x", "mask_name": "{stem}*"}, "its own mask"),
        ({"images": "/x"}, "images"),
        ({"masks": "../x"}, "masks"),
        ({"images": ""}, "images"),
        ({"images": "gone"}, "gone"),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SynthharmError, match=words):
        list(FolderSource(tmp_path, **settings).entries(measure=False))


def test_real_folders(shared: Path) -> None:
    source = FolderSource(shared / "photos" / "hires", images=".", masks=".", mask_name="{stem}_mask")
    regions, rejects = listed(source)
    assert {key: list(masks.values()) for key, masks in regions.items()} == {
        "aeroplane.jpg": ["aeroplane_mask.png"],
        "libcom_foreground.jpg": ["libcom_foreground_mask.png"],
    }
    assert rejects == {"libcom_background.jpg": "no mask"}
    frames = FolderSource(shared / "photos" / "video_blackswan", images="JPEGImages", masks="Annotations")
    entries = list(frames.entries(measure=True))
    assert len(entries) == 100
    assert all(0.03 < one.share < 0.2 for one in entries if isinstance(one, RegionEntry) and one.share is not None)
    photo, region = entries[:2]
    assert isinstance(photo, PhotoEntry)
    assert isinstance(region, RegionEntry)
    assert (photo.width, photo.height) == (854, 480)
    assert set(np.unique(frames.read_mask(photo, region, (480, 854)))) == {0, 255}
