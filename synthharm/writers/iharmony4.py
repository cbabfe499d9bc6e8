"""The layout of iHarmony4: one subset, its lists, and the lists of the whole at the root."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path, PurePosixPath

from synthharm.files import atomic_file
from synthharm.writers.writer import Names, Records

SPLITS = ("train", "test")


@dataclass(frozen=True)
class IHarmony4Writer:
    """Composites `<image>_<foreground>_<k>.jpg`, masks `<image>_<foreground>.png`, reals `<image>.jpg`.

    Loaders find mask and real by cutting the composite's name at its underscores, so none of the parts has one;
    k counts the dataset's samples from 1.

    Example:
        >>> paths = IHarmony4Writer("HSynth").place(Names(7, "000000000072", "591"), ".jpg")
        >>> paths["image"], paths["mask"]
        ('HSynth/composite_images/000000000072_591_8.jpg', 'HSynth/masks/000000000072_591.png')
    """

    subset: str = "HSynth"

    def place(self, names: Names, suffix: str) -> dict[str, str]:
        """See `Writer`."""
        region = f"{names.photo}_{names.region}"
        return {
            "image": f"{self.subset}/composite_images/{region}_{names.sample + 1}{suffix}",
            "mask": f"{self.subset}/masks/{region}.png",
            "real": f"{self.subset}/real_images/{names.photo}{suffix}",
        }

    def finish(self, folder: Path, records: Records) -> None:
        """Write `<subset>/<subset>_{train,test}.txt` (names) and `IHD_{train,test}.txt` (paths from the root)."""
        with ExitStack() as stack:
            own = {s: stack.enter_context(atomic_file(folder / self._own_list(s))) for s in SPLITS}
            root = {s: stack.enter_context(atomic_file(folder / f"IHD_{s}.txt")) for s in SPLITS}
            for record in records():
                path = record.files["image"]["path"]
                own[record.split].write(f"{PurePosixPath(path).name}\n".encode())
                root[record.split].write(f"{path}\n".encode())

    def check(self, folder: Path, records: Records) -> Iterator[str]:
        """Compare the lists with the records, line by line."""
        for split in SPLITS:
            for name, own in ((self._own_list(split), True), (f"IHD_{split}.txt", False)):
                paths = (r.files["image"]["path"] for r in records() if r.split == split)
                try:
                    with (folder / name).open(encoding="utf-8") as file:
                        for line, path in zip_longest(file, paths):
                            expected = path and (PurePosixPath(path).name if own else path)
                            if line is None or line.rstrip("\n") != expected:
                                yield f"{name}: has {line!r} where the records have {expected!r}"
                                break
                except (OSError, UnicodeDecodeError) as error:
                    yield f"{name}: cannot be read: {error}"

    def _own_list(self, split: str) -> str:
        return f"{self.subset}/{self.subset}_{split}.txt"
