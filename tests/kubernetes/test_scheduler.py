"""kube-scheduler asks a real `sizewise serve`, over TLS and with a client certificate, as the shipped configuration says."""

from __future__ import annotations

import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.services.kubernetes import KubernetesCluster
from deploy.services.process import Process, free_port
from tests.kubernetes.certificates import Authority
from tests.kubernetes.fleet import CLUSTER, Fleet
from tests.kubernetes.manifests import FOLDER, Manifest
from tests.kubernetes.nodes import EMPTY, PACKED, SLICED, UNCUT, add

GPU, SLICE = "nvidia.com/gpu", "nvidia.com/mig-3g.20gb"
SCHEDULER = "kube-scheduler"
_READY_S, _BOUND_S = 60.0, 30.0


class Server:
    """`sizewise serve` with TLS, for whoever shows the scheduler's certificate."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.ca_file, self.certificate, self.key = folder / "ca.crt", folder / "scheduler.crt", folder / "scheduler.key"
        authority = Authority("serve")
        self.ca_file.write_bytes(authority.pem)
        authority.issue(folder / "tls.crt", folder / "tls.key")
        authority.issue(self.certificate, self.key, SCHEDULER)
        grant = ("scheduler", "--verbs=extend", f"--namespaces={CLUSTER}/*", f"--certificate={SCHEDULER}")
        _sizewise("token", "create", f"--log={fleet.location}", *grant)
        self._port = free_port()
        options = (
            f"--log={fleet.location}",
            f"--port={self._port}",
            "--ask-who",
            f"--tls-cert={folder / 'tls.crt'}",
            f"--tls-key={folder / 'tls.key'}",
            f"--tls-client-ca={self.ca_file}",
        )
        command = [sys.executable, "-m", "sizewise", "serve", f"--state={folder}", *options]
        self.process = Process("sizewise serve", command, folder / "serve.log")
        self.process.await_ready(self._ready, _READY_S)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def _ready(self) -> bool:
        tls = ssl.create_default_context(cafile=self.ca_file)
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2, context=tls) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _sizewise(*words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "sizewise", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def server(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(fleet, tmp_path_factory.mktemp("serve"))
    yield started
    started.process.kill()


def configuration(server: Server) -> dict[str, Any]:
    """What is shipped, for where the server and the files are."""
    shipped: dict[str, Any] = yaml.safe_load((FOLDER / "kube-scheduler" / "configuration.yaml").read_text())
    (extender,) = shipped["extenders"]
    extender["urlPrefix"] = extender["urlPrefix"].replace("https://sizewise-serve.sizewise.svc", server.url)
    files = {"caFile": server.ca_file, "certFile": server.certificate, "keyFile": server.key}
    assert extender["tlsConfig"].keys() == files.keys()
    extender["tlsConfig"] = {name: str(file) for name, file in files.items()}
    return {"extenders": [extender]}


@pytest.fixture(scope="module")
def nodes(cluster: KubernetesCluster) -> None:
    """As kube-scheduler sees them. `packed` has half of its cores taken; `uncut` says it has a slice, and has none."""
    add(cluster, PACKED, "whole", {GPU: "8"})
    add(cluster, EMPTY, "whole", {GPU: "8"})
    add(cluster, SLICED, "sliced", {SLICE: "1"})
    add(cluster, UNCUT, "sliced", {SLICE: "1"})
    tenant = pod("tenant", {"group": "whole"}, {"cpu": "32", "memory": "256Gi"})
    tenant["spec"]["nodeName"] = PACKED.name
    cluster.apply(tenant)


@pytest.fixture
def advised(cluster: KubernetesCluster, server: Server, nodes: None) -> Iterator[None]:
    scheduler = cluster.start_scheduler(configuration(server))
    yield
    scheduler.close()


def test_without_advice_the_emptier_node_is_taken(cluster: KubernetesCluster, nodes: None) -> None:
    """What kube-scheduler does by itself: `empty` has all of its cores free, `packed` half."""
    scheduler = cluster.start_scheduler()
    assert bound(cluster, pod("alone", {"group": "whole"}, {"cpu": "4"}, {GPU: "1"})) == "empty"
    scheduler.close()


def test_with_advice_the_last_gpu_of_a_node_is_taken(cluster: KubernetesCluster, advised: None) -> None:
    """Seven of eight GPUs of `packed` are held: the job takes the eighth, and `empty` stays whole for a large one."""
    assert bound(cluster, pod("advised", {"group": "whole"}, {"cpu": "4"}, {GPU: "1"})) == "packed"


def test_a_node_without_the_slice_is_refused(cluster: KubernetesCluster, advised: None) -> None:
    """Both nodes advertise a slice; of `uncut` the inventory knows better, as after a GPU was reconfigured."""
    assert bound(cluster, pod("cut", {"group": "sliced"}, {}, {SLICE: "1"})) == "sliced"


def test_why_a_node_is_refused_stands_in_the_event(cluster: KubernetesCluster, advised: None) -> None:
    """Where no other node is allowed the pod waits, and `kubectl describe` says for what."""
    cluster.apply(pod("waits", {"node": UNCUT.name}, {}, {SLICE: "1"}))
    events = ("-n", "quiet", "events", "--field-selector=involvedObject.name=waits,reason=FailedScheduling")
    found = _sooner_or_later(lambda: cluster.get(*events)["items"])
    cluster.kubectl("-n", "quiet", "delete", "pod", "waits", "--grace-period=0", "--force")
    assert "it has 0 MIG instances 3g.20gb, 1 are asked for" in found[0]["message"]


def test_without_the_server_pods_are_scheduled_all_the_same(
    cluster: KubernetesCluster, fleet: Fleet, nodes: None, tmp_path: Path
) -> None:
    """The extender is ignorable: kube-scheduler decides by itself, as if it had never asked."""
    gone = Server(fleet, tmp_path)
    scheduler = cluster.start_scheduler(configuration(gone))
    gone.process.kill()
    assert bound(cluster, pod("unadvised", {"group": "whole"}, {"cpu": "4"}, {GPU: "1"})) == "empty"
    assert "Skipping extender as it returned error and has ignorable flag set" in scheduler.log()
    scheduler.close()


def pod(name: str, where: dict[str, str], requests: dict[str, str], limits: dict[str, str] | None = None) -> Manifest:
    resources = {"requests": requests, "limits": limits or {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "quiet"},
        "spec": {
            "nodeSelector": where,
            "containers": [{"name": "main", "image": "example.org/main", "resources": resources}],
        },
    }


def bound(cluster: KubernetesCluster, manifest: Manifest) -> str:
    """The node that the pod is bound to; the pod is removed."""
    cluster.apply(manifest)
    name = manifest["metadata"]["name"]
    node = _sooner_or_later(lambda: cluster.get("-n", "quiet", "pod", name)["spec"].get("nodeName"))
    cluster.kubectl("-n", "quiet", "delete", "pod", name, "--grace-period=0", "--force")
    return str(node)


def _sooner_or_later(look: Callable[[], Any]) -> Any:
    """The first true answer of the next half minute, else the last."""
    deadline = time.monotonic() + _BOUND_S
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found
