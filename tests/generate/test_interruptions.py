"""Killed at any moment and begun again, a run comes to the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from small_datasets import tree, write_photos, write_recipe

from synthharm.generate import generate

KILLS = 20
LATEST = 9.0  # seconds after the start; starting takes about half of it


def run(recipe: Path, folder: Path, jobs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "synthharm", "generate", str(recipe)]
    command += ["--output", str(folder), "--jobs", str(jobs)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


@pytest.mark.slow
def test_killed_at_random_moments_the_bytes_stay_the_same(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "recipe.yaml", write_photos(tmp_path / "photos"), samples=90, shard=2)
    generate(recipe, tmp_path / "whole")
    expected = tree(tmp_path / "whole")
    chance, kills, folders = random.Random(4), 0, 0
    while kills < KILLS:
        folders += 1
        folder = tmp_path / f"killed{folders}"
        while True:
            process = run(recipe, folder, jobs=chance.choice((1, 2)))
            try:
                output, _ = process.communicate(timeout=chance.uniform(0.2, LATEST) if kills < KILLS else None)
            except subprocess.TimeoutExpired:
                kills += 1
                if chance.random() < 0.5:  # the coordinator alone: its workers may live on for a while
                    process.kill()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                process.stdout and process.stdout.close()
                continue
            assert process.returncode == 0, output.decode()
            break
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        assert tree(folder) == expected, f"after {kills} kills"
