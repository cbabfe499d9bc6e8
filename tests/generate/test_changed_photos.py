"""A photo that was another file for some samples than for others ends the run, and fails the check."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from splicing_datasets import Made, samples_of
from splicing_spoiling import own, put_record
from spoiling import problems, put_records, records_of

from synthharm.errors import SynthharmError
from synthharm.generate.dataset import Dataset
from synthharm.generate.finish import Numbers as RetouchNumbers
from synthharm.generate.splicing.finishing import read_all
from synthharm.generate.splicing.numbers import Numbers
from synthharm.generate.splicing.stored import records
from synthharm.writers.checksums import Checksums
from synthharm.writers.sorting import Sorter


def test_a_changed_photo_is_found_by_the_check(copy: Path) -> None:
    made = records_of(copy)
    later = next(one for one in made if any(one.source["photo"] == o.source["photo"] for o in made[: one.sample]))
    first = next(one for one in made if one.source["photo"] == later.source["photo"])

    def change(record: dict[str, Any]) -> None:
        if record["sample"] == later.sample:
            record["source"]["sha256"] = "0" * 64

    put_records(copy, change)
    key, was = first.source["photo"], first.source["sha256"]
    said = f"photo {key} changed during the run: sample {first.sample} was made of sha256 {was}, "
    said += f"sample {later.sample} of {'0' * 64}"
    assert problems(copy) == [said]
    numbers, changed = RetouchNumbers(), records_of(copy)
    for record in changed[: later.sample]:
        numbers.add(record)
    with pytest.raises(SynthharmError) as raised:
        numbers.add(changed[later.sample])
    assert str(raised.value) == f"sources: {said}; generate into a new folder"


def test_a_changed_photo_of_a_splice_is_found_and_nothing_is_finished(splicing: Made, tmp_path: Path) -> None:
    folder = shutil.copytree(splicing.plain(), tmp_path / "copy")
    uses = [(one.sample, photo["photo"]) for one in samples_of(folder) for photo in one.photos]
    sample, key = next(use for use in uses if any(other[1] == use[1] and other[0] < use[0] for other in uses))

    def change(record: dict[str, Any]) -> None:
        for photo in record["photos"]:
            if photo["photo"] == key:
                photo["sha256"] = "0" * 64

    put_record(folder, sample, change)
    assert any(line.startswith(f"photo {key} changed during the run: ") for line in own(problems(folder)))
    table = (folder / "metadata.parquet").read_bytes()
    with (
        Sorter() as rows,
        pytest.raises(SynthharmError, match=rf"sources: photo {key} changed .* generate into a new folder"),
    ):
        read_all(Dataset(folder), Numbers(splicing.recipe), Checksums(rows))
    assert (folder / "metadata.parquet").read_bytes() == table
    assert json.loads((folder / "dataset.json").read_bytes())["samples"] == sum(
        1 for _ in records(Dataset(folder))
    )
