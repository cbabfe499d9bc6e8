"""The whole of a recipe: what it may say, with every mistake in it reported at once and by its place."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from synthharm.errors import SynthharmError
from synthharm.yamlfile import Document, parse_override, parse_yaml

Share = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=1, le=2**31 - 1)]


Split = Annotated[
    Annotated[dict[str, Share], Tag("shares")] | Annotated[Literal["source"], Tag("source")],
    Discriminator(lambda value: "source" if isinstance(value, str) else "shares"),
]


class Section(BaseModel):
    """Part of a recipe: strict, and closed to unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


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
    spans: dict[str, float] = Field({}, description="By argument, how far from neutral it is drawn.")

    @model_validator(mode="after")
    def _is_a_chain(self) -> Chain:
        from synthharm.filters import FilterChain

        try:
            FilterChain(self.filters, self.statistics, self.spans)
        except ValueError as error:
            raise PydanticCustomError("chain", "{problem}", {"problem": str(error)}) from error
        return self


class Draw(Section):
    """What drawn arguments may cost."""

    unrecoverable: Share = Field(0.005, description="Largest share of the foreground that need not come back.")
    recovery: float = Field(35.0, ge=0, description="Least PSNR in dB of what comes back after rounding.")


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
    compression: int = Field(3, ge=0, le=9, description="Of PNG: 0 is fastest, 9 smallest.")


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
    draw: Draw = Draw()
    encoding: Encoding = Encoding()
    writer: Annotated[FolderLayout | IHarmony4Layout, Field(discriminator="format")]
    split: Split = Field(
        {"train": 1.0}, description="Shares of the photos by split, or `source` for the source's own split."
    )
    shard: int = Field(64, ge=1, le=100_000, description="Samples per unit of work.")

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


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, a YAML file, with overrides such as `chain.statistics=foreground` on top.

    A relative data root is taken from the recipe's folder; one in an override from the working directory.

    Raises:
        SynthharmError: the file cannot be read, or what it says is not a recipe. Every mistake is listed, with its
            place in the file, what was found and what is accepted.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SynthharmError(f"recipe {path}: cannot be read: {error}") from error
    document = parse_yaml(text, str(path))
    folder = path.parent
    for override in overrides:
        keys, value = parse_override(override)
        if keys == ["data"]:
            folder = Path()
        document = document.replaced(keys, value, f"--set {override}")
    recipe = check_recipe(document)
    return recipe.model_copy(update={"data": _locate_data(recipe, folder)})


def check_recipe(document: Document) -> Recipe:
    """The recipe that a document says. Raises SynthharmError with all that is wrong with it."""
    try:
        return Recipe.model_validate_json(json.dumps(document.value))
    except ValidationError as error:
        problems = [_describe(document, dict(e)) for e in error.errors()]
    raise SynthharmError(
        f"recipe {document.name}: {len(problems)} mistake{'s' * (len(problems) > 1)}\n  " + "\n  ".join(problems)
    )


def _locate_data(recipe: Recipe, folder: Path) -> str:
    """The data root as an absolute path, from a folder; what is not there may name a Hugging Face dataset."""
    path = os.path.abspath(folder / recipe.data)
    if isinstance(recipe.source, HuggingFace) and not os.path.exists(path):
        return recipe.data
    return path


def _describe(document: Document, error: dict[str, Any]) -> str:
    keys = document.path_of(error["loc"])
    name = ".".join(map(str, keys)) or "the recipe"
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _keys_beside(error["loc"])
        near = get_close_matches(str(keys[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        problem = f"unknown key; {hint}accepted here: {', '.join(known)}"
    elif kind == "missing" and isinstance(error["loc"][-1], int):
        problem = f"is {error['input']!r}; {error['loc'][-1] + 1} values are accepted"
    elif kind == "missing":
        problem = "is missing"
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        found = error["ctx"].get("tag")
        accepted = error["ctx"].get("expected_tags", ", ".join(_tags(keys)))
        problem = f"format is {found!r}; accepted: {accepted}" if found else f"needs a format: {accepted}"
    elif kind in ("chain", "agree"):
        problem = error["msg"]
    else:
        problem = f"is {error['input']!r}; {error['msg'][0].lower()}{error['msg'][1:]}"
    return f"{document.place_of(keys)}: {name}: {problem}"


def _tags(keys: Sequence[str | int]) -> list[str]:
    models = _models_at(keys)
    return [repr(get_args(m.model_fields["format"].annotation)[0]) for m in models]


def _keys_beside(loc: Sequence[str | int]) -> list[str]:
    models = _models_at(loc[:-1])
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def _models_at(loc: Sequence[str | int]) -> list[type[BaseModel]]:
    """The models that a place in a recipe may hold; a tag in the place chooses one of a union."""
    models: list[type[BaseModel]] = [Recipe]
    for key in loc:
        fields = [m.model_fields[key] for m in models if isinstance(key, str) and key in m.model_fields]
        if fields:
            kinds = [kind for f in fields for kind in (get_args(f.annotation) or (f.annotation,))]
            models = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        else:
            models = [m for m in models if key in get_args(m.model_fields["format"].annotation)] or models
    return models


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema of recipes, for editors."""
    return Recipe.model_json_schema()
