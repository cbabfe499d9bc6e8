"""Whether every photo was one and the same file for all samples that were made of it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class PhotoFiles:
    """The file that each photo was when it was first used. What is held grows with the photos, not the samples.

    Example:
        >>> photos = PhotoFiles()
        >>> photos.changed(0, "a.jpg", "12"), photos.changed(1, "b.jpg", "34"), photos.changed(2, "a.jpg", "12")
        ('', '', '')
        >>> print(photos.changed(3, "a.jpg", "56"))
        photo a.jpg changed during the run: sample 0 was made of sha256 12, sample 3 of 56
    """

    _first: dict[str, tuple[str, int]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        """How many photos there are."""
        return len(self._first)

    def changed(self, sample: int, photo: str, sha256: str) -> str:
        """Note that a sample was made of a photo, and say so where it is another file than before.

        Args:
            sample: the sample's number.
            photo: the key of the photo.
            sha256: of its file.

        Returns:
            What is to be said, once for each photo; empty where there is nothing.
        """
        known, first = self._first.setdefault(photo, (sha256, sample))
        if known == sha256 or photo in self._told:
            return ""
        self._told.add(photo)
        made = f"sample {first} was made of sha256 {known}, sample {sample} of {sha256}"
        return f"photo {photo} changed during the run: {made}"
