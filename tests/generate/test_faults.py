"""What can go wrong on a machine: a clear message, nothing half-written, and the same command goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_datasets import tree, write_photos, write_recipe

from synthharm.generate import Dataset, check_dataset, generate

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]  # in which anybody may mount a small disk
DISK = """
mount -t tmpfs -o size={size} none {folder} || exit 99
{command}
first=$?
mount -o remount,{mended} {folder} || exit 98
{command}
second=$?
cp -a {folder}/. {copy}
echo "statuses $first $second"
"""
MOVED_CLOCK = """
import itertools, time
turns = itertools.count()
real = time.time
time.time = lambda: real() + (-1) ** next(turns) * 40 * 365 * 86400 / 3
"""
SLOW_DISK = """
import os, time
sync, replace = os.fsync, os.replace
os.fsync = lambda descriptor: (time.sleep(0.05), sync(descriptor))[1]
os.replace = lambda *names, **options: (time.sleep(0.05), replace(*names, **options))[1]
"""


# Not even root writes where he has given himself no permission, once he cannot override it.
OBEYING = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "recipe.yaml", write_photos(tmp_path / "photos"), samples=30, shard=1)


@pytest.fixture
def whole(recipe: Path, tmp_path: Path) -> Path:
    """The dataset as it comes out where nothing goes wrong."""
    generate(recipe, tmp_path / "whole")
    return tmp_path / "whole"


def command(recipe: Path, folder: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "synthharm", "generate", str(recipe), "--output", str(folder), *options]


def run(recipe: Path, folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(recipe, folder, *options),
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def held_up(
    recipe: Path, folder: Path, shards: int, *options: str, program: str | None = None
) -> subprocess.Popen[str]:
    """A run that has made some shards and goes on.

    Args:
        recipe: its recipe.
        folder: its dataset's.
        shards: how many are made at least.
        options: of the command.
        program: Python that runs before the command, and ends by running its arguments.
    """
    before = [] if program is None else [sys.executable, "-c", program]
    process = subprocess.Popen(
        [*before, *command(recipe, folder, *options)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while len(Dataset(folder).done_shards()) < shards:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    return process


def nothing_is_half_written(folder: Path, whole: Path) -> bool:
    """Whether every file of samples and records is as it is in the whole dataset."""
    expected = tree(whole)
    found = {path: digest for path, digest in tree(folder).items() if not path.startswith(".partial")}
    return all(expected.get(path) == digest for path, digest in found.items())


def on_a_small_disk(
    recipe: Path, tmp_path: Path, size: int, mended: str, *options: str
) -> tuple[list[int], str, Path]:
    """Run twice on a disk of so many bytes, which is mended in between.

    Gives both exit statuses, what the runs printed, and a copy of what they left.
    """
    folder, copy = tmp_path / "disk", tmp_path / "copy"
    folder.mkdir()
    copy.mkdir()
    script = DISK.format(
        size=size, folder=folder, command=" ".join(command(recipe, folder, *options)), mended=mended, copy=copy
    )
    ended = subprocess.run([*NAMESPACE, "sh", "-c", script], capture_output=True, text=True, check=False)
    if ended.returncode == 99 or "unshare" in ended.stderr[:40]:
        pytest.skip("this system lets nobody mount a disk of his own")
    statuses = ended.stdout.strip().rpartition("statuses ")[2].split()
    return [int(status) for status in statuses], ended.stderr, copy


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.15, 0.5, 0.8, 0.97])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_full_disk_is_said_and_after_it_is_mended_the_run_goes_on(
    share: float, jobs: str, recipe: Path, whole: Path, tmp_path: Path
) -> None:
    size = sum(-(-path.stat().st_size // 4096) * 4096 for path in whole.rglob("*") if path.is_file())
    statuses, printed, copy = on_a_small_disk(
        recipe, tmp_path, int(size * share), "size=100M", "--jobs", jobs, "--log", "none"
    )
    assert statuses == [1, 0], printed
    assert "No space left on device" in printed
    assert "the same command goes on" in printed
    assert "Traceback" not in printed
    assert tree(copy) == tree(whole)


@pytest.mark.slow
def test_what_a_full_disk_leaves_is_whole(recipe: Path, whole: Path, tmp_path: Path) -> None:
    size = sum(path.stat().st_size for path in whole.rglob("*") if path.is_file())
    statuses, printed, copy = on_a_small_disk(
        recipe, tmp_path, size // 2, f"size={size // 2 + 4096}", "--log", "none"
    )
    assert statuses == [1, 1], printed
    assert nothing_is_half_written(copy, whole)
    assert Dataset(copy).done_shards()


@pytest.mark.slow
def test_a_permission_that_is_lost_is_said(recipe: Path, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    process = held_up(recipe, folder, 3, program=OBEYING)
    (folder / "records").chmod(0o555)
    printed, _ = process.communicate()
    (folder / "records").chmod(0o755)
    assert process.returncode == 1, printed
    assert f"{folder}/records/" in printed
    assert "Permission denied" in printed
    assert "the same command goes on" in printed
    assert nothing_is_half_written(folder, whole)
    assert run(recipe, folder).returncode == 0
    assert tree(folder) == tree(whole)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("what", ["images/photo1.png", "masks/photo1.png"])
def test_a_source_that_vanishes_stops_the_run_until_it_is_back(
    what: str, jobs: str, recipe: Path, whole: Path, tmp_path: Path
) -> None:
    path, folder = tmp_path / "photos" / what, tmp_path / "dataset"
    process = held_up(recipe, folder, 1, "--jobs", jobs)
    path.rename(tmp_path / "away.png")
    printed, _ = process.communicate()
    assert process.returncode == 1, printed
    assert what in printed
    assert "missing" in printed
    assert "Traceback" not in printed
    assert nothing_is_half_written(folder, whole)
    (tmp_path / "away.png").rename(path)
    assert run(recipe, folder).returncode == 0
    assert tree(folder) == tree(whole)


@pytest.mark.slow
def test_a_source_that_changes_stops_the_run(recipe: Path, whole: Path, tmp_path: Path) -> None:
    path, folder = tmp_path / "photos" / "images" / "photo1.png", tmp_path / "dataset"
    shutil.copy2(path, tmp_path / "kept.png")
    process = held_up(recipe, folder, 1)
    shutil.copyfile(tmp_path / "photos" / "images" / "photo0.png", path)
    printed, _ = process.communicate()
    assert process.returncode == 1, printed
    assert "images/photo1.png has changed since it was listed" in printed
    assert nothing_is_half_written(folder, whole)
    shutil.copy2(tmp_path / "kept.png", path)
    assert run(recipe, folder).returncode == 0
    assert tree(folder) == tree(whole)


@pytest.mark.slow
def test_a_second_run_is_refused_and_the_first_goes_on(recipe: Path, tmp_path: Path) -> None:
    folder, many = tmp_path / "dataset", "samples=3000"  # so that the first is still at work when the second comes
    first = held_up(recipe, folder, 1, "--set", many)
    second = run(recipe, folder, "--set", many)
    printed, _ = first.communicate()
    assert (first.returncode, second.returncode) == (0, 1), printed
    assert f"another run is writing into {folder}" in second.stderr
    assert f"process {first.pid}" in second.stderr
    assert list(check_dataset(folder)) == []


@pytest.mark.slow
@pytest.mark.parametrize("patch", [MOVED_CLOCK, SLOW_DISK], ids=["clock", "slow disk"])
def test_neither_the_clock_nor_a_slow_disk_changes_a_byte(
    patch: str, recipe: Path, whole: Path, tmp_path: Path
) -> None:
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch" / "sitecustomize.py").write_text(patch)
    paths = os.pathsep.join([str(tmp_path / "patch"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    ended = run(recipe, tmp_path / "dataset", "--jobs", "2", "--log", "json", PYTHONPATH=paths)
    assert ended.returncode == 0, ended.stderr
    assert [json.loads(line)["phase"] for line in ended.stderr.splitlines()][-1] == "finished"
    assert tree(tmp_path / "dataset") == tree(whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "Asia/Kathmandu"},
        {"LC_ALL": "de_DE.ISO-8859-1", "PYTHONHASHSEED": "77", "TZ": "Pacific/Kiritimati"},
    ],
    ids=lambda environment: environment["LC_ALL"],
)
def test_no_locale_changes_a_byte(environment: dict[str, str], recipe: Path, whole: Path, tmp_path: Path) -> None:
    ended = run(recipe, tmp_path / "dataset", **environment)
    assert ended.returncode == 0, ended.stderr
    assert tree(tmp_path / "dataset") == tree(whole)
