"""Formats that are folders of files: what goes in comes out, and the tools that they are for read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from forensic_folders import FORMATS, copy, every_format, once, write
from forensic_items import SPLITS, about, items, read_all

from synthharm.errors import SynthharmError
from synthharm.files import all_files, sha256
from synthharm.writers.forensics.folder import TABLE, FolderFormat, canonical_path
from synthharm.writers.forensics.imagefolder import ImageFolderFormat
from synthharm.writers.forensics.imdlbenco import ImdlBencoFormat
from synthharm.writers.forensics.item import Format, Item


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp()


def content(samples: Sequence[Item]) -> list[tuple[str, dict[str, bytes]]]:
    return [(item.record.to_json(), read_all(item)) for item in samples]


def place_of(form: Format, folder: Path, sample: int, role: str) -> Path:
    return next(item for item in form.read(folder) if item.record.sample == sample).files[role].path  # type: ignore[attr-defined]


@pytest.mark.parametrize("on_disk", [False, True])
@every_format
def test_what_is_written_is_read_back(form: Format, tmp_path: Path, on_disk: bool) -> None:
    samples = items(folder=tmp_path / "from" if on_disk else None)
    assert content(list(form.read(write(form, tmp_path / "to", samples)))) == content(samples)


@every_format
def test_no_samples_are_read_back_too(form: Format, tmp_path: Path) -> None:
    assert list(form.read(write(form, tmp_path / "to", []))) == []


@pytest.mark.parametrize("second", FORMATS, ids=lambda form: form.name)
@every_format
def test_any_format_becomes_any_other(form: Format, second: Format, base: Path, tmp_path: Path) -> None:
    second.write(lambda: form.read(once(form, base)), tmp_path, about())
    assert content(list(second.read(tmp_path))) == content(items())
    assert listed(tmp_path) == listed(once(second, base))  # the way there leaves no trace


def listed(folder: Path) -> dict[str, str]:
    """Every file's hash; what holds absolute paths is compared without them."""
    files = {name: (folder / name).read_bytes().replace(str(folder).encode(), b"") for name in all_files(folder)}
    return {name: sha256(data) for name, data in files.items()}


@every_format
def test_files_on_the_same_disk_are_not_copied(form: Format, tmp_path: Path) -> None:
    samples = items(folder=tmp_path / "from")
    folder = write(form, tmp_path / "to", samples)
    for item, found in zip(samples, form.read(folder), strict=True):
        for role in item.files:
            assert found.files[role].path.samefile(item.files[role].path)  # type: ignore[attr-defined]


@every_format
def test_base_names_are_unique(form: Format, base: Path) -> None:
    for role in ("image", "mask"):
        paths = [item.files[role].path for item in form.read(once(form, base)) if role in item.files]  # type: ignore[attr-defined]
        assert max(Counter(path.name for path in paths).values()) == 1


@every_format
def test_the_samples_are_gone_through_one_at_a_time(form: Format, tmp_path: Path) -> None:
    """What was handed out before is written when the next sample is asked for."""
    samples, folder = items(), tmp_path / "to"
    folder.mkdir()

    def counting() -> Any:
        for item in samples:
            written = {sha256((folder / name).read_bytes()) for name in all_files(folder)}
            before = samples[: item.record.sample]
            assert {file["sha256"] for b in before for file in b.record.files.values()} <= written
            yield item

    form.write(counting, folder, about())


def delete(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    replace_file(path, path.read_bytes()[:-1])


def replace_file(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [delete, shorten])
@pytest.mark.parametrize("role", ["image", "mask", "source_2"])
@every_format
def test_a_damaged_file_is_named(
    form: Format, role: str, spoil: Callable[[Path], None], base: Path, tmp_path: Path
) -> None:
    folder = copy(form, base, tmp_path / "to")
    path = place_of(form, folder, 8, role)
    spoil(path)
    with pytest.raises(SynthharmError, match=f"{path.relative_to(folder)}, the {role} of sample 000008"):
        list(form.read(folder))


def spoil_line(text: str) -> str:
    return text.replace("{", "[", 1)


def drop_line(text: str) -> str:
    return text[: text.rindex("\n", 0, -1) + 1]


def other_split(text: str) -> str:
    return text.replace('"split": "test"', '"split": "../test"', 1)


def repeat_line(text: str) -> str:
    return text + text.splitlines()[-1] + "\n"


def other_role(text: str) -> str:
    return text.replace('"alpha"', '"../alpha"', 1)


def no_bytes(text: str) -> str:
    return text.replace('"bytes"', '"octets"', 1)


@pytest.mark.parametrize("spoil", [spoil_line, drop_line, other_split, repeat_line, other_role, no_bytes])
def test_a_damaged_record_is_named(spoil: Callable[[str], str], base: Path, tmp_path: Path) -> None:
    form = ImdlBencoFormat()
    folder = copy(form, base, tmp_path / "to")
    path = folder / "records" / "test.jsonl"
    replace_file(path, spoil(path.read_text()).encode())
    with pytest.raises(SynthharmError, match=r"records/test.jsonl(, line \d:| has 3 records)"):
        list(form.read(folder))


@pytest.mark.parametrize("name", ["train.jsonl", "splits.json"])
@every_format
def test_missing_records_are_named(form: Format, name: str, base: Path, tmp_path: Path) -> None:
    folder = copy(form, base, tmp_path / "to")
    (folder / "records" / name).unlink()
    with pytest.raises(SynthharmError, match=f"records/{name}"):
        list(form.read(folder))


@pytest.mark.parametrize("counts", ["[]", "{", '{"../train": 4}', '{"train": "4"}'])
def test_damaged_counts_are_named(counts: str, base: Path, tmp_path: Path) -> None:
    folder = copy(FolderFormat(), base, tmp_path / "to")
    replace_file(folder / "records/splits.json", counts.encode())
    with pytest.raises(SynthharmError, match=r"records/splits.json"):
        list(FolderFormat().read(folder))


@pytest.mark.parametrize("second", FORMATS, ids=lambda form: form.name)
@every_format
def test_a_format_does_not_take_another_for_itself(form: Format, second: Format, base: Path) -> None:
    if form != second:
        with pytest.raises(SynthharmError):
            list(second.read(once(form, base)))


@every_format
def test_wrong_samples_are_refused(form: Format, tmp_path: Path) -> None:
    first, second = items(2)
    no_split = replace(first, record=replace(first.record, split="calibration"))
    for number, (samples, message) in enumerate(
        [
            ([second, first], "sample 000000 comes after sample 000001"),
            ([first, first], "sample 000000 comes after sample 000000"),
            ([no_split], "sample 000000 is of the split 'calibration'"),
            ([replace(second, files=first.files)], "sample 000001 has the files"),
        ]
    ):
        with pytest.raises(SynthharmError, match=message):
            write(form, tmp_path / str(number), samples)


@every_format
def test_splits_that_no_folder_can_be_called_after_are_refused(form: Format, tmp_path: Path) -> None:
    for split in ("extras", "records", "", "..", "../to", "a/b", "a,b"):
        with pytest.raises(SynthharmError, match="a split is called"):
            form.write(lambda: iter([]), tmp_path, replace(about(), splits=("train", split)))
    assert list(tmp_path.iterdir()) == []


# folder


def test_a_dataset_in_its_own_format_lies_where_its_records_say(base: Path) -> None:
    folder = once(FolderFormat(), base)
    for item in FolderFormat().read(folder):
        for role, file in item.record.files.items():
            assert sha256((folder / file["path"]).read_bytes()) == file["sha256"]
            assert file["path"] == canonical_path(item.record.name, role, Path(file["path"]).suffix)


def test_a_role_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="role is 'depth'; accepted are image, mask"):
        canonical_path("000001", "depth", ".png")


def test_the_rows_are_the_records(base: Path) -> None:
    rows = pq.read_table(once(FolderFormat(), base) / TABLE).to_pylist()
    for row, item in zip(rows, items(), strict=True):
        record = item.record
        assert row == {
            "file_name": record.files["image"]["path"],
            "mask_file_name": record.files["mask"]["path"] if record.manipulated else None,
            "sample": record.sample,
            "kind": record.kind,
            "label": "manipulated" if record.manipulated else "authentic",
            "split": record.split,
            "target": record.photos[0]["photo"],
            "target_sha256": record.photos[0]["sha256"],
            "donors": [photo["photo"] for photo in record.photos[1:]],
            "categories": [region["category"] for region in record.regions],
            "mask_share": record.image["share"],
            "width": record.image["width"],
            "height": record.image["height"],
            "format": record.history[-1]["step"],
            "quality": record.history[-1].get("quality"),
            "subsampling": record.history[-1].get("subsampling"),
            "licence": record.licence["name"],
        }


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthharm.writers.forensics.folder.ROWS", 5)
    table = pq.ParquetFile(write(FolderFormat(), tmp_path / "to") / TABLE)
    assert [table.metadata.row_group(i).num_rows for i in range(table.num_row_groups)] == [5, 5, 2]


# imagefolder, and the table of folder


def loaded_bytes(value: dict[str, Any] | None) -> bytes | None:
    return value and (value["bytes"] or Path(value["path"]).read_bytes())


def load(tmp_path: Path, **arguments: Any) -> dict[str, Any]:
    import datasets

    found = datasets.load_dataset("imagefolder", cache_dir=str(tmp_path / "cache"), **arguments)
    for column in ("image", "mask"):
        found = found.cast_column(column, datasets.Image(decode=False))
    return dict(found)


def same(row: dict[str, Any], item: Item) -> None:
    assert row["kind"] == item.record.kind
    assert row["label"] == ("manipulated" if item.record.manipulated else "authentic")
    assert loaded_bytes(row["image"]) == item.files["image"].read()
    assert loaded_bytes(row["mask"]) == (item.files["mask"].read() if item.record.manipulated else None)


def test_the_hugging_face_loader_reads_the_splits(base: Path, tmp_path: Path) -> None:
    found = load(tmp_path, data_dir=str(once(ImageFolderFormat(), base)))
    assert list(found) == list(SPLITS)
    rows = {row["sample"]: row | {"split": split} for split in found for row in found[split]}
    assert sum(map(len, found.values())) == len(rows) == 12  # no mask is taken for a sample
    for item in items():
        same(rows[item.record.sample], item)
        assert rows[item.record.sample]["split"] == item.record.split


def test_the_hugging_face_loader_reads_a_split_without_masks(tmp_path: Path) -> None:
    samples = [i for i in items() if i.record.split != "train" or not i.record.manipulated]
    found = load(tmp_path, data_dir=str(write(ImageFolderFormat(), tmp_path / "to", samples)))
    assert {split: len(rows) for split, rows in found.items()} == Counter(i.record.split for i in samples)
    assert found["train"][0]["mask"] is None


def test_the_hugging_face_loader_reads_the_table(base: Path, tmp_path: Path) -> None:
    found = load(tmp_path, data_files=str(once(FolderFormat(), base) / TABLE))
    for row, item in zip(found["train"], items(), strict=True):
        same(row, item)
