"""How arguments are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from synthharm.recipe.section import Section, Share

if TYPE_CHECKING:
    from synthharm.filters import FilterChain

MOST_NUMBERS = 9_000  # in cells: with the rest of a recipe they stay below what a file may hold

Probability = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, le=255**2)]
Column = Annotated[str, Field(min_length=1)]


class DrawSection(Section):
    """What drawn arguments may cost."""

    unrecoverable: Share = Field(0.005, description="Largest share of the foreground that need not come back.")
    recovery: float = Field(35.0, ge=0, description="Least PSNR in dB of what comes back after rounding.")


class SpanDraw(DrawSection):
    """Uniform in the spans; what costs too much is drawn again."""

    mode: Literal["span"] = "span"


class GamutDraw(DrawSection):
    """As much of each argument's span as stays recoverable."""

    mode: Literal["gamut"]


class DifficultyDraw(DrawSection):
    """Composites whose foreground MSE follows a wanted distribution."""

    mode: Literal["difficulty"]
    quantiles: list[tuple[Probability, Positive]] = Field(
        [(0.05, 187.0), (0.25, 455.0), (0.5, 905.0), (0.75, 1843.0), (0.95, 4578.0)],
        description="Pairs of a probability and a foreground MSE on 0..255; by default iHarmony4's test set.",
    )

    @field_validator("quantiles")
    @classmethod
    def _increase(cls, value: list[tuple[float, float]]) -> list[tuple[float, float]]:
        from synthharm.filters.drawing import Difficulty

        try:
            Difficulty(value)
        except ValueError as error:
            raise PydanticCustomError("chain", "{problem}", {"problem": str(error)}) from error
        return value


class ReferenceDraw(DrawSection):
    """Fitted so that the region takes the colours of another photo's region, or of its surroundings."""

    mode: Literal["reference"]
    toward: Literal["category", "surroundings"] = Field(
        "category",
        description="The colours of a region of the same category, or of what surrounds some region.",
    )


class CellSection(Section):
    """A box in the space of arguments, and how much of the draws it gets."""

    box: dict[Column, tuple[float, float]] = Field(min_length=1, description="By argument, lowest and highest.")
    score: float = Field(ge=0, description="Draws are shared out in proportion to it.")

    @model_validator(mode="after")
    def _is_a_cell(self) -> CellSection:
        from synthharm.filters.drawing import Cell

        try:
            Cell(self.box, self.score)
        except ValueError as error:
            raise PydanticCustomError("chain", "{problem}", {"problem": str(error)}) from error
        return self


class ScoresDraw(DrawSection):
    """More from the boxes of arguments that scored high: from a scores file, or as they stand here."""

    mode: Literal["scores"]
    file: str | None = Field(
        None, min_length=1, description="A scores file, from this file; its cells and floor replace those here."
    )
    floor: float = Field(0.2, gt=0, le=1, description="The share of draws that is uniform in the spans.")
    cells: list[CellSection] = Field([], validate_default=True, description="The boxes.")

    @field_validator("cells")
    @classmethod
    def _can_be_drawn(cls, value: list[CellSection], info: ValidationInfo) -> list[CellSection]:
        if not value and info.data.get("file", "unknown") is None:
            raise PydanticCustomError("chain", "is empty, and no file is named; one of the two is accepted")
        if value and not any(cell.score for cell in value):
            raise PydanticCustomError("chain", "has no score above 0; at least one is accepted")
        numbers = sum(3 + 3 * len(cell.box) for cell in value)
        if numbers > MOST_NUMBERS:
            found = {"cells": len(value), "numbers": numbers, "most": MOST_NUMBERS}
            raise PydanticCustomError(
                "chain", "holds {cells} cells of {numbers} values; up to {most} values are accepted", found
            )
        return value

    def misfits(self, chain: FilterChain) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """What in the cells does not fit a chain: where in this section, and what is wrong with it."""
        parameters = dict(zip(chain.columns, chain.parameters, strict=True))
        reachable, known = False, True
        for number, cell in enumerate(self.cells):
            inside = cell.score > 0
            for column, (lowest, highest) in cell.box.items():
                place = ("cells", number, "box", column)
                parameter = parameters.get(column)
                if parameter is None:
                    yield place, f"no argument is called so; there are {', '.join(parameters)}"
                    known = False
                    continue
                if lowest < parameter.low or highest > parameter.high:
                    yield place, f"is {lowest} to {highest}; {parameter.low} to {parameter.high} is accepted"
                    known = False
                span = chain.spans.get(column, parameter.span)
                outside = lowest >= parameter.neutral + span or highest <= parameter.neutral - span
                inside = inside and (span == 0 or not outside)
            reachable = reachable or inside
        if self.cells and known and not reachable:
            yield ("cells",), "no box with a score reaches into the spans; at least one is accepted"


def draw_mode(value: Any) -> Any:
    """The mode of a draw, for choosing its section."""
    return value.get("mode", "span") if isinstance(value, dict) else getattr(value, "mode", "span")


Draw = Annotated[
    Annotated[SpanDraw, Tag("span")]
    | Annotated[GamutDraw, Tag("gamut")]
    | Annotated[DifficultyDraw, Tag("difficulty")]
    | Annotated[ReferenceDraw, Tag("reference")]
    | Annotated[ScoresDraw, Tag("scores")],
    Discriminator(draw_mode),
]
