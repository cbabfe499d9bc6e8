"""The card of a splicing dataset: its front matter, its numbers, its pictures, and code that runs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import forensic_items as small
import numpy as np
import pytest
import yaml
from PIL import Image

from synthharm.files import sha256
from synthharm.writers.forensics.card import front_matter, hub_licence, write_card
from synthharm.writers.forensics.item import Format, Item
from synthharm.writers.forensics.loading import SNIPPETS, loading
from synthharm.writers.forensics.overview import PICKS, overview
from synthharm.writers.forensics.parquet import HuggingFaceFormat
from synthharm.writers.forensics.pictures import SERIES, diagrams, distributions_sheet, samples_sheet
from synthharm.writers.forensics.record import KINDS
from synthharm.writers.forensics.webdataset_shards import WebDatasetFormat

SAMPLES = small.items(24)
NUMBERS = overview(lambda: iter(SAMPLES))


def changed(item: Item, **changes: object) -> Item:
    return replace(item, record=replace(item.record, **changes))  # type: ignore[arg-type]


def test_numbers_are_those_of_the_records() -> None:
    records = [item.record for item in SAMPLES]
    assert NUMBERS.samples == len(records)
    for split in small.SPLITS:
        assert NUMBERS.of_split(split) == sum(r.split == split for r in records)
    for kind in KINDS:
        assert NUMBERS.of_kind(kind) == sum(r.kind == kind for r in records)
    shares = [r.image["share"] for r in records if r.manipulated]
    assert [value for chunk in NUMBERS.shares.chunks() for value in chunk] == shares
    assert NUMBERS.categories.total() == sum(len(r.regions) for r in records)
    assert set(NUMBERS.photos) == {photo["photo"] for r in records for photo in r.photos}
    assert not NUMBERS.shared
    for bars in diagrams(NUMBERS, small.SPLITS)[3:]:
        assert 0 < sum(bars.totals) <= len(records)


def test_a_photo_in_two_splits_is_said(tmp_path: Path) -> None:
    twice = [SAMPLES[0], changed(SAMPLES[1], photos=SAMPLES[0].record.photos)]
    write_card(tmp_path, "folder", overview(lambda: iter(twice)), small.about(), pictures=False)
    assert "1 photos are in more than one split" in (tmp_path / "README.md").read_text()
    assert not (tmp_path / "card").exists()


@pytest.mark.parametrize("form", SNIPPETS)
def test_the_card_has_front_matter_tables_and_pictures(tmp_path: Path, form: str) -> None:
    write_card(tmp_path, form, NUMBERS, small.about())
    _, head, text = (tmp_path / "README.md").read_text().split("---\n", 2)
    data = yaml.safe_load(head)
    assert data == front_matter(form, NUMBERS, small.about())
    assert (data["license"], data["size_categories"]) == ("other", ["n<1K"])
    assert ("configs" in data) == (form in ("huggingface", "imagefolder"))
    assert "| removal | 1 | 1 | 2 | 4 |" in text
    assert str(tmp_path) not in text
    for picture in ("card/samples.png", "card/distributions.png"):
        assert f"({picture})" in text
        with Image.open(tmp_path / picture) as image:
            assert image.mode == "RGB"


def test_every_photo_is_attributed_in_a_line_of_its_own(tmp_path: Path) -> None:
    odd = SAMPLES[0].record.photos[0] | {"photo": "a|b\n- [c](d)", "attribution": "<b>`x`</b>"}
    numbers = overview(lambda: iter([*SAMPLES, changed(SAMPLES[0], photos=[odd])]))
    write_card(tmp_path, "folder", numbers, small.about(), pictures=False)
    lines = [line for line in (tmp_path / "ATTRIBUTION.md").read_text().splitlines() if line.startswith("- ")]
    assert len(lines) == len(numbers.photos)
    assert lines[0].startswith("- a\\|b - \\[c\\](d) (")
    assert lines[0].endswith("; \\<b\\>\\`x\\`\\</b\\>")
    assert any(line.endswith(": CC0-1.0; Zoë") and sha256(b"photos/1.jpg") in line for line in lines)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("CC-BY-4.0", "cc-by-4.0"),
        ("CC0", "cc0-1.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"),
        ("Attribution-NonCommercial License (http://creativecommons.org/licenses/by-nc/2.0/)", "cc-by-nc-2.0"),
        ("No known copyright restrictions", None),
    ],
)
def test_one_licence_is_given_by_its_identifier(name: str, identifier: str | None) -> None:
    assert hub_licence(name) == identifier
    item = changed(SAMPLES[0], licence={"name": name, "attribution": []})
    head = front_matter("folder", overview(lambda: iter([item])), small.about())
    assert head["license"] == (identifier or "other")
    assert ("license_name" in head) == (identifier is None)


def test_the_same_samples_of_each_kind_are_shown_whatever_their_order() -> None:
    backwards = overview(lambda: reversed(SAMPLES))
    for kind in KINDS:
        names = [item.record.name for item in NUMBERS.picks[kind]]
        assert len(names) == min(PICKS, 4)
        assert names == [item.record.name for item in backwards.picks[kind]]
    assert samples_sheet(NUMBERS) == samples_sheet(backwards)


def test_only_manipulated_pixels_are_coloured() -> None:
    for kind in KINDS:
        numbers = overview(lambda: (item for item in SAMPLES if item.record.kind == kind))  # noqa: B023
        sheet = np.asarray(Image.open(io.BytesIO(samples_sheet(numbers)))).astype(int)
        marked = sheet[:, sheet.shape[1] // 6 + 8 : sheet.shape[1] // 3 - 8]
        assert (np.ptp(marked, axis=2).max() > 60) == (kind != "authentic")


def test_every_series_is_drawn_in_its_colour() -> None:
    with Image.open(io.BytesIO(distributions_sheet(NUMBERS, small.SPLITS))) as sheet:
        colours = {colour for _, colour in sheet.getcolors(sheet.width * sheet.height)}
    assert set(SERIES[: len(small.SPLITS)]) <= colours


def test_no_samples_make_a_card_all_the_same(tmp_path: Path) -> None:
    write_card(tmp_path, "huggingface", overview(lambda: iter([])), small.about())
    assert "0 images" in (tmp_path / "README.md").read_text()
    assert not (tmp_path / "card").exists()
    distributions_sheet(overview(lambda: iter([])), small.SPLITS)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("form", [HuggingFaceFormat(), WebDatasetFormat()], ids=lambda form: form.name)
def test_the_code_on_the_card_runs(tmp_path: Path, form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "dataset"
    folder.mkdir()
    form.write(lambda: iter(SAMPLES), folder, small.about())
    write_card(folder, form.name, NUMBERS, small.about(), pictures=False)
    code = loading(form.name, "test", ".jpg").removeprefix("```python\n").removesuffix("```\n")
    names: dict[str, object] = {}
    exec(code.replace("FOLDER", str(folder)), names)
    assert names["sample"]
