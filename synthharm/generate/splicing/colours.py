"""Drawing what is done to a region's colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from synthharm.composites import retouch
from synthharm.composites.manipulation import Colour
from synthharm.errors import Unusable
from synthharm.filters import FilterChain, Limits
from synthharm.filters.drawing import ColourStatistics, Reference, Strategy
from synthharm.generate.sections import draw_limits, draw_strategy
from synthharm.masks import surroundings
from synthharm.recipe import SplicingRecipe

if TYPE_CHECKING:
    from synthharm.harmonizer import Harmonizer

LEVELS = 255


@dataclass(frozen=True)
class Colours:
    """How a recipe's regions are coloured.

    Args:
        chain: the filters that are undone.
        limits: what drawn arguments may cost.
        strategy: how they are drawn.
        checkpoint: the Harmonizer's, or None.
    """

    chain: FilterChain
    limits: Limits
    strategy: Strategy
    checkpoint: str | None

    @classmethod
    def of(cls, recipe: SplicingRecipe) -> Colours:
        """As a recipe says."""
        chain = FilterChain(recipe.chain.filters, recipe.chain.statistics, recipe.chain.spans)
        return cls(chain, draw_limits(recipe.draw, LEVELS), draw_strategy(recipe.draw), recipe.checkpoint)

    def draw(
        self,
        mode: str,
        image: NDArray[np.uint8],
        alpha: NDArray[np.uint8],
        seed: int,
        name: str,
        strength: float = 1.0,
    ) -> Colour:
        """Draw what is done to a region in a picture, so that it changes.

        Args:
            mode: see `Colour`.
            image: RGB (H, W, 3), with the region in its own colours.
            alpha: (H, W): how much of each pixel is the region.
            seed: of the draw.
            name: what errors call it.
            strength: see `Colour`.

        Raises:
            Unusable: nothing that the limits allow changes it, or it has no surroundings to go by.
        """
        if mode == "as_is":
            return Colour()
        if mode in ("reference", "reinhard") and not surroundings(alpha).any():
            raise Unusable(name, "no reference", "the region fills the picture: nothing surrounds it")
        if mode == "reinhard":
            return Colour("reinhard", strength=strength)
        if mode == "harmonizer":
            return self._predict(image, alpha)
        strategy = self.strategy
        if mode == "reference":
            own = ColourStatistics.of(image, alpha > 0)
            strategy = Reference.of(_between(own, ColourStatistics.of(image, surroundings(alpha)), strength))
        generator = torch.Generator().manual_seed(seed)
        composite = retouch(image, alpha, self.chain, generator, self.limits, strategy)
        if not composite.recoverable.any():
            raise Unusable(name, "unrecoverable", "no drawn arguments can be undone on the region")
        if not composite.foreground_mse:
            raise Unusable(name, "unchanged", "no drawn arguments change the region reversibly")
        if composite.computed != "compiled":
            raise Unusable(name, "unrecoverable", f"the region's means: {composite.computed}")
        arguments = composite.arguments.as_dicts()[0]
        filters = tuple(one.name for one in self.chain.filters)
        if mode == "reference":
            return Colour("reference", filters, self.chain.statistics, arguments, strength)
        return Colour("chain", filters, self.chain.statistics, arguments)

    @cached_property
    def _network(self) -> Harmonizer:
        from synthharm.harmonizer import Harmonizer

        if self.checkpoint is None:
            raise ValueError("harmonizing by a Harmonizer needs a checkpoint")
        return Harmonizer.from_pretrained(self.checkpoint).eval()

    def _predict(self, image: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> Colour:
        network = self._network
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        mask = torch.from_numpy(alpha)[None, None].float() / 255
        with torch.no_grad():
            values = network(pixels, mask)[0].double().tolist()
        chain = network.chain
        arguments = {
            column: min(max(value, parameter.low), parameter.high)
            for column, parameter, value in zip(chain.columns, chain.parameters, values, strict=True)
        }
        return Colour("harmonizer", tuple(one.name for one in chain.filters), chain.statistics, arguments)


def _between(own: ColourStatistics, other: ColourStatistics, strength: float) -> ColourStatistics:
    """Colours on the way from a region's own to others."""

    def mix(first: Sequence[float], second: Sequence[float]) -> tuple[float, float, float]:
        red, green, blue = (a + strength * (b - a) for a, b in zip(first, second, strict=True))
        return red, green, blue

    return ColourStatistics(mix(own.means, other.means), mix(own.deviations, other.deviations))
