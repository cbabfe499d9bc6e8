"""What every part of a recipe is."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Share = Annotated[float, Field(ge=0, le=1)]
Pixels = Annotated[int, Field(ge=1, le=2**31 - 1)]

Number = TypeVar("Number", int, float)
Key = TypeVar("Key", bound=str)


def in_order(value: Any) -> Any:
    """Refuse a range whose end is before its start."""
    if value[0] > value[1]:
        raise PydanticCustomError("in_order", "lowest, then highest is accepted")
    return value


def whole(value: Any) -> Any:
    """Refuse shares that do not add up to 1."""
    if abs(sum(value.values()) - 1) > 1e-9:
        raise PydanticCustomError("split", "shares that add up to 1 are accepted")
    return value


Range = Annotated[tuple[Number, Number], AfterValidator(in_order)]
Shares = Annotated[dict[Key, Share], Field(min_length=1), AfterValidator(whole)]


class Section(BaseModel):
    """Part of a recipe: strict, and closed to unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
