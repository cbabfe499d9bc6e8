"""Checking what the samples of a unit have in common: of a family its edits, of a grid all but one thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from synthharm.writers.forensics import SplicingRecord

VARIED = {  # by factor, where in an edit it is
    "colour": ("colour",),
    "feather": ("cut", "feather"),
    "scale": ("placement", "scale"),
}


def wrong_units(records: Callable[[], Iterator[SplicingRecord]]) -> Iterator[str]:
    """What the samples of one unit should have in common and have not, a line each.

    Args:
        records: gives all records, in the order of the samples.
    """
    for number, members in groupby(records(), key=lambda record: record.unit["number"]):
        unit = list(members)
        place = f"unit {number}, samples {unit[0].sample} to {unit[-1].sample}"
        if len({record.split for record in unit}) > 1:
            yield f"{place}: are in several splits"
        if len({record.unit["history"] for record in unit}) > 1:
            yield f"{place}: have histories of several names"
        kind = unit[0].unit["type"]
        if kind == "family":
            yield from (f"{place}: {line}" for line in _wrong_family(unit))
        elif kind == "grid":
            yield from (f"{place}: {line}" for line in _wrong_grid(unit))


def _wrong_family(unit: list[SplicingRecord]) -> Iterator[str]:
    by_role = {record.unit["role"]: record for record in unit}
    if by_role.keys() != {"target", "donor", "splice", "harmonized_splice"}:
        yield f"are a family of {sorted(map(str, by_role))}"
        return
    target, splice, harmonized = by_role["target"], by_role["splice"], by_role["harmonized_splice"]
    if _without(splice.edits, "colour") != _without(harmonized.edits, "colour"):
        yield "the splice and the harmonized splice differ in more than colours"
    if not target.history == splice.history == harmonized.history:
        yield "target, splice and harmonized splice have several histories"
    if not target.photos[0] == splice.photos[0] == harmonized.photos[0]:
        yield "target, splice and harmonized splice are not of one target"
    if by_role["donor"].photos[0] not in splice.photos[1:]:
        yield "the donor is none of the splice's"


def _wrong_grid(unit: list[SplicingRecord]) -> Iterator[str]:
    factor = unit[0].unit["factor"]
    if factor not in {*VARIED, "quality"}:
        yield f"vary {factor!r}; accepted are {', '.join([*VARIED, 'quality'])}"
        return
    if len({_text([_without(record.edits, factor), record.photos]) for record in unit}) > 1:
        yield f"differ in more than {factor}"
    kept = 1 if factor == "quality" else 0  # the last save is what varies
    if len({_text(record.history[: len(record.history) - kept]) for record in unit}) > 1:
        yield "have several histories"


def _without(edits: list[dict[str, Any]], factor: str) -> list[dict[str, Any]]:
    """Edits without what a factor varies."""
    *parents, last = VARIED.get(factor, ("",))
    copies: list[dict[str, Any]] = json.loads(json.dumps(edits))
    for edit in copies:
        for parent in parents:
            edit = edit.get(parent, {})
        edit.pop(last, None)
    return copies


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)
