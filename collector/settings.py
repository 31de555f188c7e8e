"""Settings of the collector."""

from __future__ import annotations

from dataclasses import dataclass, field

from collector.dcgm.settings import DcgmSettings
from collector.kubernetes.settings import KubernetesSettings
from collector.listen_settings import ListenSettings
from models.taints import read_taint


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Where the host source looks. A collector in a pod sees the node's folders mounted elsewhere."""

    proc: str = "/proc"
    """procfs of the host; in a pod it needs hostPID."""

    sys: str = "/sys"
    """sysfs of the host, for disks, network cards and NUMA nodes."""

    cgroup: str = "/sys/fs/cgroup"
    """cgroup mount of the host, v1, v2 or hybrid."""

    root: str = "/"
    """Root of the host's files: names of pods are read under var/log and run."""

    kubelet: str = "/var/lib/kubelet"
    """Folder of the kubelet, under root; where its pod-resources socket is, it says which pod holds which GPU."""

    max_process_groups: int = 200
    """Most groups of plain processes that get a workload of their own; the rest is counted in `other`.
    A desktop runs 60 to 120 programs; without a bound a build farm would make thousands of names."""

    group_min_age_s: float = 10.0
    """A group of processes that is younger and has used less than group_min_cpu_s is counted in `other`:
    `ls` and `sed` are no workloads."""

    group_min_cpu_s: float = 1.0
    """CPU time after which a group gets a workload of its own at once."""

    limits_interval_s: float = 30.0
    """How often limits and requests are read again. They change by a hand or a controller, not by load."""

    def __post_init__(self) -> None:
        if self.max_process_groups < 1:
            raise ValueError(f"max_process_groups is {self.max_process_groups}; it must be at least 1")
        if self.limits_interval_s <= 0:
            raise ValueError(f"limits_interval_s is {self.limits_interval_s}; it must be above 0")


@dataclass(frozen=True, slots=True)
class FactsSettings:
    """What is said of this node by hand. It wins over what is found."""

    labels: dict[str, str] = field(default_factory=dict)
    """Labels by which jobs and racks choose this node, beside those that Kubernetes knows."""

    zone: str = ""
    """Zone of this node. Empty: the one that Kubernetes knows."""

    spot: bool | None = None
    """Whether this node may be taken away at any time. Unset: what its labels in Kubernetes say."""

    price_usd_per_hour: float | None = None
    """What this node costs. Unset: not known, and advice on spot nodes says so."""

    taints: tuple[str, ...] | None = None
    """What keeps workloads off this node beside what Kubernetes knows, as kubectl writes it: `dedicated=ml:NoSchedule`. Empty:
    nothing does. Unset: what Kubernetes knows, else it is not known."""

    def __post_init__(self) -> None:
        for text in self.taints or ():
            read_taint(text)
        price = self.price_usd_per_hour
        if price is not None and not 0 <= price < float("inf"):
            raise ValueError(f"price_usd_per_hour is {price}; it must be 0 or more")


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    cluster: str = ""
    """Name of the cluster, first part of every workload id. Empty: the node's name, right for a single machine."""

    node: str = ""
    """Name of this node. Empty: the host name. In Kubernetes pass spec.nodeName."""

    interval_s: float = 1.0
    """Time between two reads of a source."""

    flush_interval_s: float = 10.0
    """Time between two flushes to the outbox. A flush is one fsync and one message per partition."""

    outbox: str = "sizewise-outbox.db"
    """File that holds what the log has not confirmed yet."""

    outbox_max_bytes: int = 256 << 20
    """Most bytes of messages that wait there; over it the oldest are dropped and counted. 200 workloads at 1 Hz make
    about 6 kB/s, so this is half a day without the log."""

    send_timeout_s: float = 10.0
    """Longest wait for the log to confirm a batch."""

    send_backoff_s: float = 0.5
    """Wait after the log could not be reached; doubles with each failure in a row."""

    send_backoff_max_s: float = 15.0
    """Longest such wait, so that a minute's outage is over within a quarter of it."""

    source_backoff_max_s: float = 60.0
    """Longest wait before a source that fails is asked again; starts at interval_s and doubles."""

    source_deadline_s: float = 5.0
    """How long the other sources wait for a GPU driver that hangs; then it is reported and they go on without it. Starting a
    driver that nobody uses takes seconds too, and is reported until it is done."""

    max_gap_s: float = 600.0
    """A span longer than this is not described by one row: after it, counters start anew."""

    host: HostSettings = field(default_factory=HostSettings)
    listen: ListenSettings = field(default_factory=ListenSettings)
    dcgm: DcgmSettings = field(default_factory=DcgmSettings)
    kubernetes: KubernetesSettings = field(default_factory=KubernetesSettings)
    facts: FactsSettings = field(default_factory=FactsSettings)

    def __post_init__(self) -> None:
        if self.interval_s < 0.1:
            raise ValueError(f"interval_s is {self.interval_s}; it must be at least 0.1")
        if self.flush_interval_s < self.interval_s:
            raise ValueError(
                f"flush_interval_s is {self.flush_interval_s}; it must be at least interval_s ({self.interval_s})"
            )
        if self.source_deadline_s <= 0:
            raise ValueError(f"source_deadline_s is {self.source_deadline_s}; it must be above 0")
        if self.outbox_max_bytes < 1 << 20:
            raise ValueError(f"outbox_max_bytes is {self.outbox_max_bytes}; it must be at least 1048576")
