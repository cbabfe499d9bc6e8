"""Status: how far a dataset has come, read from its folder at any time."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from command_endings import ended
from small_datasets import tree, write_photos, write_recipe
from typer.testing import CliRunner

from synthharm.cli import app
from synthharm.errors import SynthharmError
from synthharm.generate import generate
from synthharm.generate.run import Stopped
from synthharm.generate.running.status import Status, read_status, seconds_now
from synthharm.generate.running.stopping import Stop
from synthharm.generate.running.watch import FINISHING, MAKING, PLANNING, State
from synthharm.generate.sample import Maker

HERE = f"process {os.getpid()} on {socket.gethostname()})"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = write_photos(tmp_path_factory.mktemp("photos"))
    return write_recipe(photos / "recipe.yaml", photos)


class Asking:
    """Asks for the status whenever the run shows its state; the first time of each phase is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.found = folder, dict[str, Status]()

    def show(self, state: State) -> None:
        self.found.setdefault(state.phase, read_status(self.folder))

    def close(self) -> None:
        pass


class Ending(Asking):
    """Ends the run in its second shard as if the process were killed: it leaves no word."""

    def show(self, state: State) -> None:
        if state.shards_done == 2:
            raise SystemExit


def _status(folder: Path, *options: str) -> list[str]:
    result = CliRunner().invoke(app, ["status", str(folder), *options])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_a_run_is_followed_from_its_beginning_to_its_end(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    view = Asking(folder)
    generate(recipe, folder, views=[view])
    assert list(view.found) == [PLANNING, MAKING, FINISHING, "finished"]
    for phase in (PLANNING, MAKING, FINISHING):
        found = view.found[phase]
        assert [state.phase for state in found.runs] == [phase]
        assert found.working == ("run",)
        assert (found.samples, found.numbers) == (12, None)
        lines = found.lines(seconds_now())
        done = f"{found.shards} shards" if phase == PLANNING else f"{found.shards} of 4 shards"
        assert lines[0] == f"{folder}: {done} done, for 12 samples in all"
        assert lines[1].startswith(f"{phase}: ")
        assert lines[1].endswith(HERE)
        assert len(lines) == 2
    assert [view.found[phase].shards for phase in (PLANNING, MAKING, FINISHING)] == [0, 0, 4]
    done = read_status(folder)
    assert (done.runs, done.working, done.shards) == ((), (), 4)
    assert _status(folder) == [f"{folder}: finished, 12 samples"]
    stored = json.loads("\n".join(_status(folder, "--json")))
    assert stored["numbers"] == json.loads((folder / "dataset.json").read_text())
    assert not (folder / ".partial").exists()


def test_of_a_run_that_was_killed_it_is_said_that_nobody_works_on_it(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    with pytest.raises(SystemExit):
        generate(recipe, folder, views=[Ending(folder)])
    before = tree(folder)
    first, state, gone = _status(folder)
    assert first == f"{folder}: 2 of 4 shards done, for 12 samples in all"
    assert state.startswith("making: ")
    assert gone == "run: nobody works on it any more; the same command goes on with it"
    stored = json.loads("\n".join(_status(folder, "--json")))
    assert stored["working"] == []
    assert stored["runs"][0]["process"] == os.getpid()
    assert tree(folder) == before


def test_a_run_that_stopped_says_so(recipe: Path, tmp_path: Path) -> None:
    folder, stop = tmp_path / "dataset", Stop()

    class Asked(Asking):
        def show(self, state: State) -> None:
            stop.requested = state.shards_done == 1

    with pytest.raises(Stopped, match="stopped: 3 of 12 samples are in"):
        generate(recipe, folder, views=[Asked(folder)], stop=stop)
    first, state = _status(folder)
    assert first == f"{folder}: 1 of 4 shards done, for 12 samples in all"
    assert state.startswith("stopped: 3 of 12 samples, ")
    assert "; the same command goes on with it (" in state


def test_a_run_that_failed_says_why(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "dataset"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(folder / "images"))

    monkeypatch.setattr(Maker, "make", full)
    with pytest.raises(SynthharmError, match=r"images: No space left on device; 0 of 12 samples are in"):
        generate(recipe, folder)
    _, state = _status(folder)
    assert state.startswith("failed: 0 of 12 samples, output: ")
    assert f"{folder / 'images'}: No space left on device (" in state


def test_each_rank_is_listed(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    for rank in (2, 0):
        generate(recipe, folder, rank=rank, world_size=3)
    first, zero, two = _status(folder)
    assert first == f"{folder}: 3 of 4 shards done, for 12 samples in all"
    assert zero.startswith("rank-00000: finished: 6 of 6 samples")
    assert two.startswith("rank-00002: finished: 3 of 3 samples")


def test_ranks_that_nobody_goes_on_with_are_not_listed_once_a_whole_run_is(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    for rank in (2, 0):
        generate(recipe, folder, rank=rank, world_size=3)
    view = Asking(folder)
    generate(recipe, folder, views=[view])
    assert [state.part for state in view.found[MAKING].runs] == ["run"]


def test_who_may_only_read_is_told_what_can_be_told(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dataset"
    with pytest.raises(SystemExit):
        generate(recipe, folder, views=[Ending(folder)])

    def refuse(*_: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr("synthharm.generate.running.claims._Locks.held", refuse)
    first, state = _status(folder)
    assert first == f"{folder}: 2 of 4 shards done, for 12 samples in all"
    assert state.startswith("making: ")
    assert json.loads("\n".join(_status(folder, "--json")))["working"] is None


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    for folder in (tmp_path, tmp_path / "nothing"):
        result = CliRunner().invoke(app, ["status", str(folder)])
        assert ended(result) == f"{folder}: is not a dataset of synthharm, nor one begun: plan.json is missing"
    assert tree(tmp_path).keys() == {"thesis.tex"}


WRONG = '{"part": "run", "wanted": 12, "shards": 4, "engine": "local", "workers": 1, "updated": "x"}'


@pytest.mark.parametrize("text", ['{"part": 1}', "{", "[]", WRONG])
def test_a_status_that_says_nothing_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ".partial" / "status").mkdir(parents=True)
    (tmp_path / ".partial" / "status" / "run.json").write_text(text)
    result = CliRunner().invoke(app, ["status", str(tmp_path)])
    assert "run.json: is not the status of a run" in ended(result)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "samples is None; a number from 1 on is accepted"),
        ('{"samples": "12", "shard": 3}', "samples is '12'; a number from 1 on is accepted"),
        ('{"samples": 12, "shard": 0}', "shard is 0; a number from 1 on is accepted"),
        ("[12]", "its recipe is [12]"),
    ],
)
def test_a_plan_that_does_not_say_how_many_samples_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "plan.json").write_text(f'{{"recipe": {text}}}')
    message = ended(CliRunner().invoke(app, ["status", str(tmp_path)]))
    assert said in message
    assert "plan.json" in message


@pytest.mark.parametrize("text", [None, "", '{"samples": 1', "[]", "null", "{}", '{"samples": "many"}'])
def test_a_finished_dataset_without_its_summary_is_refused(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "plan.json").write_text('{"recipe": {"samples": 12, "shard": 3}}')
    (tmp_path / "SHA256SUMS").touch()
    if text is not None:
        (tmp_path / "dataset.json").write_text(text)
    message = ended(CliRunner().invoke(app, ["status", str(tmp_path)]))
    assert message.startswith(f"{tmp_path}/dataset.json: is not the summary of a dataset: ")


def test_a_dataset_that_is_finished_while_it_is_asked_about_is_no_error(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "dataset"
    generate(recipe, folder)
    names = ["run.json"]  # as it was listed before the run removed it
    monkeypatch.setattr("synthharm.generate.running.status.file_names", lambda _: names)
    assert read_status(folder).runs == ()
