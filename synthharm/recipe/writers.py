"""The formats that a splicing dataset may be written in besides its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from synthharm.recipe.section import Section


class ImdlBenCo(Section):
    """IMDL-BenCo: Tp/, Gt/ and Au/ by split, and JSON lists with absolute paths."""

    format: Literal["imdlbenco"]


class CocoInstances(Section):
    """COCO instances: one annotation for each region, as RLE."""

    format: Literal["coco"]


class HuggingFaceParquet(Section):
    """Parquet shards for Hugging Face datasets."""

    format: Literal["huggingface"]
    rows: int = Field(500, ge=1, description="Samples in a file at most.")


class ImageFolder(Section):
    """Hugging Face's ImageFolder."""

    format: Literal["imagefolder"]


class WebDataset(Section):
    """Tar shards for WebDataset."""

    format: Literal["webdataset"]
    rows: int = Field(500, ge=1, description="Samples in a shard at most.")


class CatNet(Section):
    """The text lists of CAT-Net and TruFor."""

    format: Literal["catnet"]


class MMSegmentation(Section):
    """img_dir/ and ann_dir/ with ids 0 and 1."""

    format: Literal["mmsegmentation"]
    ignore_boundary: bool = Field(False, description="Whether the band around masks has the id 255.")


FormatSection = Annotated[
    ImdlBenCo | CocoInstances | HuggingFaceParquet | ImageFolder | WebDataset | CatNet | MMSegmentation,
    Field(discriminator="format"),
]
