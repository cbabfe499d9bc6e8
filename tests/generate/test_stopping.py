"""Ctrl-C: the shards in hand are finished, nothing is left half-made, and the same command goes on."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest
from held_runs import HeldRuns
from small_datasets import tree, write_photos, write_recipe

from synthharm.generate import generate
from synthharm.generate.dataset import Dataset
from synthharm.generate.running.stopping import Stop, stoppable, uninterrupted_children

AGAIN = "Ctrl-C again stops at once"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = write_photos(tmp_path_factory.mktemp("photos"))
    return write_recipe(photos / "recipe.yaml", photos)


def test_the_first_ctrl_c_lets_the_shard_in_hand_be_finished(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    held.hold(4)
    run = held.synthharm("generate", recipe, "--output", folder)
    held.reached(4, run)
    run.interrupt()
    run.says(AGAIN)
    held.release()
    assert run.ends() == 130
    assert f"stopped: 6 of 12 samples are in {folder}; the same command goes on with it" in run.text
    _nothing_half_made(folder, run.text, shards={0, 1})
    assert generate(recipe, folder).continued == 2
    assert tree(folder) == expected


def test_what_is_asked_for_in_the_last_shard_is_granted_before_the_finishing(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    held.hold(11)
    run = held.synthharm("generate", recipe, "--output", folder, "--log", "json")
    held.reached(11, run)
    run.interrupt()
    run.says(AGAIN)
    held.release()
    assert run.ends() == 130
    lines = [json.loads(line) for line in run.text.splitlines()]  # what is said beside the log, too
    assert lines[-1]["message"] == f"stopped: 12 of 12 samples are in {folder}; the same command goes on with it"
    assert [line["phase"] for line in lines if "phase" in line][-2:] == ["making", "stopped"]
    _nothing_half_made(folder, run.text, shards={0, 1, 2, 3})
    assert generate(recipe, folder).continued == 4
    assert tree(folder) == expected


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--jobs", "2"], ["--engine", "dask", "--jobs", "2"]], ids=" ".join)
def test_workers_finish_the_shards_in_hand_and_say_nothing(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path, options: list[str]
) -> None:
    folder = tmp_path / "dataset"
    held.hold(1, 4)
    run = held.synthharm("generate", recipe, "--output", folder, *options)
    held.reached(1, run)
    held.reached(4, run)
    run.interrupt()
    run.says(AGAIN)
    held.release()
    assert run.ends() == 130
    assert f"stopped: 6 of 12 samples are in {folder}" in run.text
    _nothing_half_made(folder, run.text, shards={0, 1})
    generate(recipe, folder)
    assert tree(folder) == expected


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--jobs", "2"], ["--engine", "dask", "--jobs", "2"]], ids=" ".join)
def test_the_second_ctrl_c_stops_at_once(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path, options: list[str]
) -> None:
    folder = tmp_path / "dataset"
    held.hold(1)
    run = held.synthharm("generate", recipe, "--output", folder, *options)
    held.reached(1, run)
    run.interrupt()
    run.says(AGAIN)
    run.interrupt()
    assert run.ends() == 130  # though nobody let the sample go on
    assert "interrupted; the same command goes on with what is done" in run.text
    _says_no_more(run.text)
    held.release()
    generate(recipe, folder)
    assert tree(folder) == expected


@pytest.mark.slow
def test_sigterm_to_all_processes_stops_it_too(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    held.hold(4)
    run = held.synthharm("generate", recipe, "--output", folder, "--jobs", 2)
    held.reached(4, run)
    run.interrupt(signal.SIGTERM)
    run.says(AGAIN)
    held.release()
    assert run.ends() == 130
    assert "the same command goes on with it" in run.text
    _says_no_more(run.text)
    generate(recipe, folder)
    assert tree(folder) == expected


@pytest.mark.slow
def test_while_planning_it_stops_at_once(recipe: Path, held: HeldRuns, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "dataset"
    held.hold("plan")
    run = held.synthharm("generate", recipe, "--output", folder)
    held.reached("plan", run)
    run.interrupt()
    assert run.ends() == 130
    _says_no_more(run.text)
    assert tree(folder) == {}
    assert list((folder.parent / ".synthharm").glob("new.*")) == []


def _nothing_half_made(folder: Path, text: str, shards: set[int]) -> None:
    _says_no_more(text)
    assert Dataset(folder).done_shards() == shards
    assert len(list(Dataset(folder).records())) == 3 * len(shards)
    assert not list((folder / ".partial" / "staging").iterdir())
    assert not list(folder.rglob("*.part"))


def _says_no_more(text: str) -> None:
    for word in ("Traceback", "KeyboardInterrupt", "Warning", "Error", "distributed"):
        assert word not in text


def test_the_first_request_is_granted_when_it_suits_and_the_second_at_once() -> None:
    said: list[int] = []
    with stoppable(lambda: said.append(1)) as stop:
        stop.patient = True
        signal.raise_signal(signal.SIGINT)
        assert stop.requested
        assert said == [1]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_where_nothing_is_in_hand_the_first_request_is_granted_at_once(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stoppable(lambda: None):
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_other_threads_than_the_main_one_leave_signals_alone() -> None:
    found: list[object] = []

    def look() -> None:
        before = signal.getsignal(signal.SIGINT)
        with stoppable(lambda: None) as stop:
            found.extend([stop == Stop(), signal.getsignal(signal.SIGINT) is before])

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [True, True]


def test_what_is_started_without_interrupts_has_them_blocked() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with uninterrupted_children():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
