"""Where photos come from, and which of their regions are used."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from synthharm.recipe.section import Pixels, Section, Share


class SourceSection(Section):
    """What every source takes."""

    max_pixels: int = Field(100_000_000, ge=1, description="Photos with more pixels are rejected unopened.")


class Coco(SourceSection):
    """COCO instances: one JSON file of annotations and a folder of images (LVIS as well)."""

    format: Literal["coco"]
    annotations: str = Field("instances.json", description="The JSON file, from the data root.")
    images: str = Field("images", description="The folder of images, from the data root.")
    crowds: bool = Field(False, description="Whether crowd annotations are used too.")


class Folder(SourceSection):
    """A folder of images and one of masks, paired by name."""

    format: Literal["folder"]
    images: str = Field("images", description="The folder of images, from the data root.")
    masks: str = Field("masks", description="The folder of masks; may be the same.")
    mask_name: str = Field("{stem}", description="A mask's name without suffix; * matches anything.")
    licence: str | None = Field(None, description="The licence of all photos.")
    attribution: str | None = Field(None, description="Whom to name for all photos.")

    @field_validator("mask_name")
    @classmethod
    def _has_stem(cls, value: str) -> str:
        if "{stem}" not in value:
            raise PydanticCustomError("mask_name", "a name with {stem} in it is accepted")
        return value


class IHarmony4(SourceSection):
    """The real images and masks of iHarmony4, or of any dataset in its layout."""

    format: Literal["iharmony4"]
    split: Literal["train", "test", "all"] = Field("train", description="Whose lists are read.")
    subsets: list[str] | None = Field(None, description="Subsets by name; all found by default.")


class HuggingFace(SourceSection):
    """A Hugging Face dataset with an image and a mask column."""

    format: Literal["huggingface"]
    split: str = Field("train", description="The split to read.")
    image: str = Field("image", description="The column of images.")
    mask: str = Field("mask", description="The column of masks.")
    category: str | None = Field(None, description="The column of categories, if there is one.")
    stream: bool = Field(False, description="Read the rows as a stream, keeping them in a local cache.")
    limit: int | None = Field(None, ge=1, description="At most this many rows.")


class Selection(Section):
    """Which regions are used; every limit is included."""

    categories: list[str] | None = Field(None, min_length=1, description="By name; all by default.")
    area_share: tuple[Share, Share] = Field((0.0, 1.0), description="A region's share of its photo's area.")
    side: tuple[Pixels, Pixels] = Field((1, 2**31 - 1), description="No side of a photo is outside this, pixels.")

    @field_validator("area_share", "side")
    @classmethod
    def _in_order(cls, value: tuple[float, float]) -> tuple[float, float]:
        if value[0] > value[1]:
            raise PydanticCustomError("in_order", "lowest, then highest is accepted")
        return value
