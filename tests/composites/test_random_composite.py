"""Composites made in passing: in arrays, tensors, structures and batches, undone by the arguments beside them."""

from __future__ import annotations

import collections
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import draw_mask, draw_photo, harmonize_whole, psnr_of
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from synthharm.composites import CompositeSample, RandomComposite
from synthharm.filters import FilterChain, Limits, Span
from synthharm.filters.drawing import Drawn, Task

CHAINS = (
    ["temperature", "brightness", "contrast", "saturation", "highlight", "shadow"],
    ["saturation", "temperature", "contrast"],
    ["brightness"],
)
chains = st.builds(FilterChain, st.sampled_from(CHAINS), st.sampled_from(["image", "foreground"]))
seeds = st.integers(0, 10**6)

PHOTO, MASK = draw_photo(3), draw_mask(3)


def begun(seed: int = 1, **options: Any) -> RandomComposite:
    """A transform in its first epoch, where the same sample is drawn the same again."""
    transform = RandomComposite(seed=seed, **options)
    transform.set_epoch(0)
    return transform


def as_image(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo).permute(2, 0, 1)


def as_float(photo: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
    return as_image(photo).to(dtype) / 255


def assert_same(first: CompositeSample, second: CompositeSample) -> None:
    for name, one, other in zip(CompositeSample._fields, first, second, strict=True):
        assert one.dtype == other.dtype, name
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other)), name


@settings(max_examples=15)
@given(chains, seeds, st.booleans())
def test_arrays_are_undone_by_their_arguments(chain: FilterChain, seed: int, soft: bool) -> None:
    photo, mask = draw_photo(seed), draw_mask(seed, soft=soft)
    before = photo.copy(), mask.copy()
    limits = Limits(unrecoverable=0.01)
    data = RandomComposite(chain, limits=limits, seed=seed)(image=photo, mask=mask, caption="a", boxes=[1])

    assert list(data) == ["image", "mask", "caption", "boxes", "real", "arguments", "recoverable"]
    assert (data["caption"], data["boxes"]) == ("a", [1])
    assert data["real"] is photo
    assert data["mask"] is mask
    np.testing.assert_array_equal(photo, before[0])
    np.testing.assert_array_equal(mask, before[1])
    assert not np.shares_memory(data["image"], photo)

    inside, back = mask > 0, data["recoverable"]
    assert (data["image"].dtype, data["arguments"].dtype, back.dtype) == (np.uint8, np.float32, np.bool_)
    assert data["arguments"].shape == (len(chain.columns),)
    np.testing.assert_array_equal(data["image"][~inside], photo[~inside])
    assert not back[~inside].any()
    assert back[inside].mean() >= 1 - limits.unrecoverable
    values = data["arguments"].astype(np.float64)
    harmonized = harmonize_whole(data["image"], mask, chain, values) * 255
    assert psnr_of(harmonized[back], photo[back]) >= limits.recovery - 1e-3


@settings(max_examples=5)
@given(chains, st.lists(seeds, min_size=1, max_size=2), st.sampled_from([torch.float32, torch.float64]))
def test_float_batches_are_undone_to_the_last_digit(
    chain: FilterChain, photos: list[int], dtype: torch.dtype
) -> None:
    images = torch.stack([as_float(draw_photo(seed), dtype) for seed in photos])
    masks = torch.stack([torch.from_numpy(draw_mask(seed, soft=True) / 255).to(dtype) for seed in photos])[:, None]
    sample = RandomComposite(chain)(images, masks)
    assert isinstance(sample, CompositeSample)
    assert sample.image.dtype == dtype
    assert sample.real is images
    assert torch.equal(sample.image.where(masks == 0, 0), images.where(masks == 0, 0))
    assert sample.recoverable.shape == masks.shape
    assert bool((sample.recoverable <= (masks > 0)).all())
    share = sample.recoverable.sum((1, 2, 3)) / (masks > 0).sum((1, 2, 3))
    assert float(share.min()) >= 1 - Limits().unrecoverable
    error = (chain.apply(sample.image, masks, sample.arguments) - images).abs()
    assert (
        float(error[sample.recoverable.expand_as(error)].max()) < {torch.float32: 6e-4, torch.float64: 2e-5}[dtype]
    )


@pytest.mark.parametrize("index", [None, 7])
def test_8_bits_are_the_same_in_every_form(index: int | None) -> None:
    transform = begun()
    expected = transform(PHOTO, MASK, index=index)
    assert (expected.image != PHOTO).any()
    image, mask = as_image(PHOTO), torch.from_numpy(MASK)

    def laid_out(sample: CompositeSample) -> CompositeSample:
        """Tensors (3, H, W) or (1, 3, H, W) as the arrays (H, W, 3) are."""
        photos = [p.as_subclass(Tensor).reshape(image.shape).permute(1, 2, 0) for p in (sample.image, sample.real)]
        masks = [m.as_subclass(Tensor).reshape(MASK.shape) for m in (sample.mask, sample.recoverable)]
        return CompositeSample(photos[0], masks[0], photos[1], sample.arguments.reshape(-1), masks[1])

    as_arrays = CompositeSample(*(torch.from_numpy(entry) for entry in expected))
    forms = [
        transform(image, mask, index=index),
        transform(image.contiguous(), mask[None], index=index),
        transform(image[None], mask[None], index=None if index is None else [index]),
        transform(image[None], mask[None, None], index=None if index is None else torch.tensor([index])),
        transform(tv_tensors.Image(image), tv_tensors.Mask(mask), index=index),
        transform((tv_tensors.Image(image), tv_tensors.Mask(mask)), index=index),
    ]
    for form in forms:
        assert isinstance(form, CompositeSample)
        assert_same(laid_out(form), as_arrays)
    named = transform(image=PHOTO, mask=MASK, **({} if index is None else {"index": index}))
    assert named.pop("index", None) == index
    assert_same(CompositeSample(*(named[name] for name in CompositeSample._fields)), expected)


@pytest.mark.parametrize("seed", range(4))
def test_floats_are_within_a_level_of_8_bits(seed: int) -> None:
    transform, photo, mask = begun(), draw_photo(seed, low=70, high=180), draw_mask(seed)
    eight = transform(photo, mask, index=seed)
    exact = transform(as_float(photo, torch.float64), torch.from_numpy(mask), index=seed)
    np.testing.assert_allclose(exact.arguments, eight.arguments, atol=1e-6)
    difference = exact.image.permute(1, 2, 0).numpy() * 255 - eight.image
    assert np.abs(difference).max() <= 0.5 + 1e-3


def batch_of_all_kinds(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Two photos, one without colour, one whose mask is empty, and one marked all over."""
    photos = [draw_photo(seed) for seed in range(5)]
    photos[1] = np.repeat(photos[1][..., :1], 3, axis=2)
    masks = [draw_mask(seed) for seed in range(5)]
    masks[3] = np.zeros_like(masks[3])
    masks[4] = np.full_like(masks[4], 255)
    images = torch.stack([as_image(photo) for photo in photos])
    return (images if dtype == torch.uint8 else images.to(dtype) / 255), torch.from_numpy(np.stack(masks))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("numbered", [False, True])
def test_a_batch_is_its_images_one_by_one(dtype: torch.dtype, numbered: bool) -> None:
    images, masks = batch_of_all_kinds(dtype)
    transform = begun()
    together = transform(images, masks, index=range(5) if numbered else None)
    for row in (4, 3, 2, 1, 0):
        alone = transform(images[row], masks[row], index=row if numbered else None)
        torch.testing.assert_close(together.arguments[row], alone.arguments, rtol=0, atol=1e-6)
        torch.testing.assert_close(together.image[row], alone.image, rtol=0, atol=1e-5)
        assert torch.equal(together.recoverable[row], alone.recoverable)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_an_image_without_a_region_stays(dtype: torch.dtype) -> None:
    images, masks = batch_of_all_kinds(dtype)
    sample = begun()(images, masks)
    changed = (sample.image != images).flatten(1).any(dim=1)
    assert changed.tolist() == [True, True, True, False, True]
    assert (sample.arguments != 0).any(dim=1).tolist() == [True, True, True, False, True]
    assert sample.recoverable.flatten(1).any(dim=1).tolist() == [True, True, True, False, True]

    everything = begun()(images, torch.zeros_like(masks))
    assert torch.equal(everything.image, images)
    assert everything.image.data_ptr() != images.data_ptr()
    assert not everything.arguments.any()


def test_neutral_is_what_the_chain_calls_so() -> None:
    brightness = FilterChain(["brightness"]).filters[0]
    shifted = replace(brightness, parameters=(replace(brightness.parameters[0], neutral=0.25),))
    sample = begun(chain=FilterChain([shifted]))(PHOTO, np.zeros_like(MASK))
    assert sample.arguments.tolist() == [0.25]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_a_photo_without_colour_stays_without(dtype: torch.dtype) -> None:
    images, masks = batch_of_all_kinds(dtype)
    sample = begun()(images, masks)
    column = FilterChain.paper().columns.index("temperature")
    assert (sample.arguments[:, column] == 0).tolist() == [False, True, False, True, False]
    spread = sample.image[1].amax(dim=0) - sample.image[1].amin(dim=0)
    assert float(spread.max()) <= (1e-5 if dtype.is_floating_point else 0)


@pytest.mark.parametrize("kind", ["bool", "labels", "float32", "float64"])
def test_masks_of_any_kind_mark_the_same(kind: str) -> None:
    mask = torch.from_numpy(MASK)
    same = {
        "bool": mask > 0,
        "labels": (mask > 0).to(torch.uint8),
        "float32": mask / 255,
        "float64": mask.double() / 255,
    }[kind]
    transform, image = begun(), as_image(draw_photo(3, low=70, high=180))
    expected, found = transform(image, mask, index=0), transform(image, same, index=0)
    torch.testing.assert_close(found.arguments, expected.arguments, rtol=0, atol=1e-6)
    assert found.image.dtype == torch.uint8
    difference = (found.image.int() - expected.image.int()).abs()
    assert int(difference.max()) <= (1 if "float" in kind else 0)
    assert int((difference > 0).sum()) <= 0.02 * int((mask > 0).sum())  # both round to the nearest
    assert found.mask is same
    if kind in ("bool", "labels"):
        arrays = transform(PHOTO, same.numpy())
        assert_same(
            arrays, CompositeSample(*transform(PHOTO, MASK)[:1], same.numpy(), *transform(PHOTO, MASK)[2:])
        )


Pair = collections.namedtuple("Pair", ["photo", "target"])


def structures() -> dict[str, tuple[Any, Any]]:
    """Structures, and how the image is reached in what comes out of each."""
    image, mask = tv_tensors.Image(as_image(PHOTO)), tv_tensors.Mask(torch.from_numpy(MASK))
    return {
        "dict": ({"a": image, "b": mask, "label": 3}, lambda made: made["a"]),
        "nested": ({"a": {"b": [1, image]}, "c": ("x", [mask])}, lambda made: made["a"]["b"][1]),
        "list": ([mask, 5, image], lambda made: made[2]),
        "detection": ((image, {"masks": mask, "labels": torch.tensor([1])}), lambda made: made[0]),
        "named tuple": (Pair(image, {"mask": mask}), lambda made: made[0].photo),
        "in a named tuple": ({"pair": Pair(image, (mask,))}, lambda made: made["pair"].photo),
        "ordered": (collections.OrderedDict(a=mask, b=image), lambda made: made["b"]),
    }


@pytest.mark.parametrize("name", structures())
def test_structure_in_is_structure_out(name: str) -> None:
    structure, image_of = structures()[name]
    made = begun()(structure)
    expected = begun()(PHOTO, MASK)
    truth = [made[key] for key in ("real", "arguments", "recoverable")] if isinstance(made, dict) else made[-3:]
    image, (real, arguments, recoverable) = image_of(made), truth
    assert [type(t) for t in (image, *truth)] == [tv_tensors.Image, tv_tensors.Image, Tensor, tv_tensors.Mask]
    np.testing.assert_array_equal(image.permute(1, 2, 0), expected.image)
    np.testing.assert_array_equal(real.permute(1, 2, 0), PHOTO)
    np.testing.assert_array_equal(arguments, expected.arguments)
    np.testing.assert_array_equal(recoverable, expected.recoverable)

    # Everything else is what it was, and where it was.
    def described(value: Any) -> Any:
        if isinstance(value, dict):
            return (type(value), {k: described(v) for k, v in value.items()})
        if isinstance(value, (list, tuple)):
            return (type(value), [described(v) for v in value])
        return id(value)

    if name == "named tuple":
        rest = made[0]
    elif isinstance(made, dict):
        rest = type(made)((k, v) for k, v in made.items() if k not in ("real", "arguments", "recoverable"))
    else:
        rest = type(made)(made[:-3])
    described_rest, described_structure = described(rest), described(structure)
    original = structures()[name][0]
    assert str(described_rest).replace(str(id(image)), str(id(real))) == str(described_structure)
    assert type(structure) is type(original)
    assert len(structure) == len(original)  # the one that went in is untouched


def test_later_transforms_treat_all_parts_alike() -> None:
    pipeline = v2.Compose([begun(), v2.RandomHorizontalFlip(p=1)])
    image, mask, real, arguments, recoverable = pipeline(
        tv_tensors.Image(as_image(PHOTO)), tv_tensors.Mask(torch.from_numpy(MASK))
    )
    plain = begun()(PHOTO, MASK)
    np.testing.assert_array_equal(image.permute(1, 2, 0), plain.image[:, ::-1])
    np.testing.assert_array_equal(real.permute(1, 2, 0), PHOTO[:, ::-1])
    np.testing.assert_array_equal(mask, MASK[:, ::-1])
    np.testing.assert_array_equal(recoverable, plain.recoverable[:, ::-1])
    np.testing.assert_array_equal(arguments, plain.arguments)


@dataclass(frozen=True)
class Seen:
    """Draws as `Span` does, and notes what for."""

    tasks: list[Task] = field(default_factory=list)

    def draw(self, task: Task) -> Drawn:
        self.tasks.append(task)
        return Span().draw(task)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_chain_strategy_and_limits_are_those_given(dtype: torch.dtype) -> None:
    strategy, limits, chain = Seen(), Limits(recovery=38), FilterChain(["shadow", "brightness"])
    images, masks = batch_of_all_kinds(dtype)
    begun(chain=chain, strategy=strategy, limits=limits)(images, masks)
    assert sum(task.images for task in strategy.tasks) == 4
    for task in strategy.tasks:
        assert task.limits == limits
        assert task.columns == ("shadow", "brightness")


def test_views_and_memory_that_cannot_be_written_are_taken() -> None:
    photo, mask = np.ascontiguousarray(PHOTO[:, ::-1]), np.ascontiguousarray(MASK[:, ::-1])
    expected = begun()(photo, mask)
    photo.setflags(write=False)
    np.testing.assert_array_equal(begun()(photo, mask).image, expected.image)
    made = begun()(PHOTO[:, ::-1], MASK[:, ::-1])
    np.testing.assert_array_equal(made.image, expected.image)


FLOATS, INSIDE = as_float(PHOTO), torch.from_numpy(MASK) / 255
NAN, BRIGHT = FLOATS.clone(), FLOATS * 3 - 1
NAN[0, 3, 4] = torch.nan
IMAGE, MARK = tv_tensors.Image(as_image(PHOTO)), tv_tensors.Mask(torch.from_numpy(MASK))

MISTAKES: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "grey array": ((PHOTO[..., 0], MASK), {}, "array uint8 (30, 38); RGB uint8 (H, W, 3) is accepted (grey"),
    "one channel": ((PHOTO[..., :1], MASK), {}, "array uint8 (30, 38, 1); RGB uint8 (H, W, 3)"),
    "alpha": ((np.dstack([PHOTO, MASK]), MASK), {}, "array uint8 (30, 38, 4); RGB uint8"),
    "float array": ((PHOTO / 255, MASK), {}, "the image is an array float64 (30, 38, 3); RGB uint8"),
    "mask size": ((PHOTO, MASK[1:]), {}, "the mask is an array uint8 (29, 38); uint8 or bool (30, 38)"),
    "mask type": ((PHOTO, MASK.astype(int)), {}, "the mask is an array int64 (30, 38); uint8 or bool"),
    "no pixel": ((PHOTO[:0], MASK[:0]), {}, "the image has shape (1, 3, 0, 38)"),
    "grey tensor": ((FLOATS[:1], INSIDE), {}, "the image has shape (1, 1, 30, 38); RGB (N, 3, H, W)"),
    "flat tensor": ((FLOATS[0], INSIDE), {}, "the batch of images has shape (30, 38); RGB (N, 3, H, W)"),
    "half": ((FLOATS.half(), INSIDE), {}, "the image has dtype torch.float16; uint8, float32 or float64"),
    "NaN": ((NAN, INSIDE), {}, "the image holds NaN; floats from 0 to 1 are accepted"),
    "normalized": ((BRIGHT, INSIDE), {}, "the image ranges from -0."),
    "mask range": ((FLOATS, INSIDE * 255), {}, "the mask ranges from 0 to 255; floats from 0 to 1"),
    "mask of labels": ((FLOATS, (INSIDE * 3).long()), {}, "the mask has dtype torch.int64; bool, uint8, float32"),
    "instances": ((FLOATS, INSIDE.expand(2, 30, 38)), {}, "the mask has shape (2, 30, 38); (1, 30, 38)"),
    "mask width": ((FLOATS, INSIDE[:, 1:]), {}, "the mask has shape (1, 30, 37); (1, 30, 38) is accepted"),
    "batch of masks": ((FLOATS[None], INSIDE), {}, "the batch of masks has shape (30, 38); (1, 30, 38)"),
    "meta": ((FLOATS, INSIDE.to("meta")), {}, "the mask is on meta; cpu is accepted"),
    "two kinds": ((PHOTO, INSIDE), {}, "the image is a ndarray and the mask a Tensor"),
    "text": ((), {"image": "a.png", "mask": MASK}, "the image is a str and the mask a ndarray"),
    "no mask": ((), {"image": PHOTO, "masks": MASK}, "no 'mask' among image, masks; image= and mask="),
    "taken": ((), {"image": PHOTO, "mask": MASK, "real": 1}, "there is an entry 'real' already"),
    "taken key": (({"a": IMAGE, "b": MARK, "arguments": 1},), {}, "there is an entry 'arguments' already"),
    "both ways": ((PHOTO,), {"mask": MASK}, "1 entries come without a name and 1 with one"),
    "plain tensors": (([FLOATS, INSIDE],), {}, "a list, holds 0 tv_tensors.Image and 0 tv_tensors.Mask; exactly"),
    "two images": (([IMAGE, IMAGE, MARK],), {}, "holds 2 tv_tensors.Image and 1 tv_tensors.Mask; exactly one of"),
    "no marked mask": ((IMAGE, INSIDE), {}, "holds 1 tv_tensors.Image and 0 tv_tensors.Mask; exactly one of each"),
    "nothing": ((), {}, "a tuple, holds 0 tv_tensors.Image"),
    "index": ((PHOTO, MASK), {"index": "a"}, "the index is 'a'; a whole number is accepted"),
    "many indices": ((PHOTO, MASK), {"index": [1]}, "the index is [1]; a whole number is accepted"),
    "few indices": ((FLOATS[None], INSIDE[None]), {"index": 1}, "the index is 1; 1 whole numbers, one for each"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str) -> None:
    given_, named, message = MISTAKES[name]
    with pytest.raises(ValueError, match=re.escape(message)):
        begun()(*given_, **named)


def test_an_index_needs_an_epoch() -> None:
    with pytest.raises(ValueError, match=re.escape("an index is given and no epoch; set_epoch(0)")):
        RandomComposite()(PHOTO, MASK, index=0)


def test_8_bits_are_rounded_to_255_levels() -> None:
    with pytest.raises(ValueError, match="the limits' levels is 65535; 255 is accepted with uint8 images"):
        begun(limits=Limits(levels=65535))(PHOTO, MASK)
    begun(limits=Limits(levels=65535))(FLOATS, INSIDE)


def test_what_it_is_made_of_is_shown() -> None:
    shown = repr(begun(chain=FilterChain(["brightness", "shadow"])))
    assert shown == "RandomComposite(brightness, shadow; strategy=None, limits=None, seed=1, epoch=0)"
    assert begun().state_dict() == {}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch can use")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_a_gpu_draws_what_the_cpu_draws(dtype: torch.dtype) -> None:
    images, masks = batch_of_all_kinds(dtype)
    transform = begun().to("cuda")
    here, there = transform(images, masks), transform(images.cuda(), masks.cuda())
    assert all(part.is_cuda for part in there)
    torch.testing.assert_close(there.arguments.cpu(), here.arguments, rtol=0, atol=1e-5)
    difference = (there.image.cpu().double() - here.image.double()).abs().max()
    assert float(difference) <= (1 if dtype == torch.uint8 else 1e-3)
    assert torch.equal(there.image[3].cpu(), images[3])
