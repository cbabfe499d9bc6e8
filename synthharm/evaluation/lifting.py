"""Polynomial colour mapping: what a method did to a small image, as a map of colours that runs on a large one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

ORDERS = (2, 3)
NEGLIGIBLE = 1e-6  # of the largest singular value: directions of colour below it are rounding, and stay unfitted
BLOCK = 2**17  # pixels that are mapped at a time


@dataclass(frozen=True)
class ColourMap:
    """A polynomial of a colour's three channels for each channel of its result.

    With d = colour - centre, the result is colour + terms(d) @ weights. Its terms are all products of at most
    `order` channels, the empty product included. Of order 2: 1, r, g, b, r², rg, rb, g², gb, b², which are 10;
    of order 3 the ten of degree three besides. Any polynomial of that order can be written in this way.

    Args:
        order: 2 or 3.
        centre: (3,), the colour around which the terms are taken.
        weights: (10 or 20, 3).
    """

    order: int
    centre: NDArray[np.float64]
    weights: NDArray[np.float64]

    def apply(self, colours: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map colours (P, 3) in [0, 1] to (P, 3), which are not clipped."""
        mapped = np.array(colours, dtype=np.float64)
        for block in _blocks(len(mapped)):
            mapped[block] += _terms(mapped[block] - self.centre, self.order) @ self.weights
        return mapped


def fit_colour_map(before: NDArray[np.float64], after: NDArray[np.float64], order: int) -> ColourMap:
    """The map of colours that is nearest, in squared error, to what became of some.

    What is fitted is the change. Where the colours leave a choice, as few pixels or a single colour do, the map of
    the least weights is taken: what is unknown stays as it is, and a single colour's change is everybody's.

    Args:
        before: (P, 3) in [0, 1], one pixel at least.
        after: (P, 3), what became of them.
        order: 2 or 3.

    Raises:
        ValueError: other shapes, no pixel, or another order.

    Source:
        Hong et al., A study of digital camera colorimetric characterization based on polynomial modeling, 2001:
        these are its polynomials, not the root-polynomials of Finlayson et al., 2015.

    Example:
        >>> before = np.random.default_rng(0).uniform(0, 1, (50, 3))
        >>> found = fit_colour_map(before, 0.1 + before**2, 2)
        >>> bool(np.allclose(found.apply(np.array([[0.5, 0.2, 0.0]])), [0.35, 0.14, 0.1]))
        True
    """
    if order not in ORDERS:
        raise ValueError(f"order is {order}; 2 or 3 is accepted")
    if before.ndim != 2 or before.shape[1] != 3 or before.shape != after.shape or not len(before):
        raise ValueError(
            f"colours have shapes {before.shape} and {after.shape}; equal ones (P, 3), P from 1 on, are accepted"
        )
    colours = np.asarray(before, dtype=np.float64)
    centre = colours.mean(axis=0)
    terms = _terms(colours - centre, order)
    weights = np.linalg.lstsq(terms, after - colours, rcond=NEGLIGIBLE)[0]
    return ColourMap(order, centre, np.asarray(weights, dtype=np.float64))


def _terms(colours: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """The products of at most `order` channels of colours (P, 3): (P, terms)."""
    terms = np.ones((len(colours), sum(1 for _ in _products(order))))
    for place, channels in enumerate(_products(order)):
        for channel in channels:
            terms[:, place] *= colours[:, channel]
    return terms


def _products(order: int) -> Iterator[tuple[int, ...]]:
    for degree in range(order + 1):
        yield from combinations_with_replacement(range(3), degree)


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, BLOCK):
        yield slice(start, start + BLOCK)
