"""A training's folder: whose it is, the state it goes on from, and the checkpoints that come out of it."""

from __future__ import annotations

import fcntl
import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.files import ASIDE, parse_json, write_atomically
from synthharm.recipe import TrainingRecipe
from synthharm.yamlfile import dump_yaml, parse_yaml

RECIPE, STATE, LOG, SUMMARY, LOCK = "recipe.yaml", "state.pt", "training.jsonl", "summary.json", ".lock"
BEST, LAST, BOARD, STOPPED, WORK = "best", "last", "tensorboard", "stopped", ".work"
FREE = {"workers", "cache", "log_every", "save_every", "compile"}  # what may change between runs


@dataclass(frozen=True)
class Folder:
    """The folder of one training.

    `recipe.yaml` is written first and says whose it is; `state.pt` is what a run that was ended goes on from;
    `best` and `last` are Harmonizers; `summary.json`, written last, says that it is finished.
    """

    path: Path

    def read_summary(self) -> dict[str, Any] | None:
        """What the training came to, or None before its end. Raises SynthharmError where it cannot be read."""
        path = self.path / SUMMARY
        if not path.is_file():
            return None
        try:
            summary = parse_json(path.read_bytes())
            if not isinstance(summary, dict) or set(summary) != {"steps", "best_step", "validation", "rejected"}:
                raise ValueError(f"it holds {summary!r}")
        except (OSError, ValueError) as error:
            raise SynthharmError(f"{path}: is not the summary of a training: {error}") from error
        return summary

    @contextmanager
    def claimed(self, recipe: TrainingRecipe) -> Iterator[None]:
        """Hold the folder for one run.

        Raises:
            SynthharmError: other files are in it, another recipe's training, or another run.
        """
        if (self.path / RECIPE).is_file():
            self._refuse_differences(recipe)
        elif self.path.exists() and not self._is_free():
            raise SynthharmError(
                f"output: {self.path} is there and not a training; a new or empty folder is accepted"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SynthharmError(f"output: another run is writing into {self.path}") from error
            for left_behind in [*self.path.glob(ASIDE), *self.path.glob(f"*/{ASIDE}")]:
                left_behind.unlink(missing_ok=True)
            if not (self.path / RECIPE).is_file():
                write_atomically(self.path / RECIPE, dump_yaml(recipe.model_dump(mode="json")).encode())
            yield

    def save_state(self, state: dict[str, Any]) -> None:
        """Replace the state, a dictionary of tensors and plain values, as a whole."""
        import torch

        data = io.BytesIO()
        torch.save(state, data)
        write_atomically(self.path / STATE, data.getvalue())

    def load_state(self) -> dict[str, Any] | None:
        """The last state, with its tensors on the CPU; None before there is any.

        Only tensors and plain values are read: nothing in the file is executed.

        Raises:
            SynthharmError: the file cannot be read.
        """
        import torch

        path = self.path / STATE
        if not path.is_file():
            return None
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if not isinstance(state, dict) or "step" not in state:
                raise ValueError("it holds something else")
        except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError) as error:
            raise SynthharmError(
                f"{path}: is not a state of a training: {error}; without it, it begins anew"
            ) from error
        return state

    def _is_free(self) -> bool:
        return self.path.is_dir() and all(path.name == LOCK or path.match(ASIDE) for path in self.path.iterdir())

    def _refuse_differences(self, recipe: TrainingRecipe) -> None:
        path = self.path / RECIPE
        try:
            found = parse_yaml(path.read_text(encoding="utf-8"), str(path)).value
        except (OSError, UnicodeDecodeError) as error:
            raise SynthharmError(f"{path}: cannot be read: {error}") from error
        differences = list(_differences(found, recipe.model_dump(mode="json"), ""))
        if differences:
            raise SynthharmError(
                f"output: {self.path} was begun by another recipe: {'; '.join(differences)}. Continue with the "
                f"same recipe, or train into a new folder; {', '.join(sorted(FREE))} and the data roots may change"
            )


def _differences(found: Any, wanted: Any, place: str) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in dict.fromkeys([*found, *wanted]):
            is_root = key == "data" and isinstance(found.get(key), str)
            if not is_root and not (place == "" and key in FREE):
                yield from _differences(found.get(key), wanted.get(key), f"{place}.{key}".lstrip("."))
    elif found != wanted:
        yield f"{place} is {wanted!r} and was {found!r}"
