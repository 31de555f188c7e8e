"""Settings of the profiler."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProfilerSettings:
    group: str = "sizewise-profiler"
    """Consumer group: profilers of one group share the partitions of telemetry."""
    commit_interval_s: float = 5.0
    """How old a published profile may be, and how much work a kill undoes. A commit encodes every slab that changed."""
    forget_after_days: int = 45
    """A workload unseen for longer begins anew and its row is freed. Above a month, so that monthly jobs are kept."""
    max_forget_per_commit: int = 4096
    """Rows freed in one commit: 16 slabs to rewrite at most when they lie together."""
    batch_rows: int = 16_384
    """Rows absorbed in one numpy pass of a partition; fewer cost more per row, more leave the second-level cache."""
    bottleneck_model: str = ""
    """Path of a model that `sizewise train bottleneck` wrote, for GPU windows without profiling counters of which physics
    gives no class; empty: none. All profilers of a group need the same one, or a profile depends on who computed it."""
