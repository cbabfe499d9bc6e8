"""Removing a region: it is filled in from what lies around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites.manipulation.edits import Inpainting

METHODS = {"telea": cv2.INPAINT_TELEA, "navier_stokes": cv2.INPAINT_NS}
MARGIN = 4  # pixels beyond twice the radius: what the filling looks at, and its gradients


def remove(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], dilation: int, method: Inpainting, radius: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Fill in a region with OpenCV's inpainting.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: the region, uint8 (H, W), wherever it is above 0.
        dilation: how far the filled area goes beyond it, in pixels, by an ellipse.
        method: "telea" (An Image Inpainting Technique Based on the Fast Marching Method, 2004) or "navier_stokes"
            (Bertalmio et al., Navier-Stokes, Fluid Dynamics, and Image and Video Inpainting, 2001).
        radius: of the neighbourhood that it looks at, in pixels, from 1 on.

    Returns:
        The image, and the mask of what was filled, 0 or 255: outside of it every byte is as it was.

    Raises:
        ValueError: sizes that differ, an empty mask, nothing left outside of the dilated one, or arguments out of
            range.

    Example:
        >>> image, mask = np.full((20, 20, 3), 80, np.uint8), np.zeros((20, 20), np.uint8)
        >>> image[8:12, 8:12], mask[8:12, 8:12] = 200, 255
        >>> filled, changed = remove(image, mask, 1, "telea", 3)
        >>> bool(filled.max() < 100), int((changed > 0).sum())
        (True, 32)
    """
    _check(image, mask, dilation, method, radius)
    changed = np.where(mask > 0, np.uint8(255), np.uint8(0))
    if dilation:
        side = 2 * dilation + 1
        changed = cv2.dilate(changed, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    if changed.all():
        raise ValueError(
            f"the mask dilated by {dilation} pixels covers the whole image; nothing is left around it"
        )
    margin = 2 * radius + MARGIN
    window = []
    for axis in (1, 0):
        places = np.flatnonzero(changed.any(axis=axis))
        window.append(slice(max(0, int(places[0]) - margin), int(places[-1]) + 1 + margin))
    rows, columns = window
    within = changed[rows, columns]
    filled = cv2.inpaint(np.ascontiguousarray(image[rows, columns]), within, radius, METHODS[method])
    result = image.copy()
    result[rows, columns] = np.where(within[..., None] > 0, filled, image[rows, columns])
    return result, np.asarray(changed, dtype=np.uint8)


def _check(
    image: NDArray[np.uint8], mask: NDArray[np.uint8], dilation: int, method: Inpainting, radius: int
) -> None:
    if image.shape[:2] != mask.shape:
        raise ValueError(f"the mask is {mask.shape}; accepted is its image's size, {image.shape[:2]}")
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; accepted are {', '.join(METHODS)}")
    if dilation < 0:
        raise ValueError(f"dilation is {dilation}; accepted is a number of pixels from 0 on")
    if radius < 1:
        raise ValueError(f"radius is {radius}; accepted is a number of pixels from 1 on")
    if not mask.any():
        raise ValueError("the mask is empty: there is nothing to remove")
