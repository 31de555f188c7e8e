"""What a node is and holds. Published whenever it changes; the newest per node is the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.hardware.discovered import DiscoveredProfile
from models.taints import Taint


@dataclass(frozen=True, slots=True)
class Disk:
    name: str
    size_bytes: int | None = None
    rotational: bool | None = None


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    name: str
    speed_bits_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class NumaNode:
    index: int
    cpus: str
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class GpuLink:
    """How near another GPU is: `nvlink`, `pcie-switch`, `numa` or `system`."""

    peer_uuid: str
    kind: str


@dataclass(frozen=True, slots=True)
class MigInstance:
    """`start`: its first memory slice; None where only root is told and the collector is not."""

    uuid: str
    profile: str
    start: int | None = None


@dataclass(frozen=True, slots=True)
class Gpu:
    uuid: str
    model: str
    memory_bytes: int
    pci_bus_id: str = ""
    numa_node: int | None = None
    mig_enabled: bool = False
    mig: tuple[MigInstance, ...] = ()
    links: tuple[GpuLink, ...] = ()
    pci_device_id: str = ""
    """Four hexadecimal digits, `20B5`; with it models.hardware knows the board exactly."""
    mig_profiles: tuple[DiscoveredProfile, ...] = ()
    """What this board and driver can cut the GPU into, as NVML reports it; it wins over the table in models.hardware."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a workload instance holds on the node now. None: the source cannot tell."""

    workload: str
    instance: str
    cpu_cores: float | None = None
    memory_bytes: int | None = None
    gpu_uuids: tuple[str, ...] = ()
    image: str = ""
    """Container image as the runtime names it; empty: there is none, or the source cannot tell."""
    command: str = ""
    """Program and arguments in one line, cut at COMMAND_CHARACTERS; empty: the source cannot tell."""
    gpu_share_ratio: float | None = None
    """Share of each of its GPUs that it was granted, 0.25 for one of four time-sliced replicas. None: the source cannot tell."""


COMMAND_CHARACTERS = 512
"""Of a command in the inventory: what follows is data. 200 instances a node are 100 KB."""


ALLOCATIONS, GPU_HOLDERS, TAINTS = "allocations", "gpu_holders", "taints"
"""Signals of coverage that are of the node as a whole: what runs there, who has which GPU, what keeps workloads off."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Whether a source can see a signal, and if not why: `reason` is a sentence with the mend, empty when seen."""

    source: str
    signal: str
    seen: bool
    reason: str = ""


NODE_REPEAT_MS = 600_000
"""A collector publishes its node when it changes and at least this often, so that a quiet node is told from a dead one."""


@dataclass(frozen=True, slots=True)
class Node:
    cluster: str
    name: str
    time_ms: int
    cpu_model: str = ""
    cpu_cores: float = 0.0
    memory_bytes: int = 0
    numa: tuple[NumaNode, ...] = ()
    disks: tuple[Disk, ...] = ()
    interfaces: tuple[NetworkInterface, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    kernel: dict[str, str] = field(default_factory=dict)
    """release, cgroup (`v1`, `v2`, `hybrid`), psi (`yes`/`no`), ..."""
    labels: dict[str, str] = field(default_factory=dict)
    zone: str = ""
    spot: bool | None = None
    price_usd_per_hour: float | None = None
    allocatable_cpu_cores: float | None = None
    """What a scheduler may hand out of `cpu_cores`, the rest being kept for the system. None: nobody tells, so all of it."""
    allocatable_memory_bytes: int | None = None
    allocations: tuple[Allocation, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    taints: tuple[Taint, ...] | None = None
    """What keeps workloads off it, its being cordoned or not ready among them. None: nobody tells, and there may be some."""
