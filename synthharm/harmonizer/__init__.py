"""The harmonizer: a network that predicts the arguments of a filter chain from a composite and its mask."""

from synthharm.harmonizer.checkpoint import import_checkpoint
from synthharm.harmonizer.network import Harmonizer, HarmonizerConfig

__all__ = ["Harmonizer", "HarmonizerConfig", "import_checkpoint"]
