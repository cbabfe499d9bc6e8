"""What happens to pictures after they were composed, as a recipe has it: steps with ranges to draw from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from synthharm.recipe.section import Range, Section, Share

Quality = Annotated[int, Field(ge=1, le=100)]
Factor = Annotated[float, Field(ge=0.05, le=4)]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
Interpolation = Literal["area", "linear", "cubic", "lanczos"]
Preset = Literal["facebook", "facebook_960", "instagram", "telegram", "twitter", "whatsapp"]


class ResizeStep(Section):
    """To another size."""

    step: Literal["resize"]
    factor: Range[Factor] = Field(description="Lowest and highest, of both sides.")
    interpolation: list[Interpolation] = Field(
        ["area", "linear", "cubic"], min_length=1, description="One of them."
    )


class CropStep(Section):
    """To a part; the corner is drawn so that JPEG's grid of 8 x 8 pixels shifts."""

    step: Literal["crop"]
    keep: Range[Share] = Field((0.8, 1.0), description="Lowest and highest share of each side that stays.")


class JpegSave(Section):
    """As JPEG: by quality, or by the tables of cameras."""

    quality: Range[Quality] = Field((70, 95), description="Lowest and highest.")
    cameras: Share = Field(0.0, description="How often a camera's tables and subsampling are taken instead.")
    subsampling: list[Subsampling] = Field(["4:2:0", "4:4:4"], min_length=1, description="One of them.")


class JpegStep(JpegSave):
    """Saved as JPEG on the way."""

    step: Literal["jpeg"]


class WebpStep(Section):
    """Saved as lossy WebP on the way."""

    step: Literal["webp"]
    quality: Range[Quality] = Field((70, 95), description="Lowest and highest.")


class NoiseStep(Section):
    """Gaussian noise, in levels of 255."""

    step: Literal["noise"]
    sigma: Range[Annotated[float, Field(gt=0, le=50)]] = Field(description="Lowest and highest.")


class BlurStep(Section):
    """A Gaussian, in pixels."""

    step: Literal["blur"]
    sigma: Range[Annotated[float, Field(gt=0, le=20)]] = Field(description="Lowest and highest.")


class FiltersStep(Section):
    """White-box filters over the whole picture: an edit, and no manipulation."""

    step: Literal["filters"]
    filters: list[str] = Field(
        ["temperature", "brightness", "contrast", "saturation"], min_length=1, description="By name, in order."
    )
    strength: Share = Field(0.5, description="How much of each argument's span is drawn from.")

    @model_validator(mode="after")
    def _are_filters(self) -> FiltersStep:
        from synthharm.filters import FilterChain
        from synthharm.filters.fused import why_not_compiled

        try:
            unknown = why_not_compiled(FilterChain(self.filters))
        except ValueError as error:
            raise PydanticCustomError("chain", "{problem}", {"problem": str(error)}) from error
        if unknown:
            raise PydanticCustomError("chain", "{problem}", {"problem": unknown})
        return self


class PresetStep(Section):
    """What a social network does to a picture: a smaller size, and a save."""

    step: Literal["preset"]
    networks: list[Preset] = Field(min_length=1, description="One of them.")


Step = Annotated[
    ResizeStep | CropStep | JpegStep | WebpStep | NoiseStep | BlurStep | FiltersStep | PresetStep,
    Field(discriminator="step"),
]


class History(Section):
    """Steps in their order, and how many of the pictures go through them."""

    name: str = Field(pattern=r"^[A-Za-z0-9 _-]+$", max_length=40, description="What the records call it.")
    share: Share = Field(description="Of the samples.")
    steps: list[Step] = Field([], description="In their order; the last save is not among them.")


class JpegEncoding(JpegSave):
    """The save that makes the file, the same for every kind."""

    format: Literal["jpeg"] = "jpeg"


class PngEncoding(Section):
    """8-bit PNG."""

    format: Literal["png"]
    compression: int = Field(1, ge=0, le=9, description="0 is fastest, 9 smallest.")
