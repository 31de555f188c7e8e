"""The host source: cgroups and /proc of one machine in; telemetry rows, events and the node out."""

from __future__ import annotations

import os
import socket

import msgspec

from collector.host.cgroup_paths import cgroup_paths
from collector.host.coverage import Seen, coverage
from collector.host.files import KeptFiles
from collector.host.group_workloads import GroupWorkloads
from collector.host.layout import detect
from collector.host.machine import look
from collector.host.naming import Namer
from collector.host.rows import Rows
from collector.host.tracked import Baseline
from collector.host.whose import Whose
from collector.host.workloads import CgroupWorkloads
from collector.settings import CollectorSettings
from collector.source import Moment, Reading, SourceError
from models.inventory import Node

_MACHINE_MS = 300_000
"""Disks and cards are looked at again this often: they change by hot-plug only."""
_NODE_MS = 10_000
"""The node is described this often, and when workloads come or go."""


class _State(msgspec.Struct, array_like=True):
    """What a restarted collector goes on from. `boot_id`: counters of an earlier boot mean nothing."""

    boot_id: str
    steady_ms: int
    cgroups: dict[str, Baseline]
    processes: dict[int, tuple[int, int, int]]
    groups: list[str]


class HostSource:
    """Reads one machine through the roots in its settings."""

    name = "host"

    def __init__(self, settings: CollectorSettings, files: KeptFiles | None = None) -> None:
        """Raises SourceError when there is no procfs at the root."""
        host = settings.host
        self._node = settings.node or socket.gethostname()
        self._cluster = settings.cluster or self._node
        self._max_gap_ms = round(settings.max_gap_s * 1000)
        self._host, self._layout = host, detect(host.cgroup)
        self._files = files or KeptFiles()
        self._machine = look(host.proc, host.sys, self._layout)
        if not self._machine.memory_bytes:
            raise SourceError(f"{host.proc}/meminfo cannot be read: is {host.proc} a procfs? Set collector.host.proc")
        self._namer = namer = Namer(settings.cluster, self._node, host.proc, host.root)
        interval_ms = round(host.limits_interval_s * 1000)
        self._cgroups = CgroupWorkloads(self._layout, namer, self._files, host.proc, interval_ms, self._machine.stacked)
        hierarchy = b"0::" if self._layout.unified else b"cpuacct"
        paths = cgroup_paths(host.proc, self._layout.main, hierarchy, os.getpid())
        self._groups = GroupWorkloads(namer, self._files, host, self._cgroups.__contains__, paths)
        self.whose = Whose(host.proc, paths, self._cgroups, self._groups)
        self._seen = Seen()
        self._newest_ms = 0
        self._next_look_ms = self._next_node_ms = 0

    def read(self, now: Moment) -> Reading:
        """One row per workload instance that was read before, what happened since, and the node."""
        if now.steady_ms >= self._next_look_ms:
            self._machine = look(self._host.proc, self._host.sys, self._layout)
            self._next_look_ms = now.steady_ms + _MACHINE_MS
        rows, plain = Rows(now.wall_ms), Rows(now.wall_ms)
        events = self._cgroups.read(now, self._node, rows, self._machine.memory_bytes, self._machine.cpu_cores)
        events += self._groups.read(now, self._node, plain)
        batches = (rows.batch(), plain.batch())
        self._seen.note(*batches)
        self._newest_ms = now.steady_ms
        return Reading(batches, events, self._node_if_due(now, changed=bool(events)))

    def state(self) -> bytes:
        state = _State(
            self._machine.boot_id,
            self._newest_ms,
            self._cgroups.baselines(),
            self._groups.baselines(),
            self._groups.reported(),
        )
        return msgspec.msgpack.encode(state)

    def restore(self, state: bytes, now: Moment) -> None:
        try:
            known = msgspec.msgpack.decode(state, type=_State)
        except msgspec.MsgspecError:
            return
        gap_ms = now.steady_ms - known.steady_ms
        if known.boot_id != self._machine.boot_id or not 0 < gap_ms <= self._max_gap_ms:
            return
        self._cgroups.remember(known.cgroups)
        self._groups.remember(known.processes, frozenset(known.groups), known.steady_ms)

    def close(self) -> None:
        self._cgroups.close()
        self._groups.close()

    def _node_if_due(self, now: Moment, *, changed: bool) -> Node | None:
        if not changed and now.steady_ms < self._next_node_ms:
            return None
        self._next_node_ms = now.steady_ms + _NODE_MS
        return self._node_now(now)

    def _node_now(self, now: Moment) -> Node:
        machine = self._machine
        return Node(
            cluster=self._cluster,
            name=self._node,
            time_ms=now.wall_ms,
            cpu_model=machine.cpu_model,
            cpu_cores=machine.cpu_cores,
            memory_bytes=machine.memory_bytes,
            numa=machine.numa,
            disks=machine.disks,
            interfaces=machine.interfaces,
            kernel=machine.kernel,
            allocations=tuple(self._cgroups.allocations()),
            coverage=coverage(machine, self._layout, self._cgroups, self._seen),
        )
