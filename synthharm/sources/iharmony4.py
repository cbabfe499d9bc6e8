"""The real photos and masks of a dataset in iHarmony4's layout, so that new composites can be made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from synthharm.errors import SynthharmError
from synthharm.files import file_names
from synthharm.imagefile import MAX_PIXELS
from synthharm.masks import check_mask, decode_mask
from synthharm.sources.entries import Entry, Photo, PhotoEntry, RegionEntry, Reject
from synthharm.sources.listing import file_stamp, file_stamps, signature_of
from synthharm.sources.measure import list_files
from synthharm.sources.photo import read_file, read_photo
from synthharm.storage import as_path, is_remote, storage_errors

SPLITS = ("train", "test")
_FOLDERS = ("real_images", "masks")


@dataclass(frozen=True)
class IHarmony4Source:
    """Real photos with the masks that iHarmony4's lists of composites refer to.

    Below `data`, `<subset>/<subset>_train.txt` and `_test.txt` list composites `<image>_<foreground>_<k>.jpg`, one
    a line. Each distinct pair of image and foreground is a region: the photo `<subset>/real_images/<image>.jpg`
    (another extension where that is what exists), its mask `<subset>/masks/<image>_<foreground>.png`, its id the
    foreground. A photo that both lists have stays with train, and is rejected for test.

    Args:
        data: the folder that holds the subsets.
        split: "train", "test", or "all" for both; a photo's entry says which list it is from.
        subsets: names of the subsets to use; None for all that are found.
        max_pixels: the most pixels a file may have.
    """

    mask_files: ClassVar[bool] = True

    data: Path
    split: Literal["train", "test", "all"] = "train"
    subsets: tuple[str, ...] | None = None
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.split not in (*SPLITS, "all"):
            raise SynthharmError(f"iHarmony4: split is {self.split!r}; accepted are 'train', 'test' and 'all'")

    def entries(self, measure: bool) -> Iterator[Entry]:
        """List photos in their lists' order, subsets by name. Raises SynthharmError where a list is missing."""
        with storage_errors():
            pairs = (pair for subset in self._subsets() for pair in self._pairs(subset))
            yield from list_files(self, as_path(self.data), pairs, measure, self.max_pixels)

    def read_photo(self, photo: PhotoEntry) -> Photo:
        """Decode a photo. Raises Unusable."""
        return read_photo(read_file(as_path(self.data), photo.key), photo, self.max_pixels)

    def read_mask(self, photo: PhotoEntry, region: RegionEntry, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Decode a mask, uint8 (H, W) of `size`. Raises Unusable."""
        mask = decode_mask(read_file(as_path(self.data), region.mask), region.mask, max_pixels=self.max_pixels)
        check_mask(mask, size, region.mask)
        return mask

    def stamps(self) -> Mapping[str, str]:
        """See `Source`."""
        root, found = as_path(self.data), dict[str, str]()
        for subset in self._subsets():
            for folder in _FOLDERS:
                found |= file_stamps(root, f"{subset}/{folder}")
        return found

    def stamp(self, file: str) -> str | None:
        """See `Source`."""
        return file_stamp(as_path(self.data), file)

    def signature(self, measure: bool) -> str:
        """See `Source`."""
        root, subsets = as_path(self.data), self._subsets()
        lists = [root / subset / f"{subset}_{split}.txt" for subset in subsets for split in SPLITS]
        return signature_of(self, lists, [self.stamps()], [measure, subsets])

    def _subsets(self) -> list[str]:
        root = as_path(self.data)
        if not root.is_dir():
            raise SynthharmError(f"iHarmony4: {root} is not a folder")
        found = sorted(
            path.name
            for path in root.iterdir()
            if any((path / f"{path.name}_{split}.txt").is_file() for split in SPLITS)
        )
        wanted = found if self.subsets is None else list(self.subsets)
        for subset in wanted:
            if subset not in found:
                raise SynthharmError(f"iHarmony4: no subset {subset!r} in {root}; found are {found}")
        if not wanted:
            raise SynthharmError(f"iHarmony4: {root} has no folder <subset> with a list <subset>_train.txt in it")
        return wanted

    def _pairs(self, subset: str) -> Iterator[tuple[PhotoEntry, list[tuple[str, str]]] | Reject]:
        files = _real_images(as_path(self.data) / subset / "real_images")
        seen_in_train: set[str] = set()
        for split in SPLITS:
            wanted = self.split in (split, "all")
            if split == "test" and not wanted:
                return
            photos, rejects = self._read_list(subset, split, required=wanted)
            if wanted:
                yield from rejects
            for image, foregrounds in photos.items():
                key = f"{subset}/real_images/{files.get(image, image + '.jpg')}"
                if image in seen_in_train:
                    yield Reject(
                        key, "bad entry", f"{subset}_test.txt lists a photo that {subset}_train.txt has too"
                    )
                elif wanted:
                    masks = [(one, f"{subset}/masks/{image}_{one}.png") for one in foregrounds]
                    yield PhotoEntry(key, split=split), masks
            if split == "train":
                seen_in_train = set(photos)

    def _read_list(
        self, subset: str, split: str, required: bool
    ) -> tuple[dict[str, dict[str, None]], list[Reject]]:
        """The foregrounds of each image in a list, both in its order (dicts serve as ordered sets)."""
        path = as_path(self.data) / subset / f"{subset}_{split}.txt"
        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError as error:
            if required and self.split != "all":
                raise SynthharmError(f"iHarmony4: {path} is missing, for split {self.split!r}") from error
            return {}, []  # "all" takes whatever lists there are, and test alone has no train list to compare with
        except (OSError, UnicodeDecodeError) as error:
            raise SynthharmError(f"iHarmony4: {path} cannot be read as UTF-8 text: {error}") from error
        photos: dict[str, dict[str, None]] = {}
        rejects = []
        for number, line in enumerate(text.splitlines(), start=1):
            name = line.strip().replace("\\", "/").rpartition("/")[2]
            parts = name.rpartition(".")[0].rsplit("_", 2)
            if len(parts) == 3 and all(parts):
                photos.setdefault(parts[0], {})[parts[1]] = None
            elif line.strip():
                detail = f"{line.strip()!r}; accepted is <image>_<foreground>_<k>.<extension>"
                rejects.append(Reject(f"{subset}/{path.name} line {number}", "bad entry", detail))
        return photos, rejects


def _real_images(folder: Path) -> dict[str, str]:
    """File names by stem; where a stem has several, .jpg goes before the rest in their order."""
    if is_remote(folder):
        names = sorted(file_names(folder))
    else:
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    files: dict[str, str] = {}
    for name in sorted(names, key=lambda name: not name.endswith(".jpg")):
        files.setdefault(name.rpartition(".")[0], name)
    return files
