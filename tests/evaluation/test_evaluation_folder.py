"""The folder of an evaluation: an earlier one is replaced, what is not ours stays, and figures come first."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluated_methods import Brighter
from paired_folders import pictures, save, write_folders
from small_datasets import tree

from synthharm.errors import SynthharmError
from synthharm.evaluation import worst
from synthharm.evaluation.pairs import open_pairs
from synthharm.evaluation.protocols import PROTOCOLS
from synthharm.evaluation.run import evaluate
from synthharm.evaluation.summary import Evaluation
from synthharm.report import Row, contact_sheet

ISSAM, FULL = PROTOCOLS["issam"].at(64), PROTOCOLS["issam"].at(None)


def results(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text())


@pytest.mark.usefixtures("undrawn")
def test_an_earlier_evaluation_is_replaced(tmp_path: Path) -> None:
    pairs = open_pairs(write_folders(tmp_path / "set"))
    out = tmp_path / "out"
    evaluate(pairs, [Brighter(3)], [FULL], out)
    (out / "plots").mkdir()
    (out / "plots" / "issam_full_bins.png").touch()
    evaluate(pairs, [Brighter(3)], [ISSAM], out)
    assert set(tree(out)) == {"per_image.csv", "table.csv", "tables.md", "results.json", "worst.png"}
    with (out / "per_image.csv").open() as file:
        assert {row["size"] for row in csv.DictReader(file)} == {"64"}


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    pairs = open_pairs(write_folders(tmp_path / "set"))
    before = tree(tmp_path / "set")
    with pytest.raises(SynthharmError, match="holds 'comp'"):
        evaluate(pairs, [Brighter(3)], [FULL], tmp_path / "set")
    assert tree(tmp_path / "set") == before
    (tmp_path / "file").touch()
    with pytest.raises(SynthharmError, match="is a file"):
        evaluate(pairs, [Brighter(3)], [FULL], tmp_path / "file")


OTHERS = '{"protocols": [], "versions": {"synthharm": "0"}}'
FOREIGN = '{"settings":0,"protocols":[],"methods":0,"subject":0,"lines":0,"rejects":0,"versions":{"other":"0"}}'


@pytest.mark.parametrize("text", ["{}", "[1]", "no JSON", OTHERS, FOREIGN, None])
def test_results_of_something_else_are_left_alone(tmp_path: Path, text: str | None) -> None:
    pairs, out = open_pairs(write_folders(tmp_path / "set")), tmp_path / "out"
    (out / "plots").mkdir(parents=True)
    (out / "plots" / "thesis_fig1.png").touch()
    if text is not None:
        (out / "results.json").write_text(text)
    before = tree(out)
    with pytest.raises(SynthharmError, match=r"holds 'plots', but no results\.json of an evaluation"):
        evaluate(pairs, [Brighter(3)], [FULL], out)
    assert tree(out) == before


@pytest.mark.usefixtures("undrawn")
def test_plots_of_somebody_else_stay(tmp_path: Path) -> None:
    pairs, out = open_pairs(write_folders(tmp_path / "set")), tmp_path / "out"
    evaluate(pairs, [Brighter(3)], [FULL], out)
    (out / "plots").mkdir()
    (out / "plots" / "thesis_fig1.png").write_bytes(b"mine")
    evaluate(pairs, [Brighter(3)], [ISSAM], out)
    assert (out / "plots" / "thesis_fig1.png").read_bytes() == b"mine"


def test_figures_are_there_where_pictures_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Evaluation) -> Iterator[tuple[str, bytes]]:
        raise MemoryError

    monkeypatch.setattr("synthharm.evaluation.writing.draw_plots", fail)
    pairs, out = open_pairs(write_folders(tmp_path / "set")), tmp_path / "out"
    with pytest.raises(MemoryError):
        evaluate(pairs, [Brighter(3)], [FULL], out)
    assert set(tree(out)) == {"per_image.csv", "table.csv", "tables.md"}
    with pytest.raises(SynthharmError, match="came to its end"):
        evaluate(pairs, [Brighter(3)], [FULL], out)


def test_the_sheets_pictures_are_held_as_small_as_it_shows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, picture in zip(("comp", "mask", "image"), pictures(0, 700, 500, 80), strict=True):
        save(picture, tmp_path / "set" / folder / "large.png")
    pairs = open_pairs(tmp_path / "set")
    shown: list[Row] = []

    def catch(rows: list[Row], title: str, titles: tuple[str, ...]) -> np.ndarray:
        shown.extend(rows)
        return contact_sheet(rows, title, titles)

    monkeypatch.setattr(worst, "contact_sheet", catch)
    cases = [worst.Case("comp/large.png", why, 1.0, 2.0) for why in ("highest", "increase")]
    small = worst.worst_sheet(pairs, cases, Brighter(30), ISSAM)
    assert [picture.shape for row in shown for picture in row.pictures] == [(166, 232, 3)] * 8
    monkeypatch.setattr(worst, "_shrink", lambda picture: picture)
    assert np.array_equal(worst.worst_sheet(pairs, cases, Brighter(30), ISSAM), small)
