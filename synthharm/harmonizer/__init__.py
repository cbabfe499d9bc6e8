"""The harmonizer: a network that predicts the arguments of a filter chain from a composite and its mask."""

from synthharm.harmonizer.checkpoint import import_checkpoint
from synthharm.harmonizer.full_size import Harmonized, apply_in_tiles, harmonize_image, predict
from synthharm.harmonizer.network import Harmonizer, HarmonizerConfig

__all__ = [
    "Harmonized",
    "Harmonizer",
    "HarmonizerConfig",
    "apply_in_tiles",
    "harmonize_image",
    "import_checkpoint",
    "predict",
]
