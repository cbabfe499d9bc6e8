"""The command `evaluate`: what it prints and writes, and how it ends when something is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from click.testing import Result
from command_endings import ended
from evaluated_methods import small_harmonizer
from paired_folders import write_folders, write_iharmony4
from small_datasets import write_photos, write_recipe
from typer.testing import CliRunner

from synthharm.cli.evaluating import evaluate
from synthharm.evaluation.pairs import open_pairs
from synthharm.generate import generate
from synthharm.harmonizer.devices import find_device

APP = typer.Typer()
APP.command()(evaluate)


def run(*words: object) -> Result:
    return CliRunner().invoke(APP, [str(word) for word in words])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command") / "network"
    small_harmonizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    recipe = write_recipe(folder / "recipe.yaml", write_photos(folder / "photos"), samples=4)
    generate(recipe, folder / "dataset")
    return folder / "dataset"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take longer than all the rest."""
    monkeypatch.setattr("synthharm.evaluation.writing.draw_plots", lambda _: iter(()))


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_it_prints_the_pooled_table_and_where_the_rest_is(checkpoint: Path, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--split", "all", "--size", "64", "--size", "full", "--pcm", "3", "--limit", "2")
    result = run(checkpoint, "--data", dataset, "--output", out, *words)
    assert result.exit_code == 0, result.output
    for said in ("issam, 64", "issam, full size", "composite", "oracle", "harmonizer + PCM3", "fMSE"):
        assert said in result.stdout
    assert result.stdout.splitlines()[-1] == f"{out}: per_image.csv, results.json, table.csv, tables.md, worst.png"
    found = json.loads((out / "results.json").read_text())
    settings = {
        "checkpoint": "network",
        "data": "dataset",
        "split": None,
        "device": str(find_device("auto")),
        "limit": 2,
    }
    assert found["settings"] == settings
    assert found["pairs"]["listed"] == 2
    methods = ["composite", "reinhard", "histogram", "oracle", "harmonizer", "harmonizer + PCM3"]
    assert found["methods"] == methods


@pytest.mark.usefixtures("undrawn")
def test_without_baselines_the_network_is_beside_the_composite(checkpoint: Path, tmp_path: Path) -> None:
    root, out = write_folders(tmp_path / "set"), tmp_path / "out"
    (root / "mask" / "p1.png").unlink()
    protocols = ("--protocol", "harmonizer", "--protocol", "ground-truth-background", "--size", "48x64")
    result = run(checkpoint, "--data", root, "--output", out, "--no-baselines", *protocols)
    assert result.exit_code == 0, result.output
    found = json.loads((out / "results.json").read_text())
    assert found["methods"] == ["composite", "harmonizer"]
    places = [("harmonizer", "48x64"), ("ground-truth-background", "48x64")]
    assert [(one["name"], one["size"]) for one in found["protocols"]] == places
    assert "2 of 3 pairs used; what was rejected is in results.json" in result.stdout


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("words", "used", "pairs"),
    [
        ([], "test", 3),
        (["--split", "train"], "train", 1),
        pytest.param(["--split", "all"], None, 4, marks=pytest.mark.slow),
    ],
)
def test_of_several_splits_test_is_scored(
    checkpoint: Path, tmp_path: Path, words: list[str], used: str | None, pairs: int
) -> None:
    root, out = write_iharmony4(tmp_path / "set"), tmp_path / "out"
    result = run(checkpoint, "--data", root, "--output", out, "--no-baselines", "--size", "32", *words)
    assert result.exit_code == 0, result.output
    found = json.loads((out / "results.json").read_text())
    assert (found["settings"]["split"], found["pairs"]["listed"]) == (used, pairs)
    assert ("scoring the split test of test, train" in result.stderr) == (words == [])


def test_of_several_splits_without_test_one_must_be_named(checkpoint: Path, tmp_path: Path) -> None:
    root = write_iharmony4(tmp_path / "set")
    for path in root.rglob("*_test.txt"):
        path.rename(path.with_name(path.name.replace("test", "val")))
    said = ended(run(checkpoint, "--data", root, "--output", tmp_path / "out"))
    assert "--split: is missing; train, val or all is accepted" in said


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_only_chains_of_the_pairs_that_are_scored_have_an_oracle(
    checkpoint: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = open_pairs(dataset)
    last = replace(every.entries[-1], statistics="foreground")
    mixed = replace(every, entries=(*every.entries[:-1], last))
    assert len(mixed.chains) == 2
    monkeypatch.setattr("synthharm.evaluation.pairs.open_pairs", lambda *_: mixed)
    methods = {}
    for limit in (1, 4):
        out = tmp_path / f"out{limit}"
        words = ("--size", "32", "--limit", limit)
        assert run(checkpoint, "--data", dataset, "--output", out, *words).exit_code == 0
        methods[limit] = json.loads((out / "results.json").read_text())["methods"]
    assert [name for name in methods[1] if "oracle" in name] == ["oracle"]
    assert [name for name in methods[4] if "oracle" in name] == ["oracle 1", "oracle 2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "0"], "--size: is '0'; 256, 480x640"),
        (["--size", "256x"], "--size: is '256x'"),
        (["--size", "-5"], "--size: is '-5'"),
        (["--protocol", "mine"], "--protocol: is 'mine'; issam, harmonizer, ground-truth-background"),
        (["--pcm", "4", "--size", "full"], "--pcm: is 4; 2 and 3 are accepted"),
        (["--pcm", "2"], "--pcm: lifts to full size, which is not scored; add --size full"),
        (["--limit", "0"], "--limit: is 0; 1 or more"),
        (["--split", "test"], "have no splits"),
        (["--device", "abacus"], "the device 'abacus'"),
    ],
)
def test_a_bad_option_is_named(checkpoint: Path, tmp_path: Path, words: list[str], said: str) -> None:
    root = write_folders(tmp_path / "set")
    assert said in ended(run(checkpoint, "--data", root, "--output", tmp_path / "out", *words))
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_is_named(checkpoint: Path, tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set")
    assert "is not a folder" in ended(run(checkpoint, "--data", tmp_path / "none", "--output", tmp_path / "out"))
    assert "none: is no folder here" in ended(run("none", "--data", root, "--output", tmp_path / "out"))
    assert "holds 'comp'" in ended(run(checkpoint, "--data", root, "--output", root))
    assert len(open_pairs(root)) == 3
