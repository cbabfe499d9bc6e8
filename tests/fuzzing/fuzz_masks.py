"""Masks that are spoilt, or are no files: read by a folder's source, some by the whole command."""

from __future__ import annotations

from pathlib import Path

from fuzz_bytes import Random, change_chunks, claim_size, mutate_bytes
from fuzz_feeding import MOST_PIXELS, generate, put, read_source, why
from fuzz_images import link
from fuzz_place import Guard, Place
from fuzz_seeds import bomb, disc, encoded, masks, photo

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import FolderSource

SOURCE = {"format": "folder", "mask_name": "{stem}_*"}
NAMES = (
    "photo_../x", "photo_..", "photo_\n", "photo_" + "a" * 240, "photo_2_3", "PHOTO_1", "photo_\udcff", "_1",
)  # fmt: skip


def prepare(root: Path) -> Masks:
    """The kind, tried on what is sound."""
    place = Place(root)
    place.make({".png": encoded(disc(), "PNG")})
    return Masks(place)


class Masks:
    """Cases of masks, of one photo and beside a good one."""

    def __init__(self, place: Place) -> None:
        self.place, self.guard, self.files = place, Guard(place), list(masks().values())
        self.photo, self.bomb = encoded(photo(), "PNG"), bomb()
        for data in self.files:
            self._lay()
            put(place.data / "masks" / "photo_1.png", data)
            assert self._read(measure=True) == "accepted"
        generate(place, self.guard, SOURCE)
        self.guard.awake = True

    def run(self, random: Random) -> str:
        self._lay()
        self._spoil(random)
        try:
            if random.random() < 0.03:
                return generate(self.place, self.guard, SOURCE)
            return self._read(measure=bool(random.random() < 0.5))
        except (SynthharmError, Unusable) as error:
            return why(error)

    def _read(self, measure: bool) -> str:
        source = FolderSource(self.place.data, mask_name=SOURCE["mask_name"], max_pixels=MOST_PIXELS)
        return read_source(source, self.place, self.guard, measure)

    def _lay(self) -> None:
        self.place.clear()
        for folder in ("images", "masks"):
            (self.place.data / folder).mkdir()
        put(self.place.data / "images" / "photo.png", self.photo)
        put(self.place.data / "masks" / "photo_0.png", encoded(disc(), "PNG"))

    def _spoil(self, random: Random) -> None:
        path, kind = self.place.data / "masks" / "photo_1.png", random.random()
        data = self.files[int(random.integers(len(self.files)))]
        if kind < 0.06:
            link(random, path, self.place.outside / "secret.png")
            return
        if kind < 0.1:
            name = NAMES[int(random.integers(len(NAMES)))]
            path = path.with_name(f"{name.replace('/', chr(0x2215))}.png")
        elif kind < 0.12:
            data = self.bomb
        elif kind < 0.25:
            data = claim_size(random, data)
        elif kind < 0.45:
            data = change_chunks(random, data)
        if kind >= 0.4:
            data = mutate_bytes(random, data, self.files)
        path.write_bytes(data)
