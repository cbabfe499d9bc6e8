"""Datasets by each way of drawing arguments, and by chains of all filters: what their records say is so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from small_datasets import tree, write_photos, write_recipe

from synthharm.filters import FilterChain
from synthharm.filters.drawing import Cell, ColourStatistics, Scores, write_scores
from synthharm.generate import check_dataset, generate
from synthharm.generate.dataset import Dataset
from synthharm.masks import surroundings
from synthharm.recipe import load_recipe
from synthharm.writers import Record

PAPER = ["temperature", "brightness", "contrast", "saturation", "highlight", "shadow"]
LIGHT = ["exposure", "white_balance", "shading"]
WHOLE: dict[str, Any] = {"samples": 8, "shard": 4, "split": {"train": 1.0}}
MADE: dict[str, dict[str, Any]] = {
    "span": {"draw": {"mode": "span"}},
    "gamut": {"draw": {"mode": "gamut"}},
    "difficulty": {"samples": 20, "draw": {"mode": "difficulty", "quantiles": [[0.1, 60], [0.9, 900]]}},
    "category": {"draw": {"mode": "reference"}},
    "surroundings": {"draw": {"mode": "reference", "toward": "surroundings"}},
    "scores": {"draw": {"mode": "scores", "file": "scores.json"}},
    "light": {"chain": {"filters": LIGHT, "spans": {"white_balance.tint": 0.1}}},
    "grading": {"samples": 4, "chain": {"filters": ["curves", "lift_gamma_gain"]}},
    "colour": {"samples": 4, "chain": {"filters": ["hue", "vibrance", "tone_curve"], "statistics": "foreground"}},
}
CELL = Cell({"brightness": (0.1, 0.3), "saturation": (-0.5, 0.0)}, 2.0)

Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def made(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """The datasets of MADE, each made when first asked for, with its recipe beside it."""
    root = tmp_path_factory.mktemp("made")
    write_scores(Scores([CELL], floor=0.01), root / "scores.json")

    def make(name: str) -> Path:
        if not (root / name).exists():
            generate(write_recipe(root / f"{name}.yaml", photos, **WHOLE | MADE[name]), root / name)
        return root / name

    return make


def records(folder: Path) -> list[Record]:
    return list(Dataset(folder).records())


def read(folder: Path, record: Record, role: str) -> np.ndarray:
    flag = cv2.IMREAD_GRAYSCALE if role == "mask" else cv2.IMREAD_COLOR
    image = cv2.imread(str(folder / record.files[role]["path"]), flag)
    assert image is not None
    return image if role == "mask" else image[..., ::-1]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "span" else name for name in MADE]
)
def test_a_dataset_checks_and_is_made_again_by_its_own_recipe_in_two_jobs(
    made: Make, photos: Path, tmp_path: Path, name: str
) -> None:
    folder = made(name)
    assert list(check_dataset(folder)) == []
    stored = tmp_path / "recipe.yaml"  # away from any other file that it could depend on
    stored.write_bytes((folder / "recipe.yaml").read_bytes())
    generate(stored, tmp_path / "again", jobs=2, overrides=[f"data={photos}"])
    assert tree(tmp_path / "again") == tree(folder)


@pytest.mark.parametrize("name", MADE)
def test_records_say_how_arguments_were_drawn(made: Make, name: str) -> None:
    recipe = load_recipe(made(name).with_suffix(".yaml"))
    chain = FilterChain(recipe.chain.filters, recipe.chain.statistics, recipe.chain.spans)
    assert len(records(made(name))) == recipe.samples
    for record in records(made(name)):
        draw = record.draw
        keys = {"mode", "attempts", "kept", "wanted_mse", "computed"}
        assert draw.keys() == keys | ({"reference"} if recipe.draw.mode == "reference" else set())
        assert draw["mode"] == recipe.draw.mode
        assert draw["attempts"] >= 1
        assert 0 < draw["kept"] <= 1
        assert (draw["wanted_mse"] is None) == (recipe.draw.mode != "difficulty")
        assert draw["computed"].partition(":")[0] in ("compiled", "reference")
        assert record.chain == {"filters": recipe.chain.filters, "statistics": recipe.chain.statistics}
        assert tuple(record.arguments) == chain.columns
        if recipe.draw.mode in ("span", "gamut", "scores"):
            for column, parameter in zip(chain.columns, chain.parameters, strict=True):
                span = chain.spans.get(column, parameter.span)
                assert abs(record.arguments[column] - parameter.neutral) <= span + 1e-6


def test_difficulty_is_what_was_wanted(made: Make) -> None:
    wanted = np.array([record.draw["wanted_mse"] for record in records(made("difficulty"))])
    measured = np.array([record.measured["foreground_mse"] for record in records(made("difficulty"))])
    near = np.abs(np.log(measured / wanted)) < np.log(1.1)
    assert near.mean() >= 0.8
    assert 60 < np.median(wanted) < 900
    assert np.ptp(np.log(wanted)) > 1


def test_scores_are_where_most_arguments_are(made: Make) -> None:
    found = [r.arguments for r in records(made("scores")) if r.draw["kept"] == 1]
    inside = [all(low <= a[column] <= high for column, (low, high) in CELL.box.items()) for a in found]
    assert len(found) >= 6
    assert np.mean(inside) >= 0.8


def colours(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    measured = ColourStatistics.of(image, where)
    return np.array([*measured.means, *measured.deviations])


@pytest.mark.parametrize("toward", ["category", "surroundings"])
def test_a_reference_is_another_photo_and_is_approached(made: Make, photos: Path, toward: str) -> None:
    before, after = [], []
    for record in records(made(toward)):
        reference = record.draw["reference"]
        assert reference["photo"] != record.source["photo"]
        assert (reference["toward"], reference["category"]) == (toward, None)
        name = Path(reference["photo"]).name
        photo = cv2.imread(str(photos / "images" / name))[..., ::-1]
        mask = cv2.imread(str(photos / "masks" / name), cv2.IMREAD_GRAYSCALE)
        wanted = colours(photo, mask > 0 if toward == "category" else surroundings(mask))
        region = read(made(toward), record, "mask") > 0
        before.append(np.abs(colours(read(made(toward), record, "real"), region) - wanted).mean())
        after.append(np.abs(colours(read(made(toward), record, "image"), region) - wanted).mean())
    assert (np.array(after) < before).all()
    assert np.median(np.divide(after, before)) < 0.8


@pytest.mark.parametrize("name", ["span", "difficulty", "light", "grading", "colour"])
def test_the_recorded_arguments_bring_the_real_back_by_the_formulas_alone(made: Make, name: str) -> None:
    whole = 0
    for record in records(made(name)):
        chain = FilterChain(record.chain["filters"], record.chain["statistics"])
        image, mask, real = (read(made(name), record, role) for role in ("image", "mask", "real"))
        assert (image == real)[mask == 0].all()
        composites = torch.from_numpy(image / 255).permute(2, 0, 1)[None]
        masks = torch.from_numpy(mask / 255)[None, None]
        harmonized = chain.apply(composites, masks, chain.arguments(**record.arguments))
        error = (harmonized[0].permute(1, 2, 0).numpy() * 255 - real)[mask > 0]
        if record.measured["recoverable"] == 1:  # else the record's figure is of some of these pixels
            whole += 1
            psnr = 10 * np.log10(255**2 / np.square(error).mean())
            assert psnr == pytest.approx(record.measured["recovery_psnr"], abs=0.1)
        difference = (image.astype(float) - real)[mask > 0]
        assert np.square(difference).mean() == pytest.approx(record.measured["foreground_mse"], rel=1e-6)
    assert whole >= 2


def test_the_span_of_an_argument_with_a_dot_is_kept_to(made: Make) -> None:
    tints = [record.arguments["white_balance.tint"] for record in records(made("light"))]
    temperatures = [record.arguments["white_balance.temperature"] for record in records(made("light"))]
    assert np.abs(tints).max() <= 0.1
    assert np.abs(temperatures).max() > 0.1


def test_the_table_has_a_column_for_each_argument(made: Make, tmp_path: Path) -> None:
    import datasets
    import pyarrow.parquet as pq

    folder = made("light")
    table = pq.read_table(folder / "metadata.parquet")
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    names = FilterChain(LIGHT).columns
    assert [n for n in columns if n.startswith("argument_")] == [f"argument_{n.replace('.', '_')}" for n in names]
    assert columns["argument_white_balance_temperature"] == [
        record.arguments["white_balance.temperature"] for record in records(folder)
    ]
    assert columns["filters"] == [LIGHT] * len(records(folder))
    rows = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path))["train"]
    assert rows["argument_white_balance_tint"] == columns["argument_white_balance_tint"]
    assert rows[0]["image"].size == (96, 96)
