"""Arguments: the numbers that steer a chain of filters, with their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Arguments:
    """The numbers that steer a chain, one row per image.

    Args:
        columns: names in the chain's order: the filter's, or `filter.parameter` where it has several.
        values: (N, K), one column per name.
        kept: (N,), 0 to 1: how much of what was first drawn was kept for the region to stay recoverable. 1 as
            drawn (or given by hand); 0 means that nothing could be kept and the values are neutral.
        attempts: (N,), how many draws it took; 0 if given by hand.
        wanted: (N,), the foreground MSE that the draw aimed at; NaN where it aimed at none.

    Example:
        >>> arguments = Arguments(("brightness", "contrast"), torch.tensor([[0.25, -0.5]]))
        >>> arguments["contrast"]
        tensor([-0.5000])
        >>> arguments.as_dicts()
        [{'brightness': 0.25, 'contrast': -0.5}]
    """

    columns: tuple[str, ...]
    values: Tensor
    kept: Tensor
    attempts: Tensor
    wanted: Tensor

    def __init__(
        self,
        columns: tuple[str, ...],
        values: Tensor,
        kept: Tensor | None = None,
        attempts: Tensor | None = None,
        wanted: Tensor | None = None,
    ) -> None:
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "values", values)
        if self.values.ndim != 2 or self.values.shape[1] != len(self.columns):
            raise ValueError(
                f"arguments have shape {tuple(self.values.shape)}; "
                f"(N, {len(self.columns)}) is accepted for {', '.join(self.columns)}"
            )
        by_hand = torch.zeros(len(values), dtype=torch.int64)
        object.__setattr__(self, "kept", torch.ones(len(values)) if kept is None else kept)
        object.__setattr__(self, "attempts", by_hand if attempts is None else attempts)
        object.__setattr__(self, "wanted", torch.full((len(values),), torch.nan) if wanted is None else wanted)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, column: str) -> Tensor:
        if column not in self.columns:
            raise KeyError(f"no argument is called {column!r}; there are {', '.join(self.columns)}")
        return self.values[:, self.columns.index(column)]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.values)

    def as_dicts(self) -> list[dict[str, float]]:
        """One plain dictionary per image, in float64, for a record."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.values.double().tolist()]
