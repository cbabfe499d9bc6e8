"""A splicing dataset in numbers: what there is, what was asked for, and what was reached."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthharm.errors import SynthharmError
from synthharm.generate.audit import Audit
from synthharm.generate.photos import PhotoFiles
from synthharm.generate.sample import finishing_versions
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.recipe import SplicingRecipe
from synthharm.writers.forensics import SplicingRecord
from synthharm.writers.spread import Spread

COUNTED = ("splits", "kinds", "histories", "units", "licences", "blendings", "colours")
REGIONS = ("categories", "first_categories")  # of all regions, and of the first of each sample


@dataclass
class Numbers:
    """What the records add up to, while they are added one after the other; its size does not grow with them.

    Args:
        recipe: of the dataset.
        folder: where measures wait of which there are too many, or None for the machine's temporary folder.
    """

    recipe: SplicingRecipe
    folder: Path | None = None
    photos: PhotoFiles = field(default_factory=PhotoFiles)
    hard: int = 0

    def __post_init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED + REGIONS}
        self.shares, self.errors = Spread(self.folder), Spread(self.folder)
        self.composed = [0] * len(self.recipe.quotas.area)  # samples by the quota that they are in

    def add(self, record: SplicingRecord) -> None:
        """Take the next record. Raises SynthharmError where a photo is another file than it was before."""
        for photo in record.photos:
            if changed := self.photos.changed(record.sample, photo["photo"], photo["sha256"]):
                raise SynthharmError(f"sources: {changed}; generate into a new folder")
        counts = self.counts
        counts["splits"][record.split] += 1
        counts["kinds"][record.kind] += 1
        counts["histories"][record.unit["history"]] += 1
        counts["units"][record.unit["type"]] += 1
        counts["licences"][record.licence["name"] or "unknown"] += 1
        for region in record.regions:
            counts["categories"][region["category"] or ""] += 1
        for edit in record.edits:
            if edit["edit"] == "paste":
                counts["blendings"][edit["blending"]] += 1
            if "colour" in edit:
                counts["colours"][edit["colour"]["mode"]] += 1
        if not record.manipulated:
            self.hard += len(record.history) > 1
            return
        self.shares.add(record.image["share"])
        self.errors.add(record.measured["foreground_mse"])
        counts["first_categories"][record.regions[0]["category"] or ""] += 1
        for number, quota in enumerate(self.recipe.quotas.area):
            self.composed[number] += quota.range[0] <= record.measured["share"] <= quota.range[1]

    def as_json(self, plan: SplicingPlan, found: Audit, reasons: Counter[str]) -> dict[str, Any]:
        """What dataset.json has."""
        return {
            "samples": self.counts["splits"].total(),
            "wanted": self.recipe.samples,
            "photos": len(self.photos),
            "listed": {"photos": plan.index.photos, "regions": plan.index.regions, "digest": plan.digest},
            "left_out": plan.index.excluded,
            **{name: dict(sorted(count.items())) for name, count in self.counts.items()},
            "hard_authentic": self.hard,
            "quotas": self._quotas(),
            "rejects": dict(sorted(reasons.items())),
            "measured": {"mask_share": self.shares.as_json(), "foreground_mse": self.errors.as_json()},
            "shortcuts": {"auc": found.auc, "warning": list(found.warning)},
            "finished_with": finishing_versions(),
        }

    def _quotas(self) -> dict[str, Any]:
        """What was asked for and what was reached, as shares; sizes of masks are those of pictures as composed."""
        recipe, counts = self.recipe, self.counts
        samples, manipulated = max(counts["splits"].total(), 1), max(len(self.shares), 1)
        return {
            "kinds": {
                kind: {"wanted": share, "reached": counts["kinds"][kind] / samples}
                for kind, share in recipe.kinds.items()
            },
            "area": [
                {"range": list(quota.range), "wanted": quota.share, "reached": reached / manipulated}
                for quota, reached in zip(recipe.quotas.area, self.composed, strict=True)
            ],
            "category": {
                name: {"wanted": share, "reached": counts["first_categories"][name] / manipulated}
                for name, share in recipe.quotas.category.items()
            },
            "units": {
                "family": {"wanted": recipe.families, "reached": counts["units"]["family"] / samples},
                "grid": {
                    "wanted": 0.0 if recipe.grids is None else recipe.grids.share,
                    "reached": counts["units"]["grid"] / samples,
                },
            },
        }
