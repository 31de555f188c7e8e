"""Where Kubernetes is, told without loading its client."""

from __future__ import annotations

import os

_SERVICE = "KUBERNETES_SERVICE_HOST"


def reachable(kubeconfig: str) -> bool:
    """Whether something says where Kubernetes is: a file, or the pod that this runs in."""
    return bool(kubeconfig or os.environ.get("KUBECONFIG") or os.environ.get(_SERVICE))
