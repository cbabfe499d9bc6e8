"""The command line: what it writes, what it says, and how it ends."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from synthharm.cli import app
from synthharm.generate import Dataset
from synthharm.recipe import recipe_schema
from synthharm.report import Row, contact_sheet

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "quickstart.yaml"
HEAVY = {
    "torch",
    "cv2",
    "numpy",
    "pydantic",
    "PIL",
    "pyarrow",
    "datasets",
    "pycocotools",
    "joblib",
    "rich.progress",
}


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def ended(result: Result) -> str:
    """The message of a command that ended with status 1, and not by a crash."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    return " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "dataset"
    result = run("generate", RECIPE, "--output", folder, "--set", "samples=6", "--set", "shard=3")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"{folder}: 6 samples of ")
    return folder


def test_generate_makes_what_the_overrides_say(dataset: Path) -> None:
    records = list(Dataset(dataset).records())
    assert len(records) == 6
    assert len(list((dataset / "records").iterdir())) == 2


def test_generate_says_what_came_of_it(dataset: Path) -> None:
    said = run("generate", RECIPE, "--output", dataset, "--set", "samples=6", "--set", "shard=3").stdout
    records = list(Dataset(dataset).records())
    photos = len({record.source["photo"] for record in records})
    levels = [record.measured["recovery_psnr"] for record in records]
    splits = ", ".join(
        f"{sum(r.split == split for r in records)} {split}" for split in sorted({r.split for r in records})
    )
    assert f"6 samples of {photos} photos ({splits})" in said
    assert f"{np.median(levels):.1f} dB (median; lowest {min(levels):.1f})" in said


def test_check_of_a_good_dataset_ends_well(dataset: Path) -> None:
    result = run("check", dataset)
    assert (result.exit_code, result.stdout) == (0, f"{dataset}: nothing wrong\n")


def test_check_names_what_is_wrong_and_ends_with_1(dataset: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    for name in ("one", "two", "three"):
        (copy / name).touch()
    result = run("check", copy)
    assert ended(result) == f"{copy}: 3 problems"
    assert sorted(line.partition(":")[0] for line in result.stdout.splitlines()) == ["one", "three", "two"]
    few = run("check", copy, "--most", 1)
    assert ended(few) == f"{copy}: 3 problems"
    assert len(few.stdout.splitlines()) == 1
    for name in ("one", "two"):
        (copy / name).unlink()
    assert ended(run("check", copy)) == f"{copy}: 1 problem"


def test_check_of_what_is_no_dataset_ends_with_1(tmp_path: Path) -> None:
    assert "is not a dataset of synthharm" in ended(run("check", tmp_path))
    assert "is not a dataset of synthharm" in ended(run("check", tmp_path / "none"))


def test_schema_prints_the_schema() -> None:
    result = run("schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == recipe_schema()
    assert result.stdout == (RECIPE.parent / "recipe.schema.json").read_text()


@pytest.mark.parametrize("count", [1, 4])
def test_a_preview_is_a_sheet_of_that_many_samples(tmp_path: Path, count: int) -> None:
    output = tmp_path / "new" / "sheet.png"
    result = run("generate", RECIPE, "--preview", count, "--output", output)
    assert (result.exit_code, result.stdout) == (0, f"{output}: {count} samples\n")
    assert [path.name for path in output.parent.iterdir()] == ["sheet.png"]
    sheet = Image.open(io.BytesIO(output.read_bytes()))
    assert sheet.format == "PNG"
    tile = np.zeros((30, 40, 3), np.uint8)
    expected = contact_sheet([Row((tile,) * 4, "")] * count, "")
    assert (sheet.height, sheet.width, 3) == expected.shape
    assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 1000  # photos are on it


def test_a_preview_shows_no_more_samples_than_there_are(tmp_path: Path) -> None:
    output = tmp_path / "sheet.png"
    result = run("generate", RECIPE, "--preview", 9, "--output", output, "--set", "samples=2")
    assert result.stdout == f"{output}: 2 samples\n"


def test_a_preview_needs_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("generate", RECIPE, "--preview", 1).stdout == "preview.png: 1 samples\n"
    assert [path.name for path in tmp_path.iterdir()] == ["preview.png"]


def test_what_cannot_be_done_ends_with_1_and_says_why(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("sampels: 3\n")
    output = ("--output", tmp_path / "out")
    assert "--output: is missing" in ended(run("generate", RECIPE))
    assert "did you mean 'samples'?" in ended(run("generate", bad, *output))
    assert "cannot be read" in ended(run("generate", tmp_path / "none.yaml", *output))
    assert "jobs is 0; 1 or more is accepted" in ended(run("generate", RECIPE, *output, "--jobs", 0))
    assert "preview is 0; 1 or more is accepted" in ended(run("generate", RECIPE, *output, "--preview", 0))
    assert "--set samples: key=value" in ended(run("generate", RECIPE, *output, "--set", "samples"))
    assert "is not a folder" in ended(run("generate", RECIPE, *output, "--set", "data=/nowhere"))


def test_a_run_that_cannot_begin_leaves_the_folder_free(tmp_path: Path) -> None:
    words = ("generate", RECIPE, "--output", tmp_path / "out", "--set", "samples=1")
    assert "'hosre'; nearest are ['horse'" in ended(run(*words, "--set", "select.categories=[hosre]"))
    assert "has no region" in ended(run(*words, "--set", "select.side=[9000, 9999]"))
    assert run(*words, "--set", "select.categories=[horse]").exit_code == 0


def test_a_folder_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    assert "there and not a dataset" in ended(run("generate", RECIPE, "--output", tmp_path))
    assert "there and not a dataset" in ended(run("generate", RECIPE, "--output", tmp_path / "mine"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_preview_cannot_take_the_name_of_a_folder(tmp_path: Path) -> None:
    assert str(tmp_path) in ended(run("generate", RECIPE, "--preview", 1, "--output", tmp_path))


def test_samples_that_could_not_be_made_end_with_1(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "images" / "a.png")
    Image.fromarray(np.full((20, 20), 255, np.uint8)).save(tmp_path / "masks" / "a.png")
    (tmp_path / "r.yaml").write_text("samples: 2\ndata: .\nsource: {format: folder}\nwriter: {format: folder}\n")
    result = run("generate", tmp_path / "r.yaml", "--output", tmp_path / "out")
    assert "2 samples could not be made: see rejects.jsonl" in ended(result)
    assert "0 samples" in result.stdout
    assert "no region" in result.stdout
    assert run("check", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    "words", [["--help"], [], ["generate", "--help"], ["check", "--help"], ["schema", "--help"]]
)
def test_help_is_given(words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == (0 if words else 2)
    assert "Usage" in result.output


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from synthharm.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "generate" in done.stdout
    loaded = set(done.stderr.split())
    assert "synthharm.cli" in loaded
    assert not HEAVY & loaded


def test_the_installed_command_is_this_one() -> None:
    command = Path(sys.executable).with_name("synthharm")
    if not command.is_file():
        pytest.skip("needs the package installed beside this interpreter")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    for name in ("generate", "check", "schema"):
        assert name in done.stdout


def test_the_package_runs_as_well() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "synthharm", "--help"], capture_output=True, text=True, check=True
    )
    assert "generate" in done.stdout
