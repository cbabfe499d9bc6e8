"""What harmonizes composites: the network, methods that need no training, and the bounds on either side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from synthharm.composites import harmonize
from synthharm.composites.manipulation.colour_transfer import reinhard
from synthharm.errors import SynthharmError, Unusable
from synthharm.evaluation.baselines import match_histograms
from synthharm.evaluation.lifting import ORDERS, fit_colour_map
from synthharm.filters import FilterChain
from synthharm.harmonizer import Harmonizer
from synthharm.harmonizer.devices import find_device
from synthharm.harmonizer.full_size import name_arguments, predict
from synthharm.masks import binarize

Image = NDArray[np.uint8]
Mask = NDArray[np.uint8]
Known = Mapping[str, float] | None

BLOCK = 2**20  # pixels whose colours are in floats at a time


@dataclass(frozen=True)
class Output:
    """What a method made of a composite.

    Args:
        image: float32 RGB (H, W, 3) on 0..255, unrounded; the composite's own values where the mask is 0.
        arguments: of its chain, by name; None for a method that has none.
        chain: whose arguments they are; None where that is not known.
    """

    image: NDArray[np.float32]
    arguments: dict[str, float] | None = None
    chain: FilterChain | None = None


class Method(Protocol):
    """What harmonizes a composite."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def run(self, composite: Image, mask: Mask, known: Known) -> Output:
        """Harmonize a composite.

        Args:
            composite: uint8 RGB (H, W, 3).
            mask: uint8 (H, W), 0..255, not empty; values between mix foreground and background.
            known: the true arguments by name, where the data has them.

        Raises:
            Unusable: this method can do nothing with this composite.
        """
        ...


@runtime_checkable
class Chained(Method, Protocol):
    """A method that finds arguments, which may then be applied at another size."""

    def apply(self, composite: Image, mask: Mask, arguments: Mapping[str, float]) -> Output:
        """Harmonize a composite with these arguments, as `run` does with those that it finds."""
        ...


@dataclass(frozen=True)
class Composite:
    """The composite as it is: what any method should improve on.

    Example:
        >>> image, mask = np.full((2, 2, 3), 9, np.uint8), np.full((2, 2), 255, np.uint8)
        >>> float(Composite().run(image, mask, None).image.max())
        9.0
    """

    name: str = "composite"

    def run(self, composite: Image, mask: Mask, known: Known) -> Output:
        """Change nothing."""
        return Output(composite.astype(np.float32))


@dataclass(frozen=True)
class Reinhard:
    """Means and deviations of all of the background (see `reinhard`), which come rounded to whole levels.

    Where the mask covers everything there is no background: `Unusable`.
    """

    name: str = "reinhard"

    def run(self, composite: Image, mask: Mask, known: Known) -> Output:
        """Give the foreground the background's means and deviations."""
        _check_background(mask, self.name)
        return Output(reinhard(composite, mask, mask == 0).astype(np.float32))


@dataclass(frozen=True)
class Histogram:
    """The background's histograms (see `match_histograms`).

    Where the mask covers everything there is no background: `Unusable`.
    """

    name: str = "histogram"

    def run(self, composite: Image, mask: Mask, known: Known) -> Output:
        """Match the foreground's histograms to the background's."""
        _check_background(mask, self.name)
        return Output(match_histograms(composite, mask).astype(np.float32))


@dataclass(frozen=True)
class Oracle:
    """The true arguments: what a network of this chain can reach at best.

    Args:
        chain: whose arguments the data has.

    Example:
        >>> image, mask = np.full((2, 2, 3), 100, np.uint8), np.full((2, 2), 255, np.uint8)
        >>> output = Oracle(FilterChain(["brightness"])).run(image, mask, {"brightness": -0.5})
        >>> output.image[0, 0], output.arguments
        (array([50., 50., 50.], dtype=float32), {'brightness': -0.5})
    """

    chain: FilterChain
    name: str = "oracle"

    def run(self, composite: Image, mask: Mask, known: Known) -> Output:
        """Apply the known arguments.

        Raises:
            Unusable: none are known.
            SynthharmError: they are of another chain.
        """
        if known is None:
            raise Unusable(self.name, "no arguments", "the true arguments are not known")
        return self.apply(composite, mask, known)

    def apply(self, composite: Image, mask: Mask, arguments: Mapping[str, float]) -> Output:
        """Apply arguments, all of the chain's by name."""
        return _apply(self.chain, composite, mask, arguments)


@dataclass(frozen=True)
class Network:
    """A harmonizer: arguments predicted from composite and mask, and applied at the composite's own size.

    What is scored is unrounded: at full size the result is held in floats, 12 bytes for each pixel of the image,
    and applying and measuring it take several times as much. `harmonize_image` needs far less.

    Args:
        harmonizer: the network, which is put on the device and into evaluation mode.
        device: where the network predicts; see `find_device`. Arguments are applied on the CPU.

    Raises:
        SynthharmError: no such device here.
    """

    harmonizer: Harmonizer
    device: str = "cpu"
    name: str = "harmonizer"

    def __post_init__(self) -> None:
        self.harmonizer.to(find_device(self.device)).eval()

    def run(self, composite: Image, mask: Mask, known: Known) -> Output:
        """Predict arguments and apply them.

        Raises:
            SynthharmError: the network predicts what is not a finite number.
        """
        predicted = predict(self.harmonizer, composite, mask)
        return self.apply(composite, mask, name_arguments(self.harmonizer.chain, predicted))

    def apply(self, composite: Image, mask: Mask, arguments: Mapping[str, float]) -> Output:
        """Apply arguments, all of the chain's by name, in float64."""
        return _apply(self.harmonizer.chain, composite, mask, arguments)


@dataclass(frozen=True)
class Lifted:
    """A method at low resolution, whose effect on colours is carried over to the full-size composite.

    The method runs on composite and mask at `size`, resized bilinearly, the mask binarised at one half. A
    polynomial (see `fit_colour_map`) is fitted to what it made of the foreground's colours, and run on the
    foreground of the composite itself, clipped and mixed in by the mask.

    Args:
        method: what runs at low resolution.
        order: of the polynomial, 2 or 3.
        size: height and width of what the method sees.

    Raises:
        ValueError: another order, or a size below 1.

    Example:
        >>> Lifted(Composite(), 2).name
        'composite + PCM2'
    """

    method: Method
    order: int
    size: int = 256

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ValueError(f"order is {self.order}; 2 or 3 is accepted")
        if self.size < 1:
            raise ValueError(f"size is {self.size}; 1 or more is accepted")

    @property
    def name(self) -> str:
        """The method's name, and the order of the polynomial colour mapping."""
        return f"{self.method.name} + PCM{self.order}"

    def run(self, composite: Image, mask: Mask, known: Known) -> Output:
        """Harmonize at low resolution, and map the full-size foreground's colours as was done there.

        Raises:
            Unusable: nothing is left of the mask at low resolution, or what the method raises.
        """
        size = (self.size, self.size)
        small, small_mask = resize(composite, size), binarize(resize(mask, size))
        if not small_mask.any():
            raise Unusable(self.name, "empty mask", f"no foreground is left of it at {self.size} x {self.size}")
        output = self.method.run(small, small_mask, known)
        seen = small_mask > 0
        found = fit_colour_map(small[seen] / 255, output.image[seen].astype(np.float64) / 255, self.order)
        image = composite.astype(np.float32)
        inside = np.flatnonzero(mask)
        pixels, alphas = image.reshape(-1, 3), mask.reshape(-1)
        for start in range(0, len(inside), BLOCK):
            block = inside[start : start + BLOCK]
            own = pixels[block].astype(np.float64)
            mapped = np.clip(found.apply(own / 255) * 255, 0, 255)
            pixels[block] = own + alphas[block, None] / 255 * (mapped - own)
        return replace(output, image=image)


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an image or a mask bilinearly between the nearest pixels, without antialiasing.

    Args:
        image: uint8 (H, W, 3) or (H, W).
        size: height and width; the same size gives the same bytes.

    Example:
        >>> resize(np.array([[0, 100]], np.uint8), (1, 4))
        array([[  0,  25,  75, 100]], dtype=uint8)
    """
    resized = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, dtype=np.uint8)


def _apply(chain: FilterChain, composite: Image, mask: Mask, arguments: Mapping[str, float]) -> Output:
    if set(arguments) != set(chain.columns):
        raise SynthharmError(
            f"arguments are known for {', '.join(sorted(arguments)) or 'nothing'}; "
            f"those of the chain are accepted: {', '.join(chain.columns)}"
        )
    values = {column: float(arguments[column]) for column in chain.columns}
    image = composite.astype(np.float32)
    image[mask > 0] = harmonize(composite, mask, chain, np.array(list(values.values()))) * 255
    return Output(image, values, chain)


def _check_background(mask: Mask, name: str) -> None:
    if (mask > 0).all():
        raise Unusable(name, "no background", "the mask is above 0 everywhere; there are no colours to take on")
