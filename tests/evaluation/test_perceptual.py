"""LPIPS is measured where its weights are, and nothing is fetched where they are not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scenes import draw_photo

from synthharm.errors import SynthharmError
from synthharm.evaluation import perceptual
from synthharm.evaluation.perceptual import Distance, lpips_measure, why_no_lpips
from synthharm.metrics import measure


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Torch's folder of checkpoints, empty, in a place of its own."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def alexnet() -> dict[str, torch.Tensor]:
    """Random weights of the layers that count, by torchvision's names."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        0: (64, 3, 11, 11),
        3: (192, 64, 5, 5),
        6: (384, 192, 3, 3),
        8: (256, 384, 3, 3),
        10: (256, 256, 3, 3),
    }
    weights = {}
    for number, shape in shapes.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        weights[f"features.{number}.weight"] = torch.randn(shape, generator=generator) * scale
        weights[f"features.{number}.bias"] = torch.randn(shape[0], generator=generator) * 0.1
    return weights


@pytest.fixture
def distance(checkpoints: Path) -> Distance:
    torch.save(alexnet() | {"classifier.6.bias": torch.zeros(1000)}, checkpoints / "alexnet-owt-7be5be79.pth")
    found = lpips_measure()
    assert found is not None
    return found


def by_hand(first: np.ndarray, second: np.ndarray) -> float:
    """LPIPS written out: features normalized by pixel, their squared differences weighted, averaged and added."""
    import lpips

    weights = alexnet()
    folder = Path(lpips.__file__).parent / "weights" / "v0.1" / "alex.pth"
    linear = torch.load(folder, map_location="cpu", weights_only=True)
    mean, spread = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    total, layers = 0.0, []
    for image in (first, second):
        x = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 255 * 2 - 1
        x = (x - mean.reshape(1, 3, 1, 1)) / spread.reshape(1, 3, 1, 1)
        found = []
        for number, (stride, padding, pooled) in {
            0: (4, 2, False),
            3: (1, 2, True),
            6: (1, 1, True),
            8: (1, 1, False),
            10: (1, 1, False),
        }.items():
            x = torch.nn.functional.max_pool2d(x, 3, 2) if pooled else x
            weight, bias = weights[f"features.{number}.weight"], weights[f"features.{number}.bias"]
            x = torch.relu(torch.nn.functional.conv2d(x, weight, bias, stride, padding))
            found.append(x / x.square().sum(dim=1, keepdim=True).sqrt())
        layers.append(found)
    for number, (one, other) in enumerate(zip(*layers, strict=True)):
        weight = linear[f"lin{number}.model.1.weight"]
        total += float(((one - other).square() * weight).sum(dim=1).mean())
    return total


def test_the_distance_is_the_formula_written_out(distance: Distance) -> None:
    first, second = draw_photo(1, (64, 80)), draw_photo(2, (64, 80))
    assert distance(first, second) == pytest.approx(by_hand(first, second), rel=1e-4)
    assert distance(first, first) == 0
    assert distance(first.astype(np.float32), second) == distance(first, second)
    near = np.clip(first.astype(np.float64) + 3, 0, 255)
    assert 0 < distance(near, first) < distance(second, first)
    assert why_no_lpips() is None


def test_looking_for_it_draws_nothing_from_the_global_generator(checkpoints: Path) -> None:
    torch.save(alexnet(), checkpoints / "alexnet-owt-7be5be79.pth")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    lpips_measure()
    assert torch.equal(torch.get_rng_state(), before)


def test_images_that_are_too_small_have_none(distance: Distance) -> None:
    photo = draw_photo(1, (31, 40))
    assert distance(photo, photo) == 0
    assert distance(photo[:30], photo[:30]) is None
    assert measure(photo[:30], photo[:30], photo[:30, :, 0] >= 0, perceptual=distance).lpips is None


def test_the_distance_says_what_it_is(distance: Distance) -> None:
    assert distance.described == (
        "LPIPS is measured with AlexNet (version 0.1), of images of 31 pixels a side or more."
    )
    assert set(distance.versions) == {"lpips"}


def test_without_weights_there_is_none_and_a_sentence_says_why(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("nothing may be downloaded")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    (checkpoints / "vgg16-397923af.pth").write_bytes(b"another network's")
    assert lpips_measure() is None
    assert why_no_lpips() == (
        "LPIPS is not measured: AlexNet's weights (alexnet-owt-*.pth) are not in torch's folder of checkpoints."
    )


def test_without_the_package_there_is_none(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(alexnet(), checkpoints / "alexnet-owt-7be5be79.pth")

    def find(name: str) -> ModuleType | None:
        assert name == "lpips"
        return None

    monkeypatch.setattr(perceptual, "find_spec", find)
    assert lpips_measure() is None
    assert why_no_lpips() == "LPIPS is not measured: the package lpips is not installed."


def test_weights_that_are_none_are_refused(checkpoints: Path) -> None:
    path = checkpoints / "alexnet-owt-7be5be79.pth"
    path.write_bytes(b"no weights at all")
    with pytest.raises(SynthharmError, match=r"alexnet-owt-7be5be79.pth: the weights of AlexNet cannot be read"):
        lpips_measure()
    torch.save([1, 2], path)
    with pytest.raises(SynthharmError, match="holds a list; the weights of AlexNet by name"):
        lpips_measure()
    weights = alexnet()
    del weights["features.3.bias"]
    weights["features.8.weight"] = torch.zeros(2, 2)
    torch.save(weights, path)
    with pytest.raises(SynthharmError, match=r"is not AlexNet's: slice2.3.bias, slice4.8.weight are missing or"):
        lpips_measure()


def test_a_device_that_is_not_here_is_refused(checkpoints: Path) -> None:
    torch.save(alexnet(), checkpoints / "alexnet-owt-7be5be79.pth")
    with pytest.raises(SynthharmError, match="the device 'abacus' is unknown"):
        lpips_measure("abacus")
