"""Formats of splicing datasets: those that the tools of forensics researchers read."""

from synthharm.writers.forensics.card import write_card
from synthharm.writers.forensics.croissant import CROISSANT, write_croissant
from synthharm.writers.forensics.export import SUMS, detect_format, export
from synthharm.writers.forensics.folder import TABLE, canonical_path, folder_place, metadata_table, wrong_table
from synthharm.writers.forensics.formats import FORMATS, PACKED, convert, files_beside, find_format
from synthharm.writers.forensics.imdlbenco import wrong_lists
from synthharm.writers.forensics.item import About, Format, InMemory, Item, Items, OnDisk
from synthharm.writers.forensics.overview import Adding, Overview, overview
from synthharm.writers.forensics.record import KINDS, SplicingRecord

__all__ = [
    "CROISSANT",
    "FORMATS",
    "KINDS",
    "PACKED",
    "SUMS",
    "TABLE",
    "About",
    "Adding",
    "Format",
    "InMemory",
    "Item",
    "Items",
    "OnDisk",
    "Overview",
    "SplicingRecord",
    "canonical_path",
    "convert",
    "detect_format",
    "export",
    "files_beside",
    "find_format",
    "folder_place",
    "metadata_table",
    "overview",
    "write_card",
    "write_croissant",
    "wrong_lists",
    "wrong_table",
]
