"""The webhook as the real API server calls it: pods are created by kubectl, and the stored object shows what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from lightkube import Client, KubeConfig
from lightkube.resources.core_v1 import Pod

from deploy.services.kubernetes import KubernetesCluster
from tests.kubernetes.fleet import Fleet
from tests.kubernetes.injector import SIDECAR, injector
from tests.kubernetes.pods import Quantities, create, pod, until_created
from tests.kubernetes.webhook import Webhook, annotations_of, configuration, registered

ASKED = {"cpu": "600m", "memory": "1Gi"}
TWICE = {"cpu": "1200m", "memory": "2Gi"}
APPLIED, RECOMMENDED, MODE = "sizewise.dev/applied", "sizewise.dev/recommended", "sizewise.dev/mode"


@pytest.fixture(scope="module", autouse=True)
def in_force(cluster: KubernetesCluster, webhook: Webhook) -> Iterator[None]:
    with registered(cluster, configuration(cluster, webhook.url, webhook.authority), "shop"):
        yield


@pytest.fixture(scope="module")
def target(fleet: Fleet) -> Mapping[str, str]:
    """What is recommended to `web` in `shop`."""
    return fleet.targets["prod/shop/Deployment/web/main"]


def test_a_pod_is_stored_with_what_it_needs(cluster: KubernetesCluster, target: Mapping[str, str]) -> None:
    """The requests are the recommendation's, and limits keep their ratio of two. What was before is kept, with the id."""
    made = create(cluster, pod("shop", "web", ASKED, TWICE))
    assert made.resources() == {"requests": target, "limits": {name: _twice(q) for name, q in target.items()}}
    applied = json.loads(made.annotations[APPLIED])
    assert applied["before"]["main"] == {"requests": ASKED, "limits": TWICE}
    assert applied["after"]["main"] == made.resources()
    assert f"Warning: sizewise set main: cpu 600m -> {target['cpu']}" in made.said


def test_a_client_sees_the_same_object(cluster: KubernetesCluster, target: Mapping[str, str]) -> None:
    """lightkube reads back what kubectl created."""
    name = create(cluster, pod("shop", "web", ASKED)).pod["metadata"]["name"]
    with closing(Client(config=KubeConfig.from_file(cluster.kubeconfig))) as client:
        found = client.get(Pod, name, namespace="shop")
    assert found.spec.containers[0].resources.requests == target


@pytest.mark.parametrize(
    ("requests", "limits", "qos"),
    [
        (ASKED, ASKED, "Guaranteed"),
        (ASKED, TWICE, "Burstable"),
        (ASKED, {"cpu": "600m", "memory": "2Gi"}, "Burstable"),
        ({"memory": "1Gi"}, {}, "Burstable"),
        ({}, ASKED, "Guaranteed"),
        ({}, {}, "BestEffort"),
    ],
)
def test_the_qos_class_stays(cluster: KubernetesCluster, requests: Quantities, limits: Quantities, qos: str) -> None:
    """The API server's own verdict on the same pod, where the webhook is not asked and where it is."""
    untouched = create(cluster, pod("quiet", "web", requests, limits)).pod["status"]["qosClass"]
    assert untouched == create(cluster, pod("shop", "web", requests, limits)).pod["status"]["qosClass"] == qos


def test_recommend_warns_and_changes_nothing(cluster: KubernetesCluster, fleet: Fleet) -> None:
    """The pod starts as it was asked for; kubectl tells, and an annotation keeps what would have been."""
    made = create(cluster, pod("desk", "web", ASKED, TWICE))
    assert made.resources() == {"requests": ASKED, "limits": TWICE}
    target = fleet.targets["prod/desk/Deployment/web/main"]
    assert f"Warning: sizewise would set main: cpu 600m -> {target['cpu']}" in made.said
    assert json.loads(made.annotations[RECOMMENDED])["would"]["main"]["requests"] == target
    assert APPLIED not in made.annotations


@pytest.mark.parametrize(
    ("namespace", "annotations"),
    [("shop", {MODE: "off"}), ("quiet", {}), ("closed", {}), ("sizewise", {}), ("kube-system", {})],
)
def test_who_opted_out_is_not_even_shown_to_the_webhook(
    cluster: KubernetesCluster, webhook: Webhook, namespace: str, annotations: Quantities
) -> None:
    """The API server leaves it out by itself: no call, no warning, no annotation of ours."""
    asked = webhook.asked()
    manifest = pod(namespace, "web", ASKED, TWICE, annotations)
    manifest["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    manifest["spec"]["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    made = create(cluster, manifest, "--dry-run=server")
    assert made.resources() == {"requests": ASKED, "limits": TWICE}
    assert (made.said, made.annotations) == ("", annotations)
    assert webhook.asked() == asked


def test_a_mirror_of_a_static_pod_is_not_shown_to_the_webhook(cluster: KubernetesCluster, webhook: Webhook) -> None:
    """The kubelet's own pods: their truth is a file on the node."""
    manifest = pod("shop", "web", ASKED, annotations={"kubernetes.io/config.mirror": "a1b2"})
    manifest["spec"]["nodeName"] = "n1"
    manifest["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "u"}]
    asked = webhook.asked()
    assert create(cluster, manifest, "--dry-run=server").resources() == {"requests": ASKED}
    assert webhook.asked() == asked


def test_a_pod_that_asks_for_nothing_is_told_what_it_needs(
    cluster: KubernetesCluster, target: Mapping[str, str]
) -> None:
    """To give it a request would change its QoS class."""
    made = create(cluster, pod("shop", "web"), "--dry-run=server")
    need = f"it needs cpu {target['cpu']}, memory {target['memory']}"
    assert made.said == f"Warning: sizewise: main asks for nothing and stays BestEffort; {need}\n"


def test_a_dry_run_shows_the_change_and_stores_nothing(cluster: KubernetesCluster, target: Mapping[str, str]) -> None:
    """`kubectl create --dry-run=server` answers with the sized pod."""
    made = create(cluster, pod("shop", "web", ASKED), "--dry-run=server")
    assert made.resources()["requests"] == target
    names = [found["metadata"]["name"] for found in cluster.get("-n", "shop", "pods")["items"]]
    assert made.pod["metadata"]["name"] not in names


def test_the_audit_log_tells_what_was_applied(cluster: KubernetesCluster) -> None:
    """Annotations of the webhook stand in the API server's own log, under its name, with the id that the pod has."""
    made = create(cluster, pod("shop", "web", ASKED))
    told = annotations_of(cluster, "shop")
    assert told["pods.sizewise.dev/recommendation-id"] == json.loads(made.annotations[APPLIED])["id"]
    assert (told["pods.sizewise.dev/outcome"], told["pods.sizewise.dev/mode"]) == ("applied", "apply")
    called = json.loads(told["mutation.webhook.admission.k8s.io/round_0_index_0"])
    assert called == {"configuration": "sizewise", "webhook": "pods.sizewise.dev", "mutated": True}


def test_a_gpu_becomes_a_slice_where_the_pod_asks_for_it(cluster: KubernetesCluster) -> None:
    """Requests and limits name the slice alone: the API server refuses extended resources that differ."""
    made = create(cluster, pod("shop", "trainer", {}, {"nvidia.com/gpu": "1"}, {"sizewise.dev/gpu-mode": "apply"}))
    slice_of = {"nvidia.com/mig-3g.20gb": "1"}
    assert made.resources() == {"requests": slice_of, "limits": slice_of}


def test_a_sidecar_that_is_injected_later_is_sized_too(
    cluster: KubernetesCluster, fleet: Fleet, target: Mapping[str, str], tmp_path: Path
) -> None:
    """The mesh's webhook comes second and changes the pod, so the API server asks ours again. What the first round did
    stands as it was, and its `before` is still what the pod was created with."""
    with injector(tmp_path, "shop") as mesh, registered(cluster, mesh, "shop"):
        made = create(cluster, pod("shop", "web", ASKED))
        told = annotations_of(cluster, "shop")
    assert json.loads(told["mutation.webhook.admission.k8s.io/round_1_index_0"])["webhook"] == "pods.sizewise.dev"
    assert made.resources("main") == {"requests": target}
    assert made.resources("proxy") == {"requests": fleet.targets["prod/shop/Deployment/web/proxy"]}
    applied = json.loads(made.annotations[APPLIED])
    assert applied["before"]["main"]["requests"] == ASKED
    assert applied["before"]["proxy"]["requests"] == SIDECAR["resources"]["requests"]


def test_what_a_namespace_demands_is_kept(cluster: KubernetesCluster, fleet: Fleet) -> None:
    """331m would be refused by a LimitRange that starts at 500m: the pod gets 500m, and is admitted."""
    rule = {"type": "Container", "min": {"cpu": "500m"}}
    metadata = {"name": "least", "namespace": "ruled"}
    cluster.apply({"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": [rule]}})
    sized = until_created(
        cluster, pod("ruled", "web", ASKED), lambda made: made.resources()["requests"]["cpu"] == "500m"
    )
    target = fleet.targets["prod/ruled/Deployment/web/main"]
    assert sized.resources()["requests"] == {"cpu": "500m", "memory": target["memory"]}


def test_an_owner_is_followed_to_the_deployment(cluster: KubernetesCluster, target: Mapping[str, str]) -> None:
    """Nothing in the name of pod or ReplicaSet says `web`: only the ReplicaSet's own owner does."""
    replica_set = owned_by_deployment(cluster, "shop", "web", "canary")
    manifest = pod("shop", "canary")
    manifest["metadata"] |= {"labels": {}, "ownerReferences": [replica_set]}
    manifest["spec"]["containers"][0]["resources"] = {"requests": ASKED}
    made = until_created(cluster, manifest, lambda made: made.resources()["requests"] != ASKED)
    assert made.resources()["requests"] == target


def owned_by_deployment(cluster: KubernetesCluster, namespace: str, deployment: str, name: str) -> dict[str, object]:
    """A ReplicaSet of a Deployment, and the reference by which a pod names it."""
    selector, container = {"app": name}, {"name": "main", "image": "example.org/main"}
    template = {"metadata": {"labels": selector}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": selector}, "template": template}
    owners: list[dict[str, object]] = []
    for kind, called in (("Deployment", deployment), ("ReplicaSet", name)):
        metadata = {"name": called, "namespace": namespace, "ownerReferences": owners}
        cluster.apply({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec})
        uid = cluster.get("-n", namespace, kind, called)["metadata"]["uid"]
        owners = [{"apiVersion": "apps/v1", "kind": kind, "name": called, "uid": uid, "controller": True}]
    return owners[0]


def _twice(quantity: str) -> str:
    number, unit = re.fullmatch(r"(\d+)(\w+)", quantity).groups()
    return f"{2 * int(number)}{unit}"
