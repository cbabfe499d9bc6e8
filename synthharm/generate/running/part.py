"""A part of a dataset: the shards that one process of several makes, none of which knows the others."""

from __future__ import annotations

from dataclasses import dataclass

from synthharm.errors import SynthharmError

WHOLE, RANK, BEGIN, FINISH = "run", "rank-", "begin", "finish"  # names of claims


@dataclass(frozen=True)
class Part:
    """Every `world_size`-th shard, from number `rank` on.

    Args:
        rank: which of the parts, from 0.
        world_size: how many parts there are; one is the whole.

    Raises:
        SynthharmError: fewer than one part, or a rank that is none of theirs.

    Example:
        >>> list(Part(1, 3).shards(8))
        [1, 4, 7]
    """

    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if self.world_size < 1:
            raise SynthharmError(f"world_size is {self.world_size}; 1 or more is accepted")
        if not 0 <= self.rank < self.world_size:
            raise SynthharmError(f"rank is {self.rank}; 0 to {self.world_size - 1} is accepted")

    @property
    def whole(self) -> bool:
        """Whether it is all there is."""
        return self.world_size == 1

    @property
    def name(self) -> str:
        """Of its claim and its status."""
        return WHOLE if self.whole else f"{RANK}{self.rank:05d}"

    def rules_out(self, other: str) -> bool:
        """Whether it cannot be made while a claim of another name is held."""
        return True if self.whole else other == WHOLE

    def shards(self, total: int) -> range:
        """The numbers of its shards, of so many."""
        return range(self.rank, total, self.world_size)
