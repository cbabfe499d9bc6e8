"""Addresses are used as paths are, and a service that does not answer is said in a line."""

from __future__ import annotations

import builtins
import socket
from pathlib import Path
from typing import Any

import pytest
from command_endings import ended
from hypothesis import given
from hypothesis import strategies as st
from s3_server import s3, s3_url
from typer.testing import CliRunner

from synthharm.cli import app
from synthharm.errors import SynthharmError
from synthharm.storage import as_path, filesystem, is_address, is_remote, remote_entries, storage_errors, upload

__all__ = ["s3", "s3_url"]
NAMES = st.text(st.characters(codec="ascii", exclude_characters="/\0"), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@given(st.lists(NAMES, min_size=1).map("/".join))
def test_what_is_no_address_is_a_path_of_this_machine(where: str) -> None:
    assert not is_address(where)
    assert not is_address(Path(where))
    assert as_path(where) == Path(where)
    assert not is_remote(as_path(where))


@given(st.lists(st.text("abcXYZ019-_. é", min_size=1).filter(lambda n: n.strip(". ")), min_size=1, max_size=4))
def test_an_address_is_a_path_behind_it(parts: list[str]) -> None:
    where = "memory://" + "/".join(parts)
    path = as_path(where)
    assert is_address(where)
    assert is_remote(path)
    assert not is_address(path)
    assert as_path(path) is path
    assert path.name == parts[-1]
    assert filesystem(path)[1] == "/" + "/".join(parts)
    assert (path / "below").relative_to(path).as_posix() == "below"
    assert (path / "below").parent == path


@pytest.mark.parametrize("where", ["c:/photos", "s3:/bucket", "://photos", "a://b"])
def test_what_only_looks_like_an_address_is_a_path(where: str) -> None:
    assert as_path(where) == Path(where)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(SynthharmError, match=r"^gopher7://photos: cannot be opened: .*gopher7"):
        as_path("gopher7://photos")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] in ("s3fs", "gcsfs", "adlfs"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    for address, package in (("gs://bucket/a", "gcsfs"), ("abfs://box/a", "adlfs")):
        with pytest.raises(
            SynthharmError, match=rf"^{address}: cannot be opened: it needs the package {package}, which is not"
        ):
            as_path(address)


def test_several_files_are_sent_at_once_and_listed(s3: str) -> None:
    folder = as_path(f"{s3}/folder")
    assert list(remote_entries(folder)) == []
    upload({"a.txt": b"a", "below/b.txt": b"b", "below/deep/c.txt": b""}, folder)
    assert sorted((name, is_folder) for name, is_folder, _ in remote_entries(folder)) == [
        ("a.txt", False),
        ("below", True),
    ]
    assert (folder / "below" / "b.txt").read_bytes() == b"b"
    assert not (folder / "nothing").exists()


def test_what_others_write_is_seen(s3: str) -> None:
    folder = as_path(f"{s3}/folder")
    assert list(remote_entries(folder)) == []
    other = as_path(f"{s3}/folder/a.txt")
    assert not (folder / "a.txt").exists()
    other.write_bytes(b"a")
    assert (folder / "a.txt").is_file()
    assert [name for name, _, _ in remote_entries(folder)] == ["a.txt"]
    other.unlink()
    assert not (folder / "a.txt").exists()


@pytest.fixture
def unreachable(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An address behind which nothing listens."""
    import s3fs

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    return s3


@pytest.mark.parametrize("command", ["generate", "dry-run", "status"])
def test_a_service_that_does_not_answer_is_said_in_a_line(unreachable: str, bundled: Path, command: str) -> None:
    where = f"{unreachable}/dataset"
    recipe = bundled.parent / "quickstart.yaml"
    arguments = {
        "generate": ["generate", str(recipe), "--output", where],
        "dry-run": ["generate", str(recipe), "--output", where, "--dry-run"],
    }.get(command, [command, where])
    result = CliRunner().invoke(app, arguments)
    assert "Could not connect to the endpoint URL" in ended(result)
    assert len(result.stderr.strip().splitlines()) == 1


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(KeyError), storage_errors():
        raise KeyError
    with pytest.raises(OSError, match="full"), storage_errors():
        raise OSError("full")
