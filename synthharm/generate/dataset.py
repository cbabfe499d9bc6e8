"""A dataset's folder: what is in it, whose it is, and how far it has come."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

from synthharm.errors import SynthharmError
from synthharm.files import ASIDE, file_names, json_text, parse_json, remove_folder, write_atomically
from synthharm.generate.running.claims import Claims, Taken, claims, nothing
from synthharm.generate.running.part import BEGIN, Part
from synthharm.generate.sample import library_versions
from synthharm.recipe import AnyRecipe, SplicingRecipe
from synthharm.storage import is_remote, is_there
from synthharm.writers import Record
from synthharm.yamlfile import dump_yaml

PLAN, RECIPE, SUMMARY, REJECTS, SUMS = "plan.json", "recipe.yaml", "dataset.json", "rejects.jsonl", "SHA256SUMS"
WORK = ".partial"  # what a run needs until it is finished
FORMAT = 1
TABLES = "tables.json"  # cameras' quantization tables, where the recipe uses them

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Dataset:
    """A folder that a dataset is, or will be, in; behind an address it may be too.

    `plan.json` is written first and says whose folder it is; a shard is done when its file in `records/` is there;
    the dataset is when SHA256SUMS, written last, is.
    """

    folder: Path

    @property
    def work(self) -> Path:
        """The folder of what a run needs until it is finished."""
        return self.folder / WORK

    @property
    def finished(self) -> bool:
        """Whether the dataset is whole."""
        return is_there(self.folder / SUMS)

    @property
    def begun(self) -> bool:
        """Whether it is written down what is made here."""
        return is_there(self.folder / PLAN)

    def plan_sha256(self) -> str:
        """sha256 in hex of what is written down there."""
        return hashlib.sha256((self.folder / PLAN).read_bytes()).hexdigest()

    @property
    def claims(self) -> Claims:
        """Who works on it."""
        return claims(self.work / "locks")

    def status_file(self, part: str) -> Path:
        """Where the state of the run that makes a part is, until the dataset is finished."""
        return self.work / "status" / f"{part}.json"

    def done_shards(self) -> set[int]:
        """The numbers of the shards that are done."""
        names = (name.partition(".") for name in file_names(self.folder / "records"))
        return {int(stem) for stem, _, end in names if end == "jsonl" and stem.isdigit()}

    def records_file(self, shard: int) -> Path:
        """Where a shard's records are once it is done."""
        return self.folder / "records" / f"{shard:05d}.jsonl"

    def rejects_file(self, shard: int) -> Path:
        """Where a shard's rejects are until the run is finished."""
        return self.work / "rejects" / f"{shard:05d}.jsonl"

    def records(self) -> Iterator[Record]:
        """All records of a harmonization dataset, as `read_records` gives them."""
        return self.read_records(Record.from_json)

    def read_records(self, parse: Callable[[bytes], Parsed]) -> Iterator[Parsed]:
        """All records, in the order of the samples.

        Args:
            parse: reads a line, or raises ValueError.

        Raises:
            SynthharmError: a line is not a record.
        """
        for shard in sorted(self.done_shards()):
            path = self.records_file(shard)
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        yield parse(line)
                    except ValueError as error:
                        place = path.relative_to(self.folder).as_posix()
                        raise SynthharmError(f"{place}: line {number} is not a record: {error}") from error

    @property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe that the dataset was made by, without the data root.

        Raises:
            SynthharmError: the folder has no plan, so it is not a dataset.
        """
        try:
            recipe = parse_json((self.folder / PLAN).read_bytes())["recipe"]
            if not isinstance(recipe, dict):
                raise TypeError(f"its recipe is {recipe!r}")
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise SynthharmError(f"{self.folder}: is not a dataset of synthharm: {PLAN}: {error!r}") from error
        return recipe

    @contextmanager
    def claimed(self, recipe: AnyRecipe, part: Part | None = None) -> Iterator[None]:
        """Hold the folder, or one part of it, for one run.

        Raises:
            SynthharmError: there are other files in it, another recipe's dataset, or another run.
        """
        part = part or Part()
        self.refuse(recipe)
        if self.finished:
            if part.whole:
                remove_folder(self.work)
            yield
            return
        try:
            yield from self._hold(part)
        except Taken as error:
            raise SynthharmError(f"output: another run is writing into {self.folder}: {error}") from error
        finally:
            if self.finished:  # by another part, and this one has said since how it ended
                remove_folder(self.work)

    def _hold(self, part: Part) -> Iterator[None]:
        with self.claims.hold(part.name, against=part.rules_out):
            if part.whole:
                self.sweep()
                remove_folder(self.status_file(part.name).parent)  # of ranks that nobody goes on with now
            try:
                yield
            finally:
                if part.whole and not self.begun:
                    remove_folder(self.work)

    def refuse(self, recipe: AnyRecipe) -> None:
        """Refuse to work here for a recipe that is not the folder's.

        Raises:
            SynthharmError: there are other files in it, or another recipe's dataset.
        """
        if self.begun:
            self._refuse_differences(_plan(recipe))
        elif self.folder.exists() and not self._is_free():
            raise SynthharmError(
                f"output: {self.folder} is there and not a dataset; a new or empty folder is accepted"
            )

    def sweep(self) -> None:
        """Remove what runs left behind that were stopped; none may be at work."""
        if is_remote(self.folder):
            return  # there is nothing half-written behind an address
        remove_folder(self.work / "staging")
        for folder in [self.folder, *_folders(self.folder)]:
            _remove_asides(folder)

    def begin(self, recipe: AnyRecipe, sources: str, files: str) -> None:
        """Write down what is made here, or refuse to go on with what is not the same.

        Args:
            recipe: the recipe.
            sources: the digest of the index of its sources.
            files: what tells their photos and masks from such as were changed since, of the index too.

        Raises:
            SynthharmError: the folder was begun with other sources, or by another recipe or other libraries.
        """
        # Of several parts that begin at once, the first one's recipe counts.
        with nullcontext() if self.begun else self.claims.hold(BEGIN, against=nothing, wait=True):
            self._begin(recipe, json_text({"listing": sources, "files": files}))

    def _begin(self, recipe: AnyRecipe, sources: bytes) -> None:
        path = self.work / "sources.json"
        (self.work / "staging").mkdir(parents=True, exist_ok=True)
        if self.begun:
            self._refuse_differences(_plan(recipe))
            if is_there(path):
                self._refuse_other_sources(parse_json(path.read_bytes()), parse_json(sources))
        write_atomically(path, sources)
        # Nothing is in the folder itself before this says whose it is.
        if not self.begun:
            write_atomically(self.folder / PLAN, json_text(_plan(recipe)))

    def _refuse_other_sources(self, there: dict[str, str], here: dict[str, str]) -> None:
        if there["listing"] != here["listing"]:
            how = "their listing has changed since; generate into a new folder"
        elif there["files"] != here["files"]:
            how = (
                "photos or masks have other sizes or times of change since; put them back as they were "
                "(cp -p keeps times), or generate into a new folder"
            )
        else:
            return
        raise SynthharmError(f"output: {self.folder} was begun with other sources: {how}")

    def write_recipe(self, recipe: AnyRecipe) -> None:
        """Write the resolved recipe, without the data root, as a file that can be run again."""
        write_atomically(self.folder / RECIPE, _as_yaml(recipe))

    def _is_free(self) -> bool:
        """Whether nothing is in the folder but what a run left that was stopped before it began."""
        return self.folder.is_dir() and all(
            path.name == WORK or fnmatch(path.name, ASIDE) for path in self.folder.iterdir()
        )

    def _refuse_differences(self, mine: dict[str, Any]) -> None:
        try:
            theirs = parse_json((self.folder / PLAN).read_bytes())
        except ValueError as error:
            raise SynthharmError(f"output: {self.folder / PLAN} cannot be read: {error}") from error
        there, here = dict(_flatten(theirs)), dict(_flatten(mine))
        lines = [
            f"{key.removeprefix('recipe.')}: {there.get(key)!r} in the folder, {here.get(key)!r} now"
            for key in dict.fromkeys([*there, *here])
            if there.get(key) != here.get(key)
        ]
        if not lines and json.dumps(theirs) != json.dumps(mine):
            lines = ["its sections or shares are in another order, which the draws depend on"]
        if lines:
            raise SynthharmError(
                f"output: {self.folder} holds a dataset made otherwise; generate into a new folder\n  "
                + "\n  ".join(lines)
            )


def _folders(folder: Path) -> list[Path]:
    """The folders directly in a local folder that is there or not."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []


def _remove_asides(folder: Path) -> None:
    """Remove files that are not whole, one name after the other: a folder has one for every sample."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name[0] == "." and fnmatch(entry.name, ASIDE):
                Path(entry.path).unlink(missing_ok=True)


def _plan(recipe: AnyRecipe) -> dict[str, Any]:
    return {"format": FORMAT, "recipe": _identity(recipe), "versions": library_versions()}


def _identity(recipe: AnyRecipe) -> dict[str, Any]:
    """What makes a recipe the same one: all but where the data lies on this machine."""
    identity = recipe.model_dump(mode="json", exclude={"data"})
    if isinstance(recipe, SplicingRecipe):
        if recipe.camera_tables is not None:
            identity["camera_tables"] = TABLES  # which the dataset holds
        if recipe.checkpoint is not None and Path(recipe.checkpoint).is_absolute():
            identity["checkpoint"] = Path(recipe.checkpoint).name
    return identity


def _as_yaml(recipe: AnyRecipe) -> bytes:
    text = dump_yaml(_identity(recipe))
    return f"# synthharm generate recipe.yaml --set data=FOLDER --output FOLDER\n{text}".encode()


def _flatten(data: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _flatten(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, data
