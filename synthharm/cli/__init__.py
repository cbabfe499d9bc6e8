"""The command line."""

from synthharm.cli.app import app

__all__ = ["app"]
