"""What NVML reports of a MIG profile: apart from the tables, which a collector need not load."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DiscoveredProfile:
    """A MIG profile as NVML reports it for one GPU.

    name: with or without the `MIG ` prefix. placements: (start, memory slices) pairs as
    nvmlDeviceGetGpuInstancePossiblePlacements gives them. memory_bytes: usable, of the profile info.
    """

    name: str
    profile_id: int
    compute_slices: int
    max_instances: int
    memory_bytes: int
    multiprocessors: int
    placements: tuple[tuple[int, int], ...]
