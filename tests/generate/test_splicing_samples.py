"""Samples, families and grids are what their records say, within their split and their licences."""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image
from splicing_datasets import (
    NO_DERIVATIVES,
    RESERVED,
    TWIN,
    Made,
    make_dataset,
    plain_recipe_of,
    read_label,
    samples_of,
)

from synthharm.composites.history.steps import Crop, Resize, Step
from synthharm.composites.history.verifying import quality_tables
from synthharm.composites.manipulation.composing import compose
from synthharm.composites.manipulation.edits import Edit, Paste
from synthharm.generate.splicing.layout import FAMILY, ROLES
from synthharm.masks import binarize, boundary_band
from synthharm.sources import CocoSource, PhotoEntry, RegionEntry
from synthharm.writers.forensics.record import SplicingRecord


@pytest.fixture(scope="session")
def full(splicing: Made) -> Path:
    return splicing.full()


@pytest.fixture(scope="session")
def records(full: Path) -> list[SplicingRecord]:
    return samples_of(full)


def units_of(records: list[SplicingRecord], type_: str) -> list[list[SplicingRecord]]:
    units: dict[int, list[SplicingRecord]] = defaultdict(list)
    for record in records:
        if record.unit["type"] == type_:
            units[record.unit["number"]].append(record)
    return list(units.values())


def read_photo(source: Path, key: str) -> np.ndarray:
    return CocoSource(source).read_photo(PhotoEntry(key)).pixels


def composed(source: Path, record: SplicingRecord) -> tuple[np.ndarray, Any]:
    """The target, and what a record's edits make of it."""
    photos = [read_photo(source, photo["photo"]) for photo in record.photos]
    edits, masks = [msgspec.convert(edit, Edit) for edit in record.edits], []
    for edit in edits:
        region, shape = edit.region, photos[edit.region.photo].shape
        entry = RegionEntry(region.photo, region.id, region.mask, region.category)
        masks.append(binarize(CocoSource(source).read_mask(PhotoEntry(""), entry, (shape[0], shape[1]))))
    return photos[0], compose(photos, masks, edits)


# Files


def test_files_end_as_what_they_are(full: Path, records: list[SplicingRecord]) -> None:
    endings = {"JPEG": ".jpg", "PNG": ".png"}
    for record in records:
        for role, file in record.files.items():
            with Image.open(full / file["path"]) as image:
                assert file["path"].endswith(endings[str(image.format)])
                assert image.format == ("JPEG" if role == "image" else "PNG")


# Pixels


def test_nothing_differs_outside_the_mask_before_the_history(
    splicing: Made, full: Path, records: list[SplicingRecord]
) -> None:
    for record in records:
        if not record.manipulated:
            continue
        target, done = composed(splicing.source, record)
        difference = done.image.astype(int) - target
        inside = done.mask > 0
        assert not difference[~inside].any(), record.sample
        assert difference[inside].any(), record.sample
        assert record.measured["outside"] == 0
        assert record.measured["foreground_mse"] == pytest.approx(np.mean(difference[inside] ** 2.0))
        assert record.measured["changed"] == pytest.approx(np.mean(difference[inside].any(axis=1)))


def test_a_plain_picture_differs_from_its_target_within_the_mask_alone(splicing: Made) -> None:
    folder = splicing.plain()
    for record in samples_of(folder):
        image, target = read_label(folder, record, "image"), read_photo(splicing.source, record.photos[0]["photo"])
        if record.manipulated:
            mask = read_label(folder, record, "mask")
            assert (image == target)[mask == 0].all()
            assert (image != target)[mask > 0].any()
            assert np.array_equal(read_label(folder, record, "alpha") > 0, mask > 0)
        else:
            assert np.array_equal(image, target)


def test_a_copys_source_lies_where_its_pixels_come_from(splicing: Made) -> None:
    """In the image's frame: neither scaled nor turned nor recoloured, it is its region but for its shift."""
    folder, copies = splicing.plain(), 0
    for record in samples_of(folder):
        if record.kind != "copy_move":
            continue
        copies += 1
        (edit,) = (msgspec.convert(edit, Edit) for edit in record.edits)
        assert isinstance(edit, Paste)
        assert edit.placement.scale == 1
        image = read_label(folder, record, "image").astype(float)
        source, region = (read_label(folder, record, role) for role in ("source_1", "regions"))
        assert source.shape == region.shape == image.shape[:2]
        rows, columns = (np.flatnonzero((source > 0).any(axis=axis)) for axis in (1, 0))
        middle = np.array([(rows[0] + rows[-1] + 1) / 2, (columns[0] + columns[-1] + 1) / 2])
        down, across = np.rint(np.array([edit.placement.y, edit.placement.x]) - middle).astype(int)
        moved = np.roll(image, (down, across), axis=(0, 1))
        core = (np.roll(source, (down, across), axis=(0, 1)) > 0) & (region == 1)
        assert np.count_nonzero(core) >= 0.85 * max(np.count_nonzero(source), np.count_nonzero(region))
        assert np.abs(moved - image)[core].mean() < 8  # half a pixel of the noise; objects differ by more than 30
        elsewhere = np.roll(image, (-down, -across), axis=(0, 1))
        assert np.abs(elsewhere - image)[core].mean() > 20
    assert copies == 6


def test_labels_belong_to_each_other_and_to_the_record(full: Path, records: list[SplicingRecord]) -> None:
    for record in records:
        with Image.open(full / record.files["image"]["path"]) as file:
            assert file.size == (record.image["width"], record.image["height"])
        if not record.manipulated:
            assert record.image["area"] == record.image["share"] == 0
            continue
        labels = {role: read_label(full, record, role) for role in record.files if role != "image"}
        size = (record.image["height"], record.image["width"])
        mask, ids = labels["mask"], labels["regions"]
        assert mask.shape == ids.shape == labels["alpha"].shape == labels["boundary"].shape == size
        assert set(np.unique(mask)) == {0, 255}
        assert np.array_equal(mask > 0, ids > 0)
        assert record.image["area"] == np.count_nonzero(mask)
        assert record.image["share"] == np.count_nonzero(mask) / mask.size
        assert np.array_equal(labels["boundary"] > 0, boundary_band(mask, record.image["boundary"]))
        resized = any(step["step"] == "resize" for step in record.history)
        if not resized:
            assert np.array_equal(labels["alpha"] > 0, mask > 0)
        assert (labels["alpha"][mask > 0] > 0).all()
        for region, edit in zip(record.regions, record.edits, strict=True):
            rows, columns = np.nonzero(ids == region["id"])
            assert region["area"] == len(rows)
            assert region["share"] == len(rows) / ids.size
            left, top, width, height = region["box"]
            assert (left, top) == (columns.min(), rows.min())
            assert (left + width, top + height) == (columns.max() + 1, rows.max() + 1)
            assert (region["category"], region["photo"], region["region"]) == tuple(
                edit["region"][name] for name in ("category", "photo", "id")
            )
            role = f"source_{region['id']}"
            assert (role in labels) == (edit["edit"] == "paste")
            if role in labels:
                photo = record.photos[region["photo"]]
                own = (photo["height"], photo["width"])
                assert labels[role].shape == (size if record.kind == "copy_move" else own)
                assert set(np.unique(labels[role])) <= {0, 255}
        assert [region["id"] for region in record.regions] == list(range(1, len(record.edits) + 1))


def test_sources_of_splices_lie_within_their_donors_region(
    splicing: Made, full: Path, records: list[SplicingRecord]
) -> None:
    for record in records:
        if record.kind in ("splice", "harmonized_splice"):
            _, done = composed(splicing.source, record)
            for region in record.regions:
                role = f"source_{region['id']}"
                assert np.array_equal(read_label(full, record, role), done.sources[region["id"]])


def test_saves_read_back_as_recorded(full: Path, records: list[SplicingRecord]) -> None:
    cameras = 0
    for record in records:
        *_, save = record.history
        with Image.open(io.BytesIO((full / record.files["image"]["path"]).read_bytes())) as file:
            assert file.format == "JPEG"
            tables = [tuple(table) for _, table in sorted(file.quantization.items())]  # type: ignore[attr-defined]
        wanted = quality_tables(save["quality"]) if save["quality"] else save["tables"]
        assert tables == [tuple(table) for table in wanted]
        cameras += save["quality"] is None
    assert 0 < cameras < len(records)


def test_histories_lead_to_the_size_of_the_image(records: list[SplicingRecord]) -> None:
    for record in records:
        size = (record.photos[0]["width"], record.photos[0]["height"])
        for step in record.history:
            found = msgspec.convert(step, Step)
            if isinstance(found, Resize | Crop):
                size = (found.width, found.height)
        assert size == (record.image["width"], record.image["height"])


# Families and grids


def geometry(record: SplicingRecord) -> list[dict[str, Any]]:
    return [{name: value for name, value in edit.items() if name != "colour"} for edit in record.edits]


def test_families_share_all_but_what_sets_them_apart(records: list[SplicingRecord]) -> None:
    families = units_of(records, "family")
    assert len(families) == 2
    for family in families:
        target, donor, splice, harmonized = family
        assert tuple(member.kind for member in family) == FAMILY
        assert tuple(member.unit["role"] for member in family) == ROLES
        assert len({member.split for member in family}) == 1
        assert len({member.unit["history"] for member in family}) == 1
        assert [member.sample for member in family] == list(range(target.sample, target.sample + 4))
        assert geometry(splice) == geometry(harmonized)
        assert splice.edits != harmonized.edits
        assert splice.photos == harmonized.photos
        assert splice.photos[0] == target.photos[0]
        assert splice.photos[1] == donor.photos[0]
        # All photos of this source are of one size, so that even what hangs on it is the same.
        assert target.history == donor.history == splice.history == harmonized.history


def test_a_familys_labels_are_the_same(full: Path, records: list[SplicingRecord]) -> None:
    for _, _, splice, harmonized in units_of(records, "family"):
        for role in splice.files.keys() - {"image"}:
            assert splice.files[role]["sha256"] == harmonized.files[role]["sha256"], role
        assert splice.files["image"]["sha256"] != harmonized.files["image"]["sha256"]


CHANGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "colour": lambda edit: edit.pop("colour"),
    "feather": lambda edit: edit["cut"].pop("feather"),
    "scale": lambda edit: edit["placement"].pop("scale"),
    "quality": lambda edit: None,
}


@pytest.mark.parametrize("factor", sorted(CHANGES))
def test_grids_differ_in_their_factor_alone(records: list[SplicingRecord], factor: str) -> None:
    (grid,) = (unit for unit in units_of(records, "grid") if unit[0].unit["factor"] == factor)
    values = {"colour": ["as_is", "reinhard"], "feather": [0, 2], "scale": [0.8, 1], "quality": [50, 90]}[factor]
    assert [member.unit["value"] for member in grid] == values
    assert len({member.split for member in grid}) == 1
    assert all(member.photos == grid[0].photos for member in grid)
    factors: list[list[Any]] = []
    rest = []
    for member in grid:
        edits = json.loads(json.dumps(member.edits))
        factors.append([CHANGES[factor](edit) for edit in edits])
        history = [dict(step) for step in member.history]
        if factor == "quality":
            factors[-1] = [history[-1].pop("quality")]
        rest.append((edits, history))
    assert all(one == rest[0] for one in rest)
    for value, found in zip(values, factors, strict=True):
        if factor == "colour":
            assert {colour["mode"] for colour in found} == {value}
        elif factor == "scale":
            assert found == pytest.approx([one / values[0] * value for one in factors[0]], rel=1e-9)
        else:
            assert set(found) == {value}


def test_a_grid_of_saves_has_one_picture(splicing: Made, full: Path, records: list[SplicingRecord]) -> None:
    (grid,) = (unit for unit in units_of(records, "grid") if unit[0].unit["factor"] == "quality")
    assert len({member.files["mask"]["sha256"] for member in grid}) == 1
    assert grid[0].files["image"]["bytes"] < grid[1].files["image"]["bytes"]


# Splits and licences


def test_all_photos_of_a_sample_are_of_its_split(records: list[SplicingRecord]) -> None:
    splits: dict[str, str] = {}
    for record in records:
        for photo in record.photos:
            assert splits.setdefault(photo["sha256"], record.split) == record.split
    assert set(splits.values()) == {"train", "test"}


@pytest.mark.parametrize("seed", range(2))
def test_near_duplicates_are_in_one_split_and_never_joined(splicing: Made, tmp_path: Path, seed: int) -> None:
    recipe = plain_recipe_of(splicing.source, samples=26, seed=seed, kinds={"splice": 0.5, "authentic": 0.5})
    folder = make_dataset(recipe, tmp_path / "made")
    twins, splits = {"images/photo00.png", f"images/{TWIN}"}, set()
    seen = Counter[str]()
    for record in samples_of(folder):
        found = twins & {photo["photo"] for photo in record.photos}
        assert len(found) < 2, "a photo in itself"
        seen.update(found)
        splits |= {record.split} if found else set()
    assert len(splits) == 1
    assert set(seen) == twins
    listed = json.loads((folder / "certificate.json").read_bytes())["photos"]
    components = Counter(photo["component"] for photo in listed)
    assert max(components.values()) > 1


def test_licences_are_kept(splicing: Made, full: Path, records: list[SplicingRecord], tmp_path: Path) -> None:
    more = plain_recipe_of(splicing.source, samples=26, kinds={"splice": 0.4, "authentic": 0.6})
    records = records + samples_of(make_dataset(more, tmp_path / "made"))
    untouchable, reserved = f"images/{NO_DERIVATIVES}", f"images/{RESERVED}"
    for record in records:
        photos = [photo["photo"] for photo in record.photos]
        assert not {reserved, untouchable} & set(photos)
        assert record.licence["name"] == "CC BY 2.0"
        assert len(record.licence["attribution"]) == len(photos)
        for photo, line in zip(record.photos, record.licence["attribution"], strict=True):
            assert line == f"{photo['photo']}: {photo['attribution']}"
            assert "P. Author" in line
    rejects = [json.loads(line) for line in (full / "rejects.jsonl").read_text().splitlines()]
    rejects = [one for one in rejects if one["reason"] == "licence"]
    assert [one["name"] for one in rejects] == [untouchable, reserved]
    assert "CC BY-ND 2.0" in rejects[0]["detail"]
    assert "'All rights reserved'; the recipe accepts CC BY*" in rejects[1]["detail"]
