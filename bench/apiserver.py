"""What the webhook adds to the creation of a pod, through a real kube-apiserver; VPA's admission controller beside it.

Namespaces decide who is asked, so that pods with and without a webhook are created in turn, on one cluster in one state.
"""

from __future__ import annotations

import base64
import http.client
import json
import random
import ssl
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import yaml

from bench.report import Cell, Report
from bench.webhook_log import write_log
from deploy.services.cache import Cache
from deploy.services.kubernetes import KUBERNETES, TOKEN, KubernetesCluster
from deploy.services.process import Process, free_port
from deploy.services.vpa_admission import VPA_ADMISSION, VpaAdmission

WORKLOADS, ROUNDS, WARM_UP = 100_000, 1500, 150
OURS, PEER, NOBODY = "ns-0", "vpa", "nobody"
"""Namespaces: of those that the log knows, of those that VPA knows, and of those whose pods nobody is shown."""
_ARMS = {NOBODY: "no webhook", OURS: "sizewise webhook", PEER: f"VPA admission {VPA_ADMISSION.version}"}
_MANIFESTS = Path(__file__).parent.parent / "deploy" / "kubernetes" / "self-signed"
_READY_S, _IN_FORCE_S = 60.0, 30.0
_ASKED = {"cpu": "500m", "memory": "512Mi"}


def run(data: Path | None) -> Report:
    """Needs no data set; builds the cluster's programs when they are missing. VPA is measured where it is built."""
    cache = Cache.from_environment()
    cache.build(KUBERNETES, print)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sizewise-bench-")))
        cluster = KubernetesCluster(cache.require(KUBERNETES))
        stack.callback(cluster.close)
        owners: dict[str, Mapping[str, Any]] = {}
        for namespace in (OURS, PEER, NOBODY):
            labels = {"sizewise.dev/mode": "apply"} if namespace == OURS else {}
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}})
        stack.enter_context(_sizewise(cluster, folder))
        if cache.has(VPA_ADMISSION):
            owners[PEER] = stack.enter_context(_vpa(cluster, cache.require(VPA_ADMISSION)))
        arms = [namespace for namespace in _ARMS if namespace in owners or namespace != PEER]
        return _report(_measure(cluster, arms, owners), cache.has(VPA_ADMISSION))


def _report(found: Mapping[str, Sequence[float]], with_peer: bool) -> Report:
    p50, p99 = ({arm: 1000 * float(np.percentile(s, p)) for arm, s in found.items()} for p in (50, 99))
    rows: list[dict[str, Cell]] = [
        {
            "pod is shown to": _ARMS[arm],
            "p50 ms": round(p50[arm], 2),
            "p99 ms": round(p99[arm], 2),
            "added p50 ms": round(p50[arm] - p50[NOBODY], 2),
            "added p99 ms": round(p99[arm] - p99[NOBODY], 2),
        }
        for arm in found
    ]
    figures = {
        "apiserver_added_p50_ms": p50[OURS] - p50[NOBODY],
        "apiserver_added_p99_ms": p99[OURS] - p99[NOBODY],
    }
    notes = [
        f"{ROUNDS} pods each, created in turn over one connection to kube-apiserver {KUBERNETES.version}, stored in etcd; "
        f"{WORKLOADS:,} workloads known to the webhook. p99 added is the difference of two p99, not of pairs."
    ]
    if not with_peer:
        notes.append(f"VPA's row needs `{VPA_ADMISSION.how_to_build}`.")
    return Report("A pod's creation through kube-apiserver", figures, rows, tuple(notes))


def _measure(
    cluster: KubernetesCluster, arms: Sequence[str], owners: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[float]]:
    """Seconds of each creation, by namespace. Raises RuntimeError for a pod that did not become what it should."""
    order = random.Random(1)
    found: dict[str, list[float]] = {arm: [] for arm in arms}
    with _client(cluster) as client:
        for turn in range(WARM_UP + ROUNDS):
            for arm in order.sample(arms, len(arms)):
                took_s, requests = client.create(_pod(arm, turn, owners.get(arm)))
                if (requests != _ASKED) != (arm != NOBODY):
                    raise RuntimeError(f"a pod of {arm} came out with requests {requests}")
                if turn >= WARM_UP:
                    found[arm].append(took_s)
    return found


@contextmanager
def _client(cluster: KubernetesCluster) -> Iterator[_Client]:
    client = _Client(cluster)
    try:
        yield client
    finally:
        client.close()


class _Client:
    """One connection that stays open, as a controller has it."""

    def __init__(self, cluster: KubernetesCluster) -> None:
        where = urlsplit(cluster.url)
        tls = ssl.create_default_context(cafile=cluster.ca_file)
        self._connection = http.client.HTTPSConnection(where.hostname or "", where.port, context=tls)
        self._headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}

    def create(self, pod: Mapping[str, Any]) -> tuple[float, Any]:
        """Seconds until the answer was read, and the requests of its container as they were stored."""
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
        text, began_s = json.dumps(pod), time.perf_counter()
        self._connection.request("POST", path, text, self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took_s = time.perf_counter() - began_s
        if answer.status != 201:
            raise RuntimeError(f"kube-apiserver answered {answer.status}: {body[:300]!r}")
        return took_s, json.loads(body)["spec"]["containers"][0]["resources"]["requests"]

    def close(self) -> None:
        self._connection.close()


def _pod(namespace: str, number: int, owner: Mapping[str, Any] | None) -> dict[str, Any]:
    """Of app-0, app-3, ...: Deployments that the log says ask for twice what they need."""
    name = f"app-{3 * (number % 33)}"
    metadata = {
        "generateName": f"{name}-7d9f8b6c5-",
        "namespace": namespace,
        "labels": {"pod-template-hash": "7d9f8b6c5", "app": "measured"},
        "ownerReferences": [owner] if owner else [],
    }
    container = {"name": "main", "image": "example.org/main", "resources": {"requests": _ASKED}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


@contextmanager
def _sizewise(cluster: KubernetesCluster, folder: Path) -> Iterator[None]:
    """The webhook in a process of its own, registered by the shipped manifest, with a certificate that it made itself."""
    log = write_log(folder / "log.db", WORKLOADS)
    port, probe_port = free_port(), free_port()
    settings = folder / "settings.toml"
    settings.write_text(
        f'[log]\nlocation = "{log.location}"\n[webhook]\nport = {port}\nprobe_port = {probe_port}\nwatch = "yes"\n'
        f'kubeconfig = "{cluster.kubeconfig}"\n[webhook.tls]\nmade_in = "folder:{folder / "tls"}"\n'
    )
    command = [sys.executable, "-m", "sizewise", "webhook", f"--config={settings}", f"--state={folder}"]
    process = Process("sizewise webhook", command, folder / "webhook.log")
    try:
        process.await_ready(lambda: _answers(f"http://127.0.0.1:{probe_port}/readyz"), _READY_S)
        rendered = yaml.safe_load_all(cluster.kubectl("kustomize", str(_MANIFESTS)).stdout)
        shipped = next(manifest for manifest in rendered if manifest["kind"] == "MutatingWebhookConfiguration")
        _register(cluster, shipped, f"https://127.0.0.1:{port}/mutate", folder / "tls" / "ca.crt")
        _await_in_force(cluster, OURS, None)
        yield
    finally:
        process.kill()


@contextmanager
def _vpa(cluster: KubernetesCluster, home: Path) -> Iterator[Mapping[str, Any]]:
    """The owner of pods that VPA has a recommendation for."""
    peer = VpaAdmission(home, cluster)
    try:
        owner = peer.recommend(PEER, "measured", {"cpu": "250m", "memory": "256Mi"})
        rules = [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]
        webhook = {
            "name": "vpa.k8s.io",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "rules": rules,
            "clientConfig": {},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": PEER}},
        }
        kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
        _register(cluster, {**kind, "metadata": {"name": "vpa"}, "webhooks": [webhook]}, peer.url, peer.ca_file)
        _await_in_force(cluster, PEER, owner)
        yield owner
    finally:
        peer.close()


def _register(cluster: KubernetesCluster, manifest: dict[str, Any], url: str, ca_file: Path) -> None:
    """By URL: nothing routes Services in this cluster."""
    for webhook in manifest["webhooks"]:
        webhook["clientConfig"] = {"url": url, "caBundle": base64.b64encode(ca_file.read_bytes()).decode()}
    cluster.apply(manifest)


def _await_in_force(cluster: KubernetesCluster, namespace: str, owner: Mapping[str, Any] | None) -> None:
    """The API server takes a registration up in the background: until pods come out sized. Raises RuntimeError."""
    deadline = time.monotonic() + _IN_FORCE_S
    with _client(cluster) as client:
        while time.monotonic() < deadline:
            if client.create(_pod(namespace, 0, owner))[1] != _ASKED:
                return
            time.sleep(0.2)
    raise RuntimeError(f"pods of {namespace} are not sized after {_IN_FORCE_S:.0f} s")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
