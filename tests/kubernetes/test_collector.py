"""`sizewise collect` in a pod, as its environment and its mounted account have it, asks a real API server for its node."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.services.kubernetes import KubernetesCluster
from models.inventory import Node
from models.taints import CORDONED, Taint
from stream.contract import EventLog
from stream.json_codec import decode_json
from stream.open import open_log
from stream.settings import LogSettings
from stream.streams import INVENTORY, stream_specs
from tests.collector.recorded import RecordedMachine
from tests.kubernetes.fleet import GIB
from tests.recommender.api.nodes import client_over

NAME = "collected"
LABELS = {
    "topology.kubernetes.io/zone": "eu-west-1b",
    "karpenter.sh/capacity-type": "spot",
    "nvidia.com/gpu.clique": "rack-7.1",
    "pool": "train",
}
_WAIT_S = 60.0


@dataclass
class Pod:
    """A collector of the recorded node of four cores and 16 GiB, its account, and its log."""

    folder: Path
    log: EventLog

    def node(self, right: Callable[[Node], bool]) -> Node:
        """The newest of the inventory that is right."""
        deadline = time.monotonic() + _WAIT_S
        newest = None
        with closing(self.log.reader(INVENTORY)) as reader:
            while time.monotonic() < deadline:
                for record in reader.poll(0.1):
                    newest = decode_json(record.value or b"", Node)
                    if right(newest):
                        return newest
        raise AssertionError(f"after {_WAIT_S} s still {newest}")


@contextmanager
def collecting(cluster: KubernetesCluster, folder: Path, token: str) -> Iterator[Pod]:
    """Five reads a second; the API is asked every half second."""
    RecordedMachine.load("kubernetes-v2-systemd", folder)
    mounted = folder / "account"
    mounted.mkdir()
    (mounted / "token").write_text(token)
    (mounted / "ca.crt").write_bytes(cluster.ca_file.read_bytes())
    config = folder / "sizewise.toml"
    config.write_text(
        f'[log]\nlocation = "sqlite:{folder / "log.db"}"\n'
        f'[collector]\ncluster = "prod"\nnode = "{NAME}"\ninterval_s = 0.2\nflush_interval_s = 0.4\n'
        f'source_backoff_max_s = 1.0\noutbox = "{folder / "outbox.db"}"\n'
        f'[collector.kubernetes]\naccount = "{mounted}"\ninterval_s = 0.5\n'
        f'[collector.host]\nproc = "{folder}/proc"\nsys = "{folder}/sys"\ncgroup = "{folder}/cgroup"\nroot = "{folder}/host"\n'
    )
    at = urlsplit(cluster.url)
    told = {"KUBERNETES_SERVICE_HOST": str(at.hostname), "KUBERNETES_SERVICE_PORT": str(at.port)}
    log = open_log(LogSettings(f"sqlite:{folder / 'log.db'}", sqlite_synchronous="normal"))
    log.ensure(stream_specs(1))
    process = subprocess.Popen(
        [sys.executable, "-m", "sizewise", "collect", "--config", str(config)], env=os.environ | told
    )
    try:
        yield Pod(folder, log)
    finally:
        process.terminate()
        assert process.wait(30) == 0
        log.close()


def token_of(cluster: KubernetesCluster, namespace: str, account: str) -> str:
    return cluster.kubectl("-n", namespace, "create", "token", account).stdout.strip()


@pytest.fixture(scope="module")
def registered(cluster: KubernetesCluster) -> Iterator[None]:
    """The node as a kubelet registers it: of four cores and 16 GiB, half a core and 2 GiB are kept for the system."""
    cluster.add_node(NAME, {"cpu": "4", "memory": "16Gi"}, LABELS)
    room = {"cpu": "3500m", "memory": "14Gi", "pods": "110"}
    cluster.patch_status(f"node/{NAME}", {"status": {"allocatable": room}})
    yield
    cluster.kubectl("delete", "node", NAME)


def test_a_node_is_placed_by_what_kubernetes_says_of_it(
    cluster: KubernetesCluster, registered: None, tmp_path: Path
) -> None:
    """With the shipped account: labels, zone, spot and room are in the inventory, at /v1/nodes, and count for a job.

    A job of 13 GiB that can be interrupted goes there. One of 15 GiB does not, as 14 of 16 GiB may be handed out, nor one
    for another pool, nor one that cannot be interrupted. A label that is changed is seen without a restart.
    """
    with collecting(cluster, tmp_path, token_of(cluster, "sizewise-nodes", "sizewise-collector")) as pod:
        node = pod.node(lambda node: bool(node.labels) and node.cpu_cores > 0)
        cluster.kubectl("label", "node", NAME, "pool=serve", "--overwrite")
        after = pod.node(lambda node: node.labels.get("pool") == "serve")
        cluster.kubectl("label", "node", NAME, "pool=train", "--overwrite")
    assert (node.labels, node.zone, node.spot) == (LABELS, "eu-west-1b", True)
    assert (node.cpu_cores, node.memory_bytes) == (4.0, 16 * GIB)
    assert (node.allocatable_cpu_cores, node.allocatable_memory_bytes) == (3.5, 14 * GIB)
    assert after.labels == LABELS | {"pool": "serve"}
    api = client_over(replace(node, allocations=()))
    (told,) = api.get("/v1/nodes").json()["nodes"]
    assert (told["labels"], told["zone"], told["spot"], told["allocatable_cpu_cores"]) == (
        LABELS,
        "eu-west-1b",
        True,
        3.5,
    )
    job = {"memory_bytes": 13 * GIB, "labels": {"pool": "train"}, "spot": {"checkpoint_cost_s": 5, "restart_s": 5}}
    placed = [
        api.post("/v1/place", json=job | change).json()["placed"]
        for change in ({}, {"memory_bytes": 15 * GIB}, {"labels": {"pool": "serve"}}, {"spot": None})
    ]
    assert placed == [True, False, False, False]


def test_a_node_that_is_closed_is_not_taken_until_it_is_opened(
    cluster: KubernetesCluster, registered: None, tmp_path: Path
) -> None:
    """Cordoned by kubectl, then tainted, then uncordoned: a job goes there only with a toleration of what there is then. What
    the API server has is what the inventory has, whether the node controller, which does not run here, has seen it or not."""
    job = {"memory_bytes": GIB, "spot": {"checkpoint_cost_s": 5, "restart_s": 5}}
    borne = job | {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]}
    taint = Taint("nvidia.com/gpu", "NoSchedule", "present")
    with collecting(cluster, tmp_path, token_of(cluster, "sizewise-nodes", "sizewise-collector")) as pod:
        before = pod.node(lambda node: node.taints is not None and node.cpu_cores > 0)
        cluster.kubectl("cordon", NAME)
        cordoned = pod.node(lambda node: node.taints == (CORDONED,))
        cluster.kubectl("taint", "node", NAME, str(taint))
        both = pod.node(lambda node: set(node.taints or ()) == {CORDONED, taint})
        cluster.kubectl("uncordon", NAME)
        tainted = pod.node(lambda node: node.taints == (taint,))
        cluster.kubectl("taint", "node", NAME, f"{taint.key}-")
        after = pod.node(lambda node: node.taints == ())
    answers = [
        [client_over(replace(node, allocations=())).post("/v1/place", json=wish).json() for wish in (job, borne)]
        for node in (before, cordoned, both, tainted, after)
    ]
    assert [[answer["placed"] for answer in pair] for pair in answers] == [
        [True, True],
        [False, False],
        [False, False],
        [False, True],
        [True, True],
    ]
    assert answers[1][0]["notes"][0] == "1 nodes left out: 1 cordoned; `kubectl uncordon` opens them"
    (why,) = answers[3][0]["refused"]
    assert why["reason"] == "it is tainted nvidia.com/gpu=present:NoSchedule: add a toleration to use it"


def test_without_the_right_it_is_coverage_and_all_else_goes_on(
    cluster: KubernetesCluster, registered: None, tmp_path: Path
) -> None:
    """The profiler's account may not get nodes: the real API server's sentence, and the mend. The host's part is there."""
    with collecting(cluster, tmp_path, token_of(cluster, "sizewise", "sizewise-profiler")) as pod:
        node = pod.node(lambda node: any("403" in line.reason for line in node.coverage))
    (line,) = (line for line in node.coverage if line.source == "kubernetes-node")
    assert (line.signal, line.seen) == ("*", False)
    assert "403 Forbidden" in line.reason
    assert 'cannot get resource "nodes" in API group ""' in line.reason
    assert "grant get on nodes" in line.reason
    assert (node.cpu_cores, node.labels, node.spot, node.taints) == (4.0, {}, None, None)


def test_a_token_of_nobody_is_named(cluster: KubernetesCluster, registered: None, tmp_path: Path) -> None:
    """401. Once the kubelet has renewed the file, labels come, without a restart."""
    with collecting(cluster, tmp_path, "nobody") as pod:
        node = pod.node(lambda node: any("401" in line.reason for line in node.coverage))
        (pod.folder / "account" / "token").write_text(token_of(cluster, "sizewise-nodes", "sizewise-collector"))
        renewed = pod.node(lambda node: node.labels == LABELS)
    assert node.labels == {}
    assert not any(line.source == "kubernetes-node" for line in renewed.coverage)
