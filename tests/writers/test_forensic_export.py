"""A whole dataset in a format: checksums, description, and nothing left behind when it fails."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import forensic_items as small
import mlcroissant
import pytest
import yaml

from synthharm.errors import SynthharmError
from synthharm.files import all_files
from synthharm.writers.forensics.catnet import CatNetFormat
from synthharm.writers.forensics.coco import CocoFormat
from synthharm.writers.forensics.export import detect_format, export
from synthharm.writers.forensics.folder import FolderFormat
from synthharm.writers.forensics.imagefolder import ImageFolderFormat
from synthharm.writers.forensics.imdlbenco import ImdlBencoFormat
from synthharm.writers.forensics.item import Format, Item
from synthharm.writers.forensics.mmsegmentation import MMSegmentationFormat
from synthharm.writers.forensics.parquet import HuggingFaceFormat
from synthharm.writers.forensics.record import KINDS
from synthharm.writers.forensics.webdataset_shards import WebDatasetFormat

SAMPLES = small.items(12)
MOVABLE: list[Format] = [
    FolderFormat(), HuggingFaceFormat(3), WebDatasetFormat(3), ImageFolderFormat(), CocoFormat(), CatNetFormat(),
    MMSegmentationFormat(),
]  # fmt: skip
DEPRECATIONS = pytest.mark.filterwarnings(  # mlcroissant's
    "ignore:ConjunctiveGraph is deprecated:DeprecationWarning", "ignore:The inplace keyword:DeprecationWarning"
)
each = pytest.mark.parametrize("form", [*MOVABLE, ImdlBencoFormat()], ids=lambda form: form.name)


def written(form: Format, output: Path, pictures: bool = False) -> Path:
    export(form, lambda: iter(SAMPLES), output, small.about(), pictures)
    return output


@each
def test_what_is_written_is_whole(tmp_path: Path, form: Format) -> None:
    folder = written(form, tmp_path / "dataset", pictures=True)
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [line.rpartition(": ")[0] for line in done.stdout.splitlines()] == sorted(
        path for path in all_files(folder) if path != "SHA256SUMS"
    )
    assert detect_format(folder) == form.name
    back = list(form.read(folder))
    assert [(i.record, small.read_all(i)) for i in back] == [(i.record, small.read_all(i)) for i in SAMPLES]
    recipe = (folder / "recipe.yaml").read_text()
    assert recipe.startswith("# synthharm generate recipe.yaml --set data=FOLDER --output FOLDER\n")
    assert yaml.safe_load(recipe) == small.about().recipe
    assert json.loads((folder / "dataset.json").read_bytes()) == small.about().summary


@pytest.mark.parametrize("form", MOVABLE, ids=lambda form: form.name)
def test_the_bytes_do_not_depend_on_the_place(tmp_path: Path, form: Format) -> None:
    first, second = written(form, tmp_path / "a" / "b"), written(form, tmp_path / "other")
    assert all_files(first) == all_files(second)
    for path in all_files(first):
        assert (first / path).read_bytes() == (second / path).read_bytes(), path


@DEPRECATIONS
@each
def test_the_description_is_valid_croissant(tmp_path: Path, form: Format) -> None:
    folder = written(form, tmp_path / "dataset")
    description = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    issues = description.metadata.ctx.issues
    assert not issues.errors
    (warning,) = issues.warnings  # nobody knows yet when it will be published
    assert "datePublished" in warning
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    for file in description.metadata.file_objects:
        assert sums[file.content_url] == file.sha256
    if form.name == "webdataset":  # tars are unpacked into a cache in the home folder
        return
    rows = sorted(description.records("samples"), key=lambda row: row["samples/sample"])
    assert [row["samples/sample"] for row in rows] == [item.record.sample for item in SAMPLES]
    assert [row["samples/split"].decode() for row in rows] == [item.record.split for item in SAMPLES]


@DEPRECATIONS
def test_the_description_finds_images_and_masks_in_parquet(tmp_path: Path) -> None:
    folder = written(HuggingFaceFormat(3), tmp_path / "dataset")
    rows = mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).records("samples")
    by_number = {item.record.sample: item for item in SAMPLES}
    for row in rows:
        item = by_number.pop(row["samples/sample"])
        size = (item.record.image["width"], item.record.image["height"])
        assert row["samples/image"].size == size
        assert (row["samples/label"], KINDS[row["samples/kind"]]) == (
            int(item.record.manipulated),
            item.record.kind,
        )
        assert (row["samples/mask"] is not None) == item.record.manipulated
        assert row["samples/mask"] is None or row["samples/mask"].size == size
    assert not by_number


def failing() -> Iterator[Item]:
    yield from SAMPLES[:7]
    raise OSError("no space left")


@each
def test_a_failing_write_leaves_nothing_behind(tmp_path: Path, form: Format) -> None:
    with pytest.raises(OSError, match="no space left"):
        export(form, failing, tmp_path / "dataset", small.about())
    assert list(tmp_path.iterdir()) == []


def test_only_an_empty_folder_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert detect_format(written(FolderFormat(), tmp_path / "empty")) == "folder"
    before = all_files(tmp_path)
    with pytest.raises(SynthharmError, match="is not empty"):
        written(FolderFormat(), tmp_path / "empty")
    with pytest.raises(SynthharmError, match="is no folder"):
        written(FolderFormat(), tmp_path / "empty" / "README.md")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SynthharmError, match="is no folder"):
        written(FolderFormat(), tmp_path / "link")
    (tmp_path / "link").unlink()
    assert all_files(tmp_path) == before
    (tmp_path / ".other.part").mkdir()
    with pytest.raises(SynthharmError, match="another run is writing there"):
        written(FolderFormat(), tmp_path / "other")
    assert (tmp_path / ".other.part").is_dir()


@pytest.mark.parametrize(
    "mark",
    [b"", b"[]", b'{"format": "x", "version": 1}', b'{"format": "coco", "version": 2}', b'{"format": ["coco"]}'],
)
def test_what_holds_no_known_format_is_refused(tmp_path: Path, mark: bytes) -> None:
    with pytest.raises(SynthharmError, match="is not there"):
        detect_format(tmp_path)
    (tmp_path / "format.json").write_bytes(mark)
    with pytest.raises(SynthharmError, match=r"format\.json"):
        detect_format(tmp_path)
