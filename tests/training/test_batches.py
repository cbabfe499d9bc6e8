"""Samples and batches: the same whenever asked for, apart from each other's photos, with true targets."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_trainings import live
from torch.utils.data import DataLoader

from synthharm.errors import SynthharmError
from synthharm.filters import FilterChain
from synthharm.generate import generate
from synthharm.recipe.training import LiveStream, StoredStream
from synthharm.training.batches import Batch, Part, Steps, finish_part, join, open_samples, published_way
from synthharm.training.opening import stream_seed
from synthharm.training.samples import Kept, LiveSamples

CHAIN = FilterChain.paper()
CPU = torch.device("cpu")


def stream(**changes: Any) -> LiveStream:
    import json

    return LiveStream.model_validate_json(json.dumps(live(**changes)))


def samples(folder: Path, **changes: Any) -> LiveSamples:
    opened = open_samples(stream(**changes), folder, CHAIN, 48, 5, 64)
    assert isinstance(opened, LiveSamples)
    return opened


def finished(folder: Path, count: int = 4, varied: bool = True, **changes: Any) -> Batch:
    own = samples(folder, **changes)
    part = Part.of([own.sample(place, varied) for place in range(count)])
    return finish_part(part, own.stream, CHAIN, CPU)


def same(first: Part, second: Part) -> bool:
    tensors = zip(vars(first).values(), vars(second).values(), strict=True)
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in tensors)


def test_a_sample_is_the_same_in_any_order_after_pickling_and_without_a_cache(tmp_path: Path) -> None:
    own = samples(tmp_path)
    forwards = [own.sample(place, True) for place in range(6)]
    again = pickle.loads(pickle.dumps(own))
    without = open_samples(stream(), tmp_path / "b", CHAIN, 48, 5, 0)
    for place in reversed(range(6)):
        assert same(Part.of([forwards[place]]), Part.of([again.sample(place, True)]))
        assert same(Part.of([forwards[place]]), Part.of([without.sample(place, True)]))
    assert len({sample.real.tobytes() for sample in forwards}) > 1


def test_another_seed_gives_other_samples(tmp_path: Path) -> None:
    first = samples(tmp_path).sample(0, True)
    other = open_samples(stream(), tmp_path / "b", CHAIN, 48, 6, 64).sample(0, True)
    assert first.composite is not None
    assert other.composite is not None
    assert first.composite.tobytes() != other.composite.tobytes()


def test_what_is_held_out_is_not_trained_on(tmp_path: Path) -> None:
    def reals(part: str) -> set[bytes]:
        own = samples(tmp_path / part, part=part)
        return {own.sample(place, False).real.tobytes() for place in range(60)}

    train, held = reals("train"), reals("held out")
    assert len(train) > 3
    assert len(held) > 1
    assert not train & held


def test_workers_and_ranks_share_a_batch_without_changing_it(tmp_path: Path) -> None:
    own = samples(tmp_path)
    alone = Steps({"photos": (own, 4)})
    halves = [Steps({"photos": (own, 4)}, rank, 2) for rank in (0, 1)]
    loader = DataLoader(alone, batch_size=None, sampler=range(1, 4), num_workers=2)
    for step, loaded in zip(range(1, 4), loader, strict=True):
        whole = alone[step]["photos"]
        assert same(loaded["photos"], whole)
        for rank, half in enumerate(halves):
            assert torch.equal(half[step]["photos"].reals, whole.reals[rank::2])


@pytest.mark.parametrize("made", ["by workers", "on the device"])
def test_exact_composites_come_back_with_their_arguments(tmp_path: Path, made: str) -> None:
    batch = finished(tmp_path, made=made)
    assert bool(batch.known.all())
    harmonized = CHAIN.apply(batch.composites, batch.masks, batch.arguments)
    inside = batch.masks.expand_as(harmonized) > 0
    error = (harmonized - batch.reals).abs()[inside] * 255
    assert float(error.square().mean().sqrt()) < 5  # 8-bit composites, at least 35 dB
    assert torch.equal(batch.targets[:, -1], batch.reals)
    steps = list(CHAIN.steps(batch.composites, batch.masks, batch.arguments))
    for number, image in enumerate(steps[:-1]):
        assert torch.equal(batch.targets[:, number], image)
    outside = ~inside
    assert torch.equal(batch.composites[outside], batch.reals[outside])
    assert bool((batch.composites != batch.reals).any())


def test_the_published_way_runs_the_filters_backwards(tmp_path: Path) -> None:
    batch = finished(tmp_path, inverse="published")
    # Each filter runs on what the one before made of the whole image; it is blended only where it is kept.
    whole, targets = batch.reals, []
    for place in reversed(range(6)):
        targets.append(whole * batch.masks + batch.reals * (1 - batch.masks))
        one = FilterChain([CHAIN.filters[place]])
        whole = one.apply(whole, torch.ones_like(batch.masks), -batch.arguments[:, place : place + 1])
    composite = whole * batch.masks + batch.reals * (1 - batch.masks)
    assert torch.allclose(composite, batch.composites, atol=1e-6)
    for place, target in enumerate(reversed(targets)):
        assert torch.allclose(batch.targets[:, place], target, atol=1e-6)
    assert torch.equal(batch.targets[:, -1], batch.reals)


def test_the_published_answer_is_not_the_answer(tmp_path: Path) -> None:
    batch = finished(tmp_path, 8, inverse="published")
    harmonized = CHAIN.apply(batch.composites, batch.masks, batch.arguments.clamp(-1, 1))
    inside = batch.masks.expand_as(harmonized) > 0
    assert float((harmonized - batch.reals).abs()[inside].mean()) * 255 > 3


def test_the_published_way_of_one_filter_without_clipping_is_its_formula() -> None:
    chain = FilterChain(["brightness"])
    reals, masks = torch.full((1, 3, 4, 4), 0.4), torch.ones(1, 1, 4, 4)
    batch = published_way(reals, masks, torch.tensor([[-0.25]]), chain)
    assert torch.allclose(batch.composites, torch.tensor(0.3))
    assert batch.arguments.tolist() == [[0.25]]


def test_stored_pairs_keep_what_is_known_of_them(tmp_path: Path, stored: Path) -> None:
    section = StoredStream(composites="stored", data=str(stored), split=None, batch=2)
    own = open_samples(section, tmp_path, CHAIN, 48, 0, 64)
    part = Part.of([own.sample(place, True) for place in range(4)])
    batch = finish_part(part, section, CHAIN, CPU)
    assert bool(batch.known.all())
    error = CHAIN.apply(batch.composites, batch.masks, batch.arguments) - batch.reals
    # Resized, and so with slightly other means: near the real image, though not as near as made at this size.
    assert float(error.abs().mean()) < 0.5 * float((batch.composites - batch.reals).abs().mean())
    others = open_samples(section, tmp_path, FilterChain(["exposure"]), 48, 0, 64)
    assert bool(np.isnan(others.sample(0, False).arguments).all())


def test_arguments_by_position_are_not_known_once_an_image_is_turned(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    lines = ("samples: 2", f"data: {live()['data']}", "source: {format: coco}", "writer: {format: folder}")
    recipe.write_text("\n".join([*lines, "chain: {filters: [exposure, shading]}"]))
    generate(recipe, tmp_path / "dataset")
    section = StoredStream(composites="stored", data=str(tmp_path / "dataset"), split=None, batch=2)
    own = open_samples(section, tmp_path, FilterChain(["exposure", "shading"]), 48, 0, 64)
    assert bool(np.isnan(own.sample(0, True).arguments).all())


def test_what_was_read_is_kept_within_bounds() -> None:
    kept, loads = Kept.within(1, 128), []

    def load(number: int) -> str | int:
        loads.append(number)
        return "none" if number % 2 else number

    for _ in range(2):
        for number in range(20):
            kept.get(number, load)
    assert kept.room == 9
    assert loads == [*range(20), 18]  # the tenth with images has no room; texts need none


def test_two_streams_of_the_same_photos_are_in_no_step() -> None:
    assert stream_seed(0, "a") != stream_seed(0, "b")
    assert stream_seed(0, "a") != stream_seed(1, "a")


def test_batches_of_all_kinds_are_joined(tmp_path: Path) -> None:
    joined = join([finished(tmp_path / "a", 2), finished(tmp_path / "b", 3, inverse="published")])
    assert joined.composites.shape == (5, 3, 48, 48)
    assert joined.targets.shape == (5, 6, 3, 48, 48)


def test_augmenting_moves_photo_and_mask_together(tmp_path: Path) -> None:
    own = samples(tmp_path)
    plain = samples(tmp_path / "b", augmentation={"rotate": False, "flip": False, "jitter": [0, 0, 0, 0]})
    moved = 0
    for place in range(12):
        varied, still = own.sample(place, True), plain.sample(place, True)
        assert np.array_equal(still.real, plain.sample(place, False).real)
        turned = [np.rot90(still.mask, turns) for turns in range(4)]
        turned += [mask[:, ::-1] for mask in turned]
        assert any(np.array_equal(varied.mask, mask) for mask in turned)
        moved += not np.array_equal(varied.mask, still.mask)
        inside = varied.real[varied.mask > 0].astype(float).mean()
        assert abs(inside - still.real[still.mask > 0].mean()) < 60
    assert moved


def test_a_source_without_usable_regions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SynthharmError, match="has no region that is selected"):
        samples(tmp_path, select={"area_share": [0.99, 1.0]})
