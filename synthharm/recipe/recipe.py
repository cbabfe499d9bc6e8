"""The whole of a recipe."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from synthharm.recipe.draws import Draw, ScoresDraw, SpanDraw
from synthharm.recipe.section import Section, Share
from synthharm.recipe.sources import Coco, Folder, HuggingFace, IHarmony4, Selection

Split = Annotated[
    Annotated[dict[str, Share], Tag("shares")] | Annotated[Literal["source"], Tag("source")],
    Discriminator(lambda value: "source" if isinstance(value, str) else "shares"),
]


class Chain(Section):
    """The filters that are undone on a region."""

    filters: list[str] = Field(
        ["temperature", "brightness", "contrast", "saturation", "highlight", "shadow"],
        min_length=1,
        description="Filters by name, in the order in which they harmonize.",
    )
    statistics: Literal["image", "foreground"] = Field(
        "image", description="What the means in the filters are taken over; the published network needs image."
    )
    spans: dict[str, float] = Field(
        {}, description="By argument, how far from neutral it is drawn; by difficulty up to twice."
    )

    @model_validator(mode="after")
    def _is_a_chain(self) -> Chain:
        from synthharm.filters import FilterChain

        try:
            FilterChain(self.filters, self.statistics, self.spans)
        except ValueError as error:
            raise PydanticCustomError("chain", "{problem}", {"problem": str(error)}) from error
        return self


class Retouch(Section):
    """One region of a photo, disharmonized where it stands."""

    kind: Literal["retouch"] = "retouch"
    soft: bool = Field(False, description="Keep the grey levels of soft masks; else masks are cut at one half.")
    feather: float = Field(0.0, ge=0, le=100, description="Soften the mask's edge over this radius, in pixels.")


class Encoding(Section):
    """How images are written."""

    format: Literal["png", "png16", "jpeg"] = Field("png", description="8-bit PNG, 16-bit PNG or JPEG.")
    quality: int = Field(95, ge=1, le=100, description="Of JPEG.")
    subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = Field("4:4:4", description="Of JPEG's colour.")
    compression: int = Field(1, ge=0, le=9, description="Of PNG: 0 is fastest, 9 smallest.")


class FolderLayout(Section):
    """images/, masks/, reals/ and metadata.parquet."""

    format: Literal["folder"]


class IHarmony4Layout(Section):
    """The layout of iHarmony4, with one subset."""

    format: Literal["iharmony4"]
    subset: str = Field("HSynth", pattern=r"^[A-Za-z0-9]+$", description="The name of the subset.")


class Recipe(Section):
    """What a dataset is made from, and how.

    Example:
        >>> recipe = Recipe.model_validate(
        ...     {"samples": 10, "data": "photos", "source": {"format": "coco"}, "writer": {"format": "folder"}}
        ... )
        >>> recipe.draw.recovery, recipe.encoding.format
        (35.0, 'png')
    """

    samples: int = Field(ge=1, description="How many samples to make.")
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed, the same dataset.")
    data: str = Field(description="The data root: a folder, from this file; or a Hugging Face dataset.")
    source: Annotated[Coco | Folder | IHarmony4 | HuggingFace, Field(discriminator="format")]
    select: Selection = Selection()
    composite: Retouch = Retouch()
    chain: Chain = Chain()
    draw: Draw = Field(SpanDraw(), description="How arguments are drawn: by the mode, which is span by default.")
    encoding: Encoding = Encoding()
    writer: Annotated[FolderLayout | IHarmony4Layout, Field(discriminator="format")]
    split: Split = Field(
        {"train": 1.0}, description="Shares of the photos by split, or `source` for the source's own split."
    )
    shard: int = Field(64, ge=1, le=100_000, description="Samples per unit of work.")

    @field_validator("draw")
    @classmethod
    def _cells_fit(cls, value: Draw, info: ValidationInfo) -> Draw:
        from synthharm.filters import FilterChain

        chain = info.data.get("chain")
        if isinstance(value, ScoresDraw) and chain is not None:
            misfits = value.misfits(FilterChain(chain.filters, chain.statistics, chain.spans))
            wrong = [
                InitErrorDetails(
                    type=PydanticCustomError("agree", "{problem}", {"problem": problem}), loc=place, input=None
                )
                for place, problem in misfits
            ]
            if wrong:
                raise ValidationError.from_exception_data(cls.__name__, wrong)
        return value

    @field_validator("split")
    @classmethod
    def _shares_add_up(cls, value: dict[str, float] | str) -> dict[str, float] | str:
        if isinstance(value, dict) and abs(sum(value.values()) - 1) > 1e-9:
            raise PydanticCustomError("split", "shares that add up to 1 are accepted")
        if isinstance(value, dict) and (bad := [n for n in value if not n.replace("_", "").isalnum()]):
            raise PydanticCustomError("split", "{bad} is no name for a split", {"bad": repr(bad[0])})
        return value

    @field_validator("writer")
    @classmethod
    def _encoding_fits(cls, value: FolderLayout | IHarmony4Layout, info: ValidationInfo) -> Any:
        encoding = info.data.get("encoding")
        if isinstance(value, IHarmony4Layout) and encoding is not None and encoding.format != "jpeg":
            raise PydanticCustomError("agree", "the layout iharmony4 is of JPEG files: encoding.format: jpeg")
        return value

    @field_validator("split")
    @classmethod
    def _split_fits(cls, value: dict[str, float] | str, info: ValidationInfo) -> dict[str, float] | str:
        source, writer = info.data.get("source"), info.data.get("writer")
        if value == "source" and source is not None and not isinstance(source, IHarmony4):
            raise PydanticCustomError("agree", "source needs a source with splits of its own: iharmony4")
        if isinstance(value, dict) and isinstance(writer, IHarmony4Layout) and not set(value) <= {"train", "test"}:
            raise PydanticCustomError("agree", "the layout iharmony4 has the splits train and test")
        return value
