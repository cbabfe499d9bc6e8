"""What a harmonizer predicts, what it changes, and that it is stored whole."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from synthharm.errors import SynthharmError
from synthharm.filters import FilterChain
from synthharm.harmonizer import Harmonizer, HarmonizerConfig
from synthharm.harmonizer.network import Cascade, Stems

SMALL = HarmonizerConfig("test_efficientnet", size=64)
MANY = ("exposure", "lift_gamma_gain", "white_balance", "shadow")  # 1, 9, 2 and 1 arguments


def made(config: HarmonizerConfig = SMALL, seed: int = 0) -> Harmonizer:
    """A network with random weights that tells images apart: its normalization has seen some."""
    torch.manual_seed(seed)
    harmonizer = Harmonizer(config).train()
    for module in harmonizer.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        harmonizer(*scene(8, seed=seed + 1))
    return harmonizer.eval()


def scene(count: int = 2, height: int = 40, width: int = 56, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Composites, each of a colour of its own, and masks whose rims are soft."""
    generator = torch.Generator().manual_seed(seed)
    colour = torch.rand(count, 3, 1, 1, generator=generator)
    composite = (torch.rand(count, 3, height, width, generator=generator) + colour) / 2
    mask = torch.zeros(count, 1, height, width)
    mask[..., 8:30, 10:40] = 0.5
    mask[..., 10:28, 12:38] = 1
    return composite, mask


@pytest.fixture(scope="module")
def small() -> Harmonizer:
    harmonizer = made()
    with torch.no_grad():
        assert float(harmonizer(*scene(4)).std(dim=0).min()) > 0.01
    return harmonizer


# The stems


@pytest.mark.parametrize("encoder", ["test_efficientnet", "tf_efficientnet_b0", "mobilenetv3_small_050"])
def test_stems_that_do_not_look_at_the_mask_are_the_encoders_own_first_layer(encoder: str) -> None:
    own = timm.create_model(encoder, num_classes=0)
    for value in (own.bn1.weight, own.bn1.bias, own.bn1.running_mean):
        nn.init.uniform_(value, 0.5, 2)
    stems = Stems(own.conv_stem, own.bn1).eval()
    nn.init.zeros_(stems.foreground.conv.weight[:, 3:])
    nn.init.zeros_(stems.background.conv.weight[:, 3:])
    composite, mask = scene()
    with torch.no_grad():
        expected = own.eval().bn1(own.conv_stem(composite))
        torch.testing.assert_close(stems(torch.cat([composite, mask], dim=1)), expected, rtol=0, atol=1e-6)


def test_one_stem_sees_the_mask_and_the_other_its_inverse() -> None:
    stems = made().encoder.conv_stem
    stems.background.load_state_dict(stems.foreground.state_dict())
    composite, mask = scene()
    with torch.no_grad():
        foreground, background = stems(torch.cat([composite, mask], dim=1)).chunk(2, dim=1)
        exchanged = stems(torch.cat([composite, 1 - mask], dim=1)).chunk(2, dim=1)
    assert not torch.equal(foreground, background)
    assert torch.equal(exchanged[0], background)
    torch.testing.assert_close(exchanged[1], foreground, rtol=0, atol=1e-6)


# Prediction


@pytest.mark.parametrize("encoder", ["test_efficientnet", "test_vit", "test_resnet", "efficientnet_b3_gn"])
@pytest.mark.parametrize("cascade", [True, False])
def test_any_encoder_and_any_chain_will_do(encoder: str, cascade: bool) -> None:
    harmonizer = made(HarmonizerConfig(encoder, MANY, "foreground", size=64, cascade=cascade))
    composite, mask = scene()
    with torch.no_grad():
        arguments = harmonizer(composite, mask)
        image, applied = harmonizer.harmonize(composite, mask)
    assert arguments.shape == applied.shape == (2, len(harmonizer.chain.columns)) == (2, 13)
    assert harmonizer.chain == FilterChain(MANY, "foreground")
    assert image.shape == composite.shape
    assert not torch.equal(arguments[0], arguments[1])


def test_an_image_is_predicted_by_itself(small: Harmonizer) -> None:
    composite, mask = scene(3)
    with torch.no_grad():
        together = small(composite, mask)
        alone = torch.cat([small(c[None], m[None]) for c, m in zip(composite, mask, strict=True)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@settings(max_examples=10)
@given(height=st.integers(1, 150), width=st.integers(1, 150))
def test_only_what_is_seen_counts_and_not_its_size(small: Harmonizer, height: int, width: int) -> None:
    colour = torch.tensor([0.2, 0.5, 0.7]).reshape(1, 3, 1, 1)
    with torch.no_grad():
        expected = small(colour.expand(1, 3, 64, 64), torch.full((1, 1, 64, 64), 0.25))
        found = small(colour.expand(1, 3, height, width), torch.full((1, 1, height, width), 0.25))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_image_and_mask_both_count(small: Harmonizer) -> None:
    composite, mask = scene()
    with torch.no_grad():
        arguments = small(composite, mask)
        assert not torch.allclose(arguments, small(composite.flip(1), mask), atol=1e-2)
        assert not torch.allclose(arguments, small(composite, 1 - mask), atol=1e-2)


@pytest.mark.parametrize("k", range(4))
def test_in_a_cascade_a_filter_acts_on_those_after_it(k: int) -> None:
    torch.manual_seed(0)
    counts = [2, 1, 3, 1]
    cascade, features = Cascade(12, counts), torch.rand(5, 12)
    first = sum(counts[:k])
    before = cascade(features)
    nn.init.normal_(cascade.heads[k].weight)
    changed = (cascade(features) != before).all(dim=0)
    assert changed.tolist() == [first <= column < first + counts[k] for column in range(7)]
    before = cascade(features)
    nn.init.normal_(cascade.steps[k].weight)
    changed = (cascade(features) != before).all(dim=0)
    assert changed.tolist() == [column >= first for column in range(7)]


def test_every_weight_learns() -> None:
    for cascade in (True, False):
        harmonizer = made(replace(SMALL, cascade=cascade)).train()
        composite, mask = scene()
        image, _ = harmonizer.harmonize(composite.requires_grad_(), mask)
        (image - 0.5).square().mean().backward()
        assert composite.grad is not None
        still = [name for name, p in harmonizer.named_parameters() if p.grad is None or not p.grad.any()]
        assert still == []


def test_a_copy_predicts_the_same(small: Harmonizer) -> None:
    composite, mask = scene()
    with torch.no_grad():
        assert torch.equal(copy.deepcopy(small)(composite, mask), small(composite, mask))


# Harmonizing


def test_nothing_changes_outside_the_mask(small: Harmonizer) -> None:
    composite, mask = scene()
    with torch.no_grad():
        image, arguments = small.harmonize(composite, mask)
    outside = (mask == 0).expand_as(composite)
    assert torch.equal(image[outside], composite[outside])
    assert not torch.allclose(image[~outside], composite[~outside], atol=1e-3)
    assert torch.equal(image, small.chain.apply(composite, mask, arguments))


@pytest.mark.parametrize("sign", [-1, 1])
def test_arguments_are_limited_to_what_the_filters_accept(sign: int) -> None:
    harmonizer = made(replace(SMALL, filters=MANY, cascade=False))
    nn.init.constant_(harmonizer.regressor.bias, 100.0 * sign)  # type: ignore[arg-type]
    composite, mask = scene()
    with torch.no_grad():
        assert float(harmonizer(composite, mask).abs().min()) > 50
        _, arguments = harmonizer.harmonize(composite, mask)
    ends = [parameter.high if sign > 0 else parameter.low for parameter in harmonizer.chain.parameters]
    assert torch.equal(arguments, torch.tensor([ends, ends]))


def test_a_regressor_that_says_nothing_changes_nothing() -> None:
    harmonizer = made(replace(SMALL, filters=MANY, cascade=False))
    for parameter in harmonizer.regressor.parameters():
        nn.init.zeros_(parameter)
    composite, mask = scene()
    with torch.no_grad():
        image, arguments = harmonizer.harmonize(composite, mask)
    assert torch.equal(arguments, torch.tensor([[p.neutral for p in harmonizer.chain.parameters]] * 2))
    torch.testing.assert_close(image, composite, rtol=0, atol=1e-5)


# Refusals


@pytest.mark.parametrize(
    ("composite", "mask"),
    [
        ((3, 8, 8), (1, 8, 8)),
        ((1, 4, 8, 8), (1, 1, 8, 8)),
        ((2, 3, 8, 8), (1, 1, 8, 8)),
        ((1, 3, 8, 8), (1, 1, 8, 9)),
    ],
)
def test_other_shapes_are_refused(small: Harmonizer, composite: tuple[int, ...], mask: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"have shape \(.*\) is accepted"):
        small(torch.zeros(composite), torch.zeros(mask))


def test_other_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="size is 31; 32 or more"):
        HarmonizerConfig(size=31)
    with pytest.raises(ValueError, match="did you mean 'shadow'"):
        HarmonizerConfig(filters=("shadows",))
    with pytest.raises(ValueError, match="statistics is 'pixels'"):
        HarmonizerConfig(statistics="pixels")  # type: ignore[arg-type]
    with pytest.raises(SynthharmError, match=r"timm has no encoder 'efficientnet_b'; near are .*efficientnet_b"):
        Harmonizer(HarmonizerConfig("efficientnet_b"))


@pytest.mark.parametrize("encoder", ["tf_efficientnet_b0", "resnet18"])
def test_pretrained_weights_that_cannot_be_had_are_named(encoder: str) -> None:
    with pytest.raises(SynthharmError, match=rf"encoder {encoder} cannot be had: .*pretrained=False"):
        Harmonizer(HarmonizerConfig(encoder, pretrained=True))


# Storing


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        HarmonizerConfig("test_resnet", MANY, "foreground", size=96, cascade=False),
    ],
)
def test_what_is_saved_is_what_is_read(config: HarmonizerConfig, tmp_path: Path) -> None:
    harmonizer = made(config, seed=3)
    with torch.no_grad():
        harmonizer.train()(*scene())  # the statistics of the normalization are weights too
    harmonizer.eval().save_pretrained(tmp_path / "first")
    read = Harmonizer.from_pretrained(tmp_path / "first")
    assert read.config == config
    assert not read.training
    assert list(read.state_dict()) == list(harmonizer.state_dict())
    assert all(torch.equal(value, read.state_dict()[name]) for name, value in harmonizer.state_dict().items())
    read.save_pretrained(tmp_path / "second")
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == ["config.json", "model.safetensors"]
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.fixture
def stored(small: Harmonizer, tmp_path: Path) -> Path:
    small.save_pretrained(tmp_path)
    return tmp_path


def test_a_repository_of_the_hub_is_read(stored: Path, small: Harmonizer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(hub_id: str, allow_patterns: list[str]) -> str:
        asked.append((hub_id, sorted(allow_patterns)))
        return str(stored)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    read = Harmonizer.from_pretrained("someone/harmonizer")
    assert asked == [("someone/harmonizer", ["config.json", "model.safetensors"])]
    composite, mask = scene()
    with torch.no_grad():
        assert torch.equal(read(composite, mask), small(composite, mask))


@pytest.mark.parametrize("name", ["someone/harmonizer", "no/such/folder", "/nowhere", ""])
def test_what_is_neither_a_folder_nor_on_the_hub_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SynthharmError, match=r"is no folder here|is not the configuration") as refusal:
        Harmonizer.from_pretrained(name)
    assert name in str(refusal.value)


@pytest.mark.parametrize(
    "change",
    [
        {"size": 3},
        {"size": "64"},
        {"filters": ["shadows"]},
        {"other": 1},
        {"statistics": "pixels"},
        {"cascade": 1},
    ],
)
def test_another_configuration_is_refused(stored: Path, change: dict[str, object]) -> None:
    path = stored / "config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(SynthharmError, match=r"config\.json: is not the configuration of a harmonizer"):
        Harmonizer.from_pretrained(stored)


def test_damaged_files_are_refused_by_name(stored: Path) -> None:
    weights = (stored / "model.safetensors").read_bytes()
    for content in (b"", weights[:1000], weights[:-1]):
        (stored / "model.safetensors").write_bytes(content)
        with pytest.raises(
            SynthharmError, match=r"model\.safetensors: the weights of a harmonizer cannot be read"
        ):
            Harmonizer.from_pretrained(stored)
    for content in (b"", b"[]", b"{", b"\xff"):
        (stored / "config.json").write_bytes(content)
        with pytest.raises(SynthharmError, match=r"config\.json: is not the configuration"):
            Harmonizer.from_pretrained(stored)
    (stored / "config.json").unlink()
    with pytest.raises(SynthharmError, match=r"config\.json"):
        Harmonizer.from_pretrained(stored)


def test_weights_of_another_network_are_refused_key_by_key(stored: Path) -> None:
    path = stored / "config.json"
    settings_ = json.loads(path.read_bytes())
    path.write_text(json.dumps(settings_ | {"filters": settings_["filters"][:5]}))
    with pytest.raises(SynthharmError, match=r"regressor\.steps\.5\.weight is unknown"):
        Harmonizer.from_pretrained(stored)
    path.write_text(json.dumps(settings_ | {"filters": ["white_balance", *settings_["filters"][1:], "gamma"]}))
    with pytest.raises(
        SynthharmError, match=r"(?s)heads\.6\.bias is missing.*heads\.0\.bias has shape \(1,\), \(2,\)"
    ):
        Harmonizer.from_pretrained(stored)


def test_a_network_is_put_on_the_hub_as_it_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub itself is stood in for: no test reaches a network."""
    calls: list[tuple[str, object]] = []

    class Hub:
        def create_repo(self, name: str, *, private: bool, exist_ok: bool) -> None:
            calls.append((name, (private, exist_ok)))

        def upload_folder(self, *, repo_id: str, folder_path: str) -> str:
            shutil.copytree(folder_path, tmp_path / "hub")
            return f"at {repo_id}"

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    network = Harmonizer(HarmonizerConfig("mobilenetv3_small_050", ("exposure",), size=64))
    assert network.push_to_hub("me/harmonizer", private=True) == "at me/harmonizer"
    assert calls == [("me/harmonizer", (True, True))]
    again = Harmonizer.from_pretrained(tmp_path / "hub").state_dict()
    assert all(torch.equal(again[name], value) for name, value in network.state_dict().items())


def test_without_the_hub_a_push_says_so() -> None:
    network = Harmonizer(HarmonizerConfig("mobilenetv3_small_050", ("exposure",), size=64))
    with pytest.raises(SynthharmError, match=r"me/harmonizer: cannot be put on the Hugging Face hub"):
        network.push_to_hub("me/harmonizer")


def test_a_network_is_made_only_where_the_weights_are_its_own(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration alone may ask for any amount of memory."""
    path, made_on, create = stored / "config.json", list[str](), timm.create_model

    def observed(*words: Any, **options: Any) -> Any:
        made_on.append(str(torch.get_default_device()))
        return create(*words, **options)

    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"encoder": "resnet18"}))
    monkeypatch.setattr(timm, "create_model", observed)
    with pytest.raises(SynthharmError, match="does not fit a harmonizer with the encoder resnet18"):
        Harmonizer.from_pretrained(stored)
    assert set(made_on) == {"meta"}


def test_a_size_that_no_encoder_can_have_is_refused(stored: Path) -> None:
    path = stored / "config.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"encoder": "test_vit", "size": 2**60}))
    with pytest.raises(SynthharmError, match=r"config\.json: no network can be made of it"):
        Harmonizer.from_pretrained(stored)


@pytest.mark.parametrize("kind", ["F4", "F6_E2M3", "F8_E8M0"])
def test_weights_of_types_that_torch_may_lack_are_refused(stored: Path, kind: str) -> None:
    path = stored / "model.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header[min(header, key=lambda name: header[name]["data_offsets"])]["dtype"] = kind
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    with pytest.raises(SynthharmError, match=r"model\.safetensors: the weights of a harmonizer cannot be read"):
        Harmonizer.from_pretrained(stored)
