"""The errors a caller is expected to handle. Everything else is a fault in the program."""


class SynthharmError(Exception):
    """What stops a run: the message names the thing, its value, what is accepted, and where."""


class Unusable(Exception):
    """A photo or region that no composite can be made from: it is listed as rejected, and the run goes on.

    Args:
        name: the file or key as the source knows it.
        reason: one of a few fixed words, for counting (see `synthharm.sources.REASONS`).
        detail: what exactly was found, with its value and what is accepted.

    Example:
        >>> str(Unusable("a.jpg", "truncated", "12 of 90 rows could be decoded"))
        'a.jpg: truncated: 12 of 90 rows could be decoded'
    """

    def __init__(self, name: str, reason: str, detail: str) -> None:
        super().__init__(name, reason, detail)
        self.name, self.reason, self.detail = name, reason, detail

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}: {self.detail}"
