"""Which signals this machine shows, and for each that it does not, why and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from collector.host.layout import Layout
from collector.host.machine import Machine
from collector.host.workloads import CgroupWorkloads
from models.inventory import Coverage
from models.signals import CPU_SIGNALS
from models.telemetry import TelemetryBatch

_CGROUP, _PROCESS = "host/cgroup", "host/process"

_GROUPED = "plain processes share a cgroup with others; run it as a systemd unit or container to see this"
_PROCESS_REASONS: dict[str, str] = {
    "cpu_throttled_ratio": _GROUPED,
    "cpu_pressure_ratio": _GROUPED,
    "memory_pressure_ratio": _GROUPED,
    "io_pressure_ratio": _GROUPED,
    "oom_kills": _GROUPED,
    "cpu_request_cores": "a plain process has no request; a scheduler gives one",
    "memory_request_bytes": "a plain process has no request; a scheduler gives one",
    "cpu_limit_cores": "a plain process has no limit; set CPUQuota= on a systemd unit",
    "memory_limit_bytes": "a plain process has no limit; set MemoryMax= on a systemd unit",
    "network_receive_bytes_per_s": "it shares the host's network namespace, where traffic is not counted per process",
    "network_transmit_bytes_per_s": "it shares the host's network namespace, where traffic is not counted per process",
    "disk_read_bytes_per_s": "/proc/PID/io may not be read; run the collector as root or with CAP_SYS_PTRACE",
    "disk_write_bytes_per_s": "/proc/PID/io may not be read; run the collector as root or with CAP_SYS_PTRACE",
}
_NO_PSI = "the kernel keeps no pressure (PSI) here; boot it with psi=1"
_PSI_V1 = (
    "pressure is kept in the v2 hierarchy only and the cgroups of this machine are v1; boot it with "
    "systemd.unified_cgroup_hierarchy=1"
)
_CGROUP_REASONS: dict[str, str] = {
    "cpu_throttled_ratio": "no workload here has a CPU limit, so none can be throttled",
    "cpu_limit_cores": "no workload here has a CPU limit",
    "memory_limit_bytes": "no workload here has a memory limit",
    "cpu_request_cores": "no scheduler's CPU request could be read: BestEffort, a weight of unknown formula, or a systemd unit",
    "memory_request_bytes": "no scheduler's memory request could be read: BestEffort, or a systemd unit",
    "memory_working_set_bytes": "the memory controller is off for these cgroups; enable MemoryAccounting= or the controller",
    "memory_rss_bytes": "the memory controller is off for these cgroups; enable MemoryAccounting= or the controller",
    "oom_kills": "the memory controller is off for these cgroups; enable MemoryAccounting= or the controller",
    "disk_read_bytes_per_s": "the io controller is off for these cgroups; enable IOAccounting= or the controller",
    "disk_write_bytes_per_s": "the io controller is off for these cgroups; enable IOAccounting= or the controller",
    "cpu_cores": "no cgroup counts CPU time here; mount the cpuacct hierarchy or cgroup v2",
}


@dataclass(slots=True)
class Seen:
    """Which signals have ever had a value, of cgroups and of process groups; and whether either has had rows."""

    cgroup: set[str] = field(default_factory=set)
    process: set[str] = field(default_factory=set)
    cgroup_rows: bool = False
    process_rows: bool = False

    def note(self, cgroup: TelemetryBatch, process: TelemetryBatch) -> None:
        self.cgroup_rows |= len(cgroup) > 0
        self.process_rows |= len(process) > 0
        _add(self.cgroup, cgroup)
        _add(self.process, process)


def coverage(machine: Machine, layout: Layout, cgroups: CgroupWorkloads, seen: Seen) -> tuple[Coverage, ...]:
    """A line for each signal and way of reading that has workloads on this node, and for names that are missing."""
    lines: list[Coverage] = []
    if seen.cgroup_rows:
        lines += (
            _line(_CGROUP, s.name, seen.cgroup, _cgroup_reason(s.name, machine, layout, cgroups)) for s in CPU_SIGNALS
        )
    if seen.process_rows:
        lines += (
            _line(_PROCESS, s.name, seen.process, _PROCESS_REASONS.get(s.name, "not read yet")) for s in CPU_SIGNALS
        )
    nameless = cgroups.nameless()
    if nameless:
        lines.append(Coverage(_CGROUP, "workload", seen=False, reason=nameless))
    return tuple(lines)


def _line(source: str, signal: str, seen: set[str], reason: str) -> Coverage:
    return Coverage(source, signal, seen=True) if signal in seen else Coverage(source, signal, False, reason)


def _cgroup_reason(signal: str, machine: Machine, layout: Layout, cgroups: CgroupWorkloads) -> str:
    if signal.endswith("_pressure_ratio"):
        return _NO_PSI if not machine.psi else _PSI_V1 if not layout.unified else _NO_PSI
    if signal.startswith("network_"):
        if not cgroups.networks.visible:
            return "network namespaces may not be read; run the collector as root with hostPID and CAP_SYS_PTRACE"
        return "every workload here shares the host's network namespace, where traffic is not counted per cgroup"
    return _CGROUP_REASONS[signal]


def _add(known: set[str], batch: TelemetryBatch) -> None:
    """Once a signal has been seen it stays seen, so each is looked for only until then."""
    for name, column in batch.signals.items():
        if name not in known and any(value is not None for value in column):
            known.add(name)
