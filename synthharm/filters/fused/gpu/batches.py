"""The compiled chain on a GPU: batches of float or 8-bit images, in as few passes over memory as the means need.

Applying reads the images once for each filter that needs means, and once more to write what comes out. Undoing
starts from means that are solved for on a few of the images' blocks, corrects them in some passes over all, and
writes in one more. What has no compiled form raises `NotCompiled`; `apply_or_reference` and `invert_or_reference`
then run the reference, and say why.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from synthharm.filters.arguments import Arguments
from synthharm.filters.chain import FilterChain, Inverse
from synthharm.filters.checks import check_batch, check_images
from synthharm.filters.fused.gpu.lowering import LoweredBatch, lower_batch
from synthharm.filters.fused.plan import NotCompiled, why_not_compiled

if TYPE_CHECKING:  # at run time it is imported where it is used: it takes Triton
    from synthharm.filters.fused.gpu.passes import Passes

SOFT = "soft edges are solved pixel by pixel"


def why_not_on_gpu(chain: FilterChain, images: Tensor, masks: Tensor | None = None) -> str | None:
    """Why a chain cannot run compiled on a batch, or None if it can.

    Args:
        chain: the filters.
        images: (N, 3, H, W).
        masks: (N, 1, H, W), for an inverse, to be looked at for soft edges, which takes a pass of its own.

    Example:
        >>> why_not_on_gpu(FilterChain.paper(), torch.rand(1, 3, 4, 4, dtype=torch.float64))
        'the images are float64; float32 and uint8 have a compiled form on a GPU'
    """
    if reason := why_not_compiled(chain):
        return reason
    if images.dtype not in (torch.float32, torch.uint8):
        name = str(images.dtype).removeprefix("torch.")
        return f"the images are {name}; float32 and uint8 have a compiled form on a GPU"
    if find_spec("triton") is None:
        return "Triton is not installed"
    if images.device.type != "cuda" and not _interpreted():
        return f"the images are on the device {images.device.type!r}, and it takes 'cuda'"
    if masks is not None and bool(((masks > 0) & (masks < _full(masks))).any()):
        return SOFT
    return None


def apply_batch(
    chain: FilterChain, composites: Tensor, masks: Tensor, arguments: Arguments | Tensor | LoweredBatch
) -> Tensor:
    """Harmonize composites as `FilterChain.apply` does.

    The host waits for nothing but arguments that lie on the GPU.

    Args:
        chain: the filters.
        composites: (N, 3, H, W) on a GPU, float32 in [0, 1] or uint8; copied where they are not contiguous.
        masks: (N, 1, H, W), of the same type: 1, or 255, is foreground.
        arguments: (N, K), or what `lower_batch` made of them.

    Returns:
        The harmonized images (N, 3, H, W), of the composites' type; of uint8 the nearest levels.

    Raises:
        NotCompiled: the chain, or the batch, has no compiled form; or gradients are asked for.
        ValueError: shapes, types or values that the reference does not take either.
    """
    passes = _prepare(chain, composites, masks, arguments, inverse=False)
    with _on(composites.device):
        passes.apply()
    return passes.written


def invert_batch(
    chain: FilterChain, real: Tensor, masks: Tensor, arguments: Arguments | Tensor | LoweredBatch
) -> Inverse:
    """Find the composites that these arguments harmonize to `real`, as `FilterChain.invert` does.

    A pixel is recoverable where no value leaves [0, 1] on the way. The host waits once or a few times, to learn
    whether the means are found.

    Args and what comes out as for `apply_batch`, with `real` for the composites.

    Raises:
        NotCompiled: as `apply_batch`; a mask has soft edges; or the means of an image could not be solved for.
        ValueError: as `apply_batch`; or a filter has no inverse.
    """
    inverse, unsolved = _invert(chain, real, masks, arguments)
    if unsolved:
        raise NotCompiled(f"the means could not be solved for: images {', '.join(map(str, unsolved))}")
    return inverse


def apply_or_reference(
    chain: FilterChain, composites: Tensor, masks: Tensor, arguments: Arguments | Tensor
) -> tuple[Tensor, str | None]:
    """Harmonize as `apply_batch` does, or by the reference, and then say why.

    Example:
        >>> chain = FilterChain(["shadow"])
        >>> images, masks = torch.rand(1, 3, 4, 4).double(), torch.ones(1, 1, 4, 4).double()
        >>> harmonized, reason = apply_or_reference(chain, images, masks, torch.tensor([[0.2]]))
        >>> reason
        'the images are float64; float32 and uint8 have a compiled form on a GPU'
    """
    try:
        return apply_batch(chain, composites, masks, arguments), None
    except NotCompiled as reason:
        harmonized = chain.apply(*_as_floats(composites, masks), arguments)
        return _like(composites, harmonized), str(reason)


def invert_or_reference(
    chain: FilterChain, real: Tensor, masks: Tensor, arguments: Arguments | Tensor
) -> tuple[Inverse, str | None]:
    """Undo as `invert_batch` does, or by the reference, and then say why.

    Images whose means could not be solved for are done again by the reference; the others stay.
    """
    try:
        inverse, unsolved = _invert(chain, real, masks, arguments)
    except NotCompiled as reason:
        found = chain.invert(*_as_floats(real, masks), arguments)
        return Inverse(_like(real, found.composites), found.recoverable), str(reason)
    if not unsolved:
        return inverse, None
    values = arguments.values if isinstance(arguments, Arguments) else arguments
    found = chain.invert(*_as_floats(real[unsolved], masks[unsolved]), values[unsolved])
    inverse.composites[unsolved] = _like(real, found.composites)
    inverse.recoverable[unsolved] = found.recoverable
    return inverse, f"the means could not be solved for: images {', '.join(map(str, unsolved))}"


def _invert(
    chain: FilterChain, real: Tensor, masks: Tensor, arguments: Arguments | Tensor | LoweredBatch
) -> tuple[Inverse, list[int]]:
    """The composites, and the images whose means could not be solved for."""
    passes = _prepare(chain, real, masks, arguments, inverse=True)
    with _on(real.device):
        soft, unsolved = passes.undo()
    if soft:
        raise NotCompiled(SOFT)
    return Inverse(passes.written, passes.recoverable.view(torch.bool)), unsolved


def _prepare(
    chain: FilterChain,
    images: Tensor,
    masks: Tensor,
    arguments: Arguments | Tensor | LoweredBatch,
    *,
    inverse: bool,
) -> Passes:
    """Check what is given, and lay it out."""
    if reason := why_not_on_gpu(chain, images):
        raise NotCompiled(reason)
    shapes = torch.empty(images.shape, device="meta"), torch.empty(masks.shape, device="meta")
    if masks.dtype != images.dtype or masks.device != images.device:
        raise ValueError(
            f"masks are {masks.dtype} on {masks.device}; "
            f"{images.dtype} on {images.device} is accepted, as the images"
        )
    if isinstance(arguments, LoweredBatch):
        if arguments.chain is not chain or arguments.inverse != inverse or len(arguments) != len(images):
            raise ValueError("the lowered batch is of another chain, direction or number of images")
        check_images(*shapes, None, None)
        lowered, values = arguments, None
    else:
        values = arguments.values if isinstance(arguments, Arguments) else arguments
        check_batch(*shapes, arguments, chain.columns, chain.parameters, None, None)
        lowered = lower_batch(chain, arguments, images.device, inverse=inverse)
    if torch.is_grad_enabled() and any(t.requires_grad for t in (images, values) if t is not None):
        raise NotCompiled("gradients are asked for, which only the reference has")
    from synthharm.filters.fused.gpu.passes import Passes

    return Passes.of(lowered, images.detach().contiguous(), masks.detach().contiguous())


def _on(device: torch.device) -> AbstractContextManager[object]:
    """Kernels are launched on the current device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def _interpreted() -> bool:
    """Whether Triton runs kernels in its interpreter, which takes any device."""
    from synthharm.filters.fused.gpu.kernels import COMPILES

    return not COMPILES


def _full(masks: Tensor) -> int:
    return 255 if masks.dtype == torch.uint8 else 1


def _as_floats(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    if images.dtype != torch.uint8:
        return images, masks
    return images.float() / 255, masks.float() / 255


def _like(images: Tensor, found: Tensor) -> Tensor:
    """What the reference found, as the images are: floats, or the nearest levels."""
    return found if images.dtype != torch.uint8 else (found * 255 + 0.5).to(torch.uint8)
