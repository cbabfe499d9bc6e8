"""From the figures of single images to tables: means over images, grouped as the field groups them."""

from __future__ import annotations

import csv
import io
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synthharm.sources import Reject

SHARES = (0.05, 0.15)  # of the image: where iHarmony4's three bins of foregrounds part
ERRORS = (187, 455, 905, 1843, 4578)  # fMSE of the composite, likewise: quantiles of iHarmony4's
MEASURES = {"mse": "MSE", "fmse": "fMSE", "psnr": "PSNR", "fpsnr": "fPSNR", "ssim": "SSIM", "fssim": "fSSIM"}
MEASURES |= {"lpips": "LPIPS"}
REALISM = {
    "mean_before": "mean, before",
    "mean_after": "mean, after",
    "deviation_before": "deviation, before",
    "deviation_after": "deviation, after",
    "from_neutral": "arguments from neutral",
}
ERROR = {"bias": "mean error", "absolute": "mean absolute error", "neutral": "that of predicting neutral"}
HEADINGS = MEASURES | REALISM | ERROR
DIGITS = {"mse": 2, "fmse": 2, "psnr": 2, "fpsnr": 2}  # behind the point; 4 for the rest
TABLES = {
    "all": "All pairs",
    "subset": "By subset",
    "foreground": "By the foreground's share of the image",
    "composite fMSE": "By the composite's fMSE",
    "realism": "Without a real image: distance of the region's colours from the background's",
    "realism by subset": "Without a real image, by subset",
    "argument": "Errors of predicted arguments",
}


@dataclass(frozen=True)
class Argument:
    """An argument that was predicted where the true one is known, and the value that changes nothing."""

    predicted: float
    true: float
    neutral: float

    @property
    def error(self) -> float:
        """Predicted - true."""
        return self.predicted - self.true


@dataclass(frozen=True)
class Scored:
    """The figures of one pair under one protocol, at one size, by one method.

    Attributes:
        name: of the pair.
        subset: of the pair.
        protocol: its name.
        size: as `size_name` has it.
        method: its name.
        foreground: the share of the image's pixels that is foreground, from its own size.
        composite_fmse: what the same protocol measures of the composite; None without a real image.
        measures: by the names of `MEASURES`; empty without a real image.
        realism: by the names of `REALISM`; empty with one.
        predicted: arguments by column; empty where the method has none.
        arguments: those of which the true ones are known, by column; of the same chain as these.
        uncompared: why there are none although arguments are predicted and true ones known; else "".
    """

    name: str
    subset: str
    protocol: str
    size: str
    method: str
    foreground: float
    composite_fmse: float | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    realism: Mapping[str, float] = field(default_factory=dict)
    predicted: Mapping[str, float] = field(default_factory=dict)
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    uncompared: str = ""


@dataclass(frozen=True)
class Line:
    """A line of a table: the means of one group of images for one method.

    Attributes:
        protocol: its name.
        size: see `Scored`.
        table: one of `TABLES`.
        group: which of its groups: a subset, a bin, a column of the arguments, or "".
        method: its name.
        pairs: how many images the means are over.
        figures: by the names of `HEADINGS`.
    """

    protocol: str
    size: str
    table: str
    group: str
    method: str
    pairs: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What came of an evaluation.

    Attributes:
        scored: the figures of each pair, protocol, size and method.
        rejects: what could not be used, and why.
        lines: of all tables.
        methods: their names; the composite itself is the first.
        subject: the name of the method that the plots and the worst cases are about.
        described: a sentence for each protocol and size.
        without_real: the same for tables of pairs without a real image.
        lpips: a sentence on whether LPIPS was measured.
        pairs: how many were listed.
        settings: what the caller wants written down.
        versions: of the libraries that figures depend on, by name.
    """

    scored: tuple[Scored, ...]
    rejects: tuple[Reject, ...]
    lines: tuple[Line, ...]
    methods: tuple[str, ...]
    subject: str
    described: Mapping[tuple[str, str], str]
    without_real: Mapping[tuple[str, str], str]
    lpips: str
    pairs: int
    settings: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def used(self) -> int:
        """How many pairs have figures."""
        return len({row.name for row in self.scored})

    def pooled(self, protocol: str, size: str) -> list[Line]:
        """The lines of the table over all pairs: of realism where no real image is known."""
        here = [line for line in self.lines if (line.protocol, line.size) == (protocol, size)]
        return [line for line in here if line.table == "all"] or [line for line in here if line.table == "realism"]


def size_name(size: tuple[int, int] | None) -> str:
    """A protocol's size in a word, as the command line takes it: height, then width.

    Example:
        >>> size_name((256, 256)), size_name((480, 640)), size_name(None)
        ('256', '480x640', 'full')
    """
    if size is None:
        return "full"
    return str(size[0]) if size[0] == size[1] else f"{size[0]}x{size[1]}"


def bin_of(value: float, edges: Sequence[float], unit: str = "", scale: float = 1) -> tuple[int, str]:
    """The bin that a value is in, lower edges included: its place and its name.

    Example:
        >>> bin_of(0.05, SHARES, " %", 100), bin_of(5000, ERRORS)
        ((1, '5-15 %'), (5, 'from 4578'))
    """
    place = bisect_right(edges, value)
    low = f"{(edges[place - 1] if place else 0) * scale:g}"
    if place == len(edges) and unit != " %":
        return place, f"from {low}"
    high = 1 if place == len(edges) else edges[place]
    return place, f"{low}-{high * scale:g}{unit}"


def summarize(scored: Sequence[Scored]) -> list[Line]:
    """All lines of all tables, protocol by protocol; groups in their order, methods in that of their first image.

    Every figure is the mean of the images' own figures, of PSNR too, which is the field's rule ("averaged per
    image"): it is not the PSNR of the mean error.

    Example:
        >>> errors = {"a.jpg": 1, "b.jpg": 3}
        >>> rows = [Scored(n, "", "issam", "full", "oracle", 0.1, 9.0, {"fmse": e}) for n, e in errors.items()]
        >>> summarize(rows)[0].figures
        {'fmse': 2.0}
    """
    lines: list[Line] = []
    for protocol, size in dict.fromkeys((row.protocol, row.size) for row in scored):
        here = [row for row in scored if (row.protocol, row.size) == (protocol, size)]
        measured = [row for row in here if row.measures]
        for table, key in _GROUPINGS.items():
            lines += _grouped(table, measured, key, lambda row: row.measures)
        unknown = [row for row in here if row.realism]
        for table, grouping in (("realism", "all"), ("realism by subset", "subset")):
            lines += _grouped(table, unknown, _GROUPINGS[grouping], lambda row: row.realism)
        lines += _argument_lines(here)
    return lines


_GROUPINGS: Mapping[str, Callable[[Scored], tuple[int, str]]] = {
    "all": lambda row: (0, ""),
    "subset": lambda row: (0, row.subset),
    "foreground": lambda row: bin_of(row.foreground, SHARES, " %", 100),
    "composite fMSE": lambda row: bin_of(row.composite_fmse or 0, ERRORS),
}


def _grouped(
    table: str,
    rows: Sequence[Scored],
    key: Callable[[Scored], tuple[int, str]],
    figures: Callable[[Scored], Mapping[str, float]],
) -> Iterator[Line]:
    groups = sorted({key(row) for row in rows})
    if table.endswith("subset") and len(groups) < 2:
        return  # it would say again what the table of all pairs says
    for group in groups:
        for method in dict.fromkeys(row.method for row in rows):
            members = [row for row in rows if row.method == method and key(row) == group]
            if members:
                first = members[0]
                found = _means([figures(row) for row in members])
                yield Line(first.protocol, first.size, table, group[1], method, len(members), found)


def _argument_lines(rows: Sequence[Scored]) -> Iterator[Line]:
    known = [row for row in rows if row.arguments]
    for column in dict.fromkeys(column for row in known for column in row.arguments):
        for method in dict.fromkeys(row.method for row in known):
            members = [row for row in known if row.method == method and column in row.arguments]
            if not members:
                continue
            found = _means(
                [
                    {"bias": one.error, "absolute": abs(one.error), "neutral": abs(one.neutral - one.true)}
                    for one in (row.arguments[column] for row in members)
                ]
            )
            first = members[0]
            yield Line(first.protocol, first.size, "argument", column, method, len(members), found)


def _means(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The means over the images that have a figure (only LPIPS may be missing), in the order of `HEADINGS`."""
    columns = {name: [one[name] for one in figures if name in one] for name in HEADINGS}
    return {name: math.fsum(values) / len(values) for name, values in columns.items() if values}


def tables_of(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines of each table by itself, in order."""
    found: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        found.setdefault((line.protocol, line.size, line.table), []).append(line)
    return list(found.values())


def markdown_table(lines: Sequence[Line]) -> str:
    """One table's lines as Markdown.

    Example:
        >>> print(markdown_table([Line("issam", "full", "all", "", "oracle", 2, {"fmse": 2.0, "ssim": 0.5})]))
        | method | pairs | fMSE | SSIM |
        |---|---:|---:|---:|
        | oracle | 2 | 2.00 | 0.5000 |
    """
    head, rows = cells(lines)
    left = 2 if head[0] == "group" else 1
    text = [_markdown_row(head), "|" + "---|" * left + "---:|" * (len(head) - left)]
    return "\n".join([*text, *(_markdown_row(row) for row in rows)])


def cells(lines: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """One table's headings and rows as text; what a line has no figure for is left empty."""
    names = [name for name in HEADINGS if any(name in line.figures for line in lines)]
    grouped = any(line.group for line in lines)
    head = [*(["group"] if grouped else []), "method", "pairs", *(HEADINGS[name] for name in names)]
    rows = [
        [
            *([line.group or "(none)"] if grouped else []),
            line.method,
            str(line.pairs),
            *(f"{line.figures[n]:.{DIGITS.get(n, 4)}f}" if n in line.figures else "" for n in names),
        ]
        for line in lines
    ]
    return head, rows


def _markdown_row(texts: Iterable[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def lines_csv(lines: Sequence[Line]) -> bytes:
    """All tables' lines as CSV; figures are written so that they read back to the bit."""
    names = [name for name in HEADINGS if any(name in line.figures for line in lines)]
    head = ["protocol", "size", "table", "group", "method", "pairs", *names]
    return _csv(
        head,
        (
            [line.protocol, line.size, line.table, line.group, line.method, line.pairs]
            + [line.figures.get(name, "") for name in names]
            for line in lines
        ),
    )


def scored_csv(scored: Sequence[Scored]) -> bytes:
    """All images' figures as CSV, one line for each pair, protocol, size and method."""
    measures = [name for name in MEASURES if any(name in row.measures for row in scored)]
    realism = [name for name in REALISM if any(name in row.realism for row in scored)]
    predicted = list(dict.fromkeys(column for row in scored for column in row.predicted))
    known = list(dict.fromkeys(column for row in scored for column in row.arguments))
    head = ["name", "subset", "protocol", "size", "method", "foreground", "composite_fmse", *measures, *realism]
    head += [f"predicted:{column}" for column in predicted]
    head += [f"{what}:{column}" for column in known for what in ("true", "error", "absolute_error")]

    def cells_of(row: Scored) -> Iterator[object]:
        yield from (row.name, row.subset, row.protocol, row.size, row.method, row.foreground)
        yield "" if row.composite_fmse is None else row.composite_fmse
        yield from (row.measures.get(name, "") for name in measures)
        yield from (row.realism.get(name, "") for name in realism)
        yield from (row.predicted.get(column, "") for column in predicted)
        for column in known:
            one = row.arguments.get(column)
            yield from ("", "", "") if one is None else (one.true, one.error, abs(one.error))

    return _csv(head, map(list, map(cells_of, scored)))


def _csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()
