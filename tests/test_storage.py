"""Addresses are used as paths are, and a service that does not answer is said in a line."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from command_endings import ended
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from synthharm.cli import app
from synthharm.errors import SynthharmError
from synthharm.storage import (
    as_path,
    filesystem,
    is_address,
    is_remote,
    is_there,
    remote_entries,
    require_object_store,
    storage_errors,
    upload,
)

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


@given(st.sampled_from(["file", "local"]), st.lists(NAMES, min_size=1).map("/".join))
def test_an_address_of_this_machine_is_a_path_of_it(protocol: str, where: str) -> None:
    from upath import UPath

    for address in (f"{protocol}:///{where}", UPath(f"{protocol}:///photos/a")):
        path = as_path(address)
        assert type(path) is type(Path())
        require_object_store(path)
    assert as_path(f"{protocol}:///{where}") == Path(f"/{where}")
    with pytest.raises(SynthharmError, match=rf"is no whole path; one such as {protocol}:///folder/file is"):
        as_path(f"{protocol}://photos/{where}")


@pytest.mark.parametrize("protocol", ["s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "memory", "https"])
def test_datasets_can_be_made_on_disks_and_in_object_stores_alone(protocol: str) -> None:
    class Behind:
        """As a path behind an address is, whether or not the library for it is installed."""

        def __str__(self) -> str:
            return f"{protocol}://place/dataset"

    refused = (
        r"^https://place/dataset: nothing can be made behind https://; accepted are paths of this mach.* s3://"
    )
    with pytest.raises(SynthharmError, match=refused) if protocol == "https" else nullcontext():
        require_object_store(Behind())  # type: ignore[arg-type]
    require_object_store(Path("dataset"))


def test_a_file_is_there_or_not(tmp_path: Path, s3: str) -> None:
    for folder in (tmp_path, as_path(f"{s3}/folder"), as_path("memory://is_there")):
        assert not is_there(folder / "below" / "a.txt")
        (folder / "below").mkdir(parents=True, exist_ok=True)
        (folder / "below" / "a.txt").write_bytes(b"")
        assert is_there(folder / "below" / "a.txt")
        assert not is_there(folder / "below")
        (folder / "below" / "a.txt").unlink()
        assert not is_there(folder / "below" / "a.txt")


@pytest.mark.parametrize("error", [OSError("503"), PermissionError("403")])
def test_a_service_that_fails_for_a_moment_does_not_say_that_a_file_is_missing(
    monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def fail(*_: object) -> None:
        raise error

    path = as_path("memory://folder/a.txt")
    monkeypatch.setattr(type(filesystem(path)[0]), "info", fail)
    with pytest.raises(type(error), match=str(error)):
        is_there(path)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(SynthharmError, match=r"^gopher7://photos: cannot be opened: .*gopher7"):
        as_path("gopher7://photos")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.registry import _registry

    for address, package in (("gs://bucket/a", "gcsfs"), ("abfs://box/a", "adlfs")):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(_registry, address.partition(":")[0], raising=False)
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
def unreachable(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address behind which nothing listens."""
    import s3fs

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
        s3fs.S3FileSystem.clear_instance_cache()
        yield s3


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


def test_whether_a_file_is_there_is_not_known_where_no_service_answers(unreachable: str) -> None:
    with pytest.raises(SynthharmError, match="Could not connect to the endpoint URL"):
        is_there(as_path(f"{unreachable}/dataset/plan.json"))


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(KeyError), storage_errors():
        raise KeyError
    with pytest.raises(OSError, match="full"), storage_errors():
        raise OSError("full")
