"""What is exported as ONNX is the network and the filters, for any number and size of images."""

from __future__ import annotations

import builtins
import json
import math
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from filter_cases import arguments, chains, law, make_masks
from full_size_scenes import make_harmonizer
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from synthharm.errors import SynthharmError
from synthharm.filters import FILTERS, FilterChain
from synthharm.harmonizer import export
from synthharm.harmonizer.export import Exported, export_onnx

# The modules that are exported


@given(st.data())
@law
def test_the_module_that_is_exported_is_the_chain(data: st.DataObject) -> None:
    chain, seed = data.draw(chains()), data.draw(st.integers(0, 999))
    composites = torch.rand(2, 3, 7, 9, generator=torch.Generator().manual_seed(seed))
    masks = make_masks(data.draw(st.sampled_from(["all", "soft", "binary", "one pixel"])), composites, seed)
    rows = data.draw(arguments(chain.parameters, composites))
    expected = chain.apply(composites, masks, rows)
    torch.testing.assert_close(export._Chain(chain)(composites, masks, rows), expected, rtol=0, atol=2e-5)


def test_cofactors_invert() -> None:
    matrices = torch.rand(20, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + torch.eye(3)
    for matrix in matrices:
        torch.testing.assert_close(export._invert(matrix), torch.linalg.inv(matrix), rtol=1e-9, atol=1e-9)


# Files


@pytest.mark.slow
def test_every_filter_is_exported_and_runs_elsewhere(tmp_path: Path) -> None:
    harmonizer = make_harmonizer(filters=tuple(FILTERS))
    found = export_onnx(harmonizer, tmp_path / "onnx")
    folder = tmp_path / "onnx"
    assert sorted(p.name for p in folder.iterdir()) == [
        "arguments.onnx",
        "chain.json",
        "chain.onnx",
        "export.json",
    ]
    assert 0 <= found.arguments <= 1e-4
    assert 0 <= found.images <= 1e-3
    record = json.loads((folder / "export.json").read_text())
    assert record["largest_difference"] == {"arguments": found.arguments, "images": found.images}
    settings = json.loads((folder / "chain.json").read_text())
    assert [entry["name"] for entry in settings["arguments"]] == list(harmonizer.chain.columns)
    assert settings["size"] == 64
    for name, inputs in (("arguments", 2), ("chain", 3)):
        data = (folder / f"{name}.onnx").read_bytes()
        onnx.checker.check_model(onnx.load_from_string(data))
        assert b".py" not in data  # where on a disk the code lay
        session = onnxruntime.InferenceSession(data)
        axes = [["batch", 3, "height", "width"], ["batch", 1, "height", "width"], ["batch", 41]]
        assert [node.name for node in session.get_inputs()] == ["composite", "mask", "arguments"][:inputs]
        assert [node.shape for node in session.get_inputs()][:2] == axes[:2]
    generator = torch.Generator().manual_seed(99)
    composite, mask = (torch.rand(2, c, 123, 77, generator=generator) for c in (3, 1))
    predict, apply = (onnxruntime.InferenceSession(folder / f"{n}.onnx") for n in ("arguments", "chain"))
    (rows,) = predict.run(None, {"composite": composite.numpy(), "mask": mask.numpy()})
    (image,) = apply.run(None, {"composite": composite.numpy(), "mask": mask.numpy(), "arguments": rows})
    with torch.no_grad():
        expected, expected_rows = harmonizer.harmonize(composite, mask)
    torch.testing.assert_close(torch.from_numpy(rows), expected_rows, rtol=0, atol=1e-4)
    torch.testing.assert_close(torch.from_numpy(image), expected, rtol=0, atol=1e-3)
    assert not torch.equal(expected, composite)


@pytest.mark.slow
def test_what_cannot_be_exported_is_named() -> None:
    def spectrum(images: Tensor, argument: Tensor, known: Tensor | None = None) -> Tensor:
        return torch.linalg.eigvalsh(images @ images.mT)[..., None] * argument.reshape(-1, 1, 1, 1)

    odd = replace(FILTERS["brightness"], name="spectrum", apply=spectrum)
    network = make_harmonizer(filters=("brightness",))
    given_ = export._example(network, 2, 8, 8, 0)
    with pytest.raises(SynthharmError, match="the filter 'spectrum' cannot be exported to ONNX: "):
        export._convert_chain(export._Chain(FilterChain([odd])), given_)


# Checks


class Session:
    """What stands for an exported file: torch itself, off by a little."""

    off = (0.0, 0.0)

    def __init__(self, data: bytes) -> None:
        self.is_chain = data == b"chain"
        self.network = make_harmonizer()

    def __call__(self, given_: dict[str, Tensor]) -> Tensor:
        composite, mask = given_["composite"], given_["mask"]
        if self.is_chain:
            return self.network.chain.apply(composite, mask, given_["arguments"]) + self.off[1]
        with torch.no_grad():
            return torch.clamp(self.network(composite, mask), self.network.low, self.network.high) + self.off[0]


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Converts nothing, which takes a minute."""
    monkeypatch.setattr(export, "_convert", lambda *_: b"arguments")
    monkeypatch.setattr(export, "_convert_chain", lambda *_: b"chain")
    monkeypatch.setattr(export, "_Session", Session)


@pytest.mark.usefixtures("converted")
@pytest.mark.parametrize(
    ("off", "said"),
    [
        ((2e-4, 0.0), "exported arguments differ by 0.0002 from what torch gives; 0.0001 is accepted"),
        ((0.0, 2e-3), "exported images differ by 0.002 from what torch gives; 0.001 is accepted"),
        ((math.nan, 0.0), "exported arguments differ by nan"),
        ((0.0, math.nan), "exported images differ by nan"),
    ],
)
def test_what_differs_is_not_written(
    off: tuple[float, float], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "off", off)
    with pytest.raises(SynthharmError, match=said):
        export_onnx(make_harmonizer(), tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


@pytest.mark.usefixtures("converted")
def test_a_small_difference_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "off", (5e-5, 5e-4))
    harmonizer = make_harmonizer()
    found = export_onnx(harmonizer, tmp_path / "onnx")
    assert found == Exported(pytest.approx(5e-5, rel=0.01), pytest.approx(5e-4, rel=0.01))
    record = json.loads((tmp_path / "onnx" / "export.json").read_text())
    assert record["largest_difference"] == {"arguments": found.arguments, "images": found.images}
    settings = json.loads((tmp_path / "onnx" / "chain.json").read_text())
    assert settings["filters"] == ["brightness", "contrast", "shadow"]
    expected = {"name": "contrast", "neutral": 0.0, "low": -1.0, "high": 1.0, "span": 0.5}
    assert settings["arguments"][1] == expected


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    for folder in (tmp_path, tmp_path / "a"):
        with pytest.raises(SynthharmError, match="is there already; a new or empty folder is accepted"):
            export_onnx(make_harmonizer(), folder)


def test_a_library_that_is_missing_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: object, **more: object) -> object:
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'")
        return usual(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SynthharmError, match=r"No module named 'onnxruntime'.*synthharm\[export\]"):
        export_onnx(make_harmonizer(), tmp_path / "onnx")
