"""The kernels that solve for means on a GPU, where nothing counts and where little is known.

As with `test_fused_gpu.py`, what needs a GPU runs in Triton's interpreter without one, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from synthharm.filters import FilterChain
from synthharm.filters.fused.gpu.lowering import LoweredBatch, lower_batch

pytest.importorskip("triton", reason="needs Triton, which comes with torch on Linux")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = torch.device("cpu" if INTERPRETED else "cuda")
on_device = pytest.mark.skipif(
    not (INTERPRETED or torch.cuda.is_available()),
    reason="needs a CUDA device; without one `test_all_laws_hold_in_the_interpreter` runs this",
)


@pytest.mark.skipif(INTERPRETED, reason="this is the process that it starts")
@pytest.mark.slow
def test_all_laws_hold_in_the_interpreter() -> None:
    names = {"PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"}
    environment = {k: v for k, v in os.environ.items() if k not in names} | {"TRITON_INTERPRET": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


def lowered_batch(inverse: bool) -> LoweredBatch:
    return lower_batch(FilterChain(["contrast"]), torch.tensor([[-0.5], [-0.5]]), DEVICE, inverse=inverse)


def partials(weights: list[float]) -> Tensor:
    """What two images add up to: means of 0.2, 0.3 and 0.4 where anything counts."""
    made = torch.zeros(2, 8, 1)
    for image, weight in enumerate(weights):
        made[image, [0, 1, 2, 7], 0] = torch.tensor([0.2, 0.3, 0.4, 1.0]) * weight
    return made.to(DEVICE)


@on_device
def test_means_of_nothing_are_a_half() -> None:
    from synthharm.filters.fused.gpu import kernels

    lowered, means = lowered_batch(False), torch.zeros(2, 8, dtype=torch.float64, device=DEVICE)
    given = lowered.numbers, lowered.needing, lowered.strengths, 1, lowered.length, 0
    kernels.take_means[(2,)](partials([0.0, 5.0]), means, *given, COUNT=1, enable_fp_fusion=True)
    assert means[0].tolist() == [0.5] * 3 + [0.0] * 5
    assert means[1].tolist() == pytest.approx([0.2, 0.3, 0.4] + [0.0] * 5)
    for image, tone in enumerate((0.5, 0.3)):  # 0.5 v + tone / 2
        line = lowered.numbers[image, 1, :, :2]
        assert line.flatten().tolist() == pytest.approx([0.5, tone / 2] * 3)


@on_device
@pytest.mark.parametrize("secant", [False, True])
def test_a_step_goes_to_the_means_that_were_measured_and_ends_where_nothing_counts(secant: bool) -> None:
    """With the inverse Jacobian of a fixed-point step; before anything was moved, a secant tells nothing."""
    from synthharm.filters.fused.gpu import kernels
    from synthharm.filters.fused.gpu.passes import Solve

    lowered, solve = lowered_batch(True), Solve.of(2, DEVICE, inverse=True)
    solve.means[:, :3] = 0.5
    kernels.improve_means[(2,)](
        partials([0.0, 5.0]),
        solve.means,
        solve.values,
        solve.moves,
        solve.inverses,
        solve.done,
        lowered.numbers,
        lowered.needing,
        lowered.strengths,
        1,
        lowered.length,
        1e-6,
        SECANT=secant,
        COUNT=1,
        enable_fp_fusion=True,
    )
    assert solve.done.tolist() == [1, 0]
    assert solve.means[0].tolist() == [0.5] * 3 + [0.0] * 5
    assert solve.means[1].tolist() == pytest.approx([0.2, 0.3, 0.4] + [0.0] * 5)
    assert solve.moves[1].tolist() == pytest.approx([-0.3, -0.2, -0.1] + [0.0] * 5)
    assert solve.values[1].tolist() == pytest.approx([-0.3, -0.2, -0.1] + [0.0] * 5)
    torch.testing.assert_close(solve.inverses[1].cpu(), -torch.eye(8, dtype=torch.float64))
