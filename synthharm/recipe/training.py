"""The whole of a recipe for training a Harmonizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from synthharm.recipe.draws import DifficultyDraw, GamutDraw, ScoresDraw, SpanDraw, draw_mode
from synthharm.recipe.section import Section, Share
from synthharm.recipe.sources import Coco, Folder, HuggingFace, IHarmony4, Selection

if TYPE_CHECKING:
    from synthharm.filters import FilterChain

PAPER = ["temperature", "brightness", "contrast", "saturation", "highlight", "shadow"]

Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class Network(Section):
    """What is trained."""

    checkpoint: str | None = Field(None, description="Start from this Harmonizer; its own settings hold.")
    encoder: str = Field("tf_efficientnet_b0", description="An image model of timm.")
    filters: list[str] = Field(PAPER, min_length=1, description="The chain whose arguments are predicted.")
    statistics: Literal["image", "foreground"] = Field("image", description="Of the means in the filters.")
    size: int = Field(256, ge=32, description="Height and width at which composites are seen and trained on.")
    cascade: bool = Field(True, description="Each filter's arguments after the ones before; else all at once.")
    pretrained: bool = Field(True, description="Begin with timm's weights, which are fetched once.")

    @model_validator(mode="after")
    def _is_a_network(self) -> Network:
        from synthharm.filters import FilterChain

        given = sorted(self.model_fields_set - {"checkpoint"})
        if self.checkpoint is not None and given:
            problem = f"checkpoint is set, and so is {given[0]}; a checkpoint has settings of its own"
            raise PydanticCustomError("chain", "{problem}", {"problem": problem})
        try:
            FilterChain(self.filters, self.statistics)
        except ValueError as error:
            raise PydanticCustomError("chain", "{problem}", {"problem": str(error)}) from error
        return self


class Augmentation(Section):
    """How a photo is varied before its composite is made."""

    rotate: bool = Field(True, description="Turn it by a quarter, a half, three quarters or not at all.")
    flip: bool = Field(True, description="Mirror it, one time in two.")
    jitter: tuple[Share, Share, Share, Annotated[float, Field(ge=0, le=0.5)]] = Field(
        (0.1, 0.1, 0.1, 0.03), description="Of brightness, contrast, saturation and hue, up to so much."
    )


LiveDraw = Annotated[
    Annotated[SpanDraw, Tag("span")]
    | Annotated[GamutDraw, Tag("gamut")]
    | Annotated[DifficultyDraw, Tag("difficulty")]
    | Annotated[ScoresDraw, Tag("scores")],
    Discriminator(draw_mode),
]


class LiveStream(Section):
    """Composites that are made of real photos while the network trains."""

    composites: Literal["live"]
    data: str = Field(description="The data root: a folder, from this file; or a Hugging Face dataset.")
    source: Annotated[Coco | Folder | IHarmony4 | HuggingFace, Field(discriminator="format")]
    select: Selection = Selection()
    batch: Count = Field(8, description="Samples of it in every batch.")
    part: Literal["train", "held out", "all"] = Field("train", description="The photos that are used.")
    held_out: float = Field(0.1, ge=0, lt=1, description="The share of the photos that is held out.")
    fold: int = Field(0, ge=0, description="Another number holds out other photos.")
    inverse: Literal["exact", "published"] = Field(
        "exact", description="How composites are made: published runs the filters in reverse order."
    )
    spans: dict[str, float] = Field({}, description="By argument, how far from neutral it is drawn.")
    draw: LiveDraw = Field(SpanDraw(), description="How arguments are drawn.")
    augmentation: Augmentation = Augmentation()
    made: Literal["by workers", "on the device"] = Field(
        "by workers", description="Where the filters are undone: by the loader's processes, or batchwise."
    )

    @field_validator("draw")
    @classmethod
    def _cells_stand_here(cls, value: Any) -> Any:
        if isinstance(value, ScoresDraw) and value.file is not None:
            raise PydanticCustomError("agree", "scores as cells are accepted here, not as a file")
        return value

    @model_validator(mode="after")
    def _agrees(self) -> LiveStream:
        if self.part == "held out" and not self.held_out:
            raise PydanticCustomError("agree", "part is held out, and held_out is 0: no photo is in it")
        if self.inverse == "published" and not isinstance(self.draw, SpanDraw):
            raise PydanticCustomError("agree", "the published way of making composites draws by span")
        if self.inverse == "published" and {"unrecoverable", "recovery"} & self.draw.model_fields_set:
            raise PydanticCustomError("agree", "the published way draws whatever it costs; draw takes no limits")
        if self.inverse == "published" and self.made == "by workers" and "made" in self.model_fields_set:
            raise PydanticCustomError("agree", "the published way makes composites on the device")
        return self


class StoredStream(Section):
    """Composites with their real images, as they lie on disk."""

    composites: Literal["stored"]
    data: str = Field(description="A dataset of synthharm, iHarmony4, or folders comp, image and mask.")
    split: str | None = Field("train", description="Which of its splits; all of them where it is null.")
    batch: Count = Field(8, description="Samples of it in every batch.")
    augmentation: Augmentation = Field(
        Augmentation(jitter=(0, 0, 0, 0)), description="Colours are not jittered: they are the composite's."
    )

    @field_validator("augmentation")
    @classmethod
    def _keeps_colours(cls, value: Augmentation) -> Augmentation:
        if any(value.jitter):
            raise PydanticCustomError("agree", "jitter: [0, 0, 0, 0] is accepted of stored composites")
        return value


Stream = Annotated[LiveStream | StoredStream, Field(discriminator="composites")]


class Loss(Section):
    """What is made small."""

    charbonnier: Weight = Field(1.0, description="Weight of the square root of the squared difference + 1e-6.")
    squared: Weight = Field(10.0, description="Weight of the squared difference.")
    weighting: Literal["dynamic", "uniform", "last"] | list[Weight] = Field(
        "dynamic", description="Of the filters: as published, all alike, the final image alone, or one each."
    )
    least_pixels: int = Field(0, ge=0, description="A smaller region's loss is spread over so many pixels.")
    stored: Weight = Field(10.0, description="Weight of the final image where no arguments are known.")
    arguments: Weight = Field(0.0, description="Weight of the arguments' own error, in spans.")

    @field_validator("squared")
    @classmethod
    def _compares(cls, value: float, info: ValidationInfo) -> float:
        if not value and not info.data.get("charbonnier", 1):
            raise PydanticCustomError("agree", "charbonnier or squared above 0 is accepted")
        return value

    @field_validator("weighting")
    @classmethod
    def _weighs(cls, value: Any) -> Any:
        if isinstance(value, list) and not any(value):
            raise PydanticCustomError("agree", "weights of which one at least is above 0 are accepted")
        return value


class StepSchedule(Section):
    """The rate falls by a factor after some epochs."""

    mode: Literal["step"]
    epochs: list[Count] = Field([25, 50], description="After which it falls.")
    factor: float = Field(0.1, gt=0, lt=1, description="By what.")


class CosineSchedule(Section):
    """The rate rises over a warm-up, and falls as half a cosine."""

    mode: Literal["cosine"]
    warmup: Share = Field(0.05, description="The share of all steps over which it rises.")
    floor: Share = Field(0.0, description="The share of the rate that is left at the end.")


class ConstantSchedule(Section):
    """The rate stays."""

    mode: Literal["constant"] = "constant"


class Optimizer(Section):
    """How weights are changed."""

    name: Literal["adam", "adamw"] = Field("adam", description="Kingma and Ba's, or with decoupled decay.")
    rate: float = Field(3e-4, gt=0, description="The learning rate.")
    weight_decay: float = Field(0.0, ge=0, description="Of all weights.")
    clip: float | None = Field(None, gt=0, description="The largest norm of a gradient.")
    schedule: Annotated[StepSchedule | CosineSchedule | ConstantSchedule, Field(discriminator="mode")] = (
        ConstantSchedule()
    )


def _some(value: dict[str, Any]) -> dict[str, Any]:
    for name in value:
        if not name.replace("_", "").isalnum():
            raise PydanticCustomError("agree", "{name} is no name for a stream", {"name": repr(name)})
    return value


Streams = Annotated[dict[str, Stream], Field(min_length=1), AfterValidator(_some)]


class Validation(Section):
    """What the best checkpoint is chosen by: the mean foreground MSE on samples that stay the same."""

    streams: Streams = Field(description="By name; none of them is trained on.")
    samples: Count = Field(256, description="Of each stream.")
    every: Count = Field(1, description="Epochs between two validations.")

    @field_validator("streams")
    @classmethod
    def _stay_the_same(cls, value: dict[str, Any]) -> dict[str, Any]:
        if varied := [name for name, stream in value.items() if "augmentation" in stream.model_fields_set]:
            problem = f"{varied[0]} has an augmentation; what is validated on is not varied"
            raise PydanticCustomError("agree", "{problem}", {"problem": problem})
        return value


class TrainingRecipe(Section):
    """How a Harmonizer is trained, and on what.

    Example:
        >>> live = {"composites": "live", "data": "photos", "source": {"format": "coco"}}
        >>> recipe = TrainingRecipe.model_validate(
        ...     {"streams": {"photos": live}, "validation": {"streams": {"photos": {**live, "part": "held out"}}}}
        ... )
        >>> recipe.epochs, recipe.loss.weighting, recipe.streams["photos"].batch
        (60, 'dynamic', 8)
    """

    seed: int = Field(0, ge=0, lt=2**63, description="Of weights, draws and order.")
    network: Network = Network()
    streams: Streams = Field(description="What a batch is made of, by name.")
    validation: Validation
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    epochs: Count = Field(60, description="How long.")
    steps_per_epoch: Count | None = Field(
        None, description="Batches; by default as many samples as the largest stream has regions."
    )
    ema: float | None = Field(None, gt=0, lt=1, description="Decay of the averaged weights that are kept.")
    precision: Literal["float32", "bf16"] = Field("float32", description="Of the network; filters are float32.")
    compile: bool = Field(False, description="Compile the network with torch.compile.")
    channels_last: bool = Field(False, description="Keep the colours of a pixel together in memory.")
    workers: int = Field(2, ge=0, le=256, description="Processes that make batches.")
    cache: int = Field(
        512,
        ge=0,
        description="Megabytes of photos, at the network's size, that each stream keeps in each process.",
    )
    log_every: Count = Field(10, description="Steps between two lines of the log.")
    save_every: Count = Field(500, description="Steps between two states to continue from.")

    @model_validator(mode="after")
    def _agrees(self) -> TrainingRecipe:
        from synthharm.filters import FilterChain

        network, problems = self.network, list(self._leaks())
        if network.checkpoint is None:
            problems += self.misfits(FilterChain(network.filters, network.statistics))
        if problems:
            raise PydanticCustomError("chain", "{problem}", {"problem": "; ".join(problems)})
        return self

    def misfits(self, chain: FilterChain) -> list[str]:
        """What in the recipe does not fit the chain whose arguments are predicted."""
        found, weighting = [], self.loss.weighting
        if isinstance(weighting, list) and len(weighting) != len(chain.filters):
            found.append(f"loss.weighting has {len(weighting)} weights; {len(chain.filters)} are accepted")
        for place, group in (("", self.streams), ("validation.", self.validation.streams)):
            for name, stream in group.items():
                if isinstance(stream, LiveStream):
                    found += [f"{place}streams.{name}.{problem}" for problem in _stream_misfits(stream, chain)]
        return found

    def _leaks(self) -> Iterator[str]:
        """What is validated on may not be trained on."""
        for name, held in self.validation.streams.items():
            for other, trained in self.streams.items():
                if not isinstance(held, LiveStream) or not isinstance(trained, LiveStream):
                    continue
                same = (held.data, held.source) == (trained.data, trained.source)
                apart = (held.part, trained.part) == ("held out", "train")
                if same and not (apart and (held.held_out, held.fold) == (trained.held_out, trained.fold)):
                    yield (
                        f"validation.streams.{name} may have photos of streams.{other}; of the same source, part: "
                        "held out there and part: train here are accepted, with the same held_out and fold"
                    )


def _stream_misfits(stream: LiveStream, chain: FilterChain) -> Iterator[str]:
    from synthharm.filters import FilterChain

    try:
        own = FilterChain(chain.filters, chain.statistics, stream.spans)
    except ValueError as error:
        yield f"spans: {error}"
        return
    if isinstance(stream.draw, ScoresDraw):
        for keys, problem in stream.draw.misfits(own):
            yield f"draw.{'.'.join(map(str, keys))}: {problem}"
