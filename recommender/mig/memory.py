"""How much device memory a workload needs: the peak, and whether what it holds is what it needs.

Caching allocators hold more than they need: PyTorch keeps freed blocks, vLLM takes a share of the device at start.
A slice sized by what is held is too large; one sized by what is needed is right, when somebody measured it.
"""

from __future__ import annotations

from dataclasses import dataclass

_STATIC_SHARE = 0.85
"""vLLM takes 0.9 of the device by default and others similar; nothing that needs what it holds stays this full."""
_FLAT = 0.98
"""Median over peak of memory held: what is reserved at start does not move."""


@dataclass(frozen=True, slots=True)
class MemorySeen:
    """held_peak_bytes: peak of NVML framebuffer used. held_median_bytes: its median. total_bytes: of the GPU.

    needed_peak_bytes: peak that the framework says it allocated (torch.cuda.max_memory_allocated, the KV cache in use
    plus weights), with its CUDA context. None: not known.
    """

    held_peak_bytes: float | None
    held_median_bytes: float | None = None
    total_bytes: float | None = None
    needed_peak_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """bytes None: nothing is known. basis: `needed`, `held` or `reserved`; sentence says which was used and why."""

    bytes: float | None
    basis: str
    sentence: str


def memory_need(seen: MemorySeen) -> MemoryNeed:
    """What must fit into the slice."""
    if seen.needed_peak_bytes is not None:
        return MemoryNeed(seen.needed_peak_bytes, "needed", "sized by the peak that the framework says it needs")
    if seen.held_peak_bytes is None:
        return MemoryNeed(None, "held", "device memory in use is not known: collect framebuffer_used_bytes")
    if _reserved(seen):
        return MemoryNeed(
            seen.held_peak_bytes,
            "reserved",
            "it holds a fixed share of the device, as vLLM and pre-allocating frameworks do: it may need far less. "
            "Report what it needs (KV cache in use plus weights, or torch.cuda.max_memory_allocated) for a smaller slice",
        )
    return MemoryNeed(
        seen.held_peak_bytes, "held", "sized by the peak of memory held, what a caching allocator keeps included"
    )


def _reserved(seen: MemorySeen) -> bool:
    if not seen.held_peak_bytes or not seen.total_bytes or seen.held_median_bytes is None:
        return False
    full = seen.held_peak_bytes / seen.total_bytes >= _STATIC_SHARE
    return full and seen.held_median_bytes / seen.held_peak_bytes >= _FLAT
