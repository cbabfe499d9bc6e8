"""What a dataset looks like on disk, one format a file."""

from synthharm.writers.folder import FolderWriter
from synthharm.writers.iharmony4 import IHarmony4Writer
from synthharm.writers.record import Record
from synthharm.writers.writer import Names, Writer

__all__ = ["FolderWriter", "IHarmony4Writer", "Names", "Record", "Writer"]
