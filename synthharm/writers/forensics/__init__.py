"""Formats of splicing datasets: those that the tools of forensics researchers read."""
