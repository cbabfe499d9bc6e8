"""What the benchmarks compare is the same thing, and their results can be drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthharm.filters import FilterChain

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
SPANS = [parameter.span for parameter in FilterChain.paper().parameters]


def load(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        return import_module(name)


naive, chain, operations = load("naive"), load("chain"), load("operations")

arguments = st.tuples(*(st.floats(-span, span) for span in SPANS))
seeds = st.integers(0, 2**32)


def scene(seed: int, low: float = 0.0, high: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """An image (9, 11, 3) and a mask, and at times one of everything."""
    generator = np.random.default_rng(seed)
    mask = generator.random((9, 11)) < generator.choice([0.3, 1])
    mask[0, 0] = True
    return generator.uniform(low, high, (9, 11, 3)), mask


def tensors(image: np.ndarray, mask: np.ndarray, values: tuple[float, ...]) -> tuple[torch.Tensor, ...]:
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous()
    return pixels, torch.from_numpy(mask)[None, None].double(), torch.tensor([values], dtype=torch.float64)


@settings(deadline=None)
@given(seeds, arguments)
def test_the_naive_chain_is_the_reference(seed: int, values: tuple[float, ...]) -> None:
    image, mask = scene(seed)
    expected = FilterChain.paper().apply(*tensors(image, mask, values))[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(naive.harmonize(image, mask, values), expected, atol=1e-9)


@settings(deadline=None)
@given(seeds, arguments)
def test_the_naive_inverse_is_the_reference(seed: int, values: tuple[float, ...]) -> None:
    image, mask = scene(seed, 0.4, 0.6)
    values = tuple(value / 4 for value in values)
    expected = FilterChain.paper().invert(*tensors(image, mask, values))
    composite, recoverable = naive.undo(image, mask, values)
    np.testing.assert_array_equal(recoverable, expected.recoverable[0, 0].numpy())
    np.testing.assert_allclose(composite, expected.composites[0].permute(1, 2, 0).numpy(), atol=1e-6)
    assert recoverable[mask].all()
    np.testing.assert_allclose(naive.harmonize(composite, mask, values), image, atol=1e-6)


@settings(deadline=None)
@given(st.sampled_from(operations.OPERATIONS), seeds)
def test_each_operation_has_the_formula_of_its_filter(operation: Any, seed: int) -> None:
    image, _ = scene(seed)
    for argument in (0.0, *operation.arguments):
        given_all = tensors(image, np.ones(image.shape[:2]), (argument,))
        expected = FilterChain([operation.filter]).apply(*given_all)[0].permute(1, 2, 0).numpy()
        found = np.clip(operation.mine(image, operation.parameters(argument)), 0, 1)
        np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.fixture(scope="module")
def cases() -> list:
    photo = np.random.default_rng(0).integers(60, 190, (48, 64, 3), np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "HEIGHT", 48)
        patch.setattr(chain, "WIDTH", 64)
        return [chain.draw_case("noise", photo, region, 0) for region in chain.REGIONS]


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_masks_cover_the_share_that_they_are_said_to(share: float) -> None:
    assert (chain.mask_of(share) == 255).mean() == pytest.approx(share, abs=1e-3)


def test_all_rivals_of_a_chain_give_the_same_within_a_level(cases: list) -> None:
    for case in cases:
        image, recoverable = chain.reference_undo(case, torch.float64)
        for undo in chain.UNDO.values():
            found, mine = undo(case)
            assert (mine == recoverable).mean() > 0.995
            both = (mine & recoverable) | (case.mask == 0)
            assert np.abs(found[both].astype(int) - image[both]).max() <= 1
        harmonized = chain.reference_apply(case, torch.float64).astype(int)
        for apply in chain.APPLY.values():
            assert np.abs(apply(case) - harmonized).max() <= 1


def test_every_result_can_be_drawn(tmp_path: Path, cases: list, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    plots, end_to_end = load("plots"), load("end_to_end")
    rows = [chain.measure(case, direction, 1) for case in cases for direction in chain.DIRECTIONS]
    photos = {"noise": cases[0].real}
    row = {
        "samples_per_second": dict.fromkeys(end_to_end.TURNS, 9.0),
        "one_job_of_floor": {"median": 0.7},
        "two_jobs_of_one": {"median": 1.8},
        "two_dask_workers_of_one_job": {"median": 1.7},
        "shares": dict.fromkeys([*end_to_end.SHARES, "all else"], 1 / (len(end_to_end.SHARES) + 1)),
    }
    timed = {"ms": 2.0, "ms in a row": 1.0}
    made = {
        "chain": {"summary": chain.summarize(rows)},
        "operations": {
            "rows": [
                row
                for operation in operations.OPERATIONS
                for row in operations.measure(replace(operation, rivals=()), photos, 1)
            ]
        },
        "gpu": {
            "device": "a device",
            "images": [1, 3, 4, 4],
            "times": {
                "a fifth": {"bytes": 9, "compiled": timed, "reference": {"failed": "why"}},
                "all": {"compiled": timed, "reference": timed},
            },
        },
        "end_to_end": {"formats": dict.fromkeys(end_to_end.FORMATS, row)},
    }
    committed = {file.stem: json.loads(file.read_bytes()) for file in (FOLDER / "results").glob("*.json")}
    for name, result in (committed | made).items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    monkeypatch.setattr("sys.argv", ["plots.py", "--results", str(tmp_path)])
    plots.main()
    drawn = {file.stem for file in tmp_path.glob("*.png")}
    assert drawn == plots.PLOTS.keys() & (committed | made).keys()
    assert drawn >= made.keys()
