"""What a training is made of: network, optimizer and data, from its recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from synthharm.errors import SynthharmError
from synthharm.files import sha256
from synthharm.filters import FilterChain
from synthharm.harmonizer import Harmonizer, HarmonizerConfig
from synthharm.recipe import LiveStream, StoredStream, TrainingRecipe
from synthharm.recipe.training import Network, Optimizer
from synthharm.training.batches import open_samples
from synthharm.training.samples import Samples
from synthharm.training.state import WORK, Folder
from synthharm.training.validating import HeldOut, hold

VALIDATION_SEED = 0  # of every training's, so that they can be compared


@dataclass(frozen=True)
class Parts:
    """What a training is made of.

    Args:
        harmonizer: what is trained, on its device.
        network: the same, wrapped for precision, several processes and compilation.
        optimizer: of its weights.
        average: timm's moving average of the weights, or None.
        streams: by name, the samples and how many of them a batch has.
        held: what is validated on; nothing in processes other than the main one.
        steps_per_epoch: how many batches an epoch has.
    """

    harmonizer: Harmonizer
    network: Any
    optimizer: Any
    average: Any
    streams: dict[str, tuple[Samples, int]]
    held: dict[str, HeldOut]
    steps_per_epoch: int

    def digests(self) -> dict[str, str]:
        """By stream, what tells whether its data are still the same."""
        return {name: samples.digest for name, (samples, _) in self.streams.items()}

    @property
    def chain(self) -> FilterChain:
        """The filters whose arguments are predicted."""
        return self.harmonizer.chain

    @property
    def kept(self) -> Harmonizer:
        """The weights that are validated and kept: the average where there is one."""
        kept: Harmonizer = self.harmonizer if self.average is None else self.average.module
        return kept


def open_parts(recipe: TrainingRecipe, folder: Folder, accelerator: Any, begun: bool) -> Parts:
    """Build what a recipe describes.

    Args:
        recipe: the recipe.
        folder: of the training.
        accelerator: of this process.
        begun: whether there is a state to go on from, whose weights take the place of pretrained ones.

    Raises:
        SynthharmError: weights that cannot be had, or data that cannot be used.
    """
    section = recipe.network.model_copy(update={"pretrained": False}) if begun else recipe.network
    harmonizer = build_network(section)
    if misfits := recipe.misfits(harmonizer.chain):
        raise SynthharmError(f"the recipe does not fit {recipe.network.checkpoint}: {'; '.join(misfits)}")
    size = harmonizer.config.size
    work = folder.path / WORK / str(accelerator.process_index)
    opened = _open(recipe.streams, work / "train", harmonizer.chain, size, recipe.seed, recipe.cache)
    streams = {name: (samples, recipe.streams[name].batch) for name, samples in opened.items()}
    held = {}
    if accelerator.is_main_process:
        sections, where = recipe.validation.streams, work / "validation"
        validation = _open(sections, where, harmonizer.chain, size, VALIDATION_SEED, recipe.cache)
        held = {name: hold(sections[name], s, recipe.validation.samples) for name, s in validation.items()}
    if recipe.channels_last:
        to_layout: Any = harmonizer.to
        to_layout(memory_format=torch.channels_last)
    harmonizer.train()
    network, optimizer = accelerator.prepare(harmonizer, build_optimizer(harmonizer, recipe.optimizer))
    average = None
    if recipe.ema is not None:
        from timm.utils.model_ema import ModelEmaV3

        average = ModelEmaV3(harmonizer, decay=recipe.ema, use_warmup=True)
    if recipe.compile:
        network = torch.compile(network)
    per_epoch = recipe.steps_per_epoch or max(-(-s.regions // batch) for s, batch in streams.values())
    return Parts(harmonizer, network, optimizer, average, streams, held, per_epoch)


def build_network(section: Network) -> Harmonizer:
    """The network that a recipe trains, from its checkpoint or anew.

    Raises:
        SynthharmError: weights that cannot be had, or an encoder that does not run at the size.
    """
    if section.checkpoint is not None:
        return Harmonizer.from_pretrained(section.checkpoint)
    names, settings = tuple(section.filters), (section.statistics, section.size, section.cascade)
    harmonizer = Harmonizer(HarmonizerConfig(section.encoder, names, *settings, section.pretrained))
    seen = torch.zeros(1, 3, section.size, section.size)
    try:
        with torch.no_grad():
            harmonizer.eval()(seen, seen[:, :1])
    except (RuntimeError, AssertionError, ValueError) as error:
        found = f"the encoder {section.encoder} does not run at {section.size} x {section.size}: {error}"
        raise SynthharmError(f"network: {found}") from error
    return harmonizer


def build_optimizer(harmonizer: Harmonizer, section: Optimizer) -> torch.optim.Optimizer:
    """The optimizer of a recipe, whose rate is set step by step."""
    kind: type[torch.optim.Adam] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[section.name]
    return kind(harmonizer.parameters(), lr=section.rate, weight_decay=section.weight_decay)


def _open(
    sections: Mapping[str, LiveStream | StoredStream],
    folder: Path,
    chain: FilterChain,
    size: int,
    seed: int,
    cache: int,
) -> dict[str, Samples]:
    return {
        name: open_samples(section, folder / name, chain, size, stream_seed(seed, name), cache)
        for name, section in sections.items()
    }


def stream_seed(seed: int, name: str) -> int:
    """The seed of a stream: another one for each, so that two of the same photos do not go in step.

    Example:
        >>> stream_seed(0, "synthetic") != stream_seed(0, "other")
        True
    """
    return int(sha256(f"{seed} {name}".encode())[:15], 16)
