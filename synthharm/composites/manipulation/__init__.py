"""What is done to a photo that a localizer should find: regions pasted, moved, removed and retouched."""

from synthharm.composites.manipulation.composing import Composed, Layered, compose, compose_one, paste
from synthharm.composites.manipulation.cutting import cut_out, touches_border
from synthharm.composites.manipulation.edits import Colour, Cut, Edit, Paste, Placement, Region, Removal, Retouch
from synthharm.composites.manipulation.placing import outside_share

__all__ = [
    "Colour",
    "Composed",
    "Cut",
    "Edit",
    "Layered",
    "Paste",
    "Placement",
    "Region",
    "Removal",
    "Retouch",
    "compose",
    "compose_one",
    "cut_out",
    "outside_share",
    "paste",
    "touches_border",
]
