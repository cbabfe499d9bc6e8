"""Checkpoints of the published implementation, under the names that the network here has."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from synthharm.errors import SynthharmError
from synthharm.harmonizer.network import Harmonizer, load_weights

_PREFIXES = ("module.", "model.")  # what wrappers for training put in front of every key
_STATISTICS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
# The layers of a block by their published names: of one that widens its input first, and of one that does not.
_SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
_WIDENING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
} | _SQUEEZE
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"} | _SQUEEZE
_LAYERS = {
    "backbone._conv_fg": "encoder.conv_stem.foreground.conv",
    "backbone._bn_fg": "encoder.conv_stem.foreground.norm",
    "backbone._conv_bg": "encoder.conv_stem.background.conv",
    "backbone._bn_bg": "encoder.conv_stem.background.norm",
    "backbone._conv_head": "encoder.conv_head",
    "backbone._bn1": "encoder.bn2",
    "regressor.f": "regressor.f",
    "regressor.g": "regressor.g",
}


def import_checkpoint(path: str | Path) -> Harmonizer:
    """Read a checkpoint (.pth) of the published implementation.

    Only tensors are read from the file: nothing in it is executed.

    Args:
        path: a dictionary of tensors as torch.save writes it, its keys as published, with or without "module." or
            "model." in front.

    Returns:
        The published architecture with these weights in float32, on the CPU and in evaluation mode.

    Raises:
        SynthharmError: the file cannot be read, holds something else, or has other keys or shapes; all of those
            are listed.
    """
    found = _read(Path(path))
    harmonizer = Harmonizer()
    names = published_names(harmonizer)
    weights = _without_prefix(found, names)
    missing = [name for name in names if name not in weights]
    unknown = [name for name in weights if name not in names]
    if missing or unknown:
        listed = [f"{name} is missing" for name in missing] + [f"{name} is unknown" for name in unknown]
        raise SynthharmError(f"{path}: is not a checkpoint of the published Harmonizer: {'; '.join(listed)}")
    load_weights(harmonizer, {names[name]: value for name, value in weights.items()}, str(path))
    return harmonizer.eval()


def published_names(harmonizer: Harmonizer) -> dict[str, str]:
    """The keys of a published checkpoint, each with the key that the same tensor has in `harmonizer`.

    Example:
        >>> names = published_names(Harmonizer())
        >>> len(names), names["backbone._blocks.2._bn0.weight"], names["regressor.headers.5.1.bias"]
        (392, 'encoder.blocks.1.1.bn1.weight', 'regressor.heads.5.bias')
    """
    layers = dict(_LAYERS)
    stages = [(s, len(stage)) for s, stage in enumerate(harmonizer.encoder.blocks)]
    for number, (s, b) in enumerate((s, b) for s, count in stages for b in range(count)):
        block = harmonizer.encoder.blocks[s][b]
        for published, own in (_WIDENING if hasattr(block, "conv_pwl") else _PLAIN).items():
            layers[f"backbone._blocks.{number}.{published}"] = f"encoder.blocks.{s}.{b}.{own}"
    for number in range(len(harmonizer.chain.filters)):
        layers[f"regressor.headers.{number}.0"] = f"regressor.steps.{number}"
        layers[f"regressor.headers.{number}.1"] = f"regressor.heads.{number}"
    state = harmonizer.state_dict()
    return {
        f"{published}.{part}": f"{own}.{part}"
        for published, own in layers.items()
        for part in _STATISTICS
        if f"{own}.{part}" in state
    }


def _read(path: Path) -> dict[str, Tensor]:
    try:
        _check_packing(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how old a file is; what is wrong with one is an error
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged data makes an unpickler stumble in any way
        detail = str(error).partition("\n")[0]
        if "weights_only" in detail:  # torch advises to load it all the same
            detail = (
                "it holds other objects than tensors, which are not loaded, for loading them can run any program"
            )
        raise SynthharmError(f"{path}: cannot be read as a checkpoint: {detail}") from error
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        held = f"a dictionary with {', '.join(map(str, found))}" if isinstance(found, Mapping) else type(found)
        raise SynthharmError(f"{path}: holds {held}; a dictionary of tensors by name is accepted")
    return {str(name): value for name, value in found.items()}


def _check_packing(path: Path) -> None:
    """Refuse an archive that is packed: torch.save packs none, and few bytes can stand for very many."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.file_size > member.compress_size:
                raise ValueError(f"{member.filename} is packed; accepted are members stored as they are")


def _without_prefix(weights: dict[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
    for prefix in (a + b for a in ("", *_PREFIXES) for b in ("", *_PREFIXES)):
        shorter = {name.removeprefix(prefix): value for name, value in weights.items()}
        if len(shorter) == len(weights) and any(name in names for name in shorter):
            return shorter
    return weights
