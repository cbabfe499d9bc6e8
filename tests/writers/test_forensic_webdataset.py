"""The format `webdataset`, as it reads itself back and as the webdataset library reads it."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forensic_items as small
import numpy as np
import pytest

from synthharm.errors import SynthharmError
from synthharm.files import all_files
from synthharm.writers.forensics import webdataset_shards
from synthharm.writers.forensics.webdataset_shards import WebDatasetFormat

SAMPLES = small.items(24)
LEAVES_FILES_OPEN = pytest.mark.filterwarnings(  # the library does
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


def write(folder: Path, rows: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    WebDatasetFormat(rows).write(lambda: iter(SAMPLES), folder, small.about())
    return folder


@pytest.mark.parametrize(("rows", "shards"), [(1, 8), (3, 3), (8, 1), (500, 1)])
def test_what_is_read_is_what_was_written(tmp_path: Path, rows: int, shards: int) -> None:
    back = list(WebDatasetFormat().read(write(tmp_path, rows)))
    assert [item.record for item in back] == [item.record for item in SAMPLES]
    assert [small.read_all(item) for item in back] == [small.read_all(item) for item in SAMPLES]
    assert all_files(tmp_path) == sorted(f"{split}-{n:06d}.tar" for split in small.SPLITS for n in range(shards))


def test_members_are_plain_and_in_order(tmp_path: Path) -> None:
    with tarfile.open(write(tmp_path, 500) / "test-000000.tar") as tar:
        members = tar.getmembers()
    for member in members:
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
        assert (member.mode, member.type, member.pax_headers) == (0o644, tarfile.REGTYPE, {})
    samples: dict[str, list[str]] = {}
    for member in members:
        key, _, extension = member.name.partition(".")
        samples.setdefault(key, []).append(extension)
    order = ["mask.png", "alpha.png", "boundary.png", "regions.png", "source_1.png", "source_2.png", "json"]
    for item in (item for item in SAMPLES if item.record.split == "test"):
        _, *others = samples.pop(item.record.name)
        assert others == [name for name in order if name.removesuffix(".png") in item.files or name == "json"]
    assert not samples


def test_the_bytes_do_not_depend_on_when_or_where(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert [(first / p).read_bytes() for p in all_files(first)] == [
        (second / p).read_bytes() for p in all_files(second)
    ]


def load(folder: Path, split: str) -> Any:
    import webdataset

    shards = [str(path) for path in sorted(folder.glob(f"{split}-*.tar"))]
    return webdataset.WebDataset(shards, shardshuffle=False)


@LEAVES_FILES_OPEN
@pytest.mark.parametrize("split", small.SPLITS)
def test_the_webdataset_library_gives_the_same_bytes(tmp_path: Path, split: str) -> None:
    wanted = [item for item in SAMPLES if item.record.split == split]
    for sample, item in zip(load(write(tmp_path), split), wanted, strict=True):
        assert sample.pop("__key__") == item.record.name
        content = json.loads(sample.pop("json"))
        assert content.pop("label") == int(item.record.manipulated)
        assert content == json.loads(item.record.to_json())
        stored = {name: data for name, data in sample.items() if not name.startswith("__")}
        (image,) = [stored.pop(name) for name in ("jpg", "png", "webp") if name in stored]
        assert {"image": image} | {k.removesuffix(".png"): v for k, v in stored.items()} == small.read_all(item)


@LEAVES_FILES_OPEN
def test_masks_decode_to_0_and_255(tmp_path: Path) -> None:
    seen = 0
    for sample in load(write(tmp_path), "train").decode("pil"):
        if sample["json"]["label"]:
            assert set(np.unique(np.asarray(sample["mask.png"]))) == {0, 255}
            seen += 1
        else:
            assert "mask.png" not in sample
    assert seen == sum(i.record.manipulated for i in SAMPLES if i.record.split == "train")


def rewrite(path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> None:
    with tarfile.open(path) as tar:
        members = [(m, tar.extractfile(m).read()) for m in tar.getmembers()]  # type: ignore[union-attr]
    change(members)
    with tarfile.open(path, "w") as tar:
        for member, data in members:
            member.size = len(data) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(data))


def link(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members[0][0].type, members[0][0].linkname = tarfile.SYMTYPE, "/etc/hostname"


def other_bytes(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members[0] = (members[0][0], members[0][1][:-1] + b"!")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (link, "no regular file"),
        (other_bytes, "the image is not the one its record names"),
        (lambda members: members.pop(3), "its record names"),
        (lambda members: members.insert(0, members[0]), "there twice"),
        (lambda members: members.reverse(), "is not|comes after|twice"),
        (
            lambda members: [members.remove(m) for m in list(members) if m[0].name.endswith(".json")],
            "json is missing",
        ),
        (lambda members: members.insert(0, (tarfile.TarInfo("000000.exe"), b"")), "no file of the format"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    rewrite(write(tmp_path) / "train-000000.tar", change)
    with pytest.raises(SynthharmError, match=message):
        list(WebDatasetFormat().read(tmp_path))


def test_missing_shards_and_large_samples_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path)
    monkeypatch.setattr(webdataset_shards, "LARGEST", 3000)
    with pytest.raises(SynthharmError, match="3000 bytes"):
        list(WebDatasetFormat().read(folder))
    monkeypatch.undo()
    (folder / "train-000001.tar").unlink()
    with pytest.raises(SynthharmError, match="split train shard 1 is missing"):
        list(WebDatasetFormat().read(folder))
    with pytest.raises(SynthharmError, match="holds no"):
        list(WebDatasetFormat().read(tmp_path / "nothing"))
