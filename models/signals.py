"""The signals of a telemetry row: one declarative table each for CPU rows and GPU rows.

Everything that handles telemetry (codec, profiler, report, docs) reads these tables, so a signal is declared once.
Units are base units: cores, bytes, bytes per second, ratio 0-1, watts, joules, hertz, counts. A value that a source cannot
give is null with a reason in the node's coverage, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["cores", "bytes", "bytes/s", "ratio", "watts", "joules", "hertz", "count"]
RowKind = Literal["cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One column of a telemetry row. Values outside [0, high] are rejected at the edge."""

    name: str
    unit: Unit
    high: float
    help: str


_PIB = float(2**50)
_TB_PER_S = 1e13  # ten terabytes a second: above any memory or link of one machine

CPU_SIGNALS: tuple[Signal, ...] = (
    Signal("cpu_cores", "cores", 4096, "CPU time used, in cores"),
    Signal("cpu_throttled_ratio", "ratio", 1, "share of CFS periods in which the CPU limit stopped it"),
    Signal("cpu_pressure_ratio", "ratio", 1, "PSI some: share of time in which a task waited for a CPU"),
    Signal("cpu_request_cores", "cores", 4096, "CPU request, from cpu.weight or the scheduler"),
    Signal("cpu_limit_cores", "cores", 4096, "CPU limit; null when unlimited"),
    Signal(
        "memory_working_set_bytes", "bytes", _PIB, "memory in use less inactive file cache: what an OOM kill looks at"
    ),
    Signal("memory_rss_bytes", "bytes", _PIB, "anonymous memory"),
    Signal("memory_request_bytes", "bytes", _PIB, "memory request, from the scheduler"),
    Signal("memory_limit_bytes", "bytes", _PIB, "memory limit; null when unlimited"),
    Signal("memory_pressure_ratio", "ratio", 1, "PSI some: share of time in which a task waited for memory"),
    Signal("io_pressure_ratio", "ratio", 1, "PSI some: share of time in which a task waited for a disk"),
    Signal("disk_read_bytes_per_s", "bytes/s", _TB_PER_S, "block device reads"),
    Signal("disk_write_bytes_per_s", "bytes/s", _TB_PER_S, "block device writes"),
    Signal("network_receive_bytes_per_s", "bytes/s", _TB_PER_S, "network bytes in, of its network namespace"),
    Signal("network_transmit_bytes_per_s", "bytes/s", _TB_PER_S, "network bytes out, of its network namespace"),
    Signal("oom_kills", "count", 1e6, "OOM kills since the row before"),
)

GPU_SIGNALS: tuple[Signal, ...] = (
    Signal(
        "gpu_utilization_ratio", "ratio", 1, "NVML: share of time in which a kernel ran; says nothing of how many SMs"
    ),
    Signal(
        "memory_copy_utilization_ratio", "ratio", 1, "NVML: share of time in which device memory was read or written"
    ),
    Signal("graphics_engine_active_ratio", "ratio", 1, "DCGM 1001 / GPM 1"),
    Signal(
        "sm_active_ratio", "ratio", 1, "DCGM 1002 / GPM 2: cycles with at least one resident warp, stalled ones too"
    ),
    Signal("sm_occupancy_ratio", "ratio", 1, "DCGM 1003 / GPM 3: resident warps over the maximum"),
    Signal("tensor_active_ratio", "ratio", 1, "DCGM 1004 / GPM 5"),
    Signal("dram_active_ratio", "ratio", 1, "DCGM 1005 / GPM 10; practical ceiling about 0.8"),
    Signal("fp64_active_ratio", "ratio", 1, "DCGM 1006 / GPM 11"),
    Signal("fp32_active_ratio", "ratio", 1, "DCGM 1007 / GPM 12"),
    Signal("fp16_active_ratio", "ratio", 1, "DCGM 1008 / GPM 13"),
    Signal("framebuffer_used_bytes", "bytes", _PIB, "device memory in use"),
    Signal("framebuffer_total_bytes", "bytes", _PIB, "device memory of the GPU or MIG instance"),
    Signal("pcie_transmit_bytes_per_s", "bytes/s", _TB_PER_S, "device to host"),
    Signal("pcie_receive_bytes_per_s", "bytes/s", _TB_PER_S, "host to device"),
    Signal("nvlink_transmit_bytes_per_s", "bytes/s", _TB_PER_S, "NVLink out"),
    Signal("nvlink_receive_bytes_per_s", "bytes/s", _TB_PER_S, "NVLink in"),
    Signal("power_watts", "watts", 20000, "board power"),
    Signal("power_limit_watts", "watts", 20000, "enforced power limit"),
    Signal("sm_clock_hertz", "hertz", 1e10, "SM clock"),
    Signal("memory_clock_hertz", "hertz", 1e11, "memory clock"),
    Signal("energy_joules", "joules", 1e8, "energy that the board used since the row before"),
    Signal("power_throttled_ratio", "ratio", 1, "share of time in which the power limit held clocks down"),
    Signal("thermal_throttled_ratio", "ratio", 1, "share of time in which heat held clocks down"),
    Signal("gpu_sharers", "count", 1e4, "workloads on the GPU or MIG instance at once; above 1 they take turns"),
)

SIGNALS: dict[RowKind, tuple[Signal, ...]] = {"cpu": CPU_SIGNALS, "gpu": GPU_SIGNALS}
