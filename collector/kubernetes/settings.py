"""Where the Kubernetes API is, and who asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AUTO = "auto"
_PORT = "443"


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    url: str = AUTO
    """Address of the Kubernetes API, https only, asked for the labels and taints of this node. auto: the one that
    Kubernetes tells its pods; outside a pod none is asked. Empty: none is asked."""

    account: str = "/var/run/secrets/kubernetes.io/serviceaccount"
    """Folder with `token` and `ca.crt` of the pod's service account. Both are read at each ask, as they are renewed."""

    interval_s: float = 60.0
    """Time between two asks, after which placement knows that the node was cordoned. 1,000 nodes make 17 requests a second,
    which the API server answers from its memory."""

    timeout_s: float = 10.0
    """Longest wait for the whole answer. Nobody waits for it: the other sources are read meanwhile."""

    def __post_init__(self) -> None:
        if self.url not in ("", AUTO) and not self.url.startswith("https://"):
            raise ValueError(f"url is {self.url!r}; it must begin with https://, be auto or empty")
        if self.interval_s <= 0:
            raise ValueError(f"interval_s is {self.interval_s}; it must be above 0")
        if self.timeout_s <= 0:
            raise ValueError(f"timeout_s is {self.timeout_s}; it must be above 0")


def api_url(settings: KubernetesSettings, environ: Mapping[str, str]) -> str:
    """The address to ask, empty where there is none. `environ`: of the process, in which Kubernetes tells every pod where
    its API is."""
    if settings.url != AUTO:
        return settings.url
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", _PORT)
    at = f"[{host}]" if ":" in host else host
    return f"https://{at}:{port}" if host else ""
