"""Generation: from a recipe to a dataset on disk, sample by sample, in any order and on any number of workers."""

from synthharm.generate.check import check_dataset, check_shortcuts
from synthharm.generate.dataset import Dataset
from synthharm.generate.plan import Plan
from synthharm.generate.preview import make_preview
from synthharm.generate.run import Summary, generate

__all__ = ["Dataset", "Plan", "Summary", "check_dataset", "check_shortcuts", "generate", "make_preview"]
