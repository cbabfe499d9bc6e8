"""Training as a user does it: to its end, ended and continued, stopped, and refused."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from small_trainings import PHOTOS, live, recipe, small, untimed
from typer.testing import CliRunner

from synthharm.cli import app
from synthharm.errors import SynthharmError
from synthharm.harmonizer import Harmonizer
from synthharm.training import run as running
from synthharm.training import train
from synthharm.training.logs import read_log
from synthharm.training.state import Folder
from synthharm.yamlfile import dump_yaml


def test_a_training_leaves_checkpoints_a_log_and_a_summary(tmp_path: Path) -> None:
    training = train(recipe(), tmp_path / "run", device="cpu")
    assert training.steps == 8
    lines = read_log(tmp_path / "run")
    assert [line["step"] for line in lines if line["kind"] == "train"] == list(range(1, 9))
    validations = [line for line in lines if line["kind"] == "validation"]
    assert [line["step"] for line in validations] == [4, 8]
    best = min(validations, key=lambda line: line["photos"]["fmse"])
    assert training.best_step == best["step"]
    assert training.validation == {"photos": best["photos"]}
    assert best["photos"]["composite_fmse"] > 0
    for name in ("best", "last"):
        assert Harmonizer.from_pretrained(tmp_path / "run" / name).config.size == 32
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["validation"] == training.validation
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    assert not (tmp_path / "run" / ".work").exists()


@pytest.mark.slow
def test_what_cannot_be_used_is_listed_once_and_the_training_goes_on(tmp_path: Path) -> None:
    shutil.copytree(PHOTOS, tmp_path / "photos")
    broken = sorted((tmp_path / "photos" / "images").iterdir())[:4]
    for path in broken:
        path.write_bytes(path.read_bytes()[:2000])
    streams = {"photos": live(data=str(tmp_path / "photos"), batch=8)}
    training = train(recipe(streams=streams), tmp_path / "run", device="cpu")
    rejects = [line for line in read_log(tmp_path / "run") if line["kind"] == "reject"]
    assert training.rejected == len(rejects) > 0
    assert len({line["detail"] for line in rejects}) == len(rejects)
    assert all(any(path.name in line["detail"] for path in broken) for line in rejects)
    assert train(recipe(streams=streams), tmp_path / "run", device="cpu") == training


def test_finished_it_is_not_trained_again(tmp_path: Path) -> None:
    first = train(recipe(), tmp_path / "run", device="cpu")
    before = (tmp_path / "run" / "last" / "model.safetensors").stat().st_mtime_ns
    assert train(recipe(), tmp_path / "run", device="cpu") == first
    assert (tmp_path / "run" / "last" / "model.safetensors").stat().st_mtime_ns == before


class Ended(Exception):
    """Instead of a kill."""


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 5])
def test_ended_and_continued_it_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    settings: dict[str, Any] = {"ema": 0.9, "optimizer": {"name": "adamw", "clip": 1.0, "rate": 0.002}}
    train(recipe(**settings), tmp_path / "whole", device="cpu")
    real_step = running._step

    def ending(*given: Any) -> Any:
        if given[0].at.step == step:
            raise Ended
        return real_step(*given)

    monkeypatch.setattr(running, "_step", ending)
    with pytest.raises(Ended):
        train(recipe(**settings), tmp_path / "ended", device="cpu")
    monkeypatch.setattr(running, "_step", real_step)
    train(recipe(**settings), tmp_path / "ended", device="cpu")
    assert untimed(tmp_path / "ended") == untimed(tmp_path / "whole")
    for name in ("best", "last"):
        whole, ended = (load_file(tmp_path / run / name / "model.safetensors") for run in ("whole", "ended"))
        assert all(torch.equal(whole[key], ended[key]) for key in whole)


@pytest.mark.slow
def test_killed_at_random_steps_its_losses_stay_the_same(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_yaml(small(epochs=6, save_every=3, workers=1)))
    command = [sys.executable, "-m", "synthharm", "train", str(path), "--device", "cpu", "--output"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    for at_step in sorted(random.Random(3).sample(range(1, 23), 4)):
        process = subprocess.Popen([*command, str(tmp_path / "killed")], start_new_session=True)
        while process.poll() is None and not any(
            line["step"] >= at_step for line in read_log(tmp_path / "killed")
        ):
            time.sleep(0.01)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    state = Folder(tmp_path / "killed").load_state()
    assert state is not None
    assert state["step"] > 0
    # By the same command: here there may be another number of threads, which sum in another order.
    subprocess.run([*command, str(tmp_path / "killed")], check=True)
    assert untimed(tmp_path / "killed") == untimed(tmp_path / "whole")


@pytest.mark.slow
def test_the_average_is_what_is_kept(tmp_path: Path) -> None:
    train(recipe(ema=0.9, epochs=1), tmp_path / "run", device="cpu")
    kept = load_file(tmp_path / "run" / "last" / "model.safetensors")
    state = Folder(tmp_path / "run").load_state()
    assert state is not None
    name = "regressor.f.weight"
    assert torch.equal(kept[name], state["average"][name])
    assert not torch.equal(kept[name], state["weights"][name])


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"channels_last": True},
        {"precision": "bf16"},
        {"network": {"encoder": "mobilenetv3_small_050", "size": 32, "pretrained": False, "cascade": False}},
        {"network": {"encoder": "resnet10t", "filters": ["exposure", "shading"], "size": 32, "pretrained": False}},
        {"loss": {"weighting": "uniform", "arguments": 0.5, "least_pixels": 50}},
        {"streams": {"a": live(inverse="published"), "b": live(draw={"mode": "gamut"})}},
        {"optimizer": {"schedule": {"mode": "cosine"}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_each_way_of_training_runs(tmp_path: Path, changes: dict[str, Any]) -> None:
    training = train(recipe(**{"epochs": 1, "steps_per_epoch": 2, **changes}), tmp_path / "run", device="cpu")
    assert training.validation["photos"]["fmse"] > 0


@pytest.mark.slow
def test_a_compiled_network_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    train(recipe(epochs=1), tmp_path / "plain", device="cpu")
    train(recipe(epochs=1, compile=True), tmp_path / "run", device="cpu")
    plain, compiled = (untimed(tmp_path / name)[-1]["photos"]["fmse"] for name in ("plain", "run"))
    assert compiled == pytest.approx(plain, rel=1e-2)


def test_stored_composites_are_trained_on(tmp_path: Path, stored: Path) -> None:
    streams = {"stored": {"composites": "stored", "data": str(stored), "batch": 2}}
    held = {"streams": streams, "samples": 2}
    training = train(recipe(streams=streams, validation=held), tmp_path / "run", device="cpu")
    assert training.validation["stored"]["composite_fmse"] > 0


@pytest.mark.slow
def test_it_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    train(recipe(), tmp_path / "first", device="cpu")
    network = {"checkpoint": str(tmp_path / "first" / "last")}
    slow = {"rate": 1e-12}
    train(recipe(network=network, optimizer=slow), tmp_path / "second", device="cpu")
    first, second = (load_file(tmp_path / run / "last" / "model.safetensors") for run in ("first", "second"))
    assert torch.allclose(first["regressor.f.weight"], second["regressor.f.weight"])


def test_a_loss_that_is_not_finite_stops_it_and_saves_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(*given: Any) -> Any:
        loss, figures = real(*given)
        return loss * (float("nan") if given[1].composites.mean() != 0 else 1), figures

    real = running.batch_loss
    monkeypatch.setattr(running, "batch_loss", spoilt)
    with pytest.raises(SynthharmError, match=r"step 1: the loss is nan and .*batch_1\.safetensors"):
        train(recipe(), tmp_path / "run", device="cpu")
    batch = load_file(tmp_path / "run" / "stopped" / "batch_1.safetensors")
    assert batch["composites"].shape == (2, 3, 32, 32)
    assert batch["predicted"].shape == (2, 6)


def test_weights_that_are_not_finite_stop_it_too(tmp_path: Path) -> None:
    wild = recipe(optimizer={"rate": 1e30})
    with pytest.raises(SynthharmError, match=r"step \d: what the network predicts is not finite"):
        train(wild, tmp_path / "run", device="cpu")
    assert list((tmp_path / "run" / "stopped").iterdir())


@pytest.mark.slow
def test_best_is_never_newer_than_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_step = running._step

    def ending(*given: Any) -> Any:
        if given[0].at.step == 5:
            raise Ended
        return real_step(*given)

    monkeypatch.setattr(running, "_step", ending)
    with pytest.raises(Ended):
        train(recipe(save_every=100), tmp_path / "run", device="cpu")
    state = Folder(tmp_path / "run").load_state()
    assert state is not None
    assert (state["step"], state["best_step"]) == (4, 4)


@pytest.mark.slow
def test_other_data_under_the_same_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(PHOTOS, tmp_path / "photos")
    streams = {"photos": live(data=str(tmp_path / "photos"))}
    held = {"streams": {"photos": live(data=str(tmp_path / "photos"), part="held out")}, "samples": 2}
    monkeypatch.setattr(running, "write_atomically", lambda *given: None)  # as if ended before the summary
    train(recipe(streams=streams, validation=held), tmp_path / "run", device="cpu")
    annotations = json.loads((tmp_path / "photos" / "instances.json").read_text())
    annotations["annotations"] = annotations["annotations"][:-1]
    (tmp_path / "photos" / "instances.json").write_text(json.dumps(annotations))
    with pytest.raises(SynthharmError, match=r"the data of streams\.photos have changed since"):
        train(recipe(streams=streams, validation=held), tmp_path / "run", device="cpu")


@pytest.mark.slow
def test_two_processes_share_each_batch(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    streams = {"photos": live(batch=4)}
    path.write_text(dump_yaml(small(epochs=1, streams=streams)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "synthharm", "train", str(path), "--device", "cpu", "--output", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("photos: fMSE") == 1
    lines = untimed(tmp_path / "run")
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 4]
    assert Harmonizer.from_pretrained(tmp_path / "run" / "best").config.size == 32
    # What is validated on is the same as with one process; the weights are not: a process normalizes by its half.
    alone = train(recipe(epochs=1, streams=streams), tmp_path / "alone", device="cpu")
    assert lines[-1]["photos"]["composite_fmse"] == pytest.approx(alone.validation["photos"]["composite_fmse"])


def test_another_recipe_other_files_and_another_run_are_refused(tmp_path: Path) -> None:
    train(recipe(epochs=1), tmp_path / "run", device="cpu")
    with pytest.raises(SynthharmError, match=r"begun by another recipe: epochs is 2 and was 1"):
        train(recipe(epochs=2), tmp_path / "run", device="cpu")
    train(recipe(epochs=1, workers=1, log_every=3), tmp_path / "run", device="cpu")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(SynthharmError, match="is there and not a training"):
        train(recipe(), tmp_path / "other", device="cpu")
    with (
        Folder(tmp_path / "run").claimed(recipe(epochs=1)),
        pytest.raises(SynthharmError, match="another run is writing"),
    ):
        train(recipe(epochs=1), tmp_path / "run", device="cpu")


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    train(recipe(), tmp_path / "run", device="cpu")
    (tmp_path / "run" / "summary.json").unlink()  # or it would be finished, and the state not read
    (tmp_path / "run" / "state.pt").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(SynthharmError, match=r"state\.pt: is not a state of a training"):
        train(recipe(), tmp_path / "run", device="cpu")


def test_no_gpu_and_no_pretrained_weights_are_said(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(SynthharmError, match="'cuda' cannot be had"):
            train(recipe(), tmp_path / "run", device="cuda")
    with pytest.raises(SynthharmError, match="'tpu'; auto, cpu or cuda is accepted"):
        train(recipe(), tmp_path / "run", device="tpu")
    wanted = {"encoder": "mobilenetv3_small_050", "size": 32, "pretrained": True}
    with pytest.raises(SynthharmError, match=r"pretrained weights of the encoder mobilenetv3_small_050 cannot be"):
        train(recipe(network=wanted), tmp_path / "run", device="cpu")


def test_the_command_trains_and_says_what_was_reached(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_yaml(small()))
    command = ["train", str(path), "--output", str(tmp_path / "run"), "--device", "cpu", "--set", "epochs=1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "photos: fMSE" in result.output
    assert "4 steps; best after 4" in result.output
    wrong = CliRunner().invoke(app, [*command, "--set", "optimizer.rte=1"])
    assert wrong.exit_code == 1
    assert "optimizer.rte: unknown key; did you mean 'rate'?" in wrong.output
