"""What is made of photos and regions: composites, and how they are encoded."""

from synthharm.composites.encoding import Encoder, decode_image
from synthharm.composites.harmonizing import Recovery, harmonize, measure_recovery
from synthharm.composites.random_composite import CompositeSample, RandomComposite
from synthharm.composites.retouch import Composite, retouch, undo

__all__ = [
    "Composite",
    "CompositeSample",
    "Encoder",
    "RandomComposite",
    "Recovery",
    "decode_image",
    "harmonize",
    "measure_recovery",
    "retouch",
    "undo",
]
