"""Where photos with regions come from."""

from synthharm.sources.coco import CocoSource
from synthharm.sources.entries import REASONS, Entry, Photo, PhotoEntry, RegionEntry, Reject, Source
from synthharm.sources.fingerprints import Fingerprints, fingerprint_photos
from synthharm.sources.folder import FolderSource
from synthharm.sources.huggingface import HuggingFaceSource
from synthharm.sources.iharmony4 import IHarmony4Source
from synthharm.sources.index import Index, Select, build_index
from synthharm.sources.licences import Licence, combination, parse_licence
from synthharm.sources.listing import file_stamps
from synthharm.sources.measure import of_region
from synthharm.sources.near_duplicates import assign_splits, components, connected, near_groups
from synthharm.sources.photo import decode_photo, read_file
from synthharm.sources.reading import changed_file, load_region, read_listed, read_listed_mask
from synthharm.sources.supports import Supports, box_of, learn_supports, regions_of_photo

__all__ = [
    "REASONS",
    "CocoSource",
    "Entry",
    "Fingerprints",
    "FolderSource",
    "HuggingFaceSource",
    "IHarmony4Source",
    "Index",
    "Licence",
    "Photo",
    "PhotoEntry",
    "RegionEntry",
    "Reject",
    "Select",
    "Source",
    "Supports",
    "assign_splits",
    "box_of",
    "build_index",
    "changed_file",
    "combination",
    "components",
    "connected",
    "decode_photo",
    "file_stamps",
    "fingerprint_photos",
    "learn_supports",
    "load_region",
    "near_groups",
    "of_region",
    "parse_licence",
    "read_file",
    "read_listed",
    "read_listed_mask",
    "regions_of_photo",
]
