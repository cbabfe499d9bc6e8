"""Plots of the benchmarks' results: one PNG for each JSON that is there.

    python benchmarks/plots.py

Reads results/*.json and writes results/*.png; a benchmark that has not been run has no plot.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Path(__file__).resolve().parent

# Okabe and Ito's colours, which people tell apart who see colours differently; markers and hatches say it again.
BLACK, ORANGE, SKY, GREEN, BLUE, RED, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
GREY = "#999999"
TIMES = "\N{MULTIPLICATION SIGN}"
LIBRARIES = {
    "synthharm compiled": (BLUE, "o"),
    "synthharm reference": (SKY, "s"),
    "albumentations": (ORANGE, "^"),
    "torchvision": (RED, "D"),
    "kornia": (GREEN, "v"),
}
CHAINS = {
    "fused": ("compiled", BLUE, "o"),
    "reference": ("torch reference", SKY, "s"),
    "numpy": ("plain NumPy", ORANGE, "^"),
}
TURNS = {
    "floor": ("codecs alone", GREY, ""),
    "one job": ("1 job", BLUE, ""),
    "two jobs": ("2 jobs", SKY, "//"),
    "two Dask workers": ("2 Dask workers", ORANGE, ".."),
}
COMPARED = {  # what a turn is compared by
    "one job": "one_job_of_floor",
    "two jobs": "two_jobs_of_one",
    "two Dask workers": "two_dask_workers_of_one_job",
}
SHARES = (BLUE, SKY, ORANGE, RED, GREEN, PURPLE, BLACK, "#F0E442", GREY)
STYLE = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "hatch.color": "white",
    "legend.frameon": False,
}

Result = dict[str, Any]


def plot_operations(result: Result) -> Figure:
    """Time and error of single operations, one row each."""
    rows = result["rows"]
    names = list(dict.fromkeys(row["operation"] for row in rows))
    figure = Figure(figsize=(10, 1.4 + 0.85 * len(names)), layout="constrained")
    times, errors = figure.subplots(1, 2, sharey=True)
    for library, (colour, marker) in LIBRARIES.items():
        mine = [row for row in rows if row["library"] == library]
        offset = (list(LIBRARIES).index(library) - 2) * 0.15
        places = [names.index(row["operation"]) + offset for row in mine]
        style = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 8, "label": library}
        times.plot([row["milliseconds"] for row in mine], places, **style)
        errors.plot([row["error"]["mean"] for row in mine], places, **style, clip_on=False)
    starred = {row["operation"] for row in rows if not row["same_function"]}
    times.set_yticks(range(len(names)), [name + (" *" if name in starred else "") for name in names])
    times.set_ylim(len(names) - 0.5, -0.5)
    times.set_xscale("log")
    times.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    times.set_xlabel("milliseconds a photo (log)")
    errors.set_xlim(left=0)
    errors.set_xlabel("mean error, in levels of 255")
    for axes in (times, errors):
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        for place in range(1, len(names)):
            axes.axhline(place - 0.5, color="#dddddd", linewidth=0.8)
    figure.legend(*times.get_legend_handles_labels(), loc="outside upper center", ncols=len(LIBRARIES))
    if starred:
        figure.supxlabel("* by each library's own formula: they differ in what they call grey", fontsize=9)
    return figure


def plot_chain(result: Result) -> Figure:
    """Time of the paper's chain."""
    rows = result["summary"]
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots()
    for rival, (label, colour, marker) in CHAINS.items():
        times = [row["milliseconds"][rival] for row in rows]
        axes.plot(times, range(len(rows)), marker, color=colour, markersize=11, label=label)
        for place, (row, time) in enumerate(zip(rows, times, strict=True)):
            factor = "" if rival == "fused" else f", {row['ratios'][rival]['median']:.0f}{TIMES}"
            above = (0, 9) if rival != "numpy" else (0, -18)
            text = f"{time:,.0f}{factor}" if time >= 100 else f"{time:.3g}{factor}"
            axes.annotate(text, (time, place), above, textcoords="offset points", ha="center", fontsize=9)
    words = {"fifth": "a fifth of the image", "whole": "the whole image"}
    axes.set_yticks(range(len(rows)), [f"{row['direction']}, {words[row['region']]}" for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.margins(x=0.08)
    axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.set_xlabel(f"milliseconds a photo, one thread (log); {TIMES}: how many times the compiled chain's time")
    axes.tick_params(axis="y", length=0)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def plot_end_to_end(result: Result) -> Figure:
    """Samples per second beside the floor, and what the time goes to."""
    formats = result["formats"]
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    rates, shares = figure.subplots(1, 2, width_ratios=(1.15, 1))
    turns = [turn for turn in TURNS if all(turn in row["samples_per_second"] for row in formats.values())]
    for i, turn in enumerate(turns):
        label, colour, hatch = TURNS[turn]
        heights = [row["samples_per_second"][turn] for row in formats.values()]
        places = np.arange(len(formats)) + (i - (len(turns) - 1) / 2) * 0.21
        bars = rates.bar(places, heights, 0.19, color=colour, hatch=hatch, label=label)
        key = COMPARED.get(turn)
        notes = [f"\n{row[key]['median']:.2f}{TIMES}" if key else "" for row in formats.values()]
        texts = [f"{height:.0f}{note}" for height, note in zip(heights, notes, strict=True)]
        rates.bar_label(bars, texts, fontsize=9, padding=2)
    rates.set_xticks(range(len(formats)), [name_of(format_) for format_ in formats])
    rates.set_ylabel("samples a second")
    rates.margins(y=0.15)
    rates.set_xlabel(f"{TIMES}: 1 job beside the codecs alone, 2 workers beside 1 job")
    rates.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, handlelength=1.5)
    left = np.zeros(len(formats))
    for share, colour in zip(next(iter(formats.values()))["shares"], SHARES, strict=True):
        widths = np.array([100 * row["shares"][share] for row in formats.values()])
        shares.barh(range(len(formats)), widths, 0.5, left=left, color=colour, edgecolor="white", label=share)
        for place, width in enumerate(widths):
            if width >= 5:
                ink = "black" if colour in (SKY, ORANGE, "#F0E442", GREY, PURPLE) else "white"
                shares.text(left[place] + width / 2, place, f"{width:.0f}", ha="center", va="center", color=ink)
        left += widths
    shares.set_yticks(range(len(formats)), [name_of(format_) for format_ in formats])
    shares.set_ylim(len(formats) - 0.5, -0.5)
    shares.set_xlim(0, 100)
    shares.set_xlabel("% of one job's time")
    shares.grid(axis="y", visible=False)
    rates.grid(axis="x", visible=False)
    for axes in (rates, shares):
        axes.tick_params(axis="x" if axes is rates else "y", length=0)
    shares.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9, handlelength=1)
    return figure


def name_of(format_: str) -> str:
    return {"png": "PNG", "jpeg95": "JPEG, quality 95"}.get(format_, format_)


def plot_recovery(result: Result) -> Figure:
    """PSNR of what harmonizing brings back, as quantiles."""
    kinds = {"float64_psnr": "not encoded", "png_psnr": "PNG", "jpeg95_psnr": "JPEG, quality 95"}
    figure = Figure(figsize=(10, 2.9), layout="constrained")
    axes = figure.subplots()
    for place, kind in enumerate(kinds):
        draw_quantiles(axes, place, [result[kind][q] for q in ("lowest", "5 %", "median", "95 %", "highest")])
    axes.set_yticks(range(len(kinds)), kinds.values())
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_xlabel("foreground PSNR in dB of the harmonized composite to the real photo; 150 is the most")
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    title = f"{result['samples']:,} samples: lowest to highest, 5 to 95 % (thick), median (dot)"
    axes.set_title(title, fontsize=10, loc="left")
    return figure


def draw_quantiles(axes: Axes, place: float, values: list[float]) -> None:
    lowest, low, middle, high, highest = values
    axes.plot([lowest, highest], [place, place], color=GREY, linewidth=2, solid_capstyle="butt")
    axes.plot([low, high], [place, place], color=BLUE, linewidth=9, solid_capstyle="butt")
    axes.plot([middle], [place], color=ORANGE, marker="o", markersize=10, markeredgecolor="black")
    axes.annotate(f"{middle:.1f}", (middle, place), (0, 10), textcoords="offset points", ha="center", fontsize=9)


def plot_difficulty(result: Result) -> Figure:
    """Quantiles of the foreground MSE that was wanted and reached."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    axes = figure.subplots()
    quantiles = list(result["reached"])
    kinds = (("wanted", ORANGE, "D", 13, -18), ("reached", BLUE, "o", 8, 11))
    for name, colour, marker, size, offset in kinds:
        values = [result[name][quantile] for quantile in quantiles]
        axes.plot(values, range(len(values)), marker, color=colour, markersize=size, label=name)
        for place, value in enumerate(values):
            text, where = f"{value:,.0f}", (0, offset)
            axes.annotate(text, (value, place), where, textcoords="offset points", ha="center", fontsize=9)
    axes.set_yticks(range(len(quantiles)), [quantile.replace("%", " %") for quantile in quantiles])
    axes.set_ylim(len(quantiles) - 0.3, -0.7)
    axes.set_xscale("log")
    axes.margins(x=0.08)
    axes.xaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter("{x:,.0f}"))
    axes.set_ylabel("quantile of the samples")
    axes.set_xlabel("foreground MSE, on 0 to 255 (log)")
    axes.tick_params(axis="y", length=0)
    distances = f"{result['ks']:.3f}, that of the draws alone {result['ks_of_draws']:.3f}"
    title = f"{result['samples']:,} samples; Kolmogorov-Smirnov distance {distances}"
    axes.set_title(title, fontsize=10, loc="left")
    axes.legend(loc="upper right")
    return figure


def plot_gpu(result: Result) -> Figure:
    """Time of a batch on a GPU, alone and in a row; what failed is named."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    panels = figure.subplots(1, len(result["times"]), sharex=True, sharey=True, squeeze=False)[0]
    names = list(dict.fromkeys(n for rows in result["times"].values() for n, row in rows.items() if is_time(row)))
    for axes, (share, rows) in zip(panels, result["times"].items(), strict=True):
        for kind, label, colour, marker in (
            ("ms", "a single call, waited for", ORANGE, "D"),
            ("ms in a row", "calls in a row", BLUE, "o"),
        ):
            times = {names.index(n): rows[n][kind] for n in names if kind in rows.get(n, {})}
            axes.plot(list(times.values()), list(times), marker, color=colour, markersize=8, label=label)
        for place, name in enumerate(names):
            if "failed" in rows.get(name, {"failed": ""}):
                axes.annotate(" failed", (0, place), xycoords=("axes fraction", "data"), va="center", fontsize=9)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
        axes.set_xlabel("milliseconds a batch (log)")
        axes.set_title({"a fifth": "a fifth of each image", "all": "whole images"}.get(share, share), fontsize=11)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    shape = f" {TIMES} ".join(map(str, result["images"]))
    figure.supxlabel(f"{shape} on {result['device']}", fontsize=9)
    return figure


def plot_training(result: Result) -> Figure:
    """Foreground MSE on held-out photos as both recipes train, for each seed and in the mean."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.axhline(1, color=GREY, linewidth=1.5)
    axes.annotate("composites untouched", (1, 1), (0, 4), textcoords="offset points", fontsize=9)
    for name, label, colour, marker in (
        ("paper", "recipes/train_harmonizer_paper.yaml", ORANGE, "D"),
        ("ours", "recipes/train_harmonizer.yaml", BLUE, "o"),
    ):
        own = [run for run in result["runs"] if run["recipe"] == name]
        curves = [np.array(run["curve"]) / (1, run["composite_fmse"]) for run in own]
        for curve in curves:
            axes.plot(curve[:, 0], curve[:, 1], color=colour, linewidth=0.8, alpha=0.5)
        mean = np.mean(curves, axis=0)
        axes.plot(mean[:, 0], mean[:, 1], color=colour, marker=marker, linewidth=2, label=label)
    axes.set_xlabel("steps of 16 composites")
    axes.set_ylabel("foreground MSE, of the composites' own")
    seeds = len({run["seed"] for run in result["runs"]})
    axes.set_title(
        f"{seeds} seeds (thin), and their mean; photos that were not trained on", fontsize=10, loc="left"
    )
    axes.legend()
    return figure


def is_time(row: Any) -> bool:
    """Whether an entry of a GPU's result is of something that was timed, or tried."""
    return isinstance(row, dict) and ("ms" in row or "failed" in row)


PLOTS: dict[str, Callable[[Result], Figure]] = {
    "operations": plot_operations,
    "chain": plot_chain,
    "end_to_end": plot_end_to_end,
    "recovery": plot_recovery,
    "difficulty": plot_difficulty,
    "training": plot_training,
    "gpu": plot_gpu,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    with matplotlib.rc_context(STYLE):
        for name, plot in PLOTS.items():
            file = options.results / f"{name}.json"
            if not file.is_file():
                print(f"{file}: not measured yet")
                continue
            picture = file.with_suffix(".png")
            # Without the version of matplotlib inside, the same result gives the same bytes.
            plot(json.loads(file.read_bytes())).savefig(picture, dpi=120, metadata={"Software": None})
            print(picture)


if __name__ == "__main__":
    main()
