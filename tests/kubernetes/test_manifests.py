"""The shipped manifests: the real API server takes them as they are, and they name nothing that is not there."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from deploy.services.kubernetes import KubernetesCluster
from deploy.services.service import ServiceError
from sizewise.settings import SECTIONS, load
from tests.kubernetes.manifests import FOLDER, OVERLAYS, Manifest, of_kind, one, pods, rendered

_FOREIGN = ("Certificate", "Issuer")
"""Kinds of cert-manager, which is not installed here: what they say is checked by hand below."""


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_api_server_takes_every_object_without_a_warning(cluster: KubernetesCluster, overlay: str) -> None:
    """Server-side dry run, fields checked strictly: CEL compiles, roles hold, no field is unknown or out of date."""
    ours = [manifest for manifest in rendered(cluster, overlay) if manifest["kind"] not in _FOREIGN]
    text = yaml.safe_dump_all(ours)
    done = cluster.kubectl("apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-", stdin=text)
    assert done.stdout.count("serverside-applied (server dry run)") == len(ours)
    assert done.stderr == ""


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_admitted_by_the_policy_of_its_namespace(cluster: KubernetesCluster, overlay: str) -> None:
    """Pod Security `restricted` holds for all but the collector, which has a namespace of its own."""
    manifests = rendered(cluster, overlay)
    made = list(pods(manifests))
    assert {pod["metadata"]["namespace"] for pod in made} == {"sizewise", "sizewise-nodes"}
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump_all(made))
    assert (done.stdout.count("created (server dry run)"), done.stderr) == (len(made), "")


def test_the_namespace_refuses_what_reads_the_host(cluster: KubernetesCluster) -> None:
    """The collector's pod in the namespace of the others: refused, with what it would need."""
    (collector,) = (p for p in pods(rendered(cluster, "self-signed")) if p["metadata"]["name"] == "sizewise-collector")
    collector["metadata"]["namespace"] = "sizewise"
    with pytest.raises(ServiceError, match=r'violates PodSecurity "restricted:latest": host namespaces'):
        cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(collector))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_pods_name_is_there(cluster: KubernetesCluster, overlay: str) -> None:
    """Accounts and mounted ConfigMaps are among the manifests; Secrets are made by cert-manager or by the webhook."""
    manifests = rendered(cluster, overlay)
    there = {(m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in manifests}
    there |= {("Secret", "sizewise", c["spec"]["secretName"]) for c in of_kind(manifests, "Certificate")}
    there |= {("Secret", *secret.split("/")) for secret in _made_secrets(manifests)}
    assert [needed for pod in pods(manifests) for needed in _needs(pod) if needed not in there] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_and_budgets_select_the_pods(cluster: KubernetesCluster, overlay: str) -> None:
    """A selector is part of the labels of exactly one workload's pods, and each target port has its name there."""
    manifests = rendered(cluster, overlay)
    selectors = [m["spec"]["selector"] for m in of_kind(manifests, "Service")]
    selectors += [m["spec"]["selector"]["matchLabels"] for m in of_kind(manifests, "PodDisruptionBudget")]
    for selector in selectors:
        chosen = [pod for pod in pods(manifests) if selector.items() <= pod["metadata"]["labels"].items()]
        assert len(chosen) == 1, selector
    for pod in pods(manifests):
        names = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
        assert {probe["httpGet"]["port"] for probe in _probes(pod)} <= names


def test_the_settings_are_settings() -> None:
    """Every key of the shipped file is known and of the right type, whichever role reads it."""
    file = FOLDER / "base" / "settings.toml"
    loaded = load(SECTIONS, {}, file=file)
    assert set(tomllib.loads(file.read_text())) <= set(SECTIONS)
    assert loaded["collector"].host.root == "/host"


def test_the_webhook_is_reached_where_its_certificate_says(cluster: KubernetesCluster) -> None:
    """Service, certificate, Secret and injected authority belong together, with cert-manager."""
    manifests = rendered(cluster, "cert-manager")
    configuration = one(manifests, "MutatingWebhookConfiguration", "sizewise")
    service = configuration["webhooks"][0]["clientConfig"]["service"]
    certificate = one(manifests, "Certificate", "sizewise-webhook")
    assert certificate["spec"]["dnsNames"] == [f"{service['name']}.{service['namespace']}.svc"]
    assert one(manifests, "Service", service["name"])["spec"]["ports"][0]["port"] == service["port"]
    injected = configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert injected == f"{certificate['metadata']['namespace']}/{certificate['metadata']['name']}"
    (pod,) = (pod for pod in pods(manifests) if pod["metadata"]["name"] == "sizewise-webhook")
    assert ("Secret", "sizewise", certificate["spec"]["secretName"]) in set(_needs(pod))


_ALLOWED = (
    ("list", "limitranges", "--all-namespaces", True),
    ("watch", "replicasets.apps", "--all-namespaces", True),
    ("get", "secrets/sizewise-tls", "--namespace=sizewise", True),
    ("patch", "mutatingwebhookconfigurations/sizewise", "", True),
    ("get", "secrets/sizewise-kafka", "--namespace=sizewise", False),
    ("list", "secrets", "--namespace=sizewise", False),
    ("patch", "mutatingwebhookconfigurations/other", "", False),
    ("create", "pods", "--namespace=default", False),
    ("get", "pods", "--all-namespaces", False),
)


def test_the_webhook_may_do_what_it_needs_and_no_more(cluster: KubernetesCluster) -> None:
    """The real authoriser is asked, as the webhook's account."""
    me = "--as=system:serviceaccount:sizewise:sizewise-webhook"
    assert [row for row in _ALLOWED if _may(cluster, me, *row[:3]) != row[3]] == []


_COLLECTOR_ALLOWED = (
    ("get", "nodes/n1", "", True),
    ("list", "nodes", "", False),
    ("watch", "nodes", "", False),
    ("patch", "nodes/n1", "", False),
    ("get", "nodes/n1", "--subresource=proxy", False),
    ("get", "pods", "--all-namespaces", False),
    ("get", "secrets", "--namespace=sizewise-nodes", False),
)


def test_a_collector_may_get_nodes_and_no_more(cluster: KubernetesCluster) -> None:
    """Anywhere in the cluster: it runs as root on every node, so its token is worth as little as can be."""
    me = "--as=system:serviceaccount:sizewise-nodes:sizewise-collector"
    assert [row for row in _COLLECTOR_ALLOWED if _may(cluster, me, *row[:3]) != row[3]] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_token_is_where_somebody_asks_kubernetes(cluster: KubernetesCluster, overlay: str) -> None:
    """The webhook's and the collector's pods alone, and the network lets both out to the API server."""
    manifests = rendered(cluster, overlay)
    holders = {
        pod["metadata"]["name"]
        for pod in pods(manifests)
        if pod["spec"].get("automountServiceAccountToken") is not False
    }
    named = {binding["subjects"][0]["name"] for binding in of_kind(manifests, "ClusterRoleBinding")}
    assert holders - named == set()
    for policy in ("sizewise-webhook", "sizewise-nodes"):
        ports = [p["port"] for rule in one(manifests, "NetworkPolicy", policy)["spec"]["egress"] for p in rule["ports"]]
        assert {443, 6443} <= set(ports)


def _may(cluster: KubernetesCluster, me: str, verb: str, what: str, where: str) -> bool:
    """`kubectl auth can-i` ends with 1 when the answer is no."""
    try:
        return cluster.kubectl("auth", "can-i", verb, what, me, *filter(None, [where])).stdout.strip() == "yes"
    except ServiceError:
        return False


def _made_secrets(manifests: list[Manifest]) -> Iterator[str]:
    """NAMESPACE/NAME of what the webhook keeps its certificate in."""
    for pod in pods(manifests):
        for variable in pod["spec"]["containers"][0]["env"]:
            if variable["name"] == "SIZEWISE_WEBHOOK__TLS__MADE_IN":
                yield variable["value"].removeprefix("secret:")


def _needs(pod: Manifest) -> Iterator[tuple[str, str, str]]:
    namespace, spec = pod["metadata"]["namespace"], pod["spec"]
    yield "ServiceAccount", namespace, spec["serviceAccountName"]
    for volume in spec["volumes"]:
        if (config := volume.get("configMap")) and not config.get("optional"):
            yield "ConfigMap", namespace, config["name"]
        if (secret := volume.get("secret")) and not secret.get("optional"):
            yield "Secret", namespace, secret["secretName"]


def _probes(pod: Manifest) -> Iterator[dict[str, Any]]:
    container = pod["spec"]["containers"][0]
    return (container[key] for key in ("startupProbe", "livenessProbe", "readinessProbe") if key in container)
