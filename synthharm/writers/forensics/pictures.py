"""The pictures of a dataset's card: some samples with what was done to them, and what the dataset is like."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, cycle

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from synthharm.writers.forensics.item import Item
from synthharm.writers.forensics.overview import PICKS, Overview
from synthharm.writers.forensics.record import KINDS

PAPER, INK, FAINT, RULE = (255, 255, 255), (30, 30, 32), (95, 95, 100), (215, 215, 218)
SERIES = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0))  # Okabe-Ito
REGION = np.array(SERIES[1], np.float64)
STRENGTH = 0.55  # of the region's colour over the grey image
TILE, GAP, MARGIN, HEAD = (248, 186), 8, 24, 24
PANEL, PANEL_HEAD, PANEL_FOOT, LABELS = (560, 300), 44, 46, 150
MOST_BARS, WIDEST = 10, 64

Picture = NDArray[np.uint8]


def samples_sheet(numbers: Overview) -> bytes:
    """A PNG with a row for each kind: images, each beside itself in grey with what was manipulated in colour.

    Raises:
        ValueError: an image cannot be decoded.
    """
    columns = 2 * max((len(items) for items in numbers.picks.values()), default=PICKS)
    width = 2 * MARGIN + columns * (TILE[0] + GAP) - GAP
    sheet = Image.new("RGB", (width, 2 * MARGIN + len(numbers.picks) * (HEAD + TILE[1] + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for kind, items in numbers.picks.items():
        draw.text((MARGIN, top), kind.replace("_", " "), INK, _font(16))
        tiles = chain.from_iterable(_pair(item) for item in items)
        for place, tile in enumerate(tiles):
            left = MARGIN + place * (TILE[0] + GAP) + (TILE[0] - tile.shape[1]) // 2
            sheet.paste(Image.fromarray(tile), (left, top + HEAD + (TILE[1] - tile.shape[0]) // 2))
        top += HEAD + TILE[1] + GAP
    return _png(sheet)


def _pair(item: Item) -> tuple[Picture, Picture]:
    image = _decode(item, "image", cv2.IMREAD_COLOR)[..., ::-1]
    tile = _fit(image)
    if not item.record.manipulated:
        return tile, _marked(tile, np.zeros(tile.shape[:2], np.uint8))
    return tile, _marked(tile, _fit(_decode(item, "mask", cv2.IMREAD_GRAYSCALE)))


def _marked(tile: Picture, mask: Picture) -> Picture:
    """The tile in grey, lightened, with the region in colour and a dark rim around it."""
    grey = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY).astype(np.float64)[..., None]
    share = mask[..., None] / 255.0 * STRENGTH
    marked = np.rint((64 + grey * 0.7) * (1 - share) + REGION * share).astype(np.uint8)
    contours, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    marked = np.ascontiguousarray(marked)
    cv2.drawContours(marked, contours, -1, INK, 1)
    return marked


def _decode(item: Item, role: str, mode: int) -> Picture:
    data = item.files[role].read()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    if pixels is None:
        raise ValueError(f"sample {item.record.sample}: its {role} of {len(data)} bytes cannot be decoded")
    return np.asarray(pixels, dtype=np.uint8)


def _fit(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    scale = min(TILE[0] / width, TILE[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=how), dtype=np.uint8)


@dataclass(frozen=True)
class Bars:
    """A diagram of bars.

    Args:
        title: what is counted.
        labels: of the bars.
        series: by name, the counts of the bars; several lie end to end.
        lying: whether bars lie, with room for words beside them, or stand.
        axis: what the labels are, under standing bars.
    """

    title: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[int]]
    lying: bool = False
    axis: str = ""

    @property
    def totals(self) -> list[int]:
        """The whole length of each bar."""
        return [sum(counts) for counts in zip(*self.series.values(), strict=True)]


def diagrams(numbers: Overview, splits: Sequence[str]) -> list[Bars]:
    """What is drawn of a dataset: its kinds, categories, mask areas, qualities, saves and histories."""
    kinds = [kind for kind in KINDS if numbers.of_kind(kind)]
    by_split = {s: [numbers.kinds[s, kind] for kind in kinds] for s in splits if numbers.of_split(s)}
    steps = list(range(1, max(numbers.lengths, default=1) + 1))
    saves = list(range(max(numbers.lossy, default=0) + 1))
    common = sorted(numbers.categories.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_BARS]
    parts = [np.histogram(chunk, 20, (0.0, 1.0))[0] for chunk in numbers.shares.chunks()]
    shares = np.sum(parts, axis=0).tolist()
    qualities = [sum(numbers.qualities[q] for q in range(low, low + 5)) for low in range(1, 101, 5)]
    once = {"": [numbers.lossy[count] for count in saves]}
    length = {"": [numbers.lengths[count] for count in steps]}
    return [
        Bars("Samples by kind and split", [k.replace("_", " ") for k in kinds], by_split, lying=True),
        Bars("Manipulated regions by category", [c for c, _ in common], {"": [n for _, n in common]}, lying=True),
        Bars(
            "Share of the image that is manipulated",
            _every(range(0, 100, 5), 4),
            {"": shares},
            axis="percent, by 5",
        ),
        Bars("JPEG quality of the last save", _every(range(1, 101, 5), 4), {"": qualities}, axis="quality, by 5"),
        Bars("Lossy saves in the history", [str(count) for count in saves], once, axis="saves"),
        Bars("Steps of the history", [str(count) for count in steps], length, axis="steps"),
    ]


def _every(values: Sequence[int], step: int) -> list[str]:
    return [str(value) if place % step == 0 else "" for place, value in enumerate(values)]


def distributions_sheet(numbers: Overview, splits: Sequence[str]) -> bytes:
    """A PNG with the diagrams of a dataset, two beside each other."""
    panels = diagrams(numbers, splits)
    lines = -(-len(panels) // 2)
    size = (2 * MARGIN + 2 * PANEL[0] + 2 * MARGIN, 2 * MARGIN + lines * (PANEL[1] + MARGIN) - MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, bars in enumerate(panels):
        left = MARGIN + (place % 2) * (PANEL[0] + 2 * MARGIN)
        top = MARGIN + place // 2 * (PANEL[1] + MARGIN)
        draw.text((left, top), bars.title, INK, _font(17))
        if not any(bars.totals):
            draw.text((left, top + PANEL_HEAD), "none", FAINT, _font(14))
        elif bars.lying:
            _draw_lying(draw, bars, left, top)
        else:
            _draw_standing(draw, bars, left, top)
    return _png(sheet)


def _draw_lying(draw: ImageDraw.ImageDraw, bars: Bars, left: int, top: int) -> None:
    font, room = _font(14), PANEL[0] - LABELS - 60
    step = min(30, (PANEL[1] - PANEL_HEAD - 30) // len(bars.labels))
    upper = top + PANEL_HEAD - 8
    for place, (label, total) in enumerate(zip(bars.labels, bars.totals, strict=True)):
        y, begin = upper + place * step, 0
        draw.text((left + LABELS - 10, y + step // 2), _short(label, LABELS - 10, font), INK, font, anchor="rm")
        for colour, counts in zip(cycle(SERIES), bars.series.values(), strict=False):
            end = begin + counts[place]
            span = [left + LABELS + round(room * edge / max(bars.totals)) for edge in (begin, end)]
            if end > begin:
                draw.rectangle((span[0], y + 3, max(span[1] - 1, span[0]), y + step - 3), colour)
            begin = end
        beside = left + LABELS + round(room * total / max(bars.totals)) + 6
        draw.text((beside, y + step // 2), f"{total:,}", FAINT, font, anchor="lm")
    if len(bars.series) > 1:
        _draw_names(draw, list(bars.series), left + LABELS, upper + len(bars.labels) * step + 12)


def _draw_names(draw: ImageDraw.ImageDraw, names: Sequence[str], left: int, top: int) -> None:
    font = _font(14)
    for colour, name in zip(cycle(SERIES), names, strict=False):
        draw.rectangle((left, top, left + 12, top + 12), colour)
        draw.text((left + 18, top + 6), name, INK, font, anchor="lm")
        left += 18 + round(font.getlength(name)) + 20


def _draw_standing(draw: ImageDraw.ImageDraw, bars: Bars, left: int, top: int) -> None:
    font, count = _font(13), len(bars.labels)
    floor, ceiling = top + PANEL[1] - PANEL_FOOT, top + PANEL_HEAD + 10
    begin, step = left + 56, (PANEL[0] - 56) / count
    highest = max(bars.totals)
    for mark in sorted({0, highest // 2, highest}):
        y = floor - round((floor - ceiling) * mark / highest)
        draw.line((begin, y, left + PANEL[0], y), RULE)
        draw.text((begin - 8, y), f"{mark:,}", FAINT, font, anchor="rm")
    for place, (label, total) in enumerate(zip(bars.labels, bars.totals, strict=True)):
        x = begin + place * step
        middle, half = x + step / 2, min(step * 0.4, WIDEST / 2)
        if total:
            upper = min(floor - round((floor - ceiling) * total / highest), floor - 1)
            draw.rectangle((round(middle - half), upper, round(middle + half) - 1, floor), SERIES[0])
        draw.text((round(middle), floor + 6), label, INK, font, anchor="ma")
    draw.text((round(begin + count * step / 2), floor + 26), bars.axis, FAINT, font, anchor="ma")


def _short(text: str, width: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _png(sheet: Image.Image) -> bytes:
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()
