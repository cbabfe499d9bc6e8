"""Drawing regions: those of a target that something is done to, and those of other photos that are pasted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation import Region, touches_border
from synthharm.composites.retouch import is_grey
from synthharm.errors import Unusable
from synthharm.generate.splicing.draft import Draft, Mask
from synthharm.generate.splicing.plan import SplicingPlan
from synthharm.generate.splicing.positions import NoFit
from synthharm.masks import binarize, check_mask
from synthharm.sources import (
    Licence,
    RegionEntry,
    Source,
    box_of,
    combination,
    load_region,
    of_region,
    parse_licence,
    read_listed_mask,
    regions_of_photo,
)

DONORS, LOOKS = 400, 12  # donors drawn, and of which looked at
MOST_BOXES = 40  # of the target's objects that are looked at for a support
ONE_PIECE = 0.95  # of a region's area at least
TOUCHED = 0.15  # of a donor's rim at most may be another object's
RIM = 7  # pixels: three around a region


@dataclass(frozen=True)
class Regions:
    """The regions that one unit may use, in an order drawn for it.

    Args:
        plan: of the dataset.
        source: of its photos.
        random: what is drawn from.
    """

    plan: SplicingPlan
    source: Source
    random: np.random.Generator

    def of_target(self, draft: Draft, category: str | None, most: float) -> tuple[Region, Mask]:
        """A region of the target that nothing was done to, with its mask.

        Args:
            draft: what was done to the target so far.
            category: that it must be of, or None.
            most: the largest share of the target that it may cover.

        Raises:
            NoFit: there is none.
            Unusable: one cannot be read.
        """
        places = regions_of_photo(self.plan.index, draft.numbers[0])
        for place in self.random.permutation(places):
            entry = self.plan.index.region(int(place))
            if category not in (None, entry.category) or (entry.share or 0) > most:
                continue
            mask = self._mask(draft, int(place))
            share = np.count_nonzero(mask) / mask.size
            if share <= most and not np.count_nonzero(draft.done.regions[mask > 0]):
                return Region(0, entry.id, entry.mask, entry.category), mask
        raise NoFit("the target has no region of the kind")

    def copied(self, draft: Draft, category: str | None) -> Iterator[tuple[Draft, Region, Mask]]:
        """Regions of the target that may be copied within it, as `donors` gives those of others."""
        for place in self.random.permutation(regions_of_photo(self.plan.index, draft.numbers[0])):
            entry = self.plan.index.region(int(place))
            if category not in (None, entry.category):
                continue
            mask = self._mask(draft, int(place))
            if self._whole(mask) and self._stands_free(int(place), mask):
                yield draft, Region(0, entry.id, entry.mask, entry.category), mask

    def donors(self, draft: Draft, category: str | None) -> Iterator[tuple[Draft, Region, Mask]]:
        """Regions of other photos of the target's split that may be pasted onto it.

        They stand free and whole in photos whose licence allows it, and which have colour if the target has.

        Args:
            draft: what was done to the target so far.
            category: that they must be of, or None.

        Yields:
            The draft with the donor's photo among its photos, the region, and its mask in that photo.
        """
        looked, target = 0, draft.numbers[0]
        for place in self._candidates(target, category):
            entry = self.plan.index.region(int(place))
            alike = self.plan.components[entry.photo] == self.plan.components[target]
            if alike or not self._licensed(draft, entry):
                continue
            looked += 1
            if looked > LOOKS:
                return
            try:
                photo, mask = load_region(self.source, self.plan.index, int(place), soft=False)
                self.plan.check_photo(entry.photo, photo)
            except Unusable:
                continue  # another does as well; a photo that cannot be read was listed when the plan was made
            if is_grey(photo.pixels) != is_grey(draft.photos[0].pixels):
                continue  # colour in a photo without any would tell
            if self._whole(mask) and self._stands_free(int(place), mask):
                with_donor, at = draft.with_photo(photo, entry.photo)
                yield with_donor, Region(at, entry.id, entry.mask, entry.category), mask

    def boxes_in(self, draft: Draft, category: str | None) -> NDArray[np.float64]:
        """Boxes of the target's own objects of a category, as supports have them."""
        boxes = []
        for place in regions_of_photo(self.plan.index, draft.numbers[0])[:MOST_BOXES]:
            entry = self.plan.index.region(int(place))
            if category is None or entry.category != category:
                continue
            try:
                box = box_of(self._mask(draft, int(place)))
            except Unusable:
                continue  # it is listed where it is drawn
            if box is not None:
                boxes.append(box)
        return np.array(boxes).reshape(-1, 4)

    def _candidates(self, target: int, category: str | None) -> Iterator[int]:
        """Regions of the target's split in a random order, those first that belong into its company."""
        among = self.plan.donor_regions(int(self.plan.splits[target]), category)
        fitting = among[self.plan.in_company(target, among)] if self.plan.recipe.placement.company else among[:0]
        for regions in (fitting, among):
            if len(regions):
                yield from regions[self.random.integers(0, len(regions), DONORS)].tolist()

    def _stands_free(self, number: int, mask: Mask) -> bool:
        """Whether no other object of its photo touches a region along much of its rim: it may hide a part."""
        index, size = self.plan.index, (mask.shape[0], mask.shape[1])
        rim = rim_of(mask)
        touched = np.zeros_like(rim)
        for other in regions_of_photo(index, index.region(number).photo):
            if other != number:
                try:
                    touched |= read_listed_mask(self.source, index, int(other), size) > 0
                except Unusable:
                    continue
        return int(np.count_nonzero(rim & touched)) <= TOUCHED * int(np.count_nonzero(rim))

    def _licensed(self, draft: Draft, entry: RegionEntry) -> bool:
        licences = [parse_licence(photo.licence) for photo in draft.photos]
        licences.append(parse_licence(self.plan.index.photo(entry.photo).licence))
        return isinstance(combination(licences, edited=True), Licence)

    def _whole(self, mask: Mask) -> bool:
        """Whether a region is in one piece, and not cut off by its photo's border unless that is allowed."""
        if not self.plan.recipe.placement.cut_off and touches_border(mask):
            return False
        _, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        return int(statistics[1:, cv2.CC_STAT_AREA].max()) >= ONE_PIECE * int(np.count_nonzero(mask))

    def _mask(self, draft: Draft, number: int) -> Mask:
        """The mask of a region of the target. Raises Unusable."""
        region = self.plan.index.region(number)
        photo = self.plan.index.photo(region.photo)
        try:
            mask = read_listed_mask(self.source, self.plan.index, number, draft.size)
            check_mask(mask, draft.size, photo.key)
        except Unusable as error:
            raise of_region(error, photo, region) from error
        return binarize(mask)


def rim_of(mask: Mask) -> NDArray[np.bool_]:
    """The pixels around a region (H, W), bool."""
    around: NDArray[np.bool_] = (cv2.dilate(mask, np.ones((RIM, RIM), np.uint8)) > 0) & (mask == 0)
    return around
