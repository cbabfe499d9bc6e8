"""Tables say what the images' figures say: groups part them, and means are over images."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthharm.evaluation.notes import notes_on, unequal_counts
from synthharm.evaluation.realism import colour_distance, from_neutral, parameter
from synthharm.evaluation.summary import (
    ERRORS,
    SHARES,
    Argument,
    Line,
    Scored,
    bin_of,
    cells,
    lines_csv,
    markdown_table,
    scored_csv,
    summarize,
    tables_of,
)
from synthharm.evaluation.worst import worst_cases
from synthharm.filters import FILTERS, FilterChain

ERROR = st.floats(0, 1e4)


@st.composite
def rows(draw: st.DrawFn) -> list[Scored]:
    """Images of two subsets, each by two methods under one protocol."""
    found = []
    for number in range(draw(st.integers(1, 12))):
        subset, share, before = draw(st.sampled_from(["a", "b"])), draw(st.floats(0.001, 1)), draw(ERROR)
        for method in ("composite", "net"):
            error = before if method == "composite" else draw(ERROR)
            measures = {"fmse": error, "psnr": draw(st.floats(5, 150))}
            found.append(Scored(f"{number}", subset, "issam", "256", method, share, before, measures))
    return found


def table(lines: list[Line], name: str) -> list[Line]:
    return [line for line in lines if line.table == name]


@given(st.floats(0, 1), st.floats(0, 1e6))
def test_a_bin_holds_what_it_says(share: float, error: float) -> None:
    for value, edges, unit, scale in ((share, SHARES, " %", 100), (error, ERRORS, "", 1)):
        place, name = bin_of(value, edges, unit, scale)
        whole = (0.0, *edges, math.inf)
        assert whole[place] <= value < whole[place + 1]
        low = name.removesuffix(" %").removeprefix("from ").partition("-")[0]
        assert float(low) == pytest.approx(whole[place] * scale)


def test_bins_are_those_that_are_customary() -> None:
    shares = [bin_of(value, SHARES, " %", 100)[1] for value in (0.0, 0.0499, 0.05, 0.1499, 0.15, 1.0)]
    assert shares == ["0-5 %", "0-5 %", "5-15 %", "5-15 %", "15-100 %", "15-100 %"]
    errors = [bin_of(value, ERRORS)[1] for value in (0, 187, 455, 905, 1843, 4578)]
    assert errors == ["0-187", "187-455", "455-905", "905-1843", "1843-4578", "from 4578"]


@given(rows())
def test_groups_part_the_images(scored: list[Scored]) -> None:
    lines = summarize(scored)
    for method in ("composite", "net"):
        pooled = next(line for line in table(lines, "all") if line.method == method)
        own = [row for row in scored if row.method == method]
        assert pooled.pairs == len(own)
        for name in ("fmse", "psnr"):
            assert pooled.figures[name] == pytest.approx(np.mean([row.measures[name] for row in own]))
        for grouping in ("subset", "foreground", "composite fMSE"):
            groups = [line for line in table(lines, grouping) if line.method == method]
            if not groups:
                assert grouping == "subset"
                assert len({row.subset for row in scored}) == 1
                continue
            assert sum(line.pairs for line in groups) == pooled.pairs
            weighted = sum(line.pairs * line.figures["fmse"] for line in groups) / pooled.pairs
            assert weighted == pytest.approx(pooled.figures["fmse"])


@given(rows())
def test_both_methods_are_binned_alike(scored: list[Scored]) -> None:
    """By the composite's error and not by a method's own."""
    lines = summarize(scored)
    for grouping in ("foreground", "composite fMSE"):
        counts = [
            {line.group: line.pairs for line in table(lines, grouping) if line.method == method}
            for method in ("composite", "net")
        ]
        assert counts[0] == counts[1]


def test_psnr_is_averaged_over_images() -> None:
    scored = [
        Scored(name, "", "issam", "256", "net", 0.1, 1.0, {"fmse": error, "psnr": level})
        for name, error, level in (("a", 1.0, 48.0), ("b", 100.0, 28.0))
    ]
    assert summarize(scored)[0].figures["psnr"] == 38


def test_protocols_and_sizes_are_never_mixed() -> None:
    scored = [
        Scored("a", "", protocol, size, "net", 0.1, 1.0, {"fmse": error})
        for protocol, size, error in (("issam", "256", 1), ("issam", "full", 2), ("harmonizer", "256", 3))
    ]
    pooled = table(summarize(scored), "all")
    assert [(line.protocol, line.size, line.figures["fmse"]) for line in pooled] == [
        ("issam", "256", 1),
        ("issam", "full", 2),
        ("harmonizer", "256", 3),
    ]
    assert all(len({(line.protocol, line.size) for line in one}) == 1 for one in tables_of(summarize(scored)))


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=8))
def test_errors_of_arguments_are_predicted_less_true(found: list[tuple[float, float]]) -> None:
    scored = [
        Scored(f"{n}", "", "issam", "256", "net", 0.1, arguments={"shadow": Argument(predicted, true, 0.0)})
        for n, (predicted, true) in enumerate(found)
    ]
    (line,) = table(summarize(scored), "argument")
    predicted, true = np.array(found).T
    assert (line.group, line.pairs) == ("shadow", len(found))
    assert line.figures["bias"] == pytest.approx(np.mean(predicted - true))
    assert line.figures["absolute"] == pytest.approx(np.mean(np.abs(predicted - true)))
    assert line.figures["neutral"] == pytest.approx(np.mean(np.abs(true)))


@given(rows())
def test_what_is_written_reads_back_to_the_bit(scored: list[Scored]) -> None:
    read = list(csv.DictReader(io.StringIO(scored_csv(scored).decode())))
    assert [(row["name"], row["method"]) for row in read] == [(row.name, row.method) for row in scored]
    for stored, row in zip(read, scored, strict=True):
        assert float(stored["composite_fmse"]) == row.composite_fmse
        assert {name: float(stored[name]) for name in row.measures} == row.measures
    lines = summarize(scored)
    for stored, line in zip(csv.DictReader(io.StringIO(lines_csv(lines).decode())), lines, strict=True):
        assert {name: float(stored[name]) for name in line.figures} == line.figures


@given(rows())
def test_a_table_is_rectangular(scored: list[Scored]) -> None:
    for lines in tables_of(summarize(scored)):
        head, body = cells(lines)
        assert all(len(row) == len(head) for row in body)
        text = markdown_table(lines).splitlines()
        assert len({line.count("|") for line in text}) == 1
        assert len(text) == len(body) + 2


def line_of(table: str, group: str, method: str, pairs: int) -> Line:
    return Line("issam", "256", table, group, method, pairs, {})


def test_methods_that_have_fewer_pairs_are_named() -> None:
    equal = [line_of("all", "", method, 5) for method in ("composite", "net")]
    assert unequal_counts(equal) == ""
    found = unequal_counts([*equal, line_of("all", "", "reinhard", 4)])
    assert "those of reinhard (4 of 5 pairs) do not compare" in found
    groups = [line_of("subset", group, "composite", count) for group, count in (("a", 3), ("b", 2))]
    assert unequal_counts([*groups, line_of("subset", "a", "net", 3)]).count("net (3 of 5 pairs)") == 1
    columns = [line_of("argument", c, m, n) for c in ("hue", "tint") for m, n in (("oracle", 2), ("net", 4))]
    assert "oracle (2 of 4 pairs)" in unequal_counts(columns)


def test_lpips_is_averaged_over_the_images_that_have_it() -> None:
    scored = [
        Scored(name, "", "issam", "full", "net", 0.1, 1.0, {"fmse": 1.0, **more})
        for name, more in (("a", {"lpips": 0.25}), ("b", {}), ("c", {"lpips": 0.75}))
    ]
    assert summarize(scored)[0].figures == {"fmse": 1.0, "lpips": 0.5}
    assert notes_on(scored) == ["issam, full size: 1 pair without LPIPS; its means are over the others."]
    assert notes_on(scored[1:2]) == []  # it was not asked for


def test_a_name_with_a_bar_stays_in_its_cell() -> None:
    line = Line("issam", "256", "subset", "a|b", "net", 1, {"fmse": 1.0})
    assert r"| a\|b | net | 1 | 1.00 |" in markdown_table([line])


def test_what_a_line_has_no_figure_for_is_left_empty() -> None:
    lines = [Line("issam", "256", "all", "", m, 1, f) for m, f in (("a", {"fmse": 1.0}), ("b", {"ssim": 0.5}))]
    assert cells(lines)[1] == [["a", "1", "1.00", ""], ["b", "1", "", "0.5000"]]


@given(rows(), st.integers(1, 4))
def test_the_worst_cases_are_the_worst(scored: list[Scored], count: int) -> None:
    cases = worst_cases(scored, "net", count)
    own = [row for row in scored if row.method == "net"]
    highest = [case for case in cases if case.why == "highest"]
    increase = [case for case in cases if case.why == "increase"]
    assert len(highest) == len(increase) == min(count, len(own))
    assert [case.after for case in highest] == sorted((row.measures["fmse"] for row in own), reverse=True)[:count]
    most = sorted((row.measures["fmse"] - (row.composite_fmse or 0) for row in own), reverse=True)[:count]
    assert [case.after - case.before for case in increase] == most


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_every_column_has_its_parameter(name: str) -> None:
    chain = FilterChain([name])
    assert [parameter(column) for column in chain.columns] == list(chain.parameters)
    neutral = {column: one.neutral for column, one in zip(chain.columns, chain.parameters, strict=True)}
    assert from_neutral(neutral) == 0
    moved = {column: one.neutral - one.span for column, one in zip(chain.columns, chain.parameters, strict=True)}
    assert from_neutral(moved) == pytest.approx(1)


@pytest.mark.parametrize("column", ["shadows", "white_balance", "shadow.amount", ""])
def test_no_other_column_has_one(column: str) -> None:
    with pytest.raises(ValueError, match="no filter has an argument"):
        parameter(column)


def test_a_region_like_its_background_is_at_no_distance() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 8, 3), np.uint8)
    image[4:] = image[:4]
    mask = np.zeros((8, 8), np.uint8)
    mask[4:] = 255
    assert colour_distance(image, mask) == pytest.approx((0, 0))
    darker = image.copy()
    darker[4:] //= 2
    darkest = image.copy()
    darkest[4:] //= 8
    distances = [colour_distance(one, mask)[0] for one in (image, darker, darkest)]
    assert distances == sorted(distances)
    assert distances[1] > 0.1
    assert colour_distance(darker.astype(np.float32) + 0.2, mask) == colour_distance(darker, mask)


@pytest.mark.parametrize("value", [0, 255])
def test_without_region_or_background_there_is_no_distance(value: int) -> None:
    with pytest.raises(ValueError, match="everywhere"):
        colour_distance(np.zeros((4, 4, 3), np.uint8), np.full((4, 4), value, np.uint8))
