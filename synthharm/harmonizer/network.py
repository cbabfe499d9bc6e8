"""The network that predicts a chain's arguments (Ke et al., "Harmonizer", ECCV 2022, arXiv 2207.01322).

Composite and mask go through an image encoder at a small fixed size, and a linear regressor makes one argument
after another of its features. They are then applied at the image's own size: no detail goes through a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from synthharm.errors import SynthharmError
from synthharm.files import parse_json, write_atomically
from synthharm.filters import PAPER, FilterChain
from synthharm.filters.pixels import Statistics

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
HIDDEN = 160  # width of the cascade
CHANNELS = 4  # red, green, blue, mask


@dataclass(frozen=True)
class HarmonizerConfig:
    """What a harmonizer is built from.

    Args:
        encoder: the name of an image model of timm.
        filters: names of the chain's filters, in order (see `synthharm.filters.FILTERS`).
        statistics: what the means in the filters are taken over: "image" or "foreground".
        size: height and width at which the encoder sees composites, 32 or more.
        cascade: whether each filter's arguments are predicted from what the ones before led to, as published;
            otherwise from the encoder's features alone.
        pretrained: whether the encoder starts from timm's weights instead of random ones. Not stored with a
            model, whose weights are its own.

    Raises:
        ValueError: an unknown filter or statistics, or a size below 32.

    Example:
        >>> HarmonizerConfig(filters=("exposure", "white_balance")).chain.columns
        ('exposure', 'white_balance.temperature', 'white_balance.tint')
    """

    encoder: str = "tf_efficientnet_b0"
    filters: tuple[str, ...] = PAPER
    statistics: Statistics = "image"
    size: int = 256
    cascade: bool = True
    pretrained: bool = False

    def __post_init__(self) -> None:
        if self.size < 32:
            raise ValueError(f"size is {self.size}; 32 or more is accepted")
        _ = self.chain

    @property
    def chain(self) -> FilterChain:
        """The filters whose arguments are predicted."""
        return FilterChain(self.filters, self.statistics)


class Stems(nn.Module):
    """Two first layers side by side: one sees [image, mask], the other [image, 1 - mask].

    Each takes over half of the filters of an encoder's first layer, which they replace; only their weights for the
    mask are new. (N, 4, H, W) to (N, C, h, w), as the layer that they replace gives.

    Args:
        conv: the encoder's first convolution, of RGB.
        norm: the normalization (and activation) behind it.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        half = conv.out_channels // 2
        self.foreground = _stem(conv, norm, slice(0, half))
        self.background = _stem(conv, norm, slice(half, None))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 4, H, W), the mask last, to the features of both, foreground first."""
        inverted = torch.cat([images[:, :3], 1 - images[:, 3:]], dim=1)
        return torch.cat([self.foreground(images), self.background(inverted)], dim=1)


def _stem(conv: nn.Conv2d, norm: nn.BatchNorm2d, part: slice) -> nn.Module:
    width = len(conv.weight[part])
    layer: Any = type(conv)  # the encoder's own, which may pad in its own way
    with_mask = layer(CHANNELS, width, conv.kernel_size, conv.stride, conv.padding, bias=conv.bias is not None)
    own_norm = deepcopy(norm)
    own_norm.num_features = width
    with torch.no_grad():
        with_mask.weight[:, :3] = conv.weight[part]
        if conv.bias is not None:
            with_mask.bias.copy_(conv.bias[part])
        for name in ("weight", "bias"):
            setattr(own_norm, name, nn.Parameter(getattr(norm, name)[part].clone()))
        for name in ("running_mean", "running_var"):
            own_norm.register_buffer(name, getattr(norm, name)[part].clone())
    stem = nn.Sequential()
    stem.add_module("conv", with_mask)
    stem.add_module("norm", own_norm)
    return stem


class Cascade(nn.Module):
    """One filter's arguments after another, each from the features and what the ones before led to.

    All layers are linear, as published: f and g are of the features, then for each filter g becomes a function of
    f and g, and its arguments one of g. (N, features) to (N, K).

    Args:
        features: how many the encoder gives.
        counts: the number of arguments of each filter.
    """

    def __init__(self, features: int, counts: Sequence[int]) -> None:
        super().__init__()
        self.f = nn.Linear(features, HIDDEN)
        self.g = nn.Linear(features, HIDDEN)
        self.steps = nn.ModuleList(nn.Linear(2 * HIDDEN, HIDDEN) for _ in counts)
        self.heads = nn.ModuleList(nn.Linear(HIDDEN, count) for count in counts)

    def forward(self, features: Tensor) -> Tensor:
        """(N, features) to (N, K)."""
        f, g = self.f(features), self.g(features)
        arguments = []
        for step, head in zip(self.steps, self.heads, strict=True):
            g = step(torch.cat([f, g], dim=1))
            arguments.append(head(g))
        return torch.cat(arguments, dim=1)


class Harmonizer(nn.Module):
    """Predicts how a composite's foreground must be changed to look like its background.

    An encoder of timm's EfficientNet and MobileNet families has its first layer replaced by `Stems`; any other
    sees image and mask as four channels. Made by `Harmonizer(config)` it is in training mode, and by
    `from_pretrained` or `import_checkpoint` in evaluation mode.

    Args:
        config: what it is built from; by default the published architecture.

    Raises:
        SynthharmError: no such encoder, or its weights cannot be had.

    Example:
        >>> config = HarmonizerConfig("mobilenetv3_small_050", ("brightness", "contrast"), size=64)
        >>> harmonizer = Harmonizer(config).eval()
        >>> composite, mask = torch.rand(1, 3, 48, 80), torch.zeros(1, 1, 48, 80)
        >>> mask[..., 10:30, 20:50] = 1
        >>> image, arguments = harmonizer.harmonize(composite, mask)
        >>> image.shape, arguments.shape, harmonizer.chain.columns
        (torch.Size([1, 3, 48, 80]), torch.Size([1, 2]), ('brightness', 'contrast'))
    """

    neutral: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, config: HarmonizerConfig | None = None) -> None:
        super().__init__()
        self.config = config or HarmonizerConfig()
        self.chain = self.config.chain
        self.encoder = _encoder(self.config)
        features = int(getattr(self.encoder, "head_hidden_size", None) or self.encoder.num_features)
        counts = [len(f.parameters) for f in self.chain.filters]
        self.regressor = Cascade(features, counts) if self.config.cascade else nn.Linear(features, sum(counts))
        for name in ("neutral", "low", "high"):
            values = torch.tensor([getattr(p, name) for p in self.chain.parameters])
            self.register_buffer(name, values, persistent=False)

    def forward(self, composite: Tensor, mask: Tensor) -> Tensor:
        """Predict arguments.

        Args:
            composite: (N, 3, H, W), RGB in [0, 1].
            mask: (N, 1, H, W) in [0, 1], 1 = foreground.

        Returns:
            (N, K) in the order of `chain.columns`, not yet limited to what the filters accept.

        Raises:
            ValueError: other shapes.
        """
        if composite.ndim != 4 or composite.shape[1] != 3:
            raise ValueError(f"composites have shape {tuple(composite.shape)}; (N, 3, H, W) is accepted")
        expected = (composite.shape[0], 1, *composite.shape[2:])  # len() would fix the number when traced
        if tuple(mask.shape) != expected:
            raise ValueError(
                f"masks have shape {tuple(mask.shape)}; {expected} is accepted, as the composites have"
            )
        size = (self.config.size, self.config.size)
        seen = torch.cat([composite, mask], dim=1)
        seen = nn.functional.interpolate(seen, size=size, mode="bilinear", align_corners=False)
        offsets: Tensor = self.regressor(self.encoder(seen))
        return self.neutral + offsets

    def harmonize(self, composite: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Predict arguments and apply them at the composite's own size.

        Args:
            composite: (N, 3, H, W), RGB in [0, 1], float32 or float64 as the network's weights.
            mask: (N, 1, H, W) in [0, 1], 1 = foreground.

        Returns:
            The harmonized images (N, 3, H, W), which are the composites outside the masks, and the arguments
            (N, K) that made them: the predicted ones, clamped to what the filters accept.

        Raises:
            ValueError: other shapes or types.
        """
        arguments = torch.clamp(self(composite, mask), self.low, self.high)
        return self.chain.apply(composite, mask, arguments), arguments

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors, from which `from_pretrained` makes the same network."""
        from safetensors.torch import save

        settings = asdict(self.config)
        del settings["pretrained"]
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        write_atomically(Path(folder, WEIGHTS), save(weights))
        write_atomically(Path(folder, CONFIG), (json.dumps(settings, indent=2) + "\n").encode())

    def push_to_hub(self, hub_id: str, *, private: bool = False) -> str:
        """Put what `save_pretrained` writes into a repository of the Hugging Face hub, made where it is not there.

        Args:
            hub_id: owner/name.
            private: whether a new repository is.

        Returns:
            The address of what was put there.

        Raises:
            SynthharmError: the hub cannot be reached, or does not take it from who is logged in here.
        """
        from huggingface_hub import HfApi

        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            try:
                api = HfApi()
                api.create_repo(hub_id, private=private, exist_ok=True)
                return str(api.upload_folder(repo_id=hub_id, folder_path=folder))
            except Exception as error:  # an upload fails in as many ways as networks do
                raise SynthharmError(f"{hub_id}: cannot be put on the Hugging Face hub: {error}") from error

    @classmethod
    def from_pretrained(cls, path_or_hub_id: str | Path) -> Harmonizer:
        """The network that `save_pretrained` wrote, on the CPU and in evaluation mode.

        Args:
            path_or_hub_id: its folder, or where there is none of that name, a repository of the Hugging Face hub.

        Raises:
            SynthharmError: neither can be had, or what is there is not a harmonizer.
        """
        folder = Path(path_or_hub_id)
        folder = folder if folder.is_dir() else _download(str(path_or_hub_id))
        config, weights = _read_config(folder / CONFIG), _read_weights(folder / WEIGHTS)
        harmonizer = _made(config, weights, folder)
        load_weights(harmonizer, weights, str(folder / WEIGHTS))
        return harmonizer.eval()


def load_weights(harmonizer: Harmonizer, weights: Mapping[str, Tensor], where: str) -> None:
    """Put weights into a network that has exactly these, in its own type.

    Raises:
        SynthharmError: keys that are missing, unknown, or no plain real tensor of their shape; all of them are
            listed.
    """
    _check_weights(harmonizer, weights, where)
    harmonizer.load_state_dict(weights)


def _check_weights(harmonizer: Harmonizer, weights: Mapping[str, Tensor], where: str) -> None:
    own = harmonizer.state_dict()
    wrong = [f"{name} is missing" for name in own if name not in weights]
    wrong += [f"{name} is unknown" for name in weights if name not in own]
    wrong += [
        f"{name} has shape {tuple(weights[name].shape)}, {tuple(own[name].shape)} is accepted"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    wrong += [f"{n} is no plain real tensor" for n in own if n in weights and not _is_plain(weights[n])]
    if wrong:
        raise SynthharmError(
            f"{where}: does not fit a harmonizer with the encoder {harmonizer.config.encoder} and the filters "
            f"{', '.join(harmonizer.config.filters)}: {'; '.join(wrong)}"
        )


def _is_plain(tensor: Tensor) -> bool:
    strange = tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex()
    return not strange and tensor.device.type != "meta"


def _made(config: HarmonizerConfig, weights: Mapping[str, Tensor], folder: Path) -> Harmonizer:
    """The network of a configuration, once it is known to be one of these weights: it may ask for any memory."""
    planned = None
    with suppress(Exception), torch.device("meta"):  # what is wrong with a configuration is told below
        planned = Harmonizer(config)
    if planned is not None:
        _check_weights(planned, weights, str(folder / WEIGHTS))
    try:
        return Harmonizer(config)
    except SynthharmError:
        raise
    except Exception as error:  # encoders refuse settings in as many ways as there are encoders
        raise SynthharmError(f"{folder / CONFIG}: no network can be made of it: {error}") from error


def _encoder(config: HarmonizerConfig) -> Any:
    import timm

    name = config.encoder
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=3)
        hint = f"; near are {', '.join(near)}" if near else ""
        raise SynthharmError(f"timm has no encoder {name!r}{hint}")
    known = timm.get_pretrained_cfg(name)
    settings: dict[str, Any] = {"num_classes": 0}
    if known is not None and known.fixed_input_size:
        settings["img_size"] = config.size
    encoder: Any = timm.create_model(name, **settings)
    stems = _has_plain_stem(encoder)
    if stems and not config.pretrained:
        return _with_stems(encoder)
    try:
        channels = 3 if stems else CHANNELS
        encoder = timm.create_model(name, pretrained=config.pretrained, in_chans=channels, **settings)
    except Exception as error:  # a download fails in as many ways as networks do
        if not config.pretrained:
            raise
        raise SynthharmError(
            f"the pretrained weights of the encoder {name} cannot be had: {error} "
            f"Connect to the network once, so that they are kept in the Hugging Face cache (HF_HOME), or use "
            f"pretrained=False, which starts from random weights"
        ) from error
    return _with_stems(encoder) if stems else encoder


def _has_plain_stem(encoder: nn.Module) -> bool:
    conv, norm = getattr(encoder, "conv_stem", None), getattr(encoder, "bn1", None)
    return isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and conv.in_channels == 3


def _with_stems(encoder: Any) -> Any:
    encoder.conv_stem, encoder.bn1 = Stems(encoder.conv_stem, encoder.bn1), nn.Identity()
    return encoder


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(hub_id, allow_patterns=[CONFIG, WEIGHTS]))
    except Exception as error:  # a download fails in as many ways as networks do
        raise SynthharmError(
            f"{hub_id}: is no folder here, and cannot be had from the Hugging Face hub: {error} "
            f"A folder that save_pretrained wrote, or the name of a repository (owner/name) is accepted"
        ) from error


def _read_config(path: Path) -> HarmonizerConfig:
    import msgspec

    names = {f.name for f in fields(HarmonizerConfig)} - {"pretrained"}
    try:
        found = parse_json(path.read_bytes())
        if not isinstance(found, dict) or set(found) != names:
            raise ValueError(f"{sorted(names)} are accepted; found {found}")
        return msgspec.convert(found, HarmonizerConfig)
    except (OSError, ValueError) as error:
        raise SynthharmError(f"{path}: is not the configuration of a harmonizer: {error}") from error


def _read_weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError, LookupError, ValueError, RuntimeError) as error:  # types that torch lacks
        raise SynthharmError(f"{path}: the weights of a harmonizer cannot be read: {error}") from error
