"""What can go wrong on a machine: a clear message, nothing half-written, and the same command goes on."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from held_runs import PATIENCE, HeldRuns, Run
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
KILLED = """
import os, signal
replace = os.replace
def killed(source, target, **options):
    if str(target).endswith("records/00003.jsonl"):
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(source, target, **options)
os.replace = killed
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
        timeout=PATIENCE,
    )


def held_up(
    held: HeldRuns,
    recipe: Path,
    folder: Path,
    *options: str,
    at: tuple[int, ...] = (3,),
    program: str | None = None,
) -> Run:
    """A run whose workers stand before shards that are not made until `held.release()`.

    Args:
        held: what holds it.
        recipe: its recipe.
        folder: its dataset's.
        options: of the command.
        at: the shards, one for each worker; all before them are made.
        program: Python that runs before the command, and ends by running its arguments.
    """
    before = [] if program is None else [sys.executable, "-c", program]
    held.hold(*at)
    process = held.start([*before, *command(recipe, folder, *options)])
    for shard in at:
        held.reached(shard, process)
    assert Dataset(folder).done_shards() == set(range(min(at)))
    return process


def half_written(folder: Path, whole: Path) -> list[str]:
    """The files that are not as they are in the whole dataset, but for those that a run keeps to itself."""
    expected = tree(whole)
    return [
        path
        for path, digest in tree(folder).items()
        if not path.startswith(".partial") and expected.get(path) != digest
    ]


def patched(folder: Path, patch: str) -> dict[str, str]:
    """The environment in which every process of a command runs a patch first."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(patch)
    return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}


def on_a_small_disk(
    recipe: Path, tmp_path: Path, size: int, mended: str, *options: str
) -> tuple[list[int], str, Path]:
    """Run twice on a disk of so many bytes, which is mended in between.

    Gives both exit statuses, what the runs printed, and a copy of what they left.
    """
    folder, copy = tmp_path / "disk", tmp_path / "copy"
    folder.mkdir()
    copy.mkdir()
    if shutil.which("unshare") is None:
        pytest.skip("unshare, which gives a disk of one's own, is not installed")
    script = DISK.format(
        size=size,
        folder=shlex.quote(str(folder)),
        command=shlex.join(command(recipe, folder, *options)),
        mended=mended,
        copy=shlex.quote(str(copy)),
    )
    ended = subprocess.run(
        [*NAMESPACE, "sh", "-c", script], capture_output=True, text=True, check=False, timeout=2 * PATIENCE
    )
    if ended.returncode == 99 or "unshare" in ended.stderr[:40]:
        pytest.skip("this system lets nobody mount a disk of his own")
    assert ended.returncode == 0, ended.stderr
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
    assert half_written(copy, whole) == []
    assert Dataset(copy).done_shards()


@pytest.mark.slow
@pytest.mark.parametrize("below", ["records", "images"])
def test_a_permission_that_is_lost_is_said(
    below: str, held: HeldRuns, recipe: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    process = held_up(held, recipe, folder, program=OBEYING)
    (folder / below).chmod(0o555)
    held.release()
    try:
        assert process.ends() == 1, process.text
    finally:
        (folder / below).chmod(0o755)
    assert f"output: {folder}/{below}/" in process.text
    assert "Permission denied" in process.text
    assert "the same command goes on" in process.text
    assert half_written(folder, whole) == []
    assert run(recipe, folder).returncode == 0
    assert tree(folder) == tree(whole)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("what", ["images/photo1.png", "masks/photo1.png"])
def test_a_source_that_vanishes_stops_the_run_until_it_is_back(
    what: str, jobs: int, held: HeldRuns, recipe: Path, whole: Path, tmp_path: Path
) -> None:
    path, folder = tmp_path / "photos" / what, tmp_path / "dataset"
    process = held_up(held, recipe, folder, "--jobs", str(jobs), at=(2, 3)[:jobs])
    path.rename(tmp_path / "away.png")
    held.release()
    assert process.ends() == 1, process.text
    assert what in process.text
    assert "missing" in process.text
    assert "Traceback" not in process.text
    assert half_written(folder, whole) == []
    (tmp_path / "away.png").rename(path)
    assert run(recipe, folder).returncode == 0
    assert tree(folder) == tree(whole)


@pytest.mark.slow
def test_a_worker_that_is_killed_just_before_a_shard_is_done_leaves_nothing_half_written(
    recipe: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    environment = patched(tmp_path / "patch", KILLED)
    assert run(recipe, folder, **environment).returncode == -signal.SIGKILL
    assert Dataset(folder).done_shards() == {0, 1, 2}
    assert half_written(folder, whole) == []
    assert run(recipe, folder).returncode == 0
    assert tree(folder) == tree(whole)


@pytest.mark.slow
def test_a_source_that_changes_stops_the_run(held: HeldRuns, recipe: Path, whole: Path, tmp_path: Path) -> None:
    path, folder = tmp_path / "photos" / "images" / "photo1.png", tmp_path / "dataset"
    shutil.copy2(path, tmp_path / "kept.png")
    process = held_up(held, recipe, folder)
    shutil.copyfile(tmp_path / "photos" / "images" / "photo0.png", path)
    held.release()
    assert process.ends() == 1, process.text
    assert "images/photo1.png has changed since it was listed" in process.text
    assert half_written(folder, whole) == []
    shutil.copy2(tmp_path / "kept.png", path)
    assert run(recipe, folder).returncode == 0
    assert tree(folder) == tree(whole)


@pytest.mark.slow
def test_a_second_run_is_refused_and_the_first_goes_on(held: HeldRuns, recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    first = held_up(held, recipe, folder)
    second = run(recipe, folder)
    held.release()
    assert (first.ends(), second.returncode) == (0, 1), first.text
    assert f"another run is writing into {folder}" in second.stderr
    assert f"process {first.process.pid}" in second.stderr
    assert list(check_dataset(folder)) == []


@pytest.mark.slow
@pytest.mark.parametrize("patch", [MOVED_CLOCK, SLOW_DISK], ids=["clock", "slow disk"])
def test_neither_the_clock_nor_a_slow_disk_changes_a_byte(
    patch: str, recipe: Path, whole: Path, tmp_path: Path
) -> None:
    environment = patched(tmp_path / "patch", patch)
    ended = run(recipe, tmp_path / "dataset", "--jobs", "2", "--log", "json", **environment)
    assert ended.returncode == 0, ended.stderr
    assert [json.loads(line)["phase"] for line in ended.stderr.splitlines()][-1] == "finished"
    assert tree(tmp_path / "dataset") == tree(whole)


def sets_locale(environment: dict[str, str]) -> bool:
    """Whether a process of this environment has the locale that it names."""
    script = "import locale; locale.setlocale(locale.LC_ALL, '')"
    tried = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | environment, capture_output=True, timeout=PATIENCE
    )
    return tried.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C", "PYTHONHASHSEED": "77", "TZ": "EAST-14"},
        {"LC_ALL": "tr_TR.UTF-8", "TZ": "NPT-5:45"},
        {"LC_ALL": "de_DE.ISO-8859-1"},
    ],
    ids=lambda environment: " ".join(environment.values()),
)
def test_no_locale_changes_a_byte(environment: dict[str, str], recipe: Path, whole: Path, tmp_path: Path) -> None:
    if not sets_locale(environment):
        pytest.skip(f"the locale {environment['LC_ALL']} is not installed")
    ended = run(recipe, tmp_path / "dataset", **environment)
    assert ended.returncode == 0, ended.stderr
    assert tree(tmp_path / "dataset") == tree(whole)
