"""Edits as they are drawn: inside the picture, beside each other, and of donors that are soon given up."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from splicing_datasets import parsed, plain_recipe_of, write_source

from synthharm.composites.manipulation import Edit, Paste
from synthharm.generate.splicing.draft import Draft, Mask
from synthharm.generate.splicing.drawing import Drawer
from synthharm.generate.splicing.making import SplicingMaker
from synthharm.generate.splicing.plan import SplicingPlan
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


def test_a_preview_marks_regions_in_orange_over_grey() -> None:
    image, mask = np.full((4, 4, 3), 100, np.uint8), np.zeros((4, 4), np.uint8)
    mask[1:3, 1:3] = 1
    found = _marked(image, mask)
    assert {tuple(pixel) for pixel in found[mask > 0].tolist()} == {(172, 132, 45)}
    assert {tuple(pixel) for pixel in found[mask == 0].tolist()} == {(100, 100, 100)}
