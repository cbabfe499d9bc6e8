"""The same chains, compiled: for 8- and 16-bit images, on one core."""

from synthharm.filters.fused.disharmonize import Disharmonized, disharmonize
from synthharm.filters.fused.plan import NotCompiled, apply_image, apply_region, undo_region, why_not_compiled
from synthharm.filters.fused.scene import Scene

__all__ = [
    "Disharmonized",
    "NotCompiled",
    "Scene",
    "apply_image",
    "apply_region",
    "disharmonize",
    "undo_region",
    "why_not_compiled",
]
