"""The training loop."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from synthharm.errors import SynthharmError
from synthharm.files import json_text, write_atomically
from synthharm.harmonizer import Harmonizer
from synthharm.recipe import TrainingRecipe, load_training_recipe
from synthharm.training.batches import Batch, Part, Steps, finish_part, join
from synthharm.training.logs import Logs, progress_bar, read_log
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
        rejected: how many photos, regions or pairs could not be used: the lines of kind "reject" in the log.
    """

    folder: Path
    steps: int
    best_step: int
    validation: dict[str, dict[str, float]]
    rejected: int


def train(
    recipe: TrainingRecipe | str | Path,
    output: str | Path,
    *,
    overrides: Sequence[str] = (),
    device: str = "auto",
    progress: bool = False,
) -> Training:
    """Train a Harmonizer, or go on where an earlier run of the same recipe left off.

    On the CPU a continued training comes to the same weights as one that was never ended, if as many threads
    compute (they sum in an order of their own). Started by `accelerate
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
        accelerator.wait_for_everyone()  # until the folder is claimed
        return _finished(folder) or _run(recipe, folder, accelerator, False)
    with folder.claimed(recipe):
        accelerator.wait_for_everyone()
        return _finished(folder) or _run(recipe, folder, accelerator, progress)


def _finished(folder: Folder) -> Training | None:
    """What an earlier run came to, if it came to its end."""
    summary = folder.read_summary()
    if summary is None:
        return None
    return Training(folder.path, **summary)


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
    figures: dict[str, dict[str, float]] = field(default_factory=dict)
    rejected: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class _Run:
    """What the steps of a training need; `logs` are the main process's alone."""

    recipe: TrainingRecipe
    folder: Folder
    accelerator: Any
    parts: Parts
    at: _Progress
    logs: Logs | None

    @property
    def total(self) -> int:
        """How many steps there are."""
        return self.recipe.epochs * self.parts.steps_per_epoch


def _run(recipe: TrainingRecipe, folder: Folder, accelerator: Any, progress: bool) -> Training:
    torch.manual_seed(recipe.seed)
    state = folder.load_state()
    parts = open_parts(recipe, folder, accelerator, begun=state is not None)
    at = _Progress() if state is None else _restore(folder, parts, state)
    logs = Logs(folder.path, at.step) if accelerator.is_main_process else None
    run = _Run(recipe, folder, accelerator, parts, at, logs)
    at.rejected |= {(e["stream"], e["detail"]) for e in read_log(folder.path) if e.get("kind") == "reject"}
    _tell_rejects(run, {name: samples.rejects for name, (samples, _) in parts.streams.items()}, 0)
    loader = DataLoader(
        Steps(parts.streams, accelerator.process_index, accelerator.num_processes),
        batch_size=None,
        sampler=range(at.step, run.total),
        num_workers=recipe.workers,
        pin_memory=accelerator.device.type == "cuda",
        prefetch_factor=4 if recipe.workers else None,
        generator=torch.Generator(),  # or each start of the workers would draw from the network's own
    )
    try:
        with progress_bar(run.total, at.step, progress) as show:
            _loop(run, loader, show)
    finally:
        if logs is not None:
            logs.close()
    if accelerator.is_main_process:
        found: dict[str, Any] = {"steps": run.total, "best_step": at.best_step, "validation": at.figures}
        found["rejected"] = len(at.rejected)
        write_atomically(folder.path / SUMMARY, json_text(found))
        shutil.rmtree(folder.path / WORK, ignore_errors=True)
    accelerator.end_training()
    return Training(folder.path, run.total, at.best_step, at.figures, len(at.rejected))


def _loop(run: _Run, loader: DataLoader[dict[str, Part]], show: Callable[[int, str], None]) -> None:
    recipe, parts, at, device = run.recipe, run.parts, run.at, run.accelerator.device
    clock = _Clock()
    for raw in loader:
        clock.waited()
        _tell_rejects(run, {name: part.rejected for name, part in raw.items()}, at.step + 1)
        batch = join([finish_part(raw[n], stream, parts.chain, device) for n, stream in recipe.streams.items()])
        rate = rate_at(at.step, run.total, parts.steps_per_epoch, recipe.optimizer)
        figures = _step(run, batch, rate)
        at.step += 1
        clock.images += len(batch.known) * run.accelerator.num_processes
        last = at.step == run.total
        if run.logs is not None and (at.step % recipe.log_every == 0 or last):
            line = {name: float(value) for name, value in figures.items()}
            run.logs.write("train", at.step, {**line, "rate": rate, **clock.figures()})
            show(at.step, f"loss {line['loss']:.3f}  final {line['final']:.4f}")
        epochs, inside = divmod(at.step, parts.steps_per_epoch)
        validated = not inside and (epochs % recipe.validation.every == 0 or last)
        if validated:
            _validate(run)
            clock = _Clock()
        # After each validation too: else `best` could be of a step that a run which goes on has not come to.
        if run.logs is not None and (validated or at.step % recipe.save_every == 0):
            _save(run)
        clock.worked()


def _tell_rejects(run: _Run, rejected: Mapping[str, Iterable[str]], step: int) -> None:
    """Write down what could not be used, once each."""
    for name, texts in rejected.items():
        for text in texts:
            if run.logs is not None and (name, text) not in run.at.rejected:
                run.at.rejected.add((name, text))
                run.logs.write("reject", step, {"stream": name, "detail": text})


def _step(run: _Run, batch: Batch, rate: float) -> dict[str, Tensor]:
    """One change of the weights; what it was made by."""
    recipe, parts = run.recipe, run.parts
    for group in parts.optimizer.param_groups:
        group["lr"] = rate
    predicted = parts.network(batch.composites, batch.masks).float()
    if not bool(torch.isfinite(predicted).all()):
        _stop(run, batch, predicted.detach(), "what the network predicts is not finite")
    loss, figures = batch_loss(within_reach(predicted, parts.harmonizer), batch, parts.chain, recipe.loss)
    run.accelerator.backward(loss)
    clip = recipe.optimizer.clip or math.inf
    norm = torch.nn.utils.clip_grad_norm_(parts.harmonizer.parameters(), clip)
    if not bool(torch.isfinite(loss.detach() + norm)):
        found = f"the loss is {float(loss.detach())} and the norm of its gradient {float(norm)}"
        _stop(run, batch, predicted.detach(), found)
    parts.optimizer.step()
    parts.optimizer.zero_grad(set_to_none=True)
    if parts.average is not None:
        parts.average.update(parts.harmonizer, run.at.step + 1)
    return {"loss": loss.detach(), **figures, "gradient": norm}


def within_reach(predicted: Tensor, harmonizer: Harmonizer) -> Tensor:
    """Predicted arguments (N, K) limited to what the filters accept, with gradients that pass the limits.

    A little is left to the ends of the ranges, where brightness and saturation divide by next to nothing. The
    gradient passes through as if nothing had been limited: else what has once left the range could not come back.
    """
    margin = 0.01 * (harmonizer.high - harmonizer.low)
    limited = torch.clamp(predicted.detach(), harmonizer.low + margin, harmonizer.high - margin)
    return limited + (predicted - predicted.detach())


def _validate(run: _Run) -> None:
    from accelerate.utils import broadcast_object_list

    at = run.at
    if run.logs is not None:
        kept = run.parts.kept
        was_training = kept.training
        kept.eval()
        figures, pictures = validate(kept, run.parts.held)
        kept.train(was_training)
        run.logs.write("validation", at.step, figures)
        run.logs.show("validation", pictures, at.step)
        kept.save_pretrained(run.folder.path / LAST)
        if mean_fmse(figures) < at.best:
            at.best, at.best_step, at.figures = mean_fmse(figures), at.step, figures
            kept.save_pretrained(run.folder.path / BEST)
    at.best, at.best_step, at.figures = broadcast_object_list([at.best, at.best_step, at.figures])


def _save(run: _Run) -> None:
    at, parts = run.at, run.parts
    state: dict[str, Any] = {
        "step": at.step,
        "best": at.best,
        "best_step": at.best_step,
        "figures": at.figures,
        "data": parts.digests(),
        "steps_per_epoch": parts.steps_per_epoch,
        "weights": parts.harmonizer.state_dict(),
        "optimizer": parts.optimizer.state_dict(),
        "random": torch.get_rng_state(),
    }
    if parts.average is not None:
        state["average"] = parts.average.module.state_dict()
    run.folder.save_state(state)


def _restore(folder: Folder, parts: Parts, state: dict[str, Any]) -> _Progress:
    try:
        changed = [name for name, digest in parts.digests().items() if state["data"][name] != digest]
        if changed or state["steps_per_epoch"] != parts.steps_per_epoch:
            raise ValueError(f"the data of streams.{', streams.'.join(changed)} have changed since")
        parts.harmonizer.load_state_dict(state["weights"])
        parts.optimizer.load_state_dict(state["optimizer"])
        if parts.average is not None:
            parts.average.module.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        return _Progress(state["step"], state["best_step"], state["best"], state["figures"])
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise SynthharmError(f"{folder.path}: its state does not fit what is to be trained: {error}") from error


def _stop(run: _Run, batch: Batch, predicted: Tensor, found: str) -> NoReturn:
    """Save a batch that led to nothing finite, and raise SynthharmError."""
    from safetensors.torch import save

    step, processes = run.at.step + 1, run.accelerator.num_processes
    tensors = {name: value.cpu().contiguous() for name, value in vars(batch).items()}
    tensors["predicted"] = predicted.cpu().contiguous()
    own = f"_of_process_{run.accelerator.process_index}" if processes > 1 else ""
    path = run.folder.path / STOPPED / f"batch_{step}{own}.safetensors"
    write_atomically(path, save(tensors))
    raise SynthharmError(
        f"step {step}: {found}; the batch and what was predicted are in {path}. A smaller optimizer.rate, or "
        "optimizer.clip, may help; the last state is kept"
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
