"""Settings of the admission webhook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from recommender.api.settings import MigSettings

ModeWord = Literal["off", "recommend", "apply"]


@dataclass(frozen=True, slots=True)
class PodPolicy:
    """What is done to pods, and how far it may go."""

    mode: ModeWord = "recommend"
    """What a namespace has whose label nobody told and that `namespaces` does not name: off, recommend (warn and annotate)
    or apply. Who calls /mutate/apply or /mutate/recommend tells the label by the path."""

    namespaces: Mapping[str, ModeWord] = field(default_factory=dict)
    """Modes by namespace; they win over the label sizewise.dev/mode of the namespace."""

    ceiling: ModeWord = "apply"
    """Highest mode anywhere: with `recommend` nothing is changed, whatever labels say."""

    pods_may_raise: bool = False
    """Whether the annotation sizewise.dev/mode of a pod may raise what its namespace has; it may always lower it."""

    gpu: ModeWord = "off"
    """What is done about GPUs where the mode lets it. apply: a MIG slice takes the place of a GPU. recommend: of pods that
    ask for it by the annotation sizewise.dev/gpu-mode=apply; others get a word. off: GPUs are left alone; profiles, which
    are ten times as much as recommendations, and nodes are not read."""

    gpu_min_hours: float = 24.0
    """GPU time that must have been seen of a workload before anything is said of its GPU."""

    min_confidence_ratio: float = 0.5
    """0-1. Confidence under which nothing is changed: 0.5 is half of the history that sizing asks for, 3.5 days."""

    min_change_ratio: float = 0.1
    """A request over the upper bound by so little that the target is nearer than this share of it is left alone."""

    max_raise_ratio: float = 9.0
    """Most that may be added to the request that a pod comes with: 9 gives ten times as much. A guard against nonsense:
    steps are what recommender.sizing allows, from the request that runs, and templates keep the oldest one."""

    max_lower_ratio: float = 0.95
    """Most that may be taken from it: 0.95 leaves a twentieth."""

    shrink_only: bool = False
    """Whether requests are never raised. In a namespace whose ResourceQuota counts a resource they never are."""

    limits: Literal["keep-ratio", "keep"] = "keep-ratio"
    """keep-ratio: a limit moves with its request. keep: a limit stays, and no request goes over it."""

    init_containers: bool = False
    """Whether init containers that end before the others start are sized too. Sidecars always are."""

    def __post_init__(self) -> None:
        for name, high in _RANGES:
            if not 0 <= getattr(self, name) <= high:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 to {high}")


_RANGES = (
    ("min_confidence_ratio", 1),
    ("min_change_ratio", 1),
    ("max_raise_ratio", 1000),
    ("max_lower_ratio", 1),
    ("gpu_min_hours", 1e6),
)


@dataclass(frozen=True, slots=True)
class CertificateSettings:
    certificate: str = ""
    """PEM file of the serving certificate with its chain. Read again when it changes, without a restart."""

    key: str = ""
    """PEM file of its private key."""

    client_ca: str = ""
    """PEM file of the authorities whose clients are answered; empty: any client. An API server presents a certificate
    when its AdmissionConfiguration names a kubeconfig with one; probes then need `probe_port`."""

    made_in: str = ""
    """Where certificates of sizewise's own making are kept: `folder:PATH`, or `secret:NAMESPACE/NAME` of Kubernetes, which
    replicas share. Empty: `certificate` and `key` are given."""

    names: tuple[str, ...] = ("sizewise-webhook.sizewise.svc", "localhost", "127.0.0.1")
    """Host names and addresses in a certificate of sizewise's own making."""

    days: int = 90
    """Days that it lives; at two thirds of them a new one takes over, and both authorities are trusted meanwhile."""

    configuration: str = ""
    """MutatingWebhookConfiguration whose caBundle is kept up to date; empty: somebody else does it."""

    check_interval_s: float = 10.0
    """Time between two looks at the files or the Secret."""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key belong together: set both or neither")
        if self.certificate and self.made_in:
            raise ValueError(f"certificate is {self.certificate!r} and made_in is {self.made_in!r}: set one of them")
        if self.made_in.partition(":")[0] not in ("", "folder", "secret"):
            raise ValueError(f"made_in is {self.made_in!r}; it reads folder:PATH or secret:NAMESPACE/NAME")
        if self.made_in.startswith("secret:") and self.made_in.count("/") != 1:
            raise ValueError(f"made_in is {self.made_in!r}; it reads secret:NAMESPACE/NAME")
        if not 1 <= self.days <= 3650 or not 0.1 <= self.check_interval_s <= 3600:
            raise ValueError(f"days is {self.days} (1 to 3650), check_interval_s {self.check_interval_s} (0.1 to 3600)")


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    host: str = "127.0.0.1"
    """Address to listen on. Without TLS only loopback is listened on."""

    port: int = 8443
    """TCP port; 0: a free one."""

    probe_port: int = 0
    """Port of a second listener, without TLS, that answers /healthz and /readyz alone; 0: none. The first one answers them
    too. Both have /metrics where process.metrics_host could: on loopback, or with insecure_anyone_may_read_metrics."""

    cluster: str = ""
    """Cluster in the ids of workloads; what the collectors have as collector.cluster. Empty: the only one in the log."""

    watch: Literal["auto", "yes", "no"] = "auto"
    """Whether namespaces, LimitRanges, ResourceQuotas, owners and VPAs are watched. auto: where Kubernetes can be reached.
    no: labels and quotas are not known, and to apply is up to `pods` and the path of the call."""

    kubeconfig: str = ""
    """File to reach Kubernetes by; empty: the pod's service account, else $KUBECONFIG."""

    kill_switch: str = ""
    """While this file exists no pod is changed or warned of. It may be a key of a ConfigMap that is mounted."""

    deadline_s: float = 1.0
    """Time after which a review that has not begun is answered as it stands. The API server waits 2 s."""

    body_limit_bytes: int = 3145728
    """Largest review that is read: 3 MiB, twice what etcd stores of an object, as reviews may carry two of it."""

    depth_limit: int = 100
    """Deepest nesting of JSON that is parsed. A pod with managed fields has about 12."""

    pods: PodPolicy = field(default_factory=PodPolicy)
    mig: MigSettings = field(default_factory=MigSettings)
    tls: CertificateSettings = field(default_factory=CertificateSettings)

    def __post_init__(self) -> None:
        for name in ("port", "probe_port"):
            if not 0 <= getattr(self, name) <= 65535:
                raise ValueError(f"{name} is {getattr(self, name)}; a port is 0 to 65535")
        if not 0 < self.deadline_s <= 30:
            raise ValueError(f"deadline_s is {self.deadline_s}; it must be above 0 and at most 30")
        for name in ("body_limit_bytes", "depth_limit"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
