"""`python -m synthharm` is the command line."""

from synthharm.cli import app

app()
