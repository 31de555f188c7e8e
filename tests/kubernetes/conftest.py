"""What tests on the cluster share: namespaces by mode, and a log that knows the workloads in them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.services.kubernetes import KubernetesCluster
from tests.kubernetes.fleet import A100, CLUSTER, MIB, Fleet, Used, write_log
from tests.kubernetes.manifests import of_kind, rendered
from tests.kubernetes.nodes import INVENTORY
from tests.kubernetes.webhook import Webhook

MODES = {"shop": "apply", "ruled": "apply", "desk": "recommend", "closed": "off", "quiet": ""}
"""Namespaces and their label sizewise.dev/mode; `quiet` has none."""


@pytest.fixture(scope="session")
def cluster(kubernetes_cluster: KubernetesCluster) -> KubernetesCluster:
    """With the shipped namespaces, accounts and roles, and the namespaces of MODES."""
    shipped = rendered(kubernetes_cluster, "self-signed")
    rights = of_kind(shipped, "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    labels = {name: {"sizewise.dev/mode": mode} if mode else {} for name, mode in MODES.items()}
    own = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": label}}
        for name, label in labels.items()
    ]
    kubernetes_cluster.apply(*of_kind(shipped, "Namespace"), *own)
    kubernetes_cluster.apply(*rights)
    return kubernetes_cluster


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """In every namespace `web` uses 300m and 600 MiB; in `shop` its `proxy` a sixth of it, and `trainer` a tenth of its
    GPU."""
    web = tuple(Used(f"{CLUSTER}/{namespace}/Deployment/web/main", 0.3, 600 * MIB) for namespace in MODES)
    proxy = Used(f"{CLUSTER}/shop/Deployment/web/proxy", 0.05, 100 * MIB)
    trainer = Used(f"{CLUSTER}/shop/Deployment/trainer/main", 0.5, 900 * MIB, A100)
    return write_log(tmp_path_factory.mktemp("log") / "log.db", (*web, proxy, trainer), INVENTORY)


@pytest.fixture(scope="session")
def webhook(cluster: KubernetesCluster, fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """One process for all tests that do not end or change it."""
    started = Webhook(cluster, fleet.location, tmp_path_factory.mktemp("webhook"))
    yield started
    started.close()
