"""An evaluation scores every pair that can be used, says what it left out, and is the same every time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from evaluated_methods import Brighter, Told, small_harmonizer
from paired_folders import pictures, save, write_folders, write_iharmony4
from PIL import Image
from rich.console import Console
from small_datasets import tree, write_photos, write_recipe

from synthharm.errors import SynthharmError
from synthharm.evaluation.methods import Composite, Histogram, Lifted, Network, Oracle, Reinhard
from synthharm.evaluation.pairs import Pairs, open_pairs
from synthharm.evaluation.perceptual import Distance
from synthharm.evaluation.plots import draw_plots
from synthharm.evaluation.progress import progress_bar
from synthharm.evaluation.protocols import PROTOCOLS, run_method
from synthharm.evaluation.realism import colour_distance
from synthharm.evaluation.run import evaluate
from synthharm.evaluation.summary import Evaluation, Scored
from synthharm.filters import FilterChain
from synthharm.generate import Dataset, generate

ISSAM, FULL = PROTOCOLS["issam"].at(64), PROTOCOLS["issam"].at(None)
OTHER = PROTOCOLS["harmonizer"].at((48, 64))


@dataclass(frozen=True)
class Made:
    """An evaluation of a dataset of synthharm, with its folder."""

    dataset: Dataset
    folder: Path
    pairs: Pairs
    network: Network
    evaluation: Evaluation

    def rows(self, method: str, size: str = "full", protocol: str = "issam") -> list[Scored]:
        wanted = (method, size, protocol)
        return [row for row in self.evaluation.scored if (row.method, row.size, row.protocol) == wanted]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("evaluation")
    recipe = write_recipe(folder / "recipe.yaml", write_photos(folder / "photos"), samples=5)
    generate(recipe, folder / "dataset")
    pairs = open_pairs(folder / "dataset")
    network = Network(small_harmonizer())
    methods = [Reinhard(), Histogram(), Oracle(pairs.chains[0]), network, Lifted(network, 2, 64)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("synthharm.evaluation.writing.draw_plots", plots_of_first)
        settings = {"data": "five photos"}
        found = evaluate(pairs, methods, [ISSAM, FULL, OTHER], folder / "results", settings=settings)
    return Made(Dataset(folder / "dataset"), folder / "results", pairs, network, found)


def plots_of_first(evaluation: Evaluation) -> Iterator[tuple[str, bytes]]:
    """The plots of the first protocol, as they are drawn for each."""
    first = next(iter(evaluation.described))
    return draw_plots(replace(evaluation, described={first: evaluation.described[first]}))


def results(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text())


def test_every_pair_is_scored_by_every_method_that_runs_there(made: Made) -> None:
    names = ["composite", "reinhard", "histogram", "oracle", "harmonizer"]
    expected = [
        (pair, protocol.name, size, method)
        for pair in made.pairs.names
        for protocol, size, methods in (
            (ISSAM, "64", names),
            (FULL, "full", [*names, "harmonizer + PCM2"]),
            (OTHER, "48x64", names),
        )
        for method in methods
    ]
    assert [(row.name, row.protocol, row.size, row.method) for row in made.evaluation.scored] == expected
    assert made.evaluation.rejects == ()


def test_true_arguments_bring_the_real_image_back(made: Made) -> None:
    records = {record.files["image"]["path"]: record for record in made.dataset.records()}
    for row in made.rows("oracle"):
        measured = records[row.name].measured
        assert row.measures["fmse"] < 0.01 * measured["foreground_mse"]
        # The record measures what can be recovered, the protocol every pixel of the foreground.
        if measured["recoverable"] == 1:
            assert row.measures["fmse"] == pytest.approx(measured["recovery_mse"], rel=1e-3)


def test_the_composites_error_is_the_records(made: Made) -> None:
    records = {record.files["image"]["path"]: record for record in made.dataset.records()}
    for row in made.rows("composite"):
        assert row.measures["fmse"] == pytest.approx(records[row.name].measured["foreground_mse"], rel=1e-9)
        assert row.foreground == pytest.approx(records[row.name].region["share"])


def test_the_composites_error_is_of_the_same_protocol_and_size(made: Made) -> None:
    composites = {
        (row.name, row.protocol, row.size): row.measures["fmse"]
        for row in made.evaluation.scored
        if row.method == "composite"
    }
    for row in made.evaluation.scored:
        assert row.composite_fmse == composites[row.name, row.protocol, row.size]


def test_arguments_are_compared_by_column(made: Made) -> None:
    true = {pair.name: pair.arguments for pair in made.pairs}
    for row in made.rows("harmonizer"):
        assert {column: one.true for column, one in row.arguments.items()} == true[row.name]
        assert {column: one.predicted for column, one in row.arguments.items()} == row.predicted
        assert all(one.error == one.predicted - one.true for one in row.arguments.values())
    assert all(one.error == 0 for row in made.rows("oracle") for one in row.arguments.values())
    assert all(row.arguments == {} for row in made.rows("reinhard"))


@pytest.mark.usefixtures("undrawn")
def test_arguments_of_another_chain_are_not_compared(made: Made, tmp_path: Path) -> None:
    chain = made.pairs.chains[0]
    names = [one.name for one in chain.filters]
    span = {chain.columns[0]: chain.parameters[0].span / 2}
    told = {
        "same": FilterChain(names, chain.statistics, span),  # whence arguments are drawn does not matter
        "turned": FilterChain(names[::-1], chain.statistics),
        "means": FilterChain(names, "foreground" if chain.statistics == "image" else "image"),
        "unknown": None,
    }
    methods = [Told(one, name) for name, one in told.items()]
    found = evaluate(made.pairs.spread(2), methods, [ISSAM], tmp_path / "out")
    compared = {row.method for row in found.scored if row.arguments}
    assert compared == {"same"}
    assert {line.method for line in found.lines if line.table == "argument"} == {"same"}
    said = {
        "turned": f"the method's filters are {names[-1]}",
        "means": "the method's means are over the ",
        "unknown": "it is not known which chain",
    }
    for (name, why), note in zip(said.items(), results(tmp_path / "out")["notes"], strict=True):
        assert note.startswith(f"Arguments of {name} are not compared with the true ones of 2 pairs: {why}")
        assert note in (tmp_path / "out" / "tables.md").read_text()


def test_the_folder_holds_what_is_promised(made: Made) -> None:
    plots = {f"plots/issam_64_{kind}.png" for kind in ("bins", "scatter", "arguments")}
    tables = {"per_image.csv", "table.csv", "tables.md", "results.json", "worst.png"}
    assert set(tree(made.folder)) == plots | tables
    for name in [*plots, "worst.png"]:
        assert np.asarray(Image.open(made.folder / name)).std() > 10
    with (made.folder / "per_image.csv").open() as file:
        stored = list(csv.DictReader(file))
    assert len(stored) == len(made.evaluation.scored)
    for row, one in zip(stored, made.evaluation.scored, strict=True):
        assert float(row["fmse"]) == one.measures["fmse"]
        for column, argument in one.arguments.items():
            assert float(row[f"error:{column}"]) == argument.error
    found = results(made.folder)
    assert found["settings"] == {"data": "five photos"}
    assert found["pairs"] == {"listed": 5, "used": 5, "rejects": 0}
    assert len(found["lines"]) == len(made.evaluation.lines)


def test_every_table_says_how_it_was_measured(made: Made) -> None:
    text = (made.folder / "tables.md").read_text()
    for protocol in (ISSAM, FULL, OTHER):
        tables = {line.table for line in made.evaluation.lines if line.protocol == protocol.name}
        assert text.count(protocol.described) == len(tables)
    assert made.evaluation.lpips in text
    assert "averaged per image" in text
    for column in made.pairs.chains[0].columns:
        assert f"| {column} | harmonizer | 5 |" in text


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_an_evaluation_is_the_same_every_time(made: Made, tmp_path: Path) -> None:
    methods = [Oracle(made.pairs.chains[0]), made.network]
    for name in ("first", "second"):
        evaluate(made.pairs, methods, [ISSAM], tmp_path / name)
    assert tree(tmp_path / "first") == tree(tmp_path / "second")
    assert str(tmp_path) not in (tmp_path / "first" / "results.json").read_text()


@pytest.mark.slow
def test_plots_are_the_same_every_time_whatever_a_user_has_set(made: Made) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 30, "savefig.dpi": 40}):
        for name, data in plots_of_first(made.evaluation):
            assert (made.folder / "plots" / name).read_bytes() == data


@pytest.mark.usefixtures("undrawn")
def test_a_pair_that_cannot_be_used_is_listed_and_the_run_goes_on(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set", count=4)
    (root / "image" / "p1.png").unlink()
    save(np.zeros((32, 40), np.uint8), root / "mask" / "p2.png")
    found = evaluate(open_pairs(root), [Reinhard()], [FULL], tmp_path / "out")
    assert [(one.name, one.reason) for one in found.rejects] == [
        ("comp/p1.jpg", "missing"),
        ("comp/p2.jpg", "empty mask"),
    ]
    assert {row.name for row in found.scored} == {"comp/p0.jpg", "comp/p3.jpg"}
    assert results(tmp_path / "out")["pairs"] == {"listed": 4, "used": 2, "rejects": 2}
    assert "- comp/p1.jpg: missing: image/p1.jpg" in (tmp_path / "out" / "tables.md").read_text()


@pytest.mark.usefixtures("undrawn")
def test_a_method_that_can_do_nothing_with_a_pair_is_listed(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set", count=2)
    save(np.full((32, 40), 255, np.uint8), root / "mask" / "p0.png")
    found = evaluate(open_pairs(root), [Reinhard(), Brighter(1)], [FULL], tmp_path / "out")
    (reject,) = found.rejects
    assert (reject.name, reject.reason) == ("comp/p0.jpg", "no background")
    assert reject.detail.startswith("issam at full: reinhard: ")
    assert [row.method for row in found.scored] == ["composite", "brighter", "composite", "reinhard", "brighter"]
    text = (tmp_path / "out" / "tables.md").read_text()
    above, _, below = text.partition("### All pairs\n")[2].partition("| method |")
    assert "those of reinhard (1 of 2 pairs) do not compare with the others." in above
    assert "| reinhard | 1 |" in below


@pytest.mark.usefixtures("undrawn")
def test_a_pair_may_be_too_small_for_one_protocol(tmp_path: Path) -> None:
    for folder, picture in zip(("comp", "mask", "image"), pictures(0), strict=True):
        save(picture[:10, :16], tmp_path / "set" / folder / "small.png")
    found = evaluate(open_pairs(tmp_path / "set"), [Reinhard()], [FULL, ISSAM], tmp_path / "out")
    assert [(one.name, one.reason) for one in found.rejects] == [("comp/small.png", "not scored")]
    assert {row.size for row in found.scored} == {"64"}


@pytest.mark.usefixtures("undrawn")
def test_nothing_that_can_be_used_is_an_error(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set", count=2)
    for path in (root / "mask").iterdir():
        path.unlink()
    with pytest.raises(SynthharmError, match=r"none of 2 pairs can be used.*\n.*p0\.jpg: missing"):
        evaluate(open_pairs(root), [Reinhard()], [FULL], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("undrawn")
def test_subsets_have_lines_of_their_own(tmp_path: Path) -> None:
    pairs = open_pairs(write_iharmony4(tmp_path / "set"), "test")
    found = evaluate(pairs, [Brighter(3)], [FULL], tmp_path / "out")
    lines = [(line.group, line.method, line.pairs) for line in found.lines if line.table == "subset"]
    assert lines == [
        ("HCOCO", "composite", 2),
        ("HCOCO", "brighter", 2),
        ("HFlickr", "composite", 1),
        ("HFlickr", "brighter", 1),
    ]


@pytest.mark.parametrize("size", [None, 24])
def test_without_real_images_it_is_measured_how_alike_colours_are(tmp_path: Path, size: int | None) -> None:
    root = write_folders(tmp_path / "set", ("comp", "mask"))
    methods = [Reinhard(), Brighter(25.5, column="brightness")]
    found = evaluate(open_pairs(root), methods, [PROTOCOLS["issam"].at(size)], tmp_path / "out")
    assert {line.table for line in found.lines} == {"realism"}
    assert [line.pairs for line in found.pooled("issam", "full" if size is None else f"{size}")] == [3, 3, 3]
    for row in found.scored:
        assert (row.measures, row.composite_fmse, row.arguments) == ({}, None, {})
        if row.method == "composite":
            assert row.realism["mean_before"] == row.realism["mean_after"]
        if row.method == "reinhard":  # which gives the region the background's mean
            assert row.realism["mean_after"] < 0.2 * row.realism["mean_before"]
        if row.method == "brighter":
            span = FilterChain(["brightness"]).parameters[0].span
            assert row.realism["from_neutral"] == pytest.approx(0.1 / span)
    assert not list((tmp_path / "out").glob("plots/*"))  # which are of errors
    assert (tmp_path / "out" / "worst.png").is_file()
    assert "MSE" not in (tmp_path / "out" / "table.csv").read_text().upper()
    text = (tmp_path / "out" / "tables.md").read_text()
    assert PROTOCOLS["issam"].at(size).described_without_real in text
    assert PROTOCOLS["issam"].at(size).described not in text


@pytest.mark.usefixtures("undrawn")
def test_without_real_images_what_only_errors_need_is_not_asked_for(tmp_path: Path) -> None:
    """A size that SSIM can be taken of, and a range of values for PSNR."""
    composite, mask, _ = pictures(0)
    save(composite[:10, :16], tmp_path / "set" / "comp" / "small.png")
    save(mask[:10, :16], tmp_path / "set" / "mask" / "small.png")
    save(np.full_like(composite, 90), tmp_path / "set" / "comp" / "flat.png")
    save(mask, tmp_path / "set" / "mask" / "flat.png")
    found = evaluate(open_pairs(tmp_path / "set"), [], [FULL, PROTOCOLS["harmonizer"].at(None)], tmp_path / "out")
    assert found.rejects == ()
    assert [row.name for row in found.scored] == ["comp/flat.png"] * 2 + ["comp/small.png"] * 2


@pytest.mark.usefixtures("undrawn")
def test_without_real_images_the_mask_is_the_protocols(tmp_path: Path) -> None:
    pairs = open_pairs(write_folders(tmp_path / "set", ("comp", "mask"), count=1))
    pair = pairs[0]
    soft = cv2.GaussianBlur(pair.mask, (0, 0), 2)
    save(soft, tmp_path / "set" / "mask" / "p0.png")
    for protocol in (one.at(size) for one in PROTOCOLS.values() for size in (None, 24)):
        found = evaluate(pairs, [], [protocol], tmp_path / "out")
        result = run_method(protocol, Composite(), pair.composite, soft)
        (row,) = found.scored
        expected = colour_distance(result.output.image, result.mask)
        assert (row.realism["mean_after"], row.realism["deviation_after"]) == expected


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("layout", [("comp", "mask", "image"), ("comp", "mask")])
def test_a_prediction_that_is_not_finite_stops_the_run(tmp_path: Path, layout: tuple[str, ...]) -> None:
    harmonizer = small_harmonizer()
    for weights in harmonizer.regressor.parameters():
        weights.data.fill_(float("nan"))
    pairs = open_pairs(write_folders(tmp_path / "set", layout))
    with pytest.raises(SynthharmError, match=r"comp/p0\.jpg: harmonizer: .*predicts no finite number"):
        evaluate(pairs, [Network(harmonizer)], [ISSAM], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(SynthharmError, match=r"comp/p0\.jpg: brighter: the prediction is not finite"):
        evaluate(pairs, [Brighter(float("nan"))], [ISSAM], tmp_path / "out")


def test_versions_are_of_the_libraries_themselves(made: Made) -> None:
    versions = results(made.folder)["versions"]
    assert set(versions) == {"synthharm", "torch", "numpy", "opencv", "pillow", "timm"}
    assert versions["opencv"] == cv2.__version__


def test_progress_is_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr("rich.console.Console", lambda **_: shown)
    with progress_bar(3, 0, "pairs") as advance:
        advance(3)
    assert "pairs" in shown.file.getvalue()
    assert "samples" not in shown.file.getvalue()


def test_names_and_protocols_differ(tmp_path: Path) -> None:
    pairs = open_pairs(write_folders(tmp_path / "set"))
    with pytest.raises(ValueError, match="different names"):
        evaluate(pairs, [Brighter(3), Brighter(4)], [FULL], tmp_path / "out")
    for protocols in ([], [FULL, FULL]):
        with pytest.raises(ValueError, match="protocols are"):
            evaluate(pairs, [Brighter(3)], protocols, tmp_path / "out")


@pytest.mark.usefixtures("undrawn")
def test_known_errors_come_out(tmp_path: Path) -> None:
    """The composite made brighter by 3 levels, scored as if the composite were the real image."""
    root = write_folders(tmp_path / "set")
    for path in (root / "comp").iterdir():
        (root / "image" / f"{path.stem}.png").write_bytes(path.read_bytes())
    found = evaluate(open_pairs(root), [Composite(), Brighter(3)], [FULL], tmp_path / "out")
    assert found.methods == ("composite", "brighter")
    assert [line.figures["fmse"] for line in found.pooled("issam", "full")] == [0, 9]


@pytest.mark.usefixtures("undrawn")
def test_lpips_is_measured_where_it_is_given(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set", count=2)
    for folder, picture in zip(("comp", "mask", "image"), pictures(0), strict=True):
        save(picture[:20, :20], root / folder / "small.png")

    def largest(one: np.ndarray, other: np.ndarray) -> float | None:
        return None if len(one) < 31 else float(abs(one - other).max())

    distance = Distance(largest, "LPIPS stands for the largest difference.", {"largest": "1.0"})
    pairs, out = open_pairs(root), tmp_path / "out"
    found = evaluate(pairs, [Brighter(3)], [FULL], out, perceptual=distance)
    assert {row.name for row in found.scored if "lpips" not in row.measures} == {"comp/small.png"}
    assert [line.pairs for line in found.pooled("issam", "full")] == [3, 3]
    assert found.lpips == distance.described
    for said in (distance.described, "issam, full size: 1 pair without LPIPS", "LPIPS |"):
        assert said in (out / "tables.md").read_text()
    assert results(out)["versions"]["largest"] == "1.0"
    without = evaluate(pairs, [Brighter(3)], [FULL], out)
    assert all("lpips" not in row.measures for row in without.scored)
    assert "LPIPS is not measured" in without.lpips
