"""The index of a recipe's sources is made once, and taken for whole only when it is."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from held_runs import HeldRuns, wait_until
from other_processes import KEY, keep_slowly, processes, statuses, write_index
from small_datasets import tree, write_photos, write_recipe

from synthharm.errors import SynthharmError
from synthharm.files import all_files
from synthharm.generate import generate
from synthharm.generate.cache import cache_beside, fetch_index, keep_index
from synthharm.generate.dataset import Dataset
from synthharm.generate.plan import Plan
from synthharm.generate.running.watch import MAKING, State
from synthharm.generate.source_key import keyless_name
from synthharm.recipe import load_recipe
from synthharm.storage import as_path

SPLICING = Path(__file__).resolve().parents[2] / "recipes" / "splicing_quickstart.yaml"


def _unexpected(folder: Path) -> str:
    raise AssertionError("it was there")


def test_an_index_is_made_once(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    place = keep_index(cache, KEY, write_index)
    assert place == cache / KEY
    assert tree(place).keys() == {"below/a.bin", "b.bin"}
    assert keep_index(cache, KEY, _unexpected) == place
    assert fetch_index(cache, KEY) == place
    assert keep_index(cache, "cd34", write_index) == cache / "cd34"


def test_one_that_nothing_tells_is_made_each_time_and_kept_once(tmp_path: Path) -> None:
    made = list[int]()

    def make(folder: Path) -> str:
        made.append(1)
        return write_index(folder)

    for _ in range(3):
        assert keep_index(tmp_path, None, make) == tmp_path / "digest"
    assert len(made) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["digest"]


def test_indexes_that_only_a_digest_tells_are_not_shared_by_other_recipes(tmp_path: Path) -> None:
    """The splits of a splicing plan follow from more than what was found in its sources."""
    first = load_recipe(SPLICING)
    others = [
        load_recipe(SPLICING, ["seed=99"]),
        load_recipe(SPLICING, ["split={all: 1}"]),
    ]
    names = {keyless_name(one, "digest") for one in (first, *others)}
    assert len(names) == 3
    assert keyless_name(first, "another") not in names
    assert keyless_name(first, "digest") in names


def test_several_processes_that_want_one_wait_for_the_first(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with processes(keep_slowly, [(tmp_path / "cache", told)] * 4) as children:
        wait_until(told.exists, "one to begin")
        (tmp_path / "go").touch()
        assert statuses(children) == [0] * 4
    assert told.read_text() == "made\n"
    assert tree(tmp_path / "cache" / KEY).keys() == {"below/a.bin", "b.bin"}


def test_one_that_was_killed_half_made_is_not_taken_for_whole_and_goes(tmp_path: Path) -> None:
    cache, told = tmp_path / "cache", tmp_path / "told"
    with processes(keep_slowly, [(cache, told)]) as (child,):
        wait_until(told.exists, "it to begin")
        child.kill()
        assert statuses([child]) == [-signal.SIGKILL]
    with pytest.raises(SynthharmError, match=rf"index: {cache / KEY} is not there"):
        fetch_index(cache, KEY)
    assert keep_index(cache, KEY, write_index) == cache / KEY
    assert sorted(path.name for path in cache.iterdir()) == [KEY, "locks"]


def test_an_error_while_it_is_made_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> str:
        write_index(folder)
        raise SynthharmError("data: is not there")

    for key in (KEY, None):
        with pytest.raises(SynthharmError, match="is not there"):
            keep_index(tmp_path, key, fail)
    assert {path.name for path in tmp_path.iterdir()} <= {"locks"}
    assert keep_index(tmp_path, KEY, write_index).name == KEY


@pytest.mark.parametrize("key", [KEY, None])
def test_behind_an_address_it_is_sent_and_fetched_by_other_machines(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    cache, name = as_path(f"{s3}/.synthharm"), key or "digest"
    for machine in ("one", "two"):
        (tmp_path / machine).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "one"))
    first = keep_index(cache, key, write_index)
    assert first.is_relative_to(tmp_path / "one")
    assert all_files(cache / name) == ["b.bin", "below/a.bin", "whole"]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "two"))
    second = fetch_index(cache, name)
    assert second.is_relative_to(tmp_path / "two")
    assert second.parent.stat().st_mode & 0o777 == 0o700  # nobody else may put anything there
    assert {path: tree(second)[path] for path in tree(first)} == tree(first)
    assert second.name == name
    if key:
        assert keep_index(cache, key, _unexpected) == second
    assert [path.name for path in second.parent.iterdir()] == [name]


def test_one_that_is_not_whole_behind_an_address_is_not_fetched(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache = as_path(f"{s3}/.synthharm")
    (cache / KEY / "b.bin").write_bytes(b"half")
    with pytest.raises(SynthharmError, match=r"index: s3://.*/\.synthharm/ab12 is not there"):
        fetch_index(cache, KEY)
    keep_index(cache, KEY, write_index)
    assert (cache / KEY / "b.bin").read_bytes() == b"b"


def test_another_users_folder_is_not_trusted(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    keep_index(as_path(f"{s3}/.synthharm"), KEY, write_index)
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    (tmp_path / f"synthharm-{other}").mkdir()
    with pytest.raises(SynthharmError, match="is another user's; set TMPDIR"):
        fetch_index(as_path(f"{s3}/.synthharm"), KEY)


def test_it_lies_beside_the_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cache_beside(Path("dataset")) == tmp_path / ".synthharm"
    assert cache_beside(Path("/")) == Path("/.synthharm")
    assert str(cache_beside(as_path("memory://bucket/dataset"))).endswith("bucket/.synthharm")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = write_photos(tmp_path_factory.mktemp("photos"))
    return write_recipe(photos / "recipe.yaml", photos, samples=4, shard=2)


def test_a_second_dataset_of_the_same_sources_lists_them_no_more(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(recipe, tmp_path / "one")
    monkeypatch.setattr(Plan, "make", _unexpected)
    generate(recipe, tmp_path / "two", overrides=["samples=5", "chain.filters=[brightness]"])


def test_without_its_index_a_run_says_what_is_missing(recipe: Path, tmp_path: Path) -> None:
    class Removing:
        def show(self, state: State) -> None:
            if state.phase == MAKING and not state.shards_done:
                for key in (tmp_path / ".synthharm").iterdir():
                    key.rename(tmp_path / f"{key.name} elsewhere")

        def close(self) -> None:
            pass

    with pytest.raises(SynthharmError, match=r"index: .*\.synthharm/[0-9a-f]{64} is not there; a run needs"):
        generate(recipe, tmp_path / "dataset", views=[Removing()])
    assert Dataset(tmp_path / "dataset").done_shards() == set()
    assert generate(recipe, tmp_path / "dataset").missing == 0


@pytest.mark.slow
def test_of_two_runs_at_once_one_lists_the_sources(recipe: Path, held: HeldRuns, tmp_path: Path) -> None:
    held.hold("plan")
    first = held.synthharm("generate", recipe, "--output", tmp_path / "one", "--log", "text")
    held.reached("plan", first)
    (held.folder / "here-plan").unlink()
    second = held.synthharm("generate", recipe, "--output", tmp_path / "two", "--log", "text")
    second.says("planning")
    ended = threading.Event()
    assert not ended.wait(1)  # it would be here by then, and is not: it waits
    assert not (held.folder / "here-plan").exists()
    held.release()
    assert [first.ends(), second.ends()] == [0, 0], first.text + second.text
    assert not (held.folder / "here-plan").exists()
    images = [tree(tmp_path / name / "images") for name in ("one", "two")]
    assert images[0] == images[1]
