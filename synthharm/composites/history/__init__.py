"""What happens to a picture after it was composed: resizing, cropping, saving, noise, blur."""

from synthharm.composites.history.presets import PRESETS, preset_steps
from synthharm.composites.history.run import Saved, run_history
from synthharm.composites.history.saving import decode, encode
from synthharm.composites.history.steps import Blur, Crop, Filters, Jpeg, Noise, Png, Resize, Save, Step, Webp
from synthharm.composites.history.tables import CameraTables, collect_tables, read_tables, write_tables
from synthharm.composites.history.verifying import disagreements, saved_as

__all__ = [
    "PRESETS",
    "Blur",
    "CameraTables",
    "Crop",
    "Filters",
    "Jpeg",
    "Noise",
    "Png",
    "Resize",
    "Save",
    "Saved",
    "Step",
    "Webp",
    "collect_tables",
    "decode",
    "disagreements",
    "encode",
    "preset_steps",
    "read_tables",
    "run_history",
    "saved_as",
    "write_tables",
]
