"""The shipped manifests, as kustomize renders them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.services.kubernetes import KubernetesCluster

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("self-signed", "cert-manager")

Manifest = dict[str, Any]


def rendered(cluster: KubernetesCluster, overlay: str) -> list[Manifest]:
    """What `kubectl apply -k` would send."""
    return list(yaml.safe_load_all(cluster.kubectl("kustomize", str(FOLDER / overlay)).stdout))


def of_kind(manifests: Iterable[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def one(manifests: Iterable[Manifest], kind: str, name: str) -> Manifest:
    (found,) = (m for m in of_kind(manifests, kind) if m["metadata"]["name"] == name)
    return found


def pods(manifests: Iterable[Manifest]) -> Iterator[Manifest]:
    """A pod of each Deployment and DaemonSet, as its controller would create it."""
    for manifest in of_kind(manifests, "Deployment", "DaemonSet"):
        template, metadata = manifest["spec"]["template"], manifest["metadata"]
        place = {"name": metadata["name"], "namespace": metadata["namespace"]}
        yield {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**template["metadata"], **place}}
