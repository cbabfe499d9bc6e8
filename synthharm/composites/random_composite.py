"""Composites made while a network trains: a transform for a DataLoader, and a module for batches on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from synthharm.composites.batches import read_images, read_masks, retouch_batch
from synthharm.composites.seeds import Clock, row_generators
from synthharm.composites.structures import ADDED, add, check_room, find_pair, leaf_at, put
from synthharm.filters import FilterChain, Limits
from synthharm.filters.drawing import Strategy


class CompositeSample(NamedTuple):
    """A composite, or a batch of N of them, whose true answer is known.

    Args:
        image: the composite, of the shape and type of the real image.
        mask: the mask as it was given.
        real: the image as it was given: what harmonizing with the arguments brings back.
        arguments: (K,) or (N, K) float32, in the order of the chain's columns.
        recoverable: bool, of the mask's shape: the foreground's pixels that come back.
    """

    image: Any
    mask: Any
    real: Any
    arguments: Any
    recoverable: Any


class RandomComposite(nn.Module):
    """Disharmonize the region of a real image at random, with arguments that bring the real image back.

    **What goes in, what comes out.** The composite takes the image's place; `real`, `arguments` and `recoverable`
    are added (see `CompositeSample`). The composite has the shape and type of the image, and outside the mask its
    very pixels.

    - By name, `transform(image=..., mask=..., ...)`: a dict of `image`, `mask`, whatever else was given, and the
      three. Arrays are numpy uint8 RGB (H, W, 3) with masks (H, W), uint8 or bool; tensors as in a pair.
    - A pair of tensors or arrays, `transform(image, mask)`: a `CompositeSample`. Images are (3, H, W) with masks
      (H, W) or (1, H, W), or whole batches (N, 3, H, W) with masks (N, H, W) or (N, 1, H, W), on any device;
      uint8, or float32 or float64 in [0, 1]. Masks are bool, uint8 or float.
    - Any structure of dicts, lists and tuples that holds one `tv_tensors.Image` and one `tv_tensors.Mask`, as in
      torchvision's v2 transforms: the same structure, to which the outermost dict gains three keys, the outermost
      list or tuple three last items. A named tuple has no room, and becomes the first of four. `real` is a
      `tv_tensors.Image` and `recoverable` a `tv_tensors.Mask`, so that later transforms treat them alike.

    A uint8 mask is an alpha from 0 to 255, or holds nothing but 0 and 1. Where a mask is **empty** the image stays
    as it is: its arguments are neutral, and nothing is recoverable. uint8 composites are rounded, floats are not.

    **Randomness.** Each sample has a generator of its own, so that it depends on no other in its batch:

    - After `set_epoch(e)` the draw follows from the seed, e, and the sample's `index` where it is given, else its
      content, the bytes of image and mask. It is the same in any order and for any number of workers, forked or
      spawned; on another device the same numbers are drawn, and a draw at a limit may be judged otherwise. Call
      `set_epoch` in the main process before each epoch: it reaches workers that live on between epochs too. Call
      it once for draws that stay, as for validation. Without an `index`, a photo that comes twice in an epoch is
      drawn alike twice.
    - Before any `set_epoch` the calls in the main process are counted, and each draws anew; the count is no part
      of a pickle. A worker cannot tell epochs apart by itself, and raises an error rather than repeat its draws.

    Deep copies share their epoch. What is pickled to anything but a DataLoader's worker has an epoch of its own.

    Args:
        chain: the filters that will harmonize the composites; `FilterChain.paper()` by default.
        strategy: how arguments are drawn: `Span()` by default; see `synthharm.filters.drawing`.
        limits: what the draws may cost.
        seed: of all draws.

    Raises:
        ValueError: when called, for images or masks of another shape, type or range, or structures without exactly
            one of each.
        RuntimeError: when called in a worker, and no epoch was ever set.

    Example:
        Arrays, as in Albumentations:

        >>> photo = np.random.default_rng(0).integers(60, 190, (32, 32, 3), np.uint8)
        >>> mask = np.zeros((32, 32), np.uint8)
        >>> mask[8:24, 8:24] = 255
        >>> transform = RandomComposite(seed=1)
        >>> data = transform(image=photo, mask=mask, caption="noise")
        >>> list(data)
        ['image', 'mask', 'caption', 'real', 'arguments', 'recoverable']
        >>> data["image"].dtype, data["arguments"].shape, bool(data["recoverable"][mask > 0].mean() > 0.99)
        (dtype('uint8'), (6,), True)

        In a dataset, with any number of workers:

        >>> from torch.utils.data import DataLoader, Dataset
        >>> class Photos(Dataset):
        ...     def __len__(self):
        ...         return 4
        ...     def __getitem__(self, index):
        ...         return transform(image=photo, mask=mask, index=index)
        >>> loader = DataLoader(Photos(), batch_size=2)
        >>> for epoch in range(2):
        ...     transform.set_epoch(epoch)
        ...     for batch in loader:
        ...         print(tuple(batch["image"].shape), tuple(batch["arguments"].shape))
        (2, 32, 32, 3) (2, 6)
        (2, 32, 32, 3) (2, 6)
        (2, 32, 32, 3) (2, 6)
        (2, 32, 32, 3) (2, 6)

        Among torchvision's transforms:

        >>> from torchvision import tv_tensors
        >>> from torchvision.transforms import v2
        >>> pipeline = v2.Compose([transform, v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True)])
        >>> image = tv_tensors.Image(torch.from_numpy(photo).permute(2, 0, 1))
        >>> image, target, real, arguments, recoverable = pipeline(image, {"mask": tv_tensors.Mask(mask)})
        >>> type(real).__name__, real.dtype, type(recoverable).__name__, tuple(recoverable.shape)
        ('Image', torch.float32, 'Mask', (32, 32))

        As a module on a whole batch, wherever it is:

        >>> device = "cuda" if torch.cuda.is_available() else "cpu"
        >>> images, masks = torch.rand(2, 3, 32, 32, device=device), torch.ones(2, 1, 32, 32, device=device)
        >>> sample = transform(images, masks)
        >>> chain, arguments = transform.chain, sample.arguments
        >>> harmonized = chain.apply(sample.image, sample.mask, arguments)
        >>> back = sample.recoverable.expand_as(images)
        >>> bool(((harmonized - sample.real).abs()[back] < 1e-3).all())
        True

        In a Hugging Face dataset, see `on_columns`.
    """

    def __init__(
        self,
        chain: FilterChain | None = None,
        *,
        strategy: Strategy | None = None,
        limits: Limits | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ValueError(f"the seed is {seed!r}; a whole number is accepted")
        self.chain = FilterChain.paper() if chain is None else chain
        self.strategy = strategy
        self.limits = limits
        self.seed = seed
        self._clock = Clock()

    @property
    def epoch(self) -> int | None:
        """The epoch that draws follow from; None before any was set."""
        return self._clock.epoch

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, here and in all workers. Call it between epochs: batches made ahead keep the old one.

        Raises:
            ValueError: not a whole number of 0 or more.
        """
        self._clock.set(epoch)

    def extra_repr(self) -> str:
        """What the module is made of, for its `repr`."""
        filters = ", ".join(f.name for f in self.chain.filters)
        return f"{filters}; strategy={self.strategy}, limits={self.limits}, seed={self.seed}, epoch={self.epoch}"

    @torch.no_grad()
    def forward(self, *structure: Any, index: int | Sequence[int] | Tensor | None = None, **named: Any) -> Any:
        """Make composites; see the class for what is accepted and returned.

        Args:
            structure: one structure, or the items of a tuple.
            index: the sample's number in its dataset, or one for each of a batch. With entries given by name it is
                one of them and stays.
            named: `image`, `mask`, and what else is to be passed through.
        """
        if named:
            if structure:
                raise ValueError(f"{len(structure)} entries come without a name and {len(named)} with one; choose")
            return self._by_name(named, index)
        if len(structure) == 2 and all(type(item) in (np.ndarray, Tensor) for item in structure):
            return self._sample(*structure, index)
        given = structure[0] if len(structure) == 1 else structure
        image, mask = find_pair(given)
        sample = self._sample(leaf_at(given, image), leaf_at(given, mask), index)
        if type(given) is tuple and (image, mask) == ((0,), (1,)) and len(given) == 2:
            return sample
        return add(put(given, image, sample.image), sample[2:])

    def on_columns(self, image: str = "image", mask: str = "mask", index: str | None = None) -> ColumnTransform:
        """The same for the batches of `datasets.Dataset.with_transform`: dicts of columns, which are lists.

        PIL images come out as arrays (H, W, 3), their masks (modes "1" and "L") as arrays (H, W); arrays and
        tensors as they went in. The columns `real`, `arguments` and `recoverable` are added.

        Args:
            image: the column of the real images, in RGB.
            mask: the column of the masks.
            index: a column of whole numbers that draws follow from, if there is one.

        Example:
            >>> import datasets, PIL.Image
            >>> rows = {"image": [PIL.Image.new("RGB", (8, 8), "teal")], "mask": [PIL.Image.new("L", (8, 8), 255)]}
            >>> transform = RandomComposite()
            >>> photos = datasets.Dataset.from_dict(rows, datasets.Features(
            ...     image=datasets.Image(), mask=datasets.Image())).with_transform(transform.on_columns())
            >>> {name: value.shape for name, value in photos[0].items()}
            {'image': (8, 8, 3), 'mask': (8, 8), 'real': (8, 8, 3), 'arguments': (6,), 'recoverable': (8, 8)}
        """
        return ColumnTransform(self, image, mask, index)

    def _by_name(self, named: dict[str, Any], index: Any) -> dict[str, Any]:
        if missing := [name for name in ("image", "mask") if name not in named]:
            raise ValueError(f"no {missing[0]!r} among {', '.join(named)}; image= and mask= are needed")
        check_room(named)
        sample = self._sample(named["image"], named["mask"], index)
        others = {} if index is None else {"index": index}
        return {**named, **others, **sample._asdict()}

    def _sample(self, image: Any, mask: Any, index: Any) -> CompositeSample:
        """Composites of one image or one batch, in the kind that it came in."""
        images, masks = _as_batch(image, mask)
        numbers = _numbers(index, len(images), single=image.ndim == 3)
        generators = row_generators(self.seed, self._clock, images, masks, numbers)
        made = retouch_batch(images, masks, self.chain, generators, self.limits, self.strategy)
        if isinstance(image, np.ndarray):
            composite = np.ascontiguousarray(made.composites[0].permute(1, 2, 0).numpy())
            return CompositeSample(composite, mask, image, made.arguments[0].numpy(), made.recoverable[0].numpy())
        return CompositeSample(
            made.composites.reshape(image.shape).as_subclass(type(image)),
            mask,
            image,
            made.arguments[0] if image.ndim == 3 else made.arguments,
            made.recoverable.reshape(mask.shape).as_subclass(type(mask)),
        )


@dataclass(frozen=True)
class ColumnTransform:
    """A `RandomComposite` for batches that are dicts of columns; see `RandomComposite.on_columns`."""

    transform: RandomComposite
    image: str
    mask: str
    index: str | None

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Make composites of a batch's rows.

        Raises:
            ValueError: a column that is missing, or in the way, or an entry that is no RGB image or no mask.
        """
        if missing := [c for c in (self.image, self.mask, self.index) if c is not None and c not in batch]:
            raise ValueError(f"no column {missing[0]!r} among {', '.join(batch)}; it is named in on_columns")
        check_room(dict(batch))
        samples = []
        for row, (image, mask) in enumerate(zip(batch[self.image], batch[self.mask], strict=True)):
            arrays = (_as_array(image, ("RGB",), self.image, row), _as_array(mask, ("1", "L"), self.mask, row))
            index = None if self.index is None else batch[self.index][row]
            samples.append(self.transform(*arrays, index=index))
        made = {name: [getattr(sample, name) for sample in samples] for name in ADDED}
        places = {self.image: [sample.image for sample in samples], self.mask: [sample.mask for sample in samples]}
        return {**batch, **places, **made}


def _as_array(entry: Any, modes: tuple[str, ...], column: str, row: int) -> Any:
    """A PIL image as an array; an array or tensor as it is."""
    import PIL.Image

    if isinstance(entry, PIL.Image.Image):
        if entry.mode not in modes:
            raise ValueError(
                f"row {row} of the batch, column {column!r}, is an image of mode {entry.mode!r}; "
                f"{' or '.join(map(repr, modes))} is accepted (datasets.Image(mode={modes[-1]!r}) converts)"
            )
        return np.array(entry)  # writable, as collating takes them
    if isinstance(entry, (np.ndarray, Tensor)):
        return entry
    raise ValueError(
        f"row {row} of the batch, column {column!r}, is a {type(entry).__name__}; "
        "a PIL image, an array or a tensor is accepted"
    )


def _as_batch(image: Any, mask: Any) -> tuple[Tensor, Tensor]:
    """Check an image or a batch and its masks, and give them as (N, 3, H, W) and (N, H, W) with alphas."""
    if isinstance(image, np.ndarray) and isinstance(mask, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"the image is an array {image.dtype} {image.shape}; RGB uint8 (H, W, 3) is accepted "
                "(grey as three channels)"
            )
        if mask.shape != image.shape[:2] or mask.dtype not in (np.uint8, np.bool_):
            expected = image.shape[:2]
            raise ValueError(
                f"the mask is an array {mask.dtype} {mask.shape}; uint8 or bool {expected} is accepted"
            )
        images = read_images(_tensor(image).permute(2, 0, 1)[None])
        return images, read_masks(_tensor(mask)[None], images)
    if not (isinstance(image, Tensor) and isinstance(mask, Tensor)):
        raise ValueError(
            f"the image is a {type(image).__name__} and the mask a {type(mask).__name__}; "
            "two arrays or two tensors are accepted"
        )
    plain, plain_mask = image.detach().as_subclass(Tensor), mask.detach().as_subclass(Tensor)
    single = plain.ndim == 3
    images = read_images(plain[None] if single else plain, "image" if single else "batch of images")
    if single:
        plain_mask = plain_mask[None] if plain_mask.ndim == 2 else plain_mask
    elif plain_mask.ndim == 4 and plain_mask.shape[1] == 1:
        plain_mask = plain_mask[:, 0]
    return images, read_masks(plain_mask, images, "mask" if single else "batch of masks")


def _tensor(array: np.ndarray[Any, Any]) -> Tensor:
    """An array as a tensor, copied only where a tensor could not lie on its memory."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _numbers(index: Any, rows: int, single: bool) -> list[int] | None:
    """The index of each row."""
    if index is None:
        return None
    listed = index.tolist() if isinstance(index, (Tensor, np.ndarray, np.generic)) else index
    listed = [listed] if single else listed
    numbers = isinstance(listed, Sequence) and all(isinstance(n, int) and not isinstance(n, bool) for n in listed)
    if not numbers or len(listed) != rows:
        accepted = "a whole number" if single else f"{rows} whole numbers, one for each image,"
        raise ValueError(f"the index is {index!r}; {accepted} is accepted")
    return list(listed)
