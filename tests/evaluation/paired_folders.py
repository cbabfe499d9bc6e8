"""Small sets of composites, masks and real images in the layouts that are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]


def pictures(number: int, width: int = 40, height: int = 32, side: int = 12) -> tuple[Picture, Picture, Picture]:
    """A composite, its mask and the real image, which differ within the mask alone: a square of `side` pixels."""
    rng = np.random.default_rng(number)
    coarse = rng.uniform(40, 200, (4, 5, 3)).astype(np.float32)
    real = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    mask[6 : 6 + side, 8 : 8 + side] = 255
    composite = real.copy()
    composite[mask > 0] = (real[mask > 0] * (0.5 + 0.1 * (number % 4))).astype(np.uint8)
    return composite, mask, real


def save(picture: Picture, path: Path) -> None:
    """Write a picture without loss, whatever its suffix says, so that what is read back can be compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, "PNG")


def write_folders(
    root: Path, names: Sequence[str] = ("comp", "mask", "image"), count: int = 3, suffix: str = ".jpg"
) -> Path:
    """Folders whose files have the same stems: composites, masks, and reals where a third name is given."""
    for number in range(count):
        composite, mask, real = pictures(number)
        save(composite, root / names[0] / f"p{number}{suffix}")
        save(mask, root / names[1] / f"p{number}.png")
        if len(names) > 2:
            save(real, root / names[2] / f"p{number}.png")
    return root


def write_iharmony4(root: Path, at_root: bool = True) -> Path:
    """Two subsets: HCOCO with two composites of one region for test and one for train, HFlickr with one for test.

    Args:
        root: the folder to write.
        at_root: whether the lists of the whole are there besides those of the subsets.
    """
    lists = {
        ("HCOCO", "test"): ["c1_2_1", "c1_2_2"],
        ("HCOCO", "train"): ["c3_1_1"],
        ("HFlickr", "test"): ["f_9_1"],
    }
    whole: dict[str, list[str]] = {}
    for (subset, split), names in lists.items():
        for number, name in enumerate(names):
            image, foreground, _ = name.split("_")
            composite, mask, real = pictures(number + 10 * len(whole))
            save(composite, root / subset / "composite_images" / f"{name}.jpg")
            save(mask, root / subset / "masks" / f"{image}_{foreground}.png")
            save(real, root / subset / "real_images" / (f"{image}.jpg" if subset == "HCOCO" else f"{image}.png"))
        (root / subset / f"{subset}_{split}.txt").write_text("".join(f"{name}.jpg\n" for name in names))
        whole.setdefault(split, []).extend(f"{subset}/composite_images/{name}.jpg" for name in names)
    for split, paths in whole.items():
        if at_root:
            (root / f"IHD_{split}.txt").write_text("\n".join(paths))
    return root
