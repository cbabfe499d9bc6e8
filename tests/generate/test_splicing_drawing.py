"""Edits as they are drawn: inside the picture, beside each other, and of donors that are soon given up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from splicing_datasets import parsed, plain_recipe_of, write_source

from synthharm.composites.manipulation import Edit, Paste
from synthharm.generate.splicing.draft import Draft, Mask
from synthharm.generate.splicing.drawing import Drawer
from synthharm.generate.splicing.making import SplicingMaker
from synthharm.generate.splicing.plan import SplicingPlan, _company
from synthharm.generate.splicing.positions import NoFit
from synthharm.generate.splicing.previewing import _marked
from synthharm.generate.splicing.regions import LOOKS, Regions
from synthharm.sources import read_listed


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> SplicingMaker:
    root = tmp_path_factory.mktemp("drawing")
    recipe = parsed(plain_recipe_of(write_source(root / "source"), kinds={"splice": 1}))
    (root / "plan").mkdir()
    return SplicingMaker.of(SplicingPlan.make(recipe, root / "plan"))


def started(maker: SplicingMaker) -> tuple[Drawer, Draft]:
    """What draws, and a target that nothing was done to."""
    number = maker.plan.target(0, 0)
    return maker._drawer(0, 0), Draft.of(read_listed(maker.source, maker.plan.index, number), number)


@pytest.fixture
def drawer(maker: SplicingMaker) -> Drawer:
    return started(maker)[0]


@pytest.fixture
def splice(maker: SplicingMaker) -> Draft:
    drawer, target = started(maker)
    return drawer.draw("splice", target)


def moved(edit: Edit, x: float) -> Edit:
    assert isinstance(edit, Paste)
    return msgspec.structs.replace(edit, placement=msgspec.structs.replace(edit.placement, x=x))


def test_edits_are_done_again_as_they_were(drawer: Drawer, splice: Draft) -> None:
    again = drawer.again(splice, splice.edits)
    assert again.edits == splice.edits
    assert np.array_equal(again.done.image, splice.done.image)
    assert np.array_equal(again.done.regions, splice.done.regions)


def test_what_leaves_the_picture_is_not_done_again(drawer: Drawer, splice: Draft) -> None:
    with pytest.raises(NoFit, match=r"does not fit at 1\.00 of its size"):
        drawer.again(splice, [moved(edit, 0.0) for edit in splice.edits])


def test_what_lies_on_another_is_not_done_again(drawer: Drawer, splice: Draft) -> None:
    twice = replace(splice, masks=(*splice.masks, *splice.masks))
    with pytest.raises(NoFit, match=r"does not fit at 1\.00 of its size"):
        drawer.again(twice, [*splice.edits, *splice.edits])


def test_no_more_donors_are_looked_at_than_is_said(maker: SplicingMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    drawer, target = started(maker)
    looked = list[Mask]()
    monkeypatch.setattr(Regions, "_whole", lambda self, mask: looked.append(mask))
    assert list(drawer.regions.donors(target, None)) == []
    assert len(looked) == LOOKS


def test_company_is_that_of_a_photos_own_categories() -> None:
    """Cups stand beside birds and dogs; photo 0 has a dog, 1 a bird, 2 nothing, 3 a dog, a bird and a cup."""
    owners, categories = np.array([0, 1, 3, 3, 3]), np.array([2, 0, 2, 0, 1])
    company = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    plan: Any = SimpleNamespace(owners=owners, categories=categories, company=company)
    found = [SplicingPlan.in_company(plan, photo, np.array([0, 1, 4])).tolist() for photo in range(4)]
    cup, none, all_of_them = [False, False, True], [False] * 3, [True] * 3
    assert found == [cup, cup, none, all_of_them]


def test_categories_are_in_company_where_a_photo_has_both() -> None:
    index: Any = SimpleNamespace(photos=3, categories=lambda: ["a", "b", "c"])
    found = _company(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 2, 2], np.int32), index)
    assert found.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_the_categories_of_units_are_those_of_the_layout(tmp_path: Path) -> None:
    quotas = {"category": {"dog": 0.5, "cup": 0.5}}
    recipe = parsed(plain_recipe_of(write_source(tmp_path / "source"), kinds={"splice": 1}, quotas=quotas))
    (tmp_path / "plan").mkdir()
    made = SplicingMaker.of(SplicingPlan.make(recipe, tmp_path / "plan"))
    drawn = [made._drawer(unit, 0).category for unit in range(recipe.samples)]
    assert (drawn.count("dog"), drawn.count("cup")) == (6, 6)
    drawer = made._drawer(0, 0)
    assert [drawer._category(number) for number in range(3)] == [drawer.category, None, None]


def test_a_preview_marks_regions_in_orange_over_grey() -> None:
    image, mask = np.full((4, 4, 3), 100, np.uint8), np.zeros((4, 4), np.uint8)
    mask[1:3, 1:3] = 1
    found = _marked(image, mask)
    assert {tuple(pixel) for pixel in found[mask > 0].tolist()} == {(172, 132, 45)}
    assert {tuple(pixel) for pixel in found[mask == 0].tolist()} == {(100, 100, 100)}
