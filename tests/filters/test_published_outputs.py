"""Parity with what the published implementation computes, in float32."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from synthharm.filters import FILTERS, PAPER, FilterChain


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Tensor]:
    """Images, arguments, masks and the published outputs."""
    tensors: dict[str, Tensor] = load_file(shared / "golden" / "filters.safetensors")
    assert tensors["images"].dtype == torch.uint8
    return tensors


@pytest.mark.parametrize("name", PAPER)
def test_each_filter(name: str, golden: dict[str, Tensor]) -> None:
    images = golden["images"].float() / 255
    arguments, outputs = golden[f"{name}.arguments"], golden[f"{name}.outputs"]
    assert len(arguments) == len(outputs) >= 8
    assert float(arguments.min()) < 0 < float(arguments.max())
    for argument, expected in zip(arguments, outputs, strict=True):
        changed = FILTERS[name].apply(images, argument.expand(len(images)), None)
        torch.testing.assert_close(changed, expected, rtol=0, atol=2e-6)


def test_each_step_of_the_chain(golden: dict[str, Tensor]) -> None:
    images, mask = golden["images"].float() / 255, golden["chain.mask"].float()
    steps = list(FilterChain.paper().steps(images, mask, golden["chain.arguments"]))
    assert len(steps) == len(golden["chain.outputs"]) == len(PAPER)
    for name, step, expected in zip(PAPER, steps, golden["chain.outputs"], strict=True):
        torch.testing.assert_close(step, expected, rtol=0, atol=1e-5, msg=lambda m, name=name: f"{name}: {m}")


def test_what_was_published_is_undone(golden: dict[str, Tensor]) -> None:
    """The inverse leads back to composites that the published chain harmonizes to the real images."""
    chain = FilterChain.paper()
    real, mask = golden["images"].float() / 255, golden["chain.mask"].float()
    values = golden["chain.arguments"] / 2
    inverse = chain.invert(real, mask, values)
    error = (chain.apply(inverse.composites, mask, values) - real).abs()
    assert float((error * inverse.recoverable).max()) <= 5e-4
    assert float(inverse.recoverable.sum() / mask.sum()) > 0.5
