"""Where photos with regions come from."""

from synthharm.sources.coco import CocoSource
from synthharm.sources.entries import REASONS, Entry, Photo, PhotoEntry, RegionEntry, Reject, Source
from synthharm.sources.folder import FolderSource
from synthharm.sources.huggingface import HuggingFaceSource
from synthharm.sources.iharmony4 import IHarmony4Source
from synthharm.sources.index import Index, Select, build_index, load_region
from synthharm.sources.photo import decode_photo, read_file

__all__ = [
    "REASONS",
    "CocoSource",
    "Entry",
    "FolderSource",
    "HuggingFaceSource",
    "IHarmony4Source",
    "Index",
    "Photo",
    "PhotoEntry",
    "RegionEntry",
    "Reject",
    "Select",
    "Source",
    "build_index",
    "decode_photo",
    "load_region",
    "read_file",
]
