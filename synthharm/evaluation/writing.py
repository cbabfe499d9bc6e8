"""The folder of an evaluation: figures of every image, tables, plots and the worst cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL

from synthharm import __version__
from synthharm.errors import SynthharmError
from synthharm.evaluation.notes import notes_on, unequal_counts
from synthharm.evaluation.plots import KINDS, draw_plots, plot_name
from synthharm.evaluation.summary import (
    TABLES,
    Evaluation,
    lines_csv,
    markdown_table,
    scored_csv,
    tables_of,
)
from synthharm.files import ASIDE, json_text, parse_json, write_atomically

PER_IMAGE, TABLE, REPORT, RESULTS = "per_image.csv", "table.csv", "tables.md", "results.json"
PLOTS, WORST = "plots", "worst.png"
OWN = (PER_IMAGE, TABLE, REPORT, RESULTS, PLOTS, WORST)
LISTED = 50  # rejects in the report; the results have them all
MEANS = (
    "Every figure is a mean over images of the image's own figure (averaged per image), of PSNR and fPSNR too: "
    "they are not those of the mean error. Errors are on 0..255. Figures of one protocol or size do not compare "
    "with those of another."
)
DISTANCES = (
    "Distances are those of the means, and of the deviations, of l-alpha-beta over the region and its background; "
    "in a real photo they are not 0 either. Arguments are in spans from neutral, the mean over them."
)
KEYS = {"settings", "protocols", "methods", "subject", "lines", "rejects", "versions"}  # of any results


def check_output(folder: Path) -> None:
    """Refuse a folder in which anything but an earlier evaluation lies.

    Raises:
        SynthharmError: it is named.
    """
    if folder.exists() and not folder.is_dir():
        raise SynthharmError(f"output: {folder} is a file; a folder is accepted")
    found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    found = [name for name in found if not fnmatch(name, ASIDE)]
    accepted = "a new or empty folder, or one of an earlier evaluation, which is replaced, is accepted"
    if others := [name for name in found if name not in OWN]:
        raise SynthharmError(f"output: {folder} holds {others[0]!r}, which is not of an evaluation; {accepted}")
    if found and _earlier(folder) is None:
        raise SynthharmError(
            f"output: {folder} holds {found[0]!r}, but no {RESULTS} of an evaluation that came to its end; "
            f"{accepted}"
        )


def _earlier(folder: Path) -> list[tuple[str, str]] | None:
    """The protocols and sizes of the evaluation whose results lie in a folder; None where there are none."""
    try:
        found = parse_json((folder / RESULTS).read_bytes())
        if not set(found) >= KEYS or "synthharm" not in found["versions"]:
            return None
        return [(str(one["name"]), str(one["size"])) for one in found["protocols"]]
    except (OSError, ValueError, TypeError, LookupError):
        return None


def write_evaluation(evaluation: Evaluation, folder: Path, draw_sheet: Callable[[], bytes | None]) -> None:
    """Write an evaluation, results.json last; of an earlier one nothing stays.

    Figures and tables are written first: whatever fails where pictures are drawn, they are there.

    Args:
        evaluation: what came of it.
        folder: accepted by `check_output`.
        draw_sheet: gives the PNG of the worst cases, if there is one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A plot that has another name is not of the earlier evaluation, whoever put it there.
    plots = [plot_name(*place, kind) for place in _earlier(folder) or () for kind in KINDS]
    own = [path for path in (folder / PLOTS).glob("*.png") if path.name in plots]
    for left in (folder / RESULTS, folder / WORST, *own):
        left.unlink(missing_ok=True)
    write_atomically(folder / PER_IMAGE, scored_csv(evaluation.scored))
    write_atomically(folder / TABLE, lines_csv(evaluation.lines))
    write_atomically(folder / REPORT, "\n".join(_report(evaluation)).encode())
    for name, data in draw_plots(evaluation):
        write_atomically(folder / PLOTS / name, data)
    if (sheet := draw_sheet()) is not None:
        write_atomically(folder / WORST, sheet)
    write_atomically(folder / RESULTS, json_text(_results(evaluation)))


def library_versions() -> dict[str, str]:
    """The versions of synthharm and of the libraries that figures depend on, whoever packaged these."""
    import timm
    import torch

    modules = {"torch": torch, "numpy": np, "opencv": cv2, "pillow": PIL, "timm": timm}
    return {"synthharm": __version__} | {name: str(module.__version__) for name, module in modules.items()}


def _report(evaluation: Evaluation) -> Iterator[str]:
    yield "# Evaluation\n"
    yield from (f"- {name}: {_said(value)}" for name, value in evaluation.settings.items())
    yield f"- pairs: {evaluation.used} of {evaluation.pairs} used, {len(evaluation.rejects)} rejected\n"
    yield f"{MEANS}\n"
    yield f"{evaluation.lpips}\n"
    yield from (f"{note}\n" for note in notes_on(evaluation.scored))
    last = None
    for table in tables_of(evaluation.lines):
        first = table[0]
        where = (first.protocol, first.size)
        if where != last:
            yield f"## {first.protocol}, {'full size' if first.size == 'full' else first.size}\n"
            last = where
        yield f"### {TABLES[first.table]}\n"
        if first.table.startswith("realism"):
            yield f"{evaluation.without_real[where]}\n"
            yield f"{DISTANCES}\n"
        else:
            yield f"{evaluation.described[where]}\n"
        if unequal := unequal_counts(table):
            yield f"{unequal}\n"
        yield f"{markdown_table(table)}\n"
    if evaluation.rejects:
        yield "## Rejected\n"
        yield from (f"- {one.name}: {one.reason}: {one.detail}" for one in evaluation.rejects[:LISTED])
        if len(evaluation.rejects) > LISTED:
            yield f"- and {len(evaluation.rejects) - LISTED} more, in {RESULTS}"
        yield ""


def _said(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return "all" if value is None else str(value)


def _results(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "settings": dict(evaluation.settings),
        "protocols": [
            {
                "name": name,
                "size": size,
                "described": sentence,
                "without_real": evaluation.without_real[name, size],
            }
            for (name, size), sentence in evaluation.described.items()
        ],
        "methods": list(evaluation.methods),
        "subject": evaluation.subject,
        "means": MEANS,
        "lpips": evaluation.lpips,
        "notes": notes_on(evaluation.scored),
        "pairs": {"listed": evaluation.pairs, "used": evaluation.used, "rejects": len(evaluation.rejects)},
        "lines": [{**asdict(line), "figures": dict(line.figures)} for line in evaluation.lines],
        "rejects": [asdict(reject) for reject in evaluation.rejects],
        "versions": dict(evaluation.versions),
    }
