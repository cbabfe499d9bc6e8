"""Datasets that make their composites while they are read, where spawned workers can import them."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from scenes import draw_mask, draw_photo
from torch.utils.data import DataLoader, Dataset

from synthharm.composites import RandomComposite

SIZE = 5  # with batches of two, an odd one is left over


class LivePhotos(Dataset[dict[str, Any]]):
    """Different photos; `named` says whether the transform is told their index."""

    def __init__(self, transform: RandomComposite, named: bool) -> None:
        self.transform, self.named = transform, named

    def __len__(self) -> int:
        return SIZE

    def __getitem__(self, index: int) -> dict[str, Any]:
        data = {"image": draw_photo(index), "mask": draw_mask(index), "name": index}
        return self.transform(**data, **({"index": index} if self.named else {}))


class SamePhoto(LivePhotos):
    """One photo again and again."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        data = {"image": draw_photo(3), "mask": draw_mask(3), "name": index}
        return self.transform(**data, **({"index": index} if self.named else {}))


def read_epoch(loader: DataLoader[dict[str, Any]]) -> dict[int, tuple[str, tuple[float, ...]]]:
    """By sample, the hash of its composite and its arguments."""
    found = {}
    for batch in loader:
        for name, image, arguments in zip(batch["name"], batch["image"], batch["arguments"], strict=True):
            found[int(name)] = (hashlib.sha256(image.numpy()).hexdigest(), tuple(arguments.tolist()))
    return found


def read_epochs(
    workers: int, context: str | None, persistent: bool, named: bool = False, seed: int = 5, shuffled: bool = True
) -> list[dict[int, tuple[str, tuple[float, ...]]]]:
    """Two epochs of a fresh transform."""
    transform = RandomComposite(seed=seed)
    loader = DataLoader(
        LivePhotos(transform, named),
        batch_size=2,
        shuffle=shuffled,
        num_workers=workers,
        multiprocessing_context=context,
        persistent_workers=persistent,
        generator=torch.Generator().manual_seed(workers),
    )
    found = []
    for epoch in range(2):
        transform.set_epoch(epoch)
        found.append(read_epoch(loader))
    return found


def rows_of_images(number: int) -> dict[str, list[Any]]:
    """Columns for a Hugging Face dataset."""
    import PIL.Image

    return {
        "image": [PIL.Image.fromarray(draw_photo(i)) for i in range(number)],
        "mask": [PIL.Image.fromarray(np.ascontiguousarray(draw_mask(i))) for i in range(number)],
        "name": list(range(number)),
    }
