"""What sources of tests have in common whose photos are no files."""

from __future__ import annotations

from synthharm.sources import PhotoEntry, RegionEntry


class Unstamped:
    """A source that cannot tell whether its photos are still the same."""

    def stamps(self) -> None:
        return None

    def stamp(self, photo: PhotoEntry) -> str | None:
        return None

    def found_mask(self, region: RegionEntry) -> bool:
        return False

    def signature(self, measure: bool) -> str | None:
        return None
