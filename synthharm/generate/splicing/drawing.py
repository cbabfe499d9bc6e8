"""Drawing what is done to a target: which regions, where they go, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation.composing import Composed, Layered, paste
from synthharm.composites.manipulation.cutting import touches_border
from synthharm.composites.manipulation.edits import Colour, Cut, Paste, Region, Removal, Retouch
from synthharm.composites.retouch import is_grey
from synthharm.errors import Unusable
from synthharm.generate.splicing.colours import Colours
from synthharm.generate.splicing.draft import Draft, Mask
from synthharm.generate.splicing.histories import choose
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.generate.splicing.positions import Extent, NoFit, Room, draw_placement
from synthharm.masks import binarize, check_mask, feather
from synthharm.recipe import SplicingRecipe
from synthharm.sources import RegionEntry, Source, load_region
from synthharm.sources.licences import Licence, combination, parse_licence
from synthharm.sources.measure import of_region
from synthharm.sources.supports import box_of, regions_of_photo

DONORS, LOOKS, PLACES = 400, 12, 8  # donors drawn, of which looked at, and places tried for each
MOST_BOXES = 40  # of the target's objects that are looked at for a support
ONE_PIECE = 0.95  # of a region's area at least
TOUCHED = 0.15  # of a donor's rim at most may be another object's
RIM = 7  # pixels: three around a region
GRADIENT_DOMAIN = ("poisson", "mixed")
ALIKE = 30  # levels between the mean colours of two rims at most
OVERLAP = 0.1  # largest share of a region that lies on another, or on the place it was copied from


@dataclass(frozen=True)
class Drawer:
    """Draws the edits of one unit.

    Args:
        plan: of the dataset.
        source: of its photos.
        colours: how regions are coloured.
        random: what is drawn from.
        area: the lowest and highest share of the target that the edits should cover, or None.
        category: of the first region, or None.
    """

    plan: SplicingPlan
    source: Source
    colours: Colours
    random: np.random.Generator
    area: tuple[float, float] | None
    category: str | None

    @property
    def recipe(self) -> SplicingRecipe:
        """The dataset's."""
        return self.plan.recipe

    def draw(self, kind: str, target: Draft) -> Draft:
        """Draw edits of one kind on a target.

        Raises:
            NoFit: what was drawn leads nowhere.
            Unusable: a photo or region that cannot be used.
        """
        fewest, most = self.recipe.regions
        draft = target
        for number in range(int(self.random.integers(fewest, most + 1))):
            try:
                draft = self._one_more(kind, draft, number)
            except NoFit:
                if not draft.edits:
                    raise
                break
        if self.area is not None and not self.area[0] <= draft.share <= self.area[1]:
            raise NoFit(f"covers {draft.share:.4f} of the picture; {self.area} is asked for")
        return draft

    def _one_more(self, kind: str, draft: Draft, number: int) -> Draft:
        if kind == "retouch":
            return self._retouch(draft, number)
        if kind == "removal":
            return self._removal(draft, number)
        return self._paste(kind, draft, number)

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

    def _paste(self, kind: str, draft: Draft, number: int) -> Draft:
        cut, blending = self._cut(), self._blending()
        donors = self._copied(draft, number) if kind == "copy_move" else self._donors(draft, number)
        for with_donor, region, mask in donors:
            for _ in range(PLACES):
                try:
                    pasted = Paste(region, cut, self._placement(with_donor, region, mask), blending)
                except NoFit:
                    continue
                if not self._fits(with_donor, pasted, mask):
                    continue
                layer = self._layer(with_donor, pasted, mask)
                mode = self._mode("harmonized_splice" if kind == "harmonized_splice" else "splice")
                return self._coloured(with_donor, pasted, mask, layer, mode)
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

    def _own_region(self, draft: Draft, number: int, largest: float) -> tuple[Region, Mask]:
        """A region of the target that nothing was done to."""
        places = regions_of_photo(self.plan.index, draft.numbers[0])
        most = min(largest, 1.0 if self.area is None else self.area[1] - draft.share)
        for place in self.random.permutation(places):
            entry = self.plan.index.region(int(place))
            if (number == 0 and self.category not in (None, entry.category)) or (entry.share or 0) > most:
                continue
            mask = self._mask(draft, entry)
            share = np.count_nonzero(mask) / mask.size
            if share <= most and not np.count_nonzero(draft.done.regions[mask > 0]):
                return Region(0, entry.id, entry.mask, entry.category), mask
        raise NoFit("the target has no region of the kind")

    def _copied(self, draft: Draft, number: int) -> Iterator[tuple[Draft, Region, Mask]]:
        """Regions of the target that may be copied within it."""
        for place in self.random.permutation(regions_of_photo(self.plan.index, draft.numbers[0])):
            entry = self.plan.index.region(int(place))
            if number == 0 and self.category not in (None, entry.category):
                continue
            mask = self._mask(draft, entry)
            if self._whole(mask) and self._stands_free(entry, mask):
                yield draft, Region(0, entry.id, entry.mask, entry.category), mask

    def _donors(self, draft: Draft, number: int) -> Iterator[tuple[Draft, Region, Mask]]:
        """Regions of other photos of the target's split that may be pasted onto it."""
        looked, target = 0, draft.numbers[0]
        for place in self._candidates(target, self.category if number == 0 else None):
            entry = self.plan.index.region(int(place))
            alike = self.plan.components[entry.photo] == self.plan.components[target]
            if alike or not self._licensed(draft, entry):
                continue
            looked += 1
            if looked > LOOKS:
                return
            try:
                photo, mask = load_region(self.source, self.plan.index, int(place), soft=False)
            except Unusable:
                continue  # another does as well; a photo that cannot be read was listed when the plan was made
            if is_grey(photo.pixels) != is_grey(draft.photos[0].pixels):
                continue  # colour in a photo without any would tell
            if self._whole(mask) and self._stands_free(entry, mask):
                with_donor, at = draft.with_photo(photo, entry.photo)
                yield with_donor, Region(at, entry.id, entry.mask, entry.category), mask

    def _candidates(self, target: int, category: str | None) -> Iterator[int]:
        """Regions of the target's split in a random order, those first that belong into its company."""
        among = self.plan.donor_regions(int(self.plan.splits[target]), category)
        fitting = among[self.plan.in_company(target, among)] if self.recipe.placement.company else among[:0]
        for regions in (fitting, among):
            if len(regions):
                yield from regions[self.random.integers(0, len(regions), DONORS)].tolist()

    def _stands_free(self, entry: RegionEntry, mask: Mask) -> bool:
        """Whether no other object of its photo touches a region along much of its rim: it may hide a part."""
        photo, index = self.plan.index.photo(entry.photo), self.plan.index
        rim = _rim(mask)
        touched = np.zeros_like(rim)
        for place in regions_of_photo(index, entry.photo):
            other = index.region(int(place))
            if other.id != entry.id:
                try:
                    touched |= self.source.read_mask(photo, other, (mask.shape[0], mask.shape[1])) > 0
                except Unusable:
                    continue
        return int(np.count_nonzero(rim & touched)) <= TOUCHED * int(np.count_nonzero(rim))

    def _licensed(self, draft: Draft, entry: RegionEntry) -> bool:
        licences = [parse_licence(photo.licence) for photo in draft.photos]
        licences.append(parse_licence(self.plan.index.photo(entry.photo).licence))
        return isinstance(combination(licences, edited=True), Licence)

    def _whole(self, mask: Mask) -> bool:
        """Whether a region is in one piece, and not cut off by its photo's border unless that is allowed."""
        if not self.recipe.placement.cut_off and touches_border(mask):
            return False
        _, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        return int(statistics[1:, cv2.CC_STAT_AREA].max()) >= ONE_PIECE * int(np.count_nonzero(mask))

    def _mask(self, draft: Draft, entry: RegionEntry) -> Mask:
        """The mask of a region of the target. Raises Unusable."""
        photo = self.plan.index.photo(entry.photo)
        try:
            mask = self.source.read_mask(photo, entry, draft.size)
            check_mask(mask, draft.size, photo.key)
        except Unusable as error:
            raise of_region(error, photo, entry) from error
        return binarize(mask)

    def _boxes_here(self, draft: Draft, category: str | None) -> NDArray[np.float64]:
        """Boxes of the target's own objects of a category, as supports have them."""
        boxes = []
        for place in regions_of_photo(self.plan.index, draft.numbers[0])[:MOST_BOXES]:
            entry = self.plan.index.region(int(place))
            if category is None or entry.category != category:
                continue
            if (box := box_of(self._mask(draft, entry))) is not None:
                boxes.append(box)
        return np.array(boxes).reshape(-1, 4)

    def _placement(self, draft: Draft, region: Region, mask: Mask) -> Any:
        extent, (height, width) = Extent.of(mask), draft.size
        here = self._boxes_here(draft, region.category)
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
        if edit.region.photo == 0:
            taken = taken | (mask > 0)  # a copy on the place that it was copied from
        if int(np.count_nonzero(placed & taken)) > OVERLAP * area:
            return False
        if edit.blending not in GRADIENT_DOMAIN:
            return True
        return _alike(photo[_rim(mask)], draft.done.image[_rim(layer.alpha)])

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


def _rim(mask: Mask) -> NDArray[np.bool_]:
    """The pixels around a region."""
    around: NDArray[np.bool_] = (cv2.dilate(mask, np.ones((RIM, RIM), np.uint8)) > 0) & (mask == 0)
    return around


def _alike(left: NDArray[np.uint8], found: NDArray[np.uint8]) -> bool:
    """Whether a region's new surroundings look like those it left: else gradient-domain blending bleeds."""
    if not len(left) or not len(found):
        return False
    return float(np.abs(left.mean(axis=0) - found.mean(axis=0)).max()) <= ALIKE
