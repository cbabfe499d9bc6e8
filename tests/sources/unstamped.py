"""What sources of tests have in common whose photos are no files."""

from __future__ import annotations


class Unstamped:
    """A source that cannot tell whether its photos are still the same, and whose masks are no files."""

    mask_files = False

    def stamps(self) -> None:
        return None

    def stamp(self, file: str) -> str | None:
        return None

    def signature(self, measure: bool) -> str | None:
        return None
