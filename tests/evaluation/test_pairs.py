"""Pairs are read from every layout as they were written, and what cannot be read is named."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml
from paired_folders import pictures, save, write_folders, write_iharmony4
from small_datasets import write_photos, write_recipe
from splicing_datasets import recipe_of, write_source

from synthharm.composites import decode_image
from synthharm.errors import SynthharmError, Unusable
from synthharm.evaluation.pairs import Pairs, open_pairs
from synthharm.generate import Dataset, generate

LAYOUTS = [("comp", "mask", "image"), ("composites", "masks", "images"), ("comp", "mask")]


def unusable(pairs: Pairs, place: int = 0) -> Unusable:
    with pytest.raises(Unusable) as caught:
        pairs[place]
    return caught.value


@pytest.mark.parametrize("names", LAYOUTS)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_folders_give_what_is_in_them(tmp_path: Path, names: tuple[str, ...], suffix: str) -> None:
    pairs = open_pairs(write_folders(tmp_path, names, suffix=suffix))
    assert pairs.names == tuple(f"{names[0]}/p{number}{suffix}" for number in range(3))
    assert (len(pairs), pairs.subsets, pairs.splits) == (3, ("",), ())
    for number in range(3):
        composite, mask, real = pictures(number)
        pair = pairs[number]
        assert np.array_equal(pair.composite, composite)
        assert np.array_equal(pair.mask, mask)
        assert pair.real is None if len(names) == 2 else np.array_equal(pair.real, real)
        assert (pair.chain, pair.arguments, pair.subset) == (None, None, "")


@pytest.mark.parametrize("at_root", [True, False])
def test_iharmony4s_lists_name_the_pairs(tmp_path: Path, at_root: bool) -> None:
    root = write_iharmony4(tmp_path, at_root)
    test = open_pairs(root, "test")
    assert test.names == (
        "HCOCO/composite_images/c1_2_1.jpg",
        "HCOCO/composite_images/c1_2_2.jpg",
        "HFlickr/composite_images/f_9_1.jpg",
    )
    assert test.subsets == ("HCOCO", "HFlickr")
    assert [pair.subset for pair in test] == ["HCOCO", "HCOCO", "HFlickr"]
    assert open_pairs(root, "train").names == ("HCOCO/composite_images/c3_1_1.jpg",)
    assert test.splits == open_pairs(root).splits == test.spread(1).splits == ("test", "train")
    assert set(open_pairs(root).names) == {*test.names, *open_pairs(root, "train").names}
    composite, mask, _ = pictures(1)
    pair = test[1]
    assert np.array_equal(pair.composite, composite)
    assert np.array_equal(pair.mask, mask)
    assert pair.real is not None


def test_one_subset_is_a_set_of_its_own(tmp_path: Path) -> None:
    root = write_iharmony4(tmp_path, at_root=False)
    (root / "HCOCO").rename(root / "copied")
    pairs = open_pairs(root / "copied", "test")
    assert pairs.names == ("composite_images/c1_2_1.jpg", "composite_images/c1_2_2.jpg")
    assert pairs.subsets == ("HCOCO",)
    assert pairs[0].real is not None


def test_a_composite_that_is_listed_twice_is_one_pair(tmp_path: Path) -> None:
    root = write_iharmony4(tmp_path)
    listed = (root / "IHD_test.txt").read_text()
    (root / "IHD_test.txt").write_text(f"{listed}\n\n{listed.replace('/', chr(92))}")
    assert len(open_pairs(root, "test")) == 3


@pytest.mark.parametrize(
    "line", ["c1_2_1.jpg", "HCOCO/composite_images/c1.jpg", "HCOCO/../../c1_2_1.jpg", "__.jpg"]
)
def test_a_line_that_names_no_composite_is_one_that_cannot_be_used(tmp_path: Path, line: str) -> None:
    root = write_iharmony4(tmp_path)
    with (root / "IHD_test.txt").open("a") as file:
        file.write(f"\n{line}")
    pairs = open_pairs(root, "test")
    assert pairs.names[-1] == "IHD_test.txt line 4"
    error = unusable(pairs, -1)
    assert (error.reason, line in error.detail) == ("bad entry", True)


def test_a_path_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set", ("comp", "mask"))
    save(pictures(0)[0], tmp_path / "secret.jpg")
    (root / "comp" / "p0.jpg").unlink()
    (root / "comp" / "p0.jpg").symlink_to(tmp_path / "secret.jpg")
    assert unusable(open_pairs(root)).reason == "outside"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    root = write_folders(tmp_path, count=6)
    (root / "mask" / "p0.png").unlink()
    (root / "image" / "p1.png").unlink()
    data = (root / "comp" / "p2.jpg").read_bytes()
    (root / "comp" / "p2.jpg").write_bytes(data[: len(data) // 2])
    save(pictures(3, width=41)[1], root / "mask" / "p3.png")
    save(pictures(3, width=41)[2], root / "image" / "p4.png")
    save(np.zeros((32, 40), np.uint8), root / "mask" / "p5.png")
    pairs = open_pairs(root)
    found = [(error.name, error.reason) for error in (unusable(pairs, place) for place in range(6))]
    assert found == [
        ("mask/p0.jpg", "missing"),
        ("image/p1.jpg", "missing"),
        ("comp/p2.jpg", "truncated"),
        ("mask/p3.png", "mask size"),
        ("image/p4.png", "real size"),
        ("mask/p5.png", "empty mask"),
    ]


def test_two_masks_of_one_name_are_not_chosen_from(tmp_path: Path) -> None:
    root = write_folders(tmp_path)
    save(pictures(0)[1], root / "mask" / "p0.bmp")
    error = unusable(open_pairs(root))
    assert "p0.bmp and p0.png" in error.detail
    save(pictures(0)[1], root / "mask" / "p0.jpg")  # the composite's own suffix
    assert open_pairs(root)[0].name == "comp/p0.jpg"


def test_nothing_is_opened_before_it_is_asked_for(tmp_path: Path) -> None:
    root = write_folders(tmp_path)
    for path in root.rglob("*.*"):
        path.write_bytes(b"")
    assert len(open_pairs(root)) == 3


def test_pairs_are_sent_to_workers(tmp_path: Path) -> None:
    pairs = open_pairs(write_folders(tmp_path))
    again = pickle.loads(pickle.dumps(pairs))
    assert again == pairs
    assert np.array_equal(again[1].composite, pairs[1].composite)


@pytest.mark.parametrize(
    ("made", "split", "said"),
    [
        (["one.txt", "photos/"], None, "found one.txt, photos/"),
        ([], None, "found nothing"),
        (["comp/", "composites/", "mask/"], None, "comp and composites, both for composites"),
        (["comp/", "mask/"], None, "lists no composite"),
        (["comp/", "mask/"], "test", "have no splits; got 'test'"),
        (["comp/"], None, "IHD_<split>.txt"),
    ],
)
def test_another_layout_is_refused(tmp_path: Path, made: list[str], split: str | None, said: str) -> None:
    for name in made:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).touch()
    with pytest.raises(SynthharmError) as caught:
        open_pairs(tmp_path, split)
    assert said in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match="is not a folder"):
        open_pairs(tmp_path / "none")


def test_an_unknown_split_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match="no split 'val'; there are test, train"):
        open_pairs(write_iharmony4(tmp_path), "val")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("pairs") / "photos")


@pytest.mark.parametrize(
    ("encoding", "writer"),
    [("png", "folder"), ("png16", "folder"), ("jpeg", "iharmony4")],
)
def test_a_dataset_brings_its_true_arguments(tmp_path: Path, photos: Path, encoding: str, writer: str) -> None:
    changes = {"samples": 4, "encoding": {"format": encoding}, "writer": {"format": writer}}
    folder = tmp_path / "dataset"
    generate(write_recipe(tmp_path / "recipe.yaml", photos, **changes), folder)
    pairs, records = open_pairs(folder), list(Dataset(folder).records())
    assert pairs.subsets == (("HSynth",) if writer == "iharmony4" else ("",))
    for pair, record in zip(pairs, records, strict=True):
        assert pair.name == record.files["image"]["path"]
        assert pair.arguments == record.arguments
        assert pair.chain is not None
        assert list(pair.chain.columns) == list(record.arguments)
        stored = decode_image((folder / pair.name).read_bytes())
        exact = stored / (257 if encoding == "png16" else 1)
        assert pair.composite.dtype == np.uint8
        assert np.abs(pair.composite - exact).max() <= 0.5
        assert np.count_nonzero(pair.mask) == record.region["area"]
    assert open_pairs(folder).splits == tuple(sorted({record.split for record in records}))
    for split in ("train", "test"):
        names = {record.files["image"]["path"] for record in records if record.split == split}
        if names:
            assert set(open_pairs(folder, split).names) == names
    with pytest.raises(SynthharmError, match="no split 'val'"):
        open_pairs(folder, "val")


def test_a_damaged_record_is_named(tmp_path: Path, photos: Path) -> None:
    folder = tmp_path / "dataset"
    generate(write_recipe(tmp_path / "recipe.yaml", photos, samples=2), folder)
    path = next((folder / "records").iterdir())
    path.write_text(path.read_text().replace('"saturation"', '"colourfulness"'))
    with pytest.raises(SynthharmError, match=r"dataset.*record.*colourfulness|dataset.*saturation"):
        open_pairs(folder)


def test_of_a_splicing_dataset_the_manipulated_samples_are_read(tmp_path: Path) -> None:
    source = write_source(tmp_path / "source")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(recipe_of(source, samples=12)))
    generate(recipe, tmp_path / "dataset")
    pairs = open_pairs(tmp_path / "dataset")
    assert pairs
    assert "authentic" not in pairs.subsets
    for pair in pairs:
        assert (pair.real, pair.arguments) == (None, None)
        assert pair.mask.shape == pair.composite.shape[:2]


def test_some_are_spread_over_all(tmp_path: Path) -> None:
    pairs = open_pairs(write_folders(tmp_path, count=7))
    for count in range(1, 10):
        places = [pairs.names.index(name) for name in pairs.spread(count).names]
        assert len(places) == min(count, 7)
        assert places == sorted(set(places))
        assert not places[1:] or max(np.diff(places)) <= 7 // len(places) + 1
    with pytest.raises(ValueError, match="count is 0"):
        pairs.spread(0)
