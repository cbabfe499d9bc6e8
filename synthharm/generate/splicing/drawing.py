"""Drawing what is done to a target: which regions, where they go, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation import (
    Colour,
    Composed,
    Cut,
    Edit,
    Layered,
    Paste,
    Region,
    Removal,
    Retouch,
    paste,
)
from synthharm.errors import Unusable
from synthharm.generate.splicing.colours import Colours
from synthharm.generate.splicing.draft import Draft, Mask
from synthharm.generate.splicing.histories import choose
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.generate.splicing.positions import Extent, NoFit, Room, draw_placement
from synthharm.generate.splicing.regions import Regions, rim_of
from synthharm.masks import feather
from synthharm.recipe import SplicingRecipe

PLACES = 8  # tried for each region
GRADIENT_DOMAIN = ("poisson", "mixed")
ALIKE = 30  # levels between the mean colours of two rims at most
OVERLAP = 0.1  # largest share of a region that lies on another, or on the place it was copied from


@dataclass(frozen=True)
class Drawer:
    """Draws the edits of one unit.

    Args:
        plan: of the dataset.
        regions: that it may use.
        colours: how they are coloured.
        random: what is drawn from.
        area: the lowest and highest share of the target that the edits should cover, or None.
        category: of the first region, or None.
    """

    plan: SplicingPlan
    regions: Regions
    colours: Colours
    random: np.random.Generator
    area: tuple[float, float] | None
    category: str | None

    @property
    def recipe(self) -> SplicingRecipe:
        """The dataset's."""
        return self.plan.recipe

    def draw(self, kind: str, target: Draft, mode: str | None = None) -> Draft:
        """Draw edits of one kind on a target.

        Args:
            kind: of the sample.
            target: to which nothing was done.
            mode: of pasted regions' colours, see `Colour`; None draws those of the kind.

        Raises:
            NoFit: what was drawn leads nowhere.
            Unusable: a photo or region that cannot be used.
        """
        fewest, most = self.recipe.regions
        draft = target
        for number in range(int(self.random.integers(fewest, most + 1))):
            try:
                draft = self._one_more(kind, draft, number, mode)
            except NoFit:
                if not draft.edits:
                    raise
                break
        if self.area is not None and not self.area[0] <= draft.share <= self.area[1]:
            raise NoFit(f"covers {draft.share:.4f} of the picture; {self.area} is asked for")
        return draft

    def _one_more(self, kind: str, draft: Draft, number: int, mode: str | None) -> Draft:
        if kind == "retouch":
            return self._retouch(draft, number)
        if kind == "removal":
            return self._removal(draft, number)
        return self._paste(kind, draft, number, mode)

    def _retouch(self, draft: Draft, number: int) -> Draft:
        region, mask = self._own_region(draft, number, 1.0)
        radius = round(self._between(self.recipe.edges.feather), 2)
        colour = self._colour("chain", draft, feather(mask, radius) if radius else mask)
        return draft.with_edit(Retouch(region, colour, radius), mask)

    def _removal(self, draft: Draft, number: int) -> Draft:
        section = self.recipe.removal
        region, mask = self._own_region(draft, number, section.largest)
        methods = list(section.method)
        method = methods[choose(self.random, list(section.method.values()))]
        low, high = section.dilation
        narrow, wide = section.radius
        dilation, radius = int(self.random.integers(low, high + 1)), int(self.random.integers(narrow, wide + 1))
        return draft.with_edit(Removal(region, dilation, method, radius), mask)

    def _own_region(self, draft: Draft, number: int, largest: float) -> tuple[Region, Mask]:
        """A region of the target, no larger than its quota has left."""
        most = min(largest, 1.0 if self.area is None else self.area[1] - draft.share)
        return self.regions.of_target(draft, self._category(number), most)

    def _category(self, number: int) -> str | None:
        return self.category if number == 0 else None

    def _paste(self, kind: str, draft: Draft, number: int, mode: str | None) -> Draft:
        cut, blending = self._cut(), self._blending()
        find = self.regions.copied if kind == "copy_move" else self.regions.donors
        for with_donor, region, mask in find(draft, self._category(number)):
            for _ in range(PLACES):
                try:
                    pasted = Paste(region, cut, self._placement(with_donor, region, mask), blending)
                except NoFit:
                    continue
                if not self._fits(with_donor, pasted, mask):
                    continue
                layer = self._layer(with_donor, pasted, mask)
                if layer.outside <= self.recipe.placement.outside:
                    return self._coloured(with_donor, pasted, mask, layer, mode or self._mode(kind))
        raise NoFit("no donor was found that fits")

    def recoloured(self, draft: Draft, mode: str | None) -> Draft:
        """The same regions in the same places on the same target, in other colours.

        Args:
            draft: of pasted regions.
            mode: see `Colour`; None draws those of harmonized splices.

        Raises:
            Unusable: no colours fit.
        """
        made = replace(draft, masks=(), edits=(), done=Composed.untouched(draft.photos[0].pixels))
        for edit, mask in zip(draft.edits, draft.masks, strict=True):
            assert isinstance(edit, Paste)
            layer = self._layer(made, edit, mask)
            made = self._coloured(made, edit, mask, layer, mode or self._mode("harmonized_splice"))
        return made

    def again(self, draft: Draft, edits: Sequence[Edit]) -> Draft:
        """The same regions by other edits.

        Raises:
            NoFit: one leaves the picture, or lies on another.
            Unusable: one cannot be done.
        """
        made = replace(draft, masks=(), edits=(), done=Composed.untouched(draft.photos[0].pixels))
        bounds = replace(self, area=None)  # a quota is kept by what the edits were before
        for edit, mask in zip(edits, draft.masks, strict=True):
            if isinstance(edit, Paste):
                layer = self._layer(made, edit, mask)
                if layer.outside > self.recipe.placement.outside or not bounds._fits(made, edit, mask):
                    raise NoFit(f"region {edit.region.id} does not fit at {edit.placement.scale:.2f} of its size")
            made = made.with_edit(edit, mask)
        return made

    def _layer(self, draft: Draft, edit: Paste, mask: Mask) -> Layered:
        photo = draft.photos[edit.region.photo]
        try:
            return paste(draft.done.image, photo.pixels, mask, edit)
        except ValueError as error:
            raise Unusable(photo.key, "not composed", f"region {edit.region.id}: {error}") from error

    def _coloured(self, draft: Draft, edit: Paste, mask: Mask, layer: Layered, mode: str) -> Draft:
        """With a region that was pasted as it is, in colours drawn for it."""
        seed, strength = int(self.random.integers(2**63)), round(self._between(self.recipe.strength), 3)
        colour = self.colours.draw(mode, layer.image, layer.alpha, seed, draft.photos[0].key, strength)
        try:
            done = draft.done.with_layer(len(draft.edits) + 1, layer.recoloured(colour))
        except ValueError as error:
            raise Unusable(draft.photos[0].key, "not composed", f"region {edit.region.id}: {error}") from error
        return draft.with_edit(msgspec.structs.replace(edit, colour=colour), mask, done)

    def _mode(self, kind: str) -> str:
        recipe = self.recipe
        shares: dict[Any, float] = dict(recipe.harmonized if kind == "harmonized_splice" else recipe.colour)
        return str(list(shares)[choose(self.random, list(shares.values()))])

    def _colour(self, mode: str, draft: Draft, alpha: Mask) -> Colour:
        seed = int(self.random.integers(2**63))
        return self.colours.draw(mode, draft.done.image, alpha, seed, draft.photos[0].key)

    def _placement(self, draft: Draft, region: Region, mask: Mask) -> Any:
        extent, (height, width) = Extent.of(mask), draft.size
        here = self.regions.boxes_in(draft, region.category)
        elsewhere = self.plan.supports.boxes(region.category)
        room = Room((height, width), here, elsewhere, float(np.sqrt(height * width / mask.size)))
        low, high = (0.0, 1.0) if self.area is None else self.area
        area = (max(low - draft.share, 0), max(high - draft.share, 0))
        return draw_placement(self.recipe.placement, self.random, extent, room, area)

    def _fits(self, draft: Draft, edit: Paste, mask: Mask) -> bool:
        """Whether a placement is worth cutting the region out for: judged on its mask as it is."""
        photo = draft.photos[edit.region.photo].pixels
        rough = msgspec.structs.replace(edit, cut=Cut("mask"), blending="alpha")
        try:
            layer = paste(draft.done.image, photo, mask, rough)
        except ValueError:
            return False
        placed, taken = layer.alpha > 0, draft.done.regions > 0
        area = int(np.count_nonzero(placed))
        if self.area is not None and draft.share + area / placed.size > self.area[1]:
            return False
        for copied, source in [*zip(draft.edits, draft.masks, strict=True), (edit, mask)]:
            if isinstance(copied, Paste) and copied.region.photo == 0:
                taken = taken | (source > 0)  # nothing goes on the place that a copy is from
        if int(np.count_nonzero(placed & taken)) > OVERLAP * area:
            return False
        if edit.blending not in GRADIENT_DOMAIN:
            return True
        return _alike(photo[rim_of(mask)], draft.done.image[rim_of(layer.alpha)])

    def _cut(self) -> Cut:
        section = self.recipe.edges
        alphas = list(section.alpha)
        alpha = alphas[choose(self.random, list(section.alpha.values()))]
        return Cut(alpha, round(self._between(section.erosion), 2), round(self._between(section.feather), 2))

    def _blending(self) -> Any:
        shares = self.recipe.blending
        return list(shares)[choose(self.random, list(shares.values()))]

    def _between(self, ends: tuple[float, float]) -> float:
        return float(self.random.uniform(ends[0], ends[1]))


def _alike(left: NDArray[np.uint8], found: NDArray[np.uint8]) -> bool:
    """Whether a region's new surroundings look like those it left: else gradient-domain blending bleeds."""
    if not len(left) or not len(found):
        return False
    return float(np.abs(left.mean(axis=0) - found.mean(axis=0)).max()) <= ALIKE
