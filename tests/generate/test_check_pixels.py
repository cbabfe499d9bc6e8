"""What the pixels say is checked, where everything that is said of them was made to agree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from spoiling import problems, put_image, put_records, put_sums, records_of

from synthharm.composites import decode_image


def test_a_pixel_changed_outside_the_mask_is_found(copy_of: Callable[[str], Path]) -> None:
    for layout in ("png", "png16", "soft"):
        folder = copy_of(layout)
        files = records_of(folder)[1].files
        outside = np.argwhere(decode_image((folder / files["mask"]["path"]).read_bytes()) == 0)
        row, column = outside[len(outside) // 2]

        def change(pixels: np.ndarray, place: tuple[int, int] = (row, column)) -> np.ndarray:
            pixels[*place, 1] ^= 1
            return pixels

        put_image(folder, files["image"]["path"], change)
        assert problems(folder) == [
            f"sample 1: {files['image']['path']}: differs from the real image outside the mask"
        ]


def test_a_pixel_changed_inside_the_mask_is_the_composites_own(copy: Path) -> None:
    files = records_of(copy)[1].files
    row, column = np.argwhere(decode_image((copy / files["mask"]["path"]).read_bytes()) > 0)[50]

    def change(pixels: np.ndarray) -> np.ndarray:
        pixels[row, column] ^= 1
        return pixels

    put_image(copy, files["image"]["path"], change)
    assert not any("outside the mask" in problem for problem in problems(copy))


def test_swapped_masks_are_found(copy: Path) -> None:
    first, second = (r.files["mask"]["path"] for r in records_of(copy)[:2])
    contents = [(copy / path).read_bytes() for path in (first, second)]
    (copy / first).write_bytes(contents[1])
    (copy / second).write_bytes(contents[0])
    found = problems(copy)
    for path in (first, second):
        assert any(path in p and "sha256" in p for p in found)
        assert any(path in p and "covers" in p for p in found)
    put_sums(copy)
    put_records(
        copy,
        lambda record: [
            record["files"]["mask"].update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
            for path, content in ((first, contents[1]), (second, contents[0]))
            if record["files"]["mask"]["path"] == path
        ],
    )
    found = problems(copy)
    assert any(first in p and "covers" in p for p in found)
    assert any("differs from the real image outside the mask" in p for p in found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda mask: mask // 255, "has values other than 0 and 255"),
        (lambda mask: np.where(mask > 0, np.uint8(254), np.uint8(0)), "has values other than 0 and 255"),
        (lambda mask: np.pad(mask, 1), "(height, width) was recorded"),
        (lambda mask: mask[:-1], "(height, width) was recorded"),
        (lambda mask: mask.astype(np.uint16) * 257, "is not an 8-bit grey mask"),
        (lambda mask: np.repeat(mask[:, :, None], 3, axis=2), "is not an 8-bit grey mask"),
        (lambda mask: np.zeros_like(mask), "covers 0 pixels"),
        (lambda mask: 255 - mask, "covers"),
    ],
)
def test_a_mask_of_another_kind_is_found(
    copy: Path, change: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    path = records_of(copy)[2].files["mask"]["path"]
    put_image(copy, path, change)
    assert any(p.startswith(f"sample 2: {path}: ") and said in p for p in problems(copy))


@pytest.mark.parametrize("role", ["image", "real"])
@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: pixels[:, :, 0],
        lambda pixels: np.dstack([pixels, pixels[:, :, 0]]),
        lambda pixels: pixels[:-1],
        lambda pixels: np.pad(pixels, ((0, 0), (1, 0), (0, 0))),
    ],
)
def test_an_image_of_another_kind_is_found(
    copy: Path, role: str, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    path = records_of(copy)[2].files[role]["path"]
    data = decode_image((copy / path).read_bytes())
    changed = change(data)
    content = cv2.imencode(".png", changed)[1].tobytes()
    (copy / path).write_bytes(content)
    new = {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    put_records(
        copy,
        lambda r: [r["files"].update({k: new}) for k, file in list(r["files"].items()) if file["path"] == path],
    )
    assert any(path in problem for problem in problems(copy))
