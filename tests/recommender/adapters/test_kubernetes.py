"""What is watched, shared and trusted in a real Kubernetes."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.services.kubernetes import KubernetesCluster
from models.owners import Owner
from recommender.adapters.certificates import make
from recommender.adapters.kubernetes.certificate import SecretStore, WebhookTrust
from recommender.adapters.kubernetes.client import KubernetesError, connect
from recommender.adapters.kubernetes.watch import ClusterWatch
from recommender.admission.cluster_facts import ClusterFacts
from recommender.admission.facts import Bounds
from recommender.admission.mode import Mode

_WAIT_S = 20.0


@pytest.fixture
def facts(kubernetes_cluster: KubernetesCluster) -> Iterator[ClusterFacts]:
    """Of the whole cluster, kept up to date."""
    found, stop = ClusterFacts(), threading.Event()
    ClusterWatch(str(kubernetes_cluster.kubeconfig), found).start(stop)
    yield found
    stop.set()


def test_rules_of_a_namespace_are_known_and_follow(kubernetes_cluster: KubernetesCluster, facts: ClusterFacts) -> None:
    """The label, the LimitRange and the ResourceQuota that kubectl writes; then without the quota, which was deleted."""
    name = "watched-rules"
    kubernetes_cluster.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"sizewise.dev/mode": "apply"}}},
        _limit_range(name, {"type": "Container", "max": {"cpu": "4"}, "min": {"cpu": "100m"}}),
        _object("ResourceQuota", name, {"hard": {"requests.memory": "10Gi", "pods": "5"}}),
    )
    found = until(lambda: facts.namespace(name), lambda known: known is not None and bool(known.counted))
    assert found is not None
    assert found.mode is Mode.APPLY
    assert found.container["cpu"] == Bounds(Decimal("0.1"), Decimal(4))
    assert found.counted == {"memory", "pods"}
    kubernetes_cluster.kubectl("-n", name, "delete", "resourcequota", "one")
    kubernetes_cluster.kubectl("label", "namespace", name, "sizewise.dev/mode=recommend", "--overwrite")
    after = until(lambda: facts.namespace(name), lambda known: known is not None and not known.counted)
    assert after is not None
    assert until(lambda: facts.namespace(name), lambda known: known is not None and known.mode is Mode.RECOMMEND)


def test_a_namespace_that_is_not_there_is_not_known(facts: ClusterFacts) -> None:
    """Nothing is said of it, so that nothing is changed in it."""
    assert until(lambda: facts.namespace("default"), lambda known: known is not None)
    assert facts.namespace("nowhere") is None


def test_owners_of_owners_are_known(kubernetes_cluster: KubernetesCluster, facts: ClusterFacts) -> None:
    """A ReplicaSet belongs to a Rollout, a Job to a CronJob, as their owner references say."""
    name = "watched-owners"
    pod = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    job = {**pod, "spec": {**pod["spec"], "restartPolicy": "Never"}}
    kubernetes_cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    kubernetes_cluster.apply(
        _owned("apps/v1", "ReplicaSet", name, "Rollout", {"selector": {"matchLabels": {"app": "x"}}, "template": pod}),
        _owned("batch/v1", "Job", name, "CronJob", {"template": job}),
    )
    rollout, cron = (Owner(kind, "parent") for kind in ("Rollout", "CronJob"))
    assert until(lambda: facts.parent(name, "ReplicaSet", "one"), lambda owner: owner == rollout)
    assert until(lambda: facts.parent(name, "Job", "one"), lambda owner: owner == cron)
    assert facts.parent(name, "StatefulSet", "one") is None


def test_replicas_share_one_certificate(kubernetes_cluster: KubernetesCluster) -> None:
    """The first to write wins; the second, which read before, is told so and finds the first one's."""
    first, second = (_store(kubernetes_cluster) for _ in range(2))
    one, other = make(["a"], 1, time.time()), make(["a"], 1, time.time())
    assert first.read() is None
    assert second.read() is None
    assert first.write(one)
    assert not second.write(other)
    assert second.read() == one
    assert second.write(other), "it has read what it replaces"
    assert not first.write(one), "and the first has not"


def test_the_authority_is_trusted_by_every_webhook_of_the_configuration(kubernetes_cluster: KubernetesCluster) -> None:
    """The caBundle of both is what was told; what else the configuration says stays."""
    hook = {
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "clientConfig": {"url": "https://127.0.0.1:1/mutate"},
    }
    hooks = [{"name": f"{name}.sizewise.dev", **hook} for name in ("one", "two")]
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    kubernetes_cluster.apply({**kind, "metadata": {"name": "trusting"}, "webhooks": hooks})
    authorities = make(["a"], 1, time.time()).authorities
    WebhookTrust(partial(connect, str(kubernetes_cluster.kubeconfig)), "trusting")(authorities)
    stored = kubernetes_cluster.get("mutatingwebhookconfiguration", "trusting")["webhooks"]
    assert [base64.b64decode(one["clientConfig"]["caBundle"]) for one in stored] == [authorities] * 2
    assert [one["failurePolicy"] for one in stored] == ["Ignore"] * 2


def test_a_configuration_that_is_not_there_is_an_error_of_ours(kubernetes_cluster: KubernetesCluster) -> None:
    """It says what was to be done and what the API server answered."""
    trust = WebhookTrust(partial(connect, str(kubernetes_cluster.kubeconfig)), "missing")
    with pytest.raises(KubernetesError, match=r"trust an authority in missing.*not found") as error:
        trust(b"x")
    assert error.value.status == 404


def test_a_kubeconfig_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    """Not one of lightkube."""
    with pytest.raises(KubernetesError, match="cannot connect"):
        connect(str(tmp_path / "none"))


def until(read: Callable[[], Any], right: Callable[[Any], bool]) -> Any:
    """What `read` gives once it is right; watches take a moment."""
    end = time.monotonic() + _WAIT_S
    while not right(found := read()):
        assert time.monotonic() < end, f"still {found!r} after {_WAIT_S} s"
        time.sleep(0.02)
    return found


def _store(cluster: KubernetesCluster) -> SecretStore:
    return SecretStore(partial(connect, str(cluster.kubeconfig)), "default", "webhook-certificate")


def _object(kind: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "one", "namespace": namespace}, "spec": spec}


def _limit_range(namespace: str, *limits: dict[str, Any]) -> dict[str, Any]:
    return _object("LimitRange", namespace, {"limits": list(limits)})


def _owned(version: str, kind: str, namespace: str, owner: str, spec: dict[str, Any]) -> dict[str, Any]:
    reference = {"apiVersion": "x/v1", "kind": owner, "name": "parent", "uid": "u", "controller": True}
    metadata = {"name": "one", "namespace": namespace, "ownerReferences": [reference]}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
