"""Draws are the same for any number of workers, and differ from epoch to epoch."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from live_datasets import SIZE, LivePhotos, SamePhoto, read_epoch, read_epochs, rows_of_images
from scenes import draw_mask, draw_photo
from torch.utils.data import DataLoader

from synthharm.composites import RandomComposite
from synthharm.composites.seeds import content_keys

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # on few processors
]


@pytest.fixture(scope="module")
def alone() -> list[dict[int, Any]]:
    """Two epochs without workers."""
    return read_epochs(0, None, persistent=False)


@pytest.mark.parametrize(
    ("workers", "context", "persistent"),
    [
        (1, "fork", False),
        (2, "fork", False),
        (2, "fork", True),
        (4, "fork", True),
        pytest.param(2, "spawn", True, marks=pytest.mark.slow),
    ],
)
def test_workers_draw_what_one_process_draws(
    workers: int, context: str, persistent: bool, alone: list[dict[int, Any]]
) -> None:
    assert read_epochs(workers, context, persistent) == alone


def test_epochs_and_seeds_differ_in_every_sample(alone: list[dict[int, Any]]) -> None:
    first, second = alone
    other = read_epochs(0, None, persistent=False, seed=6)[0]
    for sample in range(SIZE):
        assert len({first[sample], second[sample], other[sample]}) == 3


def test_an_index_takes_the_place_of_the_content() -> None:
    first, second = read_epochs(2, "fork", persistent=True, named=True)
    assert [first, second] == read_epochs(0, None, persistent=False, named=True)
    assert all(first[sample] != second[sample] for sample in range(SIZE))

    transform = RandomComposite()
    transform.set_epoch(0)
    assert len(set(read_epoch(DataLoader(SamePhoto(transform, named=True))).values())) == SIZE
    assert len(set(read_epoch(DataLoader(SamePhoto(transform, named=False))).values())) == 1


def test_a_worker_without_an_epoch_says_so() -> None:
    loader = DataLoader(LivePhotos(RandomComposite(), False), num_workers=1, multiprocessing_context="fork")
    with pytest.raises(RuntimeError, match=r"call set_epoch\(number\) in the main process"):
        next(iter(loader))


def test_one_process_without_an_epoch_draws_anew_each_time() -> None:
    transform = RandomComposite(seed=5)
    loader = DataLoader(LivePhotos(transform, False))
    first, second = read_epoch(loader), read_epoch(loader)
    assert all(first[sample] != second[sample] for sample in range(SIZE))
    assert transform.epoch is None
    again = DataLoader(LivePhotos(RandomComposite(seed=5), False))
    assert [read_epoch(again), read_epoch(again)] == [first, second]


def arguments_of(transform: RandomComposite) -> list[float]:
    return transform(draw_photo(1), draw_mask(1)).arguments.tolist()


def test_copies_share_the_epoch_and_pickles_keep_it() -> None:
    transform = RandomComposite(seed=3)
    copied, calls = copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))
    drawn = [arguments_of(transform), arguments_of(copied), arguments_of(transform)]
    assert len(set(map(tuple, drawn))) == 3  # a copy counts on
    assert arguments_of(calls) == drawn[0]  # a pickle counts anew
    transform.set_epoch(7)
    assert (copied.epoch, calls.epoch) == (7, None)
    pickled = pickle.loads(pickle.dumps(transform))
    assert pickled.epoch == 7
    assert arguments_of(pickled) == arguments_of(transform) == arguments_of(copied)
    pickled.set_epoch(8)
    assert transform.epoch == 7


def test_a_pickled_transform_reaches_its_workers_too() -> None:
    transform = pickle.loads(pickle.dumps(RandomComposite(seed=5)))
    loader = DataLoader(
        LivePhotos(transform, False), num_workers=1, persistent_workers=True, multiprocessing_context="fork"
    )
    transform.set_epoch(0)
    first = read_epoch(loader)
    transform.set_epoch(1)
    second = read_epoch(loader)
    assert all(first[sample] != second[sample] for sample in range(SIZE))


@pytest.mark.parametrize("epoch", [-1, 1.0, True, "0", None])
def test_an_epoch_is_a_whole_number(epoch: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(f"the epoch is {epoch!r}; a whole number of 0 or more")):
        RandomComposite().set_epoch(epoch)


@pytest.mark.parametrize("seed", [1.0, True, "0", None])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(f"the seed is {seed!r}; a whole number")):
        RandomComposite(seed=seed)


@pytest.mark.parametrize("size", [1, 7, 8, 8191, 8192, 8193, 30000])
def test_each_byte_and_its_place_enter_the_content(size: int) -> None:
    rng = np.random.default_rng(size)
    row = rng.integers(0, 256, size, np.uint8)
    rows = [row]
    for place in {0, size // 2, size - 1}:
        for bit in range(8):
            changed = row.copy()
            changed[place] ^= 1 << bit
            rows.append(changed)
    if size > 8200:
        # What swaps, or two changes that a plain sum would not tell apart.
        swapped, both = row.copy(), row.copy()
        swapped[:8192] = np.roll(row[:8192], 8)
        both[[7, 15]] ^= 128
        rows += [swapped, both]
    keys = content_keys(torch.from_numpy(np.stack(rows)))
    assert keys.unique().numel() == len(rows)
    assert keys.tolist() == [int(content_keys(torch.from_numpy(r[None]))[0]) for r in rows]  # a row by itself


def live_columns(transform: RandomComposite, index: str | None = None) -> datasets.Dataset:
    features = datasets.Features(image=datasets.Image(), mask=datasets.Image(), name=datasets.Value("int64"))
    rows = datasets.Dataset.from_dict(rows_of_images(SIZE), features)
    return rows.with_transform(transform.on_columns(index=index))


@pytest.mark.parametrize("index", [None, "name"])
def test_a_hugging_face_dataset_draws_what_arrays_draw(index: str | None) -> None:
    transform = RandomComposite(seed=5)
    rows = live_columns(transform, index)
    drawn = {}
    for workers in (0, 2):
        context = "fork" if workers else None
        loader = DataLoader(rows, batch_size=2, num_workers=workers, multiprocessing_context=context)
        for epoch in range(2):
            transform.set_epoch(epoch)
            drawn[workers, epoch] = read_epoch(loader)
    expected = read_epochs(0, None, persistent=False, named=index is not None)
    assert [drawn[0, 0], drawn[0, 1]] == [drawn[2, 0], drawn[2, 1]] == expected


def test_columns_of_a_hugging_face_dataset() -> None:
    row = live_columns(RandomComposite())[1]
    assert list(row) == ["image", "mask", "name", "real", "arguments", "recoverable"]
    np.testing.assert_array_equal(row["real"], draw_photo(1))
    np.testing.assert_array_equal(row["mask"], draw_mask(1))
    assert (row["image"] != row["real"]).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.pop("mask"), "no column 'mask' among image, name; it is named in on_columns"),
        (lambda b: b.update(image=[b["image"][0].convert("L")]), "column 'image', is an image of mode 'L'; 'RGB'"),
        (lambda b: b.update(mask=[b["image"][0]]), "column 'mask', is an image of mode 'RGB'; '1' or 'L' is"),
        (lambda b: b.update(image=["a.png"]), "column 'image', is a str; a PIL image, an array or a tensor"),
        (lambda b: b.update(real=[0]), "there is an entry 'real' already"),
    ],
)
def test_columns_that_do_not_fit_are_named(change: Any, message: str) -> None:
    batch = rows_of_images(1)
    change(batch)
    with pytest.raises(ValueError, match=re.escape(message)):
        RandomComposite().on_columns()(batch)
