"""How arguments are drawn."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from synthharm.recipe.section import Section, Share

PerCent = Annotated[float, Field(gt=0, lt=1)]
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
    quantiles: list[tuple[PerCent, Positive]] = Field(
        [(0.05, 187.0), (0.25, 455.0), (0.5, 905.0), (0.75, 1843.0), (0.95, 4578.0)],
        description="Pairs of a probability and a foreground MSE on 0..255; by default iHarmony4's test set.",
    )

    @model_validator(mode="after")
    def _increase(self) -> DifficultyDraw:
        from synthharm.filters.drawing import Difficulty

        try:
            Difficulty(self.quantiles)
        except ValueError as error:
            raise PydanticCustomError("chain", "{problem}", {"problem": str(error)}) from error
        return self


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


class ScoresDraw(DrawSection):
    """More from the boxes of arguments that scored high: from a scores file, or as they stand here."""

    mode: Literal["scores"]
    file: str | None = Field(None, description="A scores file, from this file; its cells replace those here.")
    floor: float = Field(0.2, gt=0, le=1, description="The share of draws that is uniform in the spans.")
    cells: list[CellSection] = Field([], description="The boxes.")

    @model_validator(mode="after")
    def _has_cells(self) -> ScoresDraw:
        if not self.file and not self.cells:
            raise PydanticCustomError("chain", "needs a file, or cells")
        return self


def _mode(value: Any) -> Any:
    return value.get("mode", "span") if isinstance(value, dict) else getattr(value, "mode", None)


Draw = Annotated[
    Annotated[SpanDraw, Tag("span")]
    | Annotated[GamutDraw, Tag("gamut")]
    | Annotated[DifficultyDraw, Tag("difficulty")]
    | Annotated[ReferenceDraw, Tag("reference")]
    | Annotated[ScoresDraw, Tag("scores")],
    Discriminator(_mode),
]
