"""The layout of iHarmony4, read back the ways its loaders read it, and as a source of further composites."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthharm.generate import Dataset, check_dataset, generate
from synthharm.sources import IHarmony4Source, PhotoEntry, RegionEntry
from synthharm.writers import IHarmony4Writer

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
SPLITS = ("train", "test")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("iharmony4") / "dataset"
    overrides = ["samples=10", "shard=4", "writer={format: iharmony4, subset: HNew}", "encoding.format=jpeg"]
    generate(RECIPES / "quickstart.yaml", folder, overrides=[*overrides, "split={train: 0.6, test: 0.4}"])
    return Dataset(folder)


@pytest.fixture(scope="module")
def again(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """New composites of the first dataset's real images and masks."""
    folder = tmp_path_factory.mktemp("again") / "dataset"
    overrides = [f"data={dataset.folder}", "samples=10", "source.split=all", "shard=10"]
    assert generate(RECIPES / "augment_iharmony4.yaml", folder, overrides=overrides).missing == 0
    return Dataset(folder)


def lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    return text.splitlines()


def cut_at_underscores(root: Path, line: str) -> tuple[Path, Path]:
    """The name's first part is the photo, all but its last are the mask."""
    folder, name = (root / line).parent.parent, Path(line).name
    pieces = name.split("_")
    return folder / "masks" / ("_".join(pieces[:-1]) + ".png"), folder / "real_images" / (pieces[0] + ".jpg")


def replace_the_ends(root: Path, line: str) -> tuple[Path, Path]:
    """The last part, and the last two, of the whole path are replaced wherever they are in it."""
    path = str(root / line)
    pieces = path.split("_")
    mask = path.replace("composite_images", "masks").replace("_" + pieces[-1], ".png")
    real = path.replace("composite_images", "real_images").replace(f"_{pieces[-2]}_{pieces[-1]}", ".jpg")
    return Path(mask), Path(real)


def split_from_the_right(root: Path, line: str) -> tuple[Path, Path]:
    """Stems with their ends taken off."""
    path = root / line
    photo, foreground, _ = path.stem.rsplit("_", 2)
    folder = path.parent.parent
    return folder / "masks" / f"{photo}_{foreground}.png", folder / "real_images" / f"{photo}.jpg"


LOADERS = (cut_at_underscores, replace_the_ends, split_from_the_right)


@pytest.mark.parametrize("made", ["dataset", "again"])
@pytest.mark.parametrize("loader", LOADERS, ids=lambda f: f.__name__)
def test_loaders_find_mask_and_real(
    made: str, loader: Callable[[Path, str], tuple[Path, Path]], request: pytest.FixtureRequest
) -> None:
    found: Dataset = request.getfixturevalue(made)
    by_path = {record.files["image"]["path"]: record for record in found.records()}
    for split in SPLITS:
        for line in lines(found.folder / f"IHD_{split}.txt"):
            record = by_path.pop(line)
            mask, real = loader(found.folder, line)
            assert mask == found.folder / record.files["mask"]["path"]
            assert real == found.folder / record.files["real"]["path"]
            pictures = [np.asarray(Image.open(p)) for p in (found.folder / line, mask, real)]
            assert pictures[0].shape == pictures[2].shape == (*pictures[1].shape, 3)
            assert set(np.unique(pictures[1])) == {0, 255}
    assert not by_path


@pytest.mark.parametrize("made", ["dataset", "again"])
def test_lists_hold_every_composite_once_and_split_by_photo(made: str, request: pytest.FixtureRequest) -> None:
    found: Dataset = request.getfixturevalue(made)
    subset = "HNew" if made == "dataset" else "HSynth"
    photos = {}
    for split in SPLITS:
        expected = [r.files["image"]["path"] for r in found.records() if r.split == split]
        assert expected
        assert lines(found.folder / f"IHD_{split}.txt") == expected
        names = lines(found.folder / subset / f"{subset}_{split}.txt")
        assert [f"{subset}/composite_images/{name}" for name in names] == expected
        photos[split] = {name.split("_")[0] for name in names}
    assert not photos["train"] & photos["test"]
    for folder, role in (("composite_images", "image"), ("masks", "mask"), ("real_images", "real")):
        present = {p.relative_to(found.folder).as_posix() for p in (found.folder / subset / folder).iterdir()}
        assert present == {r.files[role]["path"] for r in found.records()}
    assert list(check_dataset(found.folder)) == []


def test_the_number_counts_from_one(dataset: Dataset) -> None:
    numbers = [int(Path(r.files["image"]["path"]).stem.rpartition("_")[2]) for r in dataset.records()]
    assert numbers == list(range(1, 11))


def test_composites_differ_from_reals_inside_their_masks(dataset: Dataset) -> None:
    for record in dataset.records():
        image, mask, real = (
            np.asarray(Image.open(dataset.folder / record.files[role]["path"])).astype(float)
            for role in ("image", "mask", "real")
        )
        error = ((image - real) ** 2).mean(axis=2)
        inside, outside = error[mask > 0].mean(), error[mask == 0].mean()
        assert inside == pytest.approx(record.measured["foreground_mse"], rel=0.2, abs=8)
        assert outside < 8  # two JPEGs of the same pixels


def test_the_source_reads_what_the_writer_wrote(dataset: Dataset) -> None:
    entries = list(IHarmony4Source(dataset.folder, "all").entries(measure=True))
    photos = [entry for entry in entries if isinstance(entry, PhotoEntry)]
    regions = [entry for entry in entries if isinstance(entry, RegionEntry)]
    assert len(entries) == len(photos) + len(regions)  # and no reject
    records = list(dataset.records())
    assert {(p.key, p.split) for p in photos} == {(r.files["real"]["path"], r.split) for r in records}
    expected = {
        (r.files["real"]["path"], r.region["id"], r.files["mask"]["path"], r.region["share"]) for r in records
    }
    assert {(photos[r.photo].key, r.id, r.mask, r.share) for r in regions} == expected
    for split in SPLITS:
        one = IHarmony4Source(dataset.folder, split).entries(measure=False)
        assert {e.key for e in one if isinstance(e, PhotoEntry)} == {p.key for p in photos if p.split == split}


def test_generating_from_the_written_keeps_split_photos_and_masks(dataset: Dataset, again: Dataset) -> None:
    first = {(r.files["real"]["path"], r.region["id"]): r for r in dataset.records()}
    for record in again.records():
        before = first[record.source["photo"], record.region["id"]]
        assert record.split == before.split
        assert record.source["sha256"] == before.files["real"]["sha256"]
        assert record.region["area"] == before.region["area"]
        old, new = (
            np.asarray(Image.open(d.folder / r.files["mask"]["path"]))
            for d, r in ((dataset, before), (again, record))
        )
        np.testing.assert_array_equal(old, new)
        assert Path(record.files["real"]["path"]).name == Path(before.files["real"]["path"]).name


def record(number: int, split: str) -> Any:
    path = f"HSynth/composite_images/p{number}_1_{number + 1}.jpg"
    return SimpleNamespace(sample=number, split=split, files={"image": {"path": path}})


def test_lists_are_there_though_empty(tmp_path: Path) -> None:
    IHarmony4Writer().finish(tmp_path, lambda: iter([record(0, "train")]))
    assert lines(tmp_path / "IHD_train.txt") == ["HSynth/composite_images/p0_1_1.jpg"]
    assert lines(tmp_path / "HSynth" / "HSynth_train.txt") == ["p0_1_1.jpg"]
    assert lines(tmp_path / "IHD_test.txt") == lines(tmp_path / "HSynth" / "HSynth_test.txt") == []


@pytest.mark.parametrize(
    "name", ["IHD_train.txt", "IHD_test.txt", "HSynth/HSynth_train.txt", "HSynth/HSynth_test.txt"]
)
@pytest.mark.parametrize("change", ["a line less", "a line more", "swapped", "renamed", "gone", "bytes"])
def test_other_lists_than_the_records_are_named(tmp_path: Path, name: str, change: str) -> None:
    records = [record(n, "train" if n % 2 else "test") for n in range(6)]
    writer, path = IHarmony4Writer(), tmp_path / name
    writer.finish(tmp_path, lambda: iter(records))
    assert list(writer.check(tmp_path, lambda: iter(records))) == []
    listed = lines(path)
    if change == "a line less":
        listed.pop()
    elif change == "a line more":
        listed.append("p9_1_10.jpg")
    elif change == "swapped":
        listed[:2] = listed[1::-1]
    elif change == "renamed":
        listed[1] = listed[1].replace("p", "q")
    path.write_text("".join(f"{line}\n" for line in listed))
    if change == "gone":
        path.unlink()
    elif change == "bytes":
        path.write_bytes(b"\xff\xfe")
    (problem,) = writer.check(tmp_path, lambda: iter(records))
    assert problem.startswith(f"{name}: ")
