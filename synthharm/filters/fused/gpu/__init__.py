"""The same chains compiled for GPUs, for whole batches of tensors."""

from synthharm.filters.fused.gpu.batches import (
    apply_batch,
    apply_or_reference,
    invert_batch,
    invert_or_reference,
    why_not_on_gpu,
)

__all__ = ["apply_batch", "apply_or_reference", "invert_batch", "invert_or_reference", "why_not_on_gpu"]
