"""What limits a workload: the classes, what was compared to find them, and the lines between them.

A class is meant per window of telemetry; a job is described by the share of its time in each class. The two are kept
apart: 54 % of the samples of a machine may lie above its ridge while 81 % of its jobs lie below it.

Lines and ceilings are taken from vendors' tools or follow from what a signal means. None was fitted; what one was set
with data in view is said there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Bottleneck(IntEnum):
    """The class of a window, with the kind of I/O. Stored as uint8: never renumber."""

    INSUFFICIENT = 0  # a signal that decides is missing; `missing` names it
    COMPUTE = 1
    MEMORY_BANDWIDTH = 2
    IO_HOST_TRANSFER = 3  # waits for copies between host and device
    IO_GPU_LINK = 4  # waits for another GPU
    IO_NETWORK = 5
    IO_STORAGE = 6
    LATENCY = 7  # in use, and nothing is saturated: launches, synchronisation, host work between kernels
    IDLE = 8
    MEMORY_PRESSURE = 9  # CPU workloads: tasks wait for memory to be reclaimed

    @property
    def label(self) -> str:
        """The class alone: `io` for every kind of I/O."""
        return "io" if self.io_kind else self.name.lower().replace("_", "-")

    @property
    def io_kind(self) -> str | None:
        return self.name[3:].lower().replace("_", "-") if self.name.startswith("IO_") else None


CLASSES = len(Bottleneck)


class Method(IntEnum):
    """How a class was found."""

    COUNTERS = 0  # profiling counters: DRAM and at least one math pipe
    PHYSICS = 1  # NVML alone: power between idle and limit, memory-copy utilisation, PCIe and NVLink rates
    LEARNED = 2  # NVML alone, by a model that windows with counters have taught


SENTENCES: dict[Bottleneck, str] = {
    Bottleneck.INSUFFICIENT: "a signal that would decide is missing",
    Bottleneck.COMPUTE: "a math pipe or the power limit sets its speed",
    Bottleneck.MEMORY_BANDWIDTH: "device memory bandwidth sets its speed",
    Bottleneck.IO_HOST_TRANSFER: "the device waits for copies from or to the host",
    Bottleneck.IO_GPU_LINK: "the device waits for another GPU",
    Bottleneck.IO_NETWORK: "it waits for the network",
    Bottleneck.IO_STORAGE: "it waits for a disk",
    Bottleneck.LATENCY: "nothing is saturated: short kernels, synchronisation or host work between them",
    Bottleneck.IDLE: "hardly anything runs",
    Bottleneck.MEMORY_PRESSURE: "its tasks wait for memory to be reclaimed",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number that was compared. 1 is the ceiling; above it measurement and ceiling disagree."""

    name: str
    help: str


EVIDENCE: tuple[Evidence, ...] = (
    Evidence("busy_ratio", "share of time in which the GPU ran something: graphics engine, else NVML utilisation"),
    Evidence("compute_ratio", "busiest math pipe over its practical ceiling (tensor 0.93, others 1)"),
    Evidence(
        "memory_ratio", "DRAM activity over its practical ceiling, 0.8; without counters NVML's memory utilisation"
    ),
    Evidence("host_transfer_ratio", "share of time that the PCIe bytes take at the speed of pageable copies, 6 GB/s"),
    Evidence("gpu_link_ratio", "NVLink bytes in the busier direction over 0.8 of its peak"),
    Evidence("power_ratio", "power above idle over what the limit leaves above idle"),
)
"""In the order of every evidence array, [..., 6]. NaN: the signal is missing."""
BUSY, COMPUTE, MEMORY, HOST, LINK, POWER = range(6)

TENSOR_CEILING = 0.93
"""An estimate of what large dense matrix products reach; no vendor states one. The rule allows a tenth for it."""
DRAM_CEILING = 0.8
"""NVIDIA, DCGM user guide: `dram_active` has a practical maximum of about 0.8."""
LINK_CEILING = 0.8
"""An estimate for PCIe and NVLink: headers and flow control take the rest of the peak."""
SATURATED = 0.6
"""Nsight Compute's speed-of-light rule: with compute and memory both under 60 % of peak, latency is what limits. Orion
labels kernels by the same line."""
IDLE_BELOW = 0.05
"""Share of time; KempnerPulse's line."""
MOSTLY_IDLE_BELOW = 0.5
"""Copies hold a device up only if it does little else meanwhile."""
AT_LIMIT = 0.95
"""Board power over its limit from which on the clock is held back by power: regulation swings by a few percent."""
IDLE_POWER = 0.16
"""Idle board power over the limit: 40 W of 250 W on an A100 PCIe; an H100 SXM with a process on it idles at 120 of 700."""
MEMORY_POWER = 0.2
"""Share of the power above idle that saturated device memory draws: HBM at about 5 pJ/bit and 3.35 TB/s is 134 of 590 W."""
PAGEABLE_BYTES_PER_S = 6e9
"""About what one thread copies through pageable host memory, the usual way: it is the copy into the staging buffer that
limits, not the link, so it hardly depends on the PCIe generation. An estimate: at 3 or 12 GB/s
1 of 100 windows of bench/bottleneck.py changes its class."""
NEARLY_FULL = 0.8
"""At the power limit a memory with a fifth left would take more if the clock rose: power limits, not memory."""
MEMORY_UTILIZATION_ERROR = 0.75
"""NVML's memory utilisation is DRAM activity over its practical ceiling within 3 % on H100, in training, inference and
off-loading (the runs of bench/bottleneck.py); a quarter is allowed for other boards and work. With 0, nothing known from
below, the bench leaves one of its 1,056 windows open and says no other class."""
SURE = 0.8
"""Four to one. A class that is less likely is not given: the answer is `insufficient`."""

PCIE_BYTES_PER_S: dict[int, float] = {3: 15.75e9, 4: 31.5e9, 5: 63e9, 6: 121e9}
"""Peak of 16 lanes in one direction, by generation."""


def of_job(gpu: Bottleneck, cpu: Bottleneck) -> Bottleneck:
    """What limits a workload that has GPUs: a GPU that waits for nothing it can see waits for the disk or the network that
    holds its host side up, where one does."""
    host_io = cpu in (Bottleneck.IO_STORAGE, Bottleneck.IO_NETWORK)
    return cpu if host_io and gpu in (Bottleneck.LATENCY, Bottleneck.IDLE) else gpu
