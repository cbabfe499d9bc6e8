"""Whether a placement is worth cutting a region out for: by its size, and by what it would lie on."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from synthharm.composites.manipulation import Cut, Paste, Placement, Region
from synthharm.generate.splicing import drawing as module
from synthharm.generate.splicing.drawing import OVERLAP, Drawer

SIDE = 40
PLACED = np.zeros((SIDE, SIDE), np.uint8)
PLACED[:20, :20] = 255  # a quarter


@pytest.fixture(autouse=True)
def _placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "paste", lambda *_: SimpleNamespace(alpha=PLACED))


def _fits(
    area: tuple[float, float] | None = None,
    share: float = 0.0,
    taken: int = 0,
    of: int = 1,
    before: tuple[int, ...] = (),
    source: int = 0,
) -> bool:
    """Whether a region fits.

    Args:
        area: which shares of the picture may be changed.
        share: of it that is changed already.
        taken: how many of the region's pixels other edits lie on.
        of: the photo it is from; 0 is the target.
        before: the photos that earlier edits are from, which left the same place as this one.
        source: how many of the region's pixels lie on the place that is left.
    """
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)
    regions, mask = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    regions.flat[np.flatnonzero(PLACED)[:taken]] = 1
    mask.flat[np.flatnonzero(PLACED)[:source]] = 255

    def edit(photo: int) -> Paste:
        return Paste(Region(photo, "1", "m"), Cut("mask"), Placement(10, 10))

    draft = SimpleNamespace(
        photos={number: SimpleNamespace(pixels=image) for number in (0, 1)},
        done=SimpleNamespace(image=image, regions=regions),
        share=share,
        edits=tuple(edit(photo) for photo in before),
        masks=(mask,) * len(before),
    )
    drawer = SimpleNamespace(area=area)
    return Drawer._fits(drawer, draft, edit(of), mask if not before else np.zeros_like(mask))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("area", "share", "fits"),
    [(None, 0.9, True), ((0, 0.375), 0.125, True), ((0, 0.375), 0.1251, False), ((0.5, 1), 0, True)],
)
def test_no_more_is_changed_than_may_be(area: tuple[float, float] | None, share: float, fits: bool) -> None:
    assert _fits(area, share) == fits


@pytest.mark.parametrize(
    ("of", "before", "counts"), [(1, (), False), (0, (), True), (1, (0,), True), (1, (1,), False)]
)
def test_the_place_that_a_copy_is_from_is_taken(of: int, before: tuple[int, ...], counts: bool) -> None:
    most = int(OVERLAP * 400)
    assert _fits(of=of, before=before, source=most)
    assert _fits(of=of, before=before, source=most + 1) != counts


def test_little_may_lie_on_other_edits() -> None:
    most = int(OVERLAP * 400)
    assert most == OVERLAP * 400  # so that what is just allowed can be tried
    assert _fits(taken=most)
    assert not _fits(taken=most + 1)
