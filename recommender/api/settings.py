"""Settings of the REST API."""

from __future__ import annotations

from dataclasses import dataclass, field

from recommender.exposition.settings import ExpositionSettings

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class PlaceSettings:
    nvlink_labels: tuple[str, ...] = ("nvidia.com/gpu.clique",)
    """Node labels that name an NVLink domain of several nodes, the first that a node bears counts. NVIDIA's GPU feature
    discovery sets this one."""

    rack_labels: tuple[str, ...] = ("topology.kubernetes.io/rack", "cloud.google.com/gce-topology-subblock")
    """Node labels that name a rack, or what stands for it, for gangs. The zone is in the inventory itself."""


@dataclass(frozen=True, slots=True)
class MigSettings:
    max_slowdown_ratio: float = 0.1
    """How much slower a workload may run on the MIG slice that is advised: 0.1, so that a step takes at most 10 % longer."""

    memory_margin_ratio: float = 0.0
    """Added to the peak of device memory before a slice is chosen. A slice's usable memory is net of the driver's already."""

    def __post_init__(self) -> None:
        for name in ("max_slowdown_ratio", "memory_margin_ratio"):
            if not 0 <= getattr(self, name) <= 10:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 to 10, 0.1 is a tenth")


@dataclass(frozen=True, slots=True)
class ApiSettings:
    host: str = "127.0.0.1"
    """Address to listen on. Loopback only: the API asks for no token and would show every workload to anyone."""

    port: int = 8080
    """TCP port; 0: a free one."""

    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Names in a request's Host header that are answered. A web page that points its own name at 127.0.0.1 is refused."""

    page_limit: int = 1000
    """Largest page of workloads. 1,000 are about 2 MB of JSON."""

    body_limit_bytes: int = 4194304
    """Largest body of a request, as it is read whole: 4 MiB are 20,000 candidate nodes by name three times over."""

    place: PlaceSettings = PlaceSettings()

    mig: MigSettings = MigSettings()

    metrics: ExpositionSettings = field(default_factory=ExpositionSettings)

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK:
            raise ValueError(
                f"host is {self.host!r}; the API has no tokens, so it listens on {', '.join(LOOPBACK)} only. "
                "To reach it from elsewhere, put a proxy that asks who is there in front of it"
            )
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; a port is 0 to 65535")
        if self.page_limit < 1:
            raise ValueError(f"page_limit is {self.page_limit}; it must be at least 1")
