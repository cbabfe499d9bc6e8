"""Small regions are computed in float64: compiled chains then give the reference's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from synthharm.filters import FILTERS, PAPER, FilterChain
from synthharm.filters.fused import Scene, apply_region, undo_region

SIDES = (-1.0, -0.3, 0.3, 1.0)


def case(values: list[float], soft: bool = False) -> tuple[Scene, tuple[Tensor, Tensor, Tensor]]:
    """Noise with black, white and grey in it, and a region of a third; also as the reference takes them."""
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (13, 17, 3), np.uint8)
    image[4:6, 3:9] = [[[0, 0, 0], [255, 255, 255], [90, 90, 90], [255, 0, 0], [0, 255, 255], [0, 0, 7]]]
    mask = np.zeros((13, 17), np.uint8)
    mask[2:11, 2:11] = 255
    if soft:
        mask[2:11, 8:11] = rng.integers(1, 255, (9, 3))
    real = torch.from_numpy(image / 255.0).permute(2, 0, 1)[None]
    row = torch.tensor([values], dtype=torch.float64)
    return Scene(image, mask), (real, torch.from_numpy(mask / 255.0)[None, None], row)


def inside(images: Tensor, scene: Scene) -> np.ndarray:
    pixels: np.ndarray = images[0].numpy()[:, scene.mask > 0]
    return pixels


@pytest.mark.parametrize("statistics", ["image", "foreground"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", FILTERS)
def test_each_filter_is_computed_to_the_digit(name: str, side: float, statistics: str) -> None:
    chain = FilterChain([name], statistics)  # type: ignore[arg-type]
    signs = [1.0 if i % 2 else -1.0 for i in range(len(chain.parameters))]
    values = [p.neutral + s * side * p.span for p, s in zip(chain.parameters, signs, strict=True)]
    scene, given = case(values)
    np.testing.assert_allclose(
        apply_region(chain, scene, values), inside(chain.apply(*given), scene), rtol=0, atol=1e-9
    )
    undone, inverse = undo_region(chain, scene, values), chain.invert(*given)
    kept = inverse.recoverable[0, 0].numpy()[scene.mask > 0]
    assert (undone.recoverable == kept).mean() > 0.98
    both = kept & undone.recoverable
    np.testing.assert_allclose(
        undone.values[:, both], inside(inverse.composites, scene)[:, both], rtol=0, atol=1e-7
    )


@pytest.mark.parametrize("statistics", ["image", "foreground"])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("filters", [PAPER, ("hue", "contrast", "shading", "temperature", "gamma")])
def test_chains_are_computed_to_the_digit(filters: tuple[str, ...], soft: bool, statistics: str) -> None:
    chain = FilterChain(filters, statistics)  # type: ignore[arg-type]
    shares = [0.2, -0.3, 0.4, -0.25, 0.3, -0.2, 0.15][: len(chain.parameters)]
    values = [p.neutral + share * p.span for p, share in zip(chain.parameters, shares, strict=True)]
    scene, given = case(values, soft)
    np.testing.assert_allclose(
        apply_region(chain, scene, values), inside(chain.apply(*given), scene), rtol=0, atol=1e-9
    )
    undone, inverse = undo_region(chain, scene, values), chain.invert(*given)
    both = inverse.recoverable[0, 0].numpy()[scene.mask > 0] & undone.recoverable
    assert both.mean() > 0.3
    # Means differ by pixels at soft edges that no composite harmonizes to: both then give the nearest.
    tolerance = 1e-4 if soft else 1e-6
    np.testing.assert_allclose(
        undone.values[:, both], inside(inverse.composites, scene)[:, both], rtol=0, atol=tolerance
    )
