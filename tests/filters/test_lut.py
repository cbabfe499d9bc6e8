"""Tables of colours: .cube files, and the filter that applies them."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from filter_cases import images, law
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from synthharm.filters import (
    FILTERS,
    Difficulty,
    FilterChain,
    Gamut,
    Lut,
    Reference,
    Span,
    lut_filter,
    read_cube,
)
from synthharm.filters.lut import look_up
from synthharm.filters.pixels import Statistics

ROWS = ["0 0 0", "1 0 0", "0 1 0", "1 1 0", "0 0 1", "1 0 1", "0 1 1", "1 1 1"]
MIDDLE = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def identity(size: int) -> Lut:
    axis = torch.linspace(0, 1, size, dtype=torch.float64)
    blue, green, red = torch.meshgrid(axis, axis, axis, indexing="ij")
    return Lut(torch.stack([red, green, blue], dim=-1))


def some_table(size: int, seed: int, low: float = 0.0, high: float = 1.0) -> Lut:
    numbers = torch.rand(size, size, size, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Lut(numbers, (low,) * 3, (high,) * 3)


def write(folder: Path, *lines: str) -> Path:
    path = folder / "look.cube"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def trilinear(lut: Lut, colour: Sequence[float]) -> list[float]:
    """The weighted sum over the eight corners around a colour."""
    size = len(lut.table)
    places = [
        min(max((value - low) / (high - low), 0), 1) * (size - 1)
        for value, low, high in zip(colour, lut.domain_min, lut.domain_max, strict=True)
    ]
    cells = [min(math.floor(place), size - 2) for place in places]
    out = [0.0, 0.0, 0.0]
    for ahead in itertools.product((0, 1), repeat=3):
        shares = [p - c if a else 1 - (p - c) for p, c, a in zip(places, cells, ahead, strict=True)]
        red, green, blue = (c + a for c, a in zip(cells, ahead, strict=True))
        for k in range(3):
            out[k] += math.prod(shares) * float(lut.table[blue, green, red, k])
    return out


@law
@given(st.data())
def test_colours_are_interpolated_trilinearly(data: st.DataObject) -> None:
    low, high = data.draw(st.sampled_from([(0.0, 1.0), (0.2, 0.7), (-1.0, 2.0)]))
    lut = some_table(data.draw(st.integers(2, 6)), data.draw(st.integers(0, 999)), low, high)
    image = data.draw(images(dtypes=[torch.float64]))
    for image_, found in zip(image, look_up(lut, image), strict=True):
        expected = [trilinear(lut, colour) for colour in image_.flatten(1).T.tolist()]
        torch.testing.assert_close(
            found.flatten(1).T, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("size", [2, 3, 5, 17])
def test_at_a_grid_point_the_colour_is_the_tables(size: int) -> None:
    lut = some_table(size, seed=size)
    image = identity(size).table.reshape(1, -1, 1, 3).permute(0, 3, 1, 2)
    expected = lut.table.reshape(1, -1, 1, 3).permute(0, 3, 1, 2)
    assert torch.equal(lut_filter(lut).apply(image, torch.ones(1).double(), None), expected)


def test_the_axes_are_red_green_and_blue() -> None:
    """A table whose domain differs by channel, and which gives back each channel's place on its axis."""
    lut = Lut(identity(3).table, (0.0, 0.2, 0.4), (1.0, 0.6, 0.8))
    image = torch.tensor([0.25, 0.3, 0.5], dtype=torch.float64).reshape(1, 3, 1, 1)
    found = look_up(lut, image)[0, :, 0, 0]
    torch.testing.assert_close(found, torch.tensor([0.25, 0.25, 0.25], dtype=torch.float64))


@law
@given(st.data())
def test_the_strength_goes_from_the_image_to_the_table(data: st.DataObject) -> None:
    lut = some_table(3, seed=1)
    filter_ = lut_filter(lut)
    image = data.draw(images())
    strength = data.draw(st.floats(0, 1))
    argument = torch.full((len(image),), strength, dtype=image.dtype)
    changed = filter_.apply(image, argument, None)
    assert changed.dtype == image.dtype
    expected = image + strength * (look_up(lut, image) - image)
    torch.testing.assert_close(changed, expected, rtol=0, atol=1e-6 if image.dtype == torch.float32 else 1e-12)
    assert torch.equal(filter_.apply(image, torch.zeros_like(argument), None), image)


def test_what_the_table_has_beyond_0_and_1_is_clipped() -> None:
    lut = Lut(identity(2).table * 3 - 1)
    image = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64).reshape(1, 3, 1, 1)
    changed = lut_filter(lut).apply(image, torch.ones(1).double(), None)[0, :, 0, 0]
    torch.testing.assert_close(changed, torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64))


def test_images_of_a_batch_have_their_own_strengths() -> None:
    filter_ = lut_filter(some_table(4, seed=2))
    image = torch.rand(3, 3, 2, 5, generator=torch.Generator().manual_seed(3))
    strengths = torch.tensor([0.0, 0.4, 1.0])
    each = [filter_.apply(image[i : i + 1], strengths[i : i + 1], None) for i in range(3)]
    torch.testing.assert_close(filter_.apply(image, strengths, None), torch.cat(each))


def test_gradients_agree_with_finite_differences() -> None:
    filter_ = lut_filter(some_table(4, seed=4))
    image = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    strength = torch.tensor([0.3, 0.8], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda i, s: filter_.apply(i, s, None), (image.requires_grad_(), strength))


def test_what_the_filter_says_of_itself() -> None:
    filter_ = lut_filter(identity(2), "teal")
    (parameter,) = filter_.parameters
    assert (filter_.name, parameter.name) == ("teal", "strength")
    assert (parameter.span, parameter.neutral, parameter.low, parameter.high) == (1, 0, 0, 1)
    assert filter_.mixes_channels
    assert not filter_.keeps_grey
    assert lut_filter(identity(2)).name == "lut"


def test_it_has_no_inverse() -> None:
    filter_ = lut_filter(identity(2), "teal")
    assert filter_.invert is None
    with pytest.raises(ValueError, match="the filter 'teal' has no inverse"):
        _ = filter_.inverse


@law
@given(st.data())
def test_a_chain_with_it_can_be_applied(data: st.DataObject) -> None:
    filter_ = lut_filter(some_table(3, seed=8), "teal")
    chain = FilterChain(["brightness", filter_])
    image = data.draw(images())
    masks = torch.zeros_like(image[:, :1])
    masks[..., ::2] = 1
    brightness, strength = data.draw(st.floats(-0.5, 0.5)), data.draw(st.floats(0, 1))
    values = torch.tensor([[brightness, strength]], dtype=image.dtype).expand(len(image), 2)
    brighter = FILTERS["brightness"].apply(image, values[:, 0], None) * masks + image * (1 - masks)
    expected = filter_.apply(FILTERS["brightness"].apply(image, values[:, 0], None), values[:, 1], None)
    torch.testing.assert_close(chain.apply(image, masks, values), expected * masks + image * (1 - masks))
    first, last = chain.steps(image, masks, values)
    torch.testing.assert_close(first, brighter)
    assert torch.equal(last, chain.apply(image, masks, values))
    assert chain.columns == ("brightness", "teal")


@pytest.mark.parametrize("statistics", ["image", "foreground"])
@pytest.mark.parametrize("others", [[], ["temperature", "contrast"]])
@pytest.mark.parametrize("soft", [1.0, 0.5])
def test_a_chain_with_it_cannot_be_undone(statistics: Statistics, others: list[str], soft: float) -> None:
    chain = FilterChain([*others, lut_filter(identity(2), "teal")], statistics)
    real, masks = torch.full((1, 3, 4, 4), 0.5), torch.full((1, 1, 4, 4), soft)
    says = "the filter 'teal' has no inverse: it can be applied, and not undone"
    with pytest.raises(ValueError, match=says):
        chain.invert(real, masks, chain.arguments(teal=0.5))
    for strategy in (Span(), Gamut(), Difficulty(), Reference(torch.rand(3), torch.rand(3) / 4)):
        generator = torch.Generator().manual_seed(1)
        for undo in (chain.draw, chain.disharmonize):
            with pytest.raises(ValueError, match=says):
                undo(real, masks, generator=generator, strategy=strategy)


def test_it_can_be_sent_to_another_process() -> None:
    filter_ = lut_filter(some_table(3, seed=6))
    image = torch.rand(1, 3, 2, 2, generator=torch.Generator().manual_seed(7))
    sent = pickle.loads(pickle.dumps(filter_))
    assert torch.equal(sent.apply(image, torch.ones(1), None), filter_.apply(image, torch.ones(1), None))


@pytest.mark.parametrize("shape", [(2, 2, 3), (2, 2, 2, 4), (2, 3, 2, 3), (1, 1, 1, 3), (257, 257, 257, 3), ()])
def test_tables_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"the table has shape .*\(S, S, S, 3\) is accepted, with S from 2 to 256"
    ):
        Lut(torch.zeros(1).expand(shape) if shape else torch.tensor(0.0))


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e39])
def test_tables_that_are_not_finite_are_refused(value: float) -> None:
    table = identity(2).table.clone()
    table[1, 0, 1, 2] = value
    with pytest.raises(ValueError, match="not finite"):
        Lut(table)


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (0.5, 0.5), (math.nan, 1.0), (0.0, math.inf)])
def test_domains_without_extent_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="the domain of green goes from"):
        Lut(identity(2).table, (0.0, low, 0.0), (1.0, high, 1.0))


def colours(lut: Lut) -> list[list[float]]:
    numbers: Tensor = lut.table.reshape(-1, 3)
    return numbers.tolist()


def test_a_file_is_read(tmp_path: Path) -> None:
    rows = [f"{k / 10} {k / 20:e} -{k}" for k in range(27)]
    header = [
        "# made by hand",
        "",
        'TITLE "Warm, dusk # 2"',
        "LUT_3D_SIZE\t3",
        "DOMAIN_MIN -1 0 0.5",
        "DOMAIN_MAX 1 2 3",
    ]
    lut = read_cube(write(tmp_path, *header, "  # the table", *rows[:5], "", "# more", *rows[5:], ""))
    assert (lut.title, lut.domain_min, lut.domain_max) == ("Warm, dusk # 2", (-1, 0, 0.5), (1, 2, 3))
    assert colours(lut) == [[k / 10, k / 20, -k] for k in range(27)]
    assert lut.table.shape == (3, 3, 3, 3)


def test_red_changes_fastest(tmp_path: Path) -> None:
    lut = read_cube(write(tmp_path, "LUT_3D_SIZE 2", *ROWS))
    assert torch.equal(lut.table, identity(2).table)
    assert (lut.title, lut.domain_min, lut.domain_max) == ("", *MIDDLE)
    image = torch.tensor([0.2, 0.5, 0.9]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(look_up(lut, image), image)


@pytest.mark.parametrize("encoded", ["\ufeff{}", "{}", "{}\r\n\r\n"], ids=["mark", "plain", "returns"])
def test_files_of_other_systems_are_read(tmp_path: Path, encoded: str) -> None:
    text = "\r\n".join(["LUT_3D_SIZE 2", *ROWS])
    path = tmp_path / "look.cube"
    path.write_bytes(encoded.format(text).encode())
    assert torch.equal(read_cube(path).table, identity(2).table)


SIZE = "LUT_3D_SIZE 2"
MISTAKES = {
    "one dimension": (["LUT_1D_SIZE 2", "0 0 0", "1 1 1"], 1, "'LUT_1D_SIZE 2'; a 3-D table"),
    "unknown": (
        ["# one", SIZE, "GAMMA 2", *ROWS],
        3,
        "'GAMMA 2'; one of TITLE, LUT_3D_SIZE, DOMAIN_MIN, DOMAIN_MAX",
    ),
    "no size": (ROWS, 1, "'0 0 0'; LUT_3D_SIZE before"),
    "too small": (["LUT_3D_SIZE 1", "0 0 0"], 1, "'LUT_3D_SIZE 1'; a whole number from 2 to 256"),
    "too large": (["", "LUT_3D_SIZE 257", *ROWS], 2, "'LUT_3D_SIZE 257'; a whole number from 2 to 256"),
    "endless": (["LUT_3D_SIZE " + "9" * 5000, *ROWS], 1, "99...'; a whole number from 2 to 256"),
    "no number": (["LUT_3D_SIZE two", *ROWS], 1, "'LUT_3D_SIZE two'; a whole number"),
    "negative": (["LUT_3D_SIZE -2", *ROWS], 1, "'LUT_3D_SIZE -2'; a whole number"),
    "nothing": (["LUT_3D_SIZE", *ROWS], 1, "'LUT_3D_SIZE'; a whole number"),
    "two sizes": ([SIZE, "LUT_3D_SIZE 3", *ROWS], 2, "'LUT_3D_SIZE 3'; one LUT_3D_SIZE (the first is on line 1)"),
    "two titles": (['TITLE "a"', 'TITLE "b"', SIZE, *ROWS], 2, "one TITLE (the first is on line 1)"),
    "two domains": (["DOMAIN_MIN 0 0 0"] * 2 + [SIZE, *ROWS], 2, "one DOMAIN_MIN (the first is on line 1)"),
    "bare title": (["TITLE dusk", SIZE, *ROWS], 1, "'TITLE dusk'; TITLE \"text\", in double quotes"),
    "half a title": (['TITLE "', SIZE, *ROWS], 1, "in double quotes"),
    "two numbers": ([SIZE, *ROWS[:3], "0 1", *ROWS[4:]], 5, "'0 1'; three finite numbers"),
    "four numbers": ([SIZE, *ROWS[:3], "0 1 0 1", *ROWS[4:]], 5, "'0 1 0 1'; three finite numbers"),
    "words": ([SIZE, *ROWS[:7], "1 1 one"], 9, "'1 1 one'; three finite numbers"),
    "commas": ([SIZE, *ROWS[:7], "0,5 1 1"], 9, "'0,5 1 1'; three finite numbers"),
    "separators": ([SIZE, *ROWS[:7], "1_0 1 1"], 9, "'1_0 1 1'; three finite numbers"),
    "not a number": ([SIZE, "nan 0 0", *ROWS[1:]], 2, "'nan 0 0'; three finite numbers"),
    "infinite": ([SIZE, "0 inf 0", *ROWS[1:]], 2, "'0 inf 0'; three finite numbers"),
    "too large for float32": ([SIZE, "0 1e39 0", *ROWS[1:]], 2, "'0 1e39 0'; three finite numbers"),
    "too many": ([SIZE, *ROWS, "1 1 1"], 10, "'1 1 1'; 8 colours for LUT_3D_SIZE 2"),
    "too few": ([SIZE, *ROWS[:7]], 8, "the file ends after 7 colours; the 8 of LUT_3D_SIZE 2 are accepted"),
    "no table": ([SIZE], 1, "the file ends after 0 colours; LUT_3D_SIZE and a table is accepted"),
    "empty": ([""], 0, "the file ends after 0 colours; LUT_3D_SIZE and a table is accepted"),
    "late keyword": ([SIZE, *ROWS, 'TITLE "late"'], 10, "'TITLE \"late\"'; no keyword after the first colour"),
    "domain of two": ([SIZE, "DOMAIN_MIN 0 0", *ROWS], 2, "'DOMAIN_MIN 0 0'; three finite numbers"),
    "domain of words": ([SIZE, "DOMAIN_MAX a b c", *ROWS], 2, "'DOMAIN_MAX a b c'; three finite numbers"),
    "domain end": ([SIZE, "DOMAIN_MAX 1 0 1", *ROWS], 2, "'DOMAIN_MAX 1 0 1'; a domain that starts below its end"),
    "domain start": (
        [SIZE, "DOMAIN_MIN 0 1 0", *ROWS],
        2,
        "'DOMAIN_MIN 0 1 0'; a domain that starts below its end",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_named_with_its_file_and_line(tmp_path: Path, case: str) -> None:
    lines, number, text = MISTAKES[case]
    path = write(tmp_path, *lines)
    with pytest.raises(ValueError, match="accepted") as caught:
        read_cube(path)
    assert str(caught.value).startswith(f"{path}, line {number}: ")
    assert text in str(caught.value)


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "look.cube"
    path.write_bytes(b"LUT_3D_SIZE 2\n\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"look\.cube: invalid start byte at byte 14; text in UTF-8 is accepted"):
        read_cube(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.cube"):
        read_cube(tmp_path / "absent.cube")
