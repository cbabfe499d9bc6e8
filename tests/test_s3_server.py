"""The server that tests of remote datasets run against."""

from __future__ import annotations

from pathlib import Path

from s3_server import upload_folder

from synthharm.files import all_files, atomic_file, remove_folder, sha256, sha256_file
from synthharm.storage import as_path


def test_what_is_written_to_the_server_is_read_from_it(s3: str) -> None:
    path = as_path(s3) / "folder" / "a.bin"
    with atomic_file(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    assert sha256_file(path) == sha256(b"whole")
    assert all_files(as_path(s3)) == ["folder/a.bin"]


def test_a_bucket_is_empty_at_first(s3: str, tmp_path: Path) -> None:
    assert all_files(as_path(s3)) == []
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "b.txt").write_bytes(b"b")
    remote = upload_folder(tmp_path, f"{s3}/copy")
    assert all_files(remote) == ["below/b.txt"]
    remove_folder(remote)
    assert all_files(as_path(s3)) == []
