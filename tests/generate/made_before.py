"""What was made before, kept as lines of JSON: a dataset of an older release has to come out again.

    python tests/generate/made_before.py

writes the lines anew, where a change of what is made is meant; CHANGELOG then says so.
"""

from __future__ import annotations

import io
import json
import math
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image
from small_datasets import write_photos, write_recipe
from splicing_datasets import parsed, recipe_of, write_source

from synthharm.composites.history.tables import CameraTables
from synthharm.composites.history.verifying import quality_tables
from synthharm.generate import generate
from synthharm.generate.audit import audit_features, features
from synthharm.generate.estimate import estimate
from synthharm.generate.judged import Judged
from synthharm.generate.preview import _make_rows as make_rows
from synthharm.generate.splicing.histories import draw_history
from synthharm.generate.splicing.layout import Layout
from synthharm.generate.splicing.making import SplicingMaker
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.generate.splicing.positions import Extent, NoFit, Room, draw_placement
from synthharm.generate.splicing.previewing import preview_rows
from synthharm.generate.workshop import make_plan, open_maker
from synthharm.recipe import AnyRecipe, load_recipe
from synthharm.recipe.manipulation import Placement

LINES = Path(__file__).with_suffix(".jsonl")
LEFT_OUT = (
    "finished_with",
    "versions",
    "licence",
    "sha256",
    "bytes",
    "encoding",
    "attribution",
    "files",
    "mask",
    "tables",
    "file_bytes",
    "bytes_per_pixel",
    "digest",
)
APART: dict[str, Any] = {"samples": 6, "seed": 20, "families": 0, "grids": None}
SPLICING: dict[str, dict[str, Any]] = {
    "all kinds": {},
    "splices": APART | {"kinds": {"authentic": 0.25, "splice": 0.75}, "regions": [2, 2]},
    "company": APART | {"kinds": {"splice": 1}, "placement": {"company": True, "rotation": 5}},
    "credited": APART | {"kinds": {"authentic": 1}, "licences": {"attribution": True}},
    "uncredited": APART | {"kinds": {"authentic": 1}},
    "copies": APART | {"kinds": {"copy_move": 1}},
    "removals": APART | {"kinds": {"removal": 0.5, "retouch": 0.5}},
    "harmonized": APART | {"kinds": {"harmonized_splice": 1}},
    "families": APART
    | {"samples": 8, "families": 1, "kinds": {"authentic": 0.5, "splice": 0.25, "harmonized_splice": 0.25}},
    "grids": APART
    | {
        "samples": 8,
        "kinds": {"splice": 1},
        "grids": {"share": 1, "feather": [0, 2], "scale": [0.8, 1], "quality": [50, 90]},
    },
    "quotas": {
        "samples": 14,
        "seed": 11,
        "kinds": {"splice": 0.5, "harmonized_splice": 0.2, "copy_move": 0.1, "removal": 0.1, "retouch": 0.1},
        "families": 0,
        "regions": [1, 3],
        "select": {"area_share": [0.01, 0.5], "side": [64, 1000]},
        "placement": {"rotation": 25, "scale": [0.7, 1.4], "outside": 0.3, "cut_off": True, "enlarge": 1.2},
        "draw": {"mode": "difficulty"},
        "colour": {"as_is": 0.3, "chain": 0.7},
        "strength": [0.2, 0.9],
        "grids": {"share": 0.2, "colour": ["chain", "reference", "reinhard"]},
        "quotas": {
            "area": [{"range": [0.02, 0.06], "share": 0.5}, {"range": [0.06, 0.2], "share": 0.5}],
            "category": {"dog": 0.4, "cup": 0.3},
        },
        "split": {"train": 0.5, "val": 0.25, "test": 0.25},
    },
    "anywhere": {
        "samples": 12,
        "seed": 12,
        "kinds": {"authentic": 0.25, "splice": 0.5, "copy_move": 0.25},
        "families": 0,
        "grids": None,
        "placement": {"support": "anywhere", "rotation": 60, "scale": [0.4, 1.5], "company": True},
        "edges": {"erosion": [0, 2], "feather": [1, 3], "alpha": {"mask": 1}},
    },
}
RETOUCHED: dict[str, dict[str, Any]] = {
    "span": {"draw": {"mode": "span"}},
    "gamut": {"draw": {"mode": "gamut"}, "composite": {"feather": 1.5}},
    "difficulty": {"draw": {"mode": "difficulty"}},
    "category": {"draw": {"mode": "reference"}, "source": {"format": "coco"}},
    "surroundings": {
        "draw": {"mode": "reference", "toward": "surroundings"},
        "source": {"format": "coco"},
        "encoding": {"format": "jpeg"},
    },
}
FINISHED = {
    "finished splicing": "all kinds",
    "finished quotas": "quotas",
    "finished, nothing manipulated": "uncredited",
}


def coco_source(root: Path) -> Path:
    """Photos with objects as COCO has them, of the same bytes whatever compresses PNG and JPEG here."""
    listing = write_source(root) / "instances.json"
    found = json.loads(re.sub(r"\.(png|jpg)\"", '.bmp"', listing.read_text()))
    for number in range(4, 11):  # of which nobody says who took them
        del found["images"][number]["photographer"]
    listing.write_text(json.dumps(found))
    return _as_bmp(root)


def folder_source(root: Path) -> Path:
    """Photos and masks in folders, the photos of the same bytes whatever compresses PNG here."""
    return _as_bmp(write_photos(root))


def _as_bmp(root: Path) -> Path:
    for path in sorted((root / "images").iterdir()):
        with Image.open(path) as photo:
            photo.convert("RGB").save(path.with_suffix(".bmp"))
        path.unlink()
    return root


def splicing_lines(name: str, root: Path) -> Iterator[str]:
    """What a splicing recipe draws, a line a sample."""
    return _lines(name, parsed(recipe_of(coco_source(root / "source"), **SPLICING[name])), root)


def retouched_lines(name: str, root: Path) -> Iterator[str]:
    """What a harmonization recipe draws, a line a sample."""
    changes = {"samples": 8} | RETOUCHED[name]
    photos = (coco_source if changes.get("source") else folder_source)(root / "source")
    return _lines(name, load_recipe(write_recipe(root / "recipe.yaml", photos, **changes)), root)


def finished_lines(name: str, root: Path) -> Iterator[str]:
    """What is said of a whole dataset, in a line."""
    if name in FINISHED:
        recipe = root / "recipe.yaml"
        recipe.write_text(json.dumps(recipe_of(coco_source(root / "source"), **SPLICING[FINISHED[name]])))
    else:
        recipe = write_recipe(root / "recipe.yaml", folder_source(root / "source"), draw={"mode": "span"})
    generate(recipe, root / "dataset")
    numbers = json.loads((root / "dataset" / "dataset.json").read_text())
    line = {"case": name, "numbers": numbers}
    if (certificate := root / "dataset" / "certificate.json").exists():
        parts = [[photo["split"], photo["component"]] for photo in json.loads(certificate.read_text())["photos"]]
        line["components"] = sorted(parts)
    yield json.dumps(_kept(line))


def previewed_lines(name: str, root: Path) -> Iterator[str]:
    """What a preview shows, a line a sample: each picture's size and mean colour, and what is written beneath."""
    photos = coco_source(root / "source")
    if name == "previewed splicing":
        rows, rejects = preview_rows(SplicingMaker.of(SplicingPlan.make(parsed(recipe_of(photos)), root)), 6)
    else:
        changes = {"source": {"format": "coco"}, "encoding": {"format": "png16"}}
        rows, rejects, _ = make_rows(load_recipe(write_recipe(root / "recipe.yaml", photos, **changes)), 4, root)
    for row in rows:
        pictures = [[*one.shape, *one.mean(axis=(0, 1)).round(2).tolist()] for one in row.pictures]
        first, last = row.pictures[0].astype(int), row.pictures[-1].astype(int)
        apart = round(int(abs(first - last).sum()), -2) if first.shape == last.shape else None
        caption = re.sub(r"(\d+)\.\d dB", r"\1 dB", row.caption)  # its decimal is one of rounding
        yield json.dumps({"case": name, "caption": caption, "pictures": pictures, "apart": apart})
    assert not rejects


def measured_lines(name: str, root: Path) -> Iterator[str]:
    """What the audit measures of a picture in each format."""
    write_source(root)
    with Image.open(root / "images" / "photo01.png") as photo:
        for form, settings in (("JPEG", {"quality": 77, "progressive": True}), ("PNG", {}), ("WEBP", {})):
            data = io.BytesIO()
            photo.save(data, form, **settings)
            yield json.dumps({"case": name, "format": form} | _kept(features(0, data.getvalue())))


def audited_lines(name: str, root: Path) -> Iterator[str]:
    """What the audit says of features that are drawn."""
    records = [Judged(k, ("authentic", "splice")[k % 2], k - k % 2, str(k // 3)) for k in range(60)]
    table = np.random.default_rng(5).normal(size=(60, 3)).round(3)
    table[:, 0] += [0.8 * one.manipulated for one in records]
    rows = [dict(zip("abc", row.tolist(), strict=True)) for row in table]
    yield json.dumps({"case": name} | _kept(audit_features(records, rows).as_json()))


def estimated_lines(name: str, root: Path) -> Iterator[str]:
    """What a dry run says, without what is timed."""
    photos = folder_source(root / "source")
    layouts: dict[str, dict[str, Any]] = {
        "folder": {},
        "iharmony4": {"writer": {"format": "iharmony4"}, "encoding": {"format": "jpeg"}},
    }
    for layout, changes in layouts.items():
        for samples in (3, 200):
            recipe = write_recipe(root / "recipe.yaml", photos, samples=samples, **changes)
            found = replace(estimate(recipe, root / "dataset"), planning=0.4, seconds=0.3, free=2000)
            told = [replace(found, bytes=2500).lines(1), replace(found, bytes=1500).lines(2, 3)]
            line = {"case": name, "layout": layout, "told": told, "size": float(f"{found.bytes:.0e}")}
            yield json.dumps(line | _kept(asdict(found)))


def history_lines(name: str, root: Path) -> Iterator[str]:
    """The histories of pictures of many sizes."""
    cameras = [
        CameraTables("ACME One", quality_tables(91), "4:2:2"),
        CameraTables("ACME Two", quality_tables(83), "4:2:0"),
    ]
    recipe = parsed(recipe_of(root))
    random = np.random.default_rng(8)
    for number in range(40):
        size = (64 + 37 * number % 500, 70 + 53 * number % 600)
        history, steps, save = draw_history(recipe, cameras, random, size)
        line = {"case": name, "history": history, "steps": msgspec.to_builtins([*steps, save])}
        yield json.dumps(_kept(line))


def placement_lines(name: str, root: Path) -> Iterator[str]:
    """Where regions go, beside their like and elsewhere."""
    random = np.random.default_rng(9)
    for number in range(40):
        boxes = random.uniform(0.15, 0.5, (2, 3, 4))
        section = Placement(
            support="anywhere" if number % 3 == 0 else "category",
            scale=(0.6, 1.5),
            rotation=number * 2,
            outside=0.2 * (number % 2),
        )
        room = Room((150 + number, 220 - number), boxes[0][: number % 4], boxes[1][: 1 + number % 2], 0.8)
        try:
            found = draw_placement(
                section, random, Extent(40, 30, 900), room, (0, 0.3) if number % 5 else (0.02, 0.2)
            )
            yield json.dumps(_kept({"case": name, "placement": msgspec.to_builtins(found)}))
        except NoFit as error:
            yield json.dumps({"case": name, "no fit": str(error)[:40]})


def layout_lines(name: str, root: Path) -> Iterator[str]:
    """What the units of datasets are, and for which quotas."""
    for case in ("all kinds", "quotas", "grids", "families"):
        layout = Layout.of(parsed(recipe_of(root, **(SPLICING[case] | {"samples": 120}))))
        arrays = (layout.codes, layout.starts, layout.areas, layout.categories)
        kinds = [[kind.type, kind.factor, [str(one) for one in kind.members]] for kind in layout.kinds]
        line = {"case": name, "of": case, "kinds": kinds, "arrays": [array.tolist() for array in arrays]}
        units = [
            [one.start, one.stop] for one in (layout.units(0, 10), layout.units(10, 50), layout.units(50, 999))
        ]
        yield json.dumps(line | {"units": units, "samples": layout.samples})


CASES: dict[str, Callable[[str, Path], Iterator[str]]] = {
    **dict.fromkeys(SPLICING, splicing_lines),
    **dict.fromkeys(RETOUCHED, retouched_lines),
    **dict.fromkeys(("previewed splicing", "previewed harmonization"), previewed_lines),
    "measured for the audit": measured_lines,
    "audited": audited_lines,
    "histories": history_lines,
    "placements": placement_lines,
    "layouts": layout_lines,
    "estimated": estimated_lines,
    **dict.fromkeys((*FINISHED, "finished harmonization"), finished_lines),
}


def made(name: str) -> list[str]:
    """What a case makes now."""
    with tempfile.TemporaryDirectory() as folder:
        return list(CASES[name](name, Path(folder)))


def _lines(name: str, recipe: AnyRecipe, root: Path) -> Iterator[str]:
    plan = root / "plan"
    plan.mkdir()
    make_plan(recipe, plan, 1)
    for samples, rejects in open_maker(recipe, plan).between(0, recipe.samples):
        for sample in samples:
            record = json.loads(sample.record.to_json())
            files = {role: file["path"] for role, file in record["files"].items()}
            yield json.dumps({"case": name, "files": files} | _kept(record))
        for reject in rejects:
            yield json.dumps({"case": name, "reject": reject.name, "reason": reject.reason})


def _kept(value: Any) -> Any:
    """Without what follows from libraries or is long; numbers have six digits."""
    if isinstance(value, dict):
        return {key: _kept(one) for key, one in value.items() if key not in LEFT_OUT}
    if isinstance(value, list):
        return [_kept(one) for one in value]
    if isinstance(value, float) and value and math.isfinite(value):
        return float(f"{value:.6g}")
    return value


if __name__ == "__main__":
    LINES.write_text("".join(f"{line}\n" for name in CASES for line in made(name)))
    sys.stdout.write(f"written to {LINES}\n")
