"""What a recipe says of manipulations: where regions go, how they are cut out and removed, how many of which."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from synthharm.recipe.section import Range, Section, Share, Shares

Distance = Annotated[float, Field(ge=0, le=50)]


class Placement(Section):
    """Where pasted regions go."""

    support: Literal["category", "anywhere"] = Field(
        "category",
        description="Where, and as large as, objects of the category are in the target or else the source.",
    )
    company: bool = Field(
        True, description="Whether objects are preferred that stand beside one of the target's in some photo."
    )
    scale: Range[Annotated[float, Field(gt=0, le=10)]] = Field(
        (0.8, 1.25), description="Lowest and highest: of the size that the support gives, or of its own."
    )
    enlarge: float = Field(1.5, ge=0.1, le=10, description="No region is enlarged more than this.")
    rotation: float = Field(8.0, ge=0, le=180, description="Up to so many degrees to either side.")
    flip: Share = Field(0.5, description="How often left and right are exchanged.")
    outside: Share = Field(0.0, description="Largest share of a region that may leave the picture.")
    cut_off: bool = Field(False, description="Whether regions that touch their photo's border are used.")


class Edges(Section):
    """How regions are cut out; distances in pixels, lowest and highest."""

    alpha: Shares[Literal["mask", "matte"]] = Field(
        {"matte": 0.85, "mask": 0.15}, description="Alpha estimated at the rim, or the mask as it is."
    )
    erosion: Range[Distance] = Field((0.0, 1.5), description="How far the rim moves inwards.")
    feather: Range[Distance] = Field((0.0, 2.0), description="How far the rim is softened inwards.")


class Removal(Section):
    """How regions are removed."""

    dilation: Range[Annotated[int, Field(ge=0, le=64)]] = Field(
        (3, 8), description="How far beyond the region, in pixels."
    )
    method: Shares[Literal["telea", "navier_stokes"]] = Field(
        {"telea": 0.6, "navier_stokes": 0.4}, description="OpenCV's methods of inpainting."
    )
    radius: Range[Annotated[int, Field(ge=1, le=64)]] = Field(
        (3, 7), description="How far inpainting looks, in pixels."
    )
    largest: Share = Field(0.04, description="No region with a larger share of its photo is removed.")


class Grids(Section):
    """One splice several times, with one thing changed; a list that is empty is not used."""

    share: Share = Field(description="Of the samples.")
    colour: list[Literal["as_is", "chain", "reference", "reinhard", "harmonizer"]] = Field(
        [], description="Of the region."
    )
    feather: list[Distance] = Field([], description="Of the rim, in pixels.")
    scale: list[Annotated[float, Field(gt=0, le=4)]] = Field([], description="Of the size that was drawn.")
    quality: list[Annotated[int, Field(ge=1, le=100)]] = Field(
        [], validate_default=True, description="Of the last save."
    )

    @field_validator("quality")
    @classmethod
    def _something_changes(cls, value: list[int], info: ValidationInfo) -> list[int]:
        lists = [value, *(info.data.get(name) or [] for name in ("colour", "feather", "scale"))]
        if not any(lists) and info.data.get("share"):
            raise PydanticCustomError("agree", "no list has values; colour, feather, scale or quality needs some")
        if any(len(one) == 1 for one in lists):
            raise PydanticCustomError("agree", "a list of one value changes nothing; two or more are accepted")
        return value


class AreaQuota(Section):
    """How many of the manipulated samples have a mask of a size."""

    range: Range[Share] = Field(description="Of the mask's share of the picture, when it is composed.")
    share: Share = Field(description="Of the manipulated samples.")


class Quotas(Section):
    """Shares of the manipulated samples to reach; what was reached is in dataset.json."""

    area: list[AreaQuota] = Field([], description="Sizes of masks; the shares add up to 1.")
    category: dict[str, Share] = Field({}, description="Categories of the first region; the rest is of any.")

    @field_validator("area")
    @classmethod
    def _adds_up(cls, value: list[AreaQuota]) -> list[AreaQuota]:
        if value and abs(sum(quota.share for quota in value) - 1) > 1e-9:
            raise PydanticCustomError("split", "shares that add up to 1 are accepted")
        return value

    @field_validator("category")
    @classmethod
    def _fits_in(cls, value: dict[str, float]) -> dict[str, float]:
        if sum(value.values()) > 1 + 1e-9:
            raise PydanticCustomError("split", "shares that add up to at most 1 are accepted")
        return value


class Licences(Section):
    """Which photos may be used. Never are those that forbid edits, nor two together that cannot be combined."""

    accept: list[str] = Field(
        ["*"], min_length=1, description="Patterns such as CC BY* or *Attribution License*; * is any, none too."
    )
    attribution: bool = Field(False, description="Whether every photo must name whom to attribute it to.")
