"""Options of the command that makes datasets: each is used, or refused, in each of its three ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_endings import ended
from small_datasets import write_photos, write_recipe
from typer.testing import CliRunner

from synthharm.cli import app

WAYS = {"run": [], "dry run": ["--dry-run"], "preview": ["--preview", "1"]}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = write_photos(tmp_path_factory.mktemp("photos"))
    return write_recipe(photos / "recipe.yaml", photos, samples=3)


def _arguments(recipe: Path, output: Path, *options: str) -> list[str]:
    return ["generate", str(recipe), "--output", str(output), *options]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--jobs 0", "jobs is 0; 1 or more is accepted"),
        ("--jobs -2", "jobs is -2; 1 or more is accepted"),
        ("--engine spark", "engine is 'spark'; accepted are local, dask"),
        ("--address tcp://host:8786", "address is 'tcp://host:8786'; only the engine dask has one"),
        ("--world-size 0", "world_size is 0; 1 or more is accepted"),
        ("--rank 2 --world-size 2", "rank is 2; 0 to 1 is accepted"),
        ("--log loud", "log is 'loud'; accepted are "),
    ],
)
def test_a_wrong_value_is_refused_in_every_way(
    recipe: Path, tmp_path: Path, way: str, options: str, said: str
) -> None:
    result = CliRunner().invoke(app, _arguments(recipe, tmp_path / "made", *WAYS[way], *options.split()))
    assert ended(result).startswith(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--dry-run", "--dry-run"),
        ("--jobs 2", "--jobs"),
        ("--engine dask", "--engine"),
        ("--engine dask --address tcp://host:8786", "--engine, --address"),
        ("--rank 1 --world-size 2", "--world-size"),
        ("--dry-run --jobs 2", "--dry-run, --jobs"),
    ],
)
def test_a_preview_refuses_what_it_does_not_use(recipe: Path, tmp_path: Path, options: str, named: str) -> None:
    result = CliRunner().invoke(app, _arguments(recipe, tmp_path / "a.png", "--preview", "1", *options.split()))
    assert ended(result) == f"--preview: does not go with {named}: it is made here, in one process"
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_refuses_a_cluster_that_it_does_not_ask(recipe: Path, tmp_path: Path) -> None:
    options = ["--dry-run", "--engine", "dask", "--address", "tcp://host:8786"]
    result = CliRunner().invoke(app, _arguments(recipe, tmp_path / "made", *options))
    said = (
        "--dry-run: does not go with --address: no cluster is asked how many workers it has, so say it by --jobs"
    )
    assert ended(result) == said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--jobs 3", "with 3 jobs, before"),
        ("--jobs 2 --engine dask", "with 2 jobs, before"),
        ("--rank 1 --world-size 4 --log json", "with 1 job in each of 4 ranks, before"),
    ],
)
def test_a_dry_run_counts_who_would_work(recipe: Path, tmp_path: Path, options: str, said: str) -> None:
    result = CliRunner().invoke(app, _arguments(recipe, tmp_path / "made", "--dry-run", *options.split()))
    assert result.exit_code == 0, result.output
    assert said in result.stdout.splitlines()[2]
