"""What is remembered of one cgroup that is a workload instance: between two reads, and over a restart."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from collector.host.cgroup import Cgroup, Counters, DearCounters, Limits
from collector.host.found import Found
from collector.host.naming import Named
from collector.host.rows import NO_DEAR_RATES, DearRates, Sizes


class Baseline(msgspec.Struct, array_like=True):
    """What is remembered of a cgroup over a restart of the collector. `inode` tells a cgroup made anew."""

    inode: int
    steady_ms: int
    counters: tuple[int | None, ...]
    dear: tuple[int | None, ...]
    dear_ms: int
    workload: str
    instance: str


@dataclass(slots=True)
class Tracked:
    """One cgroup that is a workload instance."""

    path: str
    inode: int
    found: Found
    cgroup: Cgroup
    seen_ms: int
    named: Named | None = None
    workload: str = ""
    next_name_ms: int = 0
    pids: list[int] = field(default_factory=list)
    namespace: str | None = None
    limits: Limits = field(default_factory=Limits)
    sizes: Sizes = field(default_factory=Sizes)
    before: Counters | None = None
    before_ms: int = 0
    dear: DearCounters | None = None
    dear_ms: int = 0
    dear_rates: DearRates = NO_DEAR_RATES
    reads: int = 0
    turn: int = 0
    """In which of five reads its dear files are read."""
    kills: int = 0
    """OOM kills it has shown since it was first read."""
