"""Settings of the REST API."""

from __future__ import annotations

from dataclasses import dataclass, field

from recommender.exposition.settings import ExpositionSettings
from recommender.fingerprint.settings import FingerprintSettings

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
class ExtenderSettings:
    deadline_ms: int = 100
    """Time for one answer to kube-scheduler. What takes longer is answered neutrally: every node passes, all score alike.
    Keep it under `httpTimeout` of the extender in the scheduler's configuration."""

    workers: int = 4
    """Calls that are worked on at once. A call whose turn does not come within the deadline is answered neutrally."""

    def __post_init__(self) -> None:
        for name in ("deadline_ms", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")


@dataclass(frozen=True, slots=True)
class FeedSettings:
    longest_wait_s: float = 60.0
    """Longest that `wait=` holds a request for changes; a longer wish is cut to it. Proxies often cut at 60."""

    keep_alive_s: float = 15.0
    """An event stream without events gets a comment this often, so that no proxy takes it for dead."""

    slow_s: float = 30.0
    """A reader of an event stream that takes nothing for this long is cut off. It goes on where it was when it returns."""

    longest_stream_s: float = 900.0
    """An event stream is ended after this, and its reader comes back: a token that was revoked reads no longer than that."""

    readers: int = 256
    """Waiting requests and event streams at once, of each token; one more is answered 503 with Retry-After."""

    def __post_init__(self) -> None:
        for name in ("longest_wait_s", "keep_alive_s", "slow_s", "longest_stream_s", "readers"):
            if not 0 < getattr(self, name) <= 86_400:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be over 0 and at most 86400")


@dataclass(frozen=True, slots=True)
class ApiTlsSettings:
    certificate: str = ""
    """PEM file of the serving certificate, with its chain; empty: plain HTTP. Read again when it changes."""

    key: str = ""
    """PEM file of its private key."""

    client_ca: str = ""
    """PEM file of the authorities whose client certificates stand for a token; empty: none is asked for."""

    check_interval_s: float = 10.0
    """How often the files are looked at. cert-manager rotates weeks before the end; 10 s suits tests and hasty hands."""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError(
                f"tls.certificate is {self.certificate!r} and tls.key is {self.key!r}; give both, or neither"
            )
        if self.client_ca and not self.certificate:
            raise ValueError(f"tls.client_ca is {self.client_ca!r}, but there is no tls.certificate to serve with")
        if self.check_interval_s <= 0:
            raise ValueError(f"tls.check_interval_s is {self.check_interval_s}; it must be above 0")


@dataclass(frozen=True, slots=True)
class ApiSettings:
    host: str = "127.0.0.1"
    """Address to listen on. On loopback no token is asked; any other needs TLS, and then every request needs a token."""

    port: int = 8080
    """TCP port; 0: a free one."""

    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Names in a request's Host header that are answered where no token is asked, on loopback. A web page that points its own
    name at 127.0.0.1 is refused."""

    ask_who: bool = False
    """Ask for tokens on loopback too, as behind a proxy that does not ask itself."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies whose X-Forwarded-For says who asks, for the audit and for failures. Of anyone else
    it is not believed: an asker could give itself another address with each request."""

    insecure_anyone_may_read_everything: bool = False
    """Listen anywhere without TLS and ask nobody for a token: whoever reaches the address sees every workload and node."""

    tls: ApiTlsSettings = ApiTlsSettings()

    page_limit: int = 1000
    """Largest page of workloads. 1,000 are about 2 MB of JSON."""

    body_limit_bytes: int = 4194304
    """Largest body of a request, as it is read whole: 4 MiB are 20,000 candidate nodes by name three times over."""

    place: PlaceSettings = PlaceSettings()

    mig: MigSettings = MigSettings()

    fingerprint: FingerprintSettings = field(default_factory=FingerprintSettings)

    extender: ExtenderSettings = ExtenderSettings()

    feed: FeedSettings = FeedSettings()

    metrics: ExpositionSettings = field(default_factory=ExpositionSettings)

    def __post_init__(self) -> None:
        if self.insecure_anyone_may_read_everything:
            if self.ask_who:
                raise ValueError("ask_who and insecure_anyone_may_read_everything contradict each other; drop one")
        elif not self.on_loopback and not self.tls.certificate:
            raise ValueError(
                f"host is {self.host!r}, which others can reach, and there is no TLS: tokens and answers would be read on the "
                f"way. Give tls.certificate and tls.key (--tls-cert, --tls-key), listen on {', '.join(LOOPBACK)}, or say "
                "--insecure-anyone-may-read-everything"
            )
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port is {self.port}; a port is 0 to 65535")
        if self.page_limit < 1:
            raise ValueError(f"page_limit is {self.page_limit}; it must be at least 1")

    @property
    def on_loopback(self) -> bool:
        return self.host in LOOPBACK

    @property
    def guarded(self) -> bool:
        """Whether every request needs a token."""
        return not self.insecure_anyone_may_read_everything and (self.ask_who or not self.on_loopback)

    @property
    def checks_host(self) -> bool:
        """Whether names in Host matter: they keep foreign web pages from what is shown without a token on this machine."""
        return self.on_loopback and not self.guarded
