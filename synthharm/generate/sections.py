"""From a recipe's sections to what they name."""

from __future__ import annotations

from typing import Protocol

from synthharm.composites import Encoder
from synthharm.errors import SynthharmError
from synthharm.filters import FilterChain, Limits, Span
from synthharm.filters.drawing import Cell, ColourStatistics, Difficulty, Gamut, Reference, Scores, Strategy
from synthharm.recipe import Coco, Folder, HuggingFace, IHarmony4, IHarmony4Layout, Recipe
from synthharm.recipe.draws import DifficultyDraw, DrawSection, GamutDraw, ReferenceDraw, ScoresDraw
from synthharm.recipe.sources import Selection
from synthharm.sources import (
    CocoSource,
    FolderSource,
    HuggingFaceSource,
    IHarmony4Source,
    Select,
    Source,
)
from synthharm.storage import as_path, is_remote
from synthharm.writers import FolderWriter, IHarmony4Writer, Writer


class Sourced(Protocol):
    """A recipe, or a part of one, that says where photos come from."""

    @property
    def data(self) -> str:
        """The data root."""
        ...

    @property
    def source(self) -> Coco | Folder | IHarmony4 | HuggingFace:
        """How it is read."""
        ...

    @property
    def select(self) -> Selection:
        """Which regions are used."""
        ...


def open_source(recipe: Sourced) -> Source:
    """The source that a recipe names.

    Raises:
        SynthharmError: the data root is not there.
    """
    section = recipe.source
    options = section.model_dump(exclude={"format"})
    if isinstance(section, (Coco, Folder, IHarmony4)):
        root = as_path(recipe.data)
        # Behind an address nothing is asked: every worker opens the source, and listing it tells what is missing.
        if not is_remote(root) and not root.is_dir():
            raise SynthharmError(
                f"data: {recipe.data!r} is not a folder; the root of a {section.format} source is"
            )
        if isinstance(section, Coco):
            return CocoSource(root, **options)
        if isinstance(section, Folder):
            return FolderSource(root, **options)
        options["subsets"] = None if section.subsets is None else tuple(section.subsets)
        return IHarmony4Source(root, **options)
    return HuggingFaceSource(recipe.data, **options)


def selection(recipe: Sourced) -> Select:
    """Which regions a recipe uses."""
    section = recipe.select
    categories = None if section.categories is None else tuple(section.categories)
    return Select(categories, section.area_share, section.side)


def filter_chain(recipe: Recipe) -> FilterChain:
    """The chain that a recipe undoes."""
    return FilterChain(recipe.chain.filters, recipe.chain.statistics, recipe.chain.spans)


def encoder(recipe: Recipe) -> Encoder:
    """How a recipe's images are written."""
    return Encoder(**recipe.encoding.model_dump())


def limits(recipe: Recipe) -> Limits:
    """What a recipe lets drawn arguments cost."""
    return draw_limits(recipe.draw, encoder(recipe).levels)


def draw_limits(section: DrawSection, levels: int) -> Limits:
    """What drawn arguments may cost, in composites of so many levels."""
    return Limits(section.unrecoverable, section.recovery, levels)


def draw_strategy(section: DrawSection, colours: ColourStatistics | None = None) -> Strategy:
    """How arguments are drawn for one sample.

    Args:
        section: the recipe's.
        colours: what a draw by reference fits to; not used by the others.
    """
    if isinstance(section, GamutDraw):
        return Gamut()
    if isinstance(section, DifficultyDraw):
        return Difficulty(section.quantiles)
    if isinstance(section, ScoresDraw):
        return Scores([Cell(cell.box, cell.score) for cell in section.cells], section.floor)
    if isinstance(section, ReferenceDraw):
        if colours is None:
            raise ValueError("a draw by reference needs the colours to go by")
        return Reference.of(colours)
    return Span()


def writer(recipe: Recipe) -> Writer:
    """The layout that a recipe's dataset has."""
    if isinstance(recipe.writer, IHarmony4Layout):
        return IHarmony4Writer(recipe.writer.subset)
    return FolderWriter()
