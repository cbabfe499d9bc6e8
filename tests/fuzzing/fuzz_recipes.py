"""Recipes of datasets and of trainings, overrides and scores files, spoilt by what they say and as text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from fuzz_bytes import Random, mutate_bytes
from fuzz_feeding import run_command, why
from fuzz_place import CANARY, Guard, Place
from fuzz_values import ESCAPES, VALUES, json_bytes, mutate_value, paths_of

from synthharm.errors import SynthharmError
from synthharm.recipe import load_recipe, load_training_recipe, parse_recipe

SHIPPED = Path(__file__).resolve().parents[2] / "recipes"
SCORES = {"version": 1, "floor": 0.3, "cells": [{"box": {"brightness": [0.0, 0.4]}, "score": 2.5}]}
# Each makes the canary where the tag is followed.
TAGS = (
    f'!!python/object/apply:os.system ["touch {CANARY}"]',
    f'!!python/object/apply:subprocess.check_output [["touch", "{CANARY}"]]',
    f'!!python/object/apply:builtins.open ["{CANARY}", "w"]',
    f'!!python/object/new:builtins.open ["{CANARY}", "w"]',
    f'!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ["{CANARY}"]]',
    f"!!python/object/apply:builtins.eval [\"open('{CANARY}', 'w')\"]",
    '!!python/object/apply:os.mkdir ["CANARY"]', "!!python/name:os.system", "!!python/module:os",
    "!!python/tuple [1]",
    "!!python/none ~", "!!binary aGVsbG8=", "!!timestamp 2020-01-01", "!!set {a, b}", "!!omap [a: 1]", "!mine 7",
    "!!int 12", "!!str 12", "!!float 1", "!!map {a: 1}", "!!seq [1]", "!<tag:yaml.org,2002:python/none> 1",
    "!<!> a", "! a", "!!null ''", "!!bool yes", "!!merge <<", "!!value =",
)  # fmt: skip
LINES = (
    "<<: *none", "a: &a [*a]", "? [a]", "? {a: b}", "- a", "---", "...", "%YAML 1.1", "%TAG ! tag:x,2000:", "\t",
    "\ta: b",
    "a: b: c", "'a", '"a', "a: |", "a: >-", "a: [", "a: {", "a: *b", "a: &b", "@a: 1", "`a`: 1", "# only words",
    "samples: 3", "? a", ": b", "{", "]", "a: !!", "a: !<", "0: 1", "~: 1", "true: 1", "\ufeffa: 1", "a:\x0bb",
    "<<: {a: 1}",
)  # fmt: skip


def prepare(root: Path) -> Recipes:
    """The kind, tried on what is sound."""
    place = Place(root)
    place.make({".yaml": b"samples: 1\n", ".json": json.dumps(SCORES).encode()})
    return Recipes(place)


class Recipes:
    """Cases of recipes. They are read and never run: their data is nowhere."""

    def __init__(self, place: Place) -> None:
        self.place, self.guard = place, Guard(place)
        self.texts = {path.name: path.read_bytes() for path in sorted(SHIPPED.glob("*.yaml"))}
        plain = {"samples": 3, "data": "nowhere", "source": {"format": "coco"}, "writer": {"format": "folder"}}
        scored = plain | {"draw": {"mode": "scores", "file": "scores.json"}}
        self.texts["scored.yaml"] = yaml.safe_dump(scored).encode()
        (place.data / "scores.json").write_text(json.dumps(SCORES))
        for name, text in self.texts.items():
            (place.data / "recipe.yaml").write_bytes(text)
            assert self._read(name, []) == "accepted"
        run_command(self.guard, "generate", place.data / "recipe.yaml", "--output", place.output / "out")
        self.guard.awake = True

    def run(self, random: Random) -> str:
        self.place.clear()
        names = sorted(self.texts)
        name = names[int(random.integers(len(names)))]
        scores, text, overrides, kind = json.dumps(SCORES).encode(), self.texts[name], [], random.random()
        if name == "scored.yaml" and kind < 0.8:
            scores = json_bytes(random, mutate_value(random, SCORES))
        elif kind < 0.15:
            overrides = self._overrides(random, name)
        else:
            text = self._spoilt(random, text)
        (self.place.data / "recipe.yaml").write_bytes(text)
        (self.place.data / "scores.json").write_bytes(scores)
        try:
            if random.random() < 0.05 and not name.startswith("train"):
                return self._run(overrides)
            return self._read(name, overrides)
        except SynthharmError as error:
            return why(error)

    def _read(self, name: str, overrides: list[str]) -> str:
        path = self.place.data / "recipe.yaml"
        with self.guard.up():
            if name.startswith("train"):
                load_training_recipe(path, overrides)
            else:
                recipe = load_recipe(path, overrides)
                assert parse_recipe(recipe.model_dump_json()) == recipe  # which is how workers are told of it
        return "accepted"

    def _run(self, overrides: list[str]) -> str:
        """By the command, which must find nothing to make a dataset of."""
        recipe, output = self.place.data / "recipe.yaml", self.place.output / "out"
        words = [word for override in overrides for word in ("--set", override)]
        status, said = run_command(self.guard, "generate", recipe, "--output", output, *words)
        assert status == 1
        return "accepted" if "is not a folder" in said else why(SynthharmError(said))

    def _spoilt(self, random: Random, text: bytes) -> bytes:
        kind = random.random()
        if kind < 0.1:
            return mutate_bytes(random, text, list(self.texts.values()))
        if kind < 0.35:
            return self._tagged(random, text.decode()).encode()
        if kind < 0.55:
            return self._in_lines(random, text.decode()).encode()
        value = mutate_value(random, yaml.safe_load(text))
        if kind < 0.65:
            try:
                return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")
            except RecursionError:
                return b""
        return json_bytes(random, value)

    def _tagged(self, random: Random, text: str) -> str:
        """A tag before a value, in its place, or as a key."""
        tag = TAGS[int(random.integers(len(TAGS)))]
        values = list(re.finditer(r"(?m)(?<=: )[^\s#{\[&*|>][^\n#]*$", text))
        if not values or random.random() < 0.2:
            return f"{text}{tag}: 1\n" if random.random() < 0.5 else f"{text}name: {tag}\n"
        match = values[int(random.integers(len(values)))]
        return text[: match.start()] + tag + text[match.end() :]

    def _in_lines(self, random: Random, text: str) -> str:
        """Lines that are gone, twice, moved, further in, or of another sort."""
        lines = text.splitlines()
        for _ in range(int(random.integers(1, 4))):
            at, action = int(random.integers(len(lines))), int(random.integers(5))
            if action == 0 and len(lines) > 1:
                del lines[at]
            elif action == 1:
                lines.insert(int(random.integers(len(lines))), lines[at])
            elif action == 2:
                lines[at] = " " * int(random.integers(1, 5)) + lines[at]
            elif action == 3:
                lines[at] = lines[at].strip()
            else:
                lines.insert(at, LINES[int(random.integers(len(LINES)))])
        return "\n".join(lines) + "\n"

    def _overrides(self, random: Random, name: str) -> list[str]:
        """Some of what `--set` may be given."""
        places = [keys for keys in paths_of(yaml.safe_load(self.texts[name])) if keys]
        found = []
        for _ in range(int(random.integers(1, 4))):
            keys = ".".join(map(str, places[int(random.integers(len(places)))]))
            pieces: tuple[tuple[Any, ...], ...] = (VALUES, ESCAPES, TAGS, LINES)
            piece = pieces[int(random.integers(4))]
            value = piece[int(random.integers(len(piece)))]
            text = value if isinstance(value, str) else json.dumps(value)
            form = str(random.choice(["{0}={1}", "{0}={1}", "{0}={1}", "{0}{1}", "{0}.a={1}", "={1}", ".{0}={1}"]))
            found.append(form.format(keys, text).replace("\0", ""))
        return found
