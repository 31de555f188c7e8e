"""The admission controller of the Kubernetes Vertical Pod Autoscaler, beside a cluster that `kubernetes` started."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

from deploy.services import vpa_admission_build
from deploy.services.kubernetes import KubernetesCluster
from deploy.services.process import Process, free_port
from deploy.services.service import Service, ServiceError, Tool

VERSION = "1.8.1"

_CRD = "verticalpodautoscalers.autoscaling.k8s.io"
_READY_S = 60.0


class VpaAdmission:
    """One process, not registered with the cluster: reviews are sent to `url` by whoever measures it."""

    def __init__(self, home: Path, cluster: KubernetesCluster) -> None:
        """Returns when it answers. Ended by `close`."""
        self._cluster = cluster
        self.ca_file = cluster.ca_file
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        cluster.kubectl("apply", "--server-side", "-f", str(home / vpa_admission_build.DEFINITIONS))
        _await_served(cluster)
        options = {
            "kubeconfig": cluster.kubeconfig,
            "register-webhook": "false",
            "port": port,
            "address": f"127.0.0.1:{free_port()}",
            "client-ca-file": cluster.ca_file,
            "tls-cert-file": cluster.ca_file,  # kube-apiserver's own, which vouches for 127.0.0.1 too
            "tls-private-key": cluster.ca_file.with_suffix(".key"),
        }
        arguments = [f"--{key}={value}" for key, value in options.items()]
        log = cluster.kubeconfig.parent / "vpa-admission.log"
        self.process = Process("vpa-admission", [str(home / "usr/bin/admission-controller"), *arguments], log)
        self.process.await_ready(lambda: _listens(port), _READY_S)

    def recommend(self, namespace: str, name: str, target: dict[str, str]) -> dict[str, Any]:
        """Write a Deployment, its ReplicaSet and a VPA that gives its container `main` the target.

        Returns the owner reference that a pod of it carries."""
        deployment = _controller("Deployment", namespace, name)
        uid = _uid(self._cluster, deployment)
        owner = _owner("Deployment", name, uid)
        replica_set = _controller("ReplicaSet", namespace, name, owner)
        replica_set_uid = _uid(self._cluster, replica_set)
        self._cluster.apply(_vpa(namespace, name))
        container = {"containerName": "main", "target": target, "lowerBound": target, "upperBound": target}
        status = {"status": {"recommendation": {"containerRecommendations": [container]}}}
        self._cluster.patch_status(f"vpa/{name}", status, namespace)
        return _owner("ReplicaSet", name, replica_set_uid)

    def close(self) -> None:
        self.process.kill()


def _controller(kind: str, namespace: str, name: str, owner: dict[str, Any] | None = None) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": "main", "image": "example.org/main"}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "ownerReferences": [owner] if owner else []},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def _vpa(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}},
    }


def _owner(kind: str, name: str, uid: str) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True}


def _uid(cluster: KubernetesCluster, manifest: dict[str, Any]) -> str:
    cluster.apply(manifest)
    metadata = manifest["metadata"]
    found = cluster.get("-n", metadata["namespace"], manifest["kind"], metadata["name"])
    return str(found["metadata"]["uid"])


def _await_served(cluster: KubernetesCluster) -> None:
    """`kubectl wait` fails on a definition that has no conditions yet."""
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        conditions = cluster.get("crd", _CRD)["status"].get("conditions") or ()
        if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
            return
        time.sleep(0.05)
    raise ServiceError(f"{_CRD} was not served after {_READY_S:.0f} s")


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


VPA_ADMISSION = Service(
    name="vpa-admission",
    version=VERSION,
    about="answers the reviews that our webhook answers, as a peer",
    cost="3 min of processor time, 60 MB",
    tools=(Tool("go", ("golang-go",)),),
    recipe=vpa_admission_build.recipe(),
    build=vpa_admission_build.build,
    used_by="benches",
)
