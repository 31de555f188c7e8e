"""What schedulers have promised to cgroups, and what they may use at most: requests and limits."""

from __future__ import annotations

from collections.abc import Collection

from collector.host import requests
from collector.host.cgroup import LimitMemo
from collector.host.files import read_if_there
from collector.host.found import KubeContainer, SlurmStep
from collector.host.layout import Layout
from collector.host.naming import processes_in
from collector.host.rows import Sizes
from collector.host.tracked import Tracked
from collector.host.weights import WeightFormula


class Promises:
    """Fills `limits` and `sizes` of tracked cgroups of one node."""

    def __init__(self, layout: Layout, proc: str) -> None:
        self._main, self._proc = layout.main, proc
        self._formula = WeightFormula(layout)

    def refresh(self, tracked: Collection[Tracked], memory_bytes: int, cores: float) -> None:
        """Read the limits of all anew. `memory_bytes` and `cores`: what the node has."""
        memo = LimitMemo()
        for one in tracked:
            one.limits = one.cgroup.limits(memo)
        containers = ((t.path, t.limits.weight) for t in tracked if isinstance(t.found, KubeContainer))
        self._formula.look(containers, cores)
        for one in tracked:
            one.sizes = self._sizes(one, memory_bytes)

    def settle(self, tracked: Tracked, memory_bytes: int) -> None:
        """The same for one that has just got its name."""
        tracked.limits = tracked.cgroup.limits(LimitMemo())
        tracked.sizes = self._sizes(tracked, memory_bytes)

    def _sizes(self, tracked: Tracked, memory_bytes: int) -> Sizes:
        limits, named = tracked.limits, tracked.named
        if isinstance(tracked.found, KubeContainer):
            cpu, memory = self._kubernetes(tracked.found, tracked, memory_bytes)
        elif isinstance(tracked.found, SlurmStep) and named is not None:
            cpu, memory = named.cpu_request, named.memory_request or limits.memory_bytes
        else:
            cpu = memory = None
        return Sizes(cpu, limits.cpu_cores, memory, limits.memory_bytes)

    def _kubernetes(self, found: KubeContainer, tracked: Tracked, memory_bytes: int) -> tuple[float | None, int | None]:
        limits = tracked.limits
        adjustment = self._oom_score_adjustment(tracked) if found.qos == "burstable" else None
        memory = requests.memory_request(found.qos, limits.memory_bytes, adjustment, memory_bytes)
        if found.qos == "guaranteed":
            return limits.cpu_cores, memory
        if limits.shares is not None:
            return requests.shares_to_cores(limits.shares), memory
        return requests.weight_to_cores(limits.weight, self._formula.value), memory

    def _oom_score_adjustment(self, tracked: Tracked) -> int | None:
        """Of a process in the container; one that has ended is replaced by another."""
        for again in (False, True):
            if again:
                tracked.pids = processes_in(f"{self._main}{tracked.path}")
            for pid in tracked.pids[:1]:
                if text := read_if_there(f"{self._proc}/{pid}/oom_score_adj"):
                    return int(text)
        return None
