"""A chain of filters: harmonizing with known arguments, and its exact inverse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from synthharm.filters.arguments import Arguments
from synthharm.filters.checks import check_batch, check_images, check_values
from synthharm.filters.drawing import Generators, Limits, Span, Strategy, draw_arguments
from synthharm.filters.filter import Filter, Parameter, region_positions
from synthharm.filters.inversion import Equations, split_arguments
from synthharm.filters.pixels import Pixels, Statistics, mean_weights, weighted_means
from synthharm.filters.registry import PAPER, find_filter

# How near harmonizing must bring a pixel to its real value for it to count as recovered, in [0, 1].
TOLERANCE = {torch.float32: 5e-4, torch.float64: 1e-5}


@dataclass(frozen=True)
class Inverse:
    """What `FilterChain.invert` found.

    Args:
        composites: (N, 3, H, W) in [0, 1]: the composites that the chain harmonizes to the real images.
        recoverable: (N, 1, H, W) bool: foreground pixels that it brings back. False outside the foreground.
    """

    composites: Tensor
    recoverable: Tensor


@dataclass(frozen=True)
class FilterChain:
    """An ordered choice of filters, run over whole images and blended into the foreground.

    The first filter runs on the composite, each further one on what the one before made of it, and the
    harmonized image is the last result in the foreground and the composite elsewhere.

    Args:
        filters: names (see `synthharm.filters.FILTERS`) or `Filter`s, each at most once, at least one.
        statistics: what the means that enter some formulas are taken over: the whole "image", as the published
            network needs them, or the "foreground".
        spans: by argument, how far from neutral it is drawn; the filters' own spans where not named.

    Raises:
        ValueError: no filter, one twice, an unknown one, or a span that its argument does not allow.

    Example:
        >>> chain = FilterChain.paper()
        >>> chain.columns
        ('temperature', 'brightness', 'contrast', 'saturation', 'highlight', 'shadow')
        >>> real, mask = torch.rand(1, 3, 8, 8) / 2 + 0.2, torch.zeros(1, 1, 8, 8)
        >>> mask[..., 2:6, 2:6] = 1
        >>> arguments = chain.arguments(brightness=0.2, shadow=-0.1)
        >>> inverse = chain.invert(real, mask, arguments)
        >>> harmonized = chain.apply(inverse.composites, mask, arguments)
        >>> bool(inverse.recoverable[mask > 0].all()), torch.allclose(harmonized, real, atol=1e-5)
        (True, True)
    """

    filters: tuple[Filter, ...]
    statistics: Statistics = "image"
    spans: Mapping[str, float] = field(default_factory=dict)

    def __init__(
        self,
        filters: Sequence[str | Filter],
        statistics: Statistics = "image",
        spans: Mapping[str, float] | None = None,
    ) -> None:
        chosen = tuple(find_filter(f) if isinstance(f, str) else f for f in filters)
        names = [f.name for f in chosen]
        if not chosen:
            raise ValueError("a chain needs at least one filter; got none")
        if len(set(names)) < len(names):
            raise ValueError(f"a chain takes each filter once; got {', '.join(names)}")
        if statistics not in ("image", "foreground"):
            raise ValueError(f"statistics is {statistics!r}; 'image' or 'foreground' is accepted")
        object.__setattr__(self, "filters", chosen)
        object.__setattr__(self, "statistics", statistics)
        object.__setattr__(self, "spans", dict(spans or {}))
        for column, span in self.spans.items():
            if column not in self.columns:
                raise ValueError(f"span for {column!r}, but the arguments are {', '.join(self.columns)}")
            widest = self.parameters[self.columns.index(column)]
            if not 0 <= span <= min(widest.high - widest.neutral, widest.neutral - widest.low):
                raise ValueError(
                    f"the span of {column} is {span}; "
                    f"0 to {min(widest.high - widest.neutral, widest.neutral - widest.low)} is accepted"
                )

    @classmethod
    def paper(cls, statistics: Statistics = "image") -> FilterChain:
        """The six filters of Harmonizer (ECCV 2022) in the paper's order."""
        return cls(PAPER, statistics)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of all filters, in the order of the arguments' columns."""
        return tuple(parameter for f in self.filters for parameter in f.parameters)

    @property
    def columns(self) -> tuple[str, ...]:
        """The name of each argument, in order."""
        return tuple(
            f.name if len(f.parameters) == 1 else f"{f.name}.{parameter.name}"
            for f in self.filters
            for parameter in f.parameters
        )

    def keeping_grey(self) -> FilterChain:
        """The same chain, but its draws leave grey pixels grey: for photos without colour.

        Example:
            >>> FilterChain.paper().keeping_grey().spans
            {'temperature': 0.0}
        """
        owners = [f for f in self.filters for _ in f.parameters]
        still = {c: 0.0 for c, f in zip(self.columns, owners, strict=True) if not f.keeps_grey}
        return FilterChain(self.filters, self.statistics, {**self.spans, **still})

    def arguments(self, **values: float) -> Arguments:
        """Arguments for one image by name; those not named are neutral.

        Raises:
            ValueError: an unknown name, or a value that its filter does not accept.
        """
        row = {column: p.neutral for column, p in zip(self.columns, self.parameters, strict=True)}
        if unknown := sorted(values.keys() - row.keys()):
            raise ValueError(f"no argument is called {unknown[0]!r}; there are {', '.join(self.columns)}")
        tensor = torch.tensor([list((row | values).values())], dtype=torch.float64)
        check_values(tensor, self.columns, self.parameters)
        return Arguments(self.columns, tensor)

    @property
    def needs_positions(self) -> bool:
        """Whether the place of a pixel in its region matters to any filter."""
        return any(f.needs_positions for f in self.filters)

    def apply(
        self,
        composites: Tensor,
        masks: Tensor,
        arguments: Arguments | Tensor,
        counts: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Harmonize composites.

        Args:
            composites: (N, 3, H, W), RGB in [0, 1], float32 or float64.
            masks: (N, 1, H, W) in [0, 1], 1 = foreground.
            arguments: (N, K), or `Arguments`.
            counts: (N, 1 or 3, H, W), how many pixels each one stands for in the means; 1 by default. With it
                an image may be given by a sample of its pixels, or its background by a histogram.
            positions: (N, 2, H, W), where each pixel lies in its region (see `region_positions`); by default
                from the masks, which takes images that are whole.

        Returns:
            The harmonized images (N, 3, H, W).

        Raises:
            ValueError: shapes, types or values other than these.
        """
        return list(self.steps(composites, masks, arguments, counts, positions))[-1]

    def steps(
        self,
        composites: Tensor,
        masks: Tensor,
        arguments: Arguments | Tensor,
        counts: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Harmonize as `apply` does, giving the image after each filter: K tensors (N, 3, H, W)."""
        values = check_batch(composites, masks, arguments, self.columns, self.parameters, counts, positions)
        weights = mean_weights(self.statistics, masks, counts)
        positions = self._positions(masks, positions)
        current = composites
        for filter_, argument in zip(self.filters, split_arguments(self.filters, values), strict=True):
            known = positions if filter_.needs_positions else None
            known = weighted_means(current, weights) if filter_.needs_means else known
            current = filter_.apply(current, argument, known)
            yield current * masks + composites * (1 - masks)

    def draw(
        self,
        real: Tensor,
        masks: Tensor,
        *,
        generator: Generators,
        limits: Limits | None = None,
        strategy: Strategy | None = None,
        counts: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Arguments:
        """Draw arguments with which `invert` loses next to nothing.

        By default uniform in the spans; a draw that costs more than the limits allow is drawn again a few times,
        and then shrunk towards neutral until it does not. Ends for any image: `Arguments.kept` says how much of
        the draw was left, 0 where all of it had to be given up.

        Args:
            real: (N, 3, H, W), RGB in [0, 1], float32 or float64.
            masks: (N, 1, H, W) in [0, 1], 1 = foreground.
            generator: one for all images, or a sequence of one per image, which makes an image's draw independent
                of the others in its batch.
            limits: what the draw may cost; by default half a percent of the foreground, and 35 dB after rounding
                to 8 bits.
            strategy: how arguments are drawn: `Span()` by default; see `synthharm.filters.drawing`.
            counts: as for `apply`.
            positions: as for `apply`.

        Raises:
            ValueError: shapes, types or values other than these, or a filter without an inverse.

        Example:
            >>> chain, real, mask = FilterChain.paper(), torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
            >>> arguments = chain.draw(real, mask, generator=torch.Generator().manual_seed(1))
            >>> inverse = chain.invert(real, mask, arguments)
            >>> bool(inverse.recoverable.all())
            True
        """
        return self.disharmonize(
            real,
            masks,
            generator=generator,
            limits=limits,
            strategy=strategy,
            counts=counts,
            positions=positions,
        )[0]

    def disharmonize(
        self,
        real: Tensor,
        masks: Tensor,
        *,
        generator: Generators,
        limits: Limits | None = None,
        strategy: Strategy | None = None,
        counts: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> tuple[Arguments, Inverse]:
        """Draw arguments as `draw` does, and give the composites that it found with them on the way."""
        check_images(real, masks, counts, positions)
        pixels = Pixels.of(real, masks, counts, self._positions(masks, positions))
        arguments, inverse = draw_arguments(self, pixels, generator, limits or Limits(), strategy or Span())
        composites, recoverable = inverse.composites.reshape(real.shape), inverse.recoverable.reshape(masks.shape)
        return arguments, Inverse(composites, recoverable)

    def invert(
        self,
        real: Tensor,
        masks: Tensor,
        arguments: Arguments | Tensor,
        counts: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Inverse:
        """Find the composites that these arguments harmonize to `real`. Outside the masks they are `real`.

        The means that enter the filters are those of the composite being sought: they are solved for jointly
        with it, and at soft pixels the blend is solved too. Where no composite in [0, 1] harmonizes to the real
        value, because some intermediate value would have to leave [0, 1], the nearest is given and the pixel is
        not `recoverable`: that is decided by harmonizing what was found. Differentiable.

        Args and errors as for `apply`, with `real` (N, 3, H, W) for the composites. A filter without an inverse is
        a ValueError.
        """
        values = check_batch(real, masks, arguments, self.columns, self.parameters, counts, positions)
        if torch.is_inference_mode_enabled():  # soft pixels are solved by gradients, which inference tensors lack
            with torch.inference_mode(False), torch.no_grad():
                given = (real, masks, values, counts, positions)
                return self.invert(*(None if t is None else t.clone() for t in given))  # type: ignore[arg-type]
        pixels = Pixels.of(real, masks, counts, self._positions(masks, positions))
        equations = Equations(self.filters, self.statistics, pixels, split_arguments(self.filters, values))
        composites = equations.composites(equations.solve_means())
        with torch.no_grad():
            harmonized = self.apply(composites, pixels.masks, values, pixels.counts, pixels.positions)
            error = (harmonized - pixels.images).abs().amax(dim=1, keepdim=True)
            recoverable = (error <= TOLERANCE[real.dtype]) & (pixels.masks > 0)
        return Inverse(composites.reshape(real.shape), recoverable.reshape(masks.shape))

    def _positions(self, masks: Tensor, given: Tensor | None) -> Tensor | None:
        if not self.needs_positions:
            return None
        return region_positions(masks) if given is None else given.to(masks)
