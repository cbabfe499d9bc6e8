"""Datasets of composites whose true answer is known to the last argument."""

__version__ = "0.1.0"
