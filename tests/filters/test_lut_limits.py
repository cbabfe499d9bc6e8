"""Tables of colours at the limits of what is accepted, just inside and just outside."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from synthharm.filters import Lut, read_cube
from synthharm.filters.lut import look_up

ROWS = [f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1)]
LARGEST = torch.finfo(torch.float32).max
TABLE = torch.zeros(2, 2, 2, 3)


def written(folder: Path, *lines: str) -> Path:
    path = folder / "look.cube"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("said", "title"), [('""', ""), ('"a"', "a"), ('"a" b"', 'a" b'), ('"""', '"')])
def test_a_title_is_what_is_between_the_outer_quotes(tmp_path: Path, said: str, title: str) -> None:
    assert read_cube(written(tmp_path, f"TITLE {said}", "LUT_3D_SIZE 2", *ROWS)).title == title


@pytest.mark.parametrize("said", ["", ' "', " a", ' "dusk', ' dusk"', " 'dusk'", ' "dusk" 2'])
def test_a_title_needs_both_quotes(tmp_path: Path, said: str) -> None:
    path = written(tmp_path, f"TITLE{said}", "LUT_3D_SIZE 2", *ROWS)
    with pytest.raises(ValueError, match=r'line 1: .*; TITLE "text", in double quotes, is accepted'):
        read_cube(path)


@pytest.mark.parametrize(("length", "shown"), [(59, 59), (60, 60), (61, 57), (200, 57)])
def test_long_lines_are_cut_where_they_are_named(tmp_path: Path, length: int, shown: int) -> None:
    text = "GAMMA " + "9" * (length - 6)
    with pytest.raises(ValueError, match="accepted") as caught:
        read_cube(written(tmp_path, text))
    dots = "" if shown == length else "..."
    assert f"line 1: '{text[:shown]}{dots}'; one of" in str(caught.value)


@pytest.mark.parametrize(("said", "accepted"), [("2", True), ("002", True), ("0002", False), ("²", False)])
def test_sizes_have_at_most_three_digits(tmp_path: Path, said: str, accepted: bool) -> None:
    path = written(tmp_path, f"LUT_3D_SIZE {said}", *ROWS)
    if accepted:
        assert read_cube(path).table.shape == (2, 2, 2, 3)
        return
    with pytest.raises(ValueError, match="a whole number from 2 to 256"):
        read_cube(path)


def test_the_largest_size_is_256(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the 16777216 of LUT_3D_SIZE 256 are accepted"):
        read_cube(written(tmp_path, "LUT_3D_SIZE 256", *ROWS))
    with pytest.raises(ValueError, match="a whole number from 2 to 256"):
        read_cube(written(tmp_path, "LUT_3D_SIZE 257", *ROWS))


@pytest.mark.parametrize(
    "shape", [(3,), (2, 3), (2, 2, 2, 2, 3), (3, 2, 2, 3), (2, 2, 3, 3), (2, 2, 2, 2), (0, 0, 0, 3)]
)
def test_a_table_has_three_equal_sides_of_colours(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"the table has shape .* \(S, S, S, 3\) is accepted"):
        Lut(torch.zeros(shape))


@pytest.mark.parametrize("sign", [-1, 1])
def test_all_numbers_of_float32_are_accepted(tmp_path: Path, sign: int) -> None:
    assert Lut(torch.full((2, 2, 2, 3), sign * LARGEST)).table.abs().max() == LARGEST
    rows = [f"{sign * LARGEST!r} 0 0", *ROWS[1:]]
    assert float(read_cube(written(tmp_path, "LUT_3D_SIZE 2", *rows)).table[0, 0, 0, 0]) == sign * LARGEST
    ends = (-LARGEST, 0.0, 0.0), (LARGEST, 1.0, 1.0)
    assert Lut(TABLE, *ends).domain_max[0] == LARGEST


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_each_side_of_the_domain_has_an_extent(tmp_path: Path, channel: int) -> None:
    low, high = [0.0] * 3, [1.0] * 3
    low[channel] = 1.0
    name = ("red", "green", "blue")[channel]
    with pytest.raises(ValueError, match=f"the domain of {name} goes from 1.0 to 1.0"):
        Lut(TABLE, (low[0], low[1], low[2]), (1.0, 1.0, 1.0))
    ends = ("DOMAIN_MIN", low), ("DOMAIN_MAX", high)
    lines = [f"{end} {' '.join(map(str, numbers))}" for end, numbers in ends]
    with pytest.raises(ValueError, match=r"line 2: .*a domain that starts below its end"):
        read_cube(written(tmp_path, *lines, "LUT_3D_SIZE 2", *ROWS))


def test_colours_outside_the_domain_are_looked_up_at_its_faces() -> None:
    table = torch.stack(torch.meshgrid(*[torch.arange(2.0)] * 3, indexing="ij")[::-1], dim=-1)
    lut = Lut(table, (0.2, 0.2, 0.2), (0.6, 0.6, 0.6))
    image = torch.tensor([0.0, 0.4, 1.0]).reshape(1, 3, 1, 1)
    assert look_up(lut, image)[0, :, 0, 0].tolist() == pytest.approx([0, 0.5, 1])
