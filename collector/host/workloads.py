"""Workloads that are cgroups: containers, job steps, units. Finds, names, reads and describes each."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from collector.host.cgroup import Counters, DearCounters, open_cgroup
from collector.host.files import KeptFiles
from collector.host.found import Found, KubeContainer, PlainContainer, SlurmStep
from collector.host.layout import Layout
from collector.host.naming import Named, Namer, processes_in
from collector.host.network import Namespaces
from collector.host.oom import ParentOoms
from collector.host.promises import Promises
from collector.host.recognise import recognise
from collector.host.rows import Rows, dear_rates, row_values
from collector.host.tracked import Baseline, Tracked
from collector.host.tree import CgroupTree
from collector.source import Moment
from models.events import EventKind, WorkloadEvent
from models.inventory import Allocation

_NAME_WAIT_MS = 60_000
"""How long a container without a name is waited for; its link in /var/log/containers comes within a second or two.
Nothing is lost meanwhile: its first row covers the wait."""
_NAME_RETRY_MS = 2_000

_DEAR_EVERY = 5
"""Pressure, disk and network are read every fifth time and shown, as means over that span, until the next: the kernel
sums each of them up over all CPUs or devices, and they are two thirds of all files. Cgroups take turns."""
_PROMPT_READS = 2
"""The first reads look at everything, so that the first row is whole."""

_NO_NAME: dict[type[Found], str] = {
    KubeContainer: "containers of pods go by their ids: mount the node's /var/log and /run/containerd (or "
    "/run/containers) read-only into the collector",
    SlurmStep: "job steps go by their ids: run the collector as root, so that it may read the environment of a job",
    PlainContainer: "containers go by their ids: mount the node's /var/lib/docker or /var/lib/containers read-only",
}


class CgroupWorkloads:
    """All workloads of one node that have a cgroup of their own."""

    def __init__(
        self,
        layout: Layout,
        namer: Namer,
        files: KeptFiles,
        proc: str,
        limits_interval_ms: int,
        stacked: Container[bytes],
    ) -> None:
        self._layout, self._namer, self._files, self._stacked = layout, namer, files, stacked
        self._limits_interval_ms = limits_interval_ms
        self._main = layout.main
        self._tree = CgroupTree(self._main, recognise) if self._main else None
        self.networks = Namespaces(proc, files)
        self._promises = Promises(layout, proc)
        self._memory_bytes = 0
        self._ooms = ParentOoms(layout)
        self._tracked: dict[str, Tracked] = {}
        self._remembered: dict[str, Baseline] | None = None
        self._next_limits_ms = 0
        self._walked = False
        self._gained = 0
        self._node = ""

    def __len__(self) -> int:
        return len(self._tracked)

    def __contains__(self, path: str) -> bool:
        """Whether a process in this cgroup is counted here."""
        return self.holder(path) is not None

    def holder(self, path: str) -> Tracked | None:
        """Who counts a process in this cgroup: the cgroup itself, or one above it."""
        while path and path != "/":
            if tracked := self._tracked.get(path):
                return tracked
            path = path.rpartition("/")[0]
        return None

    def read(self, now: Moment, node: str, rows: Rows, memory_bytes: int, cores: float) -> list[WorkloadEvent]:
        """Add a row for every instance that was read before; returns what started, ended or was OOM-killed."""
        self._node, self._memory_bytes = node, memory_bytes
        events = list(self._find(now))
        if now.steady_ms >= self._next_limits_ms:
            self._promises.refresh(self._tracked.values(), memory_bytes, cores)
            self._next_limits_ms = now.steady_ms + self._limits_interval_ms
        self.networks.start_round()
        for tracked in list(self._tracked.values()):
            if tracked.named is None or (not tracked.named.certain and now.steady_ms >= tracked.next_name_ms):
                self._try_name(tracked, now)
            if tracked.named is not None and not tracked.named.skip:
                events += self._read_one(tracked, tracked.named, now, rows)
        self._remembered = None
        return events

    def allocations(self) -> Iterator[Allocation]:
        """What each instance was promised, and what it runs."""
        for tracked in self._tracked.values():
            named, sizes = tracked.named, tracked.sizes
            if named is not None and not named.skip:
                promised = sizes.cpu_request, sizes.memory_request
                yield Allocation(tracked.workload, named.instance, *promised, image=named.image, command=named.command)

    def tracked(self) -> list[Tracked]:
        return list(self._tracked.values())

    def nameless(self) -> str:
        """Why some instances go by their ids, and the mend; empty when all have names."""
        kinds = {type(t.found) for t in self._tracked.values() if t.named and not t.named.certain and not t.named.skip}
        return "; ".join(sentence for kind, sentence in _NO_NAME.items() if kind in kinds)

    def baselines(self) -> dict[str, Baseline]:
        """By path, what a restarted collector goes on from."""
        return {
            path: Baseline(
                t.inode, t.before_ms, tuple(t.before), tuple(t.dear), t.dear_ms, t.workload, t.named.instance
            )
            for path, t in self._tracked.items()
            if t.before is not None and t.dear is not None and t.named is not None
        }

    def remember(self, baselines: Mapping[str, Baseline]) -> None:
        """Go on from an earlier collector's `baselines`. Call before the first read."""
        self._remembered = dict(baselines)

    def close(self) -> None:
        for tracked in self._tracked.values():
            tracked.cgroup.close()
        self.networks.keep(set())
        self._tracked.clear()

    def _find(self, now: Moment) -> Iterator[WorkloadEvent]:
        if self._tree is None:
            return
        found, changed = self._tree.walk()
        if not changed and self._walked:
            return
        first, self._walked = not self._walked, True
        for path, tracked in list(self._tracked.items()):
            if path not in found or found[path][0] != tracked.inode:
                yield from self._lose(tracked, now)
        for path, (inode, workload) in found.items():
            if path not in self._tracked:
                yield from self._gain(path, inode, workload, now, first=first)
        if first:
            yield from self._ended_meanwhile(found, now)
        self.networks.keep({t.namespace for t in self._tracked.values() if t.namespace is not None})

    def _gain(self, path: str, inode: int, found: Found, now: Moment, *, first: bool) -> Iterator[WorkloadEvent]:
        cgroup = open_cgroup(self._layout, path, self._files, self._stacked)
        self._gained += 1
        tracked = Tracked(path, inode, found, cgroup, now.steady_ms, turn=self._gained % _DEAR_EVERY)
        self._tracked[path] = tracked
        self._try_name(tracked, now)
        if isinstance(found, KubeContainer | SlurmStep):
            self._ooms.watch(path)
        remembered = (self._remembered or {}).get(path)
        if remembered is not None and remembered.inode == inode:
            tracked.before, tracked.before_ms = Counters(*remembered.counters), remembered.steady_ms
            tracked.dear, tracked.dear_ms = DearCounters(*remembered.dear), remembered.dear_ms
        elif (not first or self._remembered is not None) and tracked.named and not tracked.named.skip:
            yield self._event("started", tracked, now)

    def _lose(self, tracked: Tracked, now: Moment) -> Iterator[WorkloadEvent]:
        del self._tracked[tracked.path]
        tracked.cgroup.close()
        if self._tree is not None:
            self._tree.forget(tracked.path)
        if tracked.named is None or tracked.named.skip:
            return
        killed = self._ooms.unexplained(tracked.path, tracked.kills, self._kills_beside(tracked.path))
        if killed:
            yield self._event("oom-killed", tracked, now, {"kills": str(killed), "seen_in": "parent cgroup"})
        yield self._event("ended", tracked, now)

    def _kills_beside(self, path: str) -> int:
        """OOM kills that the siblings of a cgroup have shown."""
        parent = path.rpartition("/")[0]
        return sum(t.kills for t in self._tracked.values() if t.path.rpartition("/")[0] == parent)

    def _ended_meanwhile(self, found: Mapping[str, tuple[int, Found]], now: Moment) -> Iterator[WorkloadEvent]:
        """What an earlier collector had seen and is gone now."""
        for path, known in (self._remembered or {}).items():
            if path not in found or found[path][0] != known.inode:
                yield WorkloadEvent("ended", known.workload, known.instance, self._node, now.wall_ms)

    def _try_name(self, tracked: Tracked, now: Moment) -> None:
        tracked.next_name_ms = now.steady_ms + _NAME_RETRY_MS
        tracked.pids = processes_in(f"{self._main}{tracked.path}")
        named = self._namer.name(tracked.found, tracked.path, tracked.pids)
        waiting = now.steady_ms - tracked.seen_ms < _NAME_WAIT_MS
        if not named.certain and (waiting or tracked.named is not None):
            return
        if not named.certain and self._is_sandbox(tracked):
            named = Named(named.name, named.instance, skip=True)
        tracked.named, tracked.workload = named, str(named.name)
        tracked.next_name_ms = now.steady_ms + _NAME_WAIT_MS
        self._promises.settle(tracked, self._memory_bytes)
        if isinstance(tracked.found, KubeContainer | PlainContainer):
            tracked.namespace = self.networks.of(tracked.pids)

    def _is_sandbox(self, tracked: Tracked) -> bool:
        """A container without a name in a pod whose other containers have names holds the pod's namespaces."""
        if not isinstance(tracked.found, KubeContainer):
            return False
        uid = tracked.found.pod_uid
        return any(
            other.named is not None and other.named.certain
            for other in self._tracked.values()
            if isinstance(other.found, KubeContainer) and other.found.pod_uid == uid
        )

    def _read_one(self, tracked: Tracked, named: Named, now: Moment, rows: Rows) -> list[WorkloadEvent]:
        try:
            sample = tracked.cgroup.read()
            if tracked.reads < _PROMPT_READS or tracked.reads % _DEAR_EVERY == tracked.turn:
                self._read_dear(tracked, now.steady_ms)
        except OSError:
            return list(self._lose(tracked, now))
        tracked.reads += 1
        events: list[WorkloadEvent] = []
        before, span_ms = tracked.before, now.steady_ms - tracked.before_ms
        if before is not None and span_ms > 0:
            values = row_values(before, sample, span_ms, tracked.sizes, tracked.dear_rates)
            rows.add(tracked.workload, named.instance, span_ms, values)
            if values[-1]:
                tracked.kills += int(values[-1])
                events.append(self._event("oom-killed", tracked, now, {"kills": str(int(values[-1]))}))
        tracked.before, tracked.before_ms = sample.counters, now.steady_ms
        return events

    def _read_dear(self, tracked: Tracked, steady_ms: int) -> None:
        counters = tracked.cgroup.read_dear(self.networks.traffic(tracked.namespace))
        span_ms = steady_ms - tracked.dear_ms
        if tracked.dear is not None and span_ms > 0:
            tracked.dear_rates = dear_rates(tracked.dear, counters, span_ms)
        tracked.dear, tracked.dear_ms = counters, steady_ms

    def _event(
        self, kind: EventKind, tracked: Tracked, now: Moment, details: dict[str, str] | None = None
    ) -> WorkloadEvent:
        instance = tracked.named.instance if tracked.named else tracked.path
        return WorkloadEvent(kind, tracked.workload, instance, self._node, now.wall_ms, details or {})
