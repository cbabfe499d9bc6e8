"""What holds of arguments fitted to a reference, and of arguments drawn by scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filter_cases import TONE, PhotoRegion, law, make_images
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from synthharm.errors import SynthharmError
from synthharm.filters import Arguments, ColourStatistics, FilterChain, Limits, Reference, Scores
from synthharm.filters.drawing import Cell, read_scores, write_scores

ANYTHING = Limits(unrecoverable=1, recovery=0)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def statistics(image: Tensor, mask: Tensor) -> ColourStatistics:
    """Of an image (1, 3, H, W) in [0, 1] after rounding."""
    pixels = (image[0] * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    return ColourStatistics.of(pixels, mask[0, 0].numpy() > 0)


def distance(first: ColourStatistics, second: ColourStatistics) -> float:
    pairs = zip((*first.means, *first.deviations), (*second.means, *second.deviations), strict=True)
    return max(abs(one - other) for one, other in pairs)


def test_statistics_are_those_of_the_pixels_inside() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0], image[0, 1], image[1] = (255, 51, 0), (0, 51, 102), 200
    mask = np.array([[9, 255, 0], [0, 0, 0]], np.uint8)
    measured = ColourStatistics.of(image, mask)
    assert measured.means == pytest.approx((0.5, 0.2, 0.2))
    assert measured.deviations == pytest.approx((0.5, 0.0, 0.2))
    assert ColourStatistics.of(image, mask > 0) == measured


@pytest.mark.parametrize(
    ("image", "mask", "words"),
    [
        (np.zeros((2, 2, 3)), np.ones((2, 2), bool), r"image is float64 \(2, 2, 3\); uint8"),
        (np.zeros((2, 2), np.uint8), np.ones((2, 2), bool), r"image is uint8 \(2, 2\)"),
        (np.zeros((2, 2, 3), np.uint8), np.ones((2, 1), bool), r"mask is bool \(2, 1\).*\(2, 2\)"),
        (np.zeros((2, 2, 3), np.uint8), np.ones((2, 2)), "mask is float64"),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), bool), "mask is empty"),
    ],
)
def test_images_that_have_no_statistics(image: Any, mask: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ColourStatistics.of(image, mask)


def test_the_statistics_of_known_arguments_are_found(photo_regions: list[PhotoRegion]) -> None:
    """Whatever arguments made the reference, the fit makes one with its colours, and keeps the limits."""
    chain = FilterChain.paper()
    missed, before = [], []
    for seed, region in enumerate(photo_regions[:6]):
        real, mask = region.image, region.mask
        _, made = chain.disharmonize(real, mask, generator=seeded(seed))
        wanted = statistics(made.composites, mask)
        drawn, inverse = chain.disharmonize(real, mask, generator=seeded(50 + seed), strategy=Reference.of(wanted))
        missed.append(distance(statistics(inverse.composites, mask), wanted))
        before.append(distance(statistics(real, mask), wanted))
        assert 1 <= int(drawn.attempts) <= 3
    assert sorted(missed)[-2] < 0.004, missed
    assert min(before) > 0.01


def test_each_image_has_its_own_reference() -> None:
    chain = FilterChain(["brightness", "contrast"])
    real = make_images("midtones", (2, 3, 8, 8), seed=1)
    mask = torch.ones_like(real[:, :1])
    wanted = [statistics(real[:1] * 0.7, mask[:1]), statistics(real[1:] * 1.2, mask[1:])]
    _, inverse = chain.disharmonize(real, mask, generator=seeded(1), strategy=Reference.of(wanted))
    for i in range(2):
        assert distance(statistics(inverse.composites[i : i + 1], mask[i : i + 1]), wanted[i]) < 0.004


def test_only_random_starts_depend_on_the_generator() -> None:
    chain = FilterChain(["brightness", "contrast"])
    real = make_images("midtones", (1, 3, 8, 8), seed=2)
    mask = torch.ones_like(real[:, :1])
    near = Reference.of(statistics(real * 0.8, mask))
    first, second = (chain.draw(real, mask, generator=seeded(seed), strategy=near) for seed in (1, 2))
    assert torch.equal(first.values, second.values)
    assert int(first.attempts) == 1
    far = Reference(torch.tensor([1.0, 0.0, 0.5]), torch.tensor([0.3, 0.3, 0.3]))
    assert int(chain.draw(real, mask, generator=seeded(1), strategy=far).attempts) == 3


def test_a_reference_out_of_reach_ends_at_the_spans() -> None:
    chain = FilterChain(["brightness"])
    real = torch.full((1, 3, 4, 4), 0.3, dtype=torch.float64)
    dark = Reference(torch.zeros(3), torch.zeros(3))
    drawn = chain.draw(real, torch.ones_like(real[:, :1]), generator=seeded(1), strategy=dark, limits=ANYTHING)
    assert float(drawn["brightness"]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("means", "deviations", "words"),
    [
        (torch.zeros(2), torch.zeros(3), r"means are torch.float32 \(2,\)"),
        (torch.zeros(3), torch.zeros(1, 1, 3), r"deviations are torch.float32 \(1, 1, 3\)"),
        (torch.zeros(3, dtype=torch.int64), torch.zeros(3), "torch.int64"),
        (torch.tensor([0.1, 1.5, 0]), torch.zeros(3), "1.5; 0 to 1"),
        (torch.zeros(3), torch.tensor([0.1, torch.nan, 0]), "nan; 0 to 1"),
        (torch.zeros(3), torch.zeros(2, 3), r"\(3,\) and deviations \(2, 3\)"),
    ],
)
def test_references_that_are_refused(means: Tensor, deviations: Tensor, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Reference(means, deviations)


def test_a_reference_for_other_images_is_refused() -> None:
    real = make_images("any", (2, 3, 2, 2), seed=1)
    with pytest.raises(ValueError, match="3 rows for 2 images"):
        FilterChain.paper().draw(
            real, real[:, :1], generator=seeded(1), strategy=Reference(torch.zeros(3, 3), torch.zeros(3, 3))
        )


def draw_many(scores: Scores, chain: FilterChain, number: int = 2000) -> Arguments:
    real = torch.full((number, 3, 1, 1), 0.5, dtype=torch.float64)
    return chain.draw(real, real[:, :1] * 2, generator=seeded(3), limits=ANYTHING, strategy=scores)


def test_cells_get_shares_like_their_scores() -> None:
    """Three cells of different sizes beside each other, and a fifth of the draws anywhere."""
    chain = FilterChain(["brightness", "shadow", TONE])
    edges = (-0.5, -0.4, 0.1, 0.5)
    cells = [Cell({"brightness": edges[i : i + 2]}, score) for i, score in enumerate((3.0, 0.0, 1.0))]
    drawn = draw_many(Scores(cells, floor=0.2), chain)
    assert drawn.attempts.tolist() == [1] * 2000
    values = drawn["brightness"]
    for i, expected in enumerate((0.8 * 0.75 + 0.2 * 0.1, 0.2 * 0.5, 0.8 * 0.25 + 0.2 * 0.4)):
        share = float(((values >= edges[i]) & (values < edges[i + 1])).double().mean())
        assert share == pytest.approx(expected, abs=0.04)
    for column, neutral, reach in (("shadow", 0, 0.4), ("tone.gain", 1, 0.2), ("tone.offset", 0, 0.1)):
        assert float(((drawn[column] - neutral) / reach).std()) == pytest.approx(1 / 3**0.5, abs=0.03)


def test_a_box_bounds_all_its_columns_and_ends_at_the_spans() -> None:
    chain = FilterChain(["brightness", "shadow", TONE])
    box = {"brightness": (0.3, 0.9), "tone.gain": (1.1, 1.15)}
    drawn = draw_many(Scores([Cell(box, 1.0)], floor=1e-9), chain)
    assert 0.3 <= float(drawn["brightness"].min()) < 0.31
    assert 0.49 < float(drawn["brightness"].max()) <= 0.5
    assert float(drawn["tone.gain"].min()) >= 1.1
    assert float(drawn["tone.gain"].max()) <= 1.15


@pytest.mark.parametrize("floor", [0.5, 1.0])
def test_the_floor_is_the_share_that_stays_uniform(floor: float) -> None:
    drawn = draw_many(Scores([Cell({"brightness": (0.4, 0.5)}, 7)], floor), FilterChain(["brightness"]))
    share = float((drawn["brightness"] < 0.4).double().mean())
    assert share == pytest.approx(0.9 * floor, abs=0.04)


def test_cells_without_a_part_in_the_spans_are_left_out() -> None:
    chain = FilterChain(["brightness", "temperature"], spans={"temperature": 0.0})
    outside = Cell({"brightness": (0.6, 0.9)}, 100.0)
    still = Cell({"brightness": (-0.5, -0.3), "temperature": (0.1, 0.2)}, 1.0)
    drawn = draw_many(Scores([outside, still], floor=1e-9), chain)
    assert float(drawn["brightness"].max()) <= -0.3
    assert drawn["temperature"].tolist() == [0] * 2000
    alone = draw_many(Scores([outside], floor=1e-9), chain)
    assert float(alone["brightness"].std()) == pytest.approx(0.5 / 3**0.5, abs=0.02)


def test_draws_that_cost_too_much_are_drawn_again_from_their_cell() -> None:
    """Grey of 0.8 cannot become lighter than by brightness -0.2: half of the one cell can be used."""
    chain = FilterChain(["brightness"])
    real = torch.full((400, 3, 1, 1), 0.8, dtype=torch.float64)
    cells = [Cell({"brightness": (-0.4, 0.0)}, 1.0), Cell({"brightness": (0.4, 0.5)}, 1.0)]
    drawn = chain.draw(real, torch.ones_like(real[:, :1]), generator=seeded(1), strategy=Scores(cells, floor=1e-9))
    assert float((drawn["brightness"] < 0).double().mean()) == pytest.approx(0.5, abs=0.08)
    assert float(drawn["brightness"].min()) >= -0.21
    assert drawn.kept.tolist() == [1] * 400


@pytest.mark.parametrize(
    ("cells", "floor", "words"),
    [
        ([], 0.2, "cells are 0"),
        ([Cell({"brightness": (0, 1)}, 0)], 0.2, "cells are 1 without a score"),
        ([Cell({"brightness": (0, 1)}, 1)], 0.0, "floor is 0.0"),
        ([Cell({"brightness": (0, 1)}, 1)], 1.1, "floor is 1.1"),
        ([Cell({"brightness": (0, 1)}, 1)], float("nan"), "floor is nan"),
    ],
)
def test_scores_that_are_refused(cells: list[Cell], floor: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Scores(cells, floor)


def test_a_column_that_the_chain_lacks_is_refused() -> None:
    scores = Scores([Cell({"shadow": (0.0, 0.1)}, 1.0), Cell({"hue": (0.0, 0.1)}, 1.0)])
    with pytest.raises(ValueError, match=r"cells\[1\].box has 'hue'; the arguments are brightness, shadow"):
        draw_many(scores, FilterChain(["brightness", "shadow"]), 1)


numbers = st.floats(-1, 1)
boxes = st.dictionaries(
    st.text(min_size=1), st.tuples(numbers, numbers).filter(lambda s: s[0] < s[1]), min_size=1, max_size=3
)


@law
@given(st.lists(st.builds(Cell, boxes, st.floats(0.01, 1e6)), min_size=1, max_size=4), st.floats(0.01, 1))
def test_scores_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, cells: list[Cell], floor: float
) -> None:
    path = tmp_path_factory.mktemp("scores") / "scores.json"
    write_scores(Scores(cells, floor), path)
    assert read_scores(path) == Scores(cells, floor)


GOOD: dict[str, Any] = {"version": 1, "floor": 0.2, "cells": [{"box": {"shadow": [0.0, 0.1]}, "score": 1}]}


def with_cell(**changes: Any) -> dict[str, Any]:
    return {**GOOD, "cells": [*GOOD["cells"], {**GOOD["cells"][0], **changes}]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], r"the file is \[\]; an object with version, floor, cells"),
        ({"floor": 0.2, "cells": []}, "no 'version'"),
        ({**GOOD, "version": 2}, "version is 2; 1 is accepted"),
        ({**GOOD, "version": True}, "version is True"),
        ({**GOOD, "columns": []}, "the key 'columns'; version, floor, cells"),
        ({**GOOD, "floor": 0}, "floor is 0; a share above 0"),
        ({**GOOD, "floor": "0.2"}, "floor is '0.2'"),
        ({**GOOD, "cells": {}}, "cells is {}; a list"),
        ({**GOOD, "cells": []}, "cells are 0"),
        ({**GOOD, "cells": [7]}, r"cells\[0\] is 7; an object with box, score"),
        (with_cell(box=[0, 1]), r"cells\[1\].box is \[0, 1\]; an object"),
        (with_cell(box={}), r"cells\[1\].box is empty"),
        (with_cell(box={"shadow": 1}), r"cells\[1\].box.shadow is 1; \[lowest, highest\]"),
        (with_cell(box={"shadow": [1]}), r"cells\[1\].box.shadow is \(1,\)"),
        (with_cell(box={"shadow": [1, 1]}), r"cells\[1\].box.shadow is \(1, 1\).*lowest < highest"),
        (with_cell(box={"shadow": [0, "1"]}), r"cells\[1\].box.shadow is \(0, '1'\)"),
        (with_cell(box={"shadow": [0, float("inf")]}), r"cells\[1\].box.shadow is \(0, inf\)"),
        (with_cell(score=-1), r"cells\[1\].score is -1; a number of 0 or more"),
        (with_cell(score=True), r"cells\[1\].score is True"),
        (with_cell(weight=1), r"cells\[1\] has the key 'weight'; box, score"),
    ],
)
def test_scores_files_that_are_refused(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(content))
    with pytest.raises(SynthharmError, match=rf"scores.json: .*{words}"):
        read_scores(path)


def test_what_is_no_scores_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match=r"missing\.json: no scores file could be read"):
        read_scores(tmp_path / "missing.json")
    (tmp_path / "cut.json").write_bytes(b'{"version": 1')
    with pytest.raises(SynthharmError, match=r"cut\.json: no scores file could be read"):
        read_scores(tmp_path / "cut.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(SynthharmError, match=r"binary\.json: no scores file could be read"):
        read_scores(tmp_path / "binary.json")


def test_a_scores_file_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_bytes(b"[" * 100_000)
    with pytest.raises(SynthharmError, match=r"deep\.json: no scores file could be read"):
        read_scores(tmp_path / "deep.json")
