"""The training loop."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from synthharm.errors import SynthharmError
from synthharm.files import json_text, write_atomically
from synthharm.harmonizer import Harmonizer
from synthharm.recipe import TrainingRecipe, load_training_recipe
from synthharm.training.batches import Batch, Part, Steps, finish_part, join
from synthharm.training.logs import Logs, progress_bar
from synthharm.training.losses import batch_loss
from synthharm.training.opening import Parts, open_parts
from synthharm.training.schedule import rate_at
from synthharm.training.state import BEST, LAST, STOPPED, SUMMARY, WORK, Folder
from synthharm.training.validating import mean_fmse, validate


@dataclass(frozen=True)
class Training:
    """What came of a training.

    Args:
        folder: with the checkpoints `best` and `last`, and `training.jsonl`.
        steps: how many there were.
        best_step: after which of them the best checkpoint was.
        validation: by stream, the best checkpoint's figures; see `synthharm.training.validate`.
    """

    folder: Path
    steps: int
    best_step: int
    validation: dict[str, dict[str, float]]


def train(
    recipe: TrainingRecipe | str | Path,
    output: str | Path,
    *,
    overrides: Sequence[str] = (),
    device: str = "auto",
    progress: bool = False,
) -> Training:
    """Train a Harmonizer, or go on where an earlier run of the same recipe left off.

    On the CPU a continued training comes to the same weights as one that was never ended. Started by `accelerate
    launch` it runs on several GPUs, which share each batch.

    Args:
        recipe: a recipe or its file.
        output: the folder: new, empty, or of the same training.
        overrides: such as `optimizer.rate=0.001`, for a recipe's file.
        device: "auto", "cpu" or "cuda".
        progress: whether a bar is drawn on standard error.

    Raises:
        SynthharmError: a recipe with mistakes, data that cannot be used, a device that is not there, weights that
            cannot be had, a folder of something else, or a loss that is not finite: the batch is then saved in
            the folder `stopped`.
    """
    if not isinstance(recipe, TrainingRecipe):
        recipe = load_training_recipe(recipe, overrides)
    elif overrides:
        raise SynthharmError(f"overrides are {list(overrides)}; they are accepted with a recipe's file only")
    folder = Folder(Path(output))
    accelerator = _accelerator(recipe, device)
    if not accelerator.is_main_process:
        return _run(recipe, folder, accelerator, False)
    with folder.claimed(recipe):
        return _run(recipe, folder, accelerator, progress)


def _accelerator(recipe: TrainingRecipe, device: str) -> Any:
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    from synthharm.harmonizer.devices import find_device

    if device not in ("auto", "cpu", "cuda"):
        raise SynthharmError(f"the device is {device!r}; auto, cpu or cuda is accepted")
    on_cpu = find_device(device).type == "cpu"
    # What an earlier training in this process ran on must not hold for this one.
    AcceleratorState._reset_state(reset_partial_state=int(os.environ.get("WORLD_SIZE", "1")) == 1)
    accelerator = Accelerator(cpu=on_cpu, mixed_precision={"float32": "no", "bf16": "bf16"}[recipe.precision])
    for name, stream in recipe.streams.items():
        if stream.batch % accelerator.num_processes:
            raise SynthharmError(
                f"streams.{name}.batch is {stream.batch}; a multiple of {accelerator.num_processes} is accepted, "
                "the number of processes that share it"
            )
    return accelerator


@dataclass
class _Progress:
    """Where a training is; everything else follows from the recipe and the state on disk."""

    step: int = 0
    best_step: int = 0
    best: float = math.inf
    best_figures: dict[str, dict[str, float]] | None = None


def _run(recipe: TrainingRecipe, folder: Folder, accelerator: Any, progress: bool) -> Training:
    torch.manual_seed(recipe.seed)
    parts = open_parts(recipe, folder, accelerator)
    at = _restore(folder, parts)
    total = recipe.epochs * parts.steps_per_epoch
    logs = Logs(folder.path, at.step) if accelerator.is_main_process else None
    steps = Steps(parts.streams, accelerator.process_index, accelerator.num_processes)
    loader = DataLoader(
        steps,
        batch_size=None,
        sampler=range(at.step, total),
        num_workers=recipe.workers,
        pin_memory=accelerator.device.type == "cuda",
        prefetch_factor=4 if recipe.workers else None,
        generator=torch.Generator(),  # or each start of the workers would draw from the network's own
    )
    try:
        with progress_bar(total, at.step, progress) as show:
            _loop(recipe, folder, accelerator, parts, loader, at, logs, show)
    finally:
        if logs is not None:
            logs.close()
    assert at.best_figures is not None
    training = Training(folder.path, total, at.best_step, at.best_figures)
    if accelerator.is_main_process:
        found = {"steps": total, "best_step": at.best_step, "validation": at.best_figures}
        write_atomically(folder.path / SUMMARY, json_text(found))
        shutil.rmtree(folder.path / WORK, ignore_errors=True)
    accelerator.end_training()
    return training


def _loop(
    recipe: TrainingRecipe,
    folder: Folder,
    accelerator: Any,
    parts: Parts,
    loader: DataLoader[dict[str, Part]],
    at: _Progress,
    logs: Logs | None,
    show: Any,
) -> None:
    total = recipe.epochs * parts.steps_per_epoch
    clock = _Clock()
    for raw in loader:
        clock.waited()
        rate = rate_at(at.step, total, parts.steps_per_epoch, recipe.optimizer)
        batch = join(
            [
                finish_part(raw[name], recipe.streams[name], parts.chain, accelerator.device)
                for name in recipe.streams
            ]
        )
        figures = _step(recipe, folder, accelerator, parts, batch, rate, at.step)
        at.step += 1
        clock.images += len(batch.known) * accelerator.num_processes
        last = at.step == total
        if logs is not None and (at.step % recipe.log_every == 0 or last):
            line = {name: float(value) for name, value in figures.items()}
            logs.write("train", at.step, {**line, "rate": rate, **clock.figures()})
            show(at.step, f"loss {line['loss']:.3f}  final {line['final']:.4f}")
        epochs, inside = divmod(at.step, parts.steps_per_epoch)
        if not inside and (epochs % recipe.validation.every == 0 or last):
            _validate(folder, accelerator, parts, at, logs)
            clock = _Clock()
        if accelerator.is_main_process and (at.step % recipe.save_every == 0 or last):
            _save(folder, parts, at)
        clock.worked()


def _step(
    recipe: TrainingRecipe,
    folder: Folder,
    accelerator: Any,
    parts: Parts,
    batch: Batch,
    rate: float,
    step: int,
) -> dict[str, Tensor]:
    """One change of the weights; what it was made by."""
    for group in parts.optimizer.param_groups:
        group["lr"] = rate
    seen = batch.composites
    if recipe.channels_last:
        seen = seen.contiguous(memory_format=torch.channels_last)
    predicted = parts.network(seen, batch.masks).float()
    loss, figures = batch_loss(within_reach(predicted, parts.harmonizer), batch, parts.chain, recipe.loss)
    accelerator.backward(loss)
    clip = recipe.optimizer.clip or math.inf
    norm = torch.nn.utils.clip_grad_norm_(parts.harmonizer.parameters(), clip)
    if not bool(torch.isfinite(loss.detach() + norm)):
        _stop(folder, batch, predicted.detach(), step, float(loss.detach()), float(norm))
    parts.optimizer.step()
    parts.optimizer.zero_grad(set_to_none=True)
    if parts.average is not None:
        parts.average.update(parts.harmonizer, step + 1)
    return {"loss": loss.detach(), **figures, "gradient": norm}


def within_reach(predicted: Tensor, harmonizer: Harmonizer) -> Tensor:
    """Predicted arguments (N, K) limited to what the filters accept, with gradients that pass the limits.

    A little is left to the ends of the ranges, where brightness and saturation divide by next to nothing. The
    gradient passes through as if nothing had been limited: else what has once left the range could not come back.
    """
    margin = 0.01 * (harmonizer.high - harmonizer.low)
    limited = torch.clamp(predicted.detach(), harmonizer.low + margin, harmonizer.high - margin)
    return limited + (predicted - predicted.detach())


def _validate(folder: Folder, accelerator: Any, parts: Parts, at: _Progress, logs: Logs | None) -> None:
    if logs is not None:
        kept = parts.kept
        was_training = kept.training
        kept.eval()
        figures, pictures = validate(kept, parts.held)
        logs.write("validation", at.step, figures)
        logs.show("validation", pictures, at.step)
        reached = mean_fmse(figures)
        kept.save_pretrained(folder.path / LAST)
        if reached < at.best or at.best_figures is None:
            at.best, at.best_step, at.best_figures = reached, at.step, figures
            kept.save_pretrained(folder.path / BEST)
        kept.train(was_training)
    accelerator.wait_for_everyone()
    if at.best_figures is None:
        at.best_figures = {}  # in the other processes


def _save(folder: Folder, parts: Parts, at: _Progress) -> None:
    state: dict[str, Any] = {
        "step": at.step,
        "best": at.best,
        "best_step": at.best_step,
        "best_figures": at.best_figures,
        "weights": parts.harmonizer.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }
    if parts.average is not None:
        state["average"] = parts.average.module.state_dict()
    folder.save_state(state)


def _restore(folder: Folder, parts: Parts) -> _Progress:
    state = folder.load_state()
    if state is None:
        return _Progress()
    try:
        parts.harmonizer.load_state_dict(state["weights"])
        parts.optimizer.load_state_dict(state["optimizer"])
        if parts.average is not None:
            parts.average.module.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        return _Progress(state["step"], state["best_step"], state["best"], state["best_figures"])
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise SynthharmError(f"{folder.path}: its state does not fit the recipe: {error}") from error


def _stop(folder: Folder, batch: Batch, predicted: Tensor, step: int, loss: float, norm: float) -> None:
    """Save a batch that led to nothing finite, and raise SynthharmError."""
    from safetensors.torch import save

    tensors = {name: value.cpu().contiguous() for name, value in vars(batch).items()}
    tensors["predicted"] = predicted.cpu().contiguous()
    path = folder.path / STOPPED / f"batch_{step + 1}.safetensors"
    write_atomically(path, save(tensors))
    raise SynthharmError(
        f"step {step + 1}: the loss is {loss} and the norm of its gradient {norm}; the batch and what was "
        f"predicted are in {path}. A smaller optimizer.rate, or optimizer.clip, may help; the last state is kept"
    )


class _Clock:
    """How fast it goes, and which share of the time the next batch was waited for."""

    def __init__(self) -> None:
        self.images = 0
        self._start = self._mark = time.perf_counter()
        self._waiting = 0.0

    def waited(self) -> None:
        """The next batch is there."""
        self._waiting += time.perf_counter() - self._mark

    def worked(self) -> None:
        """A step is done."""
        self._mark = time.perf_counter()

    def figures(self) -> dict[str, float]:
        """Images per second and the share of waiting, since the last time."""
        passed = max(time.perf_counter() - self._start, 1e-9)
        found = {"images_per_second": self.images / passed, "waiting": self._waiting / passed}
        self.images, self._waiting, self._start = 0, 0.0, time.perf_counter()
        return found
