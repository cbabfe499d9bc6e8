"""A region's colours, changed where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation.colour_transfer import reinhard
from synthharm.composites.manipulation.edits import Colour
from synthharm.filters.fused import NotCompiled, Scene, apply_image, undo_region
from synthharm.masks import surroundings

if TYPE_CHECKING:
    from synthharm.filters import FilterChain


def recolour(image: NDArray[np.uint8], alpha: NDArray[np.uint8], colour: Colour) -> NDArray[np.uint8]:
    """Change a region's colours as `colour` says.

    Args:
        image: RGB (H, W, 3).
        alpha: (H, W): how much of each pixel is the region. Where it is 0, nothing changes.
        colour: what is done.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: arguments that the filters do not have or accept, a region without surroundings, or means that
            no composite has.

    Example:
        >>> image, alpha = np.full((4, 4, 3), 100, np.uint8), np.zeros((4, 4), np.uint8)
        >>> alpha[1:3, 1:3] = 255
        >>> recolour(image, alpha, Colour("harmonizer", ("brightness",), "image", {"brightness": -0.5}))[1, :, 0]
        array([100,  50,  50, 100], dtype=uint8)
    """
    if colour.mode == "as_is":
        return image
    if colour.mode == "reinhard":
        moved = reinhard(image, alpha, surroundings(alpha)).astype(np.float64)
        return np.rint(image + colour.strength * (moved - image)).astype(np.uint8)
    chain = chain_of(colour)
    values = [colour.arguments[column] for column in chain.columns]
    scene = Scene(image, alpha)
    try:
        if colour.mode == "harmonizer":
            return np.asarray(apply_image(chain, scene, values), dtype=np.uint8)
        return np.asarray(scene.image_with(undo_region(chain, scene, values).values), dtype=np.uint8)
    except NotCompiled as error:
        raise ValueError(f"{colour.mode}: {dict(colour.arguments)}: {error}") from error


def chain_of(colour: Colour) -> FilterChain:
    """The chain whose arguments a colour has. Raises ValueError if it has others."""
    from synthharm.filters import FilterChain

    chain = FilterChain(list(colour.filters), colour.statistics)
    if set(colour.arguments) != set(chain.columns):
        raise ValueError(f"arguments are {sorted(colour.arguments)}; {sorted(chain.columns)} are accepted")
    return chain
