"""Pods for tests on the cluster. Their scheduler does not exist, so that a test of the real one sees its own pods only."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from deploy.services.kubernetes import KubernetesCluster
from tests.kubernetes.manifests import Manifest

Quantities = Mapping[str, str]


class Created(NamedTuple):
    """The pod as it was stored, and what kubectl said on standard error."""

    pod: Manifest
    said: str

    def resources(self, container: str = "main") -> dict[str, Any]:
        spec = self.pod["spec"]
        (found,) = (c for c in (*spec["containers"], *spec.get("initContainers", ())) if c["name"] == container)
        return dict(found["resources"])

    @property
    def annotations(self) -> dict[str, str]:
        return dict(self.pod["metadata"].get("annotations", {}))


def pod(
    namespace: str,
    deployment: str,
    requests: Quantities | None = None,
    limits: Quantities | None = None,
    annotations: Quantities | None = None,
) -> Manifest:
    """As a Deployment's ReplicaSet makes it: a name that begins with both, and the hash as a label."""
    resources = {"requests": dict(requests or {}), "limits": dict(limits or {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{deployment}-7d9f8b6c5-",
            "namespace": namespace,
            "labels": {"pod-template-hash": "7d9f8b6c5"},
            "annotations": dict(annotations or {}),
        },
        "spec": {
            "schedulerName": "nobody",
            "containers": [{"name": "main", "image": "example.org/main", "resources": resources}],
        },
    }


def create(cluster: KubernetesCluster, manifest: Manifest, *options: str) -> Created:
    """`kubectl create`. Raises ServiceError when the API server refuses it."""
    done = cluster.kubectl("create", "-f", "-", "-o", "json", *options, stdin=json.dumps(manifest))
    return Created(json.loads(done.stdout), done.stderr)


def until_created(cluster: KubernetesCluster, manifest: Manifest, condition: Callable[[Created], bool]) -> Created:
    """The first pod, of a dry run, that comes out as the test wants it; the last one of half a minute if none does. For
    what reaches the webhook or the API server a moment later: a rule, an owner, a certificate."""
    deadline = time.monotonic() + 30
    while not condition(made := create(cluster, manifest, "--dry-run=server")) and time.monotonic() < deadline:
        time.sleep(0.2)
    return made
