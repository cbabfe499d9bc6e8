"""Finishing a splicing dataset: what describes it as a whole, its formats, and its checksums last."""

from __future__ import annotations

import json
import shutil
from array import array
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from synthharm.composites.history import write_tables
from synthharm.files import all_files, json_text, sha256_file, write_atomically
from synthharm.generate.audit import Audit, audit
from synthharm.generate.certificate import write_certificate
from synthharm.generate.dataset import REJECTS, SUMMARY, SUMS, TABLES, WORK, Dataset
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.generate.splicing.stored import about, items, records
from synthharm.generate.threads import one_thread
from synthharm.recipe import SplicingRecipe
from synthharm.sources import Reject
from synthharm.writers.forensics import (
    CROISSANT,
    TABLE,
    export,
    find_format,
    folder_place,
    metadata_table,
    overview,
    write_card,
    write_croissant,
)

CERTIFICATE, AUDIT, FORMATS, CARD = "certificate.json", "audit.json", "formats", "card"
COUNTED = ("splits", "kinds", "histories", "units", "licences", "blendings", "colours")
REGIONS = ("categories", "first_categories")  # of all regions, and of the first of each sample


def finish_splicing(dataset: Dataset, plan: SplicingPlan, shards: int) -> None:
    """Write all that describes a dataset whose shards are done, each of its formats, and its checksums last."""
    with one_thread():
        _finish(dataset, plan, shards)


def _finish(dataset: Dataset, plan: SplicingPlan, shards: int) -> None:
    folder, recipe = dataset.folder, plan.recipe
    for left_behind in (FORMATS, CARD):  # by a run that was stopped while it finished
        shutil.rmtree(folder / left_behind, ignore_errors=True)
    rejects = plan.rejects
    for shard in range(shards):
        with dataset.rejects_file(shard).open("rb") as file:
            rejects += [msgspec.json.decode(line, type=Reject) for line in file]
    dataset.write_recipe(recipe)
    dataset.write_rejects(rejects)
    if recipe.camera_tables is not None:
        write_tables(folder / TABLES, plan.cameras)
    with metadata_table(folder / TABLE, folder_place) as add_row:
        for record in records(dataset):
            add_row(record)
    prints = plan.prints
    hashes = {
        sha256.decode(): (int(phash), int(mirrored))
        for sha256, phash, mirrored in zip(prints.sha256, prints.phash, prints.mirrored, strict=True)
    }
    write_certificate(folder / CERTIFICATE, lambda: records(dataset), hashes, recipe.near_duplicates)
    found = audit((item.record, item.files["image"].read()) for item in items(dataset)())
    write_atomically(folder / AUDIT, json_text(found.as_json()))
    summary = summarize(dataset, plan, found)
    write_atomically(folder / SUMMARY, json_text(summary))
    _describe(dataset, summary)
    for section in recipe.writers:
        options = section.model_dump(exclude={"format"})
        output = folder / FORMATS / section.format
        whole = about(dataset, summary)
        export(find_format(section.format, output, options), items(dataset), output, whole)
    sums = {path: sha256_file(folder / path) for path in own_files(folder)}
    lines = [f"{sums[path]}  {path}\n" for path in sorted(sums)]
    write_atomically(folder / SUMS, "".join(lines).encode())


def own_files(folder: Path) -> list[str]:
    """The files of a dataset itself: all but its checksums, and its formats, which have their own."""
    return [path for path in all_files(folder, without={WORK, FORMATS}) if path != SUMS]


def summarize(dataset: Dataset, plan: SplicingPlan, found: Audit) -> dict[str, Any]:
    """The dataset in numbers: what there is, what was asked for, and what was reached."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED + REGIONS}
    shares, composed, errors = array("d"), array("d"), array("d")
    photos, hard = set[str](), 0
    for record in records(dataset):
        counts["splits"][record.split] += 1
        counts["kinds"][record.kind] += 1
        counts["histories"][record.unit["history"]] += 1
        counts["units"][record.unit["type"]] += 1
        counts["licences"][record.licence["name"] or "unknown"] += 1
        counts["categories"].update(region["category"] or "" for region in record.regions)
        counts["blendings"].update(edit["blending"] for edit in record.edits if edit["edit"] == "paste")
        counts["colours"].update(edit["colour"]["mode"] for edit in record.edits if "colour" in edit)
        photos.update(photo["photo"] for photo in record.photos)
        if record.manipulated:
            shares.append(record.image["share"])
            counts["first_categories"][record.regions[0]["category"] or ""] += 1
            composed.append(record.measured["share"])
            errors.append(record.measured["foreground_mse"])
        else:
            hard += len(record.history) > 1
    with (dataset.folder / REJECTS).open("rb") as file:
        reasons = Counter(json.loads(line)["reason"] for line in file)
    samples = counts["splits"].total()
    return {
        "samples": samples,
        "wanted": plan.recipe.samples,
        "photos": len(photos),
        "listed": {"photos": plan.index.photos, "regions": plan.index.regions, "digest": plan.digest},
        "left_out": plan.index.excluded,
        **{name: dict(sorted(count.items())) for name, count in counts.items()},
        "hard_authentic": hard,
        "quotas": _quotas(plan.recipe, composed, counts, samples),
        "rejects": dict(sorted(reasons.items())),
        "measured": {"mask_share": _spread(shares), "foreground_mse": _spread(errors)},
        "shortcuts": {"auc": found.auc, "warning": list(found.warning)},
    }


def _quotas(
    recipe: SplicingRecipe, shares: array[float], counts: dict[str, Counter[str]], samples: int
) -> dict[str, Any]:
    """What was asked for and what was reached, as shares; sizes of masks are those of the pictures as composed."""
    manipulated = max(len(shares), 1)
    return {
        "kinds": {
            kind: {"wanted": share, "reached": counts["kinds"][kind] / max(samples, 1)}
            for kind, share in recipe.kinds.items()
        },
        "area": [
            {
                "range": list(quota.range),
                "wanted": quota.share,
                "reached": sum(quota.range[0] <= share <= quota.range[1] for share in shares) / manipulated,
            }
            for quota in recipe.quotas.area
        ],
        "category": {
            name: {"wanted": share, "reached": counts["first_categories"][name] / manipulated}
            for name, share in recipe.quotas.category.items()
        },
        "units": {
            "family": {"wanted": recipe.families, "reached": counts["units"]["family"] / max(samples, 1)},
            "grid": {
                "wanted": 0.0 if recipe.grids is None else recipe.grids.share,
                "reached": counts["units"]["grid"] / max(samples, 1),
            },
        },
    }


def _spread(values: array[float]) -> dict[str, float]:
    return {"lowest": min(values), "median": median(values), "highest": max(values)} if values else {}


def _describe(dataset: Dataset, summary: dict[str, Any]) -> None:
    numbers, whole = overview(items(dataset)), about(dataset, summary)
    write_card(dataset.folder, "folder", numbers, whole)
    sums = {path: sha256_file(dataset.folder / path) for path in own_files(dataset.folder) if path != CROISSANT}
    write_croissant(dataset.folder, "folder", numbers, whole, sums)
