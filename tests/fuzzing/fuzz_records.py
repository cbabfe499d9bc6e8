"""Records of both kinds of datasets, spoilt by what they say and as text: made again, checked and converted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from fuzz_bytes import Random, mutate_bytes
from fuzz_feeding import run_command, why
from fuzz_place import Guard, Place
from fuzz_seeds import encoded, photo
from fuzz_values import ESCAPES, json_bytes, mutate_value, paths_of

from synthharm.errors import SynthharmError
from synthharm.generate import check_dataset, generate
from synthharm.generate.replaying import read_records, replay_all

WIDTH, HEIGHT = 96, 80
RETOUCH: dict[str, Any] = {"samples": 4, "writer": {"format": "folder"}, "split": {"train": 1.0}}
SPLICING: dict[str, Any] = {
    "samples": 8,
    "kinds": {"authentic": 0.125, "retouch": 0.125, "splice": 0.375, "copy_move": 0.125, "removal": 0.25},
    "removal": {"largest": 0.5},
    "placement": {"support": "anywhere", "cut_off": True},
    "edges": {"alpha": {"mask": 1.0}},
    "history": [
        {"name": "none", "share": 0.5},
        {"name": "some", "share": 0.5, "steps": [
            {"step": "resize", "factor": [0.8, 1.2]}, {"step": "crop", "keep": [0.8, 1]}, {"step": "webp"},
            {"step": "blur", "sigma": [0.3, 0.8]}, {"step": "noise", "sigma": [1, 4]}]},
    ],
    "encoding": {"format": "jpeg", "quality": [70, 95]},
    "split": {"train": 1.0},
}  # fmt: skip
# What a record says of where its files go, and of what is computed from it.
DONE = ("edits", "history", "arguments", "encoder", "chain", "region")
PLACES = ("path", "mask", "photo", "split", "step", "edit")


def prepare(root: Path) -> Records:
    """The kind, tried on what is sound."""
    place = Place(root)
    place.make({".png": encoded(photo(seed=9), "PNG")})
    _lay_source(place.data)
    return Records(place)


def _lay_source(data: Path) -> None:
    (data / "images").mkdir()
    images, annotations = [], []
    for number in range(1, 5):
        (data / "images" / f"{number}.png").write_bytes(encoded(photo(WIDTH, HEIGHT, seed=number), "PNG"))
        images.append({"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT})
        for place, left in enumerate((8, 50)):
            corners = [[left, 20, left + 24, 20, left + 24, 60, left, 60]]
            region = {"id": 2 * number + place, "image_id": number, "category_id": 1, "segmentation": corners}
            annotations.append(region)
    (data / "images" / "link.png").symlink_to("../../outside/secret.png")
    listing = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (data / "instances.json").write_text(json.dumps(listing))


class Records:
    """Cases of records, below `made` the datasets that they are of."""

    def __init__(self, place: Place) -> None:
        self.place, self.guard, self.made = place, Guard(place), {}
        self.escapes = (*ESCAPES, str(place.outside / "secret.png"), str(place.outside / "new.png"))
        for name, recipe in (("retouch", RETOUCH), ("splicing", SPLICING)):
            path, folder = place.root / f"{name}.yaml", place.root / "made" / name
            path.write_text(json.dumps(recipe | {"data": str(place.data), "source": {"format": "coco"}}))
            generate(path, folder)
            file = folder / "records" / "00000.jsonl"
            self.made[name] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
            assert self._replay(name, file) == "accepted"
            assert not list(check_dataset(folder))
            self._command(name, file)
        self.guard.awake = True

    def run(self, random: Random) -> str:
        self._clear()
        name = str(random.choice(["retouch", "splicing", "splicing"]))
        records, kind = self.made[name], random.random()
        file = self.place.output / str(random.choice(["one.json", "one.json", "many.jsonl"]))
        at = int(random.integers(len(records)))
        text = self._spoilt(random, records[at])
        if file.suffix == ".jsonl":
            text = b"\n".join([json.dumps(records[at - 1]).encode(), text.replace(b"\n", b" ")])
        try:
            if kind < 0.2:
                return self._check(name, at, text.replace(b"\n", b" "))
            file.write_bytes(text)
            return self._command(name, file) if kind < 0.3 else self._replay(name, file)
        except SynthharmError as error:
            return why(error)

    def _clear(self) -> None:
        for folder in (self.place.output, self.place.temp):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()

    def _replay(self, name: str, file: Path) -> str:
        output = self.place.output / "again"
        with self.guard.up():
            read = len(list(read_records(file, None)))
            options: dict[str, Any] = {"recipe": self.place.root / f"{name}.yaml", "output": output}
            replayed = list(replay_all(file, str(self.place.data), **options))
        assert read == len(replayed)
        self._look(output)
        return "accepted"

    def _command(self, name: str, file: Path) -> str:
        output, recipe = self.place.output / "again", self.place.root / f"{name}.yaml"
        words = (file, "--data", self.place.data, "--output", output, "--recipe", recipe)
        _, said = run_command(self.guard, "replay", *words)
        self._look(output)
        return "accepted" if "made again" in said else why(SynthharmError(said))

    def _check(self, name: str, at: int, text: bytes) -> str:
        """In its dataset's place: what is wrong with it, and what becomes of it in another format."""
        folder = self.place.output / "dataset"
        shutil.copytree(self.place.root / "made" / name, folder)
        lines = [json.dumps(record).encode() for record in self.made[name]]
        lines[at] = text
        (folder / "records" / "00000.jsonl").write_bytes(b"\n".join(lines) + b"\n")
        with self.guard.up():
            problems = list(check_dataset(folder))
        assert problems  # its sum, at least
        if name == "splicing":
            run_command(self.guard, "convert", folder, "--to", "coco", "--output", self.place.output / "again")
        return "accepted" if len(problems) == 1 else "a problem"

    def _look(self, output: Path) -> None:
        """What was written is below the output, and nothing is beside it."""
        known = {"again", "one.json", "many.jsonl", "dataset"}
        beside = {path.name for path in self.place.output.iterdir()} - known
        assert not beside, f"beside the output: {beside}"
        assert not output.exists() or output.is_dir(), "a file in the output's place"

    def _spoilt(self, random: Random, record: dict[str, Any]) -> bytes:
        kind = random.random()
        if kind < 0.1:
            return mutate_bytes(random, json.dumps(record).encode())
        if kind < 0.5:
            return json_bytes(random, mutate_value(random, record, self.escapes))
        record = json.loads(json.dumps(record))
        if kind < 0.75:  # one of the parts that say what is to be done
            parts = [key for key in DONE if key in record]
            part = parts[int(random.integers(len(parts)))]
            record[part] = mutate_value(random, record[part], self.escapes)
            return json_bytes(random, record)
        places = [keys for keys in paths_of(record) if keys and keys[-1] in PLACES]
        keys = places[int(random.integers(len(places)))]
        holder: Any = record
        for key in keys[:-1]:
            holder = holder[key]
        holder[keys[-1]] = self.escapes[int(random.integers(len(self.escapes)))]
        return json_bytes(random, record)
