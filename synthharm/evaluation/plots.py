"""Plots of an evaluation: errors by bins and against the composite's, arguments against the true ones."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from synthharm.evaluation.summary import TABLES, Evaluation, Line, Scored

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people tell apart who see colours differently; markers and hatches say it again.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "//", "\\\\", "..", "xx", "--", "++", "oo")
LOWEST = 0.01  # fMSE: less is drawn here, for an axis in logarithms has no 0
KINDS = ("bins", "scatter", "arguments")
BINNED = ("foreground", "composite fMSE")
STYLE: Mapping[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "hatch.color": "white",
    "legend.frameon": False,
}


def draw_plots(evaluation: Evaluation) -> Iterator[tuple[str, bytes]]:
    """All plots there are figures for: the name of each file, and its PNG."""
    import matplotlib as mpl

    style: dict[Any, Any] = {**mpl.rcParamsDefault, **STYLE}  # whatever a user has set

    for protocol, size in evaluation.described:
        rows = [row for row in evaluation.scored if (row.protocol, row.size) == (protocol, size)]
        lines = [line for line in evaluation.lines if (line.protocol, line.size) == (protocol, size)]
        own = [row for row in rows if row.method == evaluation.subject]
        where = f"{protocol}, {'full size' if size == 'full' else size}"
        with mpl.rc_context(style):
            figures = {
                "bins": _plot_bins(lines, evaluation.methods, where),
                "scatter": _plot_scatter(rows, evaluation.methods, where),
                "arguments": _plot_arguments(own, evaluation.subject, where),
            }
            for name, figure in figures.items():
                if figure is not None:
                    yield plot_name(protocol, size, name), _png(figure)


def plot_name(protocol: str, size: str, kind: str) -> str:
    """The name of a plot's file; its kind is one of `KINDS`."""
    return f"{protocol}_{size}_{kind}.png"


def _plot_bins(lines: Sequence[Line], methods: Sequence[str], where: str) -> Figure | None:
    """The fMSE of each method in each bin, by the foreground's share and by the composite's fMSE."""
    tables = [[line for line in lines if line.table == table] for table in BINNED]
    if not all(tables):
        return None
    figure = _figure(13, 5)
    counts = [len({line.group for line in table}) for table in tables]
    panels = figure.subplots(1, 2, sharey=True, width_ratios=[max(count, 2) for count in counts])
    shown = [method for method in methods if any(line.method == method for line in tables[0])]
    width = 0.8 / len(shown)
    for axes, table in zip(panels, tables, strict=True):
        groups = list(dict.fromkeys(line.group for line in table))
        for place, method in enumerate(shown):
            mine = [line for line in table if line.method == method]
            left = [groups.index(line.group) + (place - (len(shown) - 1) / 2) * width for line in mine]
            values = [max(line.figures["fmse"], LOWEST) for line in mine]
            colour, _, hatch = _look(methods, method)
            axes.bar(left, values, width, color=colour, hatch=hatch, label=method)
        counted = {line.group: line.pairs for line in table if line.method == methods[0]}
        axes.set_xticks(range(len(groups)), [f"{group}\n{_pairs(counted[group])}" for group in groups])
        axes.set_xlabel(TABLES[table[0].table][3:])
        axes.set_yscale("log")
        axes.grid(False, axis="x")
    panels[0].set_ylabel("fMSE, mean over images")
    figure.suptitle(f"Foreground error by bin ({where})")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(shown))
    return figure


def _plot_scatter(rows: Sequence[Scored], methods: Sequence[str], where: str) -> Figure | None:
    """The fMSE after against before, a panel for each method; below the line is better than before."""
    measured = [row for row in rows if row.measures and row.composite_fmse is not None]
    shown = [method for method in methods[1:] if any(row.method == method for row in measured)]
    if not shown:
        return None
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    figure = _figure(4.4 * columns, 4.2 * lines + 0.6)
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    every = [value for row in measured for value in (row.composite_fmse or 0, row.measures["fmse"])]
    limits = (max(min(every), LOWEST) / 1.5, max(*every, LOWEST * 10) * 1.5)
    for axes, method in zip(panels, shown, strict=False):
        mine = [row for row in measured if row.method == method]
        colour, marker, _ = _look(methods, method)
        before = np.maximum([row.composite_fmse or 0 for row in mine], LOWEST)
        after = np.maximum([row.measures["fmse"] for row in mine], LOWEST)
        axes.plot(limits, limits, color="#666666", linewidth=1)
        axes.plot(before, after, marker, color=colour, markersize=5, alpha=0.7, markeredgewidth=0, clip_on=False)
        better = np.mean(after < before)
        axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
        axes.minorticks_off()
        axes.set_title(f"{method}: lower in {better:.0%} of {len(mine)}", fontsize=11)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    figure.supxlabel("fMSE of the composite")
    figure.supylabel("fMSE of the result")
    figure.suptitle(f"Foreground error after against before ({where})")
    return figure


def _plot_arguments(rows: Sequence[Scored], method: str, where: str) -> Figure | None:
    """Predicted arguments against the true ones, a panel for each."""
    columns = list(dict.fromkeys(column for row in rows for column in row.arguments))
    if not columns:
        return None
    across = min(3, len(columns))
    down = -(-len(columns) // across)
    figure = _figure(4.2 * across, 3.9 * down + 0.6)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, column in zip(panels, columns, strict=False):
        found = [row.arguments[column] for row in rows if column in row.arguments]
        _plot_argument(axes, [one.true for one in found], [one.predicted for one in found], found[0].neutral)
        error = float(np.mean([abs(one.error) for one in found]))
        axes.set_title(f"{column}: mean absolute error {error:.3f}", fontsize=11)
    for axes in panels[len(columns) :]:
        axes.set_visible(False)
    figure.supxlabel("true argument")
    figure.supylabel("predicted argument")
    figure.suptitle(f"Arguments of {method} ({where})")
    return figure


def _plot_argument(axes: Axes, true: Sequence[float], predicted: Sequence[float], neutral: float) -> None:
    low, high = min(*true, *predicted, neutral), max(*true, *predicted, neutral)
    margin = max(0.05 * (high - low), 1e-3)
    limits = (low - margin, high + margin)
    axes.axhline(neutral, color="#999999", linewidth=1, linestyle=":")
    axes.plot(limits, limits, color="#666666", linewidth=1)
    axes.plot(true, predicted, "o", color=COLOURS[4], markersize=5, alpha=0.7, markeredgewidth=0)
    axes.set(xlim=limits, ylim=limits)
    axes.set_aspect("equal")


def _pairs(count: int) -> str:
    return f"{count} pair{'s' * (count != 1)}"


def _look(methods: Sequence[str], method: str) -> tuple[str, str, str]:
    place = list(methods).index(method) % len(COLOURS)
    return COLOURS[place], MARKERS[place], HATCHES[place]


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # without pyplot: nothing global, and Agg draws it

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
