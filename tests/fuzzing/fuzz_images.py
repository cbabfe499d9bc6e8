"""Photos that are spoilt, or are no files: read by a folder's source, some by the whole command."""

from __future__ import annotations

import os
from pathlib import Path

from fuzz_bytes import Random, change_chunks, claim_size, mutate_bytes
from fuzz_feeding import MOST_PIXELS, generate, put, read_source, why
from fuzz_place import Guard, Place
from fuzz_seeds import bomb, disc, encoded, photo, photos

from synthharm.errors import SynthharmError, Unusable
from synthharm.sources import FolderSource

NAMES = (
    "новое ✓.jpg", "two\nlines.jpg", 'quote " \\.jpg', " .jpg", "a" * 240 + ".jpg", "bell\a.png", "-rf.jpg",
    "$(touch CANARY).png", "|touch CANARY;.jpg", "..a.jpg", "....jpg", "%s.png", "{stem}.png", "*.png", "[a].png",
    "CON.png", "a.JPG", "\udcff.jpg", "e\u0301.png", "\u202egnp.png",
)  # fmt: skip


def prepare(root: Path) -> Images:
    """The kind, tried on what is sound."""
    place = Place(root)
    place.make({".png": encoded(photo(seed=9), "PNG"), ".jpg": encoded(photo(seed=9), "JPEG")})
    return Images(place)


class Images:
    """Cases of photos. Those outside of the data are sound, so that one that is read would be accepted."""

    def __init__(self, place: Place) -> None:
        self.place, self.guard, self.seeds = place, Guard(place), photos()
        self.files, self.bomb = list(self.seeds.values()), bomb()
        self._lay()
        for data in self.files:
            put(place.data / "images" / "photo.png", data)
            assert self._read(measure=True) in ("accepted", "mask size")
        put(place.data / "images" / "photo.png", self.seeds["png"])
        generate(place, self.guard, {"format": "folder"})
        self.guard.awake = True

    def run(self, random: Random) -> str:
        self._lay()
        self._spoil(random)
        try:
            if random.random() < 0.03:
                return generate(self.place, self.guard, {"format": "folder"})
            return self._read(measure=bool(random.random() < 0.5))
        except (SynthharmError, Unusable) as error:
            return why(error)

    def _read(self, measure: bool) -> str:
        return read_source(FolderSource(self.place.data, max_pixels=MOST_PIXELS), self.place, self.guard, measure)

    def _lay(self) -> None:
        """A sound photo's mask, and another photo with its own."""
        self.place.clear()
        for folder in ("images", "masks"):
            (self.place.data / folder).mkdir()
        for name in ("photo", "other"):
            put(self.place.data / "masks" / f"{name}.png", encoded(disc(), "PNG"))
        put(self.place.data / "images" / "other.png", encoded(photo(seed=4), "PNG"))

    def _spoil(self, random: Random) -> None:
        path, kind = self.place.data / "images" / "photo.png", random.random()
        data = self.files[int(random.integers(len(self.files)))]
        if kind < 0.06:
            link(random, path, self.place.outside / "secret.png")
            return
        if kind < 0.1:
            path.write_bytes(data)
            self._rename(random, path)
            return
        if kind < 0.12:
            path.write_bytes(self.bomb)
            return
        if kind < 0.3:
            data = claim_size(random, data)
        elif kind < 0.4:
            data = change_chunks(random, data)
        if kind >= 0.35:
            data = mutate_bytes(random, data, self.files)
        path.write_bytes(data)

    def _rename(self, random: Random, path: Path) -> None:
        name = NAMES[int(random.integers(len(NAMES)))]
        path.rename(path.with_name(name))
        mask = self.place.data / "masks" / "photo.png"
        mask.rename(mask.with_name(f"{name.rpartition('.')[0]}.png"))


def link(random: Random, path: Path, secret: Path) -> None:
    """A link, a folder or a pipe where a file is looked for."""
    targets = (
        secret, os.path.relpath(secret, path.parent), "/dev/zero", "/dev/null", "/etc/hostname", "/proc/self/mem",
        path.name, ".", "nowhere.png", "../images/other.png", "../../data/images/other.png",
    )  # fmt: skip
    action = int(random.integers(len(targets) + 3))
    if action < len(targets):
        path.symlink_to(targets[action])
    elif action == len(targets):
        path.mkdir()
    elif action == len(targets) + 1:
        os.mkfifo(path)
    else:
        path.parent.joinpath("linked").symlink_to(secret.parent)
        path.symlink_to(f"linked/{secret.name}")
