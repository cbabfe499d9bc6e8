"""A sheet has room for every sample, whatever the sizes of the pictures."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageDraw, ImageFont

from synthharm.report import Row, contact_sheet
from synthharm.report.contact_sheet import CUT, GAP, MARGIN, PAPER, TILE, TITLES

COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 0, 200))


def plain(colour: tuple[int, ...], size: tuple[int, int] = (30, 40)) -> np.ndarray:
    return np.full((*size, 3), colour, np.uint8)


def row(size: tuple[int, int] = (30, 40), caption: str = "") -> Row:
    return Row(tuple(plain(colour, size) for colour in COLOURS), caption)


def bounds(sheet: np.ndarray, colour: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Rows and columns, first and last + 1, of what has exactly that colour."""
    rows, columns = np.nonzero((sheet == colour).all(axis=2))
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def test_a_sheet_grows_with_its_rows() -> None:
    shapes = [contact_sheet([row()] * count, "title").shape for count in range(1, 10)]
    heights, widths = [s[0] for s in shapes], [s[1] for s in shapes]
    assert all(len(s) == 3 and s[2] == 3 for s in shapes)
    assert len(set(widths[:3])) == 1
    assert len(set(widths[3:])) == 1
    assert widths[3] > 1.9 * widths[0]
    step = heights[1] - heights[0]
    assert step >= TILE[1]
    assert [h - heights[0] for h in heights] == [step * n for n in (0, 1, 2, 1, 2, 2, 3, 3, 4)]


def test_the_pictures_stand_beside_each_other_in_order() -> None:
    sheet = contact_sheet([row((174, 232))], "title")
    found = [bounds(sheet, colour) for colour in COLOURS]
    assert all((f[1] - f[0], f[3] - f[2]) == (TILE[1], TILE[0]) for f in found)
    assert len({f[:2] for f in found}) == 1
    for left, right in pairwise(found):
        assert left[3] < right[2]
    assert len(TITLES) == len(COLOURS)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 700), st.integers(1, 700))
def test_a_picture_of_any_size_fits_and_keeps_its_shape(height: int, width: int) -> None:
    first, last, left, right = bounds(contact_sheet([row((height, width))], "title"), COLOURS[0])
    shown = (last - first, right - left)
    assert shown[0] <= TILE[1]
    assert shown[1] <= TILE[0]
    assert shown[0] == TILE[1] or shown[1] == TILE[0]
    scale = min(TILE[0] / width, TILE[1] / height)
    assert shown[0] == pytest.approx(max(1, height * scale), abs=0.51)
    assert shown[1] == pytest.approx(max(1, width * scale), abs=0.51)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (900, 1100)])
def test_extreme_sizes_fit(size: tuple[int, int]) -> None:
    found = [bounds(contact_sheet([row(size)] * 4, "title"), colour) for colour in COLOURS]
    assert len({f[3] - f[2] for f in found}) == 1
    centres = [(f[2] + f[3]) / 2 for f in found]
    assert centres == sorted(centres)


def test_every_sample_is_on_the_sheet() -> None:
    pictures = [plain((n, 255 - n, 9)) for n in range(0, 50, 10)]
    sheet = contact_sheet([Row((picture,) * 4, "") for picture in pictures], "title")
    places = [bounds(sheet, tuple(picture[0, 0]))[::2] for picture in pictures]
    assert len(set(places)) == 5
    assert places == sorted(places)  # by rows, then by columns


def test_title_and_captions_are_written() -> None:
    blank = contact_sheet([row()], "")
    for sheet in (contact_sheet([row()], "title"), contact_sheet([row(caption="fMSE 12 — é")], "")):
        assert sheet.shape == blank.shape
        assert (sheet != blank).any()
    assert (blank == PAPER).all(axis=2).mean() > 0.1


WIDTH = len(TITLES) * (TILE[0] + GAP) - GAP  # of a row


def inked(sheet: np.ndarray) -> np.ndarray:
    """The columns of a sheet in which the line of captions has ink."""
    below = bounds(sheet, COLOURS[0])[1]
    return np.flatnonzero((sheet[below : below + 18] != PAPER).any(axis=(0, 2)))


captions = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=300)
repeated = st.builds(str.__mul__, st.sampled_from(["saturation +0.12  ", "W", "il", "a\nb"]), st.integers(0, 300))


@settings(deadline=None, max_examples=30)
@given(captions | repeated)
def test_a_caption_of_any_length_stays_in_its_row(caption: str) -> None:
    sheet = contact_sheet([row((174, 232), caption)] + [row((174, 232))] * 3, "")
    ink = inked(sheet)
    assert (ink >= MARGIN - 3).all()
    assert (ink <= MARGIN + WIDTH + 3).all()


def test_a_caption_is_cut_where_its_row_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    draw_text = ImageDraw.ImageDraw.text

    def text(self: ImageDraw.ImageDraw, place: object, words: str, *more: object) -> None:
        written.append(words)
        draw_text(self, place, words, *more)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    font = ImageFont.load_default(12)
    for word in ("W", "i", "contrast +0.12  "):
        whole = word * int(WIDTH // font.getlength(word))
        long = word * 1000
        contact_sheet([row(caption=whole), row(caption=long)], "")
        first, second = written[-2:]
        assert first == whole
        assert second.endswith(CUT)
        kept = second.removesuffix(CUT)
        assert long.startswith(kept)
        assert font.getlength(second) <= WIDTH < font.getlength(long[: len(kept) + 3] + CUT)


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], "title")


def test_pictures_are_left_as_they_were() -> None:
    tile = plain((1, 2, 3), (500, 400))
    contact_sheet([Row((tile,) * 4, "")], "title")
    assert (tile == (1, 2, 3)).all()
