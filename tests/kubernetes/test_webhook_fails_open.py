"""A webhook that hangs, is gone, or changes its certificate: pods start all the same."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.services.kubernetes import KubernetesCluster
from tests.kubernetes.certificates import Authority
from tests.kubernetes.fleet import Fleet
from tests.kubernetes.manifests import Manifest
from tests.kubernetes.pods import Created, create, pod, until_created
from tests.kubernetes.webhook import Webhook, annotations_of, configuration, registered

ASKED = {"cpu": "600m", "memory": "1Gi"}
FAILED_OPEN = "failed-open.mutation.webhook.admission.k8s.io/round_0_index_0"
MARGIN_S = 6.0
"""For kubectl and a busy machine. With the API server's default of 10 s for a webhook, the bound would be broken."""


@pytest.fixture
def own(cluster: KubernetesCluster, fleet: Fleet, tmp_path) -> Iterator[Webhook]:
    started = Webhook(cluster, fleet.location, tmp_path)
    yield started
    started.process.kill()


@pytest.fixture
def manifest(cluster: KubernetesCluster, own: Webhook) -> Iterator[Manifest]:
    made = configuration(cluster, own.url, own.authority)
    with registered(cluster, made, "shop"):
        yield made


def test_a_webhook_that_hangs_delays_a_pod_by_its_time_limit_at_most(
    cluster: KubernetesCluster, own: Webhook, manifest: Manifest
) -> None:
    """Paused in the middle of its life, connections open: the pod is stored as it was asked for, and the API server
    notes that it went on without. Resumed, it sizes the next one."""
    own.process.signal(signal.SIGSTOP)
    began_s = time.monotonic()
    made = create(cluster, pod("shop", "web", ASKED))
    waited_s = time.monotonic() - began_s
    own.process.signal(signal.SIGCONT)
    assert made.resources() == {"requests": ASKED}
    assert annotations_of(cluster, "shop")[FAILED_OPEN] == "pods.sizewise.dev"
    assert waited_s < manifest["webhooks"][0]["timeoutSeconds"] + MARGIN_S
    assert _sized(until_created(cluster, pod("shop", "web", ASKED), _sized))


def test_a_webhook_that_is_gone_delays_nobody(cluster: KubernetesCluster, own: Webhook, manifest: Manifest) -> None:
    """Killed: the connection is refused, and the pod is stored as it was asked for."""
    own.process.kill()
    assert create(cluster, pod("shop", "web", ASKED)).resources() == {"requests": ASKED}
    assert annotations_of(cluster, "shop")[FAILED_OPEN] == "pods.sizewise.dev"


def test_a_rotated_certificate_is_served_without_a_restart(
    cluster: KubernetesCluster, own: Webhook, manifest: Manifest
) -> None:
    """From here on the API server trusts the second authority alone, so whoever sizes a pod shows the new certificate."""
    second = Authority("second")
    second.issue(own.certificate, own.key)
    cluster.apply(configuration(cluster, own.url, second))
    assert _sized(until_created(cluster, pod("shop", "web", ASKED), _sized))
    assert FAILED_OPEN not in annotations_of(cluster, "shop")


def test_a_webhook_makes_and_shares_its_own_certificate(
    cluster: KubernetesCluster, fleet: Fleet, tmp_path: Path
) -> None:
    """With the rights of the shipped roles it writes the Secret, and tells the API server whom to trust."""
    started = Webhook(cluster, fleet.location, tmp_path, self_made=True)
    with registered(cluster, configuration(cluster, started.url, None), "shop"):
        assert _sized(until_created(cluster, pod("shop", "web", ASKED), _sized))
    assert set(cluster.get("-n", "sizewise", "secret", "sizewise-tls")["data"]) == {"tls.crt", "tls.key", "ca.crt"}
    started.process.kill()


def _sized(made: Created) -> bool:
    return made.resources() != {"requests": ASKED}
