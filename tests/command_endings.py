"""How a command ended that refused what it was given."""

from __future__ import annotations

from click.testing import Result


def ended(result: Result) -> str:
    """The message of a command that ended with status 1, and not by a crash."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    return " ".join(result.stderr.split())
