"""LPIPS, the perceptual distance, where the weights that it needs are already here. Nothing is ever downloaded."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthharm.errors import SynthharmError
from synthharm.harmonizer.devices import find_device
from synthharm.metrics import Perceptual

WEIGHTS = "alexnet-owt-*.pth"  # as torchvision names AlexNet's weights
LEAST = 31  # pixels a side
MEASURED = f"LPIPS is measured with AlexNet (version 0.1), of images of {LEAST} pixels a side or more."


@dataclass(frozen=True)
class Distance:
    """A perceptual distance that knows what it is: a `Perceptual` for tables that say how they were measured.

    Args:
        measure: the distance of two images, (H, W, 3) on 0..255; None for images it cannot be taken of.
        described: a sentence for tables.
        versions: of the libraries that it alone needs, by name.

    Example:
        >>> largest = Distance(lambda one, other: float(abs(one - other).max()), "LPIPS stands for the largest.")
        >>> largest(np.full((2, 2, 3), 7.0), np.full((2, 2, 3), 4.0))
        3.0
    """

    measure: Perceptual
    described: str
    versions: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, prediction: NDArray[Any], real: NDArray[Any]) -> float | None:
        """The distance of a prediction and a real image."""
        return self.measure(prediction, real)


def why_no_lpips() -> str | None:
    """Why LPIPS cannot be measured here, in one sentence; None where it can.

    The weights are looked for in the folder `checkpoints` of `torch.hub.get_dir()`, which TORCH_HOME sets.
    """
    if find_spec("lpips") is None:
        return "LPIPS is not measured: the package lpips is not installed."
    if _weights_file() is None:
        return f"LPIPS is not measured: AlexNet's weights ({WEIGHTS}) are not in torch's folder of checkpoints."
    return None


def lpips_measure(device: str = "cpu") -> Distance | None:
    """LPIPS of AlexNet (version 0.1) as a function of two images, or None where `why_no_lpips` says why.

    The function takes images (H, W, 3) on 0..255, uint8 or floats, and gives their distance, 0 for equal ones. Of
    images below 31 pixels a side it gives None: nothing is left of them before AlexNet's last layers.

    Args:
        device: as torch names it.

    Raises:
        SynthharmError: the weights cannot be read, or there is no such device.

    Source:
        Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018.
    """
    path = _weights_file()
    if why_no_lpips() is not None or path is None:
        return None
    place = find_device(device)
    network = _network(path).to(place)

    def distance(prediction: NDArray[Any], real: NDArray[Any]) -> float | None:
        if min(real.shape[:2]) < LEAST:
            return None
        with torch.no_grad():
            return float(network(_as_tensor(prediction, place), _as_tensor(real, place)))

    return Distance(distance, MEASURED, {"lpips": version("lpips")})


def _network(path: Path) -> Any:
    import lpips

    # Its own way of loading AlexNet would download what is missing; random weights are put in and replaced. That
    # draws from the global generator, and uses an old way of asking for it, of which torchvision warns.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    layers = _read(path)
    own = network.net.state_dict()
    # A layer is slice<k>.<number>.weight there, and features.<number>.weight in torchvision's file.
    found = {name: layers.get("features." + name.split(".", 1)[1]) for name in own}
    wrong = [name for name, value in own.items() if getattr(found[name], "shape", None) != value.shape]
    if wrong:
        raise SynthharmError(f"{path}: is not AlexNet's: {', '.join(wrong)} are missing or of another shape")
    network.net.load_state_dict(found)
    return network.eval()


def _read(path: Path) -> Mapping[str, Tensor]:
    try:
        layers = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files fail in as many ways as they can be damaged
        raise SynthharmError(f"{path}: the weights of AlexNet cannot be read: {error}") from error
    if not isinstance(layers, Mapping):
        raise SynthharmError(
            f"{path}: holds a {type(layers).__name__}; the weights of AlexNet by name are accepted"
        )
    return layers


def _weights_file() -> Path | None:
    return next(iter(sorted(Path(torch.hub.get_dir(), "checkpoints").glob(WEIGHTS))), None)


def _as_tensor(image: NDArray[Any], device: torch.device) -> Tensor:
    """An image (H, W, 3) on 0..255 as (1, 3, H, W) on -1..1."""
    values = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).to(device)
    return values.permute(2, 0, 1)[None] / 127.5 - 1
