"""The whole of a recipe for a splicing dataset."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from synthharm.recipe.draws import Draw, ReferenceDraw, SpanDraw
from synthharm.recipe.histories import History, JpegEncoding, JpegStep, PngEncoding
from synthharm.recipe.manipulation import Distance, Edges, Grids, Licences, Placement, Quotas, Removal
from synthharm.recipe.recipe import Chain
from synthharm.recipe.section import Range, Section, Share, Shares
from synthharm.recipe.sources import Coco, Folder, HuggingFace, IHarmony4, Selection
from synthharm.recipe.writers import FormatSection

Kind = Literal["authentic", "retouch", "splice", "harmonized_splice", "copy_move", "removal"]
Blending = Literal["alpha", "poisson", "mixed", "multiband"]
RESERVED = ("card", "croissant", "dataset", "extras", "format", "records")  # what formats have beside their splits
SPLIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
FAMILY = ("authentic", "authentic", "splice", "harmonized_splice")  # the kinds of a family's members


class SplicingRecipe(Section):
    """What a splicing dataset is made from, and how.

    Example:
        >>> recipe = SplicingRecipe.model_validate(
        ...     {
        ...         "samples": 10,
        ...         "data": "photos",
        ...         "source": {"format": "coco"},
        ...         "kinds": {"authentic": 0.5, "splice": 0.5},
        ...     }
        ... )
        >>> recipe.encoding.format, recipe.placement.support
        ('jpeg', 'category')
    """

    name: str = Field(
        "splicing",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$",
        max_length=64,
        description="What the dataset is called.",
    )
    samples: int = Field(ge=1, description="How many samples to make.")
    seed: int = Field(0, ge=0, lt=2**63, description="The same seed, the same dataset.")
    data: str = Field(description="The data root: a folder, from this file; or a Hugging Face dataset.")
    source: Annotated[Coco | Folder | IHarmony4 | HuggingFace, Field(discriminator="format")]
    select: Selection = Selection()
    licences: Licences = Licences()
    kinds: Shares[Kind] = Field(description="Shares of the samples by kind.")
    regions: Range[Annotated[int, Field(ge=1, le=20)]] = Field(
        (1, 1), description="Fewest and most regions in a manipulated sample."
    )
    placement: Placement = Placement()
    edges: Edges = Edges()
    blending: Shares[Blending] = Field(
        {"alpha": 0.7, "multiband": 0.15, "poisson": 0.15}, description="How regions are set into the picture."
    )
    colour: Shares[Literal["as_is", "chain"]] = Field(
        {"as_is": 0.7, "chain": 0.3}, description="Of splices and moved regions."
    )
    harmonized: Shares[Literal["reference", "reinhard", "harmonizer"]] = Field(
        {"reference": 0.6, "reinhard": 0.4}, description="Of harmonized splices."
    )
    strength: Range[Share] = Field(
        (0.4, 0.8),
        description="How far reference and reinhard go from its own colours to those around it.",
    )
    checkpoint: str | None = Field(
        None,
        min_length=1,
        validate_default=True,
        description="A Harmonizer: a folder, from this file, or a hub id.",
    )
    removal: Removal = Removal()
    chain: Chain = Chain()
    draw: Draw = Field(SpanDraw(), description="How the arguments of retouched regions are drawn.")
    families: Share = Field(
        0.0,
        description="Share of the samples that are families: target, donor, splice and harmonized splice.",
    )
    grids: Grids | None = Field(None, description="One splice several times, with one thing changed.")
    history: list[History] = Field(
        [History(name="none", share=1.0)],
        min_length=1,
        description="What happens before the last save.",
    )
    encoding: Annotated[JpegEncoding | PngEncoding, Field(discriminator="format")] = JpegEncoding()
    camera_tables: str | None = Field(
        None,
        min_length=1,
        validate_default=True,
        description="A file by `synthharm tables`, or a folder of photos.",
    )
    boundary: Distance = Field(2.0, description="Width of the band to ignore around masks, in pixels.")
    quotas: Quotas = Quotas()
    split: Shares[str] = Field({"train": 0.8, "val": 0.1, "test": 0.1}, description="Shares of the photos.")
    near_duplicates: int = Field(
        8, ge=0, le=20, description="Photos are alike, and kept together, up to so many different bits of 64."
    )
    writers: list[FormatSection] = Field([], description="Formats to write beside the dataset itself.")
    shard: int = Field(50, ge=1, le=100_000, description="Samples per unit of work.")

    @field_validator("checkpoint")
    @classmethod
    def _is_there_for_use(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and (info.data.get("harmonized") or {}).get("harmonizer"):
            raise PydanticCustomError("agree", "is missing; harmonized.harmonizer needs a checkpoint")
        return value

    @field_validator("draw")
    @classmethod
    def _draws_without_reference(cls, value: Draw) -> Draw:
        if isinstance(value, ReferenceDraw):
            raise PydanticCustomError("agree", "mode reference is not for this; see harmonized.reference")
        return value

    @field_validator("families")
    @classmethod
    def _families_fit(cls, value: float, info: ValidationInfo) -> float:
        kinds = info.data.get("kinds") or {}
        for kind in dict.fromkeys(FAMILY):
            part = value * FAMILY.count(kind) / len(FAMILY)
            if kinds and part > kinds.get(kind, 0) + 1e-9:
                found = {"kind": kind, "part": f"{part:g}", "share": f"{kinds.get(kind, 0):g}"}
                raise PydanticCustomError(
                    "agree", "they hold {part} of {kind}, whose share in kinds is {share}", found
                )
        return value

    @field_validator("grids")
    @classmethod
    def _grids_fit(cls, value: Grids | None, info: ValidationInfo) -> Grids | None:
        kinds, families = info.data.get("kinds") or {}, info.data.get("families") or 0.0
        left = kinds.get("splice", 0) - families / 4
        if value is not None and kinds and value.share > left + 1e-9:
            found = {"share": f"{value.share:g}", "left": f"{left:g}"}
            raise PydanticCustomError("agree", "its share is {share}; families leave {left} of the splices", found)
        if value is not None and set(value.colour) - {"as_is", "chain"} and not kinds.get("harmonized_splice", 1):
            raise PydanticCustomError("agree", "its colours make harmonized splices, of which kinds has none")
        if value is not None and "harmonizer" in value.colour and info.data.get("checkpoint") is None:
            raise PydanticCustomError("agree", "colour harmonizer needs a checkpoint")
        return value

    @field_validator("history")
    @classmethod
    def _histories_add_up(cls, value: list[History]) -> list[History]:
        if abs(sum(history.share for history in value) - 1) > 1e-9:
            raise PydanticCustomError("split", "shares that add up to 1 are accepted")
        if len({history.name for history in value}) < len(value):
            raise PydanticCustomError("split", "names that differ are accepted")
        return value

    @field_validator("camera_tables")
    @classmethod
    def _tables_are_named(cls, value: str | None, info: ValidationInfo) -> str | None:
        steps = [step for history in info.data.get("history") or [] for step in history.steps]
        saves = [step for step in [*steps, info.data.get("encoding")] if isinstance(step, JpegStep | JpegEncoding)]
        if value is None and any(save.cameras for save in saves):
            raise PydanticCustomError("agree", "is missing; a save by the tables of cameras needs it")
        return value

    @field_validator("encoding")
    @classmethod
    def _quality_can_vary(
        cls, value: JpegEncoding | PngEncoding, info: ValidationInfo
    ) -> JpegEncoding | PngEncoding:
        grids = info.data.get("grids")
        if isinstance(value, PngEncoding) and grids is not None and grids.quality:
            raise PydanticCustomError("agree", "PNG has no quality for grids.quality to vary; jpeg is accepted")
        return value

    @field_validator("split")
    @classmethod
    def _names_are_names(cls, value: dict[str, float]) -> dict[str, float]:
        if unused := [name for name, share in value.items() if not share]:
            raise PydanticCustomError("split", "{name} has a share of 0; leave it out", {"name": repr(unused[0])})
        if bad := [name for name in value if not SPLIT_NAME.fullmatch(name) or name in RESERVED]:
            raise PydanticCustomError("split", "{bad} is no name for a split", {"bad": repr(bad[0])})
        return value

    @field_validator("writers")
    @classmethod
    def _each_once(cls, value: list[Any]) -> list[Any]:
        names = [section.format for section in value]
        if len(set(names)) < len(names):
            raise PydanticCustomError("agree", "a format is named twice; each is accepted once")
        return value
