"""A published checkpoint gives what the published implementation gives, whatever is in front of its keys."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from synthharm.errors import SynthharmError
from synthharm.filters import PAPER
from synthharm.harmonizer import Harmonizer, HarmonizerConfig, import_checkpoint
from synthharm.harmonizer.checkpoint import published_names

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def harmonizer() -> Harmonizer:
    """The published architecture with random weights, the normalization's statistics included."""
    torch.manual_seed(5)
    made = Harmonizer().eval()
    for name, value in made.state_dict().items():
        if "running" in name:
            value.uniform_(0.5, 1.5)
    return made


@pytest.fixture(scope="module")
def published(harmonizer: Harmonizer) -> State:
    """Its weights under their published names."""
    state = harmonizer.state_dict()
    return {name: state[own] for name, own in published_names(harmonizer).items()}


def saved(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


def test_the_published_outputs(shared: Path, tmp_path: Path) -> None:
    state = load_file(shared / "golden" / "harmonizer_state.safetensors")
    expected = load_file(shared / "golden" / "harmonizer_outputs.safetensors")
    harmonizer = import_checkpoint(saved(state, tmp_path / "harmonizer.pth"))
    composites, masks = expected["composites"].float() / 255, expected["masks"].float()
    with torch.no_grad():
        torch.testing.assert_close(harmonizer(composites, masks), expected["arguments"], rtol=0, atol=1e-4)
        images, arguments = harmonizer.harmonize(composites, masks)
        steps = list(harmonizer.chain.steps(composites, masks, arguments))
    assert len(steps) == len(expected["harmonized"]) == len(PAPER)
    for name, step, golden in zip(PAPER, steps, expected["harmonized"], strict=True):
        torch.testing.assert_close(step, golden, rtol=0, atol=1e-3, msg=lambda m, name=name: f"{name}: {m}")
    assert torch.equal(images, steps[-1])
    assert float(arguments.std(dim=0).min()) > 0.1


def test_every_tensor_has_one_published_name(harmonizer: Harmonizer) -> None:
    names = published_names(harmonizer)
    assert sorted(names.values()) == sorted(harmonizer.state_dict())
    assert sum(parameter.numel() for parameter in harmonizer.parameters()) == 4_726_882


def test_the_published_keys_and_shapes(shared: Path, published: State) -> None:
    golden = load_file(shared / "golden" / "harmonizer_state.safetensors")
    assert {name: value.shape for name, value in published.items()} == {n: v.shape for n, v in golden.items()}


@pytest.mark.parametrize(
    ("prefix", "dtype"),
    [("", torch.float16), ("module.", torch.float32), ("model.", torch.float16), ("module.model.", torch.float32)],
)
def test_prefixes_and_types_do_not_matter(
    prefix: str, dtype: torch.dtype, published: State, harmonizer: Harmonizer, tmp_path: Path
) -> None:
    state = {f"{prefix}{n}": v.to(dtype) if v.is_floating_point() else v for n, v in published.items()}
    read = import_checkpoint(saved(state, tmp_path / "checkpoint.pth"))
    assert (read.config, read.training) == (HarmonizerConfig(), False)
    for name, value in harmonizer.state_dict().items():
        expected = value.to(dtype).float() if value.is_floating_point() else value
        assert torch.equal(read.state_dict()[name], expected), name


def test_other_keys_are_all_listed(published: State, tmp_path: Path) -> None:
    state = {f"module.{name}": value for name, value in published.items()}
    state["module.regressor.h.weight"] = state.pop("module.regressor.g.weight")
    del state["module.backbone._blocks.7._bn0.running_var"]
    with pytest.raises(SynthharmError) as refusal:
        import_checkpoint(saved(state, tmp_path / "other.pth"))
    said = str(refusal.value)
    assert said.startswith(f"{tmp_path / 'other.pth'}: is not a checkpoint of the published Harmonizer: ")
    assert set(said.split("Harmonizer: ")[1].split("; ")) == {
        "regressor.g.weight is missing",
        "backbone._blocks.7._bn0.running_var is missing",
        "regressor.h.weight is unknown",
    }


def test_another_shape_is_refused(published: State, tmp_path: Path) -> None:
    state = published | {"regressor.f.bias": torch.zeros(161)}
    with pytest.raises(SynthharmError, match=r"regressor\.f\.bias has shape \(161,\), \(160,\) is accepted"):
        import_checkpoint(saved(state, tmp_path / "other.pth"))


def test_no_key_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match=r"conv_fg\.weight is missing"):
        import_checkpoint(saved({}, tmp_path / "empty.pth"))


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3, "state_dict": {}}, 7])
def test_what_holds_something_else_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match=r"other\.pth: holds .*a dictionary of tensors by name is accepted"):
        import_checkpoint(saved(content, tmp_path / "other.pth"))


def test_what_cannot_be_read_is_refused(published: State, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    with pytest.raises(SynthharmError, match=r"other\.pth: cannot be read"):
        import_checkpoint(path)
    whole = saved(published, path).read_bytes()
    for data in (b"", b"no checkpoint", whole[:5000], whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(SynthharmError, match=r"other\.pth: cannot be read"):
            import_checkpoint(path)


class Trap:
    """What runs code when it is unpickled by a reader that lets it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("sprung"),)  # type: ignore[return-value]


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SynthharmError, match="cannot be read"):
        import_checkpoint(saved({"weights": Trap()}, tmp_path / "trap.pth"))
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"." * 9,  # ends before anything is there
        b"(S'a'\n.",
        b"cposix\nsystem\n(S'touch sprung'\ntR.",  # in a protocol that torch warns of
        b"a.",
        b"]" * 5000 + b".",
        b"\x8a\xffabc.",
    ],
)
def test_a_pickle_is_refused_in_whatever_way_its_reader_stumbles(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.pth").write_bytes(data)
    with pytest.raises(SynthharmError, match=r"other\.pth: cannot be read"):
        import_checkpoint(tmp_path / "other.pth")
    assert not Path("sprung").exists()


def test_an_archive_that_is_packed_is_refused(tmp_path: Path) -> None:
    """A few kilobytes of one can stand for more than memory holds."""
    stored = saved({"a": torch.zeros(100_000)}, tmp_path / "stored.pth")
    with zipfile.ZipFile(stored) as archive, zipfile.ZipFile(tmp_path / "packed.pth", "w") as packed:
        for member in archive.infolist():
            packed.writestr(member.filename, archive.read(member), compress_type=zipfile.ZIP_DEFLATED)
    with pytest.raises(SynthharmError, match=r"packed\.pth: cannot be read .* is packed"):
        import_checkpoint(tmp_path / "packed.pth")


@pytest.mark.parametrize(
    "change",
    [
        lambda tensor: tensor.to_sparse(),
        lambda tensor: tensor.to(torch.complex64),
        lambda tensor: tensor.to("meta"),
    ],
    ids=["sparse", "complex", "without values"],
)
def test_a_tensor_of_another_sort_is_refused(
    change: Callable[[Tensor], Tensor], published: State, tmp_path: Path
) -> None:
    state = published | {"regressor.f.bias": change(published["regressor.f.bias"])}
    with pytest.raises(SynthharmError, match=r"regressor\.f\.bias is no plain real tensor"):
        import_checkpoint(saved(state, tmp_path / "other.pth"))
