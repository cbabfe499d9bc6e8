"""Files are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthharm.files import (
    all_files,
    atomic_file,
    file_names,
    remove_folder,
    sha256,
    sha256_file,
    sync_folders,
    sync_tree,
    write_atomically,
    write_synced,
)
from synthharm.storage import as_path


def break_off(path: Path, error: type[BaseException]) -> None:
    with atomic_file(path) as file:
        file.write(b"half")
        file.flush()
        raise error


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 1000))
def test_a_checksum_is_the_same_read_at_once_and_in_pieces(
    tmp_path_factory: pytest.TempPathFactory, piece: bytes, times: int
) -> None:
    data, path = piece * times, tmp_path_factory.getbasetemp() / "data"
    path.write_bytes(data)
    assert sha256_file(path) == sha256(data) == hashlib.sha256(data).hexdigest()


def test_the_checksum_of_nothing_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    known = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256(b"") == sha256_file(tmp_path / "empty") == known


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=4))
def test_what_is_written_is_there(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("written")
    with atomic_file(folder / "new" / "a.bin") as file:
        for piece in pieces:
            file.write(piece)
    assert (folder / "new" / "a.bin").read_bytes() == b"".join(pieces)
    assert listed(folder / "new") == ["a.bin"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError, GeneratorExit])
def test_a_block_that_raises_leaves_no_file(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        break_off(tmp_path / "a.bin", error)
    assert listed(tmp_path) == []


def test_a_block_that_raises_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        break_off(path, RuntimeError)
    assert path.read_bytes() == b"old"
    assert listed(tmp_path) == ["a.bin"]


def test_the_name_shows_the_old_file_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with atomic_file(path) as file:
        file.write(b"new and longer")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new and longer"


def test_the_data_reaches_the_disk_before_the_name_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    sync, replace = os.fsync, Path.replace

    def note_sync(descriptor: int) -> None:
        kind = "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"
        happened.append(f"sync {kind}")
        sync(descriptor)

    def note_replace(self: Path, target: Path) -> Path:
        assert self.read_bytes() == b"data"
        happened.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_replace)
    write_atomically(tmp_path / "a.bin", b"data")
    assert happened == ["sync file", "rename", "sync folder"]
    happened.clear()
    write_synced(tmp_path / "b.bin", b"data")
    sync_folders([tmp_path, tmp_path])
    assert happened == ["sync file", "sync folder", "sync folder"]
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes() == b"data"


def test_syncing_folders_leaves_none_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        sync_folders([tmp_path])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_name_that_is_a_folder_is_refused_and_nothing_left(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match=r"directory"):
        write_atomically(tmp_path / "a", b"data")
    assert listed(tmp_path) == ["a"]


@settings(deadline=None)
@given(
    st.sets(st.lists(st.sampled_from(["a", "b", "B", "c.txt", ".hidden", "ü"]), min_size=1, max_size=3).map(tuple))
)
def test_every_file_is_listed_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, wanted: set[tuple[str, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("listed")
    made = set()
    for parts in wanted:
        path = folder.joinpath(*parts[:-1], parts[-1] + ".file")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        made.add("/".join((*parts[:-1], parts[-1] + ".file")))
    assert list(all_files(folder)) == sorted(made)


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A new folder, on this machine or behind an address."""
    return tmp_path if request.param == "local" else as_path(f"{request.getfixturevalue('s3')}/place")


def test_a_tree_is_the_same_behind_an_address(place: Path) -> None:
    written = {
        "a.txt": b"a",
        "b/c.txt": b"",
        "b/d/.hidden": b"x" * 70_000,
        "bb/e": b"e",
        "b.txt": "\u00fc".encode(),
    }
    for path, data in written.items():
        write_atomically(place / path, data)
    assert all_files(place) == sorted(written)
    assert all_files(place, without={"b"}) == ["a.txt", "b.txt", "bb/e"]
    assert all_files(place, without={"b/d", "bb"}) == ["a.txt", "b.txt", "b/c.txt"]
    assert sorted(file_names(place)) == ["a.txt", "b.txt"]
    assert file_names(place / "b") == ["c.txt"]
    assert file_names(place / "nothing") == all_files(place / "nothing") == []
    for path, data in written.items():
        assert (place / path).read_bytes() == data
        assert sha256_file(place / path) == sha256(data)
    write_atomically(place / "a.txt", b"other")
    assert (place / "a.txt").read_bytes() == b"other"
    remove_folder(place / "b")
    remove_folder(place / "nothing")
    assert all_files(place) == ["a.txt", "b.txt", "bb/e"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_and_changes_nothing_behind_an_address(
    s3: str, error: type[BaseException]
) -> None:
    place = as_path(f"{s3}/place")
    with pytest.raises(error):
        break_off(place / "a.bin", error)
    assert all_files(place) == []
    write_atomically(place / "a.bin", b"old")
    with pytest.raises(error):
        break_off(place / "a.bin", error)
    assert (place / "a.bin").read_bytes() == b"old"


def test_a_tree_is_flushed_file_by_file_and_its_folders_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("a", "b/c", "b/d/e"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    sync_tree(tmp_path)
    places = [str(Path(path).relative_to(tmp_path)) for path in synced]
    assert places == ["a", "b/c", "b/d/e", ".", "b", "b/d"]
