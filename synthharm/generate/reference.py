"""The colours that a draw by reference fits a region to: those of another region, or of what surrounds one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import Unusable
from synthharm.filters.drawing import ColourStatistics
from synthharm.generate.plan import Plan
from synthharm.masks import surroundings
from synthharm.sources import Index, RegionEntry, Source, load_region

TRIES = 50  # other regions looked at before a sample goes without: a tenth of the photos may be a whole split


@dataclass(frozen=True)
class ReferenceColours:
    """Colours, and where they are from.

    Args:
        statistics: means and deviations.
        described: photo, region, category and whether it is the region or its surroundings, for the record.
    """

    statistics: ColourStatistics
    described: dict[str, Any]


def reference_colours(
    plan: Plan, source: Source, toward: str, region: RegionEntry, checksum: str, sample: int, attempt: int
) -> ReferenceColours:
    """Find the colours for a sample, in another photo of its split.

    Args:
        plan: of the dataset.
        source: of its photos.
        toward: "category" for a region of the same category, "surroundings" for what surrounds any region.
        region: the sample's own.
        checksum: the sha256 of its photo, which the source may have twice.
        sample: its number.
        attempt: which of its regions it is.

    Raises:
        Unusable: no other photo has such a region that could be read.
    """
    among = None
    if toward == "category":
        among = _regions_of(plan.index.path, plan.index.digest, region.category)
    split, passed_over = plan.split(region.photo, checksum), {region.photo}
    trouble = "there is none"
    for number in plan.others(sample, attempt, TRIES, among):
        entry = plan.index.region(int(number))
        if entry.photo in passed_over:
            continue
        try:
            photo, mask = load_region(source, plan.index, int(number), soft=False)
        except Unusable as error:
            trouble = f"{error.name}: {error.detail}"
            continue
        if photo.sha256 == checksum or plan.split(entry.photo, photo.sha256) != split:
            passed_over.add(entry.photo)
            continue
        where = mask > 0 if toward == "category" else surroundings(mask)
        if not where.any():
            trouble = f"{photo.key}: region {entry.id} has no surroundings"
            continue
        described = {"photo": photo.key, "region": entry.id, "category": entry.category, "toward": toward}
        return ReferenceColours(ColourStatistics.of(photo.pixels, where), described)
    own = plan.index.photo(region.photo)
    wanted = f"a region of {region.category!r}" if toward == "category" else "a region"
    detail = f"region {region.id}: no other photo of {split} has {wanted} to go by: {trouble}"
    raise Unusable(own.key, "no reference", detail)


@lru_cache(maxsize=1024)
def _regions_of(path: Path, digest: str, category: str | None) -> NDArray[np.int64]:
    return Index.open(path).regions_of(category)
