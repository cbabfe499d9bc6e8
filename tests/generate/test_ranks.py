"""Parts: several processes that do not know each other make one dataset, and the last finishes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from held_runs import HeldRuns
from hypothesis import given
from hypothesis import strategies as st
from small_datasets import tree, write_photos, write_recipe

from synthharm.errors import SynthharmError
from synthharm.generate import check_dataset, generate
from synthharm.generate.dataset import Dataset
from synthharm.generate.running.part import Part
from synthharm.generate.running.watch import FINISHED, FINISHING, MAKING, State
from synthharm.recipe import load_recipe


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = write_photos(tmp_path_factory.mktemp("photos"))
    return write_recipe(photos / "recipe.yaml", photos)


@given(st.integers(1, 50), st.integers(0, 500))
def test_the_parts_make_up_the_whole(world_size: int, total: int) -> None:
    parts = [list(Part(rank, world_size).shards(total)) for rank in range(world_size)]
    assert sorted(shard for part in parts for shard in part) == list(range(total))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert len({Part(rank, world_size).name for rank in range(world_size)}) == world_size


@pytest.mark.parametrize(("rank", "world_size"), [(0, 0), (3, 3), (-1, 3), (1, 1)])
def test_a_part_that_is_none_is_refused(rank: int, world_size: int, recipe: Path, tmp_path: Path) -> None:
    named = "world_size is 0; 1 or more" if not world_size else f"rank is {rank}; 0 to {world_size - 1}"
    with pytest.raises(SynthharmError, match=f"{named} is accepted"):
        generate(recipe, tmp_path / "dataset", rank=rank, world_size=world_size)
    assert tree(tmp_path) == {}


def test_three_ranks_in_any_order_make_the_same_bytes(
    recipe: Path, expected: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    first = generate(recipe, folder, rank=2, world_size=3)
    assert (first.left, first.numbers, first.continued) == (3, {}, 0)
    assert Dataset(folder).done_shards() == {2}
    with pytest.raises(SynthharmError, match="not finished"):
        list(check_dataset(folder))
    assert generate(recipe, folder, rank=0, world_size=3).left == 1  # of four shards
    last = generate(recipe, folder, rank=1, world_size=3)
    assert (last.left, last.missing, last.numbers["samples"]) == (0, 0, 12)
    assert tree(folder) == expected
    assert generate(recipe, folder, rank=1, world_size=3).numbers == last.numbers
    assert tree(folder) == expected


def test_ranks_of_two_recipes_that_begin_at_once_make_no_dataset_of_both(recipe: Path, tmp_path: Path) -> None:
    folder, mine, theirs = tmp_path / "dataset", load_recipe(recipe), load_recipe(recipe, ["seed=99"])
    with Dataset(folder).claimed(mine, Part(0, 2)), Dataset(folder).claimed(theirs, Part(1, 2)):
        Dataset(folder).begin(mine, "digest", "files")
        Dataset(folder).begin(mine, "digest", "files")
        with pytest.raises(SynthharmError, match=r"seed: [0-9]+ in the folder, 99 now"):
            Dataset(folder).begin(theirs, "digest", "files")
        with pytest.raises(SynthharmError, match="begun with other sources"):
            Dataset(folder).begin(mine, "another", "files")


def test_another_number_of_ranks_goes_on(recipe: Path, expected: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    generate(recipe, folder, rank=1, world_size=3)
    assert generate(recipe, folder, rank=0, world_size=2).left == 1  # of 1 and 3, 1 is done
    assert generate(recipe, folder).continued == 3
    assert tree(folder) == expected


def test_a_part_without_shards_is_done_at_once(recipe: Path, expected: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    assert generate(recipe, folder, rank=7, world_size=9).left == 4
    assert Dataset(folder).done_shards() == set()
    assert generate(recipe, folder).numbers["samples"] == 12
    assert tree(folder) == expected


def test_a_whole_run_and_a_rank_are_not_made_beside_each_other(recipe: Path, tmp_path: Path) -> None:
    folder, checked = tmp_path / "dataset", load_recipe(recipe)
    with Dataset(folder).claimed(checked, Part(0, 2)):
        with pytest.raises(SynthharmError, match=r"another run is writing into .*: rank-00000, by process"):
            generate(recipe, folder)
        with pytest.raises(SynthharmError, match=r"another run is writing into .*: rank-00000, by process"):
            generate(recipe, folder, rank=0, world_size=2)
    with (
        Dataset(folder).claimed(checked),
        pytest.raises(SynthharmError, match=r"another run is writing into .*: run, by process"),
    ):
        generate(recipe, folder, rank=1, world_size=2)


class Meanwhile:
    """Makes another part when the one that it is shown has come to a phase, with all its shards done."""

    def __init__(self, recipe: Path, folder: Path, phase: str, **part: int) -> None:
        self.recipe, self.folder, self.at, self.part = recipe, folder, phase, part
        self.left: int | None = None

    def show(self, state: State) -> None:
        if self.left is None and (state.phase, state.shards_done) == (self.at, state.shards):
            self.left = -1
            self.left = generate(self.recipe, self.folder, **self.part).left  # type: ignore[arg-type]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("phase", [MAKING, FINISHING, FINISHED])
def test_who_is_last_at_the_same_time_as_another_finishes_with_it(
    recipe: Path, expected: dict[str, str], tmp_path: Path, phase: str
) -> None:
    """The other part has nothing left to make; it finishes the dataset, finds it being finished, or finished."""
    folder = tmp_path / "dataset"
    generate(recipe, folder, rank=1, world_size=2)
    other = Meanwhile(recipe, folder, phase, rank=1, world_size=2)
    generate(recipe, folder, rank=0, world_size=2, views=[other])
    assert other.left == 0
    assert tree(folder) == expected


@pytest.mark.slow
def test_ranks_at_once_make_the_same_bytes(
    recipe: Path, expected: dict[str, str], held: HeldRuns, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    held.hold(0, 3)
    ranks = [
        held.synthharm("generate", recipe, "--output", folder, "--rank", rank, "--world-size", 3)
        for rank in range(2)
    ]
    held.reached(0, ranks[0])
    held.reached(3, ranks[1])
    with pytest.raises(SynthharmError, match=r"another run is writing into .*: rank-00001, by process"):
        generate(recipe, folder, rank=1, world_size=3)
    with pytest.raises(SynthharmError, match=r"another run is writing into .*: rank-0000[01], by process"):
        generate(recipe, folder)
    third = generate(recipe, folder, rank=2, world_size=3)
    assert third.left == 3
    held.release()
    assert [rank.ends() for rank in ranks] == [0, 0], [rank.text for rank in ranks]
    assert tree(folder) == expected
