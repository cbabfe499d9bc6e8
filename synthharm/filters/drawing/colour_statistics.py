"""The colours of a region in six numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ColourStatistics:
    """The channel means and standard deviations of a region, on [0, 1].

    Args:
        means: of red, green and blue.
        deviations: of the same.
    """

    means: tuple[float, float, float]
    deviations: tuple[float, float, float]

    @classmethod
    def of(cls, image: NDArray[np.uint8], mask: NDArray[np.bool_] | NDArray[np.uint8]) -> ColourStatistics:
        """Measure the pixels of an image uint8 (H, W, 3) inside a mask (H, W), bool or uint8, where it is not 0.

        Raises:
            ValueError: another shape or type, or an empty mask.

        Example:
            >>> image = np.full((4, 4, 3), (51, 102, 204), np.uint8)
            >>> measured = ColourStatistics.of(image, np.ones((4, 4), bool))
            >>> [round(mean, 6) for mean in measured.means]
            [0.2, 0.4, 0.8]
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"the image is {image.dtype} {image.shape}; uint8 (H, W, 3) is accepted")
        if mask.shape != image.shape[:2] or mask.dtype not in (np.bool_, np.uint8):
            raise ValueError(f"the mask is {mask.dtype} {mask.shape}; bool or uint8 {image.shape[:2]} is accepted")
        inside = image[mask > 0] / 255
        if not len(inside):
            raise ValueError("the mask is empty; a region of at least one pixel is accepted")
        red, green, blue = (float(mean) for mean in inside.mean(axis=0))
        spreads = tuple(float(deviation) for deviation in inside.std(axis=0))
        return cls((red, green, blue), (spreads[0], spreads[1], spreads[2]))
